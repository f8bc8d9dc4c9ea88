//! Where tables are kept.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::S3Options;

/// Where tables are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationUrl {
    /// A directory, relative to where flowlake is started or absolute.
    Local(PathBuf),
    /// `s3://bucket/prefix`.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// The part after the bucket, without slashes at its ends; may be empty.
        prefix: String,
        /// How the bucket is reached.
        options: Box<S3Options>,
    },
}

impl DestinationUrl {
    /// The same place; if it is a bucket, reached in this way.
    #[must_use]
    pub fn reached_by(self, options: &S3Options) -> Self {
        match self {
            Self::S3 { bucket, prefix, .. } => {
                Self::S3 { bucket, prefix, options: Box::new(options.clone()) }
            }
            local @ Self::Local(_) => local,
        }
    }
}

impl fmt::Display for DestinationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix, .. } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl FromStr for DestinationUrl {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, InvalidDestination> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/').to_owned();
            if bucket.is_empty() {
                return Err(InvalidDestination(text.to_owned()));
            }
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix, options: Box::default() });
        }
        if text.trim().is_empty() || text.contains("://") {
            return Err(InvalidDestination(text.to_owned()));
        }
        Ok(Self::Local(PathBuf::from(text)))
    }
}

/// A text is neither a directory nor the URL of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no destination")]
pub struct InvalidDestination(String);
