//! S3: how a bucket is opened, by the definition, the environment and the files of AWS's own tools.
//!
//! | setting | the first of these that says something |
//! |---|---|
//! | credentials | `profile` of the definition; the variables of the environment (keys, web identity, container); the profile `AWS_PROFILE`, or `default`; the role of the instance |
//! | region, endpoint | the definition; the environment; the profile |
//! | everything else | the definition; the environment |

use std::path::PathBuf;

use ini::Ini;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key};
use object_store::{ClientConfigKey, Error as StoreError, RetryConfig};

use crate::definition::{Encryption, S3Options};

/// Variables of the environment that tell of credentials.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// Ways to credentials that a profile may name and that only AWS's own tools know.
const FOREIGN_WAYS: [&str; 5] =
    ["sso_session", "sso_start_url", "credential_process", "source_profile", "credential_source"];

/// A profile is of no use.
#[derive(Debug, thiserror::Error)]
enum ProfileError {
    #[error(
        "there is no profile `{0}` in the AWS credentials and config files; name another, or leave it out"
    )]
    Absent(String),
    #[error(
        "the profile `{profile}` gets its credentials by `{way}`, which takes AWS's own tools: set the variables that \
         `aws configure export-credentials --profile {profile} --format env` prints"
    )]
    Foreign { profile: String, way: &'static str },
    #[error("the file {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: ini::Error },
}

/// Opens a bucket.
///
/// # Errors
/// The profile is of no use, or settings do not go together.
pub(crate) fn open(bucket: &str, options: &S3Options) -> Result<AmazonS3, StoreError> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    let profile = profile(options)
        .map_err(|error| StoreError::Generic { store: "AWS profile", source: error.into() })?;
    if let Some(profile) = profile {
        builder = profile.apply(builder, options.profile.is_some());
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_allow_http(endpoint.scheme() == "http");
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(path_style) = options.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    for (key, value) in encryption(options) {
        builder = builder.with_config(key, value);
    }
    if let Some(tries) = options.tries {
        let max_retries = tries.saturating_sub(1) as usize;
        builder = builder.with_retry(RetryConfig { max_retries, ..RetryConfig::default() });
    }
    builder.build()
}

/// The settings of encryption, whose keys have names only.
fn encryption(options: &S3Options) -> impl Iterator<Item = (Key, String)> {
    let words = Encryption::WORDS.iter();
    let mut words = words.filter(|(_, other)| Some(*other) == options.encryption);
    let settings = [
        ("aws_server_side_encryption", words.next().map(|(word, _)| (*word).to_owned())),
        ("aws_sse_kms_key_id", options.kms_key.clone()),
        ("aws_sse_bucket_key_enabled", options.bucket_key.map(|is_used| is_used.to_string())),
    ];
    settings.into_iter().filter_map(|(key, value)| Some((key.parse().ok()?, value?)))
}

/// The profile that is to be used, if one is.
fn profile(options: &S3Options) -> Result<Option<Profile>, ProfileError> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = match &options.profile {
        Some(name) => Some(name.clone()),
        None if CREDENTIALS.iter().any(|name| value(name).is_some()) => return Ok(None),
        None => value("AWS_PROFILE"),
    };
    match named {
        Some(name) => Profile::read(&name)?.map(Some).ok_or(ProfileError::Absent(name)),
        None => Profile::read("default"),
    }
}

/// What a profile says.
struct Profile {
    settings: Vec<(Key, String)>,
}

impl Profile {
    fn read(name: &str) -> Result<Option<Self>, ProfileError> {
        let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let places = [
            ("AWS_CONFIG_FILE", ".aws/config", in_config.as_str()),
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", name),
        ];
        let (mut settings, mut is_there) = (Vec::new(), false);
        for (variable, usual, section) in places {
            let Some(path) = file(variable, usual).filter(|path| path.is_file()) else { continue };
            let file = Ini::load_from_file(&path)
                .map_err(|source| ProfileError::Unreadable { path, source })?;
            let Some(section) = file.section(Some(section)) else { continue };
            is_there = true;
            if let Some(way) = FOREIGN_WAYS.into_iter().find(|way| section.contains_key(way)) {
                return Err(ProfileError::Foreign { profile: name.to_owned(), way });
            }
            let keys = [
                ("aws_access_key_id", Key::AccessKeyId),
                ("aws_secret_access_key", Key::SecretAccessKey),
                ("aws_session_token", Key::Token),
                ("web_identity_token_file", Key::WebIdentityTokenFile),
                ("role_arn", Key::RoleArn),
                ("role_session_name", Key::RoleSessionName),
                ("region", Key::Region),
                ("endpoint_url", Key::Endpoint),
            ];
            let told = keys.into_iter().filter_map(|(name, key)| Some((key, section.get(name)?)));
            settings.extend(told.map(|(key, value)| (key, value.to_owned())));
        }
        Ok(is_there.then_some(Self { settings }))
    }

    /// Adds its settings: region and endpoint where the environment has none, and the credentials, of which none are made
    /// of two halves. A profile that the definition names is used, whatever credentials the environment has.
    fn apply(self, builder: AmazonS3Builder, is_named: bool) -> AmazonS3Builder {
        let mut builder = if is_named { without_credentials(&builder) } else { builder };
        for (key, value) in self.settings {
            let is_place = matches!(key, Key::Region | Key::Endpoint);
            if is_place && builder.get_config_value(&key).is_some() {
                continue;
            }
            if key == Key::Endpoint && value.starts_with("http://") {
                builder = builder.with_allow_http(true);
            }
            builder = builder.with_config(key, value);
        }
        builder
    }
}

/// What a builder has that tells where a bucket is, and not who asks for it.
fn without_credentials(builder: &AmazonS3Builder) -> AmazonS3Builder {
    let keys = [
        Key::Bucket,
        Key::Region,
        Key::Endpoint,
        Key::VirtualHostedStyleRequest,
        Key::Client(ClientConfigKey::AllowHttp),
    ];
    let kept = keys.into_iter().filter_map(|key| Some((key, builder.get_config_value(&key)?)));
    kept.fold(AmazonS3Builder::new(), |kept, (key, value)| kept.with_config(key, value))
}

/// A file of AWS's own tools: where the environment says, or where it usually is.
fn file(variable: &str, usual: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) if !path.is_empty() => Some(path.into()),
        _ => Some(std::env::home_dir()?.join(usual)),
    }
}
