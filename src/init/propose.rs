//! Proposes keys, partitions and decimals from the values of an export.

use std::collections::HashSet;

use chrono::DateTime;
use polars::prelude::{DataFrame, PolarsResult};

use super::keyed::pointer_of;
use crate::decode::Chunk;
use crate::infer::Schemas;
use crate::normalise::{MetadataColumns, Normaliser, RecordIds, scalar_texts};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, ColumnStatistics, ColumnType, IdVec, JsonPointer,
    MAX_PRECISION, PositionId, RunId, TableId, TableName, TableSchema,
};

/// The precision of proposed decimals: the default of most warehouses.
const USUAL_PRECISION: u8 = 18;
/// Words in the names of columns that hold money.
const MONEY_WORDS: [&str; 14] = [
    "amount", "budget", "cost", "discount", "fee", "gross", "net", "paid", "price", "sum", "tax",
    "total", "value", "vat",
];
/// How names of creation dates begin, best first.
const CREATION_WORDS: [&str; 6] =
    ["created", "issued", "published", "submitted", "date", "updated"];
/// How many columns a proposed key may be combined from.
const KEY_CANDIDATES: usize = 6;

/// What an export could be loaded as.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The tables, parents before their children.
    pub tables: Vec<ProposedTable>,
}

/// One table.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedTable {
    /// Its name.
    pub name: TableName,
    /// Its parent, for a child table.
    pub parent: Option<TableName>,
    /// Where its records are; none for lists of lists, which load without a declaration.
    pub records: Option<JsonPointer>,
    /// For a child table whose records are the members of an object, the column of their keys.
    pub keys: Option<ColumnName>,
    /// How many records the export has for it.
    pub rows: usize,
    /// Columns that identify a row; empty when none were found.
    pub primary_key: Vec<ColumnName>,
    /// The date to partition by.
    pub partition_by: Option<ColumnName>,
    /// All columns that come from the JSON.
    pub columns: Vec<ProposedColumn>,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedColumn {
    /// Its name.
    pub name: ColumnName,
    /// Its type, as inferred or, for money, as proposed.
    pub column_type: ColumnType,
    /// The type is to be declared.
    pub declare: bool,
    /// No record had a value.
    pub always_null: bool,
}

/// The rows of a table, one frame for each chunk.
struct TableRows(Vec<DataFrame>);

impl Proposal {
    pub(super) fn of(
        schemas: &Schemas,
        pointers: &[JsonPointer],
        chunks: &[Chunk],
    ) -> PolarsResult<Self> {
        let metadata = MetadataColumns::new(RunId::at(DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH);
        let mut ids = RecordIds::default();
        let normaliser = Normaliser::new(schemas, &metadata);
        let mut rows: IdVec<TableId, TableRows> =
            schemas.iter().map(|_| TableRows(Vec::new())).collect();
        for chunk in chunks {
            for frame in normaliser.frames(chunk, &ids.of(chunk))?.frames {
                rows[frame.table].0.push(frame.rows);
            }
        }
        let mut tables = Vec::new();
        for (id, schema) in schemas.iter() {
            let records = match schemas.root_id_of(id) {
                Some(root) => pointers.get(root.index()).cloned(),
                None => pointer_of(&schema.path),
            };
            tables.push(table(schema, records, &rows[id])?);
        }
        Ok(Self { tables })
    }
}

fn table(
    schema: &TableSchema,
    records: Option<JsonPointer>,
    rows: &TableRows,
) -> PolarsResult<ProposedTable> {
    let is_root = schema.parent.is_none();
    Ok(ProposedTable {
        name: schema.name.clone(),
        parent: schema.parent.clone(),
        records,
        keys: schema.own_column(&ColumnSource::MemberKey).cloned(),
        rows: rows.height(),
        primary_key: if is_root { primary_key(schema, rows)? } else { Vec::new() },
        partition_by: if is_root { creation_date(schema, rows)? } else { None },
        columns: schema.columns.iter().filter_map(proposed_column).collect(),
    })
}

fn proposed_column(column: &ColumnSchema) -> Option<ProposedColumn> {
    let ColumnSource::Value { statistics, .. } = &column.source else { return None };
    let money = money_type(column, statistics);
    Some(ProposedColumn {
        name: column.name.clone(),
        declare: money.is_some(),
        column_type: money.unwrap_or_else(|| column.column_type.clone()),
        always_null: statistics.is_empty() && !matches!(column.column_type, ColumnType::List(_)),
    })
}

/// The decimal that holds a column of money, with the digits seen and room for more.
fn money_type(column: &ColumnSchema, statistics: &ColumnStatistics) -> Option<ColumnType> {
    let has_only_numbers = statistics.within(&ColumnType::Int64) == *statistics;
    let numbers = statistics.numbers.filter(|_| has_only_numbers)?;
    let is_scalar = !matches!(column.column_type, ColumnType::List(_));
    let mut words = column.name.as_str().split('_');
    if !is_scalar || !words.any(|word| MONEY_WORDS.contains(&word)) {
        return None;
    }
    let scale = u8::try_from(numbers.scale.max(2)).ok()?;
    let needed = numbers.integer_digits.saturating_add(u64::from(scale));
    let precision =
        [USUAL_PRECISION, MAX_PRECISION].into_iter().find(|most| needed <= u64::from(*most))?;
    Some(ColumnType::Decimal { precision, scale })
}

/// One column, or two, whose values identify every row.
fn primary_key(schema: &TableSchema, rows: &TableRows) -> PolarsResult<Vec<ColumnName>> {
    let mut candidates: Vec<(usize, &ColumnName)> = schema
        .columns
        .iter()
        .filter(|column| column.path().is_some_and(|path| path.len() == 1))
        .filter_map(|column| Some((key_rank(column)?, &column.name)))
        .collect();
    candidates.sort();
    candidates.truncate(KEY_CANDIDATES);
    for (_, name) in &candidates {
        if rows.are_identified_by(&[name])? {
            return Ok(vec![(*name).clone()]);
        }
    }
    for (position, (_, first)) in candidates.iter().enumerate() {
        for (_, second) in &candidates[position + 1..] {
            if rows.are_identified_by(&[first, second])? {
                return Ok(vec![(*first).clone(), (*second).clone()]);
            }
        }
    }
    Ok(Vec::new())
}

/// How much a column's name looks like a key; lower is better.
fn key_rank(column: &ColumnSchema) -> Option<usize> {
    if !matches!(column.column_type, ColumnType::String | ColumnType::Int64) {
        return None;
    }
    match column.name.as_str() {
        "id" => Some(0),
        "uuid" | "guid" => Some(1),
        name if name.ends_with("_id") || name.ends_with("_uuid") => Some(2),
        "number" | "code" | "key" => Some(3),
        name if name.ends_with("id") || name.ends_with("_number") || name.ends_with("_code") => {
            Some(4)
        }
        _ => None,
    }
}

/// The date on which a record was created, which most queries filter by.
fn creation_date(schema: &TableSchema, rows: &TableRows) -> PolarsResult<Option<ColumnName>> {
    let mut best: Option<(usize, &ColumnName)> = None;
    for column in &schema.columns {
        let is_date = matches!(column.column_type, ColumnType::Date | ColumnType::Timestamp);
        let from_json = matches!(column.source, ColumnSource::Value { .. });
        let named = CREATION_WORDS.iter().position(|word| column.name.as_str().starts_with(word));
        let Some(rank) = named.filter(|_| is_date && from_json) else { continue };
        if rows.nulls(&column.name)? == 0 && best.is_none_or(|(other, _)| rank < other) {
            best = Some((rank, &column.name));
        }
    }
    Ok(best.map(|(_, name)| name.clone()))
}

impl TableRows {
    fn height(&self) -> usize {
        self.0.iter().map(DataFrame::height).sum()
    }

    fn nulls(&self, column: &ColumnName) -> PolarsResult<usize> {
        self.0.iter().map(|rows| Ok(rows.column(column.as_str())?.null_count())).sum()
    }

    /// Whether the values of these columns are never null and never repeated.
    fn are_identified_by(&self, columns: &[&ColumnName]) -> PolarsResult<bool> {
        let mut seen = HashSet::new();
        for rows in &self.0 {
            let mut texts = Vec::new();
            for column in columns {
                texts.push(scalar_texts(rows.column(column.as_str())?.as_materialized_series())?);
            }
            for row in 0..rows.height() {
                let key: Option<Vec<String>> =
                    texts.iter().map(|column| column[row].clone()).collect();
                if !key.is_some_and(|key| seen.insert(key)) {
                    return Ok(false);
                }
            }
        }
        Ok(self.height() > 0)
    }
}
