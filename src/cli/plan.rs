//! `flowlake plan`

use std::io::Write;
use std::path::Path;

use chrono::Utc;
use serde::Serialize;

use super::fail;
use crate::definition::{Environment, Pipeline, Table};
use crate::error::{Error, ExitCode};
use crate::plan::Plan;
use crate::run_id::RunId;

/// A plan as it is shown: what a run will do, in its own words.
#[derive(Serialize)]
struct ShownPlan {
    pipeline: String,
    request: String,
    api_key: Vec<String>,
    destination: String,
    landing_keep: usize,
    tables: Vec<ShownTable>,
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
}

/// Prints what `run` would do with this definition now.
pub(super) fn plan(file: &Path, json: bool, environment: &Environment) -> ExitCode {
    match print(file, json, environment) {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

fn print(file: &Path, json: bool, environment: &Environment) -> Result<(), Error> {
    let now = Utc::now();
    let plan = Plan::new(Pipeline::load(file, environment)?, RunId::at(now), now);
    let shown = ShownPlan::of(&plan);
    let text = if json { serde_json::to_string_pretty(&shown)? } else { shown.text() };
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

impl ShownPlan {
    fn of(plan: &Plan) -> Self {
        let pipeline = &plan.pipeline;
        Self {
            pipeline: pipeline.name.clone(),
            request: format!("GET {}", plan.request.url),
            api_key: pipeline.source.api_key.iter().map(ToString::to_string).collect(),
            destination: pipeline.destination.to_string(),
            landing_keep: pipeline.landing.keep,
            tables: pipeline.tables.iter().map(|table| ShownTable::of(table, pipeline)).collect(),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!("pipeline     {}", self.pipeline),
            format!("request      {}", self.request),
            format!("api key      {}", self.api_key.join(", then ")),
            format!("destination  {}", self.destination),
            format!("landing      the exports of the last {} runs are kept", self.landing_keep),
            "tables".to_owned(),
        ];
        lines.extend(self.tables.iter().map(ShownTable::line));
        lines.join("\n")
    }
}

impl ShownTable {
    fn of(table: &Table, pipeline: &Pipeline) -> Self {
        let root = pipeline.root_of(table);
        let names = |names: &[crate::definition::ColumnName]| {
            names.iter().map(ToString::to_string).collect()
        };
        Self {
            name: table.name.to_string(),
            parent: table.parent.as_ref().map(ToString::to_string),
            records: match &table.records {
                Some(pointer) => pointer.to_string(),
                None => "the only array of objects".to_owned(),
            },
            write_disposition: root.write_disposition.to_string(),
            primary_key: names(&table.primary_key),
            partition_by: root
                .partition_by
                .iter()
                .map(crate::definition::PartitionField::directory_key)
                .collect(),
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
        format!("  {}", parts.join(", "))
    }
}
