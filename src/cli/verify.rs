//! `flowlake verify`

use std::io::Write;

use indicatif::{HumanBytes, HumanCount};

use super::fail;
use super::place::Place;
use crate::cli::error::Error;
use crate::definition::Environment;
use crate::exit_code::ExitCode;
use crate::table;
use crate::table::verify::{Verification, VerifyDepth};

/// How to verify.
pub(super) struct Options {
    pub(super) quick: bool,
    pub(super) repair: bool,
    pub(super) json: bool,
}

/// Verifies a destination, and mends it where that is wanted; exits 7 when a table is damaged, 3 when something else is
/// to be looked at.
pub(super) async fn run(place: &Place, options: &Options, environment: &Environment) -> ExitCode {
    match look(place, options, environment).await {
        Err(error) => fail(&error),
        Ok(found) if found.findings.iter().any(|finding| finding.kind.is_damage()) => {
            ExitCode::Destination
        }
        Ok(found) if !found.findings.is_empty() => ExitCode::Partial,
        Ok(_) => ExitCode::Done,
    }
}

async fn look(
    place: &Place,
    options: &Options,
    environment: &Environment,
) -> Result<Verification, Error> {
    let depth = if options.quick { VerifyDepth::Sizes } else { VerifyDepth::Contents };
    let found = match place.open(environment)? {
        None => Verification::default(),
        Some(destination) if options.repair => table::open(&destination).repair(depth).await?,
        Some(destination) => table::open(&destination).verify(depth).await?,
    };
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
        return Ok(found);
    }
    for finding in &found.findings {
        writeln!(out, "{finding}")?;
    }
    let retryable = match found.findings.len() {
        0 => "as its manifests say".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    };
    let (tables, files) = (HumanCount(found.tables), HumanCount(found.files));
    let (rows, bytes) = (HumanCount(found.rows), HumanBytes(found.bytes));
    let place = place.shown();
    writeln!(out, "{place}: {retryable} ({tables} tables, {files} files, {rows} rows, {bytes})")?;
    Ok(found)
}
