//! What tests stand on: the binary, a source, a source that fails, a lake to read back, servers of object stores.

mod azurite;
mod command;
mod definition_schema;
mod delta_log;
mod directory;
mod faults;
mod formats;
mod gcs_server;
mod hooked_store;
mod hostile;
mod http2_server;
mod in_process;
mod lake;
mod milestone;
mod moto;
mod remote;
mod s3_server;
mod snapshot_reader;
mod source;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod traced;

use proptest::test_runner::{Config as ProptestConfig, RngSeed};

pub use azurite::Azurite;
pub use command::{Finished, KEY, Workplace, loaded};
pub use definition_schema::{assert_schema_accepts_what_check_accepts, schema_accepts};
pub use delta_log::DeltaLog;
pub use directory::{copy_directory, files_below};
pub use faults::{Asked, FaultServer, Reply, Unanswered, hostile_replies};
pub use formats::{
    format_of_test, in_each_format, in_format, in_slice_of_test, is_in_slice, own_directory,
};
pub use gcs_server::GcsServer;
pub use hooked_store::{Failure, HookedStore};
pub use hostile::{HOSTILE, assert_harmless, escaped};
pub use http2_server::{Http2Server, Step};
pub use in_process::InProcess;
pub use lake::Lake;
pub use milestone::{Course, Milestone, wait_until};
pub use moto::Moto;
pub use remote::{Remote, download, workplace as remote_workplace};
pub use s3_server::S3Server;
pub use snapshot_reader::{LoopingReader, ReadTables, SnapshotReader, rows_of_files};
pub use source::{Answer, Source};
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use traced::Traced;

/// Whether tests that can be long are to be: `make test-long`.
pub fn is_long() -> bool {
    std::env::var("FLOWLAKE_TEST_LONG").is_ok()
}

/// How a property is tried: with the same values each time, or with new ones in `make test-long`.
pub fn property_config(cases: u32) -> ProptestConfig {
    let given = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: given.map_or(cases, |given| given.parse().unwrap()),
        rng_seed: if is_long() { RngSeed::Random } else { RngSeed::Fixed(20) },
        ..ProptestConfig::default()
    }
}

/// A runtime for the servers of one test.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
