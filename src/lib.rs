//! flowlake pulls a company's purchasing data from the ProcurementFlow export API and keeps it as clean,
//! partitioned Parquet on local disk or an object store.
//!
//! Data flows one way, and each step is a module:
//!
//! ```text
//! definition ─▶ plan ─▶ source ─▶ landing ─▶ decode ─▶ infer ─▶ normalise ─▶ merge ─▶ write ─▶ table ─▶ report
//!   TOML        what     HTTP      export     JSON to   tables,   rows of      what     Parquet   commit:   ledger,
//!   checked     runs     body      as         columns   columns,  each table   becomes  files,    all or    files
//!                                  received             types                  of each  staged    nothing
//! ```
//!
//! [`run`] is the only module that knows every step. [`schema`] is the vocabulary they share: types, paths, table schemas.
//! [`store`] is the object store, [`runtime`] the bridge to CPU threads, [`exit_code`] what the process ends with,
//! [`shown`] the one way out for text.
//! [`cli`] turns arguments into calls. [`init`] proposes a first definition for an export. [`sample_api`] is the
//! stand-in source of the demo and of tests.

pub mod cli;
pub mod decode;
pub mod definition;
pub mod exit_code;
pub mod infer;
pub mod init;
pub mod landing;
pub mod merge;
pub mod normalise;
pub mod plan;
pub mod report;
pub mod run;
pub mod runtime;
pub mod sample_api;
pub mod schema;
pub mod shown;
pub mod source;
pub mod store;
pub mod table;
pub mod write;
