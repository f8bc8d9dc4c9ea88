//! How a bucket is reached, beyond what the usual AWS environment says.

use url::Url;

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
