//! `flowlake watermark`

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};

use super::destination;
use super::listing::Listing;
use super::planning::instant;
use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::definition::{Definition, Pipeline, WriteDisposition};
use crate::exit_code::ExitCode;
use crate::plan::PlanError;
use crate::run::{RunContext, RunError, set_watermark};
use crate::schema::{LoadedTime, TableName};
use crate::store::Destination;
use crate::table;

/// What to do with watermarks.
#[derive(Debug, Subcommand)]
pub(super) enum WatermarkCommand {
    /// Show from when until when each table is loaded.
    Show {
        #[command(flatten)]
        chosen: ChosenTables,
    },
    /// Set where the next window begins.
    Set {
        #[command(flatten)]
        chosen: ChosenTables,
        /// A date or a timestamp, not in the future.
        #[arg(value_name = "INSTANT", value_parser = instant)]
        at: DateTime<Utc>,
    },
    /// Forget it: a run of these tables begins at `window.start` of the definition.
    Reset {
        #[command(flatten)]
        chosen: ChosenTables,
    },
}

/// The tables of a definition.
#[derive(Debug, Args)]
pub(super) struct ChosenTables {
    /// The definition.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only this table; may be given more than once.
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<TableName>,
}

impl WatermarkCommand {
    /// Whether there is nothing but output.
    pub(super) fn shows_only(&self) -> bool {
        matches!(self, Self::Show { .. })
    }
}

/// Runs the command.
pub(super) async fn watermark(command: WatermarkCommand, context: &RunContext) -> ExitCode {
    let done = match command {
        WatermarkCommand::Show { chosen } => show(&chosen, context).await,
        WatermarkCommand::Set { chosen, at } => set(&chosen, Some(at), context).await,
        WatermarkCommand::Reset { chosen } => set(&chosen, None, context).await,
    };
    done.err().map_or(ExitCode::Done, |error| fail(&error))
}

async fn open(file: &Path, context: &RunContext) -> Result<(Pipeline, Destination), Error> {
    let pipeline = Definition::load(file, &[], &context.environment)?.pipeline;
    let url = crate::plan::destination_at(&pipeline, context.clock.now())?;
    let destination = destination::open_lake(&url, pipeline.shared_as(), context).await?;
    Ok((pipeline, destination))
}

async fn show(chosen: &ChosenTables, context: &RunContext) -> Result<(), Error> {
    let (pipeline, destination) = open(&chosen.file, context).await?;
    let snapshot = table::open(&destination).snapshot_without_manifests().await;
    let snapshot = snapshot.map_err(RunError::from)?;
    let mut rows = Listing::new(vec!["table", "loaded from", "watermark", "pipeline"], 0..0);
    for (name, entry) in snapshot.tables() {
        let declared = pipeline.root_tables().any(|table| table.name == *name);
        if !declared || !(chosen.tables.is_empty() || chosen.tables.contains(name)) {
            continue;
        }
        let loaded = entry.loaded.as_ref();
        let text = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        let (from, watermark) = (loaded.map(ranges), loaded.map(|it| instant_text(it.watermark)));
        rows.add(vec![name.to_string(), text(from), text(watermark), entry.pipeline.clone()]);
    }
    screen::print_lines(rows.lines());
    Ok(())
}

async fn set(
    chosen: &ChosenTables,
    at: Option<DateTime<Utc>>,
    context: &RunContext,
) -> Result<(), Error> {
    let now = context.clock.now();
    if let Some(at) = at.filter(|at| *at > now) {
        return Err(PlanError::Future { option: "the watermark", at, now }.into());
    }
    let (pipeline, destination) = open(&chosen.file, context).await?;
    if let Some(unknown) =
        chosen.tables.iter().find(|table| !pipeline.root_tables().any(|it| it.name == **table))
    {
        return Err(PlanError::UnknownTable(unknown.clone()).into());
    }
    let moved = set_watermark(&destination, &pipeline, &chosen.tables, at, now).await?;
    for (table, before) in &moved {
        let text = |at: Option<DateTime<Utc>>| at.map_or("none".to_owned(), instant_text);
        screen::print(format!("{table}: {} -> {}", text(*before), text(at)));
    }
    let goes_back =
        |before: &Option<DateTime<Utc>>| before.is_some_and(|it| at.is_none_or(|at| at < it));
    let appended = pipeline.root_tables().find(|table| {
        table.write_disposition == WriteDisposition::Append
            && moved.iter().any(|(name, before)| *name == table.name && goes_back(before))
    });
    if let Some(table) = appended {
        let name = &table.name;
        screen::print(format!(
            "{name} is appended to: the next run loads the records in between a second time"
        ));
    }
    Ok(())
}

/// From when on a table is loaded, and what it has before that.
fn ranges(loaded: &LoadedTime) -> String {
    let from = instant_text(loaded.from);
    if loaded.earlier.is_empty() {
        return from;
    }
    let earlier: Vec<String> = loaded.earlier.iter().map(ToString::to_string).collect();
    format!("{from}, before that {}", earlier.join(", "))
}

fn instant_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
