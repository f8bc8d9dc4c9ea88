//! Verify: compares the files of a destination with its snapshot and manifests.
//!
//! | finding | meaning | `--repair` |
//! |---|---|---|
//! | missing, changed, unreadable, newer | a file that the snapshot or a manifest names is gone, or is not the one that was written | the snapshot, from the record of the last commit; data files: restore them |
//! | behind | the snapshot is older than the last commit | takes the newest state whose files are all there |
//! | wrong columns, wrong row count, wrong statistics | a data file does not match its manifest | no |
//! | wrong log | the log of a table, in the format of Delta, names other files than its manifest | no |
//! | open commit | a run was killed while it committed | finishes it |
//! | orphan | a file that flowlake wrote and nothing names | moves it aside, to `_flowlake/aside` |
//! | foreign | a file among ours that flowlake did not write; in a table's directory, readers that glob take it for rows | no |
//! | damaged archive | an old report, commit record or export that cannot be read; no table depends on it | no |
//! | temporary | a staged or partly written file of a run that is over | deletes it |
//! | stale lock | the lock of a run that is gone | deletes it |
//!
//! It reads one snapshot, and looks again when that has moved meanwhile. Files of a run that is at work are not its matter.

mod content;
mod finding;
mod logs;
mod look;
mod own_files;
mod rebuild;
mod repair;

pub use finding::{Finding, FindingKind, Verification, VerifyDepth, VerifyError};
pub use rebuild::Rebuilt;
