//! `flowlake quarantine`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::destination::DestinationArgument;
use super::listing::Listing;
use super::planning::PlanArguments;
use super::run::{self, FailedRun};
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::definition::{Definition, Setting, Size};
use crate::exit_code::ExitCode;
use crate::report::RunReport;
use crate::run::{DroppedRecords, RunContext, RunError, drop_quarantined};
use crate::schema::{RunId, TableName};
use crate::store::Destination;
use crate::table::quarantine::{
    QuarantineError, QuarantineLine, QuarantineReason, ReadableLines, read_what_is_left,
};
use crate::table::{self, Snapshot};

/// How often quarantine is read that changes meanwhile.
const MOST_LOOKS: usize = 5;
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
    /// Delete quarantined records. No retry loads them any more, and the tables stay as they are.
    Drop {
        #[command(flatten)]
        chosen: Chosen,
        /// Do it; without this, only show what would be dropped.
        #[arg(long)]
        yes: bool,
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

impl QuarantineCommand {
    /// Whether there is nothing but output.
    pub(super) fn shows_only(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Show { .. } | Self::Drop { yes: false, .. })
    }
}

/// Which records.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    #[command(flatten)]
    destination: DestinationArgument,
    /// Only those of this table.
    #[arg(long)]
    table: Option<TableName>,
    /// Only those that this run received.
    #[arg(long)]
    run: Option<RunId>,
}

/// Runs the command.
pub(super) async fn quarantine(command: QuarantineCommand, context: &RunContext) -> ExitCode {
    let done = match command {
        QuarantineCommand::List { chosen } => list(&chosen, context).await,
        QuarantineCommand::Show { chosen, json } => show(&chosen, json, context).await,
        QuarantineCommand::Drop { chosen, yes: true } => drop_chosen(&chosen, context).await,
        QuarantineCommand::Drop { chosen, yes: false } => show_droppable(&chosen, context).await,
        QuarantineCommand::Retry { file, json, settings, memory, wait, run_id } => {
            let arguments = PlanArguments::with(settings, memory, wait);
            let definition =
                match Definition::load(&file, &arguments.settings, &context.environment) {
                    Ok(definition) => definition,
                    Err(error) => return fail(&error.into()),
                };
            let name = definition.pipeline.name.clone();
            let retried = retry(definition, &arguments, run_id, context).await;
            return run::show(retried, &name, json).err().unwrap_or(ExitCode::Done);
        }
    };
    done.err().map_or(ExitCode::Done, |error| fail(&error))
}

async fn retry(
    definition: Definition,
    arguments: &PlanArguments,
    run_id: Option<RunId>,
    context: &RunContext,
) -> Result<RunReport, FailedRun> {
    let (context, last) = run::with_reporters(context, &definition.pipeline.name);
    let plan = run::planned(definition.pipeline, arguments, run_id, &context).await?;
    let retried = crate::run::retry(&plan, &context).await;
    retried.map_err(|error| last.failed(error, &plan, &context))
}

impl Chosen {
    /// Opens the chosen files of one snapshot. A run may have replaced some of them meanwhile; then it opens those of the
    /// next one. Only the compressed files are held.
    async fn open(&self, context: &RunContext) -> Result<Vec<ReadableLines>, Error> {
        let destination = self.destination.open(context).await?;
        let tables = table::open(&destination);
        let mut snapshot = tables.snapshot().await.map_err(RunError::from)?;
        for _ in 1..MOST_LOOKS {
            let opened = self.open_files(&destination, &snapshot).await;
            let Err(QuarantineError::Missing { .. }) = opened else {
                return Ok(opened.map_err(RunError::from)?);
            };
            let now = tables.snapshot().await.map_err(RunError::from)?;
            if now.sequence() == snapshot.sequence() {
                return Ok(opened.map_err(RunError::from)?);
            }
            snapshot = now;
        }
        Ok(self.open_files(&destination, &snapshot).await.map_err(RunError::from)?)
    }

    async fn open_files(
        &self,
        destination: &Destination,
        snapshot: &Snapshot,
    ) -> Result<Vec<ReadableLines>, QuarantineError> {
        let mut files = Vec::new();
        for (table, manifest) in &snapshot.manifests {
            if self.table.as_ref().is_some_and(|chosen| chosen != table) {
                continue;
            }
            for file in &manifest.quarantine {
                files.push(read_what_is_left(destination, file).await?);
            }
        }
        Ok(files)
    }

    /// Takes each chosen record that can be read. What is left of damaged files is taken, and their damage ends the
    /// command.
    async fn read(
        &self,
        context: &RunContext,
        mut take: impl FnMut(QuarantineLine) -> Result<(), Error>,
    ) -> Result<Option<QuarantineError>, Error> {
        let mut first_damage = None;
        for mut file in self.open(context).await? {
            for line in file.by_ref() {
                if self.run.as_ref().is_none_or(|run| *run == line.run_id) {
                    take(line)?;
                }
            }
            first_damage = first_damage.or(file.damage);
        }
        Ok(first_damage)
    }
}

/// Ends the command with the damage of a file, if there is any.
fn end_with(damage: Option<QuarantineError>) -> Result<(), Error> {
    damage.map_or(Ok(()), |damage| Err(RunError::from(damage).into()))
}

/// How many records wait.
#[derive(Default)]
struct WaitingCount {
    /// Those that are in no table.
    records: u64,
    /// Those that are in their table without some of their values.
    only_values: u64,
}

impl WaitingCount {
    fn count(&mut self, row_kept: bool) {
        let counter = if row_kept { &mut self.only_values } else { &mut self.records };
        *counter += 1;
    }
}

async fn list(chosen: &Chosen, context: &RunContext) -> Result<(), Error> {
    let mut counts: BTreeMap<(TableName, RunId), WaitingCount> = BTreeMap::new();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let damage = chosen.read(context, |line| {
        for finding in &line.reasons {
            match reasons.get_mut(&finding.message) {
                Some(count) => *count += 1,
                None => drop(reasons.insert(finding.message.clone(), 1)),
            }
        }
        let row_kept = line.row_kept;
        counts.entry((line.table, line.run_id)).or_default().count(row_kept);
        Ok(())
    });
    let damage = damage.await?;
    if counts.is_empty() {
        screen::print("no records are in quarantine");
        return end_with(damage);
    }
    let mut rows = Listing::new(vec!["table", "run", "records", "only values"], 2..4);
    for ((name, run), waiting) in &counts {
        let (records, values) = (waiting.records.to_string(), waiting.only_values.to_string());
        rows.add(vec![name.to_string(), run.to_string(), records, values]);
    }
    screen::print_lines(rows.lines());
    screen::print("");
    let mut reasons: Vec<(String, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons {
        screen::print(format!("{count} × {reason}"));
    }
    end_with(damage)
}

async fn show(chosen: &Chosen, json: bool, context: &RunContext) -> Result<(), Error> {
    let damage = chosen.read(context, |line| {
        if json {
            return screen::print_json(&line);
        }
        screen::print_lines(shown(&line));
        Ok(())
    });
    end_with(damage.await?)
}

async fn show_droppable(chosen: &Chosen, context: &RunContext) -> Result<(), Error> {
    let listed = list(chosen, context).await;
    screen::print_lines(["", "nothing was dropped: `--yes` drops what is shown"]);
    listed
}

async fn drop_chosen(chosen: &Chosen, context: &RunContext) -> Result<(), Error> {
    let destination = chosen.destination.open(context).await?;
    let (table, run) = (chosen.table.as_ref(), chosen.run.as_ref());
    let dropped = drop_quarantined(&destination, table, run, context.clock.now()).await?;
    if dropped.is_empty() {
        screen::print("no such records are in quarantine");
    }
    for DroppedRecords { table, dropped, left } in dropped {
        screen::print(format!("{table}: dropped {dropped}, {left} still waiting"));
    }
    Ok(())
}

/// A record for people: where it came from, what is wrong with it, and its JSON.
fn shown(line: &QuarantineLine) -> Vec<String> {
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
    lines.push(format!("  {}", beginning(line.received(), SHOWN_OF_A_RECORD)));
    lines.push(String::new());
    lines
}

/// The first characters of compact JSON, which has no control characters.
fn beginning(json: &str, characters: usize) -> String {
    let mut shown: String = json.chars().take(characters).collect();
    if shown.len() < json.len() {
        shown.push('…');
    }
    shown
}
