//! Checks of a table's columns against each other and against its child tables.

use super::checker::Checker;
use super::{Column, Nested, Table};
use crate::schema::{ColumnName, ColumnType};

impl Checker<'_> {
    /// JSON text has no order, and is no key.
    pub(super) fn json_columns(&mut self, key: &str, table: &Table) {
        let is_json = |name: &ColumnName| {
            let declared = table.columns.get(name).and_then(|column| column.column_type.as_ref());
            declared == Some(&ColumnType::Json)
        };
        let used = (table.primary_key.iter().map(|name| ("primary_key", name)))
            .chain(table.sort_by.iter().map(|name| ("sort_by", name)));
        for (used_as, name) in used.filter(|(_, name)| is_json(name)) {
            let message = format!("`{name}` is declared as json");
            let help = "declare it as `string`, or name another column";
            self.misuse(&format!("{key}.{used_as}"), message, help);
        }
    }

    pub(super) fn excluded_columns(&mut self, key: &str, table: &Table) {
        let excluded =
            |name: &ColumnName| table.columns.get(name).is_some_and(|column| column.exclude);
        let used = (table.primary_key.iter().map(|name| ("primary_key", name)))
            .chain(table.partition_by.iter().map(|field| ("partition_by", &field.column)))
            .chain(table.cursor.iter().map(|name| ("cursor", name)))
            .chain(table.sort_by.iter().map(|name| ("sort_by", name)));
        for (used_as, name) in used.filter(|(_, name)| excluded(name)) {
            let message = format!("`{name}` is excluded from the table");
            self.misuse(&format!("{key}.{used_as}"), message, "keep the column, or remove it here");
        }
    }

    /// Only tables with `nested = "columns"` have columns of nested types.
    pub(super) fn nested_types(&mut self, key: &str, table: &Table) {
        let is_nested =
            |column: &Column| column.column_type.as_ref().is_some_and(|it| !it.is_flat());
        let columns = table.columns.iter().filter(|(_, column)| is_nested(column));
        for (name, _) in columns.filter(|_| table.nested != Nested::Columns) {
            let message = format!("`{name}` cannot be an object or a list of lists");
            let help = "add `nested = \"columns\"` to the table, or choose another type";
            self.misuse(&format!("{key}.columns.{name}"), message, help);
        }
    }

    /// Only objects that stay in one column have fields.
    pub(super) fn field_types(&mut self, key: &str, table: &Table) {
        if table.nested == Nested::Columns {
            return;
        }
        let columns = table.columns.iter().filter(|(_, column)| !column.fields.is_empty());
        for (name, column) in columns {
            let path = column.fields.first_path();
            let (message, help) = match table.nested {
                Nested::Json => (
                    format!("`{name}.{path}` is a field, and objects are stored as JSON text"),
                    "write `nested = \"columns\"`, or remove it".to_owned(),
                ),
                Nested::Tables | Nested::Columns => (
                    format!(
                        "`{name}.{path}` is a field, and no column of `{}` holds objects",
                        table.name
                    ),
                    format!(
                        "declare a field of an object as `{name}__{}`, a field of a list in a child table of `{}`: \
                         `[[tables]]` with `parent`, `records` and `columns`; or add `nested = \"columns\"`",
                        path.replace('.', "__"),
                        table.name,
                    ),
                ),
            };
            self.misuse(&format!("{key}.columns.{name}"), message, &help);
        }
    }

    /// Values that are stored in one column are neither child rows nor other columns.
    pub(super) fn nested_in_columns(&mut self, key: &str, table: &Table, tables: &[Table]) {
        let are = match table.nested {
            Nested::Tables => return,
            Nested::Columns => "columns",
            Nested::Json => "JSON text",
        };
        let mut children = tables.iter().filter(|child| child.parent.as_ref() == Some(&table.name));
        if let Some(child) = children.next() {
            let message = format!(
                "the lists of `{}` are stored as {are}, so `{}` would have no rows",
                table.name, child.name
            );
            self.misuse(&format!("{key}.nested"), message, "remove the child table, or `nested`");
        }
        let reaches_in =
            |column: &Column| column.from.as_ref().is_some_and(|pointer| pointer.keys().len() > 1);
        for (name, _) in table.columns.iter().filter(|(_, column)| reaches_in(column)) {
            let message = format!("`{name}` is inside an object that is one column");
            let help = "remove it, or `nested` of the table";
            self.misuse(&format!("{key}.columns.{name}"), message, help);
        }
    }

    /// Two columns with the same value.
    pub(super) fn shared_sources(&mut self, key: &str, table: &Table) {
        let mut seen = std::collections::HashMap::new();
        for (name, column) in &table.columns {
            let Some(from) = &column.from else { continue };
            if let Some(other) = seen.insert(from, name) {
                let message = format!("`{other}` has the value of `{from}` already");
                let help = "a value has one column: remove one of the two";
                self.misuse(&format!("{key}.columns.{name}"), message, help);
            }
        }
    }
}
