//! Infer: with the whole export in view, which tables, columns and types there are, and whether the schema contract
//! allows the changes.
//!
//! ```text
//! Chunk ──observe──▶ Shape ──resolve──▶ Schemas ──changes──▶ what is new, and may be
//!         every chunk  what    + definition   tables,
//!                      was met + manifests    columns, types
//! ```

mod checks;
mod column_shape;
mod columns;
mod contract;
mod error;
mod naming;
mod observe;
mod own_columns;
mod resolve;
mod resolved;
mod unresolved;
mod validate;
mod value_type;

pub(crate) use checks::RangeBound;
pub use contract::{Change, Filled};
pub use error::SchemaError;
pub use naming::snake_case;
pub use observe::observe;
pub use resolved::{Discarded, ResolvedTable, Schemas, TablePolicy};
pub(crate) use value_type::{ITEMS_FIELD, field_of};
