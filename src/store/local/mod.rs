//! Local disk.
//!
//! `object_store` has a store for it, and gives a file its name before the disk has its content. So this is one of our own:
//! content before name, one sync a file, one sync a directory for many files; never through a symbolic link.
//!
//! | file | job |
//! |---|---|
//! | `root` | the directory of a destination: paths, syncs, removal |
//! | `naming` | gives a file its name, without replacing another where that is asked |
//! | `raw_data` | who may read what the source sent |
//! | `walk` | finds files below a directory |
//! | `disk` | all that as an object store |

mod disk;
mod naming;
mod raw_data;
mod root;
mod walk;

pub(super) use disk::LocalDisk;
pub(super) use naming::link_nameless;
pub use root::SyncCounts;
pub(super) use root::{LocalRoot, local_error};
