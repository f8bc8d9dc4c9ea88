//! `[retention]`: how much of flowlake's own files is kept, and how long replaced files of Delta tables.

use chrono::TimeDelta;
use schemars::JsonSchema;

use super::checker::Checker;
use super::field::Field;
use super::period::Period;

/// How much of flowlake's own files a destination keeps, beside the exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// The reports of this many runs are kept.
    pub reports: usize,
    /// The records of this many commits are kept, and the manifests that they made.
    pub commits: usize,
    /// Versions of Delta tables can be read for this long: their files stay.
    pub time_travel: TimeDelta,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { reports: 400, commits: 30, time_travel: TimeDelta::days(7) }
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
    /// Versions of Delta tables can be read for this long: an ISO 8601 duration of days and hours.
    #[schemars(extend("default" = "P7D"))]
    pub(super) time_travel: Option<Field<Period>>,
}

impl RawRetention {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> RetentionPolicy {
        let default = RetentionPolicy::default();
        let reports = checker.value(self.reports, "retention.reports");
        let commits = checker.value(self.commits, "retention.commits");
        let time_travel = self.time_travel.and_then(|field| checker.fixed_period(field));
        RetentionPolicy {
            time_travel: time_travel.unwrap_or(default.time_travel),
            reports: reports.unwrap_or(default.reports),
            commits: commits.unwrap_or(default.commits),
        }
    }
}

impl Checker<'_> {
    /// A duration that is as long at any time of the year.
    fn fixed_period(&mut self, field: Field<Period>) -> Option<TimeDelta> {
        const KEY: &str = "retention.time_travel";
        let (period, span) = self.spanned(Some(field), KEY)?;
        let fixed = period.fixed().and_then(|period| TimeDelta::from_std(period).ok());
        if fixed.is_none() {
            let help = "write days or hours, as in `\"P7D\"` or `\"PT12H\"`";
            self.report(span, KEY, "a month has no fixed length", help);
        }
        fixed
    }
}
