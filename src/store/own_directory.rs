//! The directory of flowlake's own files in a destination.

/// Its name. Engines skip directories that begin with `_`.
pub(super) const OWN_DIRECTORY: &str = "_flowlake";

/// Where pipelines that share tables have a directory each in it.
pub(super) const PIPELINES: &str = "pipelines";

/// The directories in it that are also written without its lock: by a check, by a run that is refused, by other pipelines.
pub(super) const WITHOUT_LOCK: [&str; 4] = ["check", "runs", PIPELINES, "shared"];
