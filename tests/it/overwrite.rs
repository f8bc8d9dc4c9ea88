//! `overwrite_partitions`: an export replaces the partitions that it covers, and nothing else.

use crate::support::{Answer, Lake, Source, Workplace};

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"overwrite_partitions\"\n\
                      partition_by = [\"month(at)\"]\n";
const WINDOW: &str = "[source.filters]\nfrom = \"{{ window.start | date }}\"\nto = \"{{ window.end }}\"\n\
                      [source.window]\nstart = 2026-01-15\nlookback = \"P3D\"";

const WINTER: &str = r#"[{"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1},{"n":2}]},
    {"id":2,"at":"2026-02-05","v":"b","lines":[{"n":3}]},{"id":3,"at":"2026-03-05","v":"c","lines":[{"n":4}]}]"#;

fn workplace(source: &Source, of_source: &str) -> Workplace {
    let workplace = Workplace::asking(source);
    workplace.define_with(of_source, TABLES);
    workplace
}

/// The rows of the table and of its child table, each on a line.
fn rows(lake: &Lake) -> Vec<String> {
    let line = |table: &str, columns: [&str; 3]| {
        let columns = columns.map(|name| lake.column(table, name));
        let rows = (0..columns[0].len())
            .map(|row| columns.each_ref().map(|it| it[row].as_str()).join(" "));
        let mut rows: Vec<String> = rows.collect();
        rows.sort();
        rows
    };
    [line("t", ["id", "at", "v"]), line("t__lines", ["t__id", "_index", "n"])].concat()
}

fn ledger(lake: &Lake) -> [usize; 3] {
    ["inserted", "unchanged", "superseded"].map(|name| lake.ledger()["t"][name])
}

#[test]
fn an_export_replaces_the_partitions_that_it_has_records_for() {
    let source = Source::serving(WINTER);
    let workplace = workplace(&source, "");
    workplace.run().success();
    let lake = workplace.lake();
    let march = lake.files("t").pop().unwrap();
    // A January record without its lines, one that moved from February to April, and another February record.
    source.serve(
        r#"[{"id":1,"at":"2026-01-05","v":"a"},{"id":2,"at":"2026-04-05","v":"b"},{"id":4,"at":"2026-02-06","v":"d"}]"#,
    );
    workplace.run().success();
    let expected =
        ["1 2026-01-05 a", "2 2026-04-05 b", "3 2026-03-05 c", "4 2026-02-06 d", "3 0 4"];
    assert_eq!(rows(&lake), expected);
    assert!(lake.files("t").contains(&march), "March is left alone");
    assert_eq!(ledger(&lake), [2, 1, 0], "of January only the lines have changed");
}

#[test]
fn p3_unchanged_partitions_keep_their_files() {
    let source = Source::serving(WINTER);
    let workplace = workplace(&source, WINDOW);
    let run = |as_of: &str| workplace.flowlake(&["run", "test.toml", "--as-of", as_of]).success();
    run("2026-03-20");
    let lake = workplace.lake();
    let data = |lake: &Lake| [lake.files("t"), lake.files("t__lines")];
    let before = data(&lake);
    // The next night asks for March again, and for nothing else.
    source.serve(r#"[{"id":3,"at":"2026-03-05","v":"c","lines":[{"n":4}]}]"#);
    let output = run("2026-03-21");
    assert!(output.contains("nothing new"), "{output}");
    assert!(
        source.requests()[1].contains("from=2026-03-01&to=2026-03-21T"),
        "{:?}",
        source.requests()
    );
    assert_eq!((data(&lake), ledger(&lake)), (before.clone(), [0, 1, 0]));
    // Only the partition with a change is written.
    source.serve(r#"[{"id":3,"at":"2026-03-05","v":"c","lines":[{"n":4}]},{"id":5,"at":"2026-03-21","v":"e","lines":[{"n":9}]}]"#);
    run("2026-03-22");
    let after = data(&lake);
    assert_eq!(before[0][..2], after[0][..2]);
    assert_ne!(before[0][2], after[0][2]);
    assert_eq!(before[1][..2], after[1][..2]);
    assert_eq!(ledger(&lake), [2, 0, 0]);
}

#[test]
fn a_partition_in_the_window_without_records_becomes_empty() {
    let source = Source::serving(WINTER);
    let workplace = workplace(&source, WINDOW);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-20"]).success();
    source.serve(r#"[{"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1},{"n":3}]}]"#);
    let arguments = ["run", "test.toml", "--from", "2026-01-10", "--to", "2026-02-10"];
    workplace.flowlake(&arguments).success();
    assert!(
        source.requests()[1].contains("from=2026-01-01&to=2026-03-01T00%3A00%3A00Z"),
        "the window is of whole partitions: {:?}",
        source.requests()
    );
    let lake = workplace.lake();
    assert_eq!(rows(&lake), ["1 2026-01-05 a", "3 2026-03-05 c", "1 0 1", "1 1 3", "3 0 4"]);
    assert_eq!(lake.watermark("t"), "2026-03-20T00:00:00Z");
}

#[test]
fn p9_a_window_without_records_empties_nothing_unless_allowed() {
    let source = Source::answering_in_turn(vec![
        Answer::Json(WINTER.to_owned()),
        Answer::Json("[]".to_owned()),
    ]);
    let workplace = workplace(&source, WINDOW);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-20"]).success();
    let before = rows(&workplace.lake());
    let refused = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-21"]);
    assert_eq!(refused.code, 6);
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(rows(&workplace.lake()), before);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-21", "--allow-shrink"]).success();
    assert_eq!(rows(&workplace.lake()).len(), before.len() - 2);
    // A month without rows yet cannot lose any.
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-04-21"]).success();
}

#[test]
fn p9_an_export_without_records_empties_nothing() {
    let source = Source::serving(WINTER);
    let workplace = workplace(&source, "");
    workplace.run().success();
    source.serve("[]");
    assert_eq!(workplace.run().code, 6);
    assert_eq!(workplace.lake().rows("t").height(), 3);
}

#[test]
fn p1_a_record_outside_the_window_costs_no_other_record() {
    let source = Source::serving(WINTER);
    let workplace = workplace(&source, WINDOW);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-20"]).success();
    let before = rows(&workplace.lake());
    // The export seems to be filtered by another column than the one of the partitions.
    source.serve(r#"[{"id":1,"at":"2026-01-05","v":"new"},{"id":3,"at":"2026-03-05","v":"new"}]"#);
    let refused = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-21"]);
    assert_eq!(refused.code, 6);
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(rows(&workplace.lake()), before);
}

#[test]
fn p5_partitions_outside_the_export_get_the_new_schema() {
    let source = Source::serving(WINTER);
    let workplace = workplace(&source, "");
    workplace.run().success();
    source.serve(r#"[{"id":2,"at":"2026-02-05","v":7,"w":1.5}]"#);
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "w"), ["null", "1.5", "null"]);
    assert_eq!(rows(&lake)[..3], ["1 2026-01-05 a", "2 2026-02-05 7", "3 2026-03-05 c"]);
}

#[test]
fn p1_quarantined_records_are_reported_and_load_with_their_partition() {
    let tables = |amount: &str| format!("{TABLES}[tables.columns]\nv = \"{amount}\"");
    let source =
        Source::serving(r#"[{"id":1,"at":"2026-01-05","v":1},{"id":2,"at":"2026-02-05","v":"x"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(&tables("int64"));
    workplace.run().success();
    assert_eq!(workplace.lake().quarantine("t").len(), 1);
    workplace.define(&tables("string"));
    let refused = workplace.flowlake(&["quarantine", "retry", "test.toml"]);
    assert_eq!(refused.code, 2);
    insta::assert_snapshot!(refused.redacted());
    workplace.run().success();
    assert_eq!(workplace.lake().column("t", "v"), ["1", "x"]);
    assert_eq!(workplace.lake().quarantine("t").len(), 0);
}

#[test]
fn a_plan_shows_what_is_overwritten() {
    let source = Source::serving(WINTER);
    let workplace = workplace(&source, WINDOW);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-20"]).success();
    let arguments = ["plan", "test.toml", "--from", "2026-02-10", "--to", "2026-02-12"];
    insta::assert_snapshot!(workplace.flowlake(&arguments).redacted());
}

#[test]
fn too_many_partitions_are_refused_before_anything_is_written() {
    let source = Source::serving(WINTER);
    let workplace = Workplace::asking(&source);
    workplace.define(&format!("[limits]\nmax_partitions = 2\n{TABLES}"));
    let refused = workplace.run();
    assert_eq!(refused.code, 6);
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(workplace.lake().tables(), Vec::<String>::new());
}

#[test]
fn a_merge_deletes_missing_records_inside_its_window_only() {
    let tables = TABLES.replace("overwrite_partitions", "merge") + "deletes = \"remove\"\n";
    let source = Source::serving(WINTER);
    let workplace = Workplace::asking(&source);
    workplace.define_with(WINDOW, &tables);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-20"]).success();
    // February and January have lost a record, but the window covers only February and March.
    let march = r#"{"id":3,"at":"2026-03-05","v":"c","lines":[{"n":4}]}"#;
    source.serve(&format!("[{march},{{\"id\":6,\"at\":\"2026-02-07\",\"v\":\"f\"}}]"));
    workplace
        .flowlake(&["run", "test.toml", "--from", "2026-02-20", "--as-of", "2026-03-21"])
        .success();
    assert!(source.requests()[1].contains("from=2026-02-01&"), "{:?}", source.requests());
    let lake = workplace.lake();
    let expected =
        ["1 2026-01-05 a", "3 2026-03-05 c", "6 2026-02-07 f", "1 0 1", "1 1 2", "3 0 4"];
    assert_eq!(rows(&lake), expected);
    assert_eq!(lake.ledger()["t"]["deleted"], 1);
    // A record that moves between months of the window exists once.
    source.serve(r#"[{"id":3,"at":"2026-02-05","v":"c","lines":[{"n":4}]},{"id":6,"at":"2026-02-07","v":"f"}]"#);
    workplace
        .flowlake(&["run", "test.toml", "--from", "2026-02-01", "--as-of", "2026-03-22"])
        .success();
    assert_eq!(rows(&lake)[..3], ["1 2026-01-05 a", "3 2026-02-05 c", "6 2026-02-07 f"]);
    source.serve("[]");
    let refused =
        workplace.flowlake(&["run", "test.toml", "--from", "2026-02-01", "--as-of", "2026-03-23"]);
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert_eq!(rows(&lake).len(), 6);
}
