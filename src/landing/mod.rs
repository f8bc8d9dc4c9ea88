//! Landing: the export as received, spooled to local disk while it arrives and kept in the destination afterwards.
//!
//! | module | its one job |
//! |---|---|
//! | `spool` | compress, hash and store the body while it arrives; read it again |
//! | `archive` | keep the exports of the last runs in the destination |
//! | `kept` | find the exports of a run there, and read them again |

mod archive;
mod kept;
mod spool;

pub use archive::{
    Archive, ArchiveError, EXPORT, ORIGIN, ReceivedExport, damage_of, hash_of_origin, origin_of,
};
pub use kept::{KeptExports, runs_of_others};
pub use spool::{ExportHash, LandError, Landed, Landing};
