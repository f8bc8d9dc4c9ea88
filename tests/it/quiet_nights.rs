//! What is said of nights in which little happens, and of the first one.

use crate::support::{Source, Workplace};

const MERGED: &str =
    "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n";

fn windowed(workplace: &Workplace) {
    workplace.define_with(
        "[source.filters]\nfrom = \"{{ window.start }}\"\n[source.window]\nstart = 2026-01-01",
        MERGED,
    );
}

fn run_as_of(workplace: &Workplace, day: &str) -> String {
    workplace.flowlake(&["run", "test.toml", "--as-of", day]).success()
}

#[test]
fn o16_a_night_without_records_says_so_and_nothing_of_columns() {
    let source = Source::serving(r#"[{"id":1,"a":1,"lines":[{"n":1}]}]"#);
    let workplace = Workplace::asking(&source);
    windowed(&workplace);
    run_as_of(&workplace, "2026-02-01");
    source.serve("[]");
    let quiet = run_as_of(&workplace, "2026-02-02");
    assert!(quiet.contains("nothing new: no records came"), "{quiet}");
    assert!(!quiet.contains("t.a") && !quiet.contains("t__lines.n"), "{quiet}");
    // Nor does the next night tell that the columns are back.
    source.serve(r#"[{"id":2,"a":2,"lines":[{"n":2}]}]"#);
    let night = run_as_of(&workplace, "2026-02-03");
    assert!(night.contains("committed") && !night.contains("t.a"), "{night}");
    // A night with orders that have no lines says nothing of the columns of lines.
    source.serve(r#"[{"id":3,"a":3,"lines":[]}]"#);
    let night = run_as_of(&workplace, "2026-02-04");
    assert!(!night.contains("t__lines.n"), "{night}");
    // A column that the records do not have any more is told once.
    source.serve(r#"[{"id":4}]"#);
    let gone = "- t.a (in no record of this export)";
    let night = run_as_of(&workplace, "2026-02-05");
    assert!(night.contains(gone), "{night}");
    source.serve("[]");
    run_as_of(&workplace, "2026-02-06");
    source.serve(r#"[{"id":5}]"#);
    let night = run_as_of(&workplace, "2026-02-07");
    assert!(!night.contains("t.a"), "{night}");
    source.serve(r#"[{"id":6,"a":6}]"#);
    let night = run_as_of(&workplace, "2026-02-08");
    assert!(night.contains("+ t.a (back"), "{night}");
}

#[test]
fn o16_a_night_in_which_nothing_is_asked_says_so() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define_with(
        "[source.filters]\nfrom = \"{{ window.start }}\"\n[source.window]\nstart = 2026-01-01\nlookback = \"P0D\"",
        MERGED,
    );
    run_as_of(&workplace, "2026-02-01");
    let requests = source.requests().len();
    let again = run_as_of(&workplace, "2026-02-01");
    assert!(again.contains("nothing new: there was nothing to ask for"), "{again}");
    assert_eq!(source.requests().len(), requests);
}

#[test]
fn o16_a_night_of_known_records_says_where_they_are() {
    let source = Source::serving(r#"[{"id":1,"n":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(&format!("{MERGED}[tables.columns]\nn = \"int64\""));
    workplace.run().success();
    let known = "nothing new: all records that came were known already";
    for export in [r#"[{"id":1,"n":1}]"#, r#"[{"id":1,"n": 1}]"#] {
        source.serve(export);
        let again = workplace.run().success();
        assert!(again.contains(known), "{again}");
    }
    source.serve(r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    assert!(workplace.run().success().contains("committed"));
    for export in [r#"[{"id":1,"n":1},{"id":2, "n":"x"}]"#, r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#]
    {
        source.serve(export);
        let again = workplace.run().success();
        assert!(again.contains(known), "{again}");
    }
    assert_eq!(workplace.lake().quarantine("t").len(), 1);
}

#[test]
fn o09_the_first_run_says_that_it_began_a_lake() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(MERGED);
    let began = "this run began the lake ";
    let first = workplace.run().success();
    assert!(first.contains(began), "{first}");
    source.serve(r#"[{"id":2}]"#);
    let second = workplace.run().success();
    assert!(!second.contains(began), "{second}");
}

#[test]
fn o09_a_lake_that_must_exist_is_not_begun() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(MERGED);
    let definition = workplace.path().join("test.toml");
    let text = std::fs::read_to_string(&definition).unwrap();
    let text = text.replacen("[destination]\n", "[destination]\nmust_exist = true\n", 1);
    std::fs::write(&definition, text).unwrap();
    let refused = |arguments: &[&str]| {
        let finished = workplace.flowlake(arguments);
        assert_eq!(finished.code, 7, "{}", finished.stderr);
        assert!(finished.stderr.contains("no lake here"), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("--set destination.must_exist=false"),
            "{}",
            finished.stderr
        );
    };
    refused(&["run", "test.toml"]);
    refused(&["plan", "test.toml"]);
    refused(&["quarantine", "retry", "test.toml"]);
    assert!(!workplace.path().join("lake").exists(), "nothing is made");
    assert_eq!(source.requests().len(), 0, "nothing is asked");
    // An empty directory, as of a disk that is not mounted, is none either.
    std::fs::create_dir(workplace.path().join("lake")).unwrap();
    refused(&["run", "test.toml"]);
    refused(&["plan", "test.toml"]);
    // Nor is the report of a run that failed.
    source.serve(r#"{"error":"no"}"#);
    let begin = ["run", "test.toml", "--set", "destination.must_exist=false"];
    assert_eq!(workplace.flowlake(&begin).code, 6);
    refused(&["run", "test.toml"]);
    refused(&["plan", "test.toml"]);
    source.serve(r#"[{"id":1}]"#);
    workplace.flowlake(&begin).success();
    source.serve(r#"[{"id":2}]"#);
    workplace.run().success();
    assert_eq!(workplace.lake().column("t", "id"), ["1", "2"]);
}
