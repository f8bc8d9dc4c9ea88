//! The destination that a command is about: that of a definition, or one given by its URL.

use std::path::Path;

use clap::Args;

use crate::cli::error::Error;
use crate::definition::{Definition, DestinationUrl};
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

/// The positional argument of commands that work on a destination.
#[derive(Debug, Args)]
pub(super) struct DestinationArgument {
    /// A definition, or the URL of a destination.
    #[arg(value_name = "FILE|DESTINATION")]
    destination: String,
}

impl DestinationArgument {
    /// Opens the destination, where there is one.
    pub(super) async fn open(&self, context: &RunContext) -> Result<Destination, Error> {
        let file = Path::new(&self.destination);
        if file.is_file() || file.extension().is_some_and(|extension| extension == "toml") {
            let definition = Definition::load(file, &[], &context.environment)?;
            let url = destination_at(&definition.pipeline, context.clock.now())?;
            return open_lake(&url, definition.pipeline.shared_as(), context).await;
        }
        let url: DestinationUrl = self.destination.parse().map_err(PlanError::from)?;
        open_lake(&url, None, context).await
    }

    /// As the user typed it.
    pub(super) fn shown(&self) -> &str {
        &self.destination
    }
}
