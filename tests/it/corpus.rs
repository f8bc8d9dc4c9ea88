//! What fuzzing has come upon so far, on a stable toolchain.

#[path = "../../fuzz/src/lib.rs"]
mod checks;

use std::path::Path;

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
