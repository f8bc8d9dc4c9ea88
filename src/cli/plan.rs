//! `flowlake plan`

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::planning::{PlanArguments, Planned};
use super::screen;
use super::summary::{self, fail};
use crate::cli::error::Error;
use crate::definition::{Definition, Table, WriteDisposition};
use crate::exit_code::ExitCode;
use crate::infer::{Change, SchemaError, Schemas};
use crate::run::{RunContext, RunError};
use crate::schema::{ColumnName, IdVec, PartitionField, PartitionKey, RootId, Shape, Window};
use crate::table::Manifest;

/// A plan as it is shown.
#[derive(Serialize)]
struct ShownPlan {
    pipeline: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    requests: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    api_key: Vec<String>,
    destination: String,
    landing_keep: usize,
    tables: Vec<ShownTable>,
    /// What no run loads by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_loaded: Vec<String>,
    /// What the definition alone changes in the schemas of the destination.
    changes: Vec<Change>,
    /// Why the definition does not fit the existing tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Serialize)]
struct ShownTable {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    records: String,
    write_disposition: String,
    primary_key: Vec<String>,
    partition_by: Vec<String>,
    /// How many rows the table has before the run.
    rows: u64,
    /// The existing partitions that the run will certainly replace.
    partitions_replaced: Vec<String>,
}

/// Prints what `run` would do with a definition now.
pub(super) async fn plan(
    file: &Path,
    json: bool,
    arguments: &PlanArguments,
    context: &RunContext,
) -> ExitCode {
    match print(file, json, arguments, context).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn print(
    file: &Path,
    json: bool,
    arguments: &PlanArguments,
    context: &RunContext,
) -> Result<(), Error> {
    let definition = Definition::load(file, &arguments.settings, &context.environment)?;
    summary::warn(&definition.warnings);
    let planned = arguments.plan_and_look(definition.pipeline, context).await?;
    let changes = match other_pipeline(&planned) {
        Some(error) => Err(error),
        None => changes(&planned).map_err(RunError::from),
    };
    let shown = ShownPlan::of(&planned, &changes);
    if json {
        screen::print_pretty_json(&shown)?;
    } else {
        screen::print_lines(shown.lines());
    }
    changes.map(drop).map_err(Error::from)
}

impl ShownPlan {
    fn of(planned: &Planned, changes: &Result<Vec<Change>, RunError>) -> Self {
        let plan = &planned.plan;
        let (pipeline, source) = (&plan.pipeline, &plan.pipeline.source);
        let requests = plan.requests.iter().map(|request| format!("GET {}", request.url));
        Self {
            pipeline: pipeline.name.clone(),
            window: plan.window,
            requests: requests.collect(),
            headers: source.headers.iter().map(|header| header.name.clone()).collect(),
            api_key: source.api_key.iter().map(ToString::to_string).collect(),
            destination: plan.destination.absolute(),
            landing_keep: pipeline.landing.keep,
            tables: pipeline.tables.iter().map(|table| ShownTable::of(table, planned)).collect(),
            not_loaded: plan
                .not_loaded(|table| planned.snapshot.loaded(table))
                .into_iter()
                .map(|(table, gap)| format!("{table}: {gap}"))
                .collect(),
            changes: changes.as_ref().cloned().unwrap_or_default(),
            refused: changes.as_ref().err().map(ToString::to_string),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![line("pipeline", &self.pipeline)];
        if let Some(window) = self.window {
            let pieces = match self.requests.len() {
                0 if window.start > window.end => "nothing to ask for yet".to_owned(),
                0 => "already loaded".to_owned(),
                1 => "in one piece".to_owned(),
                many => format!("in {many} pieces"),
            };
            lines.push(line("window", &format!("{window}, {pieces}")));
        }
        let mut label = "request";
        for request in &self.requests {
            lines.push(line(label, request));
            label = "";
        }
        if !self.headers.is_empty() {
            lines.push(line("headers", &self.headers.join(", ")));
        }
        lines.push(line("api key", &self.api_key.join(", then ")));
        lines.push(line("destination", &self.destination));
        let keep = format!("the exports of the last {} runs are kept", self.landing_keep);
        lines.push(line("landing", &keep));
        lines.push("tables".to_owned());
        lines.extend(self.tables.iter().map(ShownTable::line));
        lines.extend(self.not_loaded.iter().map(|gap| line("not loaded", gap)));
        if !self.changes.is_empty() {
            lines.push("changes by the definition".to_owned());
            lines.extend(self.changes.iter().map(|change| format!("  {change}")));
        }
        lines.extend(self.refused.iter().map(|reason| line("refused", reason)));
        lines
    }
}

/// Whether the run is refused because another pipeline writes one of its tables.
fn other_pipeline(planned: &Planned) -> Option<RunError> {
    let Planned { plan, snapshot } = planned;
    let roots = plan.pipeline.root_tables().map(|table| &table.name);
    let other = snapshot.table_of_another(&plan.pipeline.name, roots).filter(|_| !plan.take_over);
    other.map(|(table, pipeline)| RunError::OtherPipeline { table, pipeline })
}

/// What the definition alone changes in existing tables, or why a run would refuse it whatever the export has.
fn changes(planned: &Planned) -> Result<Vec<Change>, SchemaError> {
    let (tables, known) = (&planned.plan.pipeline.tables, planned.snapshot.schemas());
    let roots = planned.plan.pipeline.root_tables().filter(|root| known.contains_key(&root.name));
    let (roots, nothing): (IdVec<RootId, &Table>, _) = (roots.collect(), Shape::default());
    let seen: Vec<_> = roots.iter().map(|(root, table)| (root, *table, &nothing)).collect();
    let resolved = match &planned.snapshot.agreement {
        None => Schemas::resolve(&seen, tables, &known),
        Some(agreement) => Schemas::resolve_shared(&seen, tables, &known, &agreement.schemas()),
    };
    match resolved {
        Ok(schemas) => {
            let manifests = planned.snapshot.manifests.values();
            let histories = manifests.filter_map(|it| it.schema.history_of.clone());
            schemas.check_histories(&histories.collect())?;
            let is_declared = |change: &Change| !matches!(change, Change::Vanished { .. });
            Ok(schemas.changes(tables, &known).into_iter().filter(is_declared).collect())
        }
        Err(error) if error.is_of_definition() => Err(error),
        // The export may bring the columns that are missing.
        Err(_) => Ok(Vec::new()),
    }
}

fn line(label: &str, text: &str) -> String {
    format!("{label:<13}{text}")
}

impl ShownTable {
    fn of(table: &Table, planned: &Planned) -> Self {
        let root = planned.plan.pipeline.root_of(table);
        let manifest = planned.snapshot.manifests.get(&table.name);
        let replaces =
            |partition: &PartitionKey| match (root.write_disposition, planned.plan.window) {
                (WriteDisposition::Replace, _) => true,
                (WriteDisposition::OverwritePartitions, Some(window)) => {
                    partition.lies_within(window)
                }
                _ => false,
            };
        let partitions = manifest.map(partitions).unwrap_or_default().into_iter().filter(replaces);
        Self {
            name: table.name.to_string(),
            parent: table.parent.as_ref().map(ToString::to_string),
            records: match &table.records {
                Some(pointer) => pointer.to_string(),
                None => "the only array of objects".to_owned(),
            },
            write_disposition: root.write_disposition.to_string(),
            primary_key: table.primary_key.iter().map(ColumnName::to_string).collect(),
            partition_by: root.partition_by.iter().map(PartitionField::directory_key).collect(),
            rows: manifest.map_or(0, Manifest::rows),
            partitions_replaced: partitions.map(|partition| partition.to_string()).collect(),
        }
    }

    fn line(&self) -> String {
        let within = self.parent.iter().map(|parent| format!(" in each record of {parent}"));
        let place = std::iter::once(self.records.clone()).chain(within).collect::<String>();
        let mut parts = vec![format!("{}: {} from {place}", self.name, self.write_disposition)];
        if !self.primary_key.is_empty() {
            parts.push(format!("key {}", self.primary_key.join(", ")));
        }
        if !self.partition_by.is_empty() {
            parts.push(format!("partitions {}", self.partition_by.join("/")));
        }
        if self.rows > 0 {
            parts.push(format!("{} rows there now", self.rows));
        }
        if !self.partitions_replaced.is_empty() {
            parts.push(format!("{} partitions replaced", self.partitions_replaced.len()));
        }
        format!("  {}", parts.join(", "))
    }
}

/// The partition directories of a table.
fn partitions(manifest: &Manifest) -> BTreeSet<PartitionKey> {
    let with_rows = manifest.files.iter().filter(|file| file.has_rows());
    let directories = with_rows.map(|file| file.partition.clone());
    directories.filter(|directory| !directory.is_empty()).collect()
}
