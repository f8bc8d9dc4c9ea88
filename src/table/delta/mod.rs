//! Delta: tables with a log, `_delta_log`, that names the files of each version.
//!
//! ```text
//! intent ─▶ files at their targets ─▶ one log file a table, children first ─▶ snapshot.json ─▶ intent closed
//!                                      │                                                        │
//!                                      └─ the moment for readers of the log                     └─ checkpoint, vacuum, clean-up
//! ```
//!
//! Nothing is removed with a commit: readers of older versions go on. A log file is created only if its number is free,
//! and says in a `txn` which commit it is of. So a commit can be repeated from any point: what is in the log already is
//! found there.
//!
//! | file | job |
//! |---|---|
//! | `action` | the actions of a log |
//! | `entry` | the log file of a commit, from its intent |
//! | `log_file` | reads and creates one log file |
//! | `publish` | adds a commit to the logs of its tables |
//! | `position` | where a commit finds a log |
//! | `look` | whether a log is as the last commit left it |
//! | `shared` | where a commit finds the log of a table that pipelines share, and the columns that it needs |
//! | `log_state` | what a log says in all: live files, removed files, columns |
//! | `compare` | how it differs from what flowlake would write |
//! | `checkpoint` | the state of a log as one Parquet file |
//! | `upkeep` | checkpoints, removes files that were replaced long ago, cleans up the log |
//! | `table_schema`, `file_statistics`, `uri` | columns, statistics and paths as Delta has them |
//!
//! The manifests stay what flowlake itself reads. A feature of its own in the protocol keeps other writers out.

mod action;
mod checkpoint;
mod checkpoint_reader;
mod compare;
mod entry;
mod file_statistics;
mod log_file;
mod log_state;
mod look;
mod position;
mod publish;
mod shared;
mod table_schema;
mod upkeep;
mod uri;

pub(super) use compare::differences;
pub(super) use log_state::LogState;
pub(super) use look::positions;
pub use position::LogPosition;
pub(super) use publish::{is_begun, publish};
pub(super) use shared::shared_positions;
pub(super) use table_schema::same_to_readers;
