//! Looks at the destination of a plan: rights, lock, open commit, snapshot, and room on local disk.

use std::path::Path;

use super::look::Look;
use super::machine::room;
use crate::definition::DestinationUrl;
use crate::exit_code::{ExitCode, advice};
use crate::plan::Plan;
use crate::run::{RunContext, RunError, refuse_other_format, refuse_other_slice};
use crate::runtime::on_cpu;
use crate::store::Destination;
use crate::table::lock::{Holder, holder};
use crate::table::{self, CommitError, Snapshot, TableStore};

const DESTINATION: &str = "destination";
const LOCK: &str = "lock";
const TABLES: &str = "tables";
const ROOM: &str = "disk of the destination";

/// What there is to know of the destination of a plan.
pub(super) async fn looks(plan: &Plan, context: &RunContext) -> Vec<Look> {
    let destination = match open(plan, context).await {
        Ok(Opened::Lake(destination)) => destination,
        Ok(Opened::NothingYet(look)) => return vec![look],
        Err(error) => return vec![Look::failed(DESTINATION, &error)],
    };
    let tried = destination.try_out(&plan.run_id).await;
    let is_writable = tried.is_ok();
    let mut looks = vec![match tried {
        Ok(learnt) => {
            Look::ok(DESTINATION, format!("{} can be written: {learnt}", plan.destination))
        }
        Err(error) => Look::failed(DESTINATION, &error),
    }];
    let holder = holder(&destination).await;
    match holder {
        Ok(holder) => looks.push(lock(holder)),
        // The reason that it cannot be written says more.
        Err(_) if !is_writable => {}
        Err(error) => looks.push(Look::failed(LOCK, &error)),
    }
    looks.extend(tables(plan, &table::open(&destination), is_writable).await);
    if let DestinationUrl::Local(directory) = &plan.destination {
        looks.push(room(ROOM, directory, advice::CHECK_DESTINATION));
    }
    looks
}

enum Opened {
    Lake(Destination),
    /// A directory that the first run would make.
    NothingYet(Look),
}

/// Opens the destination as a run does, and makes no directory.
async fn open(plan: &Plan, context: &RunContext) -> Result<Opened, RunError> {
    let (destinations, shared_as) = (&context.destinations, plan.pipeline.shared_as());
    if plan.pipeline.must_exist {
        let opened = destinations.open_lake(&plan.destination, shared_as).await?;
        let none = || RunError::NoLake { url: plan.destination.to_string() };
        return opened.map(Opened::Lake).ok_or_else(none);
    }
    match (destinations.open_existing(&plan.destination, shared_as)?, &plan.destination) {
        (Some(destination), _) => Ok(Opened::Lake(destination)),
        (None, DestinationUrl::Local(directory)) => {
            let directory = directory.clone();
            Ok(Opened::NothingYet(on_cpu(move || missing(&directory)).await))
        }
        (None, DestinationUrl::Bucket(_)) => {
            Ok(Opened::Lake(destinations.open(&plan.destination, shared_as)?))
        }
    }
}

/// Whether a directory that is missing could be made.
fn missing(directory: &Path) -> Look {
    let shown = directory.display();
    let above = directory.ancestors().skip(1);
    let above = above.map(|it| if it.as_os_str().is_empty() { Path::new(".") } else { it });
    let Some(above) = above.into_iter().find(|it| it.symlink_metadata().is_ok()) else {
        return Look::ok(DESTINATION, format!("{shown} is not there yet"));
    };
    match tempfile::tempfile_in(above) {
        Ok(_) => Look::ok(DESTINATION, format!("{shown} is not there yet; the first run makes it")),
        Err(error) => {
            let is_denied = error.kind() == std::io::ErrorKind::PermissionDenied;
            let help = if is_denied { advice::OTHER_USER } else { advice::CHECK_DESTINATION };
            let message =
                format!("cannot make the directory {shown} in {}: {error}", above.display());
            Look::failed_with(DESTINATION, ExitCode::Destination, message, help)
        }
    }
}

/// A lock is no fault: a run may be at work.
fn lock(holder: Option<Holder>) -> Look {
    match holder {
        None => Look::ok(LOCK, "free"),
        Some(holder) if holder.is_gone() => {
            Look::ok(LOCK, format!("left by {holder}, which is gone; the next run takes it over"))
        }
        Some(holder) => Look::warning(
            LOCK,
            format!("held by {holder}"),
            "until it ends, another run exits with 11, or waits with `--wait`; if its machine is gone, `flowlake unlock` \
             says what to do",
        ),
    }
}

/// The state that the next run would start from.
async fn tables(plan: &Plan, tables: &TableStore, is_writable: bool) -> Vec<Look> {
    let read =
        async { Ok((tables.snapshot_and_agreement().await?, tables.unfinished_commit().await?)) };
    let (snapshot, unfinished) = match read.await {
        Ok(read) => read,
        Err(CommitError::Destination(_)) if !is_writable => return Vec::new(),
        Err(error) => return vec![Look::failed(TABLES, &error)],
    };
    let mut looks = Vec::new();
    if let Some(run) = unfinished {
        looks.push(Look::warning(
            "commit",
            format!("that of run {run} is not finished"),
            "the next run finishes it, or `flowlake recover` now",
        ));
    }
    looks.push(match unfit(plan, &snapshot) {
        Some(error) => Look::failed(TABLES, &error),
        None => Look::ok(TABLES, state(&snapshot)),
    });
    looks
}

/// Why the tables are not for this pipeline.
fn unfit(plan: &Plan, snapshot: &Snapshot) -> Option<RunError> {
    if plan.pipeline.needs_lake() && snapshot.is_of_no_commit() {
        return Some(RunError::NoLake { url: plan.destination.to_string() });
    }
    let fits = refuse_other_format(&plan.pipeline, snapshot);
    if let Err(error) = fits.and_then(|()| refuse_other_slice(&plan.pipeline, snapshot)) {
        return Some(error);
    }
    let roots = plan.pipeline.root_tables().map(|table| &table.name);
    let (table, pipeline) = snapshot.table_of_another(&plan.pipeline.name, roots)?;
    Some(RunError::OtherPipeline { table, pipeline })
}

fn state(snapshot: &Snapshot) -> String {
    let Some(run) = snapshot.run_id() else { return "none yet".to_owned() };
    let (commit, tables) = (snapshot.sequence(), snapshot.tables().count());
    let of = if tables == 1 { "table" } else { "tables" };
    format!(
        "{tables} {of}, as commit {commit} of run {run} left them; `flowlake verify` compares their files"
    )
}
