//! The destination that a command is about: that of a definition, or one that is named.

use std::path::Path;

use chrono::Utc;
use clap::Args;

use crate::cli::error::Error;
use crate::definition::{Definition, DestinationUrl, Environment};
use crate::plan::{PlanError, destination_at};
use crate::run::RunError;
use crate::store::Destination;

/// Where.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// A definition, or the URL of a destination.
    #[arg(value_name = "FILE|DESTINATION")]
    place: String,
}

impl Place {
    /// The destination, if it is there.
    pub(super) fn open(&self, environment: &Environment) -> Result<Option<Destination>, Error> {
        let url = self.url(environment)?;
        Ok(Destination::open_existing(&url).map_err(RunError::from)?)
    }

    fn url(&self, environment: &Environment) -> Result<DestinationUrl, Error> {
        let file = Path::new(&self.place);
        if file.is_file() || file.extension().is_some_and(|extension| extension == "toml") {
            let definition = Definition::load(file, &[], environment)?;
            return Ok(destination_at(&definition.pipeline, Utc::now())?);
        }
        Ok(self.place.parse().map_err(PlanError::from)?)
    }

    /// As it was named.
    pub(super) fn shown(&self) -> &str {
        &self.place
    }
}
