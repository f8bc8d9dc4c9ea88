//! `flowlake unlock`

use std::io::Write;

use super::fail;
use super::place::Place;
use crate::cli::error::Error;
use crate::definition::Environment;
use crate::exit_code::ExitCode;
use crate::run::RunError;
use crate::table::lock::{LockError, break_lock, holder};

/// Frees a destination from a run that is gone, or from any with `force`; says whose lock it was.
pub(super) async fn unlock(place: &Place, force: bool, environment: &Environment) -> ExitCode {
    match free(place, force, environment).await {
        Ok(text) => match writeln!(std::io::stdout(), "{text}") {
            Ok(()) => ExitCode::Done,
            Err(error) => fail(&error.into()),
        },
        Err(error) => fail(&error),
    }
}

async fn free(place: &Place, force: bool, environment: &Environment) -> Result<String, Error> {
    let free = || format!("{}: no run holds it", place.shown());
    let Some(destination) = place.open(environment)? else { return Ok(free()) };
    let Some(owner) = holder(&destination).await.map_err(RunError::from)? else {
        return Ok(free());
    };
    if !(force || owner.is_gone()) {
        return Err(RunError::Lock(LockError::Held { owner: Box::new(owner) }).into());
    }
    break_lock(&destination).await.map_err(RunError::from)?;
    Ok(format!("{}: free; it was held by {owner}", place.shown()))
}
