//! `[defaults]`, `[[tables]]` and their columns.

use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use chrono::format::{Item, StrftimeItems};
use indexmap::IndexMap;

use super::Checker;
use crate::definition::form::{RawColumn, RawContract};
use crate::definition::problem::Problem;
use crate::definition::raw::{Field, RawDefaults, RawTable};
use crate::definition::{Column, Contract, ContractMode, Deletes, Nested, Table, WriteDisposition};
use crate::schema::{ColumnName, ColumnType, JsonPointer, PartitionField, TableName};

/// What a table says of itself, or has from `[defaults]`.
#[derive(Default)]
pub(super) struct TableDefaults {
    primary_key: Vec<ColumnName>,
    cursor: Option<ColumnName>,
    write_disposition: Option<WriteDisposition>,
    partition_by: Vec<PartitionField>,
    sort_by: Vec<ColumnName>,
    nested: Option<Nested>,
    contract: Option<Contract>,
    null_values: Vec<String>,
}

impl TableDefaults {
    /// A table without a parent that says nothing itself.
    fn table(&self, name: TableName) -> Table {
        Table {
            primary_key: self.primary_key.clone(),
            cursor: self.cursor.clone(),
            write_disposition: self.write_disposition.unwrap_or_default(),
            partition_by: self.partition_by.clone(),
            sort_by: self.sort_by.clone(),
            nested: self.nested.unwrap_or_default(),
            contract: self.contract,
            null_values: self.null_values.clone(),
            ..Table::named(name)
        }
    }
}

impl Checker<'_> {
    pub(super) fn defaults(&mut self, raw: RawDefaults) -> TableDefaults {
        TableDefaults {
            primary_key: self
                .column_names(raw.primary_key, "defaults.primary_key")
                .unwrap_or_default(),
            cursor: self.name(raw.cursor, "defaults.cursor"),
            write_disposition: self.choice(
                raw.write_disposition,
                "defaults.write_disposition",
                &WriteDisposition::WORDS,
            ),
            partition_by: self
                .partition_fields(raw.partition_by, "defaults.partition_by")
                .unwrap_or_default(),
            sort_by: self.column_names(raw.sort_by, "defaults.sort_by").unwrap_or_default(),
            nested: self.choice(raw.nested, "defaults.nested", &Nested::WORDS),
            contract: self.contract(raw.schema_contract, "defaults.schema_contract"),
            null_values: self.value(raw.null_values, "defaults.null_values").unwrap_or_default(),
        }
    }

    pub(super) fn table(
        &mut self,
        raw: RawTable,
        at: &str,
        defaults: &TableDefaults,
    ) -> Option<Table> {
        let key = |name: &str| format!("{at}.{name}");
        self.keys_of_a_parent(&raw, at);
        if raw.name.is_none() {
            self.problems.push(Problem::missing(key("name"), "add `name = \"purchase_orders\"`"));
        }
        let name = self.name::<TableName>(raw.name, &key("name"));
        let parent = self.name::<TableName>(raw.parent, &key("parent"));
        let records = self.pointer(raw.records, &key("records"));
        let primary_key = self.column_names(raw.primary_key, &key("primary_key"));
        let cursor = self.name::<ColumnName>(raw.cursor, &key("cursor"));
        let write_disposition =
            self.choice(raw.write_disposition, &key("write_disposition"), &WriteDisposition::WORDS);
        let deletes = self.choice(raw.deletes, &key("deletes"), &Deletes::WORDS);
        let history = self.value(raw.history, &key("history"));
        let partition_by = self.partition_fields(raw.partition_by, &key("partition_by"));
        let sort_by = self.column_names(raw.sort_by, &key("sort_by"));
        let nested = self.choice(raw.nested, &key("nested"), &Nested::WORDS);
        let contract = self.contract(raw.schema_contract, &key("schema_contract"));
        let null_values = self.value(raw.null_values, &key("null_values"));
        let description = self.value(raw.description, &key("description"));
        let checks = self.checks(raw.checks, &key("checks"));
        let columns = self.columns(raw.columns, &key("columns"));
        if parent.is_some() {
            // The rest it has from its parent.
            let (sort_by, base) = (sort_by.unwrap_or_default(), Table::named(name?));
            return Some(Table {
                parent,
                records,
                sort_by,
                contract,
                description,
                checks,
                columns,
                ..base
            });
        }
        let base = defaults.table(name?);
        Some(Table {
            records,
            primary_key: primary_key.unwrap_or(base.primary_key),
            cursor: cursor.or(base.cursor),
            write_disposition: write_disposition.unwrap_or(base.write_disposition),
            deletes: deletes.unwrap_or_default(),
            history: history.unwrap_or_default(),
            partition_by: partition_by.unwrap_or(base.partition_by),
            sort_by: sort_by.unwrap_or(base.sort_by),
            nested: nested.unwrap_or(base.nested),
            contract: contract.or(base.contract),
            null_values: null_values.unwrap_or(base.null_values),
            description,
            checks,
            columns,
            ..base
        })
    }

    fn contract(&mut self, field: Option<Field<RawContract>>, key: &str) -> Option<Contract> {
        let (raw, span) = self.spanned(field, key)?;
        let mut word = |word: Option<String>| match word {
            Some(word) => {
                let field = Field { value: Ok(word), span: span.clone() };
                self.choice(Some(field), key, &ContractMode::WORDS)
            }
            None => Some(ContractMode::default()),
        };
        if raw.tables == raw.columns && raw.columns == raw.data_type {
            // One word for everything is one mistake at most.
            let all = word(raw.tables)?;
            return Some(Contract { tables: all, columns: all, data_type: all });
        }
        let (tables, columns, data_type) =
            (word(raw.tables), word(raw.columns), word(raw.data_type));
        Some(Contract { tables: tables?, columns: columns?, data_type: data_type? })
    }

    /// What a child table has from its parent cannot be said again.
    fn keys_of_a_parent(&mut self, raw: &RawTable, at: &str) {
        if raw.parent.is_none() {
            return;
        }
        let names = raw.primary_key.as_ref().map(|field| &field.span);
        let partitions = raw.partition_by.as_ref().map(|field| &field.span);
        let disposition = raw.write_disposition.as_ref().map(|field| &field.span);
        let deletes = raw.deletes.as_ref().map(|field| &field.span);
        let history = raw.history.as_ref().map(|field| &field.span);
        let cursor = raw.cursor.as_ref().map(|field| &field.span);
        let null_values = raw.null_values.as_ref().map(|field| &field.span);
        let nested = raw.nested.as_ref().map(|field| &field.span);
        for (name, span, reason) in [
            ("cursor", cursor, "a child row comes and goes with its parent"),
            ("null_values", null_values, "those of its parent are its own"),
            ("nested", nested, "what its parent says of nested values goes for its own"),
            ("primary_key", names, "a child row's key is its parent's key and its position"),
            ("partition_by", partitions, "a child table is partitioned as its parent is"),
            ("write_disposition", disposition, "a child table is written as its parent is"),
            ("deletes", deletes, "a child row comes and goes with its parent"),
            ("history", history, "a child table is written as its parent is"),
        ] {
            if let Some(span) = span {
                let help = format!("leave `{name}` out");
                self.report(span.clone(), &format!("{at}.{name}"), reason, help);
            }
        }
    }

    /// The table of a definition that declares none: it is called like the pipeline.
    pub(super) fn only_table(&mut self, pipeline: &str, defaults: &TableDefaults) -> Vec<Table> {
        let name = pipeline.to_lowercase().replace(['-', ' '], "_");
        match name.parse() {
            Ok(name) => vec![defaults.table(name)],
            Err(error) => {
                let help = "declare the table: `[[tables]]` with `name = \"purchase_orders\"`";
                self.misuse("tables", format!("no table is declared, and {error}"), help);
                Vec::new()
            }
        }
    }

    fn name<T: FromStr>(&mut self, field: Option<Field<String>>, key: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let (text, span) = self.spanned(field, key)?;
        self.parsed(&text, &span, key, "write it like `purchase_orders`")
    }

    fn pointer(&mut self, field: Option<Field<String>>, key: &str) -> Option<JsonPointer> {
        let (text, span) = self.spanned(field, key)?;
        self.parsed(
            &text,
            &span,
            key,
            format!("write `/{}`", text.trim_start_matches(['$', '.', '/'])),
        )
    }

    fn column_names(
        &mut self,
        field: Option<Field<Vec<String>>>,
        key: &str,
    ) -> Option<Vec<ColumnName>> {
        let (names, span) = self.spanned(field, key)?;
        let help = "use the column's name in the table, like `created_at`";
        Some(names.iter().filter_map(|name| self.parsed(name, &span, key, help)).collect())
    }

    fn partition_fields(
        &mut self,
        field: Option<Field<Vec<String>>>,
        key: &str,
    ) -> Option<Vec<PartitionField>> {
        let (fields, span) = self.spanned(field, key)?;
        let fields = fields.iter().filter_map(|text| {
            let field = text.parse::<PartitionField>().ok();
            if field.is_none() {
                let help =
                    "write `status`, `year(created_at)`, `month(created_at)` or `day(created_at)`";
                self.report(span.clone(), key, format!("`{text}` is no partition"), help);
            }
            field
        });
        Some(fields.collect())
    }

    fn columns(
        &mut self,
        raw: IndexMap<String, Field<RawColumn>>,
        key: &str,
    ) -> IndexMap<ColumnName, Column> {
        raw.into_iter()
            .filter_map(|(name, field)| {
                let key = format!("{key}.{name}");
                let span = field.span.clone();
                let column = self.value(Some(field), &key)?;
                let name = self.parsed(&name, &span, &key, "write it like `total_amount`")?;
                Some((name, self.column(column, &span, &key)?))
            })
            .collect()
    }

    fn column(&mut self, raw: RawColumn, span: &Range<usize>, key: &str) -> Option<Column> {
        let column_type = match raw.column_type {
            Some(text) => {
                let help = format!("choose one of {}", ColumnType::FORMS.join(", "));
                Some(self.parsed(&text, span, key, help)?)
            }
            None => None,
        };
        let from = match raw.from {
            Some(text) => {
                Some(self.parsed(&text, span, key, "write `from = \"/supplier/name\"`")?)
            }
            None => None,
        };
        self.formats(&raw.formats, column_type.as_ref(), span, key);
        Some(Column {
            column_type,
            from,
            exclude: raw.exclude,
            formats: raw.formats,
            description: raw.description,
        })
    }

    fn formats(
        &mut self,
        formats: &[String],
        column_type: Option<&ColumnType>,
        span: &Range<usize>,
        key: &str,
    ) {
        for format in formats.iter().filter(|format| !is_format(format)) {
            let message = format!("`{format}` is no form of dates");
            self.report(span.clone(), key, message, "write it as strftime has it, like `%d.%m.%Y`");
        }
        let item = match column_type {
            Some(ColumnType::List(item)) => Some(&**item),
            other => other,
        };
        if !formats.is_empty() && !matches!(item, Some(ColumnType::Date | ColumnType::Timestamp)) {
            let help = "add `type = \"date\"` or `type = \"timestamp\"`";
            self.report(span.clone(), key, "only dates and timestamps have `formats`", help);
        }
    }
}

/// A form of dates that strftime knows and that names a day.
fn is_format(text: &str) -> bool {
    let items: Vec<Item<'_>> = StrftimeItems::new(text).collect();
    let names_something =
        items.iter().any(|item| matches!(item, Item::Numeric(..) | Item::Fixed(_)));
    names_something && !items.contains(&Item::Error)
}
