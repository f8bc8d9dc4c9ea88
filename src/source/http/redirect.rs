//! Redirects: followed within the origin of the definition, refused elsewhere.

use std::error::Error;

use reqwest::redirect::{Action, Attempt, Policy};
use url::Url;

use crate::source::http::FetchError;
use crate::source::http::error::Obstacle;

const MAX_REDIRECTS: usize = 5;

/// Why a redirect was not followed.
#[derive(Debug, Clone, thiserror::Error)]
enum RedirectRefusal {
    #[error("the redirect leads to {0}")]
    LeavesOrigin(String),
    #[error("there are too many redirects")]
    TooMany,
}

/// A redirect carries the key, so it is only followed within the origin.
pub(super) fn policy() -> Policy {
    Policy::custom(stay_within_origin)
}

fn stay_within_origin(attempt: Attempt<'_>) -> Action {
    let (next, before) = (attempt.url().origin(), attempt.previous());
    if before.first().is_none_or(|first| first.origin() != next) {
        return attempt.error(RedirectRefusal::LeavesOrigin(next.ascii_serialization()));
    }
    if before.len() > MAX_REDIRECTS {
        return attempt.error(RedirectRefusal::TooMany);
    }
    attempt.follow()
}

/// The error of a failed request.
pub(super) fn failure(error: reqwest::Error, url: &Url) -> FetchError {
    let url = url.clone();
    match refusal(&error) {
        Some(RedirectRefusal::LeavesOrigin(to)) => FetchError::LeavesOrigin { url, to },
        Some(RedirectRefusal::TooMany) => FetchError::TooManyRedirects { url, most: MAX_REDIRECTS },
        None => match Obstacle::of(&error) {
            Some(obstacle) => FetchError::Untrusted { url, obstacle, source: error.without_url() },
            None => FetchError::Unreachable { url, source: error.without_url() },
        },
    }
}

fn refusal(error: &reqwest::Error) -> Option<RedirectRefusal> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<RedirectRefusal>() {
            return Some(refusal.clone());
        }
        cause = inner.source();
    }
    None
}
