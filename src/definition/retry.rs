//! `[source.retry]`: how often a request is retried.

use std::time::Duration;

use schemars::JsonSchema;

use super::checker::Checker;
use super::field::{AtLeastOne, Field};
use super::period::Wait;

/// How often a request is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryLimits {
    /// The most requests for one response, the first one included; at least 1.
    pub max_attempts: u32,
    /// No attempt starts later than this after the first one.
    pub elapsed: Duration,
    /// The longest wait between two attempts.
    pub longest_wait: Duration,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            elapsed: Duration::from_mins(15),
            longest_wait: Duration::from_mins(5),
        }
    }
}

/// How often a request is retried when the source is unreachable or unavailable.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Retry", deny_unknown_fields)]
pub(super) struct RawRetry {
    /// The most requests for one response, the first one included.
    #[schemars(extend("default" = 6))]
    pub(super) max_attempts: Option<Field<AtLeastOne>>,
    /// No attempt starts later than this after the first one. An ISO 8601 duration.
    #[schemars(extend("default" = "PT15M"))]
    pub(super) elapsed: Option<Field<Wait>>,
    /// The longest wait between two attempts, even when `Retry-After` asks for more. An ISO 8601 duration.
    #[schemars(extend("default" = "PT5M"))]
    pub(super) longest_wait: Option<Field<Wait>>,
}

impl RawRetry {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> RetryLimits {
        let default = RetryLimits::default();
        let attempts = checker.value(self.max_attempts, "source.retry.max_attempts");
        let elapsed = checker.value(self.elapsed, "source.retry.elapsed");
        let longest_wait = checker.value(self.longest_wait, "source.retry.longest_wait");
        RetryLimits {
            max_attempts: attempts.map_or(default.max_attempts, |AtLeastOne(count)| count.get()),
            elapsed: elapsed.map_or(default.elapsed, |Wait(wait)| wait),
            longest_wait: longest_wait.map_or(default.longest_wait, |Wait(wait)| wait),
        }
    }
}
