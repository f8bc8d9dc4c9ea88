//! `flowlake quarantine`

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};

use super::fail;
use super::place::Place;
use super::planning::PlanArguments;
use crate::cli::error::Error;
use crate::definition::{Definition, Environment, Setting, Size};
use crate::exit_code::ExitCode;
use crate::plan::DEFAULT_MEMORY;
use crate::report::Progress;
use crate::run::RunError;
use crate::run::interruption::Interruption;
use crate::schema::{RunId, TableName};
use crate::store::Destination;
use crate::table::Snapshot;
use crate::table::quarantine::{Finding, Line, QuarantineFile, read};

/// As many characters as are shown of a record.
const SHOWN_OF_A_RECORD: usize = 500;
/// As many characters as are shown of a value in it.
const SHOWN_OF_A_VALUE: usize = 80;

/// What to do with records that are in no table.
#[derive(Debug, Subcommand)]
pub(super) enum QuarantineCommand {
    /// List how many records wait, and why.
    List {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Show each record that waits, with all that is wrong with it.
    Show {
        #[command(flatten)]
        chosen: Chosen,
        /// Print each as a line of JSON, as it is kept.
        #[arg(long)]
        json: bool,
    },
    /// Take the records that wait in again, by what the definition says now.
    Retry {
        /// The definition.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print the report as a line of JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Set a key of the definition, as in `tables[0].columns.amount=string`.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<Setting>,
        /// How much memory the rows may take; beyond it they go to local disk for a while.
        #[arg(long, value_name = "SIZE", default_value_t = DEFAULT_MEMORY)]
        memory: Size,
        /// Wait while another run holds the destination, instead of ending with exit 11.
        #[arg(long)]
        wait: bool,
        /// What to call the run, instead of a new id that sorts by time.
        #[arg(long)]
        run_id: Option<RunId>,
    },
}

/// Which records.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    #[command(flatten)]
    place: Place,
    /// Only those of this table.
    #[arg(long)]
    table: Option<TableName>,
    /// Only those of this run.
    #[arg(long)]
    run: Option<RunId>,
}

/// Does what was asked.
pub(super) async fn quarantine(
    command: QuarantineCommand,
    environment: &Environment,
    interruption: &Interruption,
) -> ExitCode {
    let done = match command {
        QuarantineCommand::List { chosen } => list(&chosen, environment).await,
        QuarantineCommand::Show { chosen, json } => show(&chosen, json, environment).await,
        QuarantineCommand::Retry { file, json, settings, memory, wait, run_id } => {
            let arguments = PlanArguments::with(settings, memory, wait);
            let definition = match Definition::load(&file, &arguments.settings, environment) {
                Ok(definition) => definition,
                Err(error) => return fail(&error.into()),
            };
            let name = definition.pipeline.name.clone();
            let retried = retry(definition, &arguments, run_id, interruption).await;
            return super::run::show(retried, &name, json).err().unwrap_or(ExitCode::Done);
        }
    };
    done.err().map_or(ExitCode::Done, |error| fail(&error))
}

async fn retry(
    definition: Definition,
    arguments: &PlanArguments,
    run_id: Option<RunId>,
    interruption: &Interruption,
) -> Result<crate::report::RunReport, Error> {
    let progress = Arc::new(Progress::new(&definition.pipeline.name));
    let plan = arguments.plan(definition.pipeline, run_id);
    let plan = interruption.or(plan).await.map_err(RunError::Stopped)??;
    Ok(crate::run::retry(plan, progress, interruption).await?)
}

/// Files of records that wait, and where they are.
struct Waiting {
    /// None when there is no such destination yet.
    destination: Option<Destination>,
    files: Vec<(TableName, QuarantineFile)>,
}

impl Chosen {
    async fn waiting(&self, environment: &Environment) -> Result<Waiting, Error> {
        let destination = self.place.open(environment)?;
        let snapshot = match &destination {
            Some(destination) => Snapshot::peek(destination).await.map_err(RunError::from)?,
            None => Snapshot::default(),
        };
        let mut files = Vec::new();
        for (table, manifest) in snapshot.manifests {
            let chosen = manifest.quarantine.into_iter().filter(|file| self.takes(&table, file));
            files.extend(chosen.map(|file| (table.clone(), file)));
        }
        Ok(Waiting { destination, files })
    }

    fn takes(&self, table: &TableName, file: &QuarantineFile) -> bool {
        self.table.as_ref().is_none_or(|chosen| chosen == table)
            && self.run.as_ref().is_none_or(|chosen| *chosen == file.run_id)
    }
}

impl Waiting {
    async fn lines(&self, file: &QuarantineFile) -> Result<Vec<Line>, Error> {
        match &self.destination {
            Some(destination) => Ok(read(destination, file).await.map_err(RunError::from)?),
            None => Ok(Vec::new()),
        }
    }
}

async fn list(chosen: &Chosen, environment: &Environment) -> Result<(), Error> {
    let waiting = chosen.waiting(environment).await?;
    let mut out = std::io::stdout();
    if waiting.files.is_empty() {
        return Ok(writeln!(out, "no records are in quarantine")?);
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["table", "run", "records", "only values"]);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for (name, file) in &waiting.files {
        let (records, values) = (file.records.to_string(), file.partially_loaded.to_string());
        table.add_row([name.to_string(), file.run_id.to_string(), records, values]);
        for finding in waiting.lines(file).await?.into_iter().flat_map(|line| line.reasons) {
            *reasons.entry(finding.message).or_default() += 1;
        }
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}\n")?;
    let mut reasons: Vec<(String, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons {
        writeln!(out, "{count} × {reason}")?;
    }
    Ok(())
}

async fn show(chosen: &Chosen, json: bool, environment: &Environment) -> Result<(), Error> {
    let waiting = chosen.waiting(environment).await?;
    let mut out = std::io::stdout();
    for (_, file) in &waiting.files {
        for line in waiting.lines(file).await? {
            if json {
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            } else {
                writeln!(out, "{}", shown(&line))?;
            }
        }
    }
    Ok(())
}

/// A record for people: where it came from, what is wrong with it, and the record.
fn shown(line: &Line) -> String {
    let kept = if line.row_kept { ", in the table without what follows" } else { "" };
    let mut lines =
        vec![format!("{} at byte {} of run {}{kept}", line.table, line.offset, line.run_id)];
    for finding in &line.reasons {
        let Finding { pointer, message, .. } = finding;
        lines.push(match line.value_at(finding).filter(|_| !pointer.is_empty()) {
            Some(value) => {
                format!("  {pointer}: {message}: {}", beginning(value, SHOWN_OF_A_VALUE))
            }
            None if pointer.is_empty() => format!("  {message}"),
            None => format!("  {pointer}: {message}"),
        });
    }
    if line.more_reasons > 0 {
        lines.push(format!("  and {} more", line.more_reasons));
    }
    lines.push(format!("  {}\n", beginning(line.received(), SHOWN_OF_A_RECORD)));
    lines.join("\n")
}

/// As much of a text as fits; it is JSON without whitespace, so that it has no control characters.
fn beginning(json: &str, characters: usize) -> String {
    let mut shown: String = json.chars().take(characters).collect();
    if shown.len() < json.len() {
        shown.push('…');
    }
    shown
}
