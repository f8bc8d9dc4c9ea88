//! Infers tables, columns and types from the whole export, and applies the schema contract.
//!
//! ```text
//! Chunk ──observe──▶ Shape ──resolve──▶ Schemas ──changes──▶ what is new, and allowed
//!         every chunk  keys    + definition   tables,
//!                      seen    + manifests    columns, types
//! ```

mod accounted;
mod checks;
mod column_index;
mod column_shape;
mod columns;
mod contract;
mod error;
mod history;
mod naming;
mod observe;
mod own_columns;
mod resolve;
mod resolved;
#[cfg(test)]
mod test_support;
mod unmatched;
mod unresolved;
mod validate;
mod value_columns;
mod value_rules;
mod value_type;
mod wide_object;
mod width;

pub(crate) use checks::RangeBound;
pub use contract::{Change, Filled};
pub use error::SchemaError;
pub use naming::snake_case;
pub(crate) use naming::{child_table_name, column_name, table_name};
pub use observe::observe;
pub use resolved::{Discarded, ResolvedTable, Schemas, TableHistory, TablePolicy};
pub use unmatched::Unmatched;
pub use validate::with_partitions;
pub use value_rules::value_rules;
pub(crate) use value_type::{FieldIndex, ITEMS_FIELD};
pub use wide_object::WideObject;
pub(crate) use width::too_wide;
pub use width::width;
