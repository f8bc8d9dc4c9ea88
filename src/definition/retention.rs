//! `[retention]`: how much of flowlake's own files is kept.

use schemars::JsonSchema;

use super::checker::Checker;
use super::field::Field;

/// How much of flowlake's own files a destination keeps, beside the exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// The reports of this many runs are kept.
    pub reports: usize,
    /// The records of this many commits are kept, and the manifests that they made.
    pub commits: usize,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { reports: 400, commits: 30 }
    }
}

/// How much of flowlake's own files is kept. Exports have `[landing]`; quarantined records stay until they load.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Retention", deny_unknown_fields)]
pub(super) struct RawRetention {
    /// The reports of this many runs are kept, the latest ones.
    #[schemars(extend("default" = 400))]
    pub(super) reports: Option<Field<usize>>,
    /// The records of this many commits are kept, the latest ones, and old manifests with them.
    #[schemars(extend("default" = 30))]
    pub(super) commits: Option<Field<usize>>,
}

impl RawRetention {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> RetentionPolicy {
        let default = RetentionPolicy::default();
        let reports = checker.value(self.reports, "retention.reports");
        let commits = checker.value(self.commits, "retention.commits");
        RetentionPolicy {
            reports: reports.unwrap_or(default.reports),
            commits: commits.unwrap_or(default.commits),
        }
    }
}
