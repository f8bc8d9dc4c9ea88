//! The secrets that this process knows, taken out of every text that it shows.
//!
//! They are those of the process and not of a run: whatever has read a secret has it remembered, and nothing that shows
//! text can forget to ask.

use std::borrow::Cow;
use std::sync::{LazyLock, PoisonError, RwLock};

use regex::{NoExpand, Regex};
use secrecy::{ExposeSecret, SecretString};

use super::written::{as_written, without_cut_character};

/// Shorter ones would be found in ordinary words.
const SHORTEST: usize = 6;

static KNOWN: RwLock<Vec<Known>> = RwLock::new(Vec::new());

/// A secret that this process has read.
struct Known {
    kind: KindOfSecret,
    text: SecretString,
    /// The secret as encoders write it; none if they all write it as it is.
    written: Option<Regex>,
}

impl Known {
    /// The text without the secret.
    fn taken_out_of<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let secret = self.text.expose_secret();
        match &self.written {
            Some(written) => written.replace_all(text, NoExpand(self.kind.instead())),
            None if text.contains(secret) => Cow::Owned(text.replace(secret, self.kind.instead())),
            None => Cow::Borrowed(text),
        }
    }

    /// Where a beginning of the secret is that a text ends with.
    fn cut_at_end_of(&self, text: &str) -> Option<usize> {
        const SHORTEST_PART: usize = 4;
        let secret = self.text.expose_secret();
        let longest = secret.len().min(text.len() + 1);
        let mut parts = (SHORTEST_PART..longest).rev().filter(|end| secret.is_char_boundary(*end));
        let Some(written) = &self.written else {
            let part = parts.map(|end| &secret[..end]).find(|part| text.ends_with(part))?;
            return Some(text.len() - part.len());
        };
        let texts = [text, without_cut_character(text)];
        parts.find_map(|end| {
            // What is missing makes it whole, however its beginning is written.
            texts.into_iter().find_map(|text| {
                let whole = format!("{text}{}", &secret[end..]);
                let mut found = written.find_iter(&whole);
                let cut = found.find(|it| it.start() < text.len() && it.end() > text.len())?;
                Some(cut.start())
            })
        })
    }
}

/// What signs or allows a request, where a server repeats the request. These are made for each request, and nobody knows
/// them before.
static SIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = "signature|x-amz-signature|x-amz-security-token|x-goog-signature|sig|bearer|basic|sharedkey";
    Regex::new(&format!(r#"(?i)\b({names})(\\*["']?\s*[=: ]\s*\\*["']?)[a-z0-9+/=_%.:-]{{16,}}"#))
        .ok()
});

/// A login in a URL. An account before a host, as in `abfss://container@account`, has no password.
static LOGIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let host_of_web = r"(?:https?|ftp|socks[45][ah]?)://";
    Regex::new(&format!(
        r#"(?i)\b((?:{host_of_web}|[a-z][a-z0-9+.-]*://(?:[^\s/?\#"'<>:@]*:)))[^\s/?\#"'<>]*@"#
    ))
    .ok()
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
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if secret.len() < SHORTEST || known.iter().any(|it| it.text.expose_secret() == secret) {
        return;
    }
    known.push(Known { kind, text: SecretString::from(secret), written: as_written(secret) });
    // One that has another in it is looked for first.
    known.sort_by_key(|it| std::cmp::Reverse(it.text.expose_secret().len()));
}

/// The beginning of a longer text without secrets. It may end in the middle of one.
pub(super) fn redact_cut(text: &str) -> String {
    let mut shown = redact(text).into_owned();
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let cut = known.iter().filter_map(|it| Some((it.cut_at_end_of(&shown)?, it.kind)));
    // The end of one beginning may be the beginning of another secret.
    if let Some((begin, kind)) = cut.min_by_key(|(begin, _)| *begin) {
        shown.truncate(begin);
        shown.push_str(kind.instead());
    }
    shown
}

/// The text without secrets, and without what looks like a signature or a login.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let shown = redact_known(text);
    let patterns = [(&LOGIN, "$1[a credential]@"), (&SIGNED, "$1$2[a credential]")];
    patterns.into_iter().fold(shown, |shown, (pattern, instead)| {
        match pattern.as_ref().filter(|pattern| pattern.is_match(&shown)) {
            Some(pattern) => Cow::Owned(pattern.replace_all(&shown, instead).into_owned()),
            None => shown,
        }
    })
}

/// The text without the secrets that this process has read.
pub(super) fn redact_known(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    for known in KNOWN.read().unwrap_or_else(PoisonError::into_inner).iter() {
        if let Cow::Owned(without) = known.taken_out_of(&shown) {
            shown = Cow::Owned(without);
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
    fn h2_a_secret_is_known_however_an_encoder_writes_it() {
        remember(KindOfSecret::Credential, "pf/canary+key=\"é\\😀\"");
        for written in [
            r#"pf/canary+key="é\😀""#,
            r#"pf\/canary\u002Bkey\u003d\"é\\\\😀\""#,
            r#"pf\\\/canary\\u002bkey=\\\"\u00e9\\\\\ud83d\uDE00\\\""#,
            "pf%2Fcanary%2bkey%3D%22%C3%A9%5C%F0%9F%98%80%22",
            "pf%252Fcanary%252bkey=%22é%5C😀%22",
            "pf&#x2F;canary&#43;key&equals;&quot;&#xe9;&#92;&#x1F600;&#34;",
            r"pf\x2fcanary\x2Bkey=\x22é\x5C😀\x22",
        ] {
            assert_eq!(redact(&format!("a {written} b")), "a [a credential] b", "{written}");
            // The end of the secret is a quote, whose beginnings are the beginning of nothing.
            for (end, _) in written.char_indices().skip(12) {
                let shown = redact_cut(&format!("a {}", &written[..end]));
                assert_eq!(shown, "a [a credential]", "{written}: {end}");
            }
        }
        assert_eq!(redact("pf canary key"), "pf canary key");
    }

    #[test]
    fn h2_of_two_secrets_that_a_cut_text_may_end_with_none_is_left() {
        remember(KindOfSecret::Credential, "first_secret_two");
        remember(KindOfSecret::Credential, "secret_that_is_longer_than_the_first");
        assert_eq!(redact_cut("a first_secret"), "a [a credential]");
        assert_eq!(redact_cut("a first_secret_th"), "a first_[a credential]");
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
