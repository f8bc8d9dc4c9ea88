//! What `[destination.s3]` says of a bucket.

use url::Url;

use super::Checker;
use crate::definition::problem::Problem;
use crate::definition::raw::{Field, RawS3};
use crate::definition::{Encryption, S3Options};

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
