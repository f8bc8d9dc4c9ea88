//! Resolves the schemas of a run from the shape of its export, the definition and the schemas so far.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::accounted::Places;
use super::checks::verify_checks;
use super::column_index::ColumnIndex;
use super::column_shape::SeenColumn;
use super::columns::ColumnInference;
use super::error::SchemaError;
use super::history::histories;
use super::own_columns::{
    deletion_columns, key_columns, metadata_columns, parent_columns, reserved_names,
};
use super::resolved::{ResolvedTable, Schemas, TablePolicy};
use super::unmatched::unmatched;
use super::unresolved::{CarriedColumn, KnownTables, TableShape, UnresolvedTable, with_shared};
use super::validate::{check_columns, check_partitions, verify_parent_columns};
use super::value_columns::value_columns;
use crate::definition::{FieldTypes, Table, Widening, WriteDisposition};
use crate::schema::{
    ColumnName, ColumnSchema, ColumnSource, ColumnType, IdVec, PositionId, RootId, Shape, TableId,
    TableName, TableSchema,
};

impl Schemas {
    /// Resolves the tables of a run: `roots` are the record arrays with their tables and shapes, `declared` all tables of
    /// the definition, `known` the schemas the destination has.
    ///
    /// # Errors
    /// The export contradicts the definition or the schema contract.
    pub fn resolve(
        roots: &[(RootId, &Table, &Shape)],
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
    ) -> Result<Self, SchemaError> {
        Self::resolve_with(roots, declared, known, KnownTables::new(declared, known))
    }

    /// The same for tables that pipelines share: values of a path, or for a column, that another pipeline had first get the
    /// name and the type that were agreed on. Columns without values are left out, since the first value gives a type to
    /// all.
    ///
    /// # Errors
    /// The export contradicts the definition or the schema contract.
    pub fn resolve_shared(
        roots: &[(RootId, &Table, &Shape)],
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
        shared: &BTreeMap<TableName, TableSchema>,
    ) -> Result<Self, SchemaError> {
        let (all, foreign) = with_shared(known, shared);
        let tables =
            KnownTables { own: known, foreign: Some(foreign), ..KnownTables::new(declared, &all) };
        Self::resolve_with(roots, declared, known, tables)
    }

    fn resolve_with(
        roots: &[(RootId, &Table, &Shape)],
        declared: &[Table],
        known: &BTreeMap<TableName, TableSchema>,
        tables: KnownTables<'_>,
    ) -> Result<Self, SchemaError> {
        let mut resolver = Resolver { known: tables, tables: IdVec::default() };
        let mut root_ids = BTreeMap::new();
        for (id, table, shape) in roots {
            root_ids.insert(*id, TableId::from_index(resolver.tables.len()));
            resolver.table(&UnresolvedTable {
                name: table.name.clone(),
                declared: Some(table),
                parent: None,
                path: Vec::new(),
                contract: table.contract.unwrap_or_default(),
                has_history: table.history,
                rows: TableShape::Seen(shape),
            })?;
        }
        let histories = histories(&resolver.tables, roots, known)?;
        let schemas = Self { tables: resolver.tables, roots: root_ids, histories };
        verify_checks(&schemas)?;
        let changes = schemas.forbidden_changes(declared, known);
        if changes.is_empty() { Ok(schemas) } else { Err(SchemaError::Frozen { changes }) }
    }
}

/// Resolves one table after the other, parents before their children.
struct Resolver<'a> {
    known: KnownTables<'a>,
    tables: IdVec<TableId, ResolvedTable>,
}

impl<'a> Resolver<'a> {
    fn table(&mut self, pending: &UnresolvedTable<'a>) -> Result<(), SchemaError> {
        if self.tables.values().any(|table| table.schema.name == pending.name) {
            return Err(SchemaError::TableCollision { table: pending.name.clone() });
        }
        let parent = pending.parent.map(|parent| &self.tables[parent].schema);
        let reserved = reserved_names(pending, parent);
        let own = self.known.own.get(&pending.name);
        let before = self.known.schemas.get(&pending.name);
        let mut inference = ColumnInference {
            table: pending,
            excluded: HashSet::new(),
            named: HashSet::new(),
            index: ColumnIndex::new(pending.declared, before, &reserved),
            reserved,
            known: &mut self.known,
            columns: HashMap::new(),
            children: Vec::new(),
            discarded: Vec::new(),
        };
        if let TableShape::Seen(shape) = pending.rows {
            inference.level(shape, &mut Vec::new())?;
        }
        inference.children_not_seen();
        let known = inference.known_columns();
        let for_children = inference.columns_for_children();
        let ColumnInference { columns, children, discarded, excluded, named, .. } = inference;
        let parent = pending.parent.map(|parent| &self.tables[parent]);
        let unmatched = pending.declared.map(|table| unmatched(table, &pending.rows, named, own));
        let unmatched = unmatched.unwrap_or_default();
        let mut policy = TablePolicy { discarded, excluded, unmatched, ..policy(pending, parent) };
        policy.is_shared = self.known.foreign.is_some();
        self.check_key(pending, &policy)?;
        let schema = self.schema(pending, &policy, &known, columns, &for_children)?;
        self.check_layout(&schema, &policy)?;
        if let TableShape::Seen(shape) = pending.rows {
            let seen = children.iter().filter(|(_, _, rows)| matches!(rows, TableShape::Seen(_)));
            let paths = seen.map(|(_, path, _)| path);
            Places::new(&schema, &policy, paths).hold(shape)?;
        }
        let id = TableId::from_index(self.tables.len());
        let root = parent.map_or(id, |parent| parent.root);
        self.tables.push(ResolvedTable { schema, policy, root, children: Vec::new() });
        if let (Some(parent), TableShape::Seen(_)) = (pending.parent, pending.rows) {
            self.tables[parent].children.push(id);
        }
        for (name, path, rows) in children {
            let declared = self.known.declared.iter().find(|table| table.name == name);
            let contract = declared.and_then(|table| table.contract).unwrap_or(pending.contract);
            let (parent, has_history) = (Some(id), pending.has_history);
            let child =
                UnresolvedTable { name, declared, parent, path, contract, has_history, rows };
            self.table(&child)?;
        }
        Ok(())
    }

    fn schema(
        &self,
        pending: &UnresolvedTable<'a>,
        policy: &TablePolicy,
        known: &[&ColumnSchema],
        seen: HashMap<ColumnName, SeenColumn>,
        for_children: &[CarriedColumn<'a>],
    ) -> Result<TableSchema, SchemaError> {
        let parent = pending.parent.map(|parent| &self.tables[parent].schema);
        let primary_key =
            pending.declared.map(|table| table.primary_key.clone()).unwrap_or_default();
        let partition_by = match (parent, pending.declared) {
            (Some(parent), _) => parent.partition_by.clone(),
            (None, Some(declared)) => declared.partition_by.clone(),
            (None, None) => Vec::new(),
        };
        let mut columns = key_columns(parent, pending.declared);
        let values = value_columns(pending, policy, known, seen, for_children)?;
        let mut values = values.into_iter().peekable();
        // Keys come first, the parent's and then its own.
        while let Some(key) = values.next_if(|column| primary_key.contains(&column.name)) {
            columns.push(key);
        }
        columns.extend(parent_columns(pending, parent));
        columns.extend(values);
        columns.extend(deletion_columns(pending, parent));
        columns.extend(metadata_columns());
        let schema = TableSchema {
            name: pending.name.clone(),
            root: parent.map_or_else(|| pending.name.clone(), |table| table.root.clone()),
            parent: parent.map(|table| table.name.clone()),
            history_of: None,
            path: pending.path.clone(),
            excluded: matches!(pending.rows, TableShape::Excluded),
            description: pending.declared.and_then(|table| table.description.clone()),
            primary_key,
            cursor: pending.declared.and_then(|table| table.cursor.clone()),
            slice: match (parent, pending.declared) {
                (Some(parent), _) => parent.slice.clone(),
                (None, declared) => declared.and_then(|table| table.slice.clone()),
            },
            partition_by,
            sort_by: pending.declared.map(|table| table.sort_by.clone()).unwrap_or_default(),
            columns,
        };
        verify_parent_columns(pending, parent)?;
        check_columns(&schema)?;
        check_partitions(&schema)?;
        Ok(schema)
    }

    /// Refuses another key while older rows stay in the table, whether its columns are known or not.
    fn check_key(
        &self,
        pending: &UnresolvedTable<'a>,
        policy: &TablePolicy,
    ) -> Result<(), SchemaError> {
        let key = pending.declared.map_or(&[][..], |table| &table.primary_key);
        match self.known.own.get(&pending.name) {
            Some(known)
                if known.primary_key != key && policy.disposition != WriteDisposition::Replace =>
            {
                let (table, before) = (pending.name.clone(), known.primary_key.clone());
                Err(SchemaError::Rekeyed { table, before })
            }
            _ => Ok(()),
        }
    }

    /// Refuses other partitions or a dropped column for soft deletes while older rows stay in the table.
    fn check_layout(&self, schema: &TableSchema, policy: &TablePolicy) -> Result<(), SchemaError> {
        if policy.disposition == WriteDisposition::Replace {
            return Ok(());
        }
        let Some(known) = self.known.own.get(&schema.name) else { return Ok(()) };
        let table = schema.name.clone();
        let deleted_at = known.own_column(&ColumnSource::DeletedAt);
        if let Some(column) = deleted_at.filter(|name| schema.column(name).is_none()) {
            return Err(SchemaError::Unkept { table, column: column.clone() });
        }
        if known.partition_by != schema.partition_by {
            let is_shared = policy.is_shared;
            return Err(SchemaError::Repartitioned { table, is_shared });
        }
        // A child table is in the partitions of its root, whatever its own column of the name is.
        if schema.parent.is_none()
            && let Some((before, now)) = column_with_other_directories(known, schema)
        {
            let (column, before, now) =
                (now.name.clone(), before.column_type.clone(), now.column_type.clone());
            return Err(SchemaError::OtherDirectories { table, column, before, now });
        }
        let has_member_keys =
            |schema: &TableSchema| schema.own_column(&ColumnSource::MemberKey).cloned();
        if has_member_keys(known) != has_member_keys(schema) {
            return Err(SchemaError::Rekeyed { table, before: known.row_key() });
        }
        if policy.disposition == WriteDisposition::Merge
            && let Some((before, now)) = key_column_of_other_texts(known, schema)
        {
            let (column, before, now) =
                (now.name.clone(), before.column_type.clone(), now.column_type.clone());
            return Err(SchemaError::OtherKeyType { table, column, before, now });
        }
        let not_json = known.columns.iter().find(|before| {
            let now = schema.column(&before.name).map(|column| &column.column_type);
            now == Some(&ColumnType::Json)
                && before.column_type != ColumnType::Json
                && has_values(before)
        });
        if let Some(ColumnSchema { name, column_type, .. }) = not_json {
            let (column, before) = (name.clone(), column_type.clone());
            return Err(SchemaError::NotJson { table, column, before });
        }
        let parent = schema.parent.as_ref().and_then(|parent| self.known.own.get(parent));
        for column in &schema.columns {
            let ColumnSource::ParentColumn(name) = &column.source else { continue };
            // The rows of a parent that did not have the column are null there too.
            let is_new = parent.is_none_or(|parent| parent.column(name).is_none());
            if !is_new && known.own_column(&column.source) != Some(&column.name) {
                return Err(SchemaError::NotCarried { table, column: column.name.clone() });
            }
        }
        Ok(())
    }
}

/// Whether an export has had values for a column.
fn has_values(column: &ColumnSchema) -> bool {
    !column.column_type.is_scalar() || column.statistics().is_some_and(|it| !it.is_empty())
}

/// What a run does with the rows of a table.
fn policy(pending: &UnresolvedTable<'_>, parent: Option<&ResolvedTable>) -> TablePolicy {
    let declared = pending.declared;
    TablePolicy {
        disposition: match (pending.rows, parent) {
            // The rows of an excluded table do not stay.
            (TableShape::Excluded, _) => WriteDisposition::Replace,
            (_, Some(parent)) => parent.policy.disposition,
            (_, None) => declared.map(|table| table.write_disposition).unwrap_or_default(),
        },
        deletes: declared.map(|table| table.deletes).unwrap_or_default(),
        nested: pending.nested(),
        declared: declared.map(typed_columns).unwrap_or_default(),
        guarded: declared.map(guarded_columns).unwrap_or_default(),
        declared_fields: declared.map(typed_fields).unwrap_or_default(),
        contract: pending.contract,
        is_shared: false,
        checks: declared.map(|table| table.checks.clone()).unwrap_or_default(),
        discarded: Vec::new(),
        excluded: HashSet::new(),
        unmatched: Vec::new(),
    }
}

/// The columns that identify, order and place rows.
fn guarded_columns(table: &Table) -> HashMap<ColumnName, Widening> {
    let by_time = table.partition_by.iter().filter(|field| !field.is_identity());
    let by_value = table.partition_by.iter().filter(|field| field.is_identity());
    let keys = table.primary_key.iter().chain(&table.cursor);
    let within_family = keys.chain(by_time.map(|field| &field.column));
    let within_family = within_family.map(|name| (name.clone(), Widening::WithinFamily));
    // The last of equal names counts.
    let by_value = by_value.map(|field| (field.column.clone(), Widening::KeepingTexts));
    within_family.chain(by_value).collect()
}

/// A column, before and now, whose values would be other directories from now on.
fn column_with_other_directories<'t>(
    before: &'t TableSchema,
    now: &'t TableSchema,
) -> Option<(&'t ColumnSchema, &'t ColumnSchema)> {
    let by_value = now.partition_by.iter().filter(|field| field.is_identity());
    let mut columns =
        by_value.filter_map(|field| before.column(&field.column).zip(now.column(&field.column)));
    columns.find(|(before, now)| {
        !before.is_untyped() && !now.column_type.keeps_texts_of(&before.column_type)
    })
}

/// A column of the key, before and now, of which one value may have had several texts, or has several now.
fn key_column_of_other_texts<'t>(
    before: &'t TableSchema,
    now: &'t TableSchema,
) -> Option<(&'t ColumnSchema, &'t ColumnSchema)> {
    use ColumnType::{Date, Decimal, Float64, String, Timestamp};
    let key = now.primary_key.iter();
    let mut columns = key.filter_map(|name| before.column(name).zip(now.column(name)));
    columns.find(|(before, now)| {
        let is_other = match (&before.column_type, &now.column_type) {
            (Date | Decimal { .. } | Float64 | Timestamp, String) => true,
            (String, now) => *now != String,
            _ => false,
        };
        is_other && has_values(before)
    })
}

/// The columns with declared types.
fn typed_columns(table: &Table) -> HashSet<ColumnName> {
    let typed = table.columns.iter().filter(|(_, column)| column.column_type.is_some());
    typed.map(|(name, _)| name.clone()).collect()
}

/// The declared types of fields, by column.
fn typed_fields(table: &Table) -> HashMap<ColumnName, FieldTypes> {
    let typed = table.columns.iter().filter(|(_, column)| !column.fields.is_empty());
    typed.map(|(name, column)| (name.clone(), column.fields.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{KnownSchemas, child_table, known, resolve, shape, table};
    use super::*;
    use crate::definition::{Column, Contract, ContractMode, DataTypeMode, Deletes, Discard};
    use crate::schema::Step;

    fn names(schemas: &Schemas) -> Vec<String> {
        schemas.iter().map(|(_, schema)| schema.name.to_string()).collect()
    }

    fn columns(schema: &TableSchema) -> Vec<&str> {
        schema.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn a_record_array_keeps_its_id_when_others_are_not_resolved() {
        let second = RootId::from_index(1);
        let (orders, seen) = (table("orders", &[], &[]), shape("[{}]"));
        let schemas =
            Schemas::resolve(&[(second, &orders, &seen)], &[], &KnownSchemas::new()).unwrap();
        let own = TableId::default();
        assert_eq!(schemas.table_of(second), Some(own));
        assert_eq!(schemas.table_of(RootId::default()), None);
        assert_eq!(schemas.root_id_of(own), Some(second));
        assert_eq!(schemas.roots().collect::<Vec<_>>(), [own]);
    }

    #[test]
    fn child_tables_belong_to_their_root_and_carry_its_key() {
        let declared = [table("orders", &["id"], &[])];
        let records = r#"[{"id": 1, "items": [{"parts": [{"no": 1}]}]}]"#;
        let schemas = resolve(records, &declared, &KnownSchemas::new()).unwrap();
        assert_eq!(names(&schemas), ["orders", "orders__items", "orders__items__parts"]);
        let tree = schemas.tree_of(TableId::default());
        assert_eq!(tree.len(), 3);
        for table in &tree {
            assert_eq!(schemas.root_of(*table).schema.name.as_str(), "orders");
        }
        assert_eq!(schemas.table(tree[0]).children, [tree[1]]);
        assert_eq!(
            columns(&schemas[tree[2]])[..4],
            ["orders__id", "orders__items__index", "_index", "no"]
        );
    }

    #[test]
    fn a_child_table_that_an_export_has_no_place_for_is_kept_and_read_for_nothing() {
        let declared = [table("orders", &["id"], &[])];
        let first =
            resolve(r#"[{"id": 1, "items": [{"no": 1}]}]"#, &declared, &KnownSchemas::new());
        let second = resolve(r#"[{"id": 2}]"#, &declared, &known(&first.unwrap())).unwrap();
        assert_eq!(names(&second), ["orders", "orders__items"]);
        assert!(second.table(TableId::default()).children.is_empty());
        assert_eq!(second.tree_of(TableId::default()).len(), 2);
    }

    #[test]
    fn an_excluded_child_table_is_replaced_by_nothing() {
        let mut declared = [table("orders", &["id"], &[])];
        declared[0].write_disposition = WriteDisposition::Merge;
        let records = r#"[{"id": 1, "items": [{"no": 1}]}]"#;
        let before = resolve(records, &declared, &KnownSchemas::new()).unwrap();
        let exclude = Column { exclude: true, ..Column::default() };
        declared[0].columns.insert("items".parse().unwrap(), exclude);
        let after = resolve(records, &declared, &known(&before)).unwrap();
        let (items, table) = after.tables().nth(1).unwrap();
        assert!(table.schema.excluded);
        assert_eq!(table.policy.disposition, WriteDisposition::Replace);
        assert!(!after.tree_of(TableId::default()).contains(&items));
    }

    #[test]
    fn a_child_table_has_the_disposition_and_contract_of_its_parent() {
        let mut orders = table("orders", &["id"], &[]);
        orders.write_disposition = WriteDisposition::Merge;
        orders.deletes = Deletes::Remove;
        let data_type = DataTypeMode::Evolve;
        orders.contract = Some(Contract { data_type, ..Contract::default() });
        let mut notes = child_table("notes", &orders, "/notes");
        notes.contract = Some(Contract::default());
        let records = r#"[{"id": 1, "items": [{"no": 1}], "notes": [{"no": 1}]}]"#;
        let schemas = resolve(records, &[orders, notes], &KnownSchemas::new()).unwrap();
        let policies: Vec<_> = schemas.tables().map(|(_, table)| &table.policy).collect();
        assert!(policies.iter().all(|policy| policy.disposition == WriteDisposition::Merge));
        let no = "no".parse().unwrap();
        let unfit: Vec<Discard> = policies.iter().map(|policy| policy.unfit(&no)).collect();
        assert_eq!(names(&schemas), ["orders", "orders__items", "notes"]);
        assert_eq!(unfit, [Discard::Row, Discard::Row, Discard::Value]);
    }

    #[test]
    fn columns_stand_as_they_were_then_where_the_source_has_them() {
        let declared = [table("orders", &["id"], &[("total", "decimal(18,2)")])];
        let before = resolve(r#"[{"id": 1, "z": 1}]"#, &declared, &KnownSchemas::new()).unwrap();
        let own = |schemas: &Schemas| {
            let schema = &schemas[TableId::default()];
            columns(schema).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let metadata = ["_flowlake_run_id", "_flowlake_loaded_at"];
        assert_eq!(own(&before), [&["id", "z", "total"][..], &metadata].concat());
        let records = r#"[{"c": 1, "b": 1, "id": 1}]"#;
        let after = resolve(records, &declared, &known(&before)).unwrap();
        assert_eq!(own(&after), [&["id", "z", "total", "c", "b"][..], &metadata].concat());
        let z = &after[TableId::default()].columns[1];
        assert!(matches!(z.source, ColumnSource::Unseen { .. }));
    }

    #[test]
    fn rows_that_stay_keep_their_key_partitions_and_lifetimes() {
        let with = |disposition, change: fn(&mut Table)| {
            let mut orders = table("orders", &["id"], &[("day", "date")]);
            orders.write_disposition = disposition;
            orders.deletes = Deletes::Mark;
            let before = resolve("[{\"id\": 1}]", &[orders.clone()], &KnownSchemas::new()).unwrap();
            change(&mut orders);
            resolve("[{\"id\": 1}]", &[orders], &known(&before)).err()
        };
        let repartition: fn(&mut Table) =
            |table| table.partition_by = vec!["month(day)".parse().unwrap()];
        let rekey: fn(&mut Table) = |table| table.primary_key = vec!["day".parse().unwrap()];
        let forget: fn(&mut Table) = |table| table.deletes = Deletes::Ignore;
        let merge = WriteDisposition::Merge;
        assert!(matches!(with(merge, repartition), Some(SchemaError::Repartitioned { .. })));
        assert!(matches!(with(merge, rekey), Some(SchemaError::Rekeyed { .. })));
        assert!(matches!(with(merge, forget), Some(SchemaError::Unkept { .. })));
        for change in [repartition, rekey, forget] {
            assert!(with(WriteDisposition::Replace, change).is_none());
        }
    }

    #[test]
    fn two_record_arrays_are_not_one_table() {
        let (orders, seen) = (table("orders", &[], &[]), shape("[{}]"));
        let roots = [0, 1].map(|index| (RootId::from_index(index), &orders, &seen));
        let error = Schemas::resolve(&roots, &[], &KnownSchemas::new()).unwrap_err();
        assert!(matches!(error, SchemaError::TableCollision { .. }));
    }

    #[test]
    fn a_value_the_contract_discards_is_no_column() {
        let mut declared = [table("orders", &["id"], &[])];
        let before = resolve(r#"[{"id": 1}]"#, &declared, &KnownSchemas::new()).unwrap();
        let columns = ContractMode::DiscardValue;
        declared[0].contract = Some(Contract { columns, ..Contract::default() });
        let after = resolve(r#"[{"id": 1, "new": 1}]"#, &declared, &known(&before)).unwrap();
        let policy = after.policy(TableId::default());
        assert_eq!(policy.discarded.len(), 1);
        assert_eq!(policy.discarded[0].path, [Step::Key("new".to_owned())]);
        assert_eq!(policy.discarded[0].discard, Discard::Value);
        assert!(after[TableId::default()].column(&"new".parse().unwrap()).is_none());
    }
}
