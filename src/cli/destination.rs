//! The destination that a command is about: that of a definition, or one given by its URL.

use std::path::Path;

use clap::Args;

use crate::cli::error::Error;
use crate::definition::{Definition, DestinationUrl, Pipeline};
use crate::plan::{PlanError, destination_at};
use crate::run::{RunContext, RunError};
use crate::store::Destination;

/// Opens a destination that a run has written to.
pub(super) async fn open_lake(
    url: &DestinationUrl,
    shared_as: Option<&str>,
    context: &RunContext,
) -> Result<Destination, Error> {
    let opened = context.destinations.open_lake(url, shared_as).await.map_err(RunError::from)?;
    opened.ok_or_else(|| Error::NoLake { url: url.to_string() })
}

/// Opens the destination of a pipeline that has run.
pub(super) async fn open_lake_of(
    pipeline: &Pipeline,
    context: &RunContext,
) -> Result<Destination, Error> {
    let url = destination_at(pipeline, context.clock.now())?;
    open_lake(&url, pipeline.shared_as(), context).await
}

/// The positional argument of commands that work on a destination.
#[derive(Debug, Args)]
pub(super) struct DestinationArgument {
    /// A definition, or the URL of a destination.
    #[arg(value_name = "FILE|DESTINATION")]
    destination: String,
}

impl DestinationArgument {
    /// The pipeline of the definition; none of a URL.
    pub(super) fn pipeline(&self, context: &RunContext) -> Result<Option<Pipeline>, Error> {
        let file = Path::new(&self.destination);
        let is_definition =
            file.is_file() || file.extension().is_some_and(|extension| extension == "toml");
        if !is_definition {
            return Ok(None);
        }
        Ok(Some(Definition::load(file, &[], &context.environment)?.pipeline))
    }

    /// Opens the destination, where there is one.
    pub(super) async fn open(&self, context: &RunContext) -> Result<Destination, Error> {
        if let Some(pipeline) = self.pipeline(context)? {
            return open_lake_of(&pipeline, context).await;
        }
        let url: DestinationUrl = self.destination.parse().map_err(PlanError::from)?;
        open_lake(&url, None, context).await
    }

    /// As the user typed it.
    pub(super) fn shown(&self) -> &str {
        &self.destination
    }
}
