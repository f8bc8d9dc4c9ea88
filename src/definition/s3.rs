//! How a bucket is reached, beyond what the usual AWS environment says.

use schemars::JsonSchema;
use url::Url;

use super::checker::Checker;
use super::field::Field;
use super::problem::Problem;

/// How a bucket is reached. What is not told is as the environment has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct S3Options {
    /// The server, unless it is AWS's of the region.
    pub endpoint: Option<Url>,
    /// The region.
    pub region: Option<String>,
    /// The bucket stands in the path of URLs, and not in the name of the host.
    pub path_style: Option<bool>,
    /// The profile in the files of AWS's own tools that credentials, region and endpoint are from.
    pub profile: Option<String>,
    /// How the server encrypts what it stores, unless the bucket says so.
    pub encryption: Option<Encryption>,
    /// The key that it encrypts with.
    pub kms_key: Option<String>,
    /// The bucket has a key of its own, which makes for fewer requests to the service that keeps keys.
    pub bucket_key: Option<bool>,
    /// How often a request is sent before it is given up.
    pub tries: Option<u32>,
}

/// How a server encrypts what it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// With keys of the server.
    Aes256,
    /// With a key of AWS's key management.
    Kms,
    /// Twice, with such a key.
    KmsTwice,
}

impl Encryption {
    /// The words a definition may use, which are those of S3.
    pub const WORDS: [(&str, Self); 3] =
        [("AES256", Self::Aes256), ("aws:kms", Self::Kms), ("aws:kms:dsse", Self::KmsTwice)];
}

/// How a bucket is reached.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "S3", deny_unknown_fields)]
pub(super) struct RawS3 {
    /// The server, unless it is AWS's of the region.
    #[schemars(extend("examples" = ["https://minio.example.com:9000"]))]
    pub(super) endpoint: Option<Field<String>>,
    /// The region.
    #[schemars(extend("examples" = ["eu-central-1"]))]
    pub(super) region: Option<Field<String>>,
    /// The bucket stands in the path of URLs, and not in the name of the host.
    pub(super) path_style: Option<bool>,
    /// The profile in the AWS credentials and config files that credentials, region and endpoint are from.
    pub(super) profile: Option<Field<String>>,
    /// How the server encrypts what it stores, unless the bucket says so.
    #[schemars(extend("enum" = ["AES256", "aws:kms", "aws:kms:dsse"]))]
    pub(super) server_side_encryption: Option<Field<String>>,
    /// The key that it encrypts with.
    pub(super) kms_key: Option<Field<String>>,
    /// The bucket has a key of its own, for fewer requests to the key management.
    pub(super) bucket_key: Option<bool>,
    /// How often a request is sent before it is given up.
    #[schemars(extend("default" = 11))]
    pub(super) tries: Option<Field<usize>>,
}

impl Checker<'_> {
    pub(super) fn s3(&mut self, raw: RawS3) -> S3Options {
        let encryption = self.choice(
            raw.server_side_encryption,
            "destination.s3.server_side_encryption",
            &Encryption::WORDS,
        );
        let options = S3Options {
            endpoint: self.endpoint(raw.endpoint),
            region: self.plain(raw.region, "region"),
            path_style: raw.path_style,
            profile: self.plain(raw.profile, "profile"),
            encryption,
            kms_key: self.plain(raw.kms_key, "kms_key"),
            bucket_key: raw.bucket_key,
            tries: self.count(raw.tries, "destination.s3.tries", 1),
        };
        let is_by_key = matches!(encryption, Some(Encryption::Kms | Encryption::KmsTwice));
        if (options.kms_key.is_some() || options.bucket_key.is_some()) && !is_by_key {
            let message = "nothing is encrypted with a key of the key management".to_owned();
            let help = "add `server_side_encryption = \"aws:kms\"`";
            let name = if options.kms_key.is_some() { "kms_key" } else { "bucket_key" };
            self.misuse(&format!("destination.s3.{name}"), message, help);
        }
        options
    }

    fn plain(&mut self, field: Option<Field<String>>, name: &str) -> Option<String> {
        self.text(field, &format!("destination.s3.{name}")).map(|(text, _)| text)
    }

    fn endpoint(&mut self, field: Option<Field<String>>) -> Option<Url> {
        const KEY: &str = "destination.s3.endpoint";
        const HELP: &str = "write it like `https://minio.example.com:9000`, without credentials";
        let (text, span) = self.text(field, KEY)?;
        // What may be a password is not repeated.
        let endpoint = text.parse::<Url>().ok().filter(|url| {
            ["http", "https"].contains(&url.scheme())
                && url.username().is_empty()
                && url.password().is_none()
        });
        if endpoint.is_none() {
            let problem = Problem::at(span, KEY, "this is no endpoint", HELP);
            self.problems.push(problem.hiding_the_line());
        }
        endpoint
    }
}
