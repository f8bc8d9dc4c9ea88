//! A real S3 server in the test process, over a temporary directory.

use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::Workplace;

const BUCKET: &str = "lake-bucket";

/// A server on loopback, stopped when dropped.
pub struct S3Server {
    directory: TempDir,
    endpoint: String,
    _runtime: Runtime,
}

impl S3Server {
    pub fn start() -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::create_dir(directory.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(directory.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("test-access", "test-secret"));
        let service = service.build();
        let runtime = super::runtime();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { directory, endpoint, _runtime: runtime }
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

    /// The URL of the destination that definitions name.
    pub fn destination(&self) -> String {
        format!("s3://{BUCKET}/some/prefix")
    }

    /// The objects under the prefix, as the files the server keeps them in.
    pub fn lake(&self) -> super::Lake {
        super::Lake::at(&self.prefix())
    }

    pub fn prefix(&self) -> std::path::PathBuf {
        Path::new(self.directory.path()).join(BUCKET).join("some/prefix")
    }
}
