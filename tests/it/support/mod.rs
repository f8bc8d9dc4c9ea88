//! What tests stand on: the binary, a source, a lake to read back, an S3 server.

mod command;
mod lake;
mod s3_server;
mod source;

pub use command::{KEY, Workplace};
pub use lake::Lake;
pub use s3_server::S3Server;
pub use source::{Answer, Source};

/// A runtime for the servers of one test.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
