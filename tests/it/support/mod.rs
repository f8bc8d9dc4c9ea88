//! What tests stand on: the binary, a source, a source that fails, a lake to read back, an S3 server.

mod command;
mod faults;
mod in_process;
mod lake;
mod s3_server;
mod source;

pub use command::{Finished, KEY, Workplace};
pub use faults::{Asked, FaultServer, Reply};
pub use in_process::InProcess;
pub use lake::Lake;
pub use s3_server::S3Server;
pub use source::{Answer, Source};

/// A runtime for the servers of one test.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
