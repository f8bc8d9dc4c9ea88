//! The secrets that this process knows, taken out of every text that it shows.
//!
//! They are those of the process and not of a run: whatever has read a secret has it remembered, and nothing that shows
//! text can forget to ask.

use std::borrow::Cow;
use std::sync::{LazyLock, PoisonError, RwLock};

use regex::Regex;
use secrecy::{ExposeSecret, SecretString};

/// Shorter ones would be found in ordinary words.
const SHORTEST: usize = 6;

static KNOWN: RwLock<Vec<(KindOfSecret, SecretString)>> = RwLock::new(Vec::new());

/// What signs or allows a request, where a server repeats the request. These are made for each request, and nobody knows
/// them before.
static SIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names =
        "signature|x-amz-signature|x-amz-security-token|x-goog-signature|sig|bearer|sharedkey";
    Regex::new(&format!(r#"(?i)\b({names})(["']?\s*[=: ]\s*["']?)[a-z0-9+/=_%.:-]{{16,}}"#)).ok()
});

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindOfSecret {
    /// It goes to the source.
    ApiKey,
    /// It goes to a store, or wherever a definition's headers do.
    Credential,
}

impl KindOfSecret {
    fn instead(self) -> &'static str {
        match self {
            Self::ApiKey => "[the API key]",
            Self::Credential => "[a credential]",
        }
    }
}

/// Remembers a secret, so that it is never shown.
pub fn remember(kind: KindOfSecret, secret: &str) {
    // As it would be in JSON as well.
    let escaped = secret.replace('\\', r"\\").replace('"', "\\\"");
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for text in [secret, &escaped] {
        let is_known = known.iter().any(|(_, other)| other.expose_secret() == text);
        if text.len() >= SHORTEST && !is_known {
            known.push((kind, SecretString::from(text)));
        }
    }
    // One that has another in it is looked for first.
    known.sort_by_key(|(_, secret)| std::cmp::Reverse(secret.expose_secret().len()));
}

/// The beginning of a longer text without secrets. It may end in the middle of one.
pub(super) fn redact_cut(text: &str) -> String {
    const SHORTEST_PART: usize = 4;
    let mut shown = redact(text).into_owned();
    for (kind, secret) in KNOWN.read().unwrap_or_else(PoisonError::into_inner).iter() {
        let secret = secret.expose_secret();
        let beginnings = (SHORTEST_PART..secret.len()).rev().filter_map(|end| secret.get(..end));
        if let Some(part) = beginnings.into_iter().find(|part| shown.ends_with(part)) {
            shown.truncate(shown.len() - part.len());
            shown.push_str(kind.instead());
        }
    }
    shown
}

/// The text without secrets, and without what looks like a signature.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let shown = redact_known(text);
    match SIGNED.as_ref().filter(|signed| signed.is_match(&shown)) {
        Some(signed) => Cow::Owned(signed.replace_all(&shown, "$1$2[a credential]").into_owned()),
        None => shown,
    }
}

/// The text without the secrets that this process has read.
pub(super) fn redact_known(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    for (kind, secret) in KNOWN.read().unwrap_or_else(PoisonError::into_inner).iter() {
        if shown.contains(secret.expose_secret()) {
            shown = Cow::Owned(shown.replace(secret.expose_secret(), kind.instead()));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2_what_is_remembered_is_not_shown() {
        remember(KindOfSecret::ApiKey, "pf_canary_of_secrets");
        remember(KindOfSecret::Credential, "longer_pf_canary_of_secrets");
        remember(KindOfSecret::Credential, "quo\"ted\\canary");
        remember(KindOfSecret::Credential, "short");
        assert_eq!(redact("a pf_canary_of_secrets."), "a [the API key].");
        assert_eq!(redact("longer_pf_canary_of_secrets"), "[a credential]");
        assert_eq!(redact(r#"{"a":"quo\"ted\\canary"}"#), r#"{"a":"[a credential]"}"#);
        assert_eq!(redact("a short text"), "a short text");
    }

    #[test]
    fn h2_signatures_that_a_server_repeats_are_not_shown() {
        let signature = "0123456789abcdef0123456789abcdef";
        for text in [
            format!("AWS4-HMAC-SHA256 Credential=x, Signature={signature}, more"),
            format!("GET /?X-Amz-Signature={signature}&more"),
            format!("{{\"X-Amz-Security-Token\":\"{signature}\"}}"),
            format!("https://account/?sv=1&sig={signature}%3D"),
            format!("Authorization: Bearer {signature}"),
        ] {
            let shown = redact(&text);
            assert!(!shown.contains("89abcdef"), "{shown}");
            assert!(shown.contains("[a credential]"), "{shown}");
        }
        assert_eq!(redact("the signature of a file"), "the signature of a file");
    }
}
