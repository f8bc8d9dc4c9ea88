//! The directory of flowlake's own files in a destination.

/// Its name. Engines skip directories that begin with `_`.
pub(super) const OWN_DIRECTORY: &str = "_flowlake";
