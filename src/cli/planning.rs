//! Planning: the arguments that `run` and `plan` share, and the plan they lead to.

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use clap::Args;

use crate::cli::error::Error;
use crate::definition::{DestinationUrl, Pipeline, Setting, Size, parse_instant};
use crate::plan::{DEFAULT_JOBS, Overrides, Plan, destination_at, only_tables};
use crate::run::{RunContext, RunError, refuse_other_format, refuse_other_slice};
use crate::schema::{RunId, TableName};
use crate::table::{self, Snapshot};

/// The arguments of a run that asks the source for nothing.
#[derive(Debug, Clone, Args)]
pub(super) struct LoadArguments {
    /// Set a key of the definition for this run, as in `tables[0].columns.amount=string`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) settings: Vec<Setting>,
    /// Accept an export that is smaller than the tables or `[limits]` suggest.
    #[arg(long)]
    allow_shrink: bool,
    /// Load the export also when the tables have it already; a table with `append` then has its rows once more.
    #[arg(long)]
    again: bool,
    /// Load only this table and its children; may be given more than once.
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<TableName>,
    /// How much memory the rows of an export may take; more is spilled to local disk [default: 256MiB].
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// Wait while another run holds the destination, instead of exiting with 11.
    #[arg(long)]
    wait: bool,
}

/// The arguments that decide a plan.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct PlanArguments {
    /// Where the window begins, instead of at the watermark: a date or a timestamp.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// Where the window ends, instead of now.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    to: Option<DateTime<Utc>>,
    /// The time that windows and templates take as now.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    as_of: Option<DateTime<Utc>>,
    /// Set a key of the definition for this run, as in `source.filters.status=approved`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) settings: Vec<Setting>,
    /// Accept an export that is smaller than the tables or `[limits]` suggest.
    #[arg(long)]
    allow_shrink: bool,
    /// Write tables that another pipeline wrote until now.
    #[arg(long)]
    take_over: bool,
    /// Load the export also when the tables have it already, such as after files were lost.
    #[arg(long)]
    again: bool,
    /// Load only this table and its children; may be given more than once.
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<TableName>,
    /// How many pieces of a window to request at once.
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_JOBS, value_parser = count)]
    jobs: NonZeroUsize,
    /// How much memory the rows of an export may take; more is spilled to local disk [default: 256MiB].
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// Wait while another run holds the destination, instead of exiting with 11.
    #[arg(long)]
    pub(super) wait: bool,
}

impl Default for PlanArguments {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            as_of: None,
            settings: Vec::new(),
            allow_shrink: false,
            take_over: false,
            again: false,
            tables: Vec::new(),
            jobs: DEFAULT_JOBS,
            memory: None,
            wait: false,
        }
    }
}

/// A plan, and the state of its destination.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) snapshot: Snapshot,
}

impl PlanArguments {
    /// Defaults for everything else.
    pub(super) fn with(settings: Vec<Setting>, memory: Option<Size>, wait: bool) -> Self {
        Self { settings, memory, wait, ..Self::default() }
    }

    /// Those of a run that asks the source for nothing.
    pub(super) fn of_load(load: LoadArguments) -> Self {
        let LoadArguments { settings, allow_shrink, again, tables, memory, wait } = load;
        Self { settings, allow_shrink, again, tables, memory, wait, ..Self::default() }
    }

    /// What the run takes as now.
    pub(super) fn present(&self, context: &RunContext) -> DateTime<Utc> {
        self.as_of.unwrap_or_else(|| context.clock.now())
    }

    /// Plans a run that begins now. Reads the destination only if the plan depends on it.
    pub(super) async fn plan(
        &self,
        pipeline: Pipeline,
        run_id: Option<RunId>,
        context: &RunContext,
    ) -> Result<Plan, Error> {
        let depends_on = if pipeline.source.window.is_some() {
            DependsOn::Watermarks
        } else {
            DependsOn::Nothing
        };
        Ok(self.plan_with(pipeline, run_id, depends_on, context).await?.plan)
    }

    /// Plans a run that begins now, and reads the destination.
    pub(super) async fn plan_and_look(
        &self,
        pipeline: Pipeline,
        context: &RunContext,
    ) -> Result<Planned, Error> {
        let planned = self.plan_with(pipeline, None, DependsOn::Tables, context).await?;
        if planned.plan.pipeline.needs_lake() && planned.snapshot.is_of_no_commit() {
            let url = planned.plan.destination.to_string();
            return Err(RunError::NoLake { url }.into());
        }
        refuse_other_format(&planned.plan.pipeline, &planned.snapshot)?;
        refuse_other_slice(&planned.plan.pipeline, &planned.snapshot)?;
        Ok(planned)
    }

    async fn plan_with(
        &self,
        pipeline: Pipeline,
        run_id: Option<RunId>,
        depends_on: DependsOn,
        context: &RunContext,
    ) -> Result<Planned, Error> {
        let now = context.clock.now();
        let overrides = Overrides {
            as_of: self.as_of,
            from: self.from,
            to: self.to,
            allow_shrink: self.allow_shrink,
            take_over: self.take_over,
            again: self.again,
            jobs: Some(self.jobs),
            memory: self.memory.map(Size::bytes),
            waits: self.wait,
        };
        let pipeline = only_tables(pipeline, &self.tables)?;
        let url = destination_at(&pipeline, self.as_of.unwrap_or(now))?;
        let snapshot = peek(&url, pipeline.shared_as(), depends_on, context).await?;
        let id_is_new = run_id.is_none();
        let run_id = run_id.unwrap_or_else(|| RunId::at(now));
        let watermark = snapshot.watermark(&pipeline);
        let plan = Plan::new(pipeline, run_id, now, watermark, &overrides)?;
        let plan = Plan { id_is_new, ..plan };
        Ok(Planned { plan, snapshot })
    }
}

/// What of the destination a plan depends on.
#[derive(Debug, Clone, Copy)]
enum DependsOn {
    Nothing,
    /// What is requested follows from the watermarks.
    Watermarks,
    Tables,
}

async fn peek(
    url: &DestinationUrl,
    shared_as: Option<&str>,
    depends_on: DependsOn,
    context: &RunContext,
) -> Result<Snapshot, RunError> {
    let Some(destination) = context.destinations.open_existing(url, shared_as)? else {
        return Ok(Snapshot::default());
    };
    let tables = table::open(&destination);
    Ok(match depends_on {
        DependsOn::Nothing => Snapshot::default(),
        DependsOn::Watermarks => tables.snapshot_without_manifests().await?,
        DependsOn::Tables => tables.snapshot_and_agreement().await?,
    })
}

pub(super) fn count(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "write a number from 1 on, like 3")
}

pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    parse_instant(text).ok_or_else(|| "write `2024-01-01` or `2024-01-01T06:00:00Z`".to_owned())
}
