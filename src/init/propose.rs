//! Proposes keys, cursors, partitions and types from the values of an export.

use polars::prelude::PolarsResult;

use super::export::{NotWhole, WholeExport};
use super::keyed::pointer_of;
use super::names::{change_rank, creation_rank, key_rank};
use super::reading::{ColumnReading, Reading, partition_transform, read};
use super::rows::{Rows, TableRows};
use crate::decode::Chunk;
use crate::infer::{Schemas, column_name};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, ColumnType, JsonPointer, PositionId, RootId, Step,
    TableName, TableSchema,
};

/// How many columns a proposed key may be combined from.
const KEY_CANDIDATES: usize = 6;
/// A partition date may be missing in one of so many records.
const MAY_LACK_ONE_OF: usize = 20;

/// What an export could be loaded as.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Proposal {
    /// The export has no array of objects, so that all of it is one record.
    pub is_one_record: bool,
    /// What in the export says that it is not whole.
    pub not_whole: Vec<NotWhole>,
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
    /// How many records besides go to quarantine whatever a definition says, since they are no objects.
    pub unreadable: usize,
    /// Columns that identify a row; empty when none were found.
    pub primary_key: Vec<ColumnName>,
    /// The column that looks most like a key, where no key was found.
    pub near_key: Option<ColumnName>,
    /// The time of the last change of a record.
    pub cursor: Option<ColumnName>,
    /// The transform and the date to partition by.
    pub partition_by: Option<(&'static str, ColumnName)>,
    /// Other dates that could be.
    pub other_dates: Vec<ColumnName>,
    /// All columns that come from the JSON.
    pub columns: Vec<ProposedColumn>,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedColumn {
    /// Its name.
    pub name: ColumnName,
    /// The type that it would be loaded with.
    pub column_type: ColumnType,
    /// How its values are read.
    pub reading: Reading,
    /// Some records have an empty text, which is to be read as null.
    pub blank_is_null: bool,
    /// No record had a value.
    pub always_null: bool,
    /// How many rows have a value.
    filled: usize,
    /// Its type without a declaration.
    inferred: ColumnType,
    /// Its name means this value alone, so that a definition can use it.
    is_usable: bool,
    /// How its dates make partitions, if they do.
    transform: Option<&'static str>,
}

impl Proposal {
    pub(super) fn of(
        schemas: &Schemas,
        export: &WholeExport,
        chunks: &[Chunk],
    ) -> PolarsResult<Self> {
        let rows = Rows::of(schemas, chunks)?;
        let mut tables = Vec::new();
        for (id, schema) in schemas.iter() {
            let root = schemas.root_id_of(id);
            let records = match root {
                Some(root) => export.pointers.get(root.index()).cloned(),
                None => pointer_of(&schema.path),
            };
            let unreadable = root.map_or(0, |root| unreadable(chunks, root));
            let proposed = table(schema, records, &rows.tables[id])?;
            tables.push(ProposedTable { unreadable, ..proposed });
        }
        let not_whole = export.not_whole.clone();
        Ok(Self { is_one_record: export.is_one_record, not_whole, tables })
    }

    /// Reads a column as its type is inferred, and uses it as little as its type allows then.
    pub(super) fn withdraw(&mut self, table: &TableName, column: &ColumnName) {
        for table in self.tables.iter_mut().filter(|it| it.name == *table) {
            for column in table.columns.iter_mut().filter(|it| it.name == *column) {
                column.withdraw();
            }
            table.primary_key.retain(|name| name != column);
            table.lay_out();
        }
    }

    /// Takes back what may keep the definition from being one: declared types first, then all else. Returns whether there
    /// was anything.
    pub(super) fn simplify(&mut self) -> bool {
        let columns = self.tables.iter().flat_map(|table| &table.columns);
        let are_types = columns.clone().any(ProposedColumn::is_declared);
        let is_plain = !columns.clone().any(|column| column.is_usable);
        for table in &mut self.tables {
            for column in &mut table.columns {
                column.withdraw();
                column.is_usable &= are_types;
            }
            if !are_types {
                table.primary_key.clear();
            }
            table.lay_out();
        }
        !is_plain
    }
}

/// How many records of an array no table takes.
fn unreadable(chunks: &[Chunk], root: RootId) -> usize {
    let chunks = chunks.iter().filter(|chunk| chunk.root == root);
    chunks.map(|chunk| chunk.undecodable.len()).sum()
}

fn table(
    schema: &TableSchema,
    records: Option<JsonPointer>,
    rows: &TableRows,
) -> PolarsResult<ProposedTable> {
    let is_declared = records.is_some();
    let mut columns = Vec::new();
    for column in schema.columns.iter().filter(|column| column.is_seen()) {
        columns.push(proposed_column(column, is_declared && is_usable(column, schema), rows)?);
    }
    let is_root = schema.parent.is_none();
    let candidates = if is_root { key_candidates(schema, &columns) } else { Vec::new() };
    let mut table = ProposedTable {
        name: schema.name.clone(),
        parent: schema.parent.clone(),
        records,
        keys: schema.own_column(&ColumnSource::MemberKey).cloned(),
        rows: rows.height(),
        unreadable: 0,
        primary_key: primary_key(&candidates, rows)?,
        near_key: candidates.first().map(|name| (*name).clone()),
        cursor: None,
        partition_by: None,
        other_dates: Vec::new(),
        columns,
    };
    table.lay_out();
    Ok(table)
}

/// Whether the name of a column means its value and no other, so that a definition can declare it.
fn is_usable(column: &ColumnSchema, schema: &TableSchema) -> bool {
    let plain_name = |column: &ColumnSchema| {
        let path = column.path()?;
        let has_keys_only = path.iter().all(|step| matches!(step, Step::Key(_)));
        has_keys_only.then(|| column_name(path))
    };
    let is_of_another = |other: &ColumnSchema| {
        other.name != column.name && plain_name(other).as_ref() == Some(&column.name)
    };
    plain_name(column).as_ref() == Some(&column.name) && !schema.columns.iter().any(is_of_another)
}

fn proposed_column(
    column: &ColumnSchema,
    is_usable: bool,
    rows: &TableRows,
) -> PolarsResult<ProposedColumn> {
    let statistics = column.statistics().unwrap_or_default();
    let found = if is_usable { read(column, rows)? } else { ColumnReading::inferred(column) };
    let is_date = matches!(found.column_type, ColumnType::Date | ColumnType::Timestamp);
    let transform =
        if is_usable && is_date { partition_transform(&column.name, &found, rows)? } else { None };
    let ColumnReading { column_type, reading, blank } = found;
    Ok(ProposedColumn {
        name: column.name.clone(),
        column_type,
        reading,
        blank_is_null: blank > 0,
        always_null: statistics.is_empty() && !matches!(column.column_type, ColumnType::List(_)),
        filled: rows.height() - rows.nulls(&column.name)? - blank,
        inferred: column.column_type.clone(),
        is_usable,
        transform,
    })
}

/// The columns that look like keys, the best first.
fn key_candidates<'s>(schema: &'s TableSchema, columns: &[ProposedColumn]) -> Vec<&'s ColumnName> {
    // Of a column that is read as another type, equal values may be written in several ways.
    let is_as_written = |it: &ProposedColumn| it.is_usable && it.reading == Reading::Inferred;
    let is_usable =
        |name: &ColumnName| columns.iter().any(|it| it.name == *name && is_as_written(it));
    let mut candidates: Vec<(usize, &ColumnName)> = schema
        .columns
        .iter()
        .filter(|column| column.path().is_some_and(|path| path.len() == 1))
        .filter(|column| matches!(column.column_type, ColumnType::String | ColumnType::Int64))
        .filter(|column| is_usable(&column.name))
        .filter_map(|column| Some((key_rank(&column.name)?, &column.name)))
        .collect();
    candidates.sort();
    candidates.truncate(KEY_CANDIDATES);
    candidates.into_iter().map(|(_, name)| name).collect()
}

/// One column, or two, whose values identify every row.
fn primary_key(candidates: &[&ColumnName], rows: &TableRows) -> PolarsResult<Vec<ColumnName>> {
    for name in candidates {
        if rows.are_identified_by(&[name])? {
            return Ok(vec![(*name).clone()]);
        }
    }
    for (position, first) in candidates.iter().enumerate() {
        for second in &candidates[position + 1..] {
            if rows.are_identified_by(&[first, second])? {
                return Ok(vec![(*first).clone(), (*second).clone()]);
            }
        }
    }
    Ok(Vec::new())
}

impl ProposedTable {
    /// Chooses the cursor and the partitions among the columns.
    fn lay_out(&mut self) {
        if self.parent.is_some() {
            return;
        }
        let rows = self.rows;
        let cursors = self.columns.iter().filter(|column| column.is_instant_in_all(rows));
        let cursors = cursors.filter_map(|column| Some((change_rank(&column.name)?, &column.name)));
        let cursor = cursors.min_by_key(|(rank, _)| *rank).map(|(_, name)| name.clone());
        // A cursor orders the versions of a key.
        self.cursor = cursor.filter(|_| !self.primary_key.is_empty());
        let mut dates: Vec<&ProposedColumn> =
            self.columns.iter().filter(|column| column.can_partition(rows)).collect();
        dates.sort_by_key(|column| (creation_rank(&column.name), rows - column.filled));
        let mut dates = dates.into_iter();
        let chosen = dates.next().and_then(|it| Some((it.transform?, it.name.clone())));
        let others = dates.map(|column| column.name.clone()).collect();
        (self.partition_by, self.other_dates) = (chosen, others);
    }

    /// Whether a column has a value in every record.
    #[must_use]
    pub fn fills(&self, column: &ColumnName) -> bool {
        self.columns.iter().any(|it| it.name == *column && it.filled == self.rows)
    }
}

impl ProposedColumn {
    /// Whether its type is to be declared.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        matches!(self.reading, Reading::Decimal { .. } | Reading::Dates { .. })
    }

    fn withdraw(&mut self) {
        if self.is_declared() {
            self.column_type = self.inferred.clone();
            self.reading = Reading::Inferred;
            self.blank_is_null = false;
            self.transform = None;
        }
    }

    fn is_instant_in_all(&self, rows: usize) -> bool {
        let is_instant =
            self.column_type == ColumnType::Timestamp || self.reading == Reading::Milliseconds;
        self.is_usable && is_instant && self.filled == rows && rows > 0
    }

    fn can_partition(&self, rows: usize) -> bool {
        let lacks_few = (rows - self.filled) * MAY_LACK_ONE_OF <= rows;
        self.is_usable && self.transform.is_some() && lacks_few && self.filled > 0
    }
}
