//! The URL of a destination.
//!
//! | URL | destination |
//! |---|---|
//! | `lake/purchasing` | a directory, relative or absolute |
//! | `s3://bucket/prefix` | a prefix of an S3 bucket |
//! | `az://container/prefix`, also `azure`, `abfs`, `abfss` | a prefix of an Azure container |
//! | `abfss://container@account.dfs.core.windows.net/prefix` | the same, with the account in the URL |
//! | `gs://bucket/prefix` | a prefix of a Google Cloud Storage bucket |

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use super::kind::{StoreKind, StoreOptions};
use super::own_directory::OWN_DIRECTORY;
use super::registry::kind_of_scheme;
use crate::shown;

/// Where a pipeline keeps its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationUrl {
    /// A directory, absolute or relative to the working directory.
    Local(PathBuf),
    /// A prefix of a bucket.
    Bucket(Box<BucketUrl>),
}

/// A prefix of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    /// The kind of store.
    pub kind: &'static StoreKind,
    /// The scheme as written; a kind may have several.
    pub scheme: &'static str,
    /// The bucket or container. Azure's may name its account: `container@account.dfs.core.windows.net`.
    pub bucket: String,
    /// The prefix, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The options that the definition sets.
    pub options: StoreOptions,
}

impl DestinationUrl {
    /// The kind of store; `None` for a local directory.
    #[must_use]
    pub fn kind(&self) -> Option<&'static StoreKind> {
        match self {
            Self::Local(_) => None,
            Self::Bucket(bucket) => Some(bucket.kind),
        }
    }

    /// A relative directory as one below another directory.
    #[must_use]
    pub fn below(self, directory: &Path) -> Self {
        match self {
            Self::Local(path) if path.is_relative() && !directory.as_os_str().is_empty() => {
                Self::Local(without_detours(&directory.join(path)))
            }
            other => other,
        }
    }

    /// The directory above a local one that is a lake already, unless this one is one too.
    #[must_use]
    pub fn lake_above(&self) -> Option<PathBuf> {
        let Self::Local(path) = self else { return None };
        let is_lake = |directory: &Path| directory.join(OWN_DIRECTORY).is_dir();
        let directory = without_detours(&std::path::absolute(path).ok()?);
        if is_lake(&directory) {
            return None;
        }
        directory.ancestors().skip(1).find(|above| is_lake(above)).map(Path::to_path_buf)
    }

    /// As it is called from any working directory.
    #[must_use]
    pub fn absolute(&self) -> String {
        match self {
            Self::Local(path) => {
                let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                without_detours(&absolute).display().to_string()
            }
            bucket @ Self::Bucket(_) => bucket.to_string(),
        }
    }

    /// The same destination, opened with these options. A local directory has none.
    #[must_use]
    pub fn with_options(self, options: &StoreOptions) -> Self {
        match self {
            Self::Bucket(bucket) => {
                Self::Bucket(Box::new(BucketUrl { options: options.clone(), ..*bucket }))
            }
            local @ Self::Local(_) => local,
        }
    }
}

impl fmt::Display for DestinationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Bucket(url) if url.prefix.is_empty() => {
                write!(f, "{}://{}", url.scheme, url.bucket)
            }
            Self::Bucket(url) => write!(f, "{}://{}/{}", url.scheme, url.bucket, url.prefix),
        }
    }
}

impl FromStr for DestinationUrl {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, InvalidDestination> {
        let invalid = || InvalidDestination::Unknown(shown::quoted(text));
        let Some((scheme, rest)) = text.split_once("://") else {
            return directory(text);
        };
        let kind = kind_of_scheme(scheme).ok_or_else(invalid)?;
        let scheme = kind.schemes.iter().find(|known| **known == scheme).ok_or_else(invalid)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(invalid());
        }
        if rest.contains('?') || (bucket.contains('@') && !kind.names_accounts) {
            return Err(InvalidDestination::HasCredentials);
        }
        let is_part = |it: char| it.is_ascii_alphanumeric() || "-_.$@".contains(it);
        if bucket.contains(':') && bucket.contains('@') {
            return Err(InvalidDestination::HasCredentials);
        }
        if !bucket.chars().all(is_part) {
            return Err(InvalidDestination::Bucket(shown::quoted(bucket)));
        }
        Ok(Self::Bucket(Box::new(BucketUrl {
            kind,
            scheme,
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            options: StoreOptions::default(),
        })))
    }
}

/// A path without `.`, and without directories that `..` leaves again.
fn without_detours(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

/// A directory, as the file system has it: what a shell would have replaced is not.
fn directory(text: &str) -> Result<DestinationUrl, InvalidDestination> {
    let (first, rest) = text.split_once('/').unwrap_or((text, ""));
    if text.trim().is_empty() {
        return Err(InvalidDestination::Unknown(String::new()));
    }
    if first.starts_with('~') {
        return Err(InvalidDestination::Unexpanded {
            with: format!("${{HOME}}/{}", shown::quoted(rest)),
        });
    }
    if let Some(name) = first.strip_prefix('$') {
        let with = format!("${{{}}}/{}", shown::quoted(name), shown::quoted(rest));
        return Err(InvalidDestination::Unexpanded { with });
    }
    if first.strip_suffix(':').is_some_and(|scheme| kind_of_scheme(scheme).is_some()) {
        return Err(InvalidDestination::Unexpanded {
            with: format!("{first}//{}", shown::quoted(rest)),
        });
    }
    Ok(DestinationUrl::Local(PathBuf::from(text)))
}

/// A text that is neither a directory nor the URL of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDestination {
    /// Nothing that is known.
    #[error("`{0}` is not a destination")]
    Unknown(String),
    /// A user, a password or a query: it may be a secret, and is not shown.
    #[error("a destination has no user, password or query: credentials come from the environment")]
    HasCredentials,
    /// No store has buckets that are called so.
    #[error("`{0}` is not the name of a bucket")]
    Bucket(String),
    /// A shell would have replaced a part of it, or it lacks a slash.
    #[error("a directory is not called so: write `{with}`")]
    Unexpanded {
        /// What was meant.
        with: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_a_destination() {
        let rows = [
            ("lake/purchasing", "local", "lake/purchasing"),
            ("s3://bucket/some/prefix/", "S3 bucket some/prefix", "s3://bucket/some/prefix"),
            ("s3://bucket", "S3 bucket ", "s3://bucket"),
            ("az://container/prefix", "Azure container prefix", "az://container/prefix"),
            ("azure://container", "Azure container ", "azure://container"),
            ("abfs://container/p", "Azure container p", "abfs://container/p"),
            (
                "abfss://container@account.dfs.core.windows.net/p",
                "Azure container@account.dfs.core.windows.net p",
                "abfss://container@account.dfs.core.windows.net/p",
            ),
            ("gs://bucket/prefix", "Google Cloud Storage bucket prefix", "gs://bucket/prefix"),
        ];
        for (text, expected, shown) in rows {
            let url: DestinationUrl = text.parse().unwrap();
            let found = match &url {
                DestinationUrl::Local(_) => "local".to_owned(),
                DestinationUrl::Bucket(url) => {
                    format!("{} {} {}", url.kind.name, url.bucket, url.prefix)
                }
            };
            assert_eq!((found.as_str(), url.to_string().as_str()), (expected, shown), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", " ", "s3://", "az:///prefix", "ftp://host/lake", "S3://bucket", "://x"] {
            assert!(text.parse::<DestinationUrl>().is_err(), "{text}");
        }
    }
}
