//! Seven real e-sourcing exports, compared with an independent walk of their JSON. They are not in the repository:
//! `make test-ocds` reads them from `../shared/data/ocds`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use flowlake::infer::snake_case;
use serde_json::Value;

use crate::support::{Lake, Source, Workplace};
use crate::values::json::Json;
use crate::values::shrink::shrink;
use crate::values::story::{Contract, Disposition, Story};
use crate::values::trial::Trial;

const PUBLISHERS: [&str; 7] = [
    "armenia",
    "australia",
    "canada-buyandsell",
    "moldova",
    "paraguay",
    "uganda",
    "uk-contracts-finder",
];

/// Walks JSON by the rules of docs/loading.md, knowing nothing of how flowlake does it.
#[derive(Default)]
struct Walk {
    /// Places that hold a list with an object or list in it, in some record.
    tables: BTreeSet<String>,
    rows: BTreeMap<String, usize>,
    scalars: usize,
}

impl Walk {
    fn of(records: &[Value]) -> Self {
        let mut walk = Self::default();
        for record in records {
            walk.find_tables(record, "releases");
        }
        for record in records {
            *walk.rows.entry("releases".to_owned()).or_default() += 1;
            walk.count_members(record, "releases");
        }
        walk
    }

    fn find_tables(&mut self, value: &Value, place: &str) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    self.find_tables(member, &format!("{place}__{}", snake_case(key)));
                }
            }
            Value::Array(items) => {
                if items.iter().any(|item| item.is_object() || item.is_array()) {
                    self.tables.insert(place.to_owned());
                }
                for item in items {
                    let inner =
                        if item.is_array() { format!("{place}__value") } else { place.to_owned() };
                    self.find_tables(item, &inner);
                }
            }
            _ => {}
        }
    }

    fn count_members(&mut self, value: &Value, place: &str) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    self.count(member, &format!("{place}__{}", snake_case(key)));
                }
            }
            Value::Null => {}
            _ => self.scalars += 1,
        }
    }

    fn count(&mut self, value: &Value, place: &str) {
        let is_table = self.tables.contains(place);
        match value {
            Value::Array(items) => {
                for item in items {
                    if is_table {
                        *self.rows.entry(place.to_owned()).or_default() += 1;
                    }
                    match item {
                        Value::Array(_) => self.count(item, &format!("{place}__value")),
                        item => self.count_members(item, place),
                    }
                }
            }
            Value::Object(_) if is_table => {
                *self.rows.entry(place.to_owned()).or_default() += 1;
                self.count_members(value, place);
            }
            other => self.count_members(other, place),
        }
    }
}

/// The export of a publisher.
fn export(publisher: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/ocds");
    let path = directory.join(format!("{publisher}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
#[ignore = "needs the exports in ../shared/data/ocds: `make test-ocds`"]
fn p1_every_row_and_scalar_of_the_real_exports_is_in_the_tables() {
    for publisher in PUBLISHERS {
        let text = export(publisher);
        let source = Source::serving(&text);
        let workplace = Workplace::asking(&source);
        workplace.define("[[tables]]\nname = \"releases\"\nprimary_key = [\"ocid\"]");
        workplace.run().success();

        let export: Value = serde_json::from_str(&text).unwrap();
        let walk = Walk::of(export["releases"].as_array().unwrap());
        let lake = workplace.lake();
        let inserted = lake.ledger().into_iter().map(|(table, counts)| (table, counts["inserted"]));
        assert_eq!(inserted.collect::<BTreeMap<_, _>>(), walk.rows, "{publisher}: ledger");
        let rows: BTreeMap<String, usize> = lake
            .tables()
            .into_iter()
            .map(|table| (table.clone(), lake.rows(&table).height()))
            .collect();
        assert_eq!(rows, walk.rows, "{publisher}: rows");
        let scalars: usize = lake.tables().iter().map(|table| lake.scalars(table)).sum();
        assert_eq!(scalars, walk.scalars, "{publisher}: scalars");
    }
}

#[test]
#[ignore = "needs the exports in ../shared/data/ocds: `make test-ocds`"]
fn p5_loading_in_two_halves_gives_the_tables_of_loading_at_once() {
    for publisher in PUBLISHERS {
        let text = export(publisher);
        let export: Value = serde_json::from_str(&text).unwrap();
        let records = export["releases"].as_array().unwrap();
        let (first, second) = records.split_at(records.len() / 2);
        let bodies = |parts: &[&[Value]]| {
            parts.iter().map(|part| Value::from(part.to_vec()).to_string()).collect::<Vec<_>>()
        };
        let [at_once, in_halves] = [bodies(&[records]), bodies(&[first, second])].map(|bodies| {
            let source = Source::serving("[]");
            let workplace = Workplace::asking(&source);
            workplace.define("[[tables]]\nname = \"releases\"\nprimary_key = [\"ocid\"]\nwrite_disposition = \"append\"");
            for body in bodies {
                source.serve(&body);
                workplace.run().success();
            }
            contents(&workplace.lake())
        });
        for (table, columns) in &at_once {
            for (column, values) in columns {
                assert_eq!(
                    in_halves[table].get(column),
                    Some(values),
                    "{publisher} {table} {column}"
                );
            }
        }
        assert_eq!(at_once, in_halves, "{publisher}");
    }
}

/// Every table's columns with their types and sorted values, without those that tell of the run.
fn contents(lake: &Lake) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let columns = |table: &String| {
        let columns =
            lake.schema(table).into_iter().filter(|column| !column.starts_with("_flowlake"));
        columns
            .map(|column| {
                let mut values = lake.column(table, column.split(": ").next().unwrap());
                values.sort();
                (column, values)
            })
            .collect()
    };
    lake.tables().into_iter().map(|table| (table.clone(), columns(&table))).collect()
}

#[test]
#[ignore = "needs the exports in ../shared/data/ocds: `make test-ocds`"]
fn p1_real_records_without_their_key_are_in_quarantine() {
    let text = export("paraguay");
    let source = Source::serving(&text);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"releases\"\nprimary_key = [\"id\"]");
    workplace.run().success();
    let ledger = workplace.lake().ledger();
    let counts =
        |table: &str| ["received", "inserted", "quarantined"].map(|count| ledger[table][count]);
    assert_eq!(counts("releases"), [86, 84, 2]);
    // Only these two have it, and records in quarantine make no tables.
    assert!(!ledger.contains_key("releases__releases"));
}

#[test]
#[ignore = "needs the exports in ../shared/data/ocds: `make test-ocds`"]
fn p6_order_of_records_and_keys_changes_no_schema() {
    let text = export("canada-buyandsell");
    // Values of this crate keep keys sorted, so writing the export again reorders them.
    let mut export: Value = serde_json::from_str(&text).unwrap();
    export["releases"].as_array_mut().unwrap().reverse();
    let schemas = [text, serde_json::to_string_pretty(&export).unwrap()].map(|text| {
        let source = Source::serving(&text);
        let workplace = Workplace::asking(&source);
        workplace.define("[[tables]]\nname = \"releases\"\nprimary_key = [\"ocid\", \"id\"]\nsort_by = [\"ocid\", \"id\"]");
        workplace.run().success();
        let lake = workplace.lake();
        // Where columns stand follows the order of keys, which is another here; the columns are the same.
        let columns = |table: &String| lake.schema(table).into_iter().collect::<BTreeSet<_>>();
        lake.tables().into_iter().map(|table| (columns(&table), table)).collect::<Vec<_>>()
    });
    assert_eq!(schemas[0], schemas[1]);
}

/// How many stories of each publisher are tried; `PROPTEST_CASES` says otherwise.
const STORIES: u64 = 30;

/// The most records of a night.
const RECORDS: usize = 6;

/// The records of a publisher, each with a key of its own and a date to partition by.
fn records_of(publisher: &str) -> Vec<Json> {
    let export = Json::parse(&export(publisher));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut records = export.get("releases").unwrap().items().to_vec();
    for record in &mut records {
        let ocid = record.get("ocid").and_then(Json::text).unwrap().to_owned();
        let day = record.get("date").and_then(Json::text).map(|date| date[..10].to_owned());
        let count = seen.entry(ocid.clone()).or_default();
        *count += 1;
        set(record, "ocid", Json::Text(format!("{ocid} {count}")));
        set(record, "at", day.map_or(Json::Null, Json::Text));
    }
    records
}

/// Sets a member of an object.
fn set(record: &mut Json, key: &str, value: Json) {
    let Json::Object(members) = record else { return };
    match members.iter_mut().find(|(name, _)| name == key) {
        Some((_, member)) => *member = value,
        None => members.push((key.to_owned(), value)),
    }
}

/// Changes one value somewhere in a record, as sources do: its shape, its type, or to nothing.
fn mutate(record: &mut Json, chance: &mut fastrand::Rng) {
    let Json::Object(members) = record else { return };
    let mut places: Vec<&mut Json> = Vec::new();
    for (key, member) in members {
        if key != "ocid" && key != "at" {
            collect(member, chance, &mut places);
        }
    }
    if !places.is_empty() {
        let place = places.swap_remove(chance.usize(..places.len()));
        *place = mutated(place, chance);
    }
}

/// Some places in a value; of any two that are in each other, one.
fn collect<'j>(value: &'j mut Json, chance: &mut fastrand::Rng, places: &mut Vec<&'j mut Json>) {
    let is_scalar = !matches!(value, Json::List(_) | Json::Object(_));
    if is_scalar || chance.u8(..4) == 0 {
        places.push(value);
        return;
    }
    match value {
        Json::List(items) => items.iter_mut().for_each(|item| collect(item, chance, places)),
        Json::Object(members) => {
            for (_, member) in members {
                collect(member, chance, places);
            }
        }
        _ => {}
    }
}

fn mutated(value: &Json, chance: &mut fastrand::Rng) -> Json {
    let others =
        ["\"n/a\"", "7", "7.25", "true", "\"2026-10-05\"", "12345678901234567890", "{\"z\":[1]}"];
    match (chance.u8(..6), value) {
        (0, _) => Json::Null,
        (1, _) => Json::List(Vec::new()),
        (2, Json::List(items)) => items.first().cloned().unwrap_or(Json::Object(Vec::new())),
        (2 | 3, value) => Json::List(vec![value.clone()]),
        (4, value) => Json::Object(vec![("value".to_owned(), value.clone())]),
        _ => Json::parse(others[chance.usize(..others.len())]),
    }
}

/// A record without what tells it apart.
fn content(record: &Json) -> String {
    let mut record = record.clone();
    set(&mut record, "ocid", Json::Null);
    set(&mut record, "at", Json::Null);
    record.to_string()
}

/// Real records on the first night; later some of these, and some of any with values that have changed.
fn mutations(records: &[Json], chance: &mut fastrand::Rng) -> Story {
    let words = ["evolve", "evolve", "discard_row", "discard_value"];
    let mut word = || words[chance.usize(..words.len())];
    let contract: Contract = match (word(), word(), word()) {
        ("evolve", "evolve", _) => None,
        (tables, columns, data_type) => Some([tables, columns, data_type]),
    };
    let dispositions = [
        Disposition::Append,
        Disposition::Merge,
        Disposition::Replace,
        Disposition::OverwritePartitions,
    ];
    let disposition = dispositions[chance.usize(..dispositions.len())];
    let is_added = matches!(disposition, Disposition::Append | Disposition::OverwritePartitions);
    let mut known = records.to_vec();
    chance.shuffle(&mut known);
    known.truncate(RECORDS);
    let nights = (0..chance.usize(4..8)).map(|night| {
        let mut own: Vec<Json> = known.clone();
        if night > 0 {
            let others =
                (0..chance.usize(1..RECORDS)).map(|_| &records[chance.usize(..records.len())]);
            let others: Vec<Json> = others.cloned().collect();
            own.drain(..chance.usize(..known.len()));
            for mut record in others {
                (0..chance.usize(1..4)).for_each(|_| mutate(&mut record, chance));
                if !own.iter().any(|other| other.get("ocid") == record.get("ocid")) {
                    own.insert(0, record);
                }
            }
        }
        for record in own.iter_mut().filter(|_| is_added) {
            let ocid = record.get("ocid").and_then(Json::text).unwrap();
            let ocid = format!("{ocid} {night}");
            set(record, "ocid", Json::Text(ocid));
        }
        Some(own)
    });
    let nights = nights.collect();
    let sound: HashSet<String> = known.iter().map(content).collect();
    Story {
        disposition,
        contract,
        nested: ["tables", "columns", "json"][chance.usize(..3)],
        key: "ocid",
        has_key: disposition == Disposition::Merge || chance.bool(),
        is_partitioned: disposition == Disposition::OverwritePartitions || chance.bool(),
        declared: None,
        nights,
        is_sound: Arc::new(move |record| sound.contains(&content(record))),
    }
}

#[test]
#[ignore = "needs the exports in ../shared/data/ocds: `make test-ocds`"]
fn p1_p4_mutations_of_the_real_exports_are_in_the_lake_to_the_last_scalar() {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let stories = setting("PROPTEST_CASES").unwrap_or(STORIES);
    let first = setting("FLOWLAKE_FIRST_SEED").unwrap_or(0);
    let trial = Trial::new();
    for publisher in PUBLISHERS {
        let records = records_of(publisher);
        for seed in setting("FLOWLAKE_SEED").map_or(first..first + stories, |seed| seed..seed + 1) {
            let story = mutations(&records, &mut fastrand::Rng::with_seed(seed));
            let run = |stories: &[Story]| trial.run(stories).err();
            if let Some(error) = run(std::slice::from_ref(&story)) {
                let (stories, error) = shrink(vec![story], error, run);
                panic!("{publisher}, seed {seed}: {error}\n{stories:?}");
            }
        }
    }
}
