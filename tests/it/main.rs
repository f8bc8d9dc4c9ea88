//! The binary over real HTTP, real files and a real S3 server. A test of a promise of the design carries its
//! number (`p1_…` to `p10_…`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod support;

mod architecture;
mod changed_rules;
mod checks;
mod commit;
mod conformance;
mod corpus;
mod damage;
mod damage_cases;
mod definition_schema;
mod definitions;
mod delta;
mod demo;
mod dispositions;
mod doctor;
mod events;
mod evolution;
mod exactness;
mod failures;
mod faults;
mod formats;
mod goaway;
mod histories;
mod hostile;
mod init;
mod interruption;
mod keys;
mod kills;
mod ledger;
mod limits;
#[cfg(unix)]
mod local_disk;
mod lock;
mod makefile;
mod many_nights;
mod marks;
mod memory;
mod merge;
mod merged;
mod mistakes;
mod moved_windows;
mod names;
mod nested;
mod network;
mod nights;
mod ocds;
mod overwrite;
mod partitions;
mod pieces;
mod plan_refusals;
mod private;
mod promises;
mod publishing;
mod quarantine;
mod quiet_nights;
mod readers_cases;
mod rebuilt;
mod reload;
mod remote;
mod retries;
mod run_reports;
mod s3;
mod sample_api;
mod schema;
mod secrets;
mod shell;
mod slices;
mod story;
mod terminal;
mod types;
mod unchanged;
mod values;
mod verbosity;
mod verify;
mod waiting;
mod waiting_keys;
mod walk;
mod windows;
