//! A pipeline that is run in this process, with a store and a clock of the test's.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use flowlake::definition::{Definition, Environment, Pipeline};
use flowlake::plan::{Overrides, Plan};
use flowlake::report::RunReport;
use flowlake::run::{Clock, RunContext, RunError, retry_in, run_into};
use flowlake::schema::RunId;
use flowlake::source::api_key::ApiKey;
use flowlake::store::Destination;
use flowlake::table;
use object_store::ObjectStore;

use super::{KEY, Workplace, in_slice_of_test};

/// Nobody listens to the run, and nobody stops it.
fn context() -> RunContext {
    RunContext::new(Environment::default())
}

/// A pipeline and its keys.
pub struct InProcess {
    pub pipeline: Pipeline,
    keys: Vec<ApiKey>,
}

impl InProcess {
    /// The definition of a workplace, asking the source at `base_url` with the right key.
    pub async fn asking(base_url: &str, workplace: &Workplace) -> Self {
        let environment = Environment::default()
            .with("PROCUREMENTFLOW_BASE_URL", base_url)
            .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
            .with("PROCUREMENTFLOW_API_KEY", KEY);
        Self::load(workplace, &environment).await
    }

    pub async fn load(workplace: &Workplace, environment: &Environment) -> Self {
        let file = workplace.path().join("test.toml");
        let pipeline = Definition::load(&file, &[], environment).unwrap().pipeline;
        let keys = ApiKey::find_all(&pipeline.source.api_key, environment).await.unwrap();
        Self { pipeline, keys }
    }

    fn plan(&self, run_id: &str, overrides: &Overrides) -> Plan {
        // Nothing may lie in the future.
        let now = overrides.as_of.or(overrides.to).unwrap_or(DateTime::<Utc>::UNIX_EPOCH);
        self.plan_at(run_id, now, overrides)
    }

    fn plan_at(&self, run_id: &str, now: DateTime<Utc>, overrides: &Overrides) -> Plan {
        let run_id = run_id.parse().unwrap();
        Plan::new(self.pipeline.clone(), run_id, now, None, overrides).unwrap()
    }

    /// Runs it at this time.
    pub async fn run_at(
        &self,
        store: Arc<dyn ObjectStore>,
        run_id: &str,
        now: DateTime<Utc>,
    ) -> Result<RunReport, RunError> {
        let (destination, plan) = (
            in_slice_of_test(Destination::of_store(store, "memory")),
            self.plan_at(run_id, now, &Overrides::default()),
        );
        run_into(&destination, &plan, &self.keys, &context()).await
    }

    /// Runs it at this time, from where its tables are loaded until then.
    pub async fn run_night(
        &self,
        store: Arc<dyn ObjectStore>,
        now: DateTime<Utc>,
    ) -> Result<RunReport, RunError> {
        let destination = in_slice_of_test(Destination::of_store(store, "memory"));
        self.run_night_in(&destination, None, now, &context()).await
    }

    /// The same in any destination, on a machine whose clock shows this time.
    pub async fn run_by_clock(
        &self,
        destination: &Destination,
        run_id: &str,
        now: DateTime<Utc>,
    ) -> Result<RunReport, RunError> {
        let context = RunContext { clock: Clock::fixed(now), ..context() };
        self.run_night_in(destination, Some(run_id), now, &context).await
    }

    async fn run_night_in(
        &self,
        destination: &Destination,
        given: Option<&str>,
        now: DateTime<Utc>,
        context: &RunContext,
    ) -> Result<RunReport, RunError> {
        let snapshot = table::open(destination).snapshot_without_manifests().await?;
        let watermark = snapshot.watermark(&self.pipeline);
        let run_id = given.map_or_else(|| RunId::at(now), |run_id| run_id.parse().unwrap());
        let overrides = Overrides::default();
        let plan = Plan::new(self.pipeline.clone(), run_id, now, watermark, &overrides).unwrap();
        let plan = Plan { id_is_new: given.is_none(), ..plan };
        run_into(destination, &plan, &self.keys, context).await
    }

    /// Takes in again what waits in quarantine.
    pub async fn retry(
        &self,
        store: Arc<dyn ObjectStore>,
        run_id: &str,
    ) -> Result<RunReport, RunError> {
        let plan = self.plan(run_id, &Overrides::default());
        let destination = in_slice_of_test(Destination::of_store(store, "memory"));
        retry_in(&destination, plan, &context()).await
    }

    /// Runs it at the beginning of all time.
    pub async fn run(
        &self,
        store: Arc<dyn ObjectStore>,
        run_id: &str,
        overrides: &Overrides,
    ) -> Result<RunReport, RunError> {
        let destination = in_slice_of_test(Destination::of_store(store, "memory"));
        self.run_in(&destination, run_id, overrides).await
    }

    /// The same in any destination.
    pub async fn run_in(
        &self,
        destination: &Destination,
        run_id: &str,
        overrides: &Overrides,
    ) -> Result<RunReport, RunError> {
        self.run_with(destination, run_id, overrides, &context()).await
    }

    /// The same with reporters and a clock of the test's.
    pub async fn run_with(
        &self,
        destination: &Destination,
        run_id: &str,
        overrides: &Overrides,
        context: &RunContext,
    ) -> Result<RunReport, RunError> {
        let plan = self.plan(run_id, overrides);
        run_into(destination, &plan, &self.keys, context).await
    }
}
