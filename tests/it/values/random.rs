//! Random nights of random records under random definitions: every scalar of every record is in the cell of its path or
//! in quarantine, whatever the nights before have brought.
//!
//! A failure prints the smallest story that shows it, and its seed: `FLOWLAKE_SEED=<seed> cargo test --test it <test>`
//! tries that seed alone. `PROPTEST_CASES` says how many stories are tried, `FLOWLAKE_FIRST_SEED` where they begin.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::json::{Json, Step};
use super::nights::Nights;
use super::oracle::{Reading, Tables};
use super::same::Closeness;
use super::shrink::shrink;
use super::stories::stories;
use super::story::{Contract, Disposition, Story};
use super::trial::Trial;

/// How many stories `make test` tries in all.
const CASES: u64 = 1500;

/// How many tables a lake has, so that a run loads as many stories.
const TABLES: usize = 16;

/// How many nights a story has.
const NIGHTS: std::ops::RangeInclusive<usize> = 4..=14;

/// What the tables of a lake may be.
#[derive(Debug, Clone, Copy)]
struct Lake {
    dispositions: &'static [Disposition],
    /// Whether several tables have records with one key.
    has_equal_keys: bool,
}

const fn lake(dispositions: &'static [Disposition]) -> Lake {
    Lake { dispositions, has_equal_keys: false }
}

/// Lakes in which no other table disturbs a merged one, or is disturbed by it.
const LAKES: [Lake; 2] = [
    lake(&[Disposition::Append, Disposition::Replace, Disposition::Merge]),
    lake(&[Disposition::Append, Disposition::Replace, Disposition::OverwritePartitions]),
];

/// Lakes of any tables.
const ANY_LAKE: [Lake; 1] = [Lake {
    dispositions: &[
        Disposition::Append,
        Disposition::Replace,
        Disposition::Merge,
        Disposition::OverwritePartitions,
    ],
    has_equal_keys: true,
}];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

fn runner(seed: u64) -> TestRunner {
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Tries this share of all stories, in percent, so many tables at a time.
#[track_caller]
fn assert_holds(
    nested: &'static str,
    contract: &BoxedStrategy<Contract>,
    percent: u64,
    tables: usize,
    lakes: &[Lake],
) {
    let trial = Trial::new();
    let cases = setting("PROPTEST_CASES").unwrap_or(CASES) * percent / 100;
    let first = setting("FLOWLAKE_FIRST_SEED").unwrap_or(0);
    let seeds = match setting("FLOWLAKE_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + cases.div_ceil(tables as u64),
    };
    for seed in seeds {
        let mut runner = runner(seed);
        // Few nights more often than many.
        let nights = runner.rng().random_range(NIGHTS).min(runner.rng().random_range(NIGHTS));
        let lake = lakes[usize::try_from(seed).unwrap() % lakes.len()];
        let told = (0..tables).map(|table| {
            let first_key = if lake.has_equal_keys { 0 } else { table as u64 * 10_000 };
            let strategy = stories(nested, contract.clone(), lake.dispositions, first_key, nights);
            strategy.new_tree(&mut runner).unwrap().current()
        });
        let told: Vec<Story> = told.collect();
        let Err(error) = trial.run(&told) else { continue };
        let run = |stories: &[Story]| trial.run(stories).err();
        let (stories, error) = shrink(told, error, run);
        panic!("seed {seed}: {error}\n{stories:?}");
    }
}

/// Contracts by which a run is never refused.
fn loading() -> BoxedStrategy<Contract> {
    let word = || select(vec!["evolve", "evolve", "discard_row", "discard_value"]);
    let words = (word(), word(), word())
        .prop_map(|(tables, columns, types)| Some([tables, columns, types]));
    let word = select(vec![
        None,
        Some(["evolve"; 3]),
        Some(["discard_row"; 3]),
        Some(["discard_value"; 3]),
    ]);
    prop_oneof![word, words].boxed()
}

/// Contracts with `freeze` in them.
fn freezing() -> BoxedStrategy<Contract> {
    let word = || select(vec!["freeze", "evolve", "discard_row", "discard_value"]);
    let frozen = |words: &[&str; 3]| words.contains(&"freeze");
    let words =
        (word(), word(), word()).prop_map(|(tables, columns, types)| [tables, columns, types]);
    words.prop_filter("it freezes", frozen).prop_map(Some).boxed()
}

#[test]
fn p1_p4_random_nights_of_child_tables_are_in_the_lake_to_the_last_scalar() {
    assert_holds("tables", &loading(), 37, TABLES, &LAKES);
}

#[test]
fn p1_p4_random_nights_of_nested_columns_are_in_the_lake_to_the_last_scalar() {
    assert_holds("columns", &loading(), 37, TABLES, &LAKES);
}

#[test]
fn p1_p4_random_nights_of_json_texts_are_in_the_lake_to_the_last_scalar() {
    assert_holds("json", &loading(), 18, TABLES, &LAKES);
}

#[test]
fn p1_p4_random_nights_under_freeze_are_in_the_lake_or_change_nothing() {
    for nested in ["tables", "columns"] {
        assert_holds(nested, &freezing(), 4, 1, &LAKES);
    }
}

#[test]
fn p1_p4_random_nights_of_a_lake_with_tables_of_all_kinds_are_there_to_the_last_scalar() {
    assert_holds("tables", &loading(), 18, TABLES / 2, &ANY_LAKE);
}

#[test]
fn p1_p4_random_nights_under_widen_are_in_the_lake_to_the_last_scalar() {
    let widen = Just(Some(["evolve", "evolve", "widen"])).boxed();
    for nested in ["tables", "columns"] {
        assert_holds(nested, &widen, 18, TABLES, &LAKES);
    }
}

/// A record with scalars of several types and at several depths.
const LOADED: &str =
    r#"{"id":1,"a":1.50,"b":[{"c":"x"},{"c":"2026-10-05"}],"d":[1,2],"e":{"f":true}}"#;

/// What the oracle says of a record, when another one was loaded: how many scalars are lost, how many invented.
fn judged(nested: &str, loaded: &str, record: &str) -> [usize; 2] {
    let nights = Nights::of_t(&format!("nested = \"{nested}\""));
    nights.load(&format!("[{loaded}]"));
    let lake = nights.lake();
    let files = lake.tables().into_iter().map(|table| {
        let files = lake.files(&table).into_iter();
        (table, files.map(|file| std::fs::read(file).unwrap().into()).collect())
    });
    let tables = Tables::read(&files.collect(), "t", "id").unwrap();
    let closeness = Closeness { verbatim: true, declared: false, unquoted: false };
    let reading = |_: &[Step]| Reading { closeness, in_text: nested == "json" };
    let difference = tables.compare("1", &Json::parse(record), reading, |_| false);
    [difference.lost.len(), difference.invented.len()]
}

#[test]
fn the_search_sees_what_is_changed_lost_moved_or_invented() {
    for nested in ["tables", "columns"] {
        for (record, expected) in [
            (
                r#"{"id":1,"a":1.50,"b":[{"c":"x"},{"c":"2026-10-05"}],"d":[1,2],"e":{"f":true}}"#,
                [0, 0],
            ),
            (
                r#"{"id":1,"a":1.51,"b":[{"c":"x"},{"c":"2026-10-05"}],"d":[1,2],"e":{"f":true}}"#,
                [1, 1],
            ),
            (
                r#"{"id":1,"a":"1.5","b":[{"c":"x"},{"c":"2026-10-05"}],"d":[1,2],"e":{"f":true}}"#,
                [1, 1],
            ),
            (
                r#"{"id":1,"a":1.50,"b":[{"c":"2026-10-05"},{"c":"x"}],"d":[1,2],"e":{"f":true}}"#,
                [2, 2],
            ),
            (
                r#"{"id":1,"a":1.50,"b":[{"c":"x"},{"c":"2026-10-05T00:00:00Z"}],"d":[1,2],"e":{"f":true}}"#,
                [1, 1],
            ),
            (r#"{"id":1,"b":[{"c":"x"},{"c":"2026-10-05"}],"d":[1],"e":{}}"#, [0, 3]),
            (
                r#"{"id":1,"a":1.50,"b":[{"c":"x"},{"c":"2026-10-05"}],"d":[2,1],"e":{"f":"true"}}"#,
                [3, 3],
            ),
            (
                r#"{"id":1,"a":1.50,"b":[{"c":"x"},{"c":"2026-10-05"},{"c":"y"}],"d":[1,2,2],"e":{"g":true}}"#,
                [3, 1],
            ),
        ] {
            assert_eq!(judged(nested, LOADED, record), expected, "{nested}: {record}");
        }
    }
    let digits =
        r#"{"id":1,"a":1.50,"b":[{"c":"x"},{"c":"2026-10-05"}],"d":[1,2.0],"e":{"f":true}}"#;
    assert_eq!(judged("json", LOADED, digits), [2, 1]);
}

#[test]
fn the_search_gives_each_scalar_a_cell_of_its_own() {
    // `a_b` in the row of the list may be either, by its name.
    let loaded = r#"{"id":1,"aB":{"c":"x"},"a_b":[{"c":"x"},{"c":"y"}]}"#;
    for (record, expected) in [
        (loaded, [0, 0]),
        (r#"{"id":1,"aB":{"c":"x"},"a_b":[{"c":"y"},{"c":"x"}]}"#, [2, 2]),
        (r#"{"id":1,"aB":{"c":"x"},"a_b":[null,{"c":"y"}]}"#, [0, 1]),
        (r#"{"id":1,"aB":{"c":"x"},"a_b":[{"c":"x"},{"c":"y"},{"c":"x"}]}"#, [1, 0]),
    ] {
        assert_eq!(judged("tables", loaded, record), expected, "{record}");
    }
    let loaded = r#"{"id":1,"aB":[0.1,1.2],"a_b":[0.1,1.2]}"#;
    assert_eq!(judged("json", loaded, loaded), [0, 0]);
    assert_eq!(judged("json", loaded, r#"{"id":1,"aB":[0.1,1.2],"a_b":[0.1,1.3]}"#), [2, 1]);
}
