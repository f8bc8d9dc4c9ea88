//! Settle: from the shape of the export, the definition and the schemas so far to the schemas of this run.

use std::collections::{BTreeMap, HashSet};

use indexmap::IndexMap;

use super::checks::verify_checks;
use super::value_type::FieldCollision;
use crate::definition::{Column, Contract, ContractMode, Deletes, Nested, Table, WriteDisposition};
use crate::infer::columns::Survey;
use crate::infer::error::SchemaError;
use crate::infer::naming::parent_key_name;
use crate::infer::resolved::{ResolvedTable, Schemas, TablePolicy};
use crate::infer::validate::{check_columns, check_partitions};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, ColumnStatistics, ColumnType, DELETED_AT_COLUMN,
    IDENTITY_COLUMN, INDEX_COLUMN, IdVec, LOADED_AT_COLUMN, PositionId, RUN_ID_COLUMN, RootId,
    Shape, Step, TableId, TableName, TableSchema, VALID_FROM_COLUMN, VALID_TO_COLUMN, ValuePath,
    ValueShape,
};

/// A table that has still to be settled.
pub(crate) struct Pending<'a> {
    pub(crate) name: TableName,
    pub(crate) declared: Option<&'a Table>,
    pub(crate) parent: Option<TableId>,
    pub(crate) path: ValuePath,
    /// Its own, or its parent's.
    pub(crate) contract: Contract,
    pub(crate) rows: Rows<'a>,
}

/// A child table: its name, the way to it, and its rows.
pub(crate) type Child<'a> = (TableName, ValuePath, Rows<'a>);

/// The rows that this export has for a table.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// They hold this.
    Of(&'a Shape),
    /// The export has no place for the table, which keeps what it has.
    None,
    /// The definition leaves the table out, with what it has.
    Excluded,
}

impl Pending<'_> {
    /// What becomes of its objects and lists. In a child table they are tables, since it is one itself.
    pub(crate) fn nested(&self) -> Nested {
        self.declared.map(|table| table.nested).unwrap_or_default()
    }
}

pub(crate) static NOTHING_SEEN: Shape = Shape { values: BTreeMap::new() };

/// What is known of the values of a column.
#[derive(Clone, Default)]
pub(crate) struct Known {
    pub(crate) statistics: ColumnStatistics,
    pub(crate) list: bool,
    /// All that is known, where there is more than scalars and lists of them.
    pub(crate) nested: Option<ValueShape>,
}

/// A value of this export that becomes a column.
pub(crate) struct Seen {
    pub(crate) path: ValuePath,
    pub(crate) known: Known,
}

impl Schemas {
    /// Settles the tables of a run: `roots` are the tables that were asked for with their shapes, `declared`
    /// all tables of the definition, `known` the schemas the destination has.
    ///
    /// # Errors
    /// The export and the definition do not go together.
    pub fn resolve(
        roots: &[(RootId, &Table, &Shape)],
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
    ) -> Result<Self, SchemaError> {
        let names = declared.iter().map(|table| &table.name).chain(known.keys()).cloned().collect();
        let mut resolver = Resolver { declared, known, names, tables: IdVec::default() };
        let mut root_ids = BTreeMap::new();
        for (id, table, shape) in roots {
            root_ids.insert(*id, TableId::from_index(resolver.tables.len()));
            resolver.table(&Pending {
                name: table.name.clone(),
                declared: Some(table),
                parent: None,
                path: Vec::new(),
                contract: table.contract.unwrap_or_default(),
                rows: Rows::Of(shape),
            })?;
        }
        let schemas = Self { tables: resolver.tables, roots: root_ids };
        verify_checks(&schemas)?;
        let changes = schemas.forbidden_changes(declared, known);
        if changes.is_empty() { Ok(schemas) } else { Err(SchemaError::Frozen { changes }) }
    }
}

pub(crate) struct Resolver<'a> {
    pub(crate) declared: &'a [Table],
    pub(crate) known: &'a BTreeMap<TableName, TableSchema>,
    /// The names of all tables that there are, or are going to be.
    pub(crate) names: HashSet<TableName>,
    tables: IdVec<TableId, ResolvedTable>,
}

impl<'a> Resolver<'a> {
    fn table(&mut self, pending: &Pending<'a>) -> Result<(), SchemaError> {
        if self.tables.values().any(|table| table.schema.name == pending.name) {
            return Err(SchemaError::TableCollision { table: pending.name.clone() });
        }
        let mut survey = Survey {
            table: pending,
            resolver: &mut *self,
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
        let parent = pending.parent.map(|parent| &self.tables[parent]);
        let policy = TablePolicy { discarded, ..policy(pending, parent) };
        let schema = self.schema(pending, &known, columns)?;
        self.check_layout(&schema, &policy)?;
        let own = TableId::from_index(self.tables.len());
        let root = parent.map_or(own, |parent| parent.root);
        self.tables.push(ResolvedTable { schema, policy, root, children: Vec::new() });
        if let (Some(parent), Rows::Of(_)) = (pending.parent, pending.rows) {
            self.tables[parent].children.push(own);
        }
        for (name, path, rows) in children {
            let declared = self.declared.iter().find(|table| table.name == name);
            let contract = declared.and_then(|table| table.contract).unwrap_or(pending.contract);
            let parent = Some(own);
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
        let parent = pending.parent.map(|parent| &self.tables[parent].schema);
        let primary_key =
            pending.declared.map(|table| table.primary_key.clone()).unwrap_or_default();
        let partition_by = match (parent, pending.declared) {
            (Some(parent), _) => parent.partition_by.clone(),
            (None, Some(declared)) => declared.partition_by.clone(),
            (None, None) => Vec::new(),
        };
        let mut columns = key_columns(parent, &primary_key);
        columns.extend(value_columns(pending, known, seen)?);
        columns.extend(lifetime_columns(pending, parent));
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
        };
        check_columns(&schema)?;
        check_partitions(&schema)?;
        Ok(schema)
    }

    /// Files that stay in the table have to lie where the definition's partitions put them, and child rows that
    /// stay have to name their parents by the key there is.
    fn check_layout(&self, schema: &TableSchema, policy: &TablePolicy) -> Result<(), SchemaError> {
        if policy.disposition == WriteDisposition::Replace {
            return Ok(());
        }
        let Some(known) = self.known.get(&schema.name) else { return Ok(()) };
        let table = schema.name.clone();
        let lifetimes = [ColumnSource::DeletedAt, ColumnSource::ValidTo];
        let lost = lifetimes.iter().filter_map(|source| known.own_column(source));
        if let Some(column) = lost.into_iter().find(|name| schema.column(name).is_none()) {
            return Err(SchemaError::Unkept { table, column: column.clone() });
        }
        if known.partition_by != schema.partition_by {
            return Err(SchemaError::Repartitioned { table });
        }
        if known.primary_key != schema.primary_key {
            return Err(SchemaError::Rekeyed { table, before: known.primary_key.clone() });
        }
        Ok(())
    }
}

/// The columns that tell how long a row was the last version, where the definition wants to know.
fn lifetime_columns(pending: &Pending<'_>, parent: Option<&TableSchema>) -> Vec<ColumnSchema> {
    let column = |name, source| own_column(name, ColumnType::Timestamp, source);
    let declared = pending.declared.filter(|_| parent.is_none());
    let has_history = match parent {
        Some(parent) => parent.own_column(&ColumnSource::ValidTo).is_some(),
        None => declared.is_some_and(|table| table.history),
    };
    let mut columns = Vec::new();
    if declared.is_some_and(|table| table.deletes == Deletes::Mark) {
        columns.push(column(DELETED_AT_COLUMN, ColumnSource::DeletedAt));
    }
    if has_history {
        columns.push(column(VALID_FROM_COLUMN, ColumnSource::ValidFrom));
        columns.push(column(VALID_TO_COLUMN, ColumnSource::ValidTo));
    }
    columns
}

/// What a run does with the rows of a table.
fn policy(pending: &Pending<'_>, parent: Option<&ResolvedTable>) -> TablePolicy {
    let declared = pending.declared;
    TablePolicy {
        disposition: match (pending.rows, parent) {
            // The rows of an excluded table do not stay.
            (Rows::Excluded, _) => WriteDisposition::Replace,
            (_, Some(parent)) => parent.policy.disposition,
            (_, None) => declared.map(|table| table.write_disposition).unwrap_or_default(),
        },
        deletes: declared.map(|table| table.deletes).unwrap_or_default(),
        nested: pending.nested(),
        contract: pending.contract,
        checks: declared.map(|table| table.checks.clone()).unwrap_or_default(),
        discarded: Vec::new(),
    }
}

/// The columns of the JSON's values: those the table has, in their order, then the new ones. A column
/// that nothing of this export is for stays, and is null.
fn value_columns(
    pending: &Pending<'_>,
    known: &[&ColumnSchema],
    mut seen: IndexMap<ColumnName, Seen>,
) -> Result<Vec<ColumnSchema>, SchemaError> {
    let none = IndexMap::new();
    let declared = pending.declared.map_or(&none, |table| &table.columns);
    let mut columns = Vec::new();
    for column in known {
        let Some(before) = Known::of(column) else { continue };
        let declared = declared.get(&column.name);
        let (known, source) = match seen.shift_remove(&column.name) {
            Some(now) => {
                let Seen { path, known } = now.after(before, pending.contract.data_type);
                (known, ValuesFrom::Here(path))
            }
            None => (before, ValuesFrom::Nowhere(column.path().map(<[Step]>::to_vec))),
        };
        columns.push(known.column(&pending.name, &column.name, source, declared)?);
    }
    let first = pending.declared.map_or(&[][..], |table| &table.primary_key);
    for name in first.iter().chain(declared.keys()) {
        let declared = declared.get(name);
        if let Some(Seen { path, known }) = seen.shift_remove(name) {
            columns.push(known.column(&pending.name, name, ValuesFrom::Here(path), declared)?);
        } else if is_promised(declared) && !columns.iter().any(|column| column.name == *name) {
            let source = ValuesFrom::Nowhere(None);
            columns.push(Known::default().column(&pending.name, name, source, declared)?);
        }
    }
    seen.sort_keys();
    for (name, Seen { path, known }) in seen {
        columns.push(known.column(&pending.name, &name, ValuesFrom::Here(path), None)?);
    }
    Ok(columns)
}

/// Where this export has the values of a column.
enum ValuesFrom {
    Here(ValuePath),
    /// It has none; this is where earlier ones had them.
    Nowhere(Option<ValuePath>),
}

/// Whether a column is there even when no record has it: schemas do not depend on luck.
fn is_promised(declared: Option<&Column>) -> bool {
    declared.is_some_and(|column| !column.exclude && column.column_type.is_some())
}

impl Known {
    /// What is known of the values of a column so far, if they come from the JSON.
    fn of(column: &ColumnSchema) -> Option<Self> {
        let (ColumnSource::Value { statistics, nested, .. }
        | ColumnSource::Unseen { statistics, nested, .. }) = &column.source
        else {
            return None;
        };
        let list = matches!(column.column_type, ColumnType::List(_));
        Some(Self { statistics: *statistics, list, nested: nested.clone() })
    }

    /// What is known of values that stay in one column, whatever they hold.
    pub(crate) fn whole(value: &ValueShape) -> Self {
        let nested = value.needs_rows().then(|| value.clone());
        Self { statistics: value.statistics_with_items(), list: value.lists, nested }
    }

    fn is_empty(&self) -> bool {
        self.statistics.is_empty() && self.nested.is_none()
    }

    fn shape(&self) -> ValueShape {
        match &self.nested {
            Some(nested) => nested.clone(),
            None if self.list => ValueShape::of_lists(self.statistics),
            None => ValueShape { scalars: self.statistics, ..ValueShape::default() },
        }
    }

    fn merge(self, other: &Self) -> Self {
        let nested = (self.nested.is_some() || other.nested.is_some()).then(|| {
            let mut both = self.shape();
            both.merge(&other.shape());
            both
        });
        Self {
            statistics: self.statistics.merge(other.statistics),
            list: self.list || other.list,
            nested,
        }
    }

    fn inferred_type(&self) -> Result<ColumnType, FieldCollision> {
        match (&self.nested, self.statistics.column_type()) {
            (Some(nested), _) => nested.column_type(),
            (None, scalar) if self.list => Ok(ColumnType::List(Box::new(scalar))),
            (None, scalar) => Ok(scalar),
        }
    }

    fn column(
        self,
        table: &TableName,
        name: &ColumnName,
        source: ValuesFrom,
        declared: Option<&Column>,
    ) -> Result<ColumnSchema, SchemaError> {
        let column_type = match declared.and_then(|column| column.column_type.clone()) {
            Some(declared) => declared,
            None => self.inferred_type().map_err(|collision| SchemaError::FieldCollision {
                table: table.clone(),
                column: name.clone(),
                field: collision.field,
                first: collision.first,
                second: collision.second,
            })?,
        };
        let Self { statistics, nested, .. } = self;
        Ok(ColumnSchema {
            name: name.clone(),
            column_type,
            source: match source {
                ValuesFrom::Here(path) => ColumnSource::Value { path, statistics, nested },
                ValuesFrom::Nowhere(path) => ColumnSource::Unseen { path, statistics, nested },
            },
            formats: declared.map(|column| column.formats.clone()).unwrap_or_default(),
            description: declared.and_then(|column| column.description.clone()),
            seen: None,
        })
    }
}

impl Seen {
    /// The same, in a column that has held values before. Where the contract discards what would widen the
    /// column, it stays as it is.
    fn after(self, before: Known, mode: ContractMode) -> Self {
        let known = match mode.discards() {
            Some(_) if !before.is_empty() => before,
            _ => before.merge(&self.known),
        };
        Self { path: self.path, known }
    }
}

fn own_column(name: &str, column_type: ColumnType, source: ColumnSource) -> ColumnSchema {
    let name = name.parse().unwrap_or_else(|_| ColumnName::unnamed());
    ColumnSchema { name, column_type, source, formats: Vec::new(), description: None, seen: None }
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
            description: None,
            seen: None,
        })
        .collect();
    columns.push(own_column(INDEX_COLUMN, ColumnType::Int64, ColumnSource::Index));
    columns
}

impl TableSchema {
    /// The columns by which children name a row of this table, under the names the children use.
    pub(crate) fn key_for_children(&self) -> Vec<(ColumnName, ColumnType)> {
        self.columns
            .iter()
            .filter_map(|column| Some((self.name_in_children(column)?, column.column_type.clone())))
            .collect()
    }

    /// The name of a column in the child tables, if it is part of the key.
    pub(crate) fn name_in_children(&self, column: &ColumnSchema) -> Option<ColumnName> {
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
