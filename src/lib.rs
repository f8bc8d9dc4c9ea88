//! flowlake pulls a company's purchasing data from the ProcurementFlow export API and keeps it as clean,
//! partitioned Parquet on local disk or S3.
//!
//! Data flows one way, and every step is a module of the same name:
//!
//! ```text
//! definition ─▶ plan ─▶ fetch ─▶ land ─▶ decode ─▶ normalise ─▶ partition ─▶ write ─▶ commit ─▶ report
//!   TOML        what     HTTP    as       JSON to    types,       Hive        Parquet   all or    ledger,
//!   checked     runs     bytes   received columns    tables       directories staged    nothing   files
//! ```
//!
//! [`runner`] is the only module that knows every step. Beside the flow stand what several steps share:
//! [`scalar`] (what a JSON number or text is, exactly), [`destination`] (the object store), [`runtime`] (the
//! bridge to CPU threads), [`spill`] (what does not fit in memory), [`rows`] (some rows of a frame),
//! [`statistics`] (what a file holds in the columns that rows are found by), [`quarantine`] (the
//! lines that tell of records in no table), [`retry`], [`interruption`], [`lock`], [`api_key`]
//! and [`run_id`]. [`cli`] turns arguments into calls and [`error`] turns failures into exit codes and help. [`init`] writes
//! a first definition from an export, [`verify`] compares a destination with its manifests. [`sample_api`] is the stand-in source for the demo and for tests.

pub mod api_key;
pub mod cli;
pub mod commit;
pub mod decode;
pub mod definition;
pub mod destination;
pub mod error;
mod excerpt;
pub mod fetch;
pub mod init;
pub mod interruption;
pub mod land;
pub mod lock;
pub mod merge;
pub mod normalise;
pub mod partition;
pub mod plan;
pub mod quarantine;
pub mod report;
pub mod retry;
pub mod rows;
pub mod run_id;
pub mod runner;
pub mod runtime;
pub mod sample_api;
pub mod scalar;
pub mod spill;
pub mod statistics;
pub mod verify;
pub mod write;
