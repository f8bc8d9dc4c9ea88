//! Rules of partitions: which types they take, and which names their directories leave to columns.

use std::collections::HashSet;

use super::Table;
use super::ancestry::Ancestry;
use super::checker::Checker;
use crate::schema::{ColumnName, ColumnType, PartitionField, TimeRanges};

impl Checker<'_> {
    /// Declared types that a partition cannot have.
    pub(super) fn unfit_partitions(&mut self, key: &str, table: &Table) {
        for field in &table.partition_by {
            let declared =
                table.columns.get(&field.column).and_then(|column| column.column_type.as_ref());
            let Some(column_type) = declared.filter(|declared| !field.fits(declared)) else {
                continue;
            };
            let has_zone = field.transform.time_ranges().and_then(TimeRanges::zone).is_some();
            let column = &field.column;
            let (message, help) = if has_zone && *column_type == ColumnType::Date {
                (
                    format!("`{column}` is date, and a date has no time zone"),
                    format!("leave the time zone out, or declare it: `{column} = \"timestamp\"`"),
                )
            } else {
                (
                    format!("`{column}` is declared as {column_type}"),
                    "partition by a string, an integer, a decimal or a date, or by `year()`, `month()`, `day()` or `hour()` of a date".to_owned(),
                )
            };
            self.misuse(&format!("{key}.partition_by"), message, &help);
        }
    }

    /// Partitions whose directories have one name.
    pub(super) fn partition_names(&mut self, key: &str, table: &Table) {
        let mut seen = HashSet::new();
        let mut names = table.partition_by.iter().map(PartitionField::directory_key);
        if let Some(name) = names.find(|name| !seen.insert(name.clone())) {
            let message = format!("two partitions have the directory `{name}`");
            self.misuse(&format!("{key}.partition_by"), message, "partition by a column once");
        }
    }

    /// Columns with the name of a directory: readers would take one for the other. A key of the JSON with such a name gets
    /// a suffix, and what a definition names is an error.
    pub(super) fn directory_names(&mut self, key: &str, table: &Table, ancestry: &Ancestry<'_>) {
        let root = ancestry.root_of(&table.name);
        let Some(fields) = ancestry.get(root).map(|it| &it.partition_by) else { return };
        let root = table.parent.as_ref().map(|_| root);
        for field in fields {
            let reserved: Vec<ColumnName> =
                PartitionField::reserved_names(std::slice::from_ref(field), root).collect();
            for (place, name) in
                named_columns(key, table).filter(|(_, name)| reserved.contains(name))
            {
                let message = format!(
                    "`{name}` is the directory of the partition `{field}`, so no column has this name"
                );
                let help = if table.keys.as_ref() == Some(name) {
                    "give the column of the keys another name".to_owned()
                } else {
                    let from = table.columns.get(name).and_then(|column| column.from.as_ref());
                    let from = from.map_or_else(|| format!("/{name}"), ToString::to_string);
                    format!("give the column another name: `other_name = {{ from = \"{from}\" }}`")
                };
                self.misuse(&place, message, &help);
            }
        }
    }
}

/// The columns that a table's definition names, and where it does.
fn named_columns<'a>(
    key: &'a str,
    table: &'a Table,
) -> impl Iterator<Item = (String, &'a ColumnName)> {
    let declared = table.columns.keys().map(move |name| (format!("{key}.columns.{name}"), name));
    let used = (table.keys.iter().map(|name| ("keys", name)))
        .chain(table.primary_key.iter().map(|name| ("primary_key", name)))
        .chain(table.cursor.iter().map(|name| ("cursor", name)))
        .chain(table.partition_by.iter().map(|field| ("partition_by", &field.column)))
        .chain(table.sort_by.iter().map(|name| ("sort_by", name)));
    let used = used.filter(|&(_, name)| !table.columns.contains_key(name));
    declared.chain(used.map(move |(used_as, name)| (format!("{key}.{used_as}"), name)))
}
