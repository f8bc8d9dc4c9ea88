//! Who holds a lock, and whether its process is gone.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::schema::RunId;

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A run.
    Run(Box<Owner>),
    /// Somebody who holds the lock file and has not written a name into it. What it says is of an earlier run.
    Unnamed(PathBuf),
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run(owner) => owner.fmt(f),
            Self::Unnamed(file) => {
                write!(f, "a process that holds `{}` and gives no name", file.display())
            }
        }
    }
}

impl Holder {
    /// Whether it is a run whose process is known to be gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Run(owner) if owner.is_gone())
    }
}

/// The owner of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The run.
    pub run_id: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// The machine it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// Tells this process from others that had the same number.
    #[serde(default)]
    pub process: String,
    /// When it acquired the lock.
    pub since: DateTime<Utc>,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { run_id, pipeline, host, pid, since, .. } = self;
        let since = since.format("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "run {run_id} of pipeline `{pipeline}`, process {pid} on {host}, since {since}")
    }
}

impl Owner {
    /// This process as the owner of a run's lock.
    #[must_use]
    pub fn this_process(run_id: &RunId, pipeline: &str) -> Self {
        let pid = std::process::id();
        Self {
            run_id: run_id.clone(),
            pipeline: pipeline.to_owned(),
            host: read_word("/proc/sys/kernel/hostname")
                .unwrap_or_else(|| "this machine".to_owned()),
            pid,
            process: process(pid).unwrap_or_default(),
            since: Utc::now(),
        }
    }

    /// Whether its process is known to be gone: it ran on this machine and does not run now.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let Some(own) = process(std::process::id()) else { return false };
        let machine =
            |process: &str| process.rsplit_once(' ').map(|(machine, _)| machine.to_owned());
        let is_near = machine(&self.process).is_some() && machine(&self.process) == machine(&own);
        is_near && process(self.pid).is_none_or(|now| now != self.process)
    }
}

/// An id of a process: the machine's boot id, the process namespace, and the process's start time. `None` if the system
/// does not tell.
fn process(pid: u32) -> Option<String> {
    let boot = read_word("/proc/sys/kernel/random/boot_id")?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name is in parentheses and may contain anything. The start time is the 20th word after it.
    let started = status.rsplit_once(')')?.1.split_whitespace().nth(19)?;
    Some(format!("{boot} {} {started}", space.display()))
}

fn read_word(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
