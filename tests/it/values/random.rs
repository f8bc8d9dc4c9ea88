//! Random nights: every scalar of every record is in some column, or its record is in quarantine.
//!
//! Each scalar stands once in all nights, so that to look for it is to look for its text. A few nights go through the
//! binary here; thousands are for a test inside the process.

use std::collections::BTreeSet;

use super::nights::Nights;

/// How many stories are tried.
const CASES: u64 = 12;

/// Writes records in which the same keys hold scalars, lists and objects of all kinds by turns.
struct Writer {
    chance: fastrand::Rng,
    /// The next scalar.
    next: u32,
    /// The texts of the scalars of the record that is being written.
    leaves: Vec<String>,
}

impl Writer {
    fn record(&mut self, id: usize) -> String {
        self.leaves.clear();
        let members = self.members(3);
        let comma = if members.is_empty() { "" } else { "," };
        format!("{{\"id\":{id}{comma}{members}}}")
    }

    fn members(&mut self, depth: u32) -> String {
        let mut members = Vec::new();
        for key in ["a", "b", "value"] {
            if self.chance.u8(..4) > 0 {
                members.push(format!("\"{key}\":{}", self.value(depth)));
            }
        }
        members.join(",")
    }

    fn value(&mut self, depth: u32) -> String {
        match self.chance.u8(..if depth == 0 { 8 } else { 12 }) {
            0 => "null".to_owned(),
            1 => "{}".to_owned(),
            2 => "[]".to_owned(),
            3..8 => self.scalar(),
            8 | 9 => format!("{{{}}}", self.members(depth - 1)),
            _ => {
                let items = self.chance.usize(..3);
                let items: Vec<String> = (0..items).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
        }
    }

    fn scalar(&mut self) -> String {
        self.next += 1;
        let number = 10_000 + self.next;
        let (json, leaf) = match self.chance.u8(..6) {
            0 => (number.to_string(), number.to_string()),
            1 => (format!("{number}.25"), format!("{number}.25")),
            2 => (format!("{number}.0000000000000000017"), format!("{number}.0000000000000000017")),
            3 => (format!("\"t{number}\""), format!("t{number}")),
            4 => (format!("\"2026-10-05T14:03:07.0{number}Z\""), format!("07.0{number}")),
            _ => {
                let (year, day) = (1000 + self.next / 28, self.next % 28 + 1);
                (format!("\"{year}-05-{day:02}\""), format!("{year}-05-{day:02}"))
            }
        };
        self.leaves.push(leaf);
        json
    }
}

/// Loads nights by these settings; tells which scalars of which records are nowhere.
fn lost(settings: &str, seed: u64) -> Vec<String> {
    let mut writer = Writer { chance: fastrand::Rng::with_seed(seed), next: 0, leaves: Vec::new() };
    let nights = Nights::of_t(&format!("write_disposition = \"append\"\n{settings}"));
    let (mut expected, mut story) = (Vec::new(), Vec::new());
    for night in 0..4 {
        let (mut records, mut leaves) = (Vec::new(), Vec::new());
        for number in 0..writer.chance.usize(1..5) {
            let id = night * 10 + number;
            records.push(writer.record(id));
            leaves.extend(writer.leaves.iter().map(|leaf| (id, leaf.clone())));
        }
        let json = format!("[{}]", records.join(","));
        story.push(json.clone());
        let finished = nights.night(&json);
        match finished.code {
            0 => expected.extend(leaves),
            // None of the records fits, so that nothing is changed.
            3 => {}
            code => return vec![format!("exit {code}: {}\n{}", finished.stderr, story.join("\n"))],
        }
    }
    let waiting: BTreeSet<String> = nights.waiting("t").into_iter().collect();
    let waits =
        |id: usize| ["row", "value"].iter().any(|kept| waiting.contains(&format!("{id} {kept}")));
    let values = nights.all_values().join("\n");
    expected.retain(|(id, leaf)| !values.contains(leaf.as_str()) && !waits(*id));
    let lost = expected.into_iter().map(|(id, leaf)| format!("{leaf} of record {id}"));
    let lost: Vec<String> = lost.collect();
    if lost.is_empty() { lost } else { [lost, story].concat() }
}

#[track_caller]
fn assert_nothing_lost(settings: &str) {
    let stories = (0..CASES).map(|seed| (seed, lost(settings, seed)));
    let stories = stories.filter(|(_, lost)| !lost.is_empty());
    let stories: Vec<String> =
        stories.map(|(seed, lost)| format!("seed {seed}: {}", lost.join("\n"))).collect();
    assert!(stories.is_empty(), "{settings}\n{}", stories.join("\n\n"));
}

#[test]
fn v_more_random_nights_lose_nothing_by_default() {
    assert_nothing_lost("");
}

#[test]
fn v_more_random_nights_lose_nothing_under_evolve() {
    assert_nothing_lost("schema_contract = \"evolve\"\n");
}

#[test]
fn v_more_random_nights_lose_nothing_that_is_not_in_quarantine() {
    assert_nothing_lost("schema_contract = \"discard_value\"\n");
    assert_nothing_lost("schema_contract = \"discard_row\"\n");
}

#[test]
fn v_more_random_nights_of_nested_columns_lose_nothing() {
    assert_nothing_lost("nested = \"columns\"\nschema_contract = \"evolve\"\n");
}

#[test]
fn v_more_random_nights_of_nested_columns_lose_nothing_that_is_not_in_quarantine() {
    assert_nothing_lost("nested = \"columns\"\nschema_contract = \"discard_value\"\n");
}
