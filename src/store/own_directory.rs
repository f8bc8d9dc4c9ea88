//! The directory of flowlake's own files in a destination.

/// Its name. Engines skip directories that begin with `_`.
pub(super) const OWN_DIRECTORY: &str = "_flowlake";

/// Where pipelines that share tables have a directory each in it.
pub(super) const PIPELINES: &str = "pipelines";
