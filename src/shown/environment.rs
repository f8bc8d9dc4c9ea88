//! The secrets in the environment of this process, and logins in URLs.

use std::env;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use percent_encoding::percent_decode_str;

use super::{KindOfSecret, remember};

/// How the variables begin that the clients of stores read. They accept many names.
const OF_STORES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
/// What the names of variables with secrets have in them.
const SECRET: [&str; 7] = ["KEY", "SECRET", "TOKEN", "SAS", "PASSWORD", "CREDENTIAL", "SIGNATURE"];
/// The last words of variables that say where a secret is.
const PLACES: [&str; 6] = ["FILE", "DIR", "PATH", "SOCK", "URI", "URL"];
/// Remembers the credentials of stores and of proxies to them.
pub fn remember_credentials() {
    remember_variables(|name| OF_STORES.iter().any(|beginning| name.starts_with(beginning)));
    remember_proxies();
}

/// Remembers what may be a secret in the environment, whatever it is for.
pub fn remember_environment() {
    remember_variables(|_| true);
    remember_proxies();
}

/// Remembers the logins of proxies. Clients read them from the environment themselves, and errors may tell of them.
pub fn remember_proxies() {
    variables()
        .filter(|(name, _)| name.ends_with("_PROXY"))
        .for_each(|(_, value)| remember_login(&value));
}

/// Remembers the login of a URL, which may lack its scheme: what is before the last `@`.
pub fn remember_login(url: &str) {
    let behind_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let Some((login, _)) = behind_scheme.rsplit_once('@') else { return };
    let Some((_, password)) = login.split_once(':').filter(|(_, it)| !it.is_empty()) else {
        return;
    };
    let as_sent: Vec<u8> = percent_decode_str(login).collect();
    for secret in [login, password] {
        remember(KindOfSecret::Credential, secret);
        remember(KindOfSecret::Credential, &percent_decode_str(secret).decode_utf8_lossy());
    }
    // As `Proxy-Authorization` has it.
    remember(KindOfSecret::Credential, &STANDARD_NO_PAD.encode(as_sent));
}

fn remember_variables(is_asked_for: impl Fn(&str) -> bool) {
    for (name, value) in variables().filter(|(name, _)| is_asked_for(name)) {
        remember_login(&value);
        if SECRET.iter().any(|part| name.contains(part)) && !is_place(&name, &value) {
            remember(KindOfSecret::Credential, &value);
        }
    }
}

/// Whether a variable says where something is. One in 64 secrets in base64 begins like a path, so that alone says nothing.
fn is_place(name: &str, value: &str) -> bool {
    name == "GOOGLE_APPLICATION_CREDENTIALS"
        || name.rsplit('_').next().is_some_and(|last| PLACES.contains(&last))
        || value.starts_with('/') && Path::new(value).exists()
}

/// The variables, each with its name in upper case.
fn variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?.to_ascii_uppercase(), value.into_string().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::super::line;
    use super::*;

    #[test]
    fn h2_the_login_of_a_url_is_not_shown_in_any_form() {
        remember_login("http://canary-user:canary%40pass@word@proxy:3128/");
        remember_login("canary-user:without/scheme@proxy");
        for text in [
            "http://canary-user:canary%40pass@word@proxy:3128/",
            "canary-user:canary@pass@word",
            "canary@pass@word",
            // As curl and reqwest send it.
            "Y2FuYXJ5LXVzZXI6Y2FuYXJ5QHBhc3NAd29yZA==",
            "without/scheme",
        ] {
            let shown = line(text);
            assert!(shown.contains("[a credential]"), "{text}: {shown}");
            assert!(!shown.contains("word") && !shown.contains("scheme"), "{text}: {shown}");
        }
        assert_eq!(line("canary-user asks proxy:3128"), "canary-user asks proxy:3128");
    }
}
