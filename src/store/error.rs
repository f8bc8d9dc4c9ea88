//! Errors of the destination.

use object_store::Error as StoreError;
use object_store::path::Path;

use crate::exit_code::{ExitCode, Failure, advice};

/// An operation on the destination failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}the destination {destination}: {}", within(.path.as_ref()), with_cause(.source))]
pub struct DestinationError {
    pub(super) action: &'static str,
    /// The file or directory in the destination; `None` for the destination itself.
    pub(super) path: Option<Path>,
    pub(super) destination: String,
    pub(super) source: StoreError,
}

/// The action of errors about a store that does not honour conditions.
const RELY_ON: &str = "rely on";

impl DestinationError {
    /// The store does not honour a condition that commits rely on.
    pub(super) fn ignores_condition(
        path: &Path,
        destination: &str,
        source: IgnoredCondition,
    ) -> Self {
        let source = StoreError::Generic { store: "conditional write", source: source.into() };
        let (path, destination) = (Some(path.clone()), destination.to_owned());
        Self { action: RELY_ON, path, destination, source }
    }

    /// Whether nothing failed, but the store lacks what commits rely on.
    #[must_use]
    pub fn is_unfit(&self) -> bool {
        self.action == RELY_ON
    }
}

impl DestinationError {
    /// Whether its text tells what to do about it.
    #[must_use]
    pub fn is_understood(&self) -> bool {
        help_about(&with_cause(&self.source)) != advice::CHECK_DESTINATION
    }
}

impl Failure for DestinationError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Destination
    }

    fn help(&self) -> Option<String> {
        let help = if self.is_unfit() {
            "two runs at once could both commit there; keep the tables on local disk, or in a store with conditional \
             writes (`If-None-Match`, `If-Match`)"
        } else {
            help_about(&with_cause(&self.source))
        };
        Some(help.to_owned())
    }
}

/// An error of a store with its innermost cause, which the layers around it do not tell.
fn with_cause(error: &StoreError) -> String {
    let shown = error.to_string();
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let cause = cause.to_string();
    if shown.contains(&cause) { shown } else { format!("{shown}: {cause}") }
}

/// What to do about an error, by what its text tells.
fn help_about(error: &str) -> &'static str {
    const HELPS: [(&[&str], &str); 7] = [
        (&["Permission denied"], advice::OTHER_USER),
        (
            &["169.254.169.254", "metadata.google.internal", "169.254.170.2"],
            "no credentials were found, and this machine has no role: set those of the store in the environment, \
             or name a `profile`",
        ),
        (
            &["invalid peer certificate", "UnknownIssuer", "CaUsedAsEndEntity"],
            "if a proxy or the company's own authority signs the certificate, set `SSL_CERT_FILE` to a file with it; \
             otherwise check the endpoint",
        ),
        (
            &["URL scheme is not allowed"],
            "to use plain http, write the endpoint into `[destination.s3]`, or set `AWS_ALLOW_HTTP=true`",
        ),
        (
            &[
                "InvalidAccessKeyId",
                "SignatureDoesNotMatch",
                "ExpiredToken",
                "AuthenticationFailed",
                "401 Unauthorized",
            ],
            "the store does not accept the credentials: check those in the environment or the profile, and the clock \
             of this machine",
        ),
        (
            &["AccessDenied", "403 Forbidden", "AuthorizationFailure"],
            "the credentials do not allow this: the run needs to list, read, write and delete below the prefix",
        ),
        (
            &[
                "Connection refused",
                "dns error",
                "failed to lookup",
                "handshake eof",
                "InvalidContentType",
            ],
            "check the endpoint and the network, and whether the port speaks http or https; the tables are as they \
             were, and the next run cleans up",
        ),
    ];
    let found = HELPS.into_iter().find(|(signs, _)| signs.iter().any(|sign| error.contains(sign)));
    found.map_or(advice::CHECK_DESTINATION, |(_, help)| help)
}

fn within(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!("`{path}` in "))
}

/// A condition that the store does not honour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum IgnoredCondition {
    #[error("the store ignores `If-None-Match`: it overwrites a file that it was to create")]
    IfNoneMatch,
    #[error(
        "the store ignores `If-Match`: it overwrites a file that has changed since it was read"
    )]
    IfMatch,
    #[error("the store refuses `If-Match` for a file that has not changed")]
    RefusesIfMatch,
    #[error("the store cannot create a file only if it is absent")]
    NoCreate,
    #[error("the store says that it has moved a file, and it has not")]
    Move,
    #[error("the store moves a file over another one")]
    MoveIfAbsent,
    #[error("the file system has no file locks (flock)")]
    NoFileLocks,
    #[error("the file system ignores file locks (flock): two runs could hold one at once")]
    FileLocks,
    #[error("the store gives files no version, so a change cannot be noticed")]
    NoVersion,
}
