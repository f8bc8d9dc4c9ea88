//! Answered: what a response said of itself, whatever it was: an export, a refusal, or the page of a firewall.

use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::{AGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName};

/// What a response said of itself.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: String,
    /// Its content type, if it has one.
    pub content_type: Option<String>,
    /// The time by the clock of whoever answered.
    pub date: Option<SystemTime>,
    /// From the request to its head.
    pub after: Duration,
}

impl Answered {
    pub(super) fn of(response: &Response, after: Duration) -> Self {
        Self {
            status: response.status().as_u16(),
            protocol: format!("{:?}", response.version()),
            content_type: text(response.headers(), &CONTENT_TYPE).map(str::to_owned),
            date: date(response.headers()),
            after,
        }
    }
}

/// The time at which a response was sent. One from a cache has the date of the original, and its age.
fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let sent = httpdate::parse_http_date(text(headers, &DATE)?.trim()).ok()?;
    let age = text(headers, &AGE).and_then(|age| age.trim().parse().ok()).unwrap_or_default();
    sent.checked_add(Duration::from_secs(age))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_from_a_cache_is_as_old_as_it_says() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut headers = HeaderMap::new();
        assert_eq!(date(&headers), None);
        headers.insert(DATE, "Thu, 01 Jan 1970 00:01:00 GMT".parse().unwrap());
        assert_eq!(date(&headers), Some(at(60)));
        headers.insert(AGE, "30".parse().unwrap());
        assert_eq!(date(&headers), Some(at(90)));
        headers.insert(AGE, u64::MAX.to_string().parse().unwrap());
        assert_eq!(date(&headers), None, "no such time");
        headers.insert(DATE, "soon".parse().unwrap());
        assert_eq!(date(&headers), None);
    }
}
