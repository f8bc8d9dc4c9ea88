//! What can only be seen with all tables in view, or with source and tables side by side.

use std::collections::HashSet;

use super::Checker;
use crate::definition::problem::suggest;
use crate::definition::{
    Column, Deletes, Limits, Nested, Source, Table, Template, WriteDisposition,
};
use crate::schema::{ColumnName, PartitionField};

impl Checker<'_> {
    /// What can only be seen with all tables in view.
    pub(super) fn relations(&mut self, tables: &[Table]) {
        let mut seen = HashSet::new();
        for (position, table) in tables.iter().enumerate() {
            let key = format!("tables[{position}]");
            if !seen.insert(&table.name) {
                let message = format!("two tables are called `{}`", table.name);
                self.misuse(&key, message, "give each table a name of its own");
                continue;
            }
            self.parentage(&key, table, tables);
            self.excluded_columns(&key, table);
            self.cursor(&key, table);
            self.merge(&key, table);
            self.overwrite(&key, table);
            self.nested_types(&key, table);
            self.nested_in_columns(&key, table, tables);
            self.shared_sources(&key, table);
            self.unfit_partitions(&key, table);
            self.partition_names(&key, table);
        }
        self.places_of_records(tables);
        // A wrong parent would make a check wrong that is not.
        if self.problems.is_empty() {
            for (position, table) in tables.iter().enumerate() {
                self.checks_of(&format!("tables[{position}]"), table, tables);
            }
        }
    }

    /// With several tables, each has to say where its records are; a place that was written and is wrong has
    /// been reported already.
    fn places_of_records(&mut self, tables: &[Table]) {
        let roots = tables.iter().enumerate().filter(|(_, table)| table.parent.is_none());
        let roots: Vec<(usize, &Table)> = roots.collect();
        for (position, table) in &roots {
            let key = format!("tables[{position}].records");
            if roots.len() > 1 && table.records.is_none() && !self.places.contains_key(&key) {
                let message =
                    format!("`{}` is one of several tables and does not say where", table.name);
                self.misuse(
                    &key,
                    message,
                    "add `records = \"/purchaseOrders\"`, its place in the export",
                );
            }
        }
    }

    fn parentage(&mut self, key: &str, table: &Table, tables: &[Table]) {
        let Some(parent) = &table.parent else { return };
        if !tables.iter().any(|other| other.name == *parent) {
            let names: Vec<&str> = tables.iter().map(|other| other.name.as_str()).collect();
            let message = format!("there is no table `{parent}`");
            self.misuse(&format!("{key}.parent"), message, &suggest(parent.as_str(), &names));
        } else if has_cycle(table, tables) {
            let message = format!("`{}` is its own ancestor", table.name);
            self.misuse(&format!("{key}.parent"), message, "a parent stands above its children");
        }
        let place = format!("{key}.records");
        let written = self.places.contains_key(&place);
        if table.records.as_ref().map_or(!written, |pointer| pointer.keys().is_empty()) {
            let help = "add `records = \"/items\"`, the list inside the parent's record";
            self.misuse(&place, "a child table needs its place".to_owned(), help);
        }
    }

    fn excluded_columns(&mut self, key: &str, table: &Table) {
        let excluded =
            |name: &ColumnName| table.columns.get(name).is_some_and(|column| column.exclude);
        let used = (table.primary_key.iter().map(|name| ("primary_key", name)))
            .chain(table.partition_by.iter().map(|field| ("partition_by", &field.column)))
            .chain(table.cursor.iter().map(|name| ("cursor", name)))
            .chain(table.sort_by.iter().map(|name| ("sort_by", name)));
        for (used_as, name) in used.filter(|(_, name)| excluded(name)) {
            let message = format!("`{name}` is excluded from the table");
            self.misuse(
                &format!("{key}.{used_as}"),
                message,
                "keep the column, or leave it out here",
            );
        }
    }

    fn cursor(&mut self, key: &str, table: &Table) {
        if table.cursor.is_some() && table.primary_key.is_empty() {
            let message = "without a key no two records are the same, so none is later".to_owned();
            self.misuse(&format!("{key}.cursor"), message, "add `primary_key = [\"id\"]`");
        }
    }

    /// Rows are merged by their keys, which therefore have to stand in the files.
    fn merge(&mut self, key: &str, table: &Table) {
        if table.write_disposition != WriteDisposition::Merge {
            let keys = [("deletes", table.deletes != Deletes::Ignore), ("history", table.history)];
            for (name, _) in keys.into_iter().filter(|(_, is_used)| *is_used) {
                let message = "only a merge knows which rows others take the place of".to_owned();
                let help = format!("write `write_disposition = \"merge\"`, or leave `{name}` out");
                self.misuse(&format!("{key}.{name}"), message, &help);
            }
            return;
        }
        if table.history && table.deletes == Deletes::Mark {
            let message = "a row of which the history is kept ends when it is deleted".to_owned();
            let help = "write `deletes = \"remove\"`: the row stays, with the time of its end";
            self.misuse(&format!("{key}.deletes"), message, help);
        }
        let place = format!("{key}.write_disposition");
        if table.primary_key.is_empty() {
            let message = "without a key no row is known again".to_owned();
            self.misuse(&place, message, "add `primary_key = [\"id\"]`, or write `append`");
        }
        let is_directory = |name: &&ColumnName| {
            let fields = table.partition_by.iter();
            fields.clone().any(|field| field.directory_key() == name.as_str())
        };
        let in_files = table.primary_key.iter().chain(&table.cursor);
        if let Some(name) = in_files.clone().find(is_directory) {
            let message = format!("`{name}` is a partition, and so is not in the files");
            let help = "partition a merged table by another column than its key and cursor";
            self.misuse(&format!("{key}.partition_by"), message, help);
        }
    }

    /// What there are no partitions of cannot be overwritten.
    fn overwrite(&mut self, key: &str, table: &Table) {
        let overwrites = table.write_disposition == WriteDisposition::OverwritePartitions;
        if overwrites && table.parent.is_none() && table.partition_by.is_empty() {
            let message = format!("`{}` has no partitions", table.name);
            let help = "add `partition_by = [\"month(created_at)\"]`, or write `replace`";
            self.misuse(&format!("{key}.write_disposition"), message, help);
        }
    }

    /// Objects are columns and rows of their own, unless they are told to stay in one column.
    fn nested_types(&mut self, key: &str, table: &Table) {
        let is_nested =
            |column: &Column| column.column_type.as_ref().is_some_and(|it| !it.is_flat());
        let columns = table.columns.iter().filter(|(_, column)| is_nested(column));
        for (name, _) in columns.filter(|_| table.nested != Nested::Columns) {
            let message = format!("`{name}` cannot hold objects, or lists of lists");
            let help = "add `nested = \"columns\"` to the table, or choose another type";
            self.misuse(&format!("{key}.columns.{name}"), message, help);
        }
    }

    /// What is kept in one column has nothing in it that could be another column or a row.
    fn nested_in_columns(&mut self, key: &str, table: &Table, tables: &[Table]) {
        let are = match table.nested {
            Nested::Tables => return,
            Nested::Columns => "columns",
            Nested::Json => "texts",
        };
        let mut children = tables.iter().filter(|child| child.parent.as_ref() == Some(&table.name));
        if let Some(child) = children.next() {
            let message =
                format!("the lists of `{}` are {are}, so `{}` has no rows", table.name, child.name);
            self.misuse(
                &format!("{key}.nested"),
                message,
                "leave the child table out, or `nested`",
            );
        }
        let reaches_in =
            |column: &Column| column.from.as_ref().is_some_and(|pointer| pointer.keys().len() > 1);
        for (name, _) in table.columns.iter().filter(|(_, column)| reaches_in(column)) {
            let message = format!("`{name}` is from within an object that is one column");
            let help = "leave it out, or `nested` of the table";
            self.misuse(&format!("{key}.columns.{name}"), message, help);
        }
    }

    /// Two columns that are to hold the same value.
    fn shared_sources(&mut self, key: &str, table: &Table) {
        let mut seen = std::collections::HashMap::new();
        for (name, column) in &table.columns {
            let Some(from) = &column.from else { continue };
            if let Some(other) = seen.insert(from, name) {
                let message = format!("`{other}` is from `{from}` already");
                let help = "a value has one column: leave one of the two out";
                self.misuse(&format!("{key}.columns.{name}"), message, help);
            }
        }
    }

    /// Columns that are declared as something that no directory can be named after.
    fn unfit_partitions(&mut self, key: &str, table: &Table) {
        for field in &table.partition_by {
            let declared =
                table.columns.get(&field.column).and_then(|column| column.column_type.as_ref());
            let Some(column_type) = declared.filter(|declared| !field.fits(declared)) else {
                continue;
            };
            let message = format!("`{}` is declared as {column_type}", field.column);
            let help = "partition by a text, a number or a date, and by `year()`, `month()` or `day()` of a date";
            self.misuse(&format!("{key}.partition_by"), message, help);
        }
    }

    /// A partition's directory that is called like a column, which readers could not tell apart.
    fn partition_names(&mut self, key: &str, table: &Table) {
        let names: Vec<String> =
            table.partition_by.iter().map(PartitionField::directory_key).collect();
        let mut seen = HashSet::new();
        for (field, name) in table.partition_by.iter().zip(&names) {
            let is_column = *name != field.column.to_string()
                && table.columns.keys().any(|column| column.as_str() == name);
            if is_column || !seen.insert(name) {
                let message =
                    format!("the partition `{name}` would stand beside another of that name");
                let help = "give the column another name, or partition by it once";
                self.misuse(&format!("{key}.partition_by"), message, help);
            }
        }
    }

    /// Windows bring only a part of the data, which is not what every disposition and limit takes.
    pub(super) fn windows(&mut self, source: &Source, limits: &Limits, tables: &[Table]) {
        let Some(window) = &source.window else { return };
        let mut values = source.filters.iter().flat_map(|filter| &filter.values);
        if !values.any(Template::uses_window) {
            let message =
                "no filter uses the window, so every request would bring everything".to_owned();
            let help =
                "use it in a filter of your account, as in `updatedFrom = \"{{ window.start }}\"`";
            let problem = self.problem_of("source.window.start", message, help).into_warning();
            self.problems.push(problem);
        }
        for (position, table) in tables.iter().enumerate() {
            let is_of_time = |field: &PartitionField| field.transform.is_of_time();
            let has_spans = table.partition_by.iter().any(is_of_time);
            if table.deletes != Deletes::Ignore && !has_spans {
                let message = "nobody knows which rows the window would have to bring".to_owned();
                let help = "partition by `year()`, `month()` or `day()` of the column that the window is about, \
                            or leave `deletes` out";
                self.misuse(&format!("tables[{position}].deletes"), message, help);
            }
            if table.write_disposition == WriteDisposition::OverwritePartitions
                && !table.partition_by.is_empty()
                && !has_spans
            {
                let message = format!("no window covers a partition of `{}`", table.name);
                let help = "add `year()`, `month()` or `day()` of the column that the window is about, or write `merge`";
                self.misuse(&format!("tables[{position}].partition_by"), message, help);
            }
            let disposition = (table.parent.is_none()).then_some(table.write_disposition);
            let key = format!("tables[{position}].write_disposition");
            if disposition == Some(WriteDisposition::Replace) {
                let message =
                    format!("`{}` would hold the last window only and lose all others", table.name);
                let help = "write `write_disposition = \"merge\"`, `\"append\"` or `\"overwrite_partitions\"`, or leave `[source.window]` out";
                self.misuse(&key, message, help);
            }
        }
        let mut tables = tables.iter();
        let appended = tables.find(|table| table.write_disposition == WriteDisposition::Append);
        if let Some(table) = appended.filter(|_| !window.lookback.is_zero()) {
            let message = format!("`{}` gets the rows of the lookback a second time", table.name);
            let help = "let its readers take the latest of each key by `_flowlake_loaded_at`, or leave `lookback` out";
            let problem = self.problem_of("source.window.lookback", message, help);
            self.problems.push(problem.into_warning());
        }
        if limits.max_shrink.is_some() {
            let message = "windows differ in size by nature".to_owned();
            let help = "leave it out; `min_records` is for windows too";
            self.misuse("limits.max_shrink", message, help);
        }
    }
}

fn has_cycle(table: &Table, tables: &[Table]) -> bool {
    let mut ancestor = table.parent.as_ref();
    for _ in 0..tables.len() {
        let Some(name) = ancestor else { return false };
        ancestor =
            tables.iter().find(|other| other.name == *name).and_then(|other| other.parent.as_ref());
    }
    ancestor.is_some()
}
