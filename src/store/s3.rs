//! S3 and stores that speak its protocol.
//!
//! | setting | the first of these that is set |
//! |---|---|
//! | credentials | `profile` of the definition; the variables of the environment (keys, web identity, container); the profile `AWS_PROFILE`, or `default`; the role of the instance |
//! | region, endpoint | the definition; the environment; the profile |
//! | everything else | the definition; the environment |

use std::path::PathBuf;
use std::sync::Arc;

use ini::Ini;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
use object_store::{ClientConfigKey, Error as StoreError, ObjectStore};

use super::kind::{MAX_ATTEMPTS, OptionConflict, OptionType, StoreKind, StoreOption, StoreOptions};
use crate::shown::{self, KindOfSecret};

/// Amazon S3, `MinIO`, Ceph, Cloudflare R2 and the like.
pub(super) static S3: StoreKind = StoreKind {
    name: "S3",
    schemes: &["s3"],
    bucket: "bucket",
    names_accounts: false,
    section: "s3",
    description: "How an S3 bucket is reached. What is left out comes from the usual AWS environment.",
    options: &[
        StoreOption::url(
            "endpoint",
            "The server of a store other than AWS's.",
            "https://minio.example.com:9000",
        ),
        StoreOption::text("region", "The region.").such_as("eu-central-1"),
        StoreOption::flag(
            "path_style",
            "Whether the bucket is part of the URL's path; false: of its host name.",
        ),
        StoreOption::text(
            "profile",
            "The profile in the AWS credentials and config files to take credentials, region and endpoint from.",
        ),
        StoreOption {
            key: ENCRYPTION,
            value: OptionType::Choice(&["AES256", KMS, KMS_TWICE]),
            description: "How the server encrypts objects; by default as the bucket says.",
            example: None,
        },
        StoreOption::text(KMS_KEY, "The KMS key to encrypt with."),
        StoreOption::flag(
            BUCKET_KEY,
            "Whether to use an S3 bucket key, for fewer requests to KMS.",
        ),
        MAX_ATTEMPTS,
    ],
    secrets: &[
        ("access_key_id", "AWS_ACCESS_KEY_ID"),
        ("secret_access_key", "AWS_SECRET_ACCESS_KEY"),
        ("session_token", "AWS_SESSION_TOKEN"),
        ("token", "AWS_SESSION_TOKEN"),
    ],
    check: Some(kms_options_need_kms),
    open,
    copies_in_background: false,
    // Many servers ignore the condition, and some refuse it.
    copy_if_absent: None,
};

const ENCRYPTION: &str = "server_side_encryption";
const KMS: &str = "aws:kms";
const KMS_TWICE: &str = "aws:kms:dsse";
const KMS_KEY: &str = "kms_key";
const BUCKET_KEY: &str = "bucket_key";

/// Environment variables that hold or name credentials.
const CREDENTIAL_VARIABLES: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// Keys of a profile that only AWS's own tools can follow to credentials.
const UNSUPPORTED_KEYS: [&str; 5] =
    ["sso_session", "sso_start_url", "credential_process", "source_profile", "credential_source"];

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
enum ProfileError {
    #[error(
        "there is no profile `{0}` in the AWS credentials and config files; name another, or leave it out"
    )]
    Absent(String),
    #[error(
        "the profile `{profile}` gets its credentials by `{key}`, which only AWS's own tools support: set the variables \
         that `aws configure export-credentials --profile {profile} --format env` prints"
    )]
    Unsupported { profile: String, key: &'static str },
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: ini::Error },
}

fn kms_options_need_kms(options: &StoreOptions) -> Option<OptionConflict> {
    let uses_kms = matches!(options.get(ENCRYPTION), Some(KMS | KMS_TWICE));
    let key = [KMS_KEY, BUCKET_KEY].into_iter().find(|key| options.get(key).is_some())?;
    (!uses_kms).then_some(OptionConflict {
        key,
        message: "this has no effect without encryption by KMS",
        help: "add `server_side_encryption = \"aws:kms\"`",
    })
}

fn open(bucket: &str, options: &StoreOptions) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    let profile = find_profile(options.get("profile"))
        .map_err(|error| StoreError::Generic { store: "AWS profile", source: error.into() })?;
    if let Some(profile) = profile {
        builder = profile.apply(builder, options.get("profile").is_some());
    }
    if let Some(endpoint) = options.get("endpoint") {
        builder = builder
            .with_endpoint(endpoint.trim_end_matches('/'))
            .with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(region) = options.get("region") {
        builder = builder.with_region(region);
    }
    if let Some(path_style) = options.get("path_style") {
        builder = builder.with_virtual_hosted_style_request(path_style != "true");
    }
    // The variants of these keys are private; they can only be parsed.
    let encryption = [
        ("aws_server_side_encryption", ENCRYPTION),
        ("aws_sse_kms_key_id", KMS_KEY),
        ("aws_sse_bucket_key_enabled", BUCKET_KEY),
    ];
    for (name, option) in encryption {
        if let Some(value) = options.get(option) {
            builder = builder.with_config(name.parse()?, value);
        }
    }
    if let Some(retries) = options.retries() {
        builder = builder.with_retry(retries);
    }
    // What is no URL is a panic of the library, later.
    if let Some(endpoint) = builder.get_config_value(&Key::Endpoint) {
        let is_url = url::Url::parse(&endpoint)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_url {
            return Err(StoreError::Generic {
                store: "S3",
                source: NotAnEndpoint(endpoint).into(),
            });
        }
    }
    Ok(Arc::new(builder.build()?))
}

/// An endpoint of the environment or a profile that is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "the endpoint `{0}` is not an http or https URL: correct `AWS_ENDPOINT_URL`, or `endpoint_url` of the profile"
)]
struct NotAnEndpoint(String);

/// The profile to use, if any.
fn find_profile(named: Option<&str>) -> Result<Option<Profile>, ProfileError> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = match named {
        Some(name) => Some(name.to_owned()),
        None if CREDENTIAL_VARIABLES.iter().any(|name| value(name).is_some()) => return Ok(None),
        None => value("AWS_PROFILE"),
    };
    match named {
        Some(name) => Profile::read(&name)?.map(Some).ok_or(ProfileError::Absent(name)),
        None => Profile::read("default"),
    }
}

/// The settings of an AWS profile.
struct Profile {
    settings: Vec<(Key, String)>,
}

impl Profile {
    fn read(name: &str) -> Result<Option<Self>, ProfileError> {
        let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let files = [
            ("AWS_CONFIG_FILE", ".aws/config", in_config.as_str()),
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", name),
        ];
        let (mut settings, mut exists) = (Vec::new(), false);
        for (variable, default_path, section) in files {
            let path = aws_file(variable, default_path).filter(|path| path.is_file());
            let Some(path) = path else { continue };
            let file = Ini::load_from_file(&path)
                .map_err(|source| ProfileError::Unreadable { path, source })?;
            let Some(section) = file.section(Some(section)) else { continue };
            exists = true;
            if let Some(key) = UNSUPPORTED_KEYS.into_iter().find(|key| section.contains_key(key)) {
                return Err(ProfileError::Unsupported { profile: name.to_owned(), key });
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
            for key in ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"] {
                if let Some(value) = section.get(key) {
                    shown::remember(KindOfSecret::Credential, value);
                }
            }
            section.get("endpoint_url").into_iter().for_each(shown::remember_login);
            let found = keys.into_iter().filter_map(|(name, key)| Some((key, section.get(name)?)));
            settings.extend(found.map(|(key, value)| (key, value.to_owned())));
        }
        Ok(exists.then_some(Self { settings }))
    }

    /// Adds the profile's settings to a builder. Region and endpoint of the environment take precedence. Credentials
    /// are never mixed: a profile that the definition names replaces those of the environment.
    fn apply(self, builder: AmazonS3Builder, is_named: bool) -> AmazonS3Builder {
        let mut builder = if is_named { without_credentials(&builder) } else { builder };
        for (key, value) in self.settings {
            let is_location = matches!(key, Key::Region | Key::Endpoint);
            if is_location && builder.get_config_value(&key).is_some() {
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

/// A builder with the location of the bucket and without credentials.
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

/// A file of AWS's own tools: at the path in the variable, or at its default path.
fn aws_file(variable: &str, default_path: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) if !path.is_empty() => Some(path.into()),
        _ => Some(std::env::home_dir()?.join(default_path)),
    }
}
