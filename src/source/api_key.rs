//! API keys: read from where the definition says, and held so that nothing can print them.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::definition::{Environment, KeySource};
use crate::exit_code::{ExitCode, Failure};
use crate::shown::{self, KindOfSecret};

/// The permission bits by which anybody but the owner can read or change a file.
const OTHERS: u32 = 0o077;
/// A password store that waits to be unlocked would wait all night.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// No key is longer.
const MOST_BYTES: u64 = 64 << 10;
/// The environment variables that every command gets.
const KEPT_VARIABLES: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "GNUPGHOME",
    "SSH_AUTH_SOCK",
    "PASSWORD_STORE_DIR",
];
/// Separates fingerprints from any other hash of the same key.
const FINGERPRINT_CONTEXT: &str = "flowlake fingerprint of an API key";
/// One in sixteen million: too little to guess a key from, enough to tell a few apart.
const FINGERPRINT_BYTES: usize = 3;

/// One API key and where it came from.
///
/// It has no `Display`, and its `Debug` shows only the source.
#[derive(Clone)]
pub struct ApiKey {
    value: SecretString,
    source: KeySource,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey(from {})", self.source)
    }
}

/// How people tell keys apart: where the key was found, and a short fingerprint from which it cannot be guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    source: KeySource,
    fingerprint: String,
}

#[cfg(test)]
impl KeyName {
    /// A name without a key.
    pub(crate) fn of_test(source: KeySource) -> Self {
        Self { source, fingerprint: "000000".to_owned() }
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (fingerprint {})", self.source, self.fingerprint)
    }
}

/// No key could be read.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// None of the places holds a key.
    #[error("no API key found; looked in {}", list(.looked_in))]
    Missing {
        /// The places, in order.
        looked_in: Vec<KeySource>,
    },
    /// A key file exists and cannot be read, or what a command prints.
    #[error("cannot read the API key in {from}: {source}")]
    Unreadable {
        /// The place.
        from: KeySource,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A key file is readable by other users.
    #[error("the API key in {from} is readable by other users of this machine")]
    Exposed {
        /// The file.
        from: KeySource,
    },
    /// A command that should print the key cannot be started.
    #[error("cannot start {from}: {source}")]
    NotStarted {
        /// The command. Its words are not shown, since the key may be one of them.
        from: KeySource,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A command that should print the key failed, or did not end.
    #[error("cannot read the API key: {from} {outcome}")]
    Command {
        /// The command.
        from: KeySource,
        /// How it ended. Its output is not shown, since it may be the key.
        outcome: String,
    },
    /// The text is not valid as the value of a header.
    #[error("the API key in {from} has invalid characters, such as a line break in the middle")]
    Malformed {
        /// Where it was found.
        from: KeySource,
    },
}

impl Failure for ApiKeyError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Key
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Missing { .. } => {
                "make a key in ProcurementFlow under Company Details → Add new API key, and set it as \
                 PROCUREMENTFLOW_API_KEY in the environment of this job"
            }
            Self::Unreadable { .. } => "let the user that runs flowlake read the file",
            Self::NotStarted { .. } => {
                "it begins with a program: install it for the user of this job, or write its whole path: under cron and systemd `PATH` \
                 is shorter than in a login"
            }
            Self::Exposed { .. } => {
                "take the permission away (`chmod 600`), or write `readable_by_others = true` beside `file`"
            }
            Self::Command { .. } => {
                "run the command by hand as the user of this job; it must print the key and ask nothing"
            }
            Self::Malformed { .. } => "store the key again, on one line",
        };
        Some(help.to_owned())
    }
}

impl ApiKey {
    /// Every key in `sources`, in their order.
    ///
    /// # Errors
    /// No source holds a key, one cannot be read, or one holds what cannot be a key.
    pub async fn find_all(
        sources: &[KeySource],
        environment: &Environment,
    ) -> Result<Vec<Self>, ApiKeyError> {
        let mut keys = Vec::new();
        for source in sources {
            if let Some(text) = find(source, environment).await? {
                keys.extend(Self::of_text(&text, source)?);
            }
        }
        if keys.is_empty() {
            return Err(ApiKeyError::Missing { looked_in: sources.to_vec() });
        }
        Ok(keys)
    }

    fn of_text(text: &str, source: &KeySource) -> Result<Option<Self>, ApiKeyError> {
        let value = text.trim();
        if value.is_empty() {
            return Ok(None);
        }
        if value.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(ApiKeyError::Malformed { from: source.clone() });
        }
        shown::remember(KindOfSecret::ApiKey, value);
        Ok(Some(Self { value: SecretString::from(value), source: source.clone() }))
    }

    /// The name that people tell the key by.
    #[must_use]
    pub fn name(&self) -> KeyName {
        let hash = blake3::derive_key(FINGERPRINT_CONTEXT, self.expose().as_bytes());
        let fingerprint = hash[..FINGERPRINT_BYTES].iter().map(|byte| format!("{byte:02x}"));
        KeyName { source: self.source.clone(), fingerprint: fingerprint.collect() }
    }

    /// The key, for the one header that carries it.
    pub(crate) fn expose(&self) -> &str {
        self.value.expose_secret()
    }
}

/// The text in a place, or `None` when the place does not exist.
async fn find(
    source: &KeySource,
    environment: &Environment,
) -> Result<Option<String>, ApiKeyError> {
    match source {
        KeySource::Env(name) => Ok(environment.get(name).map(str::to_owned)),
        KeySource::File { path, readable_by_others } => read(path, *readable_by_others, source),
        KeySource::Command { words, environment: names } => {
            ask(words, bare(environment, names), source).await.map(Some)
        }
    }
}

fn read(
    path: &Path,
    readable_by_others: bool,
    source: &KeySource,
) -> Result<Option<String>, ApiKeyError> {
    let unreadable = |error| ApiKeyError::Unreadable { from: source.clone(), source: error };
    match std::fs::metadata(path) {
        Ok(metadata) if !readable_by_others && metadata.permissions().mode() & OTHERS != 0 => {
            Err(ApiKeyError::Exposed { from: source.clone() })
        }
        // A pipe would be waited for all night.
        Ok(metadata) if !metadata.is_file() => {
            Err(unreadable(std::io::Error::other("it is no file")))
        }
        Ok(metadata) if metadata.len() > MOST_BYTES => {
            Err(ApiKeyError::Malformed { from: source.clone() })
        }
        Ok(_) => std::fs::read_to_string(path).map(Some).map_err(unreadable),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

/// The environment of a command: who and where it is, and the variables that its source names. What else this process
/// has, such as other keys, is not for it.
fn bare<'e>(environment: &'e Environment, names: &'e [String]) -> Vec<(&'e str, &'e str)> {
    let names = KEPT_VARIABLES.into_iter().chain(names.iter().map(String::as_str));
    names.filter_map(|name| Some((name, environment.get(name)?))).collect()
}

/// The output of a command. It gets no input, so a command that would prompt ends instead of waiting.
async fn ask(
    words: &[String],
    environment: Vec<(&str, &str)>,
    source: &KeySource,
) -> Result<String, ApiKeyError> {
    let failed = |outcome: String| ApiKeyError::Command { from: source.clone(), outcome };
    let unreadable = |error| ApiKeyError::Unreadable { from: source.clone(), source: error };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("is empty".to_owned()))?;
    let mut command = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| ApiKeyError::NotStarted { from: source.clone(), source: error })?;
    let ended = tokio::time::timeout(COMMAND_TIMEOUT, output(&mut command));
    let (output, status) = ended
        .await
        .map_err(|_| failed(format!("did not end within {} s", COMMAND_TIMEOUT.as_secs())))?
        .map_err(unreadable)?;
    if output.len() as u64 > MOST_BYTES {
        return Err(ApiKeyError::Malformed { from: source.clone() });
    }
    if !status.success() {
        return Err(failed(format!("ended with {status}")));
    }
    String::from_utf8(output).map_err(|_| ApiKeyError::Malformed { from: source.clone() })
}

/// What a command prints, up to a little more than any key has, and how it ends.
async fn output(command: &mut Child) -> std::io::Result<(Vec<u8>, ExitStatus)> {
    let mut output = Vec::new();
    if let Some(stdout) = command.stdout.take() {
        stdout.take(MOST_BYTES + 1).read_to_end(&mut output).await?;
    }
    Ok((output, command.wait().await?))
}

fn list(sources: &[KeySource]) -> String {
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(source: KeySource) -> Result<String, ApiKeyError> {
        let environment = Environment::default().with("KEY", "pf_canary");
        Ok(ApiKey::find_all(&[source], &environment).await?[0].expose().to_owned())
    }

    fn file(mode: u32, readable_by_others: bool) -> (tempfile::TempDir, KeySource) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "pf_canary\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (directory, KeySource::File { path, readable_by_others })
    }

    fn command(script: &str) -> KeySource {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        KeySource::Command { words, environment: Vec::new() }
    }

    #[tokio::test]
    async fn p8_the_key_stays_secret_in_debug() {
        let environment = Environment::default().with("KEY", "pf_canary");
        let keys = ApiKey::find_all(&[KeySource::Env("KEY".into())], &environment).await.unwrap();
        assert_eq!(keys[0].expose(), "pf_canary");
        assert_eq!(format!("{keys:?}"), "[ApiKey(from environment variable KEY)]");
        let name = keys[0].name().to_string();
        assert_eq!(name, "environment variable KEY (fingerprint ca014c)");
    }

    #[tokio::test]
    async fn p8_a_file_that_others_can_read_is_refused_unless_told_otherwise() {
        let (_kept, private) = file(0o600, false);
        assert_eq!(found(private).await.unwrap(), "pf_canary");
        let (_kept, exposed) = file(0o644, false);
        assert!(matches!(found(exposed).await, Err(ApiKeyError::Exposed { .. })));
        let (_kept, allowed) = file(0o644, true);
        assert_eq!(found(allowed).await.unwrap(), "pf_canary");
    }

    #[tokio::test]
    async fn p8_a_program_that_fails_shows_nothing_it_printed() {
        assert_eq!(found(command("echo pf_canary")).await.unwrap(), "pf_canary");
        let error = found(command("echo pf_canary; echo pf_canary >&2; exit 3")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the API key: the command of `api_key` ended with exit status: 3"
        );
        assert!(matches!(
            found(command("printf 'a\\nb'")).await,
            Err(ApiKeyError::Malformed { .. })
        ));
    }
}
