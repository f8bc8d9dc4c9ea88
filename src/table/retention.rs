//! Retention: deletes staged files that no run needs any more.

use chrono::{DateTime, TimeDelta, Utc};

use super::{CommitError, layout};
use crate::schema::RunId;
use crate::store::{Destination, ListedFile};

/// Staged files without an intent are kept this long, since their run may still be at work.
const STAGING_RETENTION: TimeDelta = TimeDelta::days(1);

/// Deletes the staged files of runs that ended long ago.
///
/// # Errors
/// The destination fails.
pub async fn sweep_staging(
    destination: &Destination,
    now: DateTime<Utc>,
) -> Result<(), CommitError> {
    let staged = destination.list(&layout::staging()).await?;
    for listed in staged.iter().filter(|listed| is_abandoned(listed, now)) {
        destination.delete(&listed.path).await?;
    }
    Ok(())
}

fn is_abandoned(staged: &ListedFile, now: DateTime<Utc>) -> bool {
    now - staged.modified > STAGING_RETENTION
}

/// Deletes the staged files of a run that commits nothing.
///
/// # Errors
/// The destination fails; a later run deletes the files.
pub async fn discard_staged(destination: &Destination, run_id: &RunId) -> Result<(), CommitError> {
    for listed in destination.list(&Destination::staging(run_id)).await? {
        destination.delete(&listed.path).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    #[test]
    fn staged_files_are_abandoned_after_a_day() {
        let now = Utc::now();
        for (age, expected) in [
            (TimeDelta::zero(), false),
            (TimeDelta::hours(24), false),
            (TimeDelta::hours(24) + TimeDelta::seconds(1), true),
            // The clocks of store and machine may differ.
            (-TimeDelta::hours(1), false),
        ] {
            let listed = ListedFile { path: Path::from("f"), bytes: 1, modified: now - age };
            assert_eq!(is_abandoned(&listed, now), expected, "{age}");
        }
    }

    #[tokio::test]
    async fn sweeping_deletes_staged_files_only_and_discarding_those_of_one_run() {
        let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
        let [first, second] = ["first", "second"].map(|run| run.parse::<RunId>().unwrap());
        let target = Path::from("t/0000-first.parquet");
        let data = [Destination::staged(&first, &target), Destination::staged(&second, &target)];
        for path in data.iter().chain([&target, &layout::snapshot()]) {
            destination.put(path, "x".into()).await.unwrap();
        }
        sweep_staging(&destination, Utc::now()).await.unwrap();
        discard_staged(&destination, &first).await.unwrap();
        assert_eq!(destination.size(&data[0]).await.unwrap(), None);
        assert_eq!(destination.size(&data[1]).await.unwrap(), Some(1));
        sweep_staging(&destination, Utc::now() + TimeDelta::days(2)).await.unwrap();
        assert_eq!(destination.size(&data[1]).await.unwrap(), None);
        assert_eq!(destination.size(&target).await.unwrap(), Some(1));
        assert_eq!(destination.size(&layout::snapshot()).await.unwrap(), Some(1));
    }
}
