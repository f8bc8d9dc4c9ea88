//! Retry: which failures are retryable, how long to wait, and when to give up.
//!
//! | failure | action |
//! |---|---|
//! | connection refused or reset | retried |
//! | timeout | retried |
//! | 408, 425, 429, 500, 502, 503, 504, other 5xx | retried, after `Retry-After` where the source sends it |
//! | body cut short | retried, from its beginning |
//! | body that cannot be decompressed | retried, from its beginning |
//! | a certificate that is not trusted, a proxy that refuses | given up |
//! | 403 with a web page | given up: it is not from the source |
//! | 401, 403 | the next key; with none left, given up |
//! | 400, 404, 410, 422 and other statuses | given up: a retry changes nothing |
//! | redirect elsewhere, or without end | given up |
//! | a response that is no export | given up |
//! | newline-delimited JSON without a length | given up: the next response has none either |
//! | more than `limits.max_size`, or a decompression bomb | given up |
//!
//! Exponential backoff with full jitter: the bound of the wait doubles from one second, and the wait is random below it,
//! so that clients that failed together do not come back together.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::definition::RetryLimits;
use crate::source::http::FetchError;

const FIRST_BOUND: Duration = Duration::from_secs(1);
/// The bound does not grow beyond this.
const LARGEST_BOUND: Duration = Duration::from_mins(1);

/// Whether a retry can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retryable {
    /// It cannot.
    Final,
    /// It can, after at least this wait.
    After {
        /// What the source asked for, or zero.
        at_least: Duration,
    },
}

impl Retryable {
    /// It can, and the source did not say when.
    pub const SOON: Self = Self::After { at_least: Duration::ZERO };

    /// See the table of this module.
    #[must_use]
    pub fn of(error: &FetchError) -> Self {
        match error {
            FetchError::Unavailable { retry_after, .. } => {
                Self::After { at_least: retry_after.unwrap_or_default() }
            }
            FetchError::Unreachable { .. }
            | FetchError::Interrupted { .. }
            | FetchError::Corrupt { .. } => Self::SOON,
            FetchError::Setup(_)
            | FetchError::Certificates { .. }
            | FetchError::Untrusted { .. }
            | FetchError::Blocked { .. }
            | FetchError::KeyRefused { .. }
            | FetchError::Rejected { .. }
            | FetchError::LeavesOrigin { .. }
            | FetchError::TooManyRedirects { .. }
            | FetchError::NotAnExport { .. }
            | FetchError::UnknownEncoding { .. }
            | FetchError::UnknownLength { .. }
            | FetchError::NextPage { .. }
            | FetchError::TooLarge { .. }
            | FetchError::Bomb { .. } => Self::Final,
        }
    }
}

/// The attempts at one request so far.
#[derive(Debug)]
pub struct Retries {
    limits: RetryLimits,
    began: Instant,
    failed: Vec<String>,
    random: fastrand::Rng,
}

impl Retries {
    /// Begins with the first attempt.
    #[must_use]
    pub fn begin(limits: RetryLimits, now: Instant) -> Self {
        Self { limits, began: now, failed: Vec::new(), random: fastrand::Rng::new() }
    }

    /// The number of the current attempt, from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.failed.len() + 1
    }

    /// Records that this attempt failed. Returns how long to wait before the next one; `None` to give up.
    pub fn wait_after(
        &mut self,
        retryable: Retryable,
        reason: String,
        now: Instant,
    ) -> Option<Duration> {
        let doublings = u32::try_from(self.failed.len()).unwrap_or(u32::MAX).min(6);
        self.failed.push(reason);
        let Retryable::After { at_least } = retryable else { return None };
        if self.failed.len() >= self.limits.max_attempts as usize {
            return None;
        }
        let bound = FIRST_BOUND.saturating_mul(1 << doublings).min(LARGEST_BOUND);
        let drawn = bound.mul_f64(self.random.f64());
        let wait = at_least.max(drawn).min(self.limits.longest_wait);
        (now.saturating_duration_since(self.began) + wait <= self.limits.elapsed).then_some(wait)
    }

    /// The history of a request that was given up.
    #[must_use]
    pub fn into_history(self, now: Instant) -> History {
        History { failed: self.failed, elapsed: now.saturating_duration_since(self.began) }
    }
}

/// Attempts that all failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Why each failed, in order.
    pub failed: Vec<String>,
    /// From the first to the end of the last.
    pub elapsed: Duration,
}

impl fmt::Display for History {
    /// `after 3 tries in 4.2 s; earlier: …`, with the failures that differ from the last one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} tries in {:.1} s", self.failed.len(), self.elapsed.as_secs_f64())?;
        let last = self.failed.last();
        let mut earlier: Vec<&String> =
            self.failed.iter().filter(|reason| Some(*reason) != last).collect();
        earlier.dedup();
        for (number, reason) in earlier.into_iter().enumerate() {
            write!(f, "{}{reason}", if number == 0 { "; earlier: " } else { "; then: " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(seconds: u64) -> Retryable {
        Retryable::After { at_least: Duration::from_secs(seconds) }
    }

    fn retries(now: Instant) -> Retries {
        let limits = RetryLimits {
            max_attempts: 4,
            elapsed: Duration::from_mins(10),
            longest_wait: Duration::from_mins(2),
        };
        Retries::begin(limits, now)
    }

    #[test]
    fn waits_grow_and_attempts_are_limited() {
        let now = Instant::now();
        let mut retries = retries(now);
        for (number, bound) in [(1, 1), (2, 2), (3, 4)] {
            assert_eq!(retries.number(), number);
            let wait = retries.wait_after(Retryable::SOON, "busy".into(), now).unwrap();
            assert!(wait <= Duration::from_secs(bound), "{wait:?}");
        }
        assert_eq!(retries.wait_after(Retryable::SOON, "busy".into(), now), None);
    }

    #[test]
    fn the_source_may_ask_for_a_longer_wait_up_to_a_limit() {
        let now = Instant::now();
        let mut retries = retries(now);
        let mut wait = |asked| retries.wait_after(asking(asked), "busy".into(), now);
        assert_eq!(wait(30), Some(Duration::from_secs(30)));
        assert_eq!(wait(3600), Some(Duration::from_mins(2)));
    }

    #[test]
    fn no_attempt_begins_after_the_time_is_up() {
        let began = Instant::now();
        let mut retries = retries(began);
        let now = began + Duration::from_mins(9);
        assert_eq!(retries.wait_after(asking(90), "busy".into(), now), None);
        assert!(retries.wait_after(asking(30), "busy".into(), now).is_some());
    }

    #[test]
    fn final_failures_are_not_retried() {
        let now = Instant::now();
        let url: url::Url = "https://example.com".parse().unwrap();
        let status = reqwest::StatusCode::NOT_FOUND;
        for error in [
            FetchError::Rejected { url: url.clone(), status, body: String::new() },
            FetchError::KeyRefused { url: url.clone(), status, tried: Vec::new() },
            FetchError::LeavesOrigin { url: url.clone(), to: String::new() },
            FetchError::TooLarge { url, most: 1 },
        ] {
            let retryable = Retryable::of(&error);
            assert_eq!(retries(now).wait_after(retryable, error.to_string(), now), None);
        }
    }

    #[test]
    fn a_history_shows_earlier_failures_that_differ() {
        let history = |failed: &[&str]| {
            let failed = failed.iter().map(ToString::to_string).collect();
            History { failed, elapsed: Duration::from_millis(4210) }.to_string()
        };
        assert_eq!(history(&["busy", "busy"]), "after 2 tries in 4.2 s");
        assert_eq!(
            history(&["reset", "reset", "busy", "reset", "busy"]),
            "after 5 tries in 4.2 s; earlier: reset"
        );
        assert_eq!(
            history(&["reset", "full", "busy"]),
            "after 3 tries in 4.2 s; earlier: reset; then: full"
        );
    }
}
