//! A real S3 server in the test process, over a temporary directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::Service;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use object_store::ObjectStore;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

use super::{Workplace, wait_until};

const BUCKET: &str = "lake-bucket";

/// The body of a 200. Not one of the codes for which the client asks again.
const COPY_ERROR: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>OperationAborted</Code>\
                          <Message>The copy was aborted.</Message></Error>";

/// A process to kill at one of its requests.
#[derive(Clone, Copy)]
struct Victim {
    at: usize,
    /// None until it was started.
    process: Option<u32>,
}

/// Records requests, and kills the process that makes one of them.
#[derive(Default)]
struct Watch {
    requests: AtomicUsize,
    victim: Mutex<Option<Victim>>,
    /// The methods and headers of all requests.
    seen: Mutex<Vec<(Method, HeaderMap)>>,
    /// Creates objects that exist, as some S3 look-alikes do.
    ignores_conditions: AtomicBool,
    /// Replaces objects whatever their version is.
    ignores_if_match: AtomicBool,
    /// Answers to copy with 200 and an error in the body, and copies nothing.
    lies_about_copies: AtomicBool,
    /// Held for each conditional write: the file system looks first and writes then, and S3 does both at once.
    conditional: tokio::sync::Mutex<()>,
    /// The answer to every so manieth write is lost, although it took effect; none where it is 0.
    lost_answers: AtomicUsize,
    /// The copies that are held until all of them are there.
    together: Mutex<Vec<Arc<Barrier>>>,
    /// How many requests take effect at this moment.
    at_work: AtomicUsize,
    connections: AtomicUsize,
}

impl Watch {
    fn ignores_if_match(&self) -> bool {
        self.ignores_if_match.load(Ordering::SeqCst)
    }

    fn ignores_conditions(&self) -> bool {
        self.ignores_conditions.load(Ordering::SeqCst)
    }

    /// Kills the process if this is its request. Returns whether it did.
    fn strikes(&self, request: usize) -> bool {
        let victim = || self.victim.lock().unwrap().filter(|victim| victim.at == request);
        if victim().is_none() {
            return false;
        }
        // Its first request may be faster than who started it.
        wait_until("nobody says what to kill", || victim().is_none_or(|it| it.process.is_some()));
        let Some(process) = victim().and_then(|it| it.process) else { return false };
        Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
        true
    }
}

/// A request that takes effect, until it is dropped.
struct AtWork(Arc<Watch>);

impl AtWork {
    fn on(watch: &Arc<Watch>) -> Self {
        watch.at_work.fetch_add(1, Ordering::SeqCst);
        Self(watch.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The service, with every request recorded.
#[derive(Clone)]
struct Watched {
    service: S3Service,
    watch: Arc<Watch>,
    /// Where its buckets are.
    directory: PathBuf,
}

impl Service<Request<Incoming>> for Watched {
    type Response = Response<s3s::Body>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let Self { service, watch, directory } = self.clone();
        Box::pin(async move {
            let number = watch.requests.fetch_add(1, Ordering::SeqCst);
            let seen = (request.method().clone(), request.headers().clone());
            watch.seen.lock().unwrap().push(seen);
            if request.headers().contains_key("if-none-match") && watch.ignores_conditions() {
                // A missing object can always be created.
                let file = request.uri().path().trim_start_matches('/');
                let _ = std::fs::remove_file(directory.join(file));
            }
            if request.headers().contains_key("if-match") && watch.ignores_if_match() {
                let file = directory.join(request.uri().path().trim_start_matches('/'));
                let body = axum::body::Body::new(request.into_body());
                std::fs::write(file, axum::body::to_bytes(body, 1 << 20).await?)?;
                return Ok(Response::builder().header("etag", "\"x\"").body(s3s::Body::empty())?);
            }
            let is_copy = request.headers().contains_key("x-amz-copy-source");
            let held = if is_copy { watch.together.lock().unwrap().pop() } else { None };
            if let Some(others) = held {
                others.wait().await;
            }
            if is_copy && watch.lies_about_copies.load(Ordering::SeqCst) {
                return Ok(Response::new(COPY_ERROR.to_owned().into()));
            }
            if watch.strikes(number) {
                return Err("nobody waits for an answer".into());
            }
            let is_write = request.method() == Method::PUT;
            let has_condition = ["if-none-match", "if-match"]
                .iter()
                .any(|header| request.headers().contains_key(*header));
            // As with S3, a request that has arrived takes effect, whether or not somebody waits for the answer.
            let at_work = AtWork::on(&watch);
            let taking_effect = tokio::spawn(async move {
                let conditional = &at_work.0.conditional;
                let _alone =
                    if is_write && has_condition { Some(conditional.lock().await) } else { None };
                Service::call(&service, request).await
            });
            let answer = taking_effect.await?;
            let every = watch.lost_answers.load(Ordering::SeqCst);
            if is_write && every > 0 && number % every == 0 {
                return Err("the answer is lost".into());
            }
            answer.map_err(|error| format!("{error:?}").into())
        })
    }
}

/// A server on loopback, stopped when dropped.
pub struct S3Server {
    directory: TempDir,
    endpoint: String,
    watch: Arc<Watch>,
    _runtime: Runtime,
}

impl S3Server {
    /// The prefix of the destination.
    pub const PREFIX: &str = "some/prefix";

    pub fn start() -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(directory.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("test-access", "test-secret"));
        let watch = Arc::new(Watch::default());
        let place = directory.path().to_owned();
        let service = Watched { service: service.build(), watch: watch.clone(), directory: place };
        let runtime = super::runtime();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move {
            loop {
                // Too many open files, perhaps; the client asks again.
                let Ok((socket, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let service = service.clone();
                // Otherwise every answer of two packets is delayed by 40 ms.
                socket.set_nodelay(true).unwrap();
                let watch = service.watch.clone();
                watch.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(socket), service).await;
                    watch.connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { directory, endpoint, watch, _runtime: runtime }
    }

    /// The environment in which the binary writes to this server.
    pub fn environment(&self, workplace: Workplace) -> Workplace {
        workplace
            .with("AWS_ACCESS_KEY_ID", "test-access")
            .with("AWS_SECRET_ACCESS_KEY", "test-secret")
            .with("AWS_REGION", "us-east-1")
            .with("AWS_ENDPOINT_URL", &self.endpoint)
            .with("AWS_ALLOW_HTTP", "true")
            .with("TEST_DESTINATION", &self.destination())
    }

    /// Its bucket.
    pub fn bucket(&self) -> Arc<dyn ObjectStore> {
        super::moto::bucket_at(&self.endpoint, BUCKET)
    }

    pub fn ignore_conditions(&self) {
        self.watch.ignores_conditions.store(true, Ordering::SeqCst);
    }

    /// Loses the answer to every so manieth request, if it is a write.
    pub fn lose_answers(&self, every: usize) {
        self.watch.lost_answers.store(every, Ordering::SeqCst);
    }

    pub fn ignore_if_match(&self) {
        self.watch.ignores_if_match.store(true, Ordering::SeqCst);
    }

    pub fn lie_about_copies(&self, lies: bool) {
        self.watch.lies_about_copies.store(lies, Ordering::SeqCst);
    }

    /// Answers to none of the next copies before so many of them are there.
    pub fn hold_copies_until(&self, copies: usize) {
        let barrier = Arc::new(Barrier::new(copies));
        *self.watch.together.lock().unwrap() = vec![barrier; copies];
    }

    /// Waits until every request that has arrived has taken effect.
    #[track_caller]
    pub fn settle(&self) {
        wait_until("a request takes for ever", || self.watch.at_work.load(Ordering::SeqCst) == 0);
    }

    /// The number of requests so far, by method.
    pub fn requests(&self) -> BTreeMap<String, usize> {
        let mut requests = BTreeMap::new();
        for (method, _) in self.watch.seen.lock().unwrap().iter() {
            *requests.entry(method.to_string()).or_default() += 1;
        }
        requests
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The headers of all requests of a method.
    pub fn headers(&self, method: &str) -> Vec<HeaderMap> {
        let seen = self.watch.seen.lock().unwrap();
        let of_method = seen.iter().filter(|(other, _)| other.as_str() == method);
        of_method.map(|(_, headers)| headers.clone()).collect()
    }

    /// Empties the bucket.
    pub fn empty(&self) {
        self.settle();
        let bucket = self.directory.path().join(BUCKET);
        std::fs::remove_dir_all(&bucket).unwrap();
        std::fs::create_dir(&bucket).unwrap();
    }

    /// The URL of the destination that definitions name.
    #[expect(clippy::unused_self, reason = "it is this server's")]
    pub fn destination(&self) -> String {
        format!("s3://{BUCKET}/{}", Self::PREFIX)
    }

    /// Runs a process and kills it at its request of this number, which has no effect.
    pub fn kill_at(&self, request: usize, start: impl FnOnce() -> Child) -> ExitStatus {
        let at = self.watch.requests.load(Ordering::SeqCst) + request;
        let victim = |process| Some(Victim { at, process });
        *self.watch.victim.lock().unwrap() = victim(None);
        let mut run = start();
        *self.watch.victim.lock().unwrap() = victim(Some(run.id()));
        let status = run.wait().unwrap();
        // What it had sent before may be read later.
        wait_until("a connection stays", || self.watch.connections.load(Ordering::SeqCst) == 0);
        *self.watch.victim.lock().unwrap() = None;
        status
    }

    /// The objects under the prefix, read from the files that the server keeps them in.
    pub fn lake(&self) -> super::Lake {
        super::Lake::at(&self.prefix())
    }

    pub fn prefix(&self) -> std::path::PathBuf {
        Path::new(self.directory.path()).join(BUCKET).join(Self::PREFIX)
    }
}
