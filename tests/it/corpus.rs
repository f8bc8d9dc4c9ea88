//! What fuzzing has come upon so far, on a stable toolchain.

#[path = "../../fuzz/src/lib.rs"]
mod checks;

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn replay(target: &str, check: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path());
    let count = files.map(|file| check(&std::fs::read(file).unwrap())).count();
    assert!(count > 50, "only {count} files");
}

#[test]
fn p6_the_splitter_finds_what_serde_json_finds_in_the_corpus() {
    replay("split", checks::split);
}

#[test]
fn p4_the_decoder_gives_what_serde_json_gives_for_the_corpus() {
    replay("decode", checks::decode);
}

#[test]
fn h3_definitions_of_the_corpus_are_planned_or_refused() {
    replay("definition", checks::definition);
}

#[test]
fn h5_a_run_ends_whatever_answers_it() {
    replay("answer", checks::answer);
}

/// A definition with some of its text removed, repeated, moved or replaced.
fn damaged(text: &str, random: &mut ChaCha8Rng) -> String {
    const NASTY: [&str; 16] = [
        "\"\"",
        "-1",
        "99999999999999999999",
        "nan",
        "[]",
        "{}",
        "\"{{ run.date | date }}\"",
        "\"{{\"",
        "\"${\"",
        "\"list<\"",
        "\"decimal(99,99)\"",
        "\"P9999999999Y\"",
        "\"%\"",
        "9999-12-31T23:59:60Z",
        "\"(((\"",
        "\"\\u202e\"",
    ];
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..random.random_range(1..6) {
        let (from, to) = (random.random_range(0..lines.len()), random.random_range(0..lines.len()));
        match random.random_range(0..5) {
            0 => lines.swap(from, to),
            1 => lines.insert(to, lines[from].clone()),
            2 => {
                let key = lines[from].split('=').next().unwrap_or_default().to_owned();
                lines[from] = format!("{key}= {}", NASTY[random.random_range(0..NASTY.len())]);
            }
            3 => {
                let kept = random.random_range(0..=lines[from].chars().count());
                lines[from] = lines[from].chars().take(kept).collect();
            }
            _ => {
                let more = lines[to].clone();
                lines[from].push_str(&more);
            }
        }
    }
    lines.join("\n")
}

#[test]
fn h3_no_damage_to_a_definition_makes_it_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(root.join("fuzz/corpus/definition")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<String> =
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(3_000);
    let mut random = ChaCha8Rng::seed_from_u64(19);
    for _ in 0..cases {
        let seed = &seeds[random.random_range(0..seeds.len())];
        if !seed.is_empty() {
            checks::definition(damaged(seed, &mut random).as_bytes());
        }
    }
}
