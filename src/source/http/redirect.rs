//! Redirects: followed within the origin that the definition names, and nowhere else.

use std::error::Error;

use reqwest::redirect::{Action, Attempt, Policy};
use url::Url;

use crate::source::http::FetchError;

const MOST_REDIRECTS: usize = 5;

/// Why a redirect was not followed.
#[derive(Debug, Clone, thiserror::Error)]
enum Refusal {
    #[error("the redirect leads to {0}")]
    LeavesOrigin(String),
    #[error("there are too many redirects")]
    TooMany,
}

/// The key goes along with a redirect, so it stays where the key may go.
pub(super) fn policy() -> Policy {
    Policy::custom(stay_within_origin)
}

fn stay_within_origin(attempt: Attempt<'_>) -> Action {
    let (next, before) = (attempt.url().origin(), attempt.previous());
    if before.first().is_none_or(|first| first.origin() != next) {
        return attempt.error(Refusal::LeavesOrigin(next.ascii_serialization()));
    }
    if before.len() > MOST_REDIRECTS {
        return attempt.error(Refusal::TooMany);
    }
    attempt.follow()
}

/// What a request failed with.
pub(super) fn failure(error: reqwest::Error, url: &Url) -> FetchError {
    let url = url.clone();
    match refusal(&error) {
        Some(Refusal::LeavesOrigin(to)) => FetchError::LeavesOrigin { url, to },
        Some(Refusal::TooMany) => FetchError::TooManyRedirects { url, most: MOST_REDIRECTS },
        None => FetchError::Unreachable { url, source: error.without_url() },
    }
}

fn refusal(error: &reqwest::Error) -> Option<Refusal> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<Refusal>() {
            return Some(refusal.clone());
        }
        cause = inner.source();
    }
    None
}
