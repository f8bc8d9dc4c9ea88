//! The names of the columns and tables that flowlake adds.

/// The column of the run that last changed a row.
pub const RUN_ID_COLUMN: &str = "_flowlake_run_id";
/// The column of the time at which a record was first missing from a full export.
pub const DELETED_AT_COLUMN: &str = "_flowlake_deleted_at";
/// The column of the time from which a row is current.
pub const VALID_FROM_COLUMN: &str = "_flowlake_valid_from";
/// The column of the time until which a row was current.
pub const VALID_TO_COLUMN: &str = "_flowlake_valid_to";
/// The column of the time that run started.
pub const LOADED_AT_COLUMN: &str = "_flowlake_loaded_at";
/// The end of the name of a history. What stands before it is the name of its table.
pub const HISTORY_SUFFIX: &str = "__history";
/// The key of a table that declares none: a hash of the record.
pub const IDENTITY_COLUMN: &str = "_flowlake_id";
/// A child row's position in its list.
pub const INDEX_COLUMN: &str = "_index";
/// The column of list items that are not objects, in a child table.
pub const ITEM_COLUMN: &str = "value";
