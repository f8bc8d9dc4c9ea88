//! `[[tables]]`: tables and child tables.
//!
//! A child table has the write disposition and partitions of its parent: see [`INHERITED`].

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::json;

use super::canonical::{self, is_default};
use super::checker::Checker;
use super::defaults::TableDefaults;
use super::disposition::{Deletes, Nested, WriteDisposition};
use super::field::{Field, List};
use super::{Check, Column, Contract, Limits};
use crate::schema::{
    ColumnName, JsonPointer, NullValue, PartitionField, Slice, TableName, TimeRanges,
};

/// A declared table or child table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// The table's name, which is its directory.
    pub name: TableName,
    /// For a child table, the table whose records contain its records.
    #[serde(skip_serializing_if = "is_default")]
    pub parent: Option<TableName>,
    /// The place of its records: in the export for a table, in the parent's record for a child table.
    #[serde(skip_serializing_if = "is_default")]
    pub records: Option<JsonPointer>,
    /// For a child table whose records are the members of an object, the column of their keys.
    #[serde(skip_serializing_if = "is_default")]
    pub keys: Option<ColumnName>,
    /// The columns that identify a row, in a child table among the rows of one parent row. Child tables carry them.
    #[serde(skip_serializing_if = "is_default")]
    pub primary_key: Vec<ColumnName>,
    /// For a child table, the columns of its parent that its rows carry besides the key.
    #[serde(skip_serializing_if = "is_default")]
    pub parent_columns: Vec<ColumnName>,
    /// The column that orders records with the same key.
    #[serde(skip_serializing_if = "is_default")]
    pub cursor: Option<ColumnName>,
    /// What a run does with existing rows.
    #[serde(skip_serializing_if = "is_default")]
    pub write_disposition: WriteDisposition,
    /// What a merge does with rows that are missing from the export.
    #[serde(skip_serializing_if = "is_default")]
    pub deletes: Deletes,
    /// A merge keeps every version of a row in another table, with the time in which it was current.
    #[serde(skip_serializing_if = "is_default")]
    pub history: bool,
    /// The Hive partitions, outermost first. Empty for a child table that inherits its parent's.
    #[serde(skip_serializing_if = "is_default")]
    pub partition_by: Vec<PartitionField>,
    /// The order of rows within a file; export order when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub sort_by: Vec<ColumnName>,
    /// How objects and lists in its records are stored.
    #[serde(skip_serializing_if = "is_default")]
    pub nested: Nested,
    /// What happens when an export holds what the schema does not. Inherited from the parent when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub contract: Option<Contract>,
    /// The part of it that the pipeline writes, where it is shared.
    #[serde(skip_serializing_if = "is_default")]
    pub slice: Option<Slice>,
    /// Scalars that are read as null, in its records and everything below them.
    #[serde(skip_serializing_if = "is_default")]
    pub null_values: Vec<NullValue>,
    /// For people; goes into the files' metadata.
    #[serde(skip_serializing_if = "is_default")]
    pub description: Option<String>,
    /// What its rows have to satisfy, besides their types.
    #[serde(skip_serializing_if = "is_default")]
    pub checks: Vec<Check>,
    /// Declared columns, in the order written.
    #[serde(skip_serializing_if = "is_default")]
    pub columns: IndexMap<ColumnName, Column>,
}

/// The hash of what a definition says of the rows of its tables, independent of how it is written: see `canonical`. An
/// export that was loaded under another one is loaded again, since it may end otherwise.
#[must_use]
pub fn definition_hash(tables: &[Table], limits: &Limits) -> String {
    let only_tables = Limits {
        max_size: limits.max_size,
        max_record_size: limits.max_record_size,
        allow_unknown_length: limits.allow_unknown_length,
        ..Limits::default()
    };
    if *limits == only_tables {
        canonical::hash(&tables)
    } else {
        canonical::hash(&(tables, limits))
    }
}

impl Table {
    /// A table with nothing but a name.
    #[must_use]
    pub fn named(name: TableName) -> Self {
        Self {
            name,
            parent: None,
            records: None,
            keys: None,
            primary_key: Vec::new(),
            parent_columns: Vec::new(),
            cursor: None,
            write_disposition: WriteDisposition::default(),
            deletes: Deletes::default(),
            history: false,
            partition_by: Vec::new(),
            sort_by: Vec::new(),
            nested: Nested::default(),
            contract: None,
            slice: None,
            null_values: Vec::new(),
            description: None,
            checks: Vec::new(),
            columns: IndexMap::new(),
        }
    }

    /// A table without a parent that says nothing itself.
    pub(super) fn with_defaults(name: TableName, defaults: &TableDefaults) -> Self {
        Self {
            primary_key: defaults.primary_key.clone(),
            cursor: defaults.cursor.clone(),
            write_disposition: defaults.write_disposition,
            partition_by: defaults.partition_by.clone(),
            sort_by: defaults.sort_by.clone(),
            nested: defaults.nested,
            contract: defaults.contract,
            null_values: defaults.null_values.clone(),
            ..Self::named(name)
        }
    }
}

impl Table {
    /// Whether rows missing from a windowed export are deleted in the partitions it covers.
    #[must_use]
    pub fn takes_window_for_all(&self) -> bool {
        self.write_disposition == WriteDisposition::OverwritePartitions
            || self.deletes != Deletes::Ignore
    }

    /// The ranges of time that its partitions are from, if they are by time.
    #[must_use]
    pub fn time_ranges(&self) -> Option<TimeRanges> {
        PartitionField::time_ranges(&self.partition_by)
    }
}

/// A table, or a child table: a list inside each record of its parent.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Table", deny_unknown_fields, transform = refuse_what_cannot_be)]
pub(super) struct RawTable {
    /// The table's name, which is also its directory.
    #[schemars(required, extend("examples" = ["purchase_orders"]))]
    pub(super) name: Option<Field<TableName>>,
    /// For people; goes into the files' metadata.
    pub(super) description: Option<Field<String>>,
    /// For a child table, the table whose records contain its records.
    #[schemars(extend("examples" = ["purchase_orders"]))]
    pub(super) parent: Option<Field<TableName>>,
    /// JSON Pointer (RFC 6901) to the array: in the export, or for a child table in the parent's record. Without it
    /// the only array of the export is used. The empty pointer is the whole export.
    #[schemars(extend("examples" = ["/purchaseOrders"]))]
    pub(super) records: Option<Field<JsonPointer>>,
    /// For a child table whose records are the members of an object, as in `{ "EUR": {…}, "SEK": {…} }`: the column
    /// that takes the key of each member.
    #[schemars(extend("examples" = ["currency"]))]
    pub(super) keys: Option<Field<ColumnName>>,
    /// The columns that identify a row; in a child table, a row among those of its parent row. Child tables carry them.
    /// Without it a row gets `_flowlake_id`, a hash of its record, and a child row `_index`, its position.
    #[schemars(extend("examples" = [["id"]]))]
    pub(super) primary_key: Option<Field<List<ColumnName>>>,
    /// For a child table, the columns of its parent that its rows carry besides the key of the parent.
    #[schemars(extend("examples" = [["number", "currency"]], "uniqueItems" = true))]
    pub(super) parent_columns: Option<Field<List<ColumnName>>>,
    /// The column that orders records with the same key in one export. Only the latest is loaded; without a cursor
    /// all are.
    #[schemars(extend("examples" = ["updated_at"]))]
    pub(super) cursor: Option<Field<ColumnName>>,
    /// What a run does with existing rows.
    #[schemars(extend("default" = "replace"))]
    pub(super) write_disposition: Option<Field<WriteDisposition>>,
    /// What a merge does with rows that are missing from the export.
    #[schemars(extend("default" = "ignore"))]
    pub(super) deletes: Option<Field<Deletes>>,
    /// Whether a merge keeps every version of a row in `<table>__history`, with `_flowlake_valid_from` and
    /// `_flowlake_valid_to`.
    #[schemars(extend("default" = false))]
    pub(super) history: Option<Field<bool>>,
    /// Hive partitions, outermost first: a column, or `year()`, `month()`, `day()` or `hour()` of one. Child rows are in the
    /// partitions of their parent row.
    #[schemars(extend("examples" = [["month(created_at)"]], "uniqueItems" = true))]
    pub(super) partition_by: Option<Field<List<PartitionField>>>,
    /// The order of rows within a file; by default the order of the export.
    #[schemars(extend("examples" = [["created_at", "id"]]))]
    pub(super) sort_by: Option<Field<List<ColumnName>>>,
    /// How objects and lists in the records are stored.
    #[schemars(extend("default" = "tables"))]
    pub(super) nested: Option<Field<Nested>>,
    /// What happens when an export holds what the table's schema does not: new child tables, new columns, values of
    /// another type. A child table has its parent's unless it says otherwise.
    #[schemars(extend("examples" = ["freeze", { "columns": "freeze" }]))]
    pub(super) schema_contract: Option<Field<Contract>>,
    /// Strings, numbers, booleans and dates that are read as null, in the records and everything below them.
    #[schemars(extend("examples" = [["", "n/a", false]]))]
    pub(super) null_values: Option<Field<List<NullValue>>>,
    /// What the rows have to satisfy, besides their types.
    #[schemars(extend("examples" = [[{ "not_null": "supplier_id" }, { "range": "total_amount", "min": 0, "on_failure": "warn" }]]))]
    pub(super) checks: Option<Field<List<Check>>>,
    /// Declared columns, by their names in the table, and fields of objects in a column by their paths, as in
    /// `"lines.price"`. Other columns are loaded as well.
    #[serde(default)]
    #[schemars(extend("propertyNames" = column_names()))]
    pub(super) columns: IndexMap<String, Field<Column>>,
}

/// The keys that a child table has from its parent, and why it cannot set them.
const INHERITED: [(&str, &str); 7] = [
    ("cursor", "child rows are loaded and deleted with their parent row"),
    ("null_values", "a child table has the null values of its parent"),
    ("nested", "a child table stores nested values as its parent does"),
    ("partition_by", "a child table has the partitions of its parent"),
    ("write_disposition", "a child table has the write disposition of its parent"),
    ("deletes", "child rows are loaded and deleted with their parent row"),
    ("history", "a child table has the write disposition of its parent"),
];

/// Names of columns, and paths from them to fields of their objects.
fn column_names() -> serde_json::Value {
    let name = <ColumnName as super::field::TextForm>::pattern();
    let name = name.trim_start_matches('^').trim_end_matches('$');
    json!({ "pattern": format!("^{name}(\\.{name})*$") })
}

/// What one table alone shows to be wrong.
fn refuse_what_cannot_be(schema: &mut Schema) {
    // Only in a parent's record is an object one of many.
    schema.insert("dependentRequired".to_owned(), json!({ "keys": ["parent"] }));
    let mut child = serde_json::Map::new();
    child.insert("records".to_owned(), json!({ "minLength": 1 }));
    child.extend(INHERITED.map(|(key, _)| (key.to_owned(), json!(false))));
    schema.insert(
        "dependentSchemas".to_owned(),
        json!({
            "parent": { "required": ["records"], "properties": child },
            "parent_columns": { "required": ["parent"] },
        }),
    );
    let kept_and_marked = json!({
        "required": ["history", "deletes"],
        "properties": { "history": { "const": true }, "deletes": { "const": "mark" } },
    });
    schema.insert("not".to_owned(), kept_and_marked);
}

/// The name of a table, which is the name of its directory too.
fn table_name(
    field: Option<Field<TableName>>,
    key: &str,
    checker: &mut Checker<'_>,
) -> Option<TableName> {
    /// Its history, its child tables and its directories have longer names, in which a letter may take three times its
    /// bytes.
    const MOST_BYTES: usize = 200;
    let span = field.as_ref().map(|field| field.span.clone()).unwrap_or_default();
    let name = checker.required(field, key, "name = \"purchase_orders\"")?;
    let letters = name.as_str().chars();
    let bytes: usize = letters.map(|it| if it.is_ascii() { 1 } else { 3 * it.len_utf8() }).sum();
    if name.as_str().starts_with('_') {
        let message = "a table's name cannot begin with `_`";
        checker.report(
            span,
            key,
            message,
            "engines skip such directories, and flowlake's own is one",
        );
        return None;
    }
    if bytes > MOST_BYTES {
        let message =
            format!("too long for the name of a directory: {bytes} of {MOST_BYTES} bytes");
        checker.report(span, key, message, "write a shorter name; letters beyond ASCII count more");
        return None;
    }
    Some(name)
}

impl RawTable {
    /// The table at `at`, as in `tables[0]`.
    pub(super) fn check(
        self,
        at: &str,
        defaults: &TableDefaults,
        checker: &mut Checker<'_>,
    ) -> Option<Table> {
        let key = |name: &str| format!("{at}.{name}");
        self.refuse_inherited(at, checker);
        let name = table_name(self.name, &key("name"), checker);
        let parent = checker.value(self.parent, &key("parent"));
        let records = checker.value(self.records, &key("records"));
        let keys = checker.value(self.keys, &key("keys"));
        let primary_key = checker.list(self.primary_key, &key("primary_key"));
        let parent_columns = checker.list(self.parent_columns, &key("parent_columns"));
        let cursor = checker.value(self.cursor, &key("cursor"));
        let disposition = checker.value(self.write_disposition, &key("write_disposition"));
        let deletes = checker.value(self.deletes, &key("deletes"));
        let history = checker.value(self.history, &key("history"));
        let partition_by = checker.list(self.partition_by, &key("partition_by"));
        let sort_by = checker.list(self.sort_by, &key("sort_by"));
        let nested = checker.value(self.nested, &key("nested"));
        let contract = checker.value(self.schema_contract, &key("schema_contract"));
        let null_values = checker.list(self.null_values, &key("null_values"));
        let description = checker.value(self.description, &key("description"));
        let checks = checker.checks(self.checks, &key("checks"));
        let columns = columns(self.columns, &key("columns"), checker);
        let base = match parent {
            Some(_) => Table::named(name?),
            None => Table::with_defaults(name?, defaults),
        };
        let base = Table {
            records,
            keys,
            primary_key: primary_key.unwrap_or(base.primary_key),
            parent_columns: parent_columns.unwrap_or_default(),
            sort_by: sort_by.unwrap_or(base.sort_by),
            contract: contract.or(base.contract),
            description,
            checks,
            columns,
            ..base
        };
        if parent.is_some() {
            return Some(Table { parent, ..base });
        }
        Some(Table {
            cursor: cursor.or(base.cursor),
            write_disposition: disposition.unwrap_or(base.write_disposition),
            deletes: deletes.unwrap_or_default(),
            history: history.unwrap_or_default(),
            partition_by: partition_by.unwrap_or(base.partition_by),
            nested: nested.unwrap_or(base.nested),
            null_values: null_values.unwrap_or(base.null_values),
            ..base
        })
    }

    fn refuse_inherited(&self, at: &str, checker: &mut Checker<'_>) {
        fn span<T>(field: Option<&Field<T>>) -> Option<std::ops::Range<usize>> {
            field.map(|field| field.span.clone())
        }
        if self.parent.is_none() {
            return;
        }
        for (name, reason) in INHERITED {
            let span = match name {
                "cursor" => span(self.cursor.as_ref()),
                "null_values" => span(self.null_values.as_ref()),
                "nested" => span(self.nested.as_ref()),
                "partition_by" => span(self.partition_by.as_ref()),
                "write_disposition" => span(self.write_disposition.as_ref()),
                "deletes" => span(self.deletes.as_ref()),
                _ => span(self.history.as_ref()),
            };
            if let Some(span) = span {
                let help = format!("leave `{name}` out");
                checker.report(span, &format!("{at}.{name}"), reason, help);
            }
        }
    }
}

fn columns(
    raw: IndexMap<String, Field<Column>>,
    key: &str,
    checker: &mut Checker<'_>,
) -> IndexMap<ColumnName, Column> {
    let mut columns: IndexMap<ColumnName, Column> = IndexMap::new();
    for (path, field) in raw {
        let place = format!("{key}.{path}");
        let span = field.span.clone();
        let Some(declared) = checker.value(Some(field), &place) else { continue };
        let names = path.split('.').map(|name| {
            checker.parsed::<ColumnName>(name, &span, &place, "write it like `total_amount`")
        });
        let Some(names) = names.collect::<Option<Vec<_>>>() else { continue };
        let Some((name, fields)) = names.split_first() else { continue };
        checker.places.entry(format!("{key}.{name}")).or_insert_with(|| span.clone());
        let column = columns.entry(name.clone()).or_default();
        if let Err(wrong) = column.declare(fields, declared) {
            checker.report(span, &place, wrong.message, wrong.help);
        }
    }
    columns
}
