//! `flowlake quarantine`

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};

use super::destination::DestinationArgument;
use super::planning::PlanArguments;
use super::summary::fail;
use crate::cli::error::Error;
use crate::definition::{Definition, Setting, Size};
use crate::exit_code::ExitCode;
use crate::report::RunReport;
use crate::run::{RunContext, RunError};
use crate::schema::{RunId, TableName};
use crate::store::Destination;
use crate::table;
use crate::table::quarantine::{
    QuarantineFile, QuarantineLine, QuarantineReason, read_what_is_left,
};

/// How many characters of a record to show.
const SHOWN_OF_A_RECORD: usize = 500;
/// How many characters of a value to show.
const SHOWN_OF_A_VALUE: usize = 80;

/// What to do with quarantined records.
#[derive(Debug, Subcommand)]
pub(super) enum QuarantineCommand {
    /// Count the quarantined records and the reasons.
    List {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Show each quarantined record with everything that is wrong with it.
    Show {
        #[command(flatten)]
        chosen: Chosen,
        /// Print each as a line of JSON, as it is stored.
        #[arg(long)]
        json: bool,
    },
    /// Load the quarantined records again, by the definition as it is now.
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
        /// How much memory the rows may take; more is spilled to local disk [default: 256MiB].
        #[arg(long, value_name = "SIZE")]
        memory: Option<Size>,
        /// Wait while another run holds the destination, instead of exiting with 11.
        #[arg(long)]
        wait: bool,
        /// The id of the run, instead of a new one that sorts by time.
        #[arg(long)]
        run_id: Option<RunId>,
    },
}

/// Which records.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    #[command(flatten)]
    destination: DestinationArgument,
    /// Only those of this table.
    #[arg(long)]
    table: Option<TableName>,
    /// Only those of this run.
    #[arg(long)]
    run: Option<RunId>,
}

/// Runs the command.
pub(super) async fn quarantine(command: QuarantineCommand, context: &RunContext) -> ExitCode {
    let done = match command {
        QuarantineCommand::List { chosen } => list(&chosen, context).await,
        QuarantineCommand::Show { chosen, json } => show(&chosen, json, context).await,
        QuarantineCommand::Retry { file, json, settings, memory, wait, run_id } => {
            let arguments = PlanArguments::with(settings, memory, wait);
            let definition =
                match Definition::load(&file, &arguments.settings, &context.environment) {
                    Ok(definition) => definition,
                    Err(error) => return fail(&error.into()),
                };
            let name = definition.pipeline.name.clone();
            let retried = retry(definition, &arguments, run_id, context).await;
            return super::run::show(retried, &name, json).err().unwrap_or(ExitCode::Done);
        }
    };
    done.err().map_or(ExitCode::Done, |error| fail(&error))
}

async fn retry(
    definition: Definition,
    arguments: &PlanArguments,
    run_id: Option<RunId>,
    context: &RunContext,
) -> Result<RunReport, Error> {
    let context = super::run::with_reporters(context, &definition.pipeline.name);
    let plan = arguments.plan(definition.pipeline, run_id, &context);
    let plan = context.interruption.or(plan).await.map_err(RunError::Stopped)??;
    Ok(crate::run::retry(plan, &context).await?)
}

/// The chosen quarantine files, and where they are.
struct ChosenFiles {
    destination: Destination,
    files: Vec<(TableName, QuarantineFile)>,
}

impl Chosen {
    async fn files(&self, context: &RunContext) -> Result<ChosenFiles, Error> {
        let destination = self.destination.open(context).await?;
        let snapshot = table::open(&destination).snapshot().await.map_err(RunError::from)?;
        let mut files = Vec::new();
        for (table, manifest) in snapshot.manifests {
            let chosen = manifest.quarantine.into_iter().filter(|file| self.takes(&table, file));
            files.extend(chosen.map(|file| (table.clone(), file)));
        }
        Ok(ChosenFiles { destination, files })
    }

    fn takes(&self, table: &TableName, file: &QuarantineFile) -> bool {
        self.table.as_ref().is_none_or(|chosen| chosen == table)
            && self.run.as_ref().is_none_or(|chosen| *chosen == file.run_id)
    }
}

impl ChosenFiles {
    async fn lines(&self, file: &QuarantineFile) -> Result<Vec<QuarantineLine>, Error> {
        let read = read_what_is_left(&self.destination, file).await.map_err(RunError::from)?;
        let (lines, damage) = read;
        if let Some(damage) = damage {
            tracing::warn!(%damage, "showing what can be read of it");
        }
        Ok(lines)
    }
}

async fn list(chosen: &Chosen, context: &RunContext) -> Result<(), Error> {
    let chosen = chosen.files(context).await?;
    let mut out = std::io::stdout();
    if chosen.files.is_empty() {
        return Ok(writeln!(out, "no records are in quarantine")?);
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["table", "run", "records", "only values"]);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for (name, file) in &chosen.files {
        let (records, values) = (file.records.to_string(), file.partially_loaded.to_string());
        table.add_row([name.to_string(), file.run_id.to_string(), records, values]);
        for finding in chosen.lines(file).await?.into_iter().flat_map(|line| line.reasons) {
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

async fn show(chosen: &Chosen, json: bool, context: &RunContext) -> Result<(), Error> {
    let chosen = chosen.files(context).await?;
    let mut out = std::io::stdout();
    for (_, file) in &chosen.files {
        for line in chosen.lines(file).await? {
            if json {
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            } else {
                writeln!(out, "{}", shown(&line))?;
            }
        }
    }
    Ok(())
}

/// A record for people: where it came from, what is wrong with it, and its JSON.
fn shown(line: &QuarantineLine) -> String {
    let kept = if line.row_kept { ", in the table without what follows" } else { "" };
    let mut lines =
        vec![format!("{} at byte {} of run {}{kept}", line.table, line.offset, line.run_id)];
    for finding in &line.reasons {
        let QuarantineReason { pointer, message, .. } = finding;
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

/// The first characters of compact JSON, which has no control characters.
fn beginning(json: &str, characters: usize) -> String {
    let mut shown: String = json.chars().take(characters).collect();
    if shown.len() < json.len() {
        shown.push('…');
    }
    shown
}
