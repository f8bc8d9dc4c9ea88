//! What `run` and `plan` have in common: the arguments that decide a plan, and making it.

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use clap::Args;

use crate::cli::error::Error;
use crate::definition::{DestinationUrl, Pipeline, Setting, Size, parse_instant};
use crate::plan::{DEFAULT_JOBS, DEFAULT_MEMORY, Overrides, Plan, destination_at};
use crate::run::RunError;
use crate::schema::RunId;
use crate::store::Destination;
use crate::table::Snapshot;

/// What is said on the command line about what to run.
#[derive(Debug, Clone, Args)]
pub(super) struct PlanArguments {
    /// Where the window begins, instead of at the watermark: a date or a timestamp.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// Where the window ends, instead of now.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    to: Option<DateTime<Utc>>,
    /// What to go by as the present, in windows and templates.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    as_of: Option<DateTime<Utc>>,
    /// Set a key of the definition for this run, as in `source.filters.status=approved`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) settings: Vec<Setting>,
    /// Take an export that is smaller than the tables or `[limits]` let expect.
    #[arg(long)]
    allow_shrink: bool,
    /// How many pieces of a window are asked for at once.
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_JOBS)]
    jobs: NonZeroUsize,
    /// How much memory the rows of an export may take; beyond it they go to local disk for a while.
    #[arg(long, value_name = "SIZE", default_value_t = DEFAULT_MEMORY)]
    memory: Size,
    /// Wait while another run holds the destination, instead of ending with exit 11.
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
            jobs: DEFAULT_JOBS,
            memory: DEFAULT_MEMORY,
            wait: false,
        }
    }
}

/// What a run does, and what it finds in its destination.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) snapshot: Snapshot,
}

impl PlanArguments {
    /// Nothing is said but this.
    pub(super) fn with(settings: Vec<Setting>, memory: Size, wait: bool) -> Self {
        Self { settings, memory, wait, ..Self::default() }
    }

    /// Plans a run that begins now. Reads the destination only if the plan depends on it.
    pub(super) async fn plan(
        &self,
        pipeline: Pipeline,
        run_id: Option<RunId>,
    ) -> Result<Plan, Error> {
        let depends = pipeline.source.window.is_some();
        Ok(self.plan_with(pipeline, run_id, depends).await?.plan)
    }

    /// The same, with what there is in the destination.
    pub(super) async fn plan_and_look(&self, pipeline: Pipeline) -> Result<Planned, Error> {
        self.plan_with(pipeline, None, true).await
    }

    async fn plan_with(
        &self,
        pipeline: Pipeline,
        run_id: Option<RunId>,
        look: bool,
    ) -> Result<Planned, Error> {
        let now = Utc::now();
        let overrides = Overrides {
            as_of: self.as_of,
            from: self.from,
            to: self.to,
            allow_shrink: self.allow_shrink,
            jobs: Some(self.jobs),
            memory: Some(self.memory.bytes()),
            waits: self.wait,
        };
        let url = destination_at(&pipeline, self.as_of.unwrap_or(now))?;
        let snapshot = if look { peek(&url).await? } else { Snapshot::default() };
        let run_id = run_id.unwrap_or_else(|| RunId::at(now));
        let plan = Plan::new(pipeline, run_id, now, snapshot.watermark(), &overrides)?;
        Ok(Planned { plan, snapshot })
    }
}

async fn peek(url: &DestinationUrl) -> Result<Snapshot, RunError> {
    match Destination::open_existing(url)? {
        Some(destination) => Ok(Snapshot::peek(&destination).await?),
        None => Ok(Snapshot::default()),
    }
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    parse_instant(text).ok_or_else(|| "write `2024-01-01` or `2024-01-01T06:00:00Z`".to_owned())
}
