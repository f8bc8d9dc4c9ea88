//! Seven real e-sourcing exports, compared with an independent walk of their JSON. They are not in the repository:
//! `make test-ocds` reads them from `../shared/data/ocds`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use flowlake::infer::snake_case;
use serde_json::Value;

use crate::support::{Lake, Source, Workplace};

const PUBLISHERS: [&str; 7] = [
    "armenia",
    "australia",
    "canada-buyandsell",
    "moldova",
    "paraguay",
    "uganda",
    "uk-contracts-finder",
];

/// Walks JSON by the rules of the README, knowing nothing of how flowlake does it.
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
    assert_eq!(counts("releases__releases"), [3, 0, 3]);
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
