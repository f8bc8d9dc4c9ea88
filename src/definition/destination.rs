//! `[destination]`: where the tables are kept.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;

use super::checker::Checker;
use super::field::Field;
use super::problem::Problem;
use super::s3::RawS3;
use super::{S3Options, Template};

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

/// Where the tables are kept.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Destination", deny_unknown_fields)]
pub(super) struct RawDestination {
    /// A directory, or `s3://bucket/prefix` with credentials from the usual AWS environment.
    #[schemars(required, extend(
        "examples" = ["lake/purchasing", "s3://bucket/prefix"],
        "pattern" = r"\$\{|\{\{|^s3://[^/]|^(?!.*://).*\S",
    ))]
    pub(super) url: Option<Field<String>>,
    /// The form of the files.
    #[schemars(extend("enum" = ["parquet"], "default" = "parquet"))]
    pub(super) format: Option<Field<String>>,
    /// How the bucket is reached, beyond what the usual AWS environment says.
    pub(super) s3: Option<RawS3>,
}

impl Checker<'_> {
    pub(super) fn destination(
        &mut self,
        raw: Option<RawDestination>,
    ) -> (Option<Template>, S3Options) {
        let mut raw = raw.unwrap_or(RawDestination { url: None, format: None, s3: None });
        let s3 = raw.s3.take();
        let place = self.place(raw);
        let is_bucket = place.as_ref().is_none_or(|it| it.to_string().starts_with("s3://"));
        if s3.is_some() && !is_bucket {
            let message = "the destination is not a bucket".to_owned();
            let help = "write `s3://bucket/prefix`, or leave `[destination.s3]` out";
            self.misuse("destination.url", message, help);
        }
        (place, s3.map(|s3| self.s3(s3)).unwrap_or_default())
    }

    fn place(&mut self, raw: RawDestination) -> Option<Template> {
        const KEY: &str = "destination.url";
        const HELP: &str = "write a directory, as in `lake/purchasing`, or `s3://bucket/prefix`";
        self.choice(raw.format, "destination.format", &[("parquet", ())]);
        if raw.url.is_none() {
            self.problems.push(Problem::missing(KEY, HELP));
        }
        let (template, span) = self.template(raw.url, KEY, false)?;
        if template.to_string().parse::<DestinationUrl>().is_err() {
            self.report(span, KEY, "not a destination", HELP);
            return None;
        }
        Some(template)
    }
}
