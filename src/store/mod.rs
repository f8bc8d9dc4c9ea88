//! The destination: a directory, or a prefix of a bucket, and the files in it.
//!
//! All reading and writing of the lake goes through [`Destination`], so that every error names the file and the
//! destination, and local files are on disk before anything relies on them.
//!
//! | file | job |
//! |---|---|
//! | `registry` | the kinds of store there are, one line each |
//! | `kind` | what is known of a kind: URLs, options, how it opens |
//! | `s3`, `azure`, `gcs` | one kind each |
//! | `local` | local disk, as a store of our own: syncs, names that replace nothing, symbolic links |
//! | `url` | the URL of a destination |
//! | `destination` | reading, writing, listing |
//! | `publish` | moves staged files to their targets, many at once |
//! | `remove` | removes files, many at once |
//! | `conditional` | writes that fail if another writer was first |
//! | `try_out` | tries whether a store does what a commit relies on |
//! | `version` | the version of a file |
//! | `upload` | uploads in parts |
//! | `paths` | flowlake's own files, and how long a path may be |

mod azure;
mod conditional;
mod destination;
mod error;
mod gcs;
mod kind;
mod local;
mod open;
mod own_directory;
mod paths;
mod publish;
mod raw_mode;
mod registry;
mod remove;
mod s3;
mod try_out;
mod upload;
mod url;
mod version;

pub use conditional::{CreateOutcome, ReplaceOutcome};
pub use destination::{Destination, ListedFile};
pub use error::DestinationError;
pub use kind::{OpenStore, OptionConflict, OptionType, StoreKind, StoreOption, StoreOptions};
pub use local::SyncCounts;
pub use open::OpenDestinations;
pub use paths::PathTooLong;
pub use publish::{FileMove, PublishError};
pub use raw_mode::{InvalidRawMode, RawMode};
pub use registry::{STORE_KINDS, kind_of_scheme, url_forms};
pub use try_out::StoreTraits;
pub use url::{BucketUrl, DestinationUrl, InvalidDestination};
pub use version::ObjectVersion;
