//! moto's S3 server, by other authors than s3s. It has to be installed: `make test-s3`.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;

const BUCKET: &str = "lake-bucket";

/// A server on loopback, stopped when dropped.
pub struct Moto {
    process: Child,
    endpoint: String,
}

impl Moto {
    /// The program is named by `MOTO_SERVER`.
    pub fn start() -> Self {
        let program = std::env::var("MOTO_SERVER").unwrap_or_else(|_| "moto_server".to_owned());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let moto = Self { process, endpoint: format!("http://127.0.0.1:{port}") };
        moto.empty();
        moto
    }

    /// Empties the bucket.
    pub fn empty(&self) {
        let requests = async {
            let client = reqwest::Client::new();
            let reset = client.post(format!("{}/moto-api/reset", self.endpoint));
            assert!(reset.send().await.unwrap().status().is_success());
            let bucket = client.put(format!("{}/{BUCKET}", self.endpoint));
            assert!(bucket.send().await.unwrap().status().is_success());
        };
        // The caller may be driving a runtime.
        std::thread::scope(|scope| {
            scope.spawn(|| super::runtime().block_on(requests)).join().unwrap();
        });
    }

    /// Its bucket.
    pub fn bucket(&self) -> Arc<dyn ObjectStore> {
        bucket_at(&self.endpoint, BUCKET)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A bucket of a server on this machine.
pub fn bucket_at(endpoint: &str, bucket: &str) -> Arc<dyn ObjectStore> {
    let bucket = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_access_key_id("test-access")
        .with_secret_access_key("test-secret")
        .with_bucket_name(bucket)
        .build();
    Arc::new(bucket.unwrap())
}
