//! Infers which columns and child tables the values of one table become, and their names.

use std::collections::{HashMap, HashSet};

use crate::definition::{Contract, ContractMode, Nested, Table, Widening};
use crate::infer::column_index::ColumnIndex;
use crate::infer::column_shape::{ColumnShape, SeenColumn};
use crate::infer::error::SchemaError;
use crate::infer::naming::{child_table_name, column_name, distinct_name, distinct_table_name};
use crate::infer::resolved::Discarded;
use crate::infer::unresolved::{
    CarriedColumn, ChildTable, KnownTables, NOTHING_SEEN, TableShape, UnresolvedTable,
};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnType, HISTORY_SUFFIX, Kinds, Shape, ShownPath, Step, TableName,
    TableSchema, ValueKind, ValuePath, ValueShape,
};

/// Collects the columns and child tables of one table from the shape of its records.
pub(crate) struct ColumnInference<'s, 'a> {
    pub(crate) table: &'s UnresolvedTable<'a>,
    pub(crate) known: &'s mut KnownTables<'a>,
    /// The columns that there are already.
    pub(crate) index: ColumnIndex<'a>,
    pub(crate) columns: HashMap<ColumnName, SeenColumn>,
    pub(crate) children: Vec<ChildTable<'a>>,
    pub(crate) discarded: Vec<Discarded>,
    /// The paths of values that the definition excludes.
    pub(crate) excluded: HashSet<ValuePath>,
    /// The names of all values of the export.
    pub(crate) named: HashSet<ColumnName>,
    /// The names that keys, partitions and flowlake's own columns need.
    pub(crate) reserved: HashSet<ColumnName>,
}

/// The column that there is for the scalars at a path before this export.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KnownColumn {
    None,
    /// It has had no values, and the first ones give it a type.
    Untyped,
    Scalars,
    Lists,
}

/// What there is for the values at a path before this export.
struct KnownPlace {
    column: KnownColumn,
    /// Columns of objects.
    objects: bool,
    child: Option<TableName>,
}

impl KnownPlace {
    fn has_column(&self) -> bool {
        self.column != KnownColumn::None
    }

    fn has_lists(&self) -> bool {
        self.column == KnownColumn::Lists
    }

    /// Whether values of these kinds need a child table that does not exist yet. Objects beside lists are lists of one.
    fn opens_child(&self, kinds: Kinds) -> bool {
        let has_objects = kinds.contains(ValueKind::Object) && !self.objects;
        let has_lists = kinds.contains(ValueKind::ScalarList) || self.has_lists();
        self.child.is_none() && (kinds.contains(ValueKind::RowList) || (has_objects && has_lists))
    }
}

impl<'a> ColumnInference<'_, 'a> {
    pub(crate) fn level(
        &mut self,
        shape: &'a Shape,
        path: &mut ValuePath,
    ) -> Result<(), SchemaError> {
        for (step, value) in &shape.values {
            path.push(step.clone());
            self.value(value, path)?;
            path.pop();
        }
        Ok(())
    }

    /// The keys of objects. Items of lists beside them are in no column below.
    fn objects(&mut self, shape: &'a Shape, path: &mut ValuePath) -> Result<(), SchemaError> {
        for (step, value) in &shape.values {
            let is_theirs = value.kinds.is_empty() || value.holders.contains(ValueKind::Object);
            if *step != Step::Item && is_theirs {
                path.push(step.clone());
                self.value(value, path)?;
                path.pop();
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &'a ValueShape, path: &mut ValuePath) -> Result<(), SchemaError> {
        let name = self.name_of(path)?;
        self.named.insert(name.clone());
        if self.is_excluded(&name) {
            self.excluded.insert(path.clone());
            return Ok(());
        }
        if self.table.nested() == Nested::Columns {
            return self.whole(name, value, path);
        }
        if let (Some(ColumnType::Json), Some(child)) =
            (self.declared_type(&name), self.declared_child(path))
        {
            let (table, child) = (self.table.name.clone(), child.name.clone());
            return Err(SchemaError::JsonHasRows { table, column: name, child });
        }
        if let (Some(declared), None) = (self.declared_type(&name), self.declared_child(path)) {
            // Only values of the declared type fit, so objects have no columns and lists no table.
            let list = matches!(declared, ColumnType::List(_));
            return self.add_scalars(name, value, list, path);
        }
        if value.kinds.is_empty() {
            return self.nothing(name, value, path);
        }
        let place = self.place(&name, path);
        let stay = self.admitted(value.kinds, &place, path);
        let child = match &place.child {
            Some(child) => Some(child.clone()),
            None => place.opens_child(stay).then(|| self.free_table_name(path)),
        };
        let has_child = child.is_some();
        if let Some(child) = child {
            let shape = value.nested.as_deref().unwrap_or(&NOTHING_SEEN);
            self.children.push((child, path.clone(), TableShape::Seen(shape)));
        }
        let list = place.has_lists() || (stay.contains(ValueKind::ScalarList) && !has_child);
        // A column of scalars that this export has only objects for has vanished.
        let has_scalars =
            value.kinds.contains(ValueKind::Scalar) || value.kinds.contains(ValueKind::ScalarList);
        if list || (place.has_column() && has_scalars) || stay.contains(ValueKind::Scalar) {
            self.add_scalars(name, value, list, path)?;
        }
        let flattens = stay.contains(ValueKind::Object) && (place.objects || !has_child);
        match &value.nested {
            Some(nested) if flattens => self.objects(nested, path),
            _ => Ok(()),
        }
    }

    /// A column of scalars, or of lists of them.
    fn add_scalars(
        &mut self,
        name: ColumnName,
        value: &ValueShape,
        list: bool,
        path: &ValuePath,
    ) -> Result<(), SchemaError> {
        let statistics = if list { value.statistics_with_items() } else { value.scalars };
        let shape = ColumnShape { statistics, list, ..ColumnShape::default() };
        self.add(name, SeenColumn { path: path.clone(), shape, scalars: value.scalars })
    }

    /// A value that is nothing but `null`, `{}` and `[]` in the whole export. It changes no table that there is; in
    /// the first export it is a column of nulls.
    fn nothing(
        &mut self,
        name: ColumnName,
        value: &'a ValueShape,
        path: &mut ValuePath,
    ) -> Result<(), SchemaError> {
        if let Some(child) = self.existing_child(path) {
            let shape = value.nested.as_deref().unwrap_or(&NOTHING_SEEN);
            self.children.push((child, path.clone(), TableShape::Seen(shape)));
            return Ok(());
        }
        let is_first = !self.known.has_values(&self.table.name);
        let has_type = || self.index.known(&name).is_some_and(|column| !column.is_untyped());
        let is_column = match self.known.foreign {
            Some(_) => has_type(),
            None => self.has_column(&name) || (is_first && !value.has_keys()),
        };
        if is_column {
            let list = self.is_list(&name);
            self.add_scalars(name, value, list, path)?;
        }
        match &value.nested {
            Some(nested) => self.objects(nested, path),
            None => Ok(()),
        }
    }

    /// A value that becomes one column, nested or not.
    fn whole(
        &mut self,
        name: ColumnName,
        value: &ValueShape,
        path: &ValuePath,
    ) -> Result<(), SchemaError> {
        let is_new = self.known.has_values(&self.table.name) && !self.has_column(&name);
        let may_be_untyped = self.known.foreign.is_none() || self.has_column(&name);
        if (is_new || !may_be_untyped) && value.kinds.is_empty() {
            return Ok(());
        }
        let mode = is_new.then_some(self.table.contract.columns);
        if let Some(discard) = mode.and_then(ContractMode::discards) {
            self.discarded.push(Discarded { path: path.clone(), kinds: value.kinds, discard });
            return Ok(());
        }
        let mut shape = ColumnShape::whole(value);
        shape.list |= self.is_list(&name);
        self.add(name, SeenColumn { path: path.clone(), shape, scalars: value.scalars })
    }

    /// What the definition and the destination have for a path.
    fn place(&self, name: &ColumnName, path: &[Step]) -> KnownPlace {
        KnownPlace {
            column: self.known_column(name),
            objects: self.index.has_objects(path),
            child: self.existing_child(path),
        }
    }

    /// The kinds of values that the contract lets into the table. The others are noted as discarded, but for lists in a
    /// column of scalars: they do not fit its type.
    fn admitted(&mut self, kinds: Kinds, place: &KnownPlace, path: &[Step]) -> Kinds {
        if !self.known.has_values(&self.table.name) {
            return kinds;
        }
        let Contract { tables, columns, data_type } = self.table.contract;
        let has_child = place.child.is_some();
        let mut stay = kinds;
        if !has_child {
            stay = self.admit(stay, ValueKind::RowList, tables, path);
        }
        if !has_child && place.has_lists() && !place.objects {
            stay = self.admit(stay, ValueKind::Object, tables, path);
        }
        if !place.has_column() {
            stay = self.admit(stay, ValueKind::Scalar, columns, path);
        }
        let has_rows = has_child || stay.contains(ValueKind::RowList);
        if !place.has_lists() && !has_rows {
            if !place.has_column() {
                stay = self.admit(stay, ValueKind::ScalarList, columns, path);
            } else if data_type.widening() != Widening::Any && place.column == KnownColumn::Scalars
            {
                stay = stay.without(ValueKind::ScalarList);
            }
            if place.opens_child(stay) {
                stay = self.admit(stay, ValueKind::ScalarList, tables, path);
            }
        }
        stay
    }

    /// The kinds without one that a contract mode discards.
    fn admit(&mut self, kinds: Kinds, kind: ValueKind, mode: ContractMode, path: &[Step]) -> Kinds {
        match mode.discards() {
            Some(discard) if kinds.contains(kind) => {
                let (path, kinds_out) = (path.to_vec(), Kinds::from(kind));
                self.discarded.push(Discarded { path, kinds: kinds_out, discard });
                kinds.without(kind)
            }
            _ => kinds,
        }
    }

    /// Whether the definition or the table so far has a column.
    fn has_column(&self, name: &ColumnName) -> bool {
        self.table.declared.is_some_and(|table| table.columns.contains_key(name))
            || self.index.known(name).is_some()
    }

    fn known_column(&self, name: &ColumnName) -> KnownColumn {
        let known = self.index.known(name).and_then(ColumnShape::of);
        let has_type = |shape: ColumnShape| shape.known.is_some();
        match (self.has_column(name), self.is_list(name)) {
            (false, _) => KnownColumn::None,
            (true, true) => KnownColumn::Lists,
            _ if self.declared_type(name).is_some() => KnownColumn::Scalars,
            _ if known.is_none_or(has_type) => KnownColumn::Scalars,
            _ => KnownColumn::Untyped,
        }
    }

    /// Whether the definition excludes a name, with everything below it.
    fn is_excluded(&self, name: &ColumnName) -> bool {
        let declared = self.table.declared.and_then(|table| table.columns.get(name));
        declared.is_some_and(|column| column.exclude)
    }

    /// Whether a value, or an object around it, is excluded.
    fn excludes(&self, path: &[Step]) -> bool {
        let mut objects = (1..=path.len()).map(|length| &path[..length]);
        objects.any(|path| self.name_of(path).is_ok_and(|name| self.is_excluded(&name)))
    }

    /// The columns of the table so far, without those the definition excludes.
    pub(crate) fn known_columns(&self) -> Vec<&'a ColumnSchema> {
        let known = self.known.schemas.get(&self.table.name);
        let columns = known.map_or(&[][..], |schema| &schema.columns).iter();
        let is_excluded = |column: &&ColumnSchema| {
            let is_foreign = self.known.foreign.as_ref();
            matches!(self.table.rows, TableShape::Excluded)
                || (is_foreign.is_some_and(|it| it.has_column(&self.table.name, &column.name))
                    && !self.columns.contains_key(&column.name))
                || self.is_excluded(&column.name)
                || self.reserved.contains(&column.name)
                || column.path().is_some_and(|path| self.excludes(path))
        };
        columns.filter(|column| !is_excluded(column)).collect()
    }

    /// The columns that declared child tables carry, but for those that this table carries itself.
    pub(crate) fn columns_for_children(&self) -> Vec<CarriedColumn<'a>> {
        let is_child = |table: &&Table| table.parent.as_ref() == Some(&self.table.name);
        let carried = self.known.declared.iter().filter(is_child);
        let carried = carried.flat_map(|table| {
            let child = &table.name;
            table.parent_columns.iter().map(move |name| CarriedColumn { child, name })
        });
        carried.filter(|carried| !self.reserved.contains(carried.name)).collect()
    }

    /// Adds the declared and existing child tables that are missing from this export: they are part of the run too.
    pub(crate) fn children_not_seen(&mut self) {
        let is_child = |name: &Option<TableName>| name.as_ref() == Some(&self.table.name);
        let declared = self.known.declared.iter().filter(|table| is_child(&table.parent));
        let declared = declared.map(|table| {
            let keys = table.records.as_ref().map_or(&[][..], |pointer| pointer.keys());
            (table.name.clone(), keys.iter().cloned().map(Step::Key).collect::<ValuePath>())
        });
        let known = self.known.schemas.values().filter(|schema| is_child(&schema.parent));
        let known = known.filter(|schema| !self.known.is_foreign(&schema.name));
        let known = known.map(|schema| (schema.name.clone(), schema.path.clone()));
        let all: Vec<(TableName, ValuePath)> = declared.chain(known).collect();
        for (name, path) in all {
            if self.children.iter().any(|(other, _, _)| *other == name) {
                continue;
            }
            let rows = match self.table.rows {
                TableShape::Excluded => TableShape::Excluded,
                _ if self.excludes(&path) => TableShape::Excluded,
                _ => TableShape::NotSeen,
            };
            self.children.push((name, path, rows));
        }
    }

    fn declared_type(&self, name: &ColumnName) -> Option<&'a ColumnType> {
        self.table.declared?.columns.get(name)?.column_type.as_ref()
    }

    /// Whether the definition or the table so far makes a column one of lists, even if this export has none.
    fn is_list(&self, name: &ColumnName) -> bool {
        let known = || Some(&self.index.known(name)?.column_type);
        matches!(self.declared_type(name).or_else(known), Some(ColumnType::List(_)))
    }

    /// The declared child table of a path.
    fn declared_child(&self, path: &[Step]) -> Option<&'a Table> {
        self.known.declared.iter().find(|table| {
            table.parent.as_ref() == Some(&self.table.name)
                && table.records.as_ref().is_some_and(|pointer| {
                    pointer.keys().iter().cloned().map(Step::Key).eq(path.iter().cloned())
                })
        })
    }

    /// The child table that the definition or the destination has for a path.
    fn existing_child(&self, path: &[Step]) -> Option<TableName> {
        let is_here = |schema: &&TableSchema| {
            schema.parent.as_ref() == Some(&self.table.name) && schema.path == path
        };
        let known = || self.known.schemas.values().find(is_here).map(|schema| &schema.name);
        self.declared_child(path).map(|table| &table.name).or_else(known).cloned()
    }

    /// The name of an undeclared child table, with a suffix made from its path when another table has the name, or a
    /// history may have it.
    fn free_table_name(&mut self, path: &[Step]) -> TableName {
        let mut name = child_table_name(&self.table.name, path);
        if self.table.has_history && name.as_str().ends_with(HISTORY_SUFFIX) {
            name = distinct_table_name(&name, path);
        }
        while !self.known.names.insert(name.clone()) {
            name = distinct_table_name(&name, path);
        }
        name
    }

    /// The column name of a value: declared for its path, known from earlier exports, or made from the path.
    fn name_of(&self, path: &[Step]) -> Result<ColumnName, SchemaError> {
        if let Some(name) = self.index.name_of(path) {
            return Ok(name.clone());
        }
        let mut name = column_name(path);
        if self.reserved.contains(&name) {
            name = distinct_name(&name, path);
        }
        let columns = self.table.declared.map(|table| &table.columns);
        while let Some(other) = self.path_that_has(&name, path) {
            if columns.is_some_and(|columns| columns.contains_key(&name)) {
                return Err(self.collision(name, &other, path));
            }
            name = distinct_name(&name, path);
        }
        Ok(name)
    }

    /// The path of another value with this name: declared, in this export, or in the table so far.
    fn path_that_has(&self, name: &ColumnName, path: &[Step]) -> Option<ValuePath> {
        let seen = || self.columns.get(name).map(|seen| seen.path.clone());
        let known = || Some(self.index.known(name)?.path()?.to_vec());
        let declared = self.index.path_of(name).map(<[Step]>::to_vec);
        declared.or_else(seen).or_else(known).filter(|other| other != path)
    }

    fn collision(&self, column: ColumnName, first: &[Step], second: &[Step]) -> SchemaError {
        SchemaError::Collision {
            table: self.table.name.clone(),
            column,
            first: ShownPath(first).to_string(),
            second: ShownPath(second).to_string(),
        }
    }

    fn add(&mut self, name: ColumnName, seen: SeenColumn) -> Result<(), SchemaError> {
        let path = seen.path.clone();
        match self.columns.insert(name.clone(), seen) {
            Some(other) => Err(self.collision(name, &other.path, &path)),
            None => Ok(()),
        }
    }
}
