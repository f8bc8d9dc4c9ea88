//! A stand-in for Google Cloud Storage in the test process.
//!
//! No emulator from `PyPI` or npm answers the requests that `object_store` sends to Google: it uses the XML API, and
//! `x-goog-if-generation-match` for conditional writes. This one answers these, as Google documents them:
//!
//! | request | answer |
//! |---|---|
//! | `PUT /bucket/object` | 200 with ETag and generation; 412 if `x-goog-if-generation-match` is another generation (0: exists) |
//! | `PUT` with `x-goog-copy-source` | 200; 404 if there is no source |
//! | `PUT ?uploadId&partNumber`, `POST ?uploads`, `POST ?uploadId`, `DELETE ?uploadId` | a multipart upload |
//! | `GET`, `HEAD` | 200 with content, ETag, generation and time; 404 |
//! | `DELETE` | 204; 404 |
//! | `GET /bucket?list-type=2` | the objects in pages |

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use flowlake::store::{Destination, DestinationUrl, StoreOptions, kind_of_scheme};
use percent_encoding::percent_decode_str;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::Workplace;
use super::remote::Remote;

const BUCKET: &str = "lake-bucket";

/// Small, so that listing takes several pages.
const PAGE: usize = 7;

struct StoredObject {
    content: Bytes,
    generation: u64,
    modified: DateTime<Utc>,
}

impl StoredObject {
    fn e_tag(&self) -> String {
        format!("\"{}\"", &blake3::hash(&self.content).to_hex()[..32])
    }
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, StoredObject>,
    uploads: BTreeMap<String, BTreeMap<usize, Bytes>>,
    last_number: u64,
}

#[derive(Default)]
struct Shared {
    bucket: Mutex<Bucket>,
    /// It writes whatever the conditions are.
    ignores_conditions: AtomicBool,
}

/// A server on loopback, stopped when dropped.
pub struct GcsServer {
    endpoint: String,
    shared: Arc<Shared>,
    /// Holds the key file of a service account.
    directory: TempDir,
    _runtime: Runtime,
}

impl GcsServer {
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let runtime = super::runtime();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = shared.clone();
        let app = Router::new().fallback(
            move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
                answer(&state, &method, &uri, &headers, body)
            },
        );
        let app = app.layer(axum::extract::DefaultBodyLimit::disable());
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let directory = TempDir::new().unwrap();
        let server = Self { endpoint, shared, directory, _runtime: runtime };
        std::fs::write(server.key_file(), server.service_account().to_string()).unwrap();
        server
    }

    /// A service account as emulators take it: without a key, and for this server.
    fn service_account(&self) -> serde_json::Value {
        serde_json::json!({
            "gcs_base_url": self.endpoint, "disable_oauth": true,
            "client_email": "", "private_key": "", "private_key_id": "",
        })
    }

    pub fn key_file(&self) -> std::path::PathBuf {
        self.directory.path().join("service account.json")
    }

    pub fn ignore_conditions(&self) {
        self.shared.ignores_conditions.store(true, Ordering::SeqCst);
    }

    fn options(&self) -> StoreOptions {
        let kind = kind_of_scheme("gs").unwrap();
        let mut options = StoreOptions::default();
        let key_file = self.key_file().to_str().unwrap().to_owned();
        options.set(kind.option("service_account").unwrap(), key_file);
        options.set(kind.option("max_attempts").unwrap(), "1");
        options
    }
}

impl Remote for GcsServer {
    fn new_url(&self) -> String {
        *self.shared.bucket.lock().unwrap() = Bucket::default();
        format!("gs://{BUCKET}/some prefix")
    }

    fn open(&self, url: &str) -> Destination {
        let url: DestinationUrl = url.parse().unwrap();
        Destination::open(&url.with_options(&self.options())).unwrap()
    }

    fn environment(&self, workplace: Workplace) -> Workplace {
        workplace.with("GOOGLE_SERVICE_ACCOUNT", self.key_file().to_str().unwrap())
    }
}

fn answer(
    shared: &Shared,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let path = percent_decode_str(uri.path()).decode_utf8().unwrap();
    let (bucket_name, object) =
        path[1..].split_once('/').map_or((&path[1..], None), |(bucket, name)| (bucket, Some(name)));
    if bucket_name != BUCKET {
        let reason = "<Error><Code>NoSuchBucket</Code></Error>";
        return (StatusCode::NOT_FOUND, reason).into_response();
    }
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let mut bucket = shared.bucket.lock().unwrap();
    let upload = query.get("uploadId");
    match (method.as_str(), object) {
        ("GET", None) => bucket.list(&query),
        ("GET" | "HEAD", Some(name)) => bucket.get(name),
        ("POST", Some(_)) if query.contains_key("uploads") => bucket.begin_upload(),
        ("POST", Some(name)) => bucket.complete_upload(name, &query["uploadId"]),
        ("DELETE", Some(_)) if upload.is_some() => bucket.abort_upload(&query["uploadId"]),
        ("DELETE", Some(name)) => match bucket.objects.remove(name) {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => not_found(),
        },
        ("PUT", Some(_)) if upload.is_some() => bucket.put_part(&query, body),
        ("PUT", Some(name)) => {
            let ignores_conditions = shared.ignores_conditions.load(Ordering::SeqCst);
            bucket.put_or_copy(name, headers, body, ignores_conditions)
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response()
}

impl Bucket {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn put_or_copy(
        &mut self,
        name: &str,
        headers: &HeaderMap,
        body: Bytes,
        ignores_conditions: bool,
    ) -> Response {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(expected) = header("x-goog-if-generation-match").filter(|_| !ignores_conditions)
        {
            let found = self.objects.get(name).map_or(0, |object| object.generation);
            if expected != found.to_string() {
                let reason = "<Error><Code>PreconditionFailed</Code></Error>";
                return (StatusCode::PRECONDITION_FAILED, reason).into_response();
            }
        }
        let content = match header("x-goog-copy-source") {
            Some(source) => {
                let source = percent_decode_str(&source).decode_utf8().unwrap();
                let (_, source) = source.split_once('/').unwrap();
                let Some(object) = self.objects.get(source) else { return not_found() };
                object.content.clone()
            }
            None => body,
        };
        self.insert(name, content)
    }

    fn insert(&mut self, name: &str, content: Bytes) -> Response {
        let generation = self.next_number();
        let object = StoredObject { content, generation, modified: Utc::now() };
        let headers =
            [("etag", object.e_tag()), ("x-goog-generation", object.generation.to_string())];
        self.objects.insert(name.to_owned(), object);
        (headers, ()).into_response()
    }

    fn get(&self, name: &str) -> Response {
        let Some(object) = self.objects.get(name) else { return not_found() };
        let modified = object.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = [
            ("etag", object.e_tag()),
            ("last-modified", modified),
            ("x-goog-generation", object.generation.to_string()),
        ];
        (headers, object.content.clone()).into_response()
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Response {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let after = query.get("continuation-token").or(query.get("start-after"));
        let found = self.objects.iter().filter(|(name, _)| name.starts_with(prefix));
        let mut found =
            found.filter(|(name, _)| after.is_none_or(|after| *name > after)).peekable();
        let mut xml = "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult>".to_owned();
        let mut last = String::new();
        for (name, object) in found.by_ref().take(PAGE) {
            let name = name.replace('&', "&amp;").replace('<', "&lt;");
            let modified = object.modified.to_rfc3339_opts(SecondsFormat::Millis, true);
            let (bytes, e_tag) = (object.content.len(), object.e_tag());
            write!(
                xml,
                "<Contents><Key>{name}</Key><LastModified>{modified}</LastModified>\
                 <ETag>{e_tag}</ETag><Size>{bytes}</Size></Contents>"
            )
            .unwrap();
            last = name;
        }
        if found.peek().is_some() {
            write!(xml, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
        }
        (xml + "</ListBucketResult>").into_response()
    }

    fn begin_upload(&mut self) -> Response {
        let upload = format!("upload-{}", self.next_number());
        self.uploads.insert(upload.clone(), BTreeMap::new());
        format!(
            "<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>\
             </InitiateMultipartUploadResult>"
        )
        .into_response()
    }

    fn put_part(&mut self, query: &BTreeMap<String, String>, body: Bytes) -> Response {
        let Some(parts) = self.uploads.get_mut(&query["uploadId"]) else { return not_found() };
        let number: usize = query["partNumber"].parse().unwrap();
        parts.insert(number, body);
        ([("etag", format!("\"part-{number}\""))], ()).into_response()
    }

    fn complete_upload(&mut self, name: &str, upload: &str) -> Response {
        let Some(parts) = self.uploads.remove(upload) else { return not_found() };
        let count = parts.len();
        let is_small = |(number, part): (&usize, &Bytes)| *number < count && part.len() < 5 << 20;
        if parts.iter().any(is_small) {
            let reason = "<Error><Code>EntityTooSmall</Code></Error>";
            return (StatusCode::BAD_REQUEST, reason).into_response();
        }
        let content: Vec<u8> = parts.into_values().flatten().collect();
        let _ = self.insert(name, content.into());
        let object = &self.objects[name];
        let headers = [("x-goog-generation", object.generation.to_string())];
        let e_tag = object.e_tag();
        let xml = format!(
            "<CompleteMultipartUploadResult><ETag>{e_tag}</ETag></CompleteMultipartUploadResult>"
        );
        (headers, xml).into_response()
    }

    fn abort_upload(&mut self, upload: &str) -> Response {
        match self.uploads.remove(upload) {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => not_found(),
        }
    }
}
