//! Exports of successive nights into one lake, and the lake as the `parquet` crate reads it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use chrono::{DateTime, NaiveDate};
use parquet::basic::{ConvertedType, Type as Physical};
use parquet::data_type::Decimal;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde_json::Value;

use crate::support::{Finished, Lake, Source, Workplace};

/// A table `t` with the key `id`, whose disposition and other settings follow.
pub const T: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n";

/// A source and a lake that it is loaded into.
pub struct Nights {
    pub source: Source,
    pub workplace: Workplace,
}

impl Nights {
    /// Nothing loaded yet; `tables` is the end of the definition.
    pub fn of(tables: &str) -> Self {
        let source = Source::serving("[]");
        let workplace = Workplace::asking(&source);
        workplace.define(tables);
        Self { source, workplace }
    }

    /// The table `t` with more settings.
    pub fn of_t(settings: &str) -> Self {
        Self::of(&format!("{T}{settings}"))
    }

    pub fn redefine(&self, tables: &str) -> &Self {
        self.workplace.define(tables);
        self
    }

    pub fn redefine_t(&self, settings: &str) -> &Self {
        self.redefine(&format!("{T}{settings}"))
    }

    /// A night that has to succeed.
    #[track_caller]
    pub fn load(&self, json: &str) -> &Self {
        let finished = self.night(json);
        assert_eq!(finished.code, 0, "{json}\n{}{}", finished.stdout, finished.stderr);
        self
    }

    /// A night, whatever becomes of it.
    pub fn night(&self, json: &str) -> Finished {
        self.source.serve(json);
        self.workplace.run()
    }

    /// `flowlake check`.
    pub fn check(&self) -> Finished {
        self.workplace.flowlake(&["check", "test.toml"])
    }

    /// `flowlake quarantine retry`.
    pub fn retry(&self) -> Finished {
        self.workplace.flowlake(&["quarantine", "retry", "test.toml"])
    }

    pub fn lake(&self) -> Lake {
        self.workplace.lake()
    }

    /// These columns of `t`, a line a row, in order of the lines.
    pub fn t(&self, columns: &[&str]) -> Vec<String> {
        self.rows("t", columns)
    }

    /// These columns of a table, a line a row, in order of the lines. A column that a row does not have is `absent`.
    pub fn rows(&self, table: &str, columns: &[&str]) -> Vec<String> {
        let rows = self.records(table).into_iter().map(|row| {
            let value = |name: &&str| row.get(*name).cloned().unwrap_or("absent".to_owned());
            columns.iter().map(value).collect::<Vec<_>>().join(" | ")
        });
        let mut rows: Vec<String> = rows.collect();
        rows.sort();
        rows
    }

    /// All rows of a table: the text of each value by its column.
    pub fn records(&self, table: &str) -> Vec<BTreeMap<String, String>> {
        let files = self.lake().files(table);
        files.iter().flat_map(|file| read(file)).collect()
    }

    /// The columns of a table and their types in order, without those of flowlake; all files have to agree.
    pub fn columns(&self, table: &str) -> Vec<String> {
        let files = self.lake().files(table);
        let mut all: Vec<Vec<String>> = files.iter().map(|file| columns_of(file)).collect();
        all.dedup();
        assert!(all.len() < 2, "P5: one table, one schema: {all:?}");
        let mut columns = all.pop().unwrap_or_default();
        columns.retain(|column| !column.starts_with("_flowlake_"));
        columns
    }

    /// The type of a column; empty when there is no such column.
    pub fn type_of(&self, table: &str, column: &str) -> String {
        let columns = self.columns(table);
        let found = columns.iter().find_map(|line| line.strip_prefix(&format!("{column} ")));
        found.unwrap_or_default().to_owned()
    }

    /// Every value in every column of every table, by how often it is there, without those of flowlake.
    pub fn all_values(&self) -> Vec<String> {
        let mut all = Vec::new();
        for table in self.lake().tables() {
            for row in self.records(&table) {
                let own = row.into_iter().filter(|(name, _)| !name.starts_with("_flowlake_"));
                all.extend(own.map(|(_, value)| value).filter(|value| value != "null"));
            }
        }
        all.sort();
        all
    }

    /// What waits for a table: the `id` of each record, and whether its row was kept without the value.
    pub fn waiting(&self, table: &str) -> Vec<String> {
        let lines = self.lake().quarantine(table).into_iter().map(|line| {
            let kept = if line["row_kept"] == true { "value" } else { "row" };
            // A record with a number beyond every double is kept as text.
            let raw = line["raw"].as_str().and_then(|raw| raw.split_once("\"id\":"));
            let id = raw.map(|(_, rest)| rest.split([',', '}']).next().unwrap().to_owned());
            let id = id.unwrap_or_else(|| line["record"]["id"].to_string());
            format!("{id} {kept}")
        });
        let mut lines: Vec<String> = lines.collect();
        lines.sort();
        lines
    }

    /// Counts of the last run's ledger of a table.
    pub fn counts<const N: usize>(&self, table: &str, names: [&str; N]) -> [usize; N] {
        let ledger = self.lake().ledger();
        let counts = ledger.get(table).cloned().unwrap_or_default();
        names.map(|name| counts.get(name).copied().unwrap_or(usize::MAX))
    }
}

/// The records of a table made of `count` like this one, in which `#` stands for the id, and one other.
pub fn with_one_odd(count: usize, sound: &str, odd: &str) -> String {
    let mut records: Vec<String> =
        (1..=count).map(|id| sound.replace('#', &id.to_string())).collect();
    let middle = count / 2;
    records[middle] = odd.replace('#', &(middle + 1).to_string());
    format!("[{}]", records.join(","))
}

fn read(file: &Path) -> Vec<BTreeMap<String, String>> {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    rows.map(|row| texts_of(&row)).collect()
}

fn texts_of(row: &Row) -> BTreeMap<String, String> {
    row.get_column_iter().map(|(name, value)| (name.clone(), text_of(value))).collect()
}

/// A value as text: strings in quotes, doubles with a point, decimals with their scale.
fn text_of(value: &Field) -> String {
    match value {
        Field::Null => "null".to_owned(),
        Field::Bool(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::Double(value) => format!("{value:?}"),
        Field::Str(value) => Value::from(value.as_str()).to_string(),
        Field::Decimal(value) => decimal_text(value),
        Field::Date(days) => date_text(*days),
        Field::TimestampMicros(instant) => timestamp_text(*instant),
        Field::ListInternal(list) => {
            let items: Vec<String> = list.elements().iter().map(text_of).collect();
            format!("[{}]", items.join(", "))
        }
        Field::Group(object) => {
            let fields = object.get_column_iter();
            let fields: Vec<String> =
                fields.map(|(name, value)| format!("{name}: {}", text_of(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn decimal_text(value: &Decimal) -> String {
    let bytes = value.data();
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1_i128 } else { 0 };
    let units = bytes.iter().fold(start, |units, byte| units << 8 | i128::from(*byte));
    let scale = usize::try_from(value.scale()).unwrap();
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn date_text(days: i32) -> String {
    let date = NaiveDate::from_num_days_from_ce_opt(days + 719_163);
    date.map_or(format!("day {days}"), |date| date.to_string())
}

fn timestamp_text(instant: i64) -> String {
    let Some(moment) = DateTime::from_timestamp_micros(instant) else {
        return format!("instant {instant}");
    };
    let form =
        if instant % 1_000_000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.6fZ" };
    moment.format(form).to_string()
}

fn columns_of(file: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr().root_schema_ptr();
    let fields = schema.get_fields().iter();
    fields.map(|field| format!("{} {}", field.name(), type_text(field))).collect()
}

/// The type of a field in the words of definitions.
pub fn type_text(field: &Type) -> String {
    if field.is_group() {
        let fields = field.get_fields();
        if field.get_basic_info().converted_type() == ConvertedType::LIST {
            return format!("list<{}>", type_text(&fields[0].get_fields()[0]));
        }
        let fields: Vec<String> =
            fields.iter().map(|field| format!("{}: {}", field.name(), type_text(field))).collect();
        return format!("struct<{}>", fields.join(", "));
    }
    match (field.get_basic_info().converted_type(), field.get_physical_type()) {
        (ConvertedType::DECIMAL, _) => {
            format!("decimal({},{})", field.get_precision(), field.get_scale())
        }
        (ConvertedType::DATE, _) => "date".to_owned(),
        (ConvertedType::TIMESTAMP_MICROS, _) => "timestamp".to_owned(),
        (_, Physical::BOOLEAN) => "bool".to_owned(),
        (_, Physical::INT64) => "int64".to_owned(),
        (_, Physical::DOUBLE) => "float64".to_owned(),
        (_, Physical::BYTE_ARRAY) => "string".to_owned(),
        other => format!("{other:?}"),
    }
}
