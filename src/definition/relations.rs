//! Rules between keys of a table, between tables, and between source and tables.

use std::collections::HashSet;

use super::ancestry::{Ancestry, MOST_ANCESTORS};
use super::checker::Checker;
use super::problem::suggest;
use super::{
    CheckRule, Deletes, Filter, Limits, Period, Source, Table, Template, WindowPolicy,
    WriteDisposition,
};
use crate::schema::Zone;

impl Checker<'_> {
    /// Checks the keys of each table against each other and against the other tables.
    pub(super) fn relations(&mut self, tables: &[Table]) {
        let ancestry = Ancestry::of(tables);
        let mut seen = HashSet::new();
        for (position, table) in tables.iter().enumerate() {
            let key = format!("tables[{position}]");
            if !seen.insert(&table.name) {
                let message = format!("two tables have the name `{}`", table.name);
                self.misuse(&key, message, "give each table a name of its own");
                continue;
            }
            self.parentage(&key, table, &ancestry);
            self.keyed(&key, table);
            self.excluded_columns(&key, table);
            self.json_columns(&key, table);
            self.parent_columns(&key, table, &ancestry);
            self.cursor(&key, table);
            self.merge(&key, table);
            self.overwrite(&key, table);
            self.history_names(&key, table, &ancestry);
            self.nested_types(&key, table);
            self.field_types(&key, table);
            self.nested_in_columns(&key, table, tables);
            self.shared_sources(&key, table);
            self.unfit_partitions(&key, table);
            self.partition_names(&key, table);
            self.directory_names(&key, table, &ancestry);
        }
        self.places_of_records(tables);
        self.records_of_one_table(tables);
        // A wrong parent would report a check that is right.
        if self.problems.is_empty() {
            for (position, table) in tables.iter().enumerate() {
                self.checks_of(&format!("tables[{position}]"), table, &ancestry);
            }
        }
    }

    /// With several tables, each has to say where its records are. A wrong `records` has been reported before.
    fn places_of_records(&mut self, tables: &[Table]) {
        let roots = tables.iter().enumerate().filter(|(_, table)| table.parent.is_none());
        let roots: Vec<(usize, &Table)> = roots.collect();
        for (position, table) in &roots {
            let key = format!("tables[{position}].records");
            if roots.len() > 1 && table.records.is_none() && !self.places.contains_key(&key) {
                let message =
                    format!("`{}` is one of several tables and needs `records`", table.name);
                self.misuse(
                    &key,
                    message,
                    "add `records = \"/purchaseOrders\"`, its place in the export",
                );
            }
        }
    }

    fn parentage(&mut self, key: &str, table: &Table, ancestry: &Ancestry<'_>) {
        let Some(parent) = &table.parent else { return };
        if ancestry.get(parent).is_none() {
            let names: Vec<&str> =
                ancestry.tables.iter().map(|other| other.name.as_str()).collect();
            let message = format!("there is no table `{parent}`");
            self.misuse(&format!("{key}.parent"), message, &suggest(parent.as_str(), &names));
        } else if ancestry.is_own_ancestor(&table.name) {
            let message = format!("`{}` is its own ancestor", table.name);
            self.misuse(&format!("{key}.parent"), message, "name a table that is not a descendant");
        } else if ancestry.ancestors(&table.name) == MOST_ANCESTORS + 1 {
            let message = format!("`{}` is more than {MOST_ANCESTORS} tables deep", table.name);
            let help = "remove it and what is below it: no record is nested so deep";
            self.misuse(&format!("{key}.parent"), message, help);
        }
        let place = format!("{key}.records");
        let written = self.places.contains_key(&place);
        if table.records.as_ref().map_or(!written, |pointer| pointer.keys().is_empty()) {
            let help = "add `records = \"/items\"`, the list inside the parent's record";
            self.misuse(&place, "a child table needs `records`".to_owned(), help);
        }
    }

    /// Only the members of an object in a parent's record have keys.
    fn keyed(&mut self, key: &str, table: &Table) {
        let Some(keys) = &table.keys else { return };
        let place = format!("{key}.keys");
        if table.parent.is_none() {
            let message = "only a child table has `keys`";
            let help = "add `parent` and `records`, the object inside the parent's record, or leave `keys` out";
            self.misuse(&place, message, help);
        }
        if table.columns.contains_key(keys) {
            let message = format!("`{keys}` is the column of the keys, which are text");
            let help = "give `keys` another name, or remove the column under `[tables.columns]`";
            self.misuse(&place, message, help);
        }
    }

    /// Columns of a parent that a child table cannot carry. Others may be in the export, or not.
    fn parent_columns(&mut self, key: &str, table: &Table, ancestry: &Ancestry<'_>) {
        let place = format!("{key}.parent_columns");
        let Some(parent) = &table.parent else {
            if !table.parent_columns.is_empty() {
                let message = "only a child table carries columns of its parent".to_owned();
                let help = "leave `parent_columns` out, or add `parent` and `records`";
                self.misuse(&place, message, help);
            }
            return;
        };
        let declared = ancestry.get(parent);
        let mut seen = HashSet::new();
        for name in &table.parent_columns {
            let is_key = declared.is_some_and(|parent| parent.primary_key.contains(name));
            let column = declared.and_then(|parent| parent.columns.get(name));
            let own = format!("{parent}__{name}");
            let (message, help) = if !seen.insert(name) {
                (format!("`{name}` is there twice"), "name it once")
            } else if name.as_str().starts_with('_') {
                (
                    format!("`{name}` is one of flowlake's own columns"),
                    "leave it out: a child row has its own",
                )
            } else if is_key {
                (
                    format!("`{name}` is in the key of `{parent}`"),
                    "leave it out: child rows carry the key already",
                )
            } else if column.is_some_and(|column| column.exclude) {
                (
                    format!("`{name}` is excluded from `{parent}`"),
                    "keep the column, or remove it here",
                )
            } else if table.columns.keys().any(|column| column.as_str() == own) {
                (
                    format!("`{own}` is declared as a column of `{}` itself", table.name),
                    "give that column another name, or remove it here",
                )
            } else {
                continue;
            };
            self.misuse(&place, message, help);
        }
    }

    fn cursor(&mut self, key: &str, table: &Table) {
        if table.cursor.is_some() && table.primary_key.is_empty() {
            let message = "a cursor needs a primary key".to_owned();
            self.misuse(&format!("{key}.cursor"), message, "add `primary_key = [\"id\"]`");
        }
        let Some(cursor) = &table.cursor else { return };
        let declared = table.columns.get(cursor).and_then(|column| column.column_type.as_ref());
        if let Some(column_type) = declared.filter(|declared| !declared.has_order()) {
            let message = format!("`{cursor}` is declared as {column_type}");
            let help = "a cursor is a number, a date or a timestamp: declare it as one, with `formats` if needed";
            self.misuse(&format!("{key}.cursor"), message, help);
        }
    }

    /// A merge needs a key, and `deletes` and `history` need a merge.
    fn merge(&mut self, key: &str, table: &Table) {
        if table.write_disposition != WriteDisposition::Merge {
            let keys = [("deletes", table.deletes != Deletes::Ignore), ("history", table.history)];
            for (name, _) in keys.into_iter().filter(|(_, is_used)| *is_used) {
                let message = "only a merge has this".to_owned();
                let help = format!("write `write_disposition = \"merge\"`, or leave `{name}` out");
                self.misuse(&format!("{key}.{name}"), message, &help);
            }
            return;
        }
        if table.history && table.deletes == Deletes::Mark {
            let message = "with `history`, a deleted row is kept already".to_owned();
            let help = "write `deletes = \"remove\"`: the row stays, with the end of its validity";
            self.misuse(&format!("{key}.deletes"), message, help);
        }
        let place = format!("{key}.write_disposition");
        if table.primary_key.is_empty() {
            let message = "a merge needs a primary key".to_owned();
            self.misuse(&place, message, "add `primary_key = [\"id\"]`, or write `append`");
        }
    }

    /// Overwriting partitions needs partitions.
    fn overwrite(&mut self, key: &str, table: &Table) {
        let overwrites = table.write_disposition == WriteDisposition::OverwritePartitions;
        if overwrites && table.parent.is_none() && table.partition_by.is_empty() {
            let message = format!("`{}` has no partitions", table.name);
            let help = "add `partition_by = [\"month(created_at)\"]`, or write `replace`";
            self.misuse(&format!("{key}.write_disposition"), message, help);
        }
    }

    /// A window requests only a part of the data: not every disposition and limit works with that.
    pub(super) fn windows(&mut self, source: &Source, limits: &Limits, tables: &[Table]) {
        let Some(window) = &source.window else { return };
        let mut values = source.filters.iter().flat_map(|filter| &filter.values);
        if !values.any(Template::uses_window) {
            let message =
                "no filter uses the window, so every request would return everything".to_owned();
            let help =
                "use it in a filter of your account, as in `updatedFrom = \"{{ window.start }}\"`";
            let problem = self.problem_of("source.window.start", message, help).into_warning();
            self.problems.push(problem);
        }
        for (position, table) in tables.iter().enumerate() {
            let has_spans = table.time_ranges().is_some();
            if table.deletes != Deletes::Ignore && !has_spans {
                let message = "with a window, `deletes` needs a time partition".to_owned();
                let help = "partition by `year()`, `month()`, `day()` or `hour()` of the column that the window filters, \
                            or remove `deletes`";
                self.misuse(&format!("tables[{position}].deletes"), message, help);
            }
            if table.write_disposition == WriteDisposition::OverwritePartitions
                && !table.partition_by.is_empty()
                && !has_spans
            {
                let message = format!("no window covers a whole partition of `{}`", table.name);
                let help = "add `year()`, `month()`, `day()` or `hour()` of the column that the window filters, or write `merge`";
                self.misuse(&format!("tables[{position}].partition_by"), message, help);
            }
            let disposition = (table.parent.is_none()).then_some(table.write_disposition);
            let key = format!("tables[{position}].write_disposition");
            if disposition == Some(WriteDisposition::Replace) {
                let message = format!("`{}` would keep the last window only", table.name);
                let help = "write `write_disposition = \"merge\"`, `\"append\"` or `\"overwrite_partitions\"`, or remove `[source.window]`";
                self.misuse(&key, message, help);
            }
        }
        self.one_zone(tables);
        self.bounds_of_windows(source, tables);
        self.ends_of_windows(source, window, tables);
        let mut tables = tables.iter();
        let appended = tables.find(|table| table.write_disposition == WriteDisposition::Append);
        if let Some(table) = appended.filter(|_| window.lookback.is_some_and(|it| !it.is_zero())) {
            let message = format!("`{}` loads the rows of the lookback twice", table.name);
            let help = "let readers use the latest row of each key by `_flowlake_loaded_at`, or remove `lookback`";
            let problem = self.problem_of("source.window.lookback", message, help);
            self.problems.push(problem.into_warning());
        }
        if limits.max_shrink.is_some() {
            let message = "windows differ in size".to_owned();
            let help = "remove it; `min_records` works with windows";
            self.misuse("limits.max_shrink", message, help);
        }
    }

    /// A window is made of whole partitions. Those of two time zones have no common bounds.
    fn one_zone(&mut self, tables: &[Table]) {
        let zones = tables.iter().enumerate().filter(|(_, table)| table.takes_window_for_all());
        let zones = zones.filter_map(|(position, table)| {
            Some((position, table, table.time_ranges()?.zone().unwrap_or(Zone::UTC)))
        });
        let zones: Vec<(usize, &Table, Zone)> = zones.collect();
        let Some((_, first, zone)) = zones.first() else { return };
        for (position, table, other) in zones.iter().filter(|(_, _, other)| other != zone) {
            let message = format!(
                "no window is made of whole partitions of both: `{}` has those of {other}, `{}` those of {zone}",
                table.name, first.name
            );
            let help =
                "partition both by one time zone, or load one of them with a definition of its own";
            self.misuse(&format!("tables[{position}].partition_by"), message, help);
        }
    }

    /// A filter by days asks for more or less than whole partitions where these do not begin at a midnight of UTC. Rows
    /// that it leaves out would count as deleted.
    fn bounds_of_windows(&mut self, source: &Source, tables: &[Table]) {
        let mut tables = tables.iter().filter(|table| table.takes_window_for_all());
        let by_time = |table: &&Table| table.time_ranges().is_some_and(|it| !it.start_with_days());
        let Some(table) = tables.find(by_time) else { return };
        for filter in &source.filters {
            let mut values = filter.values.iter();
            if values.any(|value| value.uses_window() && !value.tells_time_of_day()) {
                let message = format!(
                    "`{}` leaves out the time of day, and partitions of `{}` do not begin at a midnight of UTC",
                    filter.name, table.name
                );
                let help = "write the whole instant, as in `{{ window.start }}`, or partition by days of UTC";
                self.misuse(&format!("source.filters.{}", filter.name), message, help);
            }
        }
    }

    /// A window that ends with a day and begins with an instant: where the source takes a day for its midnight, no window has
    /// what came later on the day of a run. Windows of whole partitions begin before it.
    fn ends_of_windows(&mut self, source: &Source, window: &WindowPolicy, tables: &[Table]) {
        let roots = tables.iter().filter(|table| table.parent.is_none());
        let lookback = window.lookback_of(roots.clone());
        let is_long = lookback.fixed().is_none_or(|it| it >= Period::days(1).fixed().unwrap_or(it));
        let values = || source.filters.iter().flat_map(|filter| &filter.values);
        if is_long
            || roots.clone().all(Table::takes_window_for_all)
            || !values().any(Template::tells_time_of_start)
        {
            return;
        }
        let ends = |filter: &&Filter| filter.values.iter().any(Template::tells_only_day_of_end);
        if let Some(filter) = source.filters.iter().find(ends) {
            let message = format!(
                "`{}` leaves out the time of day, and the next window begins at one: a source that takes a day for its \
                 midnight never sends what lies between",
                filter.name
            );
            let help =
                "write the whole instant, as in `{{ window.end }}`, or set `lookback = \"P1D\"`";
            let key = format!("source.filters.{}", filter.name);
            self.problems.push(self.problem_of(&key, message, help).into_warning());
        }
    }

    /// Checks that read an excluded column, or a table of another record.
    fn checks_of(&mut self, key: &str, table: &Table, ancestry: &Ancestry<'_>) {
        let key = format!("{key}.checks");
        for check in &table.checks {
            let rule = &check.rule;
            for column in rule.columns() {
                if table.columns.get(column).is_some_and(|column| column.exclude) {
                    let message = format!("`{column}` is excluded from the table");
                    self.misuse(&key, message, "keep the column, or remove the check");
                }
            }
            let Some(other) = rule.other() else { continue };
            let root = ancestry.root_of(&table.name);
            let Some(declared) = ancestry.get(&other.table) else {
                // The name of an undeclared child table starts with its root's.
                let own = format!("{root}__");
                if !other.table.as_str().starts_with(&own) && other.table != *root {
                    let names: Vec<&str> =
                        ancestry.tables.iter().map(|it| it.name.as_str()).collect();
                    let message = format!("there is no table `{}`", other.table);
                    self.misuse(&key, message, &suggest(other.table.as_str(), &names));
                }
                continue;
            };
            let (message, help) = match rule {
                CheckRule::Sum { .. } if declared.parent.as_ref() != Some(&table.name) => (
                    format!("`{}` is not a child table of `{}`", declared.name, table.name),
                    "sum a column of a child table, as in `lines.amount`",
                ),
                _ if ancestry.root_of(&declared.name) != root => (
                    format!("`{}` and `{}` are not in the same record", table.name, declared.name),
                    "refer to a table with the same root table",
                ),
                _ => continue,
            };
            self.misuse(&key, message, help);
        }
    }
}
