//! The content of a data file, compared with its manifest.

use std::collections::BTreeSet;
use std::io::Cursor;

use bytes::Bytes;
use polars::prelude::{
    ArrowSchema, ParquetReader, PolarsResult, Schema, SchemaExt as _, SerReader,
};

use super::finding::FindingKind;
use crate::normalise::polars_type;
use crate::schema::TableSchema;
use crate::table::DataFile;
use crate::write::statistics::{Statistics, StatisticsCollector};

/// What is wrong with a data file.
pub(super) fn wrong_content(
    content: Bytes,
    schema: &TableSchema,
    file: &DataFile,
) -> Option<(FindingKind, String)> {
    if blake3::hash(&content).to_hex().as_str() != file.blake3 {
        let detail = "its bytes are not those that were written".to_owned();
        return Some((FindingKind::Changed, detail));
    }
    let mut reader = ParquetReader::new(Cursor::new(content.clone()));
    let read = reader.num_rows().and_then(|rows| Ok((rows, reader.schema()?)));
    let (rows, columns) = match read {
        Ok(read) => read,
        Err(error) => return Some((FindingKind::Unreadable, error.to_string())),
    };
    if rows as u64 != file.rows {
        let detail = format!("it has {rows} rows instead of {}", file.rows);
        return Some((FindingKind::WrongRowCount, detail));
    }
    if let Err(found) = has_columns_of(schema, &columns) {
        return Some((FindingKind::WrongColumns, format!("it has {found}")));
    }
    wrong_statistics(content, file)
}

/// Whether a file has the columns of a table; otherwise those that it has.
pub(super) fn has_columns_of(schema: &TableSchema, columns: &ArrowSchema) -> Result<(), String> {
    let columns = Schema::from_arrow_schema(columns);
    let expected = schema.columns.iter();
    let expected = expected.map(|it| (it.name.as_str(), polars_type(&it.column_type)));
    let actual = columns.iter().map(|(name, data_type)| (name.as_str(), data_type.clone()));
    if expected.eq(actual) { Ok(()) } else { Err(names(&columns)) }
}

fn wrong_statistics(content: Bytes, file: &DataFile) -> Option<(FindingKind, String)> {
    match statistics_of(content, &file.statistics.keys().cloned().collect()) {
        Ok(actual) => {
            let recorded = |name: &String| file.statistics.get(name);
            let wrong = actual.iter().find(|(name, values)| recorded(name) != Some(values));
            wrong.map(|(name, values)| {
                (FindingKind::WrongStatistics, format!("`{name}` has {values:?}"))
            })
        }
        Err(error) => Some((FindingKind::Unreadable, error.to_string())),
    }
}

/// The statistics of a file for some columns.
pub(super) fn statistics_of(
    content: Bytes,
    columns: &BTreeSet<String>,
) -> PolarsResult<Statistics> {
    if columns.is_empty() {
        return Ok(Statistics::default());
    }
    let reader = ParquetReader::new(Cursor::new(content));
    let rows = reader.with_columns(Some(columns.iter().cloned().collect())).finish()?;
    let mut collector = StatisticsCollector::default();
    collector.observe(&rows, columns)?;
    collector.finish()
}

fn names(columns: &Schema) -> String {
    let names: Vec<&str> = columns.iter_names().map(polars::prelude::PlSmallStr::as_str).collect();
    names.join(", ")
}
