//! `flowlake verify`

use indicatif::{HumanBytes, HumanCount};

use super::destination::DestinationArgument;
use super::screen;
use super::summary::{self, fail};
use crate::cli::error::Error;
use crate::exit_code::ExitCode;
use crate::run::RunContext;
use crate::table;
use crate::table::verify::{Finding, Verification, VerifyDepth};

/// The options of `flowlake verify`.
pub(super) struct VerifyOptions {
    pub(super) quick: bool,
    pub(super) repair: bool,
    /// Make lost manifests again: only show them, or write them too.
    pub(super) rebuild: Option<bool>,
    pub(super) json: bool,
}

/// Verifies a destination, and repairs it on request. Exits 7 when a table is damaged, 3 when there are other findings.
pub(super) async fn run(
    destination: &DestinationArgument,
    options: &VerifyOptions,
    context: &RunContext,
) -> ExitCode {
    match verify_and_show(destination, options, context).await {
        Err(error) => fail(&error),
        Ok(found) if found.findings.iter().any(|finding| finding.kind.is_damage()) => {
            ExitCode::Destination
        }
        Ok(found) if !found.findings.is_empty() => ExitCode::Partial,
        Ok(_) => ExitCode::Done,
    }
}

async fn verify_and_show(
    argument: &DestinationArgument,
    options: &VerifyOptions,
    context: &RunContext,
) -> Result<Verification, Error> {
    let depth = if options.quick { VerifyDepth::Sizes } else { VerifyDepth::Contents };
    let tables = table::open(&argument.open(context).await?);
    let rebuilt = match options.rebuild {
        Some(write) => Some(tables.rebuild(write).await?),
        None => None,
    };
    let found =
        if options.repair { tables.repair(depth).await? } else { tables.verify(depth).await? };
    if let Some(shown) = rebuilt {
        for table in shown {
            screen::print_block(table);
        }
    }
    if options.json {
        screen::print_json(&found)?;
        return Ok(found);
    }
    for finding in &found.findings {
        screen::print(finding);
    }
    let summary = match found.findings.len() {
        0 => "matches its manifests".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    };
    let (tables, files) = (HumanCount(found.tables), HumanCount(found.files));
    let (rows, bytes) = (HumanCount(found.rows), HumanBytes(found.bytes));
    let shown = argument.shown();
    screen::print(format!(
        "{shown}: {summary} ({tables} tables, {files} files, {rows} rows, {bytes})"
    ));
    if !found.not_looked_at.is_empty() {
        let areas = found.not_looked_at.join(", ");
        screen::print(format!("not looked at, since this user may not read it: {areas}"));
    }
    let helps: Vec<&str> = found.findings.iter().filter_map(Finding::help).collect();
    summary::help(helps);
    Ok(found)
}
