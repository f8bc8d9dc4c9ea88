//! Where a commit finds the log of a table, and what tells its version from others.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::action::Line;

/// Where a commit finds the log of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The id of the table, as its log has it.
    pub id: String,
    /// When its log began.
    pub created_at: DateTime<Utc>,
    /// The last version before the commit, or an earlier one; none where the log begins with the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The number of the commit, if it adds a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
    /// The agreement whose columns the log has, where pipelines share the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<u64>,
}

impl LogPosition {
    pub(super) fn beginning() -> Self {
        let created_at = Utc::now();
        Self {
            id: Uuid::now_v7().to_string(),
            created_at,
            version: None,
            commit: None,
            agreement: None,
        }
    }

    /// The first version that a commit may have.
    pub(super) fn next_version(&self) -> u64 {
        self.version.map_or(0, |version| version + 1)
    }
}

/// The name under which a pipeline numbers its commits in a log.
pub(super) fn app_id(pipeline: &str) -> String {
    format!("flowlake:{pipeline}")
}

/// Whether a version is of this commit of a pipeline, or a later one.
pub(super) fn is_of(lines: &[Line], app_id: &str, sequence: u64) -> bool {
    let number = |line: &Line| {
        let txn = line.txn.as_ref().filter(|txn| txn.app_id == app_id)?;
        u64::try_from(txn.version).ok()
    };
    lines.iter().filter_map(number).any(|number| number >= sequence)
}
