//! Merge: what becomes of each record of an export, given the rows that its table already has.
//!
//! ```text
//! rows of the export ┐            ┌─ merge ─────────────────────────▶ MergedTables
//!                    ├─ TableTree ┤
//! files of the table ┘            └─ overwrite_partitions, replace ─▶ OverwrittenPartitions
//! ```
//!
//! | with `merge`, the record is | its row in the table | its row in the export |
//! |---|---|---|
//! | not in the table | | inserted |
//! | the same in both | kept | unchanged |
//! | another version | replaced | updated |
//! | in another partition | replaced | updated |
//! | an older version, by the cursor | kept | superseded |
//! | missing from a full export | kept, marked or deleted, as `deletes` says | |
//!
//! Where a table has a history, every row that is written is a version in it too, and the version of a row that is
//! replaced or deleted gets the time of its end.
//!
//! Child rows are compared one by one: only added or changed child rows are written, and missing ones are deleted. Those
//! of a missing record are kept, marked or deleted with it.
//!
//! | with | the export is | it replaces |
//! |---|---|---|
//! | `overwrite_partitions` | full, or filtered | the partitions that it has records for |
//! | `overwrite_partitions` | of a window | all partitions in the window, also those that it has no records for |
//! | `replace` | full | all partitions |
//!
//! Partitions that already hold the same rows are skipped (promise P3).

mod changes;
mod error;
mod hashes;
mod history;
mod partition_rows;
mod partitions;
mod record_versions;
mod records;
mod rows;
mod tree;

pub use changes::{EndedRows, MergeOutcome};
pub use error::MergeError;
pub use hashes::{ContentHash, RecordKeys, RowId, RowIds, record_hashes};
pub use history::files_with_ended_versions;
pub use partition_rows::{PartitionRows, RECORD_COLUMN};
pub use partitions::{EncodedHashes, OverwrittenPartitions, PartitionOverwrite};
pub use records::{ExportKeys, MergedTables, RecordMerge};
pub use rows::{UnchangedRows, carry_over, without_unchanged};
pub use tree::{ExportRows, TableTree};
