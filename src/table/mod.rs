//! Table: the state of a destination, and the one way to change it.

pub mod commit;
pub mod lock;
mod manifest;
pub mod quarantine;
pub mod verify;

pub use commit::{CommitError, Intent, Publication, Snapshot, State, discard_staged, open_commits};
pub use manifest::{DataFile, Manifest, TakenExport};
