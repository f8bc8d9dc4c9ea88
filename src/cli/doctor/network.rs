//! Looks at what is between this machine and the source: certificates and proxies.

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;
use url::Url;

use super::look::Look;
use super::pipeline::{CERTIFICATES, SOURCE};
use crate::definition::Environment;
use crate::exit_code::ExitCode;
use crate::source::http::{PROXY_VARIABLES, look_at_certificates};

const PROXY: &str = "proxy";
/// A proxy is near.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);

/// What there is to know of the way to the source. Certificates that nobody needs are no reason to fail.
pub(super) async fn looks(environment: &Environment, needs_certificates: bool) -> Vec<Look> {
    let mut looks = vec![certificates()];
    looks.extend(certificate_directories());
    if !needs_certificates {
        looks = looks.into_iter().map(Look::into_warning).collect();
    }
    looks.extend(proxies(environment).await);
    looks
}

fn certificates() -> Look {
    if let Err(error) = look_at_certificates() {
        return Look::failed(CERTIFICATES, &error);
    }
    Look::ok(
        CERTIFICATES,
        match std::env::var_os("SSL_CERT_FILE") {
            Some(file) => format!("those of {}, which `SSL_CERT_FILE` names", file.display()),
            None if std::env::var_os("SSL_CERT_DIR").is_some() => {
                "those of the directories of `SSL_CERT_DIR`".to_owned()
            }
            None => "those of the system".to_owned(),
        },
    )
}

/// Directories of certificates that cannot be read. The client passes over them.
fn certificate_directories() -> Option<Look> {
    let listed = std::env::var_os("SSL_CERT_DIR")?;
    let directories: Vec<PathBuf> = std::env::split_paths(&listed).collect();
    let unreadable = |directory: &PathBuf| Some((directory.clone(), directory.read_dir().err()?));
    let errors: Vec<_> = directories.iter().filter_map(unreadable).collect();
    let (directory, error) = errors.first()?;
    let message = format!(
        "cannot read the directory {}, which `SSL_CERT_DIR` names: {error}",
        directory.display()
    );
    let help = "name directories with certificates that this user can read, or leave the variable out: then those of \
                the system count";
    let has_others =
        errors.len() < directories.len() || std::env::var_os("SSL_CERT_FILE").is_some();
    Some(if has_others {
        Look::warning(CERTIFICATES, message, help)
    } else {
        Look::failed_with(CERTIFICATES, ExitCode::Usage, message, help)
    })
}

/// Whether the proxies of the environment answer, each once.
async fn proxies(environment: &Environment) -> Vec<Look> {
    let mut looks = Vec::new();
    let mut asked: Vec<String> = Vec::new();
    for name in PROXY_VARIABLES {
        let Some(written) = environment.get(name) else { continue };
        let Some(address) = address_of(written) else {
            let help =
                "write it as `http://proxy:port`, with `user:password@` before the host if it asks";
            looks.push(Look::warning(PROXY, format!("`{name}` is not the URL of a proxy"), help));
            continue;
        };
        if !asked.contains(&address) {
            looks.push(ask(name, &address).await);
            asked.push(address);
        }
    }
    if looks.is_empty() {
        looks.push(Look::ok(PROXY, "none: `HTTPS_PROXY` and `ALL_PROXY` are not set"));
    }
    looks
}

/// Host and port of a proxy, without its user and password.
fn address_of(written: &str) -> Option<String> {
    let url =
        if written.contains("://") { written.to_owned() } else { format!("http://{written}") };
    let url: Url = url.parse().ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

async fn ask(name: &str, address: &str) -> Look {
    let connected = tokio::time::timeout(PROXY_TIMEOUT, TcpStream::connect(address)).await;
    let error = match connected {
        Ok(Ok(_)) => return Look::ok(PROXY, format!("{address}, of `{name}`, answers")),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no connection within {} s", PROXY_TIMEOUT.as_secs()),
    };
    Look::failed_with(
        PROXY,
        ExitCode::SourceUnavailable,
        format!("{address}, which `{name}` names, does not answer: {error}"),
        "check the proxy, or leave the variable out if the source is reached without it (`NO_PROXY` names hosts)",
    )
}

/// A proxy that does not answer is why a source does not, or nobody needs it.
pub(super) fn judge_proxies(looks: &mut [Look]) {
    let is_unanswered = |look: &Look, subject| {
        look.subject == subject && look.exit_code == Some(ExitCode::SourceUnavailable)
    };
    if looks.iter().any(|look| is_unanswered(look, SOURCE)) {
        return;
    }
    for proxy in looks.iter_mut().filter(|look| is_unanswered(look, PROXY)) {
        *proxy = proxy.clone().into_warning();
    }
}

#[cfg(test)]
mod tests {
    use super::super::look::LookState;
    use super::*;

    #[test]
    fn h2_the_address_of_a_proxy_has_no_password() {
        for (written, address) in [
            ("http://user:secret@proxy:3128", Some("proxy:3128")),
            ("proxy:3128", Some("proxy:3128")),
            ("https://proxy", Some("proxy:443")),
            ("http://[::1]:8080/", Some("[::1]:8080")),
            ("http://", None),
        ] {
            assert_eq!(address_of(written).as_deref(), address, "{written}");
        }
    }

    #[test]
    fn a_dead_proxy_fails_only_where_a_source_does() {
        let dead = || Look::failed_with(PROXY, ExitCode::SourceUnavailable, "dead", "");
        let mut looks = [dead(), Look::ok(SOURCE, "answers")];
        judge_proxies(&mut looks);
        assert_eq!((looks[0].state, looks[0].exit_code), (LookState::Warning, None));
        let unreachable = Look::failed_with(SOURCE, ExitCode::SourceUnavailable, "no answer", "");
        let mut looks = [dead(), unreachable];
        judge_proxies(&mut looks);
        assert_eq!(looks[0].state, LookState::Failed);
    }
}
