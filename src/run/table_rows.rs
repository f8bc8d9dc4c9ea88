//! The rows that a table has: reads its files, in the columns and types that the table has now.

use std::io::Cursor;

use bytes::Bytes;
use object_store::path::Path;
use polars::prelude::{DataFrame, ParquetReader, SerReader};

use crate::normalise::conform;
use crate::run::RunError;
use crate::runtime::on_cpu;
use crate::schema::TableSchema;
use crate::store::Destination;
use crate::table::DataFile;

/// The rows of a file that is in the table, with the columns and types the table has now.
pub(super) async fn read_conformed(
    destination: &Destination,
    file: &DataFile,
    schema: &TableSchema,
) -> Result<DataFrame, RunError> {
    let content = content_of(destination, file).await?;
    let (path, schema) = (file.path.clone(), schema.clone());
    on_cpu(move || conformed(&path, content, &schema, None)).await
}

/// The content of a file that is in a table.
pub(super) async fn content_of(
    destination: &Destination,
    file: &DataFile,
) -> Result<Bytes, RunError> {
    let path = Path::parse(&file.path).unwrap_or_else(|_| Path::from(file.path.as_str()));
    let content = destination.get(&path).await?;
    content.ok_or_else(|| RunError::MissingFile { path: file.path.clone() })
}

/// The rows of a file from its content, with the columns and types the table has now; only some of them when they are
/// named, and null in all others.
pub(super) fn conformed(
    path: &str,
    content: Bytes,
    schema: &TableSchema,
    columns: Option<Vec<String>>,
) -> Result<DataFrame, RunError> {
    let rows = ParquetReader::new(Cursor::new(content))
        .with_columns(columns)
        .finish()
        .map_err(|source| RunError::UnreadableFile { path: path.to_owned(), source })?;
    Ok(conform(&rows, schema)?)
}
