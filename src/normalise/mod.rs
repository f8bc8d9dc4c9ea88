//! Normalise: with the whole export in view, what its tables, columns and types are; then every chunk as
//! frames of those tables.
//!
//! ```text
//! Chunk ──Shape::observe──▶ Shape ──Schemas::settle──▶ Schemas ──Normaliser::frames──▶ frames, rejected records
//!          every chunk       what     + definition        tables,
//!                            was met  + manifests         columns, types
//! ```
//!
//! | JSON | becomes |
//! |---|---|
//! | a scalar | a column, by the types of [`scalar`](crate::scalar) |
//! | an object | columns `object__key` |
//! | a list of scalars | a list column; a scalar where others have a list is a list of one |
//! | a list of objects | a child table `table__key`; an object where others have a list is a list of one |
//! | a list of lists | a child table whose column `value` is the inner list |
//! | scalars among the objects of a list | the column `value` of the child table |
//! | null, a missing key | null |
//!
//! With `nested = "columns"` objects and lists stay in one column: see the table in `nested`.

mod cast;
mod checks;
mod conform;
mod contract;
mod dates;
mod error;
mod finding;
mod frames;
mod hash;
mod latest;
mod naming;
mod nested;
mod schema;
mod settle;
mod shape;
mod soundness;
mod stamp;
mod survey;

pub use cast::polars_type;
pub use checks::Uniques;
pub use conform::{ConformError, conform, scalar_texts};
pub use contract::{Change, Filled};
pub use error::SchemaError;
pub use finding::{Place, PlaceStep, Reason, Reasons, Rule};
pub use frames::{Broken, Normalised, Normaliser, RecordIds, Rejection, TableFrame};
pub use hash::row_hashes;
pub use latest::{Cursor, Versions};
pub use naming::snake_case;
pub use schema::{ColumnSchema, ColumnSource, Schemas, TableSchema};
pub use shape::{Shape, ValueShape};
pub use stamp::Stamp;

/// The column of the run that last changed a row.
pub const RUN_ID_COLUMN: &str = "_flowlake_run_id";
/// The column of the instant at which a record was missed in a full export.
pub const DELETED_AT_COLUMN: &str = "_flowlake_deleted_at";
/// The column of the instant from which on a row was the last version.
pub const VALID_FROM_COLUMN: &str = "_flowlake_valid_from";
/// The column of the instant from which on a row was the last version no more.
pub const VALID_TO_COLUMN: &str = "_flowlake_valid_to";
/// The column of the instant that run began.
pub const LOADED_AT_COLUMN: &str = "_flowlake_loaded_at";
/// The key of a table that declares none: a hash of the record.
pub const IDENTITY_COLUMN: &str = "_flowlake_id";
/// A child row's position in its list.
pub const INDEX_COLUMN: &str = "_index";
/// The column of list items that are not objects, in a child table.
pub const ITEM_COLUMN: &str = "value";
