//! Settle: from the shape of the export, the definition and the schemas so far to the schemas of this run.

use std::collections::{BTreeMap, HashMap, HashSet};

use indexmap::IndexMap;

use super::contract::{Change, forbidden_changes};
use super::naming::{
    child_table_name, column_name, distinct_name, distinct_table_name, parent_key_name,
};
use super::schema::{ColumnSchema, ColumnSource, Discarded, Schemas, TableSchema};
use super::shape::{Shape, ValueShape};
use super::{IDENTITY_COLUMN, INDEX_COLUMN, LOADED_AT_COLUMN, RUN_ID_COLUMN};
use crate::decode::{ShownPath, Step, ValuePath};
use crate::definition::{
    Column, ColumnName, ColumnType, Contract, Discard, PartitionField, Surprise, Table, TableName,
    Transform, WriteDisposition,
};
use crate::scalar::Facts;

/// The export and the definition do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Two values would be one column.
    #[error("in table `{table}` both `{first}` and `{second}` would be the column `{column}`")]
    Collision {
        /// The table.
        table: TableName,
        /// The name.
        column: ColumnName,
        /// One path.
        first: String,
        /// The other path.
        second: String,
    },
    /// A contract forbids what the export would change.
    #[error("the schema is frozen, and this export would change it:{}", each_on_a_line(changes))]
    Frozen {
        /// All of it.
        changes: Vec<Change>,
    },
    /// Two lists would be one child table.
    #[error("two lists would be the table `{table}`")]
    TableCollision {
        /// The name.
        table: TableName,
    },
    /// A column that the definition relies on is not there.
    #[error("table `{table}` has no column `{column}` for `{used_as}`; it has {}", columns.join(", "))]
    MissingColumn {
        /// The table.
        table: TableName,
        /// The name.
        column: ColumnName,
        /// What it was to be.
        used_as: &'static str,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// A column cannot be partitioned by in this way.
    #[error(
        "table `{table}` cannot be partitioned by `{directory_key}`: `{column}` is {column_type}"
    )]
    UnfitPartition {
        /// The table.
        table: TableName,
        /// The directory's key.
        directory_key: String,
        /// The column.
        column: ColumnName,
        /// Its type.
        column_type: ColumnType,
    },
    /// The definition partitions an appended table in another way than its files are.
    #[error("table `{table}` has files in other partitions than `partition_by` says now")]
    Repartitioned {
        /// The table.
        table: TableName,
    },
    /// The definition gives an appended table another key than its rows have.
    #[error("table `{table}` has rows with another key than `primary_key` says now: {}", shown_key(.before))]
    Rekeyed {
        /// The table.
        table: TableName,
        /// The key that its rows have; none for a hash of the record.
        before: Vec<ColumnName>,
    },
    /// A directory's key is also the name of a column that stands in the files.
    #[error(
        "table `{table}` has a column `{directory_key}`, which is also the name of a partition"
    )]
    PartitionCollision {
        /// The table.
        table: TableName,
        /// The name.
        directory_key: String,
    },
}

fn shown_key(columns: &[ColumnName]) -> String {
    if columns.is_empty() {
        return IDENTITY_COLUMN.to_owned();
    }
    let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
    names.join(", ")
}

fn each_on_a_line(changes: &[Change]) -> String {
    let lines: Vec<String> = changes.iter().map(|change| format!("\n  {change}")).collect();
    lines.concat()
}

/// A table that has still to be settled.
struct Pending<'a> {
    name: TableName,
    declared: Option<&'a Table>,
    parent: Option<usize>,
    path: ValuePath,
    /// Its own, or its parent's.
    contract: Contract,
    rows: Rows<'a>,
}

/// A child table: its name, the way to it, and its rows.
type Child<'a> = (TableName, ValuePath, Rows<'a>);

/// The rows that this export has for a table.
#[derive(Clone, Copy)]
enum Rows<'a> {
    /// They hold this.
    Of(&'a Shape),
    /// The export has no place for the table, which keeps what it has.
    None,
    /// The definition leaves the table out, with what it has.
    Excluded,
}

static NOTHING_SEEN: Shape = Shape { values: BTreeMap::new() };

/// What is known of the values of a column.
#[derive(Clone, Copy, Default)]
struct Known {
    facts: Facts,
    list: bool,
}

/// A value of this export that becomes a column.
struct Seen {
    path: ValuePath,
    known: Known,
}

impl Schemas {
    /// Settles the tables of a run: `roots` are the tables that were asked for with their shapes, `declared`
    /// all tables of the definition, `known` the schemas the destination has.
    ///
    /// # Errors
    /// The export and the definition do not go together.
    pub fn settle(
        roots: &[(&Table, &Shape)],
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
    ) -> Result<Self, SchemaError> {
        let names = declared.iter().map(|table| &table.name).chain(known.keys()).cloned().collect();
        let mut settler =
            Settler { declared, known, names, tables: Vec::new(), children: Vec::new() };
        let mut positions = Vec::new();
        for (table, shape) in roots {
            positions.push(settler.tables.len());
            settler.table(&Pending {
                name: table.name.clone(),
                declared: Some(table),
                parent: None,
                path: Vec::new(),
                contract: table.contract.unwrap_or_default(),
                rows: Rows::Of(shape),
            })?;
        }
        let Settler { tables, children, .. } = settler;
        let schemas = Self { tables, roots: positions, children };
        let changes = forbidden_changes(&schemas, declared, known);
        if changes.is_empty() { Ok(schemas) } else { Err(SchemaError::Frozen { changes }) }
    }
}

struct Settler<'a> {
    declared: &'a [Table],
    known: &'a BTreeMap<TableName, TableSchema>,
    /// The names of all tables that there are, or are going to be.
    names: HashSet<TableName>,
    tables: Vec<TableSchema>,
    /// For each table, the child tables that this export has a place for.
    children: Vec<Vec<usize>>,
}

impl<'a> Settler<'a> {
    fn table(&mut self, pending: &Pending<'a>) -> Result<(), SchemaError> {
        if self.tables.iter().any(|table| table.name == pending.name) {
            return Err(SchemaError::TableCollision { table: pending.name.clone() });
        }
        let mut survey = Survey {
            table: pending,
            settler: &mut *self,
            columns: IndexMap::new(),
            children: Vec::new(),
            discarded: Vec::new(),
        };
        if let Rows::Of(shape) = pending.rows {
            survey.level(shape, &mut Vec::new())?;
        }
        survey.children_not_seen();
        let known = survey.known_columns();
        let Survey { columns, children, discarded, .. } = survey;
        let schema = TableSchema { discarded, ..self.schema(pending, &known, columns)? };
        let position = self.tables.len();
        self.tables.push(schema);
        self.children.push(Vec::new());
        if let (Some(parent), Rows::Of(_)) = (pending.parent, pending.rows) {
            self.children[parent].push(position);
        }
        for (name, path, rows) in children {
            let declared = self.declared.iter().find(|table| table.name == name);
            let own = declared.and_then(|table| table.contract);
            let contract = own.unwrap_or(pending.contract);
            let parent = Some(position);
            self.table(&Pending { name, declared, parent, path, contract, rows })?;
        }
        Ok(())
    }

    fn schema(
        &self,
        pending: &Pending<'a>,
        known: &[&ColumnSchema],
        seen: IndexMap<ColumnName, Seen>,
    ) -> Result<TableSchema, SchemaError> {
        let parent = pending.parent.map(|position| &self.tables[position]);
        let primary_key =
            pending.declared.map(|table| table.primary_key.clone()).unwrap_or_default();
        let partition_by = match (parent, pending.declared) {
            (Some(parent), _) => parent.partition_by.clone(),
            (None, Some(declared)) => declared.partition_by.clone(),
            (None, None) => Vec::new(),
        };
        let mut columns = key_columns(parent, &primary_key);
        let unfit = pending.contract.data_type.discards().unwrap_or_default();
        let values = value_columns(pending, known, seen).into_iter();
        columns.extend(values.map(|column| ColumnSchema { unfit, ..column }));
        columns.push(own_column(RUN_ID_COLUMN, ColumnType::String, ColumnSource::RunId));
        columns.push(own_column(LOADED_AT_COLUMN, ColumnType::Timestamp, ColumnSource::LoadedAt));
        let schema = TableSchema {
            name: pending.name.clone(),
            root: parent.map_or_else(|| pending.name.clone(), |table| table.root.clone()),
            parent: parent.map(|table| table.name.clone()),
            path: pending.path.clone(),
            excluded: matches!(pending.rows, Rows::Excluded),
            description: pending.declared.and_then(|table| table.description.clone()),
            primary_key,
            cursor: pending.declared.and_then(|table| table.cursor.clone()),
            partition_by,
            sort_by: pending.declared.map(|table| table.sort_by.clone()).unwrap_or_default(),
            columns,
            discarded: Vec::new(),
        };
        check_columns(&schema)?;
        check_partitions(&schema)?;
        self.check_layout(&schema)?;
        Ok(schema)
    }

    /// Files that stay in the table have to lie where the definition's partitions put them, and child rows that
    /// stay have to name their parents by the key there is.
    fn check_layout(&self, schema: &TableSchema) -> Result<(), SchemaError> {
        let root = self.declared.iter().find(|table| table.name == schema.root);
        let appends = root.is_some_and(|table| table.write_disposition == WriteDisposition::Append);
        let Some(known) = self.known.get(&schema.name).filter(|_| appends) else { return Ok(()) };
        let table = schema.name.clone();
        if known.partition_by != schema.partition_by {
            return Err(SchemaError::Repartitioned { table });
        }
        if known.primary_key != schema.primary_key {
            return Err(SchemaError::Rekeyed { table, before: known.primary_key.clone() });
        }
        Ok(())
    }
}

/// The columns of the JSON's values: those the table has, in their order, then the new ones. A column
/// that nothing of this export is for stays, and is null.
fn value_columns(
    pending: &Pending<'_>,
    known: &[&ColumnSchema],
    mut seen: IndexMap<ColumnName, Seen>,
) -> Vec<ColumnSchema> {
    let none = IndexMap::new();
    let declared = pending.declared.map_or(&none, |table| &table.columns);
    let mut columns = Vec::new();
    for column in known {
        let Some(facts) = column.facts() else { continue };
        let declared = declared.get(&column.name);
        let list = matches!(column.column_type, ColumnType::List(_));
        let before = Known { facts, list };
        columns.push(match seen.shift_remove(&column.name) {
            Some(now) => {
                now.after(before, pending.contract.data_type).column(&column.name, declared)
            }
            None => before.unseen(&column.name, column.path(), declared),
        });
    }
    let first = pending.declared.map_or(&[][..], |table| &table.primary_key);
    for name in first.iter().chain(declared.keys()) {
        let declared = declared.get(name);
        if let Some(now) = seen.shift_remove(name) {
            columns.push(now.column(name, declared));
        } else if is_promised(declared) && !columns.iter().any(|column| column.name == *name) {
            columns.push(Known::default().unseen(name, None, declared));
        }
    }
    seen.sort_keys();
    columns.extend(seen.into_iter().map(|(name, now)| now.column(&name, None)));
    columns
}

/// Whether a column is there even when no record has it: schemas do not depend on luck.
fn is_promised(declared: Option<&Column>) -> bool {
    declared.is_some_and(|column| !column.exclude && column.column_type.is_some())
}

impl Known {
    fn merge(self, other: Self) -> Self {
        Self { facts: self.facts.merge(other.facts), list: self.list || other.list }
    }

    /// The column of values that this export does not have.
    fn unseen(
        self,
        name: &ColumnName,
        path: Option<&[Step]>,
        declared: Option<&Column>,
    ) -> ColumnSchema {
        let path = path.map(<[Step]>::to_vec);
        let source = ColumnSource::Unseen { path, facts: self.facts };
        self.column(name, source, declared)
    }

    fn column(
        self,
        name: &ColumnName,
        source: ColumnSource,
        declared: Option<&Column>,
    ) -> ColumnSchema {
        let inferred = || match (self.facts.column_type(), self.list) {
            (scalar, true) => ColumnType::List(Box::new(scalar)),
            (scalar, false) => scalar,
        };
        let column_type = declared.and_then(|column| column.column_type.clone());
        ColumnSchema {
            name: name.clone(),
            column_type: column_type.unwrap_or_else(inferred),
            source,
            formats: declared.map(|column| column.formats.clone()).unwrap_or_default(),
            unfit: Discard::Row,
            description: declared.and_then(|column| column.description.clone()),
        }
    }
}

impl Seen {
    /// The same, in a column that has held values before. Where the contract discards what would widen the
    /// column, it stays as it is.
    fn after(self, before: Known, surprise: Surprise) -> Self {
        let known = match surprise.discards() {
            Some(_) if !before.facts.is_empty() => before,
            _ => before.merge(self.known),
        };
        Self { path: self.path, known }
    }

    fn column(self, name: &ColumnName, declared: Option<&Column>) -> ColumnSchema {
        let source = ColumnSource::Value { path: self.path, facts: self.known.facts };
        self.known.column(name, source, declared)
    }
}

/// Collects the columns and child tables of one table from the shape of its records.
struct Survey<'s, 'a> {
    table: &'s Pending<'a>,
    settler: &'s mut Settler<'a>,
    columns: IndexMap<ColumnName, Seen>,
    children: Vec<Child<'a>>,
    discarded: Vec<Discarded>,
}

impl<'a> Survey<'_, 'a> {
    fn level(&mut self, shape: &'a Shape, path: &mut ValuePath) -> Result<(), SchemaError> {
        for (step, value) in &shape.values {
            path.push(step.clone());
            self.value(value, path)?;
            path.pop();
        }
        Ok(())
    }

    fn value(&mut self, value: &'a ValueShape, path: &mut ValuePath) -> Result<(), SchemaError> {
        let name = self.name_of(path)?;
        if self.is_excluded(&name) {
            return Ok(());
        }
        let lists = value.lists || self.is_list(&name);
        let child = self.child_table(&name, value, lists, path);
        let surprise = self.surprise(&name, child.as_ref(), value);
        if let Some(discard) = surprise.and_then(Surprise::discards) {
            self.discarded.push(Discarded { path: path.clone(), discard });
            return Ok(());
        }
        if let Some(child) = &child {
            let shape = value.nested.as_deref().unwrap_or(&NOTHING_SEEN);
            self.children.push((child.clone(), path.clone(), Rows::Of(shape)));
        }
        let list = child.is_none() && lists;
        let facts = if list { value.facts_with_items() } else { value.scalars };
        if !facts.is_empty() || list || !(child.is_some() || value.has_keys()) {
            self.add(name, Seen { path: path.clone(), known: Known { facts, list } })?;
        }
        match &value.nested {
            Some(nested) if child.is_none() && !list => self.level(nested, path),
            _ => Ok(()),
        }
    }

    /// What the contract says of a value that nothing expects. An object is not a value but holds some.
    fn surprise(
        &self,
        name: &ColumnName,
        child: Option<&TableName>,
        value: &ValueShape,
    ) -> Option<Surprise> {
        let known = self.settler.known.get(&self.table.name)?;
        let is_known = |child: &TableName| {
            self.settler.known.contains_key(child)
                || self.settler.declared.iter().any(|table| table.name == *child)
        };
        let declared = self.table.declared.is_some_and(|table| table.columns.contains_key(name));
        match child {
            Some(child) => (!is_known(child)).then_some(self.table.contract.tables),
            None if declared || known.column(name).is_some() => None,
            None if value.scalars.is_empty() && !value.lists && value.has_keys() => None,
            None => Some(self.table.contract.columns),
        }
    }

    /// Whether the definition leaves a name out, with everything below it.
    fn is_excluded(&self, name: &ColumnName) -> bool {
        let declared = self.table.declared.and_then(|table| table.columns.get(name));
        declared.is_some_and(|column| column.exclude)
    }

    /// Whether a value, or an object that it stands in, is left out.
    fn excludes(&self, path: &[Step]) -> bool {
        let mut objects = (1..=path.len()).map(|length| &path[..length]);
        objects.any(|path| self.name_of(path).is_ok_and(|name| self.is_excluded(&name)))
    }

    /// The columns that the table has and that the definition does not leave out.
    fn known_columns(&self) -> Vec<&'a ColumnSchema> {
        let known = self.settler.known.get(&self.table.name);
        let columns = known.map_or(&[][..], |schema| &schema.columns).iter();
        let is_excluded = |column: &&ColumnSchema| {
            matches!(self.table.rows, Rows::Excluded)
                || self.is_excluded(&column.name)
                || column.path().is_some_and(|path| self.excludes(path))
        };
        columns.filter(|column| !is_excluded(column)).collect()
    }

    /// Adds the child tables that are declared or already there and that this export has no place for: they
    /// are part of the run all the same.
    fn children_not_seen(&mut self) {
        let is_child = |name: &Option<TableName>| name.as_ref() == Some(&self.table.name);
        let declared = self.settler.declared.iter().filter(|table| is_child(&table.parent));
        let declared = declared.map(|table| {
            let keys = table.records.as_ref().map_or(&[][..], |pointer| pointer.keys());
            (table.name.clone(), keys.iter().cloned().map(Step::Key).collect())
        });
        let known = self.settler.known.values().filter(|schema| is_child(&schema.parent));
        let known = known.map(|schema| (schema.name.clone(), schema.path.clone()));
        let all: Vec<(TableName, ValuePath)> = declared.chain(known).collect();
        for (name, path) in all {
            if self.children.iter().any(|(other, _, _)| *other == name) {
                continue;
            }
            let rows = match self.table.rows {
                Rows::Excluded => Rows::Excluded,
                _ if self.excludes(&path) => Rows::Excluded,
                _ => Rows::None,
            };
            self.children.push((name, path, rows));
        }
    }

    fn declared_type(&self, name: &ColumnName) -> Option<&'a ColumnType> {
        self.table.declared?.columns.get(name)?.column_type.as_ref()
    }

    /// Whether a column is one of lists, also when this export has none: by the definition, or by the table so
    /// far.
    fn is_list(&self, name: &ColumnName) -> bool {
        let known = || Some(&self.settler.known.get(&self.table.name)?.column(name)?.column_type);
        matches!(self.declared_type(name).or_else(known), Some(ColumnType::List(_)))
    }

    /// The child table that the objects and lists here belong to, if they are one.
    fn child_table(
        &mut self,
        name: &ColumnName,
        value: &ValueShape,
        lists: bool,
        path: &[Step],
    ) -> Option<TableName> {
        let parent = &self.table.name;
        let declared = self.settler.declared.iter().find(|table| {
            table.parent.as_ref() == Some(parent)
                && table.records.as_ref().is_some_and(|pointer| {
                    pointer.keys().iter().cloned().map(Step::Key).eq(path.iter().cloned())
                })
        });
        let known = || {
            self.settler
                .known
                .values()
                .find(|schema| schema.parent.as_ref() == Some(parent) && schema.path == path)
        };
        if let Some(table) = declared {
            return Some(table.name.clone());
        }
        if matches!(self.declared_type(name), Some(ColumnType::List(_))) {
            return None;
        }
        if let Some(schema) = known() {
            return Some(schema.name.clone());
        }
        (lists && value.needs_rows()).then(|| self.free_table_name(path))
    }

    /// The name of an undeclared child table, told apart by its path when another table has it.
    fn free_table_name(&mut self, path: &[Step]) -> TableName {
        let mut name = child_table_name(&self.table.name, path);
        while !self.settler.names.insert(name.clone()) {
            name = distinct_table_name(&name, path);
        }
        name
    }

    /// The name of a value: as declared for its path, as it has been so far, or made from it.
    fn name_of(&self, path: &[Step]) -> Result<ColumnName, SchemaError> {
        if let Some(name) = self.declared_name(path).or_else(|| self.known_name(path)) {
            return Ok(name.clone());
        }
        let mut name = column_name(path);
        let columns = self.table.declared.map(|table| &table.columns);
        while let Some(other) = self.path_that_has(&name, path) {
            if columns.is_some_and(|columns| columns.contains_key(&name)) {
                return Err(self.collision(name, &other, path));
            }
            name = distinct_name(&name, path);
        }
        Ok(name)
    }

    fn declared_name(&self, path: &[Step]) -> Option<&ColumnName> {
        let columns = &self.table.declared?.columns;
        columns.keys().find(|name| self.declared_path(name).as_deref() == Some(path))
    }

    /// Where the definition says that a column's values are, if it does.
    fn declared_path(&self, name: &ColumnName) -> Option<ValuePath> {
        let pointer = self.table.declared?.columns.get(name)?.from.as_ref()?;
        Some(pointer.keys().iter().cloned().map(Step::Key).collect())
    }

    /// The column that values from here went to: in the last export, or before that.
    fn known_name(&self, path: &[Step]) -> Option<&ColumnName> {
        let known = self.settler.known.get(&self.table.name)?;
        let is_from_here = |column: &&ColumnSchema| {
            column.path() == Some(path)
                && self.declared_path(&column.name).is_none_or(|declared| declared == path)
        };
        let is_seen = |column: &&ColumnSchema| matches!(column.source, ColumnSource::Value { .. });
        let from_here = || known.columns.iter().filter(is_from_here);
        let column = from_here().find(is_seen).or_else(|| from_here().next())?;
        Some(&column.name)
    }

    /// The other value that a name is taken by: by the definition, in this export or in the table so far.
    fn path_that_has(&self, name: &ColumnName, path: &[Step]) -> Option<ValuePath> {
        let seen = || self.columns.get(name).map(|seen| seen.path.clone());
        let known = || {
            let known = self.settler.known.get(&self.table.name)?;
            known.column(name)?.path().map(<[Step]>::to_vec)
        };
        self.declared_path(name).or_else(seen).or_else(known).filter(|other| other != path)
    }

    fn collision(&self, column: ColumnName, first: &[Step], second: &[Step]) -> SchemaError {
        SchemaError::Collision {
            table: self.table.name.clone(),
            column,
            first: ShownPath(first).to_string(),
            second: ShownPath(second).to_string(),
        }
    }

    fn add(&mut self, name: ColumnName, seen: Seen) -> Result<(), SchemaError> {
        let path = seen.path.clone();
        match self.columns.insert(name.clone(), seen) {
            Some(other) => Err(self.collision(name, &other.path, &path)),
            None => Ok(()),
        }
    }
}

fn own_column(name: &str, column_type: ColumnType, source: ColumnSource) -> ColumnSchema {
    let name = name.parse().unwrap_or_else(|_| ColumnName::unnamed());
    ColumnSchema {
        name,
        column_type,
        source,
        formats: Vec::new(),
        unfit: Discard::Row,
        description: None,
    }
}

/// The columns that tie a row to its record: the parent's key and a position, or a hash.
fn key_columns(parent: Option<&TableSchema>, primary_key: &[ColumnName]) -> Vec<ColumnSchema> {
    let Some(parent) = parent else {
        let identity = own_column(IDENTITY_COLUMN, ColumnType::String, ColumnSource::Identity);
        return if primary_key.is_empty() { vec![identity] } else { Vec::new() };
    };
    let keys = parent.key_for_children().into_iter().enumerate();
    let mut columns: Vec<ColumnSchema> = keys
        .map(|(position, (name, column_type))| ColumnSchema {
            name,
            column_type,
            source: ColumnSource::ParentKey(position),
            formats: Vec::new(),
            unfit: Discard::Row,
            description: None,
        })
        .collect();
    columns.push(own_column(INDEX_COLUMN, ColumnType::Int64, ColumnSource::Index));
    columns
}

impl TableSchema {
    /// The columns by which children name a row of this table, under the names the children use.
    pub(super) fn key_for_children(&self) -> Vec<(ColumnName, ColumnType)> {
        self.columns
            .iter()
            .filter_map(|column| Some((self.name_in_children(column)?, column.column_type.clone())))
            .collect()
    }

    /// The name of a column in the child tables, if it is part of the key.
    pub(super) fn name_in_children(&self, column: &ColumnSchema) -> Option<ColumnName> {
        match &column.source {
            ColumnSource::ParentKey(_) => Some(column.name.clone()),
            ColumnSource::Index | ColumnSource::Identity => {
                Some(parent_key_name(&self.name, column.name.as_str()))
            }
            ColumnSource::Value { .. } | ColumnSource::Unseen { .. }
                if self.primary_key.contains(&column.name) =>
            {
                Some(parent_key_name(&self.name, column.name.as_str()))
            }
            _ => None,
        }
    }
}

fn check_columns(schema: &TableSchema) -> Result<(), SchemaError> {
    let mut seen: HashMap<&ColumnName, &ColumnSchema> = HashMap::new();
    for column in &schema.columns {
        if let Some(other) = seen.insert(&column.name, column) {
            return Err(SchemaError::Collision {
                table: schema.name.clone(),
                column: column.name.clone(),
                first: origin(other),
                second: origin(column),
            });
        }
    }
    let used = (schema.primary_key.iter().map(|name| (name, "primary_key")))
        .chain(schema.cursor.iter().map(|name| (name, "cursor")))
        .chain(schema.sort_by.iter().map(|name| (name, "sort_by")));
    for (name, used_as) in used {
        required_column(schema, name, used_as)?;
    }
    Ok(())
}

fn origin(column: &ColumnSchema) -> String {
    match column.path() {
        Some(path) => ShownPath(path).to_string(),
        None => format!("flowlake's own {}", column.name),
    }
}

fn required_column<'a>(
    schema: &'a TableSchema,
    name: &ColumnName,
    used_as: &'static str,
) -> Result<&'a ColumnSchema, SchemaError> {
    schema.column(name).ok_or_else(|| SchemaError::MissingColumn {
        table: schema.name.clone(),
        column: name.clone(),
        used_as,
        columns: schema.columns.iter().map(|column| column.name.to_string()).collect(),
    })
}

fn check_partitions(schema: &TableSchema) -> Result<(), SchemaError> {
    for field in &schema.partition_by {
        let directory_key = field.directory_key();
        if schema.parent.is_none() {
            let column = required_column(schema, &field.column, "partition_by")?;
            if !can_partition(field, &column.column_type) {
                return Err(SchemaError::UnfitPartition {
                    table: schema.name.clone(),
                    directory_key,
                    column: column.name.clone(),
                    column_type: column.column_type.clone(),
                });
            }
        }
        if schema.file_columns().any(|column| column.name.as_str() == directory_key) {
            return Err(SchemaError::PartitionCollision {
                table: schema.name.clone(),
                directory_key,
            });
        }
    }
    Ok(())
}

fn can_partition(field: &PartitionField, column_type: &ColumnType) -> bool {
    match field.transform {
        Transform::Identity => !matches!(column_type, ColumnType::List(_) | ColumnType::Float64),
        Transform::Year | Transform::Month | Transform::Day => {
            matches!(column_type, ColumnType::Date | ColumnType::Timestamp)
        }
    }
}
