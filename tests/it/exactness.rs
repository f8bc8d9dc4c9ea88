//! What stands in the JSON stands in Parquet, to the last digit, as another library's reader sees it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use flowlake::decode::{Chunk, DecodeOptions, RecordSelector, Splitter, decode_batch};
use flowlake::definition::Table;
use flowlake::infer::{Schemas, observe};
use flowlake::normalise::{MetadataColumns, Normaliser, RecordIds};
use flowlake::schema::{
    IdVec, JsonPointer, PartitionKey, RootId, Shape, Step, TableId, TableSchema,
};
use flowlake::store::Destination;
use flowlake::write::{FileLayout, FileNumbers, encode, stage};
use object_store::memory::InMemory;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use proptest::prelude::*;

use crate::support::{property_config, runtime};

/// How many exports are tried by `make test`; `PROPTEST_CASES` says otherwise.
const CASES: u32 = 3000;

/// JSON, with numbers as they are written.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Writes it with the whitespace and escapes that chance wants.
    pub fn write(&self, to: &mut String, chance: &mut fastrand::Rng) {
        to.push_str(chance.choice(["", "", " ", "\n\t", "\r\n"]).unwrap());
        match self {
            Self::Null => to.push_str("null"),
            Self::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => to.push_str(text),
            Self::Text(text) => write_text(text, to, chance),
            Self::List(items) => {
                to.push('[');
                for (number, item) in items.iter().enumerate() {
                    to.push_str(if number == 0 { "" } else { "," });
                    item.write(to, chance);
                }
                to.push(']');
            }
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                chance.shuffle(&mut members);
                to.push('{');
                for (number, (key, value)) in members.into_iter().enumerate() {
                    to.push_str(if number == 0 { "" } else { ", " });
                    write_text(key, to, chance);
                    to.push(':');
                    value.write(to, chance);
                }
                to.push('}');
            }
        }
        to.push_str(chance.choice(["", "", " "]).unwrap());
    }
}

fn write_text(text: &str, to: &mut String, chance: &mut fastrand::Rng) {
    to.push('"');
    for character in text.chars() {
        let must = matches!(character, '"' | '\\' | '\0'..='\u{1F}');
        if must || chance.u8(..8) == 0 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}").unwrap();
            }
        } else {
            to.push(character);
        }
    }
    to.push('"');
}

/// One kind of values, so that columns have other types than text.
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn kind() -> impl Strategy<Value = BoxedStrategy<Json>> {
    let number = |pattern: &'static str| pattern.prop_map(Json::Number).boxed();
    let text = |pattern: &'static str| pattern.prop_map(Json::Text).boxed();
    let edge = prop::sample::select(vec![
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1E400",
        "-1e-400",
        "5e-324",
        "1.7976931348623157e308",
        "0e0",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551616",
        "0.1",
        "1e2",
        "1.10",
        "99999999999999999999999999999999999999",
        "100000000000000000000000000000000000000",
        "0.00000000000000000000000000000000000001",
        "123456789.123456789123456789",
        "1E+2",
        "1e-2",
        "0.30000000000000004",
        "2.5e-8",
        "4.35",
        "1234567890123456.5",
        "12345678901234567890e-5",
    ])
    .prop_map(|text| Json::Number(text.to_owned()))
    .boxed();
    let date = "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])";
    let time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
    let zone = "(|Z|[+-](0[0-9]|1[0-3]):?[0-5][0-9])";
    let moment = format!("{date}[T ]{time}(|\\.[0-9]{{1,6}}|\\.[0-9]{{6}}000){zone}");
    let moment = proptest::string::string_regex(&moment).unwrap().prop_map(Json::Text).boxed();
    let nanoseconds = format!("{date}T{time}\\.[0-9]{{9}}Z");
    let nanoseconds =
        proptest::string::string_regex(&nanoseconds).unwrap().prop_map(Json::Text).boxed();
    prop_oneof![
        Just(any::<i64>().prop_map(|it| Json::Number(it.to_string())).boxed()),
        Just(number("-?(0|[1-9][0-9]{0,40})")),
        Just(number("-?(0|[1-9][0-9]{0,12})\\.[0-9]{1,4}")),
        Just(number("-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,20}")),
        Just(number("-?[0-9](\\.[0-9]{1,17})?[eE][+-]?[0-9]{1,3}")),
        Just(
            any::<f64>()
                .prop_filter("JSON has no other", |it| it.is_finite())
                .prop_map(|it| Json::Number(format!("{it:?}")))
                .boxed()
        ),
        Just(edge),
        Just(any::<bool>().prop_map(Json::Bool).boxed()),
        Just(text("(20[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9])")),
        Just(text("20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])")),
        Just(moment),
        Just(nanoseconds),
        Just(text("-?[0-9]{1,3}(\\.[0-9]{2})?")),
        Just(text("\\PC{0,12}")),
        Just(any::<String>().prop_map(Json::Text).boxed()),
    ]
}

/// Values under one key: of one kind mostly, null sometimes, now and then of another kind, in lists or in objects.
fn values() -> impl Strategy<Value = BoxedStrategy<Json>> {
    (kind(), kind(), 0..4_u32, 0..4_u32).prop_map(|(usual, other, odd, nested)| {
        let scalar = prop_oneof![
            8 => usual.clone(),
            1 => Just(Json::Null),
            1 => if odd == 0 { other } else { usual },
        ];
        let value = scalar.prop_recursive(nested, 12, 3, move |inner| {
            let key = prop::sample::select(vec!["a", "B", "aB", "é \"\n", "_"]);
            let members =
                prop::collection::btree_map(key.prop_map(str::to_owned), inner.clone(), 0..3);
            prop_oneof![
                3 => inner.clone(),
                1 => prop::collection::vec(inner, 0..4).prop_map(Json::List),
                1 => members.prop_map(Json::Object),
            ]
        });
        value.boxed()
    })
}

/// Some records of one array.
pub fn records() -> impl Strategy<Value = Vec<Json>> {
    prop::collection::vec(values(), 1..5).prop_flat_map(|values| {
        let keys = ["id", "amount", "Übersicht", "created_at"].into_iter();
        let fields = keys.zip(values).map(|(key, values)| {
            prop::option::weighted(0.9, values.prop_map(move |value| (key.to_owned(), value)))
        });
        let record = fields
            .collect::<Vec<_>>()
            .prop_map(|fields| Json::Object(fields.into_iter().flatten().collect()));
        prop::collection::vec(record, 1..8)
    })
}

/// The files of all tables of an export that comes in some chunks, and the schemas.
fn loaded(records: &[Json], chunks: usize, seed: u64) -> (Schemas, Vec<Option<Bytes>>) {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut decoded: Vec<Chunk> = Vec::new();
    for records in records.chunks(records.len().div_ceil(chunks)) {
        let mut export = String::new();
        Json::List(records.to_vec()).write(&mut export, &mut chance);
        let mut splitter = Splitter::new(RecordSelector::At(vec![JsonPointer::default()]));
        let mut batches = splitter.feed(export.as_bytes()).unwrap();
        batches.extend(splitter.finish().unwrap().0);
        let reading = DecodeOptions { identify: true, ..DecodeOptions::default() };
        decoded.extend(batches.iter().map(|batch| decode_batch(batch, &reading).unwrap()));
    }
    let mut shape = Shape::default();
    for chunk in &decoded {
        observe(&mut shape, &chunk.records);
    }
    let table = Table::named("t".parse().unwrap());
    let schemas =
        Schemas::resolve(&[(RootId::default(), &table, &shape)], &[], &BTreeMap::new()).unwrap();
    let run_id = "run".parse().unwrap();
    let metadata = MetadataColumns::new(run_id, DateTime::UNIX_EPOCH);
    let normaliser = Normaliser::new(&schemas, &metadata);
    let mut ids = RecordIds::default();
    let mut frames: IdVec<TableId, Vec<_>> = schemas.iter().map(|_| Vec::new()).collect();
    for chunk in &decoded {
        let rows = normaliser.frames(chunk, &ids.of(chunk)).unwrap();
        assert!(rows.rejected.is_empty() && rows.partially_loaded.is_empty());
        for frame in rows.frames {
            frames[frame.table].push(Ok(frame.rows));
        }
    }
    let destination = Destination::of_store(Arc::new(InMemory::new()), "memory");
    let run_id = "run".parse().unwrap();
    let files = schemas.iter().zip(frames.into_values()).map(|((_, schema), frames)| async {
        let form = Arc::new(FileLayout::of(schema).unwrap());
        let encoder = encode(frames.into_iter(), schema, form, &Arc::default()).unwrap();
        let partition = PartitionKey::default();
        let staged =
            stage(&destination, schema, &run_id, partition, FileNumbers::ONLY, vec![encoder]);
        let staged = staged.await.unwrap().pop()?;
        destination.get(&staged.staged).await.unwrap()
    });
    let files = runtime().block_on(async { futures::future::join_all(files).await });
    (schemas, files)
}

/// The value that a step leads to from a row or an object; null when there is none.
fn member<'j>(value: &'j Json, step: &Step) -> &'j Json {
    match (step, value) {
        (Step::Key(key), Json::Object(members)) => members.get(key).unwrap_or(&Json::Null),
        (Step::Item, Json::Object(_)) | (Step::Key(_), _) => &Json::Null,
        (Step::Item, item) => item,
    }
}

fn at<'j>(row: &'j Json, path: &[Step]) -> &'j Json {
    path.iter().fold(row, member)
}

fn children(schemas: &Schemas, table: TableId) -> impl Iterator<Item = TableId> {
    let name = schemas[table].name.clone();
    let tables = schemas.iter();
    tables.filter(move |(_, child)| child.parent.as_ref() == Some(&name)).map(|(child, _)| child)
}

/// The JSON of each row of each table: the records, or the items of lists. An object alone is a list of one.
fn rows<'j>(schemas: &Schemas, records: &'j [Json]) -> IdVec<TableId, Vec<&'j Json>> {
    let mut rows: IdVec<TableId, Vec<&Json>> = schemas.iter().map(|_| Vec::new()).collect();
    let root = schemas.table_of(RootId::default()).unwrap();
    rows[root] = records.iter().collect();
    let mut tables = vec![root];
    while let Some(table) = tables.pop() {
        for child in children(schemas, table) {
            let path = &schemas[child].path;
            rows[child] = rows[table]
                .iter()
                .flat_map(|row| match at(row, path) {
                    Json::List(items) => items.iter().collect(),
                    object @ Json::Object(members) if !members.is_empty() => vec![object],
                    _ => Vec::new(),
                })
                .collect();
            tables.push(child);
        }
    }
    rows
}

/// A number as its sign, its digits without zeros at the ends, and the power of ten of the last one.
fn exactly(number: &str) -> (bool, String, i64) {
    let unsigned = number.trim_start_matches('-');
    let (mantissa, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).unwrap();
    let power = power.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap() + zeros;
    let significant = significant.trim_start_matches('0');
    (
        unsigned.len() < number.len(),
        significant.to_owned(),
        if significant.is_empty() { 0 } else { power },
    )
}

/// Microseconds since 1970 of a date or timestamp, as chrono reads it.
fn moment(text: &str) -> i64 {
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"].iter();
    let mut zoned =
        zoned.filter_map(|form| DateTime::parse_from_str(&text.replace('Z', "+00"), form).ok());
    let plain = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"].iter();
    let mut plain = plain.filter_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    if let Some(zoned) = zoned.next() {
        return zoned.timestamp_micros();
    }
    let day = || text.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap();
    plain.next().unwrap_or_else(day).and_utc().timestamp_micros()
}

/// Whether a value of Parquet says what the JSON says, all of it and nothing else.
fn says(read: &Field, json: &Json) -> bool {
    match (read, json) {
        // What holds no scalar is null.
        (Field::Null, json) => scalars(json) == 0,
        (Field::Bool(read), Json::Bool(value)) => read == value,
        (Field::Long(read), Json::Number(text)) => read.to_string() == *text,
        (Field::Double(read), Json::Number(text)) => {
            // An integer is the double that is this integer, if there is one.
            exactly(&format!("{read:e}")) == exactly(text) || format!("{read:.0}") == *text
        }
        (Field::Decimal(read), Json::Number(text)) => {
            let mut bytes = [if read.data()[0] >= 0x80 { 0xFF } else { 0 }; 16];
            bytes[16 - read.data().len()..].copy_from_slice(read.data());
            let shown = format!("{}e-{}", i128::from_be_bytes(bytes), read.scale());
            let ((_, digits, power), stood) = (exactly(&shown), exactly(text));
            let negative = shown.starts_with('-') || (digits.is_empty() && stood.0);
            (negative, digits, power) == stood
        }
        (Field::Str(read), Json::Text(text) | Json::Number(text)) => read == text,
        (Field::Str(read), Json::Bool(value)) => read == if *value { "true" } else { "false" },
        (Field::Date(days), Json::Text(text)) => {
            i64::from(*days) * 86_400_000_000 == moment(text) && text.len() == 10
        }
        (Field::TimestampMicros(read), Json::Text(text)) => *read == moment(text),
        (Field::ListInternal(read), Json::List(items)) => {
            read.len() == items.len()
                && read.elements().iter().zip(items).all(|(read, item)| says(read, item))
        }
        // Where others have lists, one value is a list of one.
        (Field::ListInternal(read), value) => {
            *value != Json::Null && read.len() == 1 && says(&read.elements()[0], value)
        }
        _ => false,
    }
}

/// What a column has to say of a row: what stands there, unless that has rows of its own.
fn in_column<'j>(schemas: &Schemas, table: TableId, row: &'j Json, path: &[Step]) -> &'j Json {
    let value = at(row, path);
    let in_child = children(schemas, table).any(|child| schemas[child].path == path);
    match value {
        Json::List(_) if in_child => &Json::Null,
        Json::Object(_) => &Json::Null,
        value => value,
    }
}

fn scalars(json: &Json) -> usize {
    match json {
        Json::Null => 0,
        Json::List(items) => items.iter().map(scalars).sum(),
        Json::Object(members) => members.values().map(scalars).sum(),
        _ => 1,
    }
}

/// Compares every value of a table; returns how many scalars it has.
fn compare(schemas: &Schemas, table: TableId, rows: &[&Json], file: Option<Bytes>) -> usize {
    let schema: &TableSchema = &schemas[table];
    let Some(file) = file else {
        assert!(rows.is_empty(), "{} has no file", schema.name);
        return 0;
    };
    let reader = SerializedFileReader::new(file).unwrap();
    let read: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(read.len(), rows.len(), "rows of {}", schema.name);
    let mut count = 0;
    for (read, json) in read.iter().zip(rows) {
        for ((name, field), column) in read.get_column_iter().zip(schema.columns.iter()) {
            assert_eq!(name, column.name.as_str());
            let Some(path) = column.path() else { continue };
            let expected = in_column(schemas, table, json, path);
            assert!(
                says(field, expected),
                "`{name}` of {}, a {}: {field:?} was read for {expected:?}",
                schema.name,
                column.column_type
            );
            count += scalars(expected);
        }
    }
    count
}

proptest! {
    #![proptest_config(property_config(CASES))]

    #[test]
    fn p4_every_value_stands_in_parquet_as_it_stood_in_the_json(
        records in records(),
        chunks in 1_usize..4,
        seed in any::<u64>(),
    ) {
        let (schemas, files) = loaded(&records, chunks, seed);
        let rows = rows(&schemas, &records);
        let mut count = 0;
        for ((table, _), file) in schemas.iter().zip(files) {
            count += compare(&schemas, table, &rows[table], file);
        }
        prop_assert_eq!(count, records.iter().map(scalars).sum::<usize>());
    }
}
