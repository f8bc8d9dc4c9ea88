//! Open destinations: each is reached by one client, whose connections a plan and its run share.

use std::sync::{Arc, Mutex, PoisonError};

use super::destination::Destination;
use super::error::DestinationError;
use super::url::DestinationUrl;

/// The destinations that were opened so far.
#[derive(Debug, Clone, Default)]
pub struct OpenDestinations(Arc<Mutex<Vec<(DestinationUrl, Destination)>>>);

impl OpenDestinations {
    /// As [`Destination::open`]; `shared_as` names the pipeline where several share the destination.
    ///
    /// # Errors
    /// The destination cannot be opened.
    pub fn open(
        &self,
        url: &DestinationUrl,
        shared_as: Option<&str>,
    ) -> Result<Destination, DestinationError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, destination)) =
            open.iter().find(|(opened, it)| opened == url && it.pipeline.as_deref() == shared_as)
        {
            return Ok(destination.clone());
        }
        let opened = Destination::open(url)?;
        let destination = match shared_as {
            Some(pipeline) => opened.shared_by(pipeline),
            None => opened,
        };
        open.push((url.clone(), destination.clone()));
        Ok(destination)
    }

    /// The same for reading; `None` when there is no such directory.
    ///
    /// # Errors
    /// The destination cannot be opened.
    pub fn open_existing(
        &self,
        url: &DestinationUrl,
        shared_as: Option<&str>,
    ) -> Result<Option<Destination>, DestinationError> {
        match url {
            // What this user may not look at is there.
            DestinationUrl::Local(directory) if directory.try_exists().is_ok_and(|it| !it) => {
                Ok(None)
            }
            _ => self.open(url, shared_as).map(Some),
        }
    }

    /// The same, if a run has written to it: a wrong path, or a directory whose disk is not mounted, is no lake.
    ///
    /// # Errors
    /// The destination cannot be opened or listed.
    pub async fn open_lake(
        &self,
        url: &DestinationUrl,
        shared_as: Option<&str>,
    ) -> Result<Option<Destination>, DestinationError> {
        match self.open_existing(url, shared_as)? {
            Some(destination) if destination.has_own_files().await? => Ok(Some(destination)),
            _ => Ok(None),
        }
    }
}
