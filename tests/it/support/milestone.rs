//! How far a run has come, seen from outside. Tests wait for a milestone instead of a time, so a busy machine does not
//! change what they test.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use super::{Source, own_directory};

/// A wait that lasts longer than this is a hang.
const HANG: Duration = Duration::from_mins(2);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_micros(200);

/// What a run has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// Its process was started.
    Started,
    /// It has sent a request to the source.
    Asked,
    /// It has files in staging.
    Staged,
    /// It has created its intent.
    Promised,
    /// It has closed its commit.
    Closed,
    /// Its process has ended.
    Ended,
}

impl Milestone {
    pub const ALL: [Self; 6] =
        [Self::Started, Self::Asked, Self::Staged, Self::Promised, Self::Closed, Self::Ended];
}

/// What the milestones of the next run are measured against.
pub struct Course<'a> {
    lake: PathBuf,
    source: &'a Source,
    requests: usize,
    /// The record of the next commit.
    commit: PathBuf,
}

impl<'a> Course<'a> {
    /// To be called before the run is started.
    pub fn before_run(lake: &Path, source: &'a Source) -> Self {
        let commits = lake.join(own_directory()).join("commits");
        let records = std::fs::read_dir(&commits).map_or(0, Iterator::count);
        Self {
            lake: lake.to_owned(),
            source,
            requests: source.requests().len(),
            commit: commits.join(format!("{:012}.json", records + 1)),
        }
    }

    /// Waits until a run has reached a milestone or has ended.
    #[track_caller]
    pub fn wait_for(&self, milestone: Milestone, run: &mut Child) {
        let begun = Instant::now();
        while !self.is_reached(milestone) && run.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < HANG, "{milestone:?} was not reached");
            std::thread::sleep(PAUSE);
        }
    }

    fn is_reached(&self, milestone: Milestone) -> bool {
        match milestone {
            Milestone::Started => true,
            Milestone::Asked => self.source.requests().len() > self.requests,
            Milestone::Staged => has_files(&self.lake.join(own_directory()).join("staging")),
            Milestone::Promised => self.commit.exists(),
            Milestone::Closed => {
                std::fs::read_to_string(&self.commit).is_ok_and(|record| record.contains("closed"))
            }
            Milestone::Ended => false,
        }
    }
}

/// Whether there is a file anywhere below a directory.
fn has_files(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| !path.is_dir() || has_files(&path))
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < HANG, "{what}");
        std::thread::sleep(PAUSE);
    }
}
