//! Normalises chunks: the rows of each resolved table, and the records that a table does not take.
//!
//! ```text
//! Chunk + Schemas ──normaliser──▶ frames ──checks, uniques──▶ frames, rejected records
//!                     aligner, cast
//! ```
//!
//! | JSON | becomes |
//! |---|---|
//! | a scalar | a column, by the types of [`scalar`](crate::schema) |
//! | an object | columns `object__key` |
//! | a list of scalars | a list column; a scalar where others have a list is a list of one |
//! | a list of objects | a child table `table__key`; an object where others have a list is a list of one |
//! | a list of lists | a child table whose column `value` is the inner list |
//! | scalars among the objects of a list | the column `value` of the child table |
//! | null, a missing key | null |
//!
//! With `nested = "columns"` objects and lists stay in one column: see the table in `nested`.

mod aligner;
pub(crate) mod cast;
mod checks;
mod child_rows;
mod conform;
mod convert;
mod cursor_form;
mod dates;
mod frame;
mod key_texts;
mod lists;
mod metadata_columns;
mod nested;
mod normaliser;
mod reason;
mod received;
mod record_ids;
mod route;
mod row_hash;
mod same_values;
mod scalar_texts;
mod unfit_fields;
mod uniques;
mod value_counts;
mod values_in;
mod versions;

pub use cast::polars_type;
pub use conform::{ConformError, conform};
pub use cursor_form::CursorForm;
pub(crate) use dates::iso_form;
pub use frame::{BrokenRows, LeftOutRows, Normalised, Rejection, TableFrame};
pub use key_texts::{key_hashes, key_texts, key_values};
pub(crate) use lists::lists_of;
pub use metadata_columns::MetadataColumns;
pub use normaliser::Normaliser;
pub(crate) use reason::field_path;
pub use reason::{Place, PlaceStep, Reason, Reasons, Rule};
pub use received::ReceivedValues;
pub use record_ids::RecordIds;
pub use row_hash::row_hashes;
pub use same_values::as_compared;
pub use scalar_texts::scalar_texts;
pub use uniques::Uniques;
pub(crate) use values_in::values_in_rows;
pub use versions::{Cursor, VersionTracker};
