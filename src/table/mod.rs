//! Table: the tables of a destination, and the one way to change them.
//!
//! ```text
//!            recover                      commit
//! Snapshot ───────────▶ Snapshot ─▶ run ─▶ Changes ───▶ new files, manifests, snapshot
//!            end the open commit          TableStore::roll_forward
//! ```
//!
//! [`TableStore`] is all that can be done with tables. `delta` has what tables of that format have beside manifests.
//! [`lock`] keeps a second writer out, [`verify`] compares files with manifests.

mod agreement;
mod aside;
mod commit;
mod commit_log;
mod compaction;
mod convert;
mod delta;
mod error;
mod intent;
mod json;
mod layout;
pub mod lock;
mod manifest;
mod manifest_update;
mod own_file;
mod publish;
pub mod quarantine;
mod read;
mod recovery;
mod retention;
mod sharing_error;
mod small_files;
mod snapshot;
mod table_store;
pub mod verify;

pub use agreement::{Agreement, Disagreement, Joined};
pub use compaction::files_to_compact;
pub use error::CommitError;
pub use intent::{Changes, CommitOutcome, Intent, Publication};
pub use layout::quarantine_file;
pub use manifest::{DataFile, Manifest, TakenExport};
pub use manifest_update::{LoadedExport, ManifestUpdate, QuarantineUpdate, UpdatedManifest};
pub use retention::{Kept, Pruned, discard_abandoned, discard_staged};
pub use sharing_error::SharingError;
pub use snapshot::{ManifestFile, Snapshot, SnapshotFile, TableEntry};
pub use table_store::{FileContent, ReadError, TableStore, open};
