//! Retry: which failures are worth asking again, how long to wait, and when to give up.
//!
//! | failure | what is done |
//! |---|---|
//! | connection refused or reset, a timeout | tried again |
//! | 408, 425, 429, 500, 502, 503, 504 | tried again, after `Retry-After` where the source sends it |
//! | a body that is cut short | tried again, from its beginning |
//! | 401, 403 | the next key; with none left, given up |
//! | 400, 404, 410, 422 and other answers | given up: asking again changes nothing |
//!
//! Waits grow twofold from one second, each drawn at random between nothing and its bound, so that many clients
//! that failed together do not come back together.

use std::time::{Duration, Instant};

use crate::definition::RetryLimits;
use crate::fetch::FetchError;

const FIRST_BOUND: Duration = Duration::from_secs(1);
/// Beyond it a wait does not grow by itself.
const LARGEST_BOUND: Duration = Duration::from_mins(1);

/// The tries that one answer has taken so far.
#[derive(Debug)]
pub struct Retries {
    limits: RetryLimits,
    began: Instant,
    tries: u32,
}

impl Retries {
    /// Begins to count with the first try.
    #[must_use]
    pub fn begin(limits: RetryLimits, now: Instant) -> Self {
        Self { limits, began: now, tries: 1 }
    }

    /// How many tries there were.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// How long to wait before the next try, and counts it; `None` to give up.
    pub fn wait_after(&mut self, error: &FetchError, now: Instant) -> Option<Duration> {
        if !is_worth_another_try(error) || self.tries >= self.limits.tries {
            return None;
        }
        let bound = FIRST_BOUND.saturating_mul(1 << (self.tries - 1).min(6)).min(LARGEST_BOUND);
        let drawn = bound.mul_f64(fastrand::f64());
        let wait = asked_to_wait(error).map_or(drawn, |asked| asked.max(drawn));
        let wait = wait.min(self.limits.longest_wait);
        if now.saturating_duration_since(self.began) + wait > self.limits.elapsed {
            return None;
        }
        self.tries += 1;
        Some(wait)
    }
}

fn is_worth_another_try(error: &FetchError) -> bool {
    match error {
        FetchError::Unreachable { .. }
        | FetchError::Unavailable { .. }
        | FetchError::Interrupted { .. } => true,
        FetchError::Setup(_)
        | FetchError::KeyRefused { .. }
        | FetchError::Rejected { .. }
        | FetchError::LeavesOrigin { .. }
        | FetchError::NotAnExport { .. } => false,
    }
}

fn asked_to_wait(error: &FetchError) -> Option<Duration> {
    match error {
        FetchError::Unavailable { retry_after, .. } => *retry_after,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable(retry_after: Option<u64>) -> FetchError {
        FetchError::Unavailable {
            url: "https://example.com".parse().unwrap(),
            status: reqwest::StatusCode::SERVICE_UNAVAILABLE,
            body: String::new(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn limits() -> RetryLimits {
        RetryLimits {
            tries: 4,
            elapsed: Duration::from_mins(10),
            longest_wait: Duration::from_mins(2),
        }
    }

    #[test]
    fn waits_grow_and_tries_come_to_an_end() {
        let now = Instant::now();
        let mut retries = Retries::begin(limits(), now);
        for bound in [1, 2, 4] {
            let wait = retries.wait_after(&unavailable(None), now).unwrap();
            assert!(wait <= Duration::from_secs(bound), "{wait:?}");
        }
        assert_eq!(retries.tries(), 4);
        assert_eq!(retries.wait_after(&unavailable(None), now), None);
    }

    #[test]
    fn the_source_may_ask_for_a_longer_wait_up_to_a_limit() {
        let now = Instant::now();
        let mut retries = Retries::begin(limits(), now);
        let mut wait = |asked| retries.wait_after(&unavailable(Some(asked)), now);
        assert_eq!(wait(30), Some(Duration::from_secs(30)));
        assert_eq!(wait(3600), Some(Duration::from_mins(2)));
    }

    #[test]
    fn no_try_begins_after_the_time_is_up() {
        let began = Instant::now();
        let mut retries = Retries::begin(limits(), began);
        let now = began + Duration::from_mins(9);
        assert_eq!(retries.wait_after(&unavailable(Some(90)), now), None);
        assert!(retries.wait_after(&unavailable(Some(30)), now).is_some());
    }

    #[test]
    fn what_another_try_cannot_change_is_not_tried_again() {
        let now = Instant::now();
        let url: url::Url = "https://example.com".parse().unwrap();
        let status = reqwest::StatusCode::NOT_FOUND;
        for error in [
            FetchError::Rejected { url: url.clone(), status, body: String::new() },
            FetchError::KeyRefused { url: url.clone(), status, tried: Vec::new() },
            FetchError::LeavesOrigin { url },
        ] {
            assert_eq!(Retries::begin(limits(), now).wait_after(&error, now), None);
        }
    }
}
