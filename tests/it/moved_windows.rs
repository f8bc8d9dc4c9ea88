//! Windows that were moved, tables that came later, clocks that were wrong, and pipelines that meet in one destination.

use serde_json::{Value, json};

use crate::support::{Source, Workplace};

const T: &str = "[[tables]]\nname = \"t\"\nrecords = \"/rows\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n";
const U: &str = "[[tables]]\nname = \"u\"\nrecords = \"/others\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n";

fn define(workplace: &Workplace, start: &str, tables: &str) {
    let source = format!(
        "[source.filters]\nfrom = \"{{{{ window.start | date }}}}\"\nto = \"{{{{ window.end | date }}}}\"\n\
         [source.window]\nstart = {start}"
    );
    workplace.define_with(&source, tables);
}

/// The window of the last request.
fn last_window(source: &Source) -> String {
    let requests = source.requests();
    requests.last().unwrap().split_once('?').unwrap().1.to_owned()
}

/// Serves one record, whose id makes the response another one.
fn serve(source: &Source, id: u32) {
    source.serve(&json!({ "rows": [{ "id": id }], "others": [{ "id": id }] }).to_string());
}

/// A table that is loaded from January on until February.
fn loaded() -> (Source, Workplace) {
    let source = Source::serving(r#"{"rows":[{"id":1}]}"#);
    let workplace = Workplace::asking(&source);
    define(&workplace, "2026-01-01", T);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-01"]).success();
    assert_eq!(last_window(&source), "from=2026-01-01&to=2026-02-01");
    (source, workplace)
}

#[test]
fn o06_a_table_that_comes_later_is_told_with_the_command_that_loads_what_was_before() {
    let (source, workplace) = loaded();
    define(&workplace, "2026-01-01", &format!("{T}{U}"));
    let gap = "the table is new, and begins at 2026-02-01T00:00:00Z; what is between is loaded by \
               a run with `--from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z` with `--table` and its name";
    let plan = workplace.flowlake(&["plan", "test.toml", "--as-of", "2026-02-02"]).success();
    assert!(plan.contains(&format!("not loaded   u: {gap}")), "{plan}");
    serve(&source, 2);
    let run = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-02"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains(gap), "{}", run.stderr);
    serve(&source, 3);
    let backfill =
        ["run", "test.toml", "--from", "2026-01-01", "--to", "2026-02-01", "--table", "u"];
    workplace.flowlake(&backfill).success();
    assert_eq!(last_window(&source), "from=2026-01-01&to=2026-02-01");
    let lake = workplace.lake();
    assert_eq!((lake.rows("t").height(), lake.rows("u").height()), (2, 2));
    assert_eq!(lake.watermark("u"), "2026-02-02T00:00:00Z");
    let plan = workplace.flowlake(&["plan", "test.toml", "--as-of", "2026-02-03"]).success();
    assert!(!plan.contains("not loaded"), "{plan}");
    let unknown = workplace.flowlake(&["run", "test.toml", "--table", "v"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("the definition has no table `v`"), "{}", unknown.stderr);
}

#[test]
fn o06_a_start_that_moves_forth_and_back_tells_only_the_time_that_is_missing() {
    let (source, workplace) = loaded();
    let plan = |day: &str| workplace.flowlake(&["plan", "test.toml", "--as-of", day]).success();
    define(&workplace, "2026-02-10", T);
    serve(&source, 2);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-20"]).success();
    define(&workplace, "2026-01-01", T);
    let gap = "nothing from 2026-02-01T00:00:00Z until 2026-02-10T00:00:00Z is loaded; it is loaded by \
               a run with `--from 2026-02-01T00:00:00Z --to 2026-02-10T00:00:00Z`";
    let shown = plan("2026-02-21");
    assert!(shown.contains(&format!("not loaded   t: {gap}")), "{shown}");
    let shown = workplace.flowlake(&["watermark", "show", "test.toml"]).success();
    let ranges = "2026-02-10T00:00:00Z, before that 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z";
    assert!(shown.contains(ranges), "{shown}");
    serve(&source, 3);
    let backfill = ["run", "test.toml", "--from", "2026-02-01", "--to", "2026-02-10"];
    workplace.flowlake(&backfill).success();
    assert!(!plan("2026-02-21").contains("not loaded"));
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "id"), ["1", "2", "3"]);
    assert_eq!(lake.watermark("t"), "2026-02-20T00:00:00Z");
    workplace.flowlake(&["verify", "lake"]).success();
}

#[test]
fn o06_a_window_that_begins_earlier_is_told_with_the_command_that_loads_it() {
    let (source, workplace) = loaded();
    define(&workplace, "2025-12-01", T);
    let plan = workplace.flowlake(&["plan", "test.toml", "--as-of", "2026-02-02"]).success();
    let gap = "`window.start` is 2025-12-01T00:00:00Z, and the table is loaded from 2026-01-01T00:00:00Z on; \
               what is between is loaded by a run with `--from 2025-12-01T00:00:00Z --to 2026-01-01T00:00:00Z`";
    assert!(plan.contains(&format!("not loaded   t: {gap}")), "{plan}");
    serve(&source, 2);
    let arguments = ["run", "test.toml", "--from", "2025-12-01", "--to", "2026-01-01"];
    workplace.flowlake(&arguments).success();
    assert_eq!(workplace.lake().watermark("t"), "2026-02-01T00:00:00Z");
    let plan = workplace.flowlake(&["plan", "test.toml", "--as-of", "2026-02-02"]).success();
    assert!(!plan.contains("not loaded"), "{plan}");
}

#[test]
fn o06_a_window_that_begins_after_the_watermark_is_loaded_once() {
    let (source, workplace) = loaded();
    define(&workplace, "2026-03-01", T);
    serve(&source, 2);
    let run = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-05"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains(
            "`window.start` is 2026-03-01T00:00:00Z, and the table is loaded until 2026-02-01T00:00:00Z"
        ),
        "{}",
        run.stderr
    );
    serve(&source, 3);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-06"]).success();
    assert_eq!(last_window(&source), "from=2026-03-05&to=2026-03-06");
    assert_eq!(workplace.lake().rows("t").height(), 3);
}

#[test]
fn o19_windows_of_merged_tables_overlap_by_five_minutes_unless_told_otherwise() {
    for (disposition, lookback, expected) in [
        ("merge", "", "from=2026-01-31T23%3A55%3A00Z"),
        ("merge", "lookback = \"P0D\"", "from=2026-02-01T00%3A00%3A00Z"),
        ("append", "", "from=2026-02-01T00%3A00%3A00Z"),
    ] {
        let source = Source::serving(r#"{"rows":[{"id":1}]}"#);
        let workplace = Workplace::asking(&source);
        let window = format!(
            "[source.filters]\nfrom = \"{{{{ window.start }}}}\"\n[source.window]\nstart = 2026-01-01\n{lookback}"
        );
        workplace.define_with(&window, &T.replace("append", disposition));
        for night in ["2026-02-01", "2026-02-02"] {
            workplace.flowlake(&["run", "test.toml", "--as-of", night]).success();
        }
        assert_eq!(last_window(&source), expected, "{disposition} {lookback}");
    }
}

#[test]
fn o05_instants_in_the_future_are_refused() {
    let (_source, workplace) = loaded();
    for option in ["--to", "--as-of", "--from"] {
        let refused = workplace.flowlake(&["run", "test.toml", option, "2099-01-01"]);
        assert_eq!(refused.code, 2, "{option}");
        let expected = format!("{option} 2099-01-01 00:00:00 UTC is in the future");
        assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
    }
    let checked = ["check", "test.toml", "--set", "source.window.start=2099-01-01"];
    for command in [&checked[..], &[&checked[..], &["--json"]].concat()] {
        let refused = workplace.flowlake(command);
        assert_eq!(refused.code, 2, "{command:?}");
        assert!(refused.stdout.contains("is in the future"), "{}", refused.stdout);
    }
    let refused = workplace.flowlake(&["watermark", "set", "test.toml", "2099-01-01"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("is in the future"), "{}", refused.stderr);
}

#[test]
fn o05_a_watermark_that_a_wrong_clock_left_is_told_and_can_be_set() {
    let (source, workplace) = loaded();
    let path = workplace.path().join("lake/_flowlake/snapshot.json");
    let mut snapshot: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    snapshot["tables"]["t"]["watermark"] = "2098-01-01T00:00:00Z".into();
    // As a person writes it, without the hash of its text.
    snapshot.as_object_mut().unwrap().remove("blake3");
    std::fs::write(&path, snapshot.to_string()).unwrap();
    let refused = workplace.flowlake(&["run", "test.toml"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("the watermark 2098-01-01 00:00:00 UTC is in the future")
            && refused.stderr.contains("`flowlake watermark set`"),
        "{}",
        refused.stderr
    );
    let shown = workplace.flowlake(&["watermark", "show", "test.toml"]).success();
    assert!(shown.contains("2026-01-01T00:00:00Z  2098-01-01T00:00:00Z"), "{shown}");
    let set = workplace.flowlake(&["watermark", "set", "test.toml", "2026-02-01"]).success();
    assert_eq!(
        set,
        "t: 2098-01-01T00:00:00Z -> 2026-02-01T00:00:00Z\n\
         t is appended to: the next run loads the records in between a second time\n"
    );
    serve(&source, 2);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-02"]).success();
    assert_eq!(last_window(&source), "from=2026-02-01&to=2026-02-02");
    let reset = workplace.flowlake(&["watermark", "reset", "test.toml", "--table", "t"]).success();
    assert!(reset.starts_with("t: 2026-02-02T00:00:00Z -> none\n"), "{reset}");
    serve(&source, 3);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-03"]).success();
    assert_eq!(last_window(&source), "from=2026-01-01&to=2026-02-03");
}

#[test]
fn o04_a_table_knows_its_pipeline() {
    let (source, workplace) = loaded();
    let other = |name: &str, tables: &str| {
        define(&workplace, "2026-01-01", tables);
        let path = workplace.path().join("test.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("name = \"test\"", &format!("name = \"{name}\"")))
            .unwrap();
    };
    other("second", T);
    serve(&source, 2);
    let refused = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-02"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("`t` is written by pipeline `test`"), "{}", refused.stderr);
    assert_eq!(workplace.lake().rows("t").height(), 1);
    let refused = workplace.flowlake(&["watermark", "set", "test.toml", "2026-01-15"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    // Its own tables have a watermark of their own.
    other("second", U);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-02"]).success();
    assert_eq!(last_window(&source), "from=2026-01-01&to=2026-02-02");
    assert_eq!(workplace.lake().watermark("t"), "2026-02-01T00:00:00Z");
    other("third", T);
    serve(&source, 3);
    let take_over = ["run", "test.toml", "--as-of", "2026-02-03", "--take-over"];
    workplace.flowlake(&take_over).success();
    assert_eq!(last_window(&source), "from=2026-02-01&to=2026-02-03");
    serve(&source, 4);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-04"]).success();
    assert_eq!(workplace.lake().rows("t").height(), 3);
    workplace.flowlake(&["verify", "lake"]).success();
}

#[test]
fn o01_a_lost_manifest_is_made_again_from_the_files() {
    let source = Source::serving(
        r#"[{"id":1,"at":"2026-01-05","n":1},{"id":2,"at":"2026-02-05","n":2},{"id":3,"at":"2026-02-06","n":"x"}]"#,
    );
    let workplace = Workplace::asking(&source);
    workplace.define(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
         partition_by = [\"month(at)\"]\n[tables.columns]\nn = \"int64\"",
    );
    workplace.run().success();
    source.serve(
        r#"[{"id":1,"at":"2026-01-05","n":1},{"id":2,"at":"2026-02-05","n":7},{"id":3,"at":"2026-02-06","n":"x"}]"#,
    );
    workplace.run().success();
    let lake = workplace.lake();
    let before = lake.snapshot();
    let manifest = workplace.path().join("lake").join(lake.manifest_path("t"));
    std::fs::remove_file(&manifest).unwrap();
    let refused = workplace.run();
    assert_eq!(refused.code, 7);
    assert!(refused.stderr.contains("the manifest of `t` is missing"), "{}", refused.stderr);
    let shown = workplace.flowlake(&["verify", "lake", "--rebuild"]);
    assert_eq!(shown.code, 7, "nothing is done yet");
    assert!(shown.stdout.starts_with("t: 2 rows in 2 files of 2 partitions\n"), "{}", shown.stdout);
    assert!(!manifest.exists());
    workplace.flowlake(&["verify", "lake", "--rebuild", "--yes"]).success();
    assert_eq!(lake.snapshot(), before);
    assert_eq!(lake.quarantine("t").len(), 1);
    source.serve(
        r#"[{"id":1,"at":"2026-01-05","n":1},{"id":2,"at":"2026-02-05","n":8},{"id":3,"at":"2026-02-06","n":3}]"#,
    );
    workplace.run().success();
    let mut values = lake.column("t", "n");
    values.sort();
    assert_eq!(values, ["1", "3", "8"]);
    workplace.flowlake(&["verify", "lake"]).success();
}

#[test]
fn o06_a_first_run_that_begins_later_than_the_definition_says_what_it_leaves_out() {
    let source = Source::serving(r#"{"rows":[{"id":1}]}"#);
    let workplace = Workplace::asking(&source);
    define(&workplace, "2026-01-01", T);
    let gap = "`window.start` is 2026-01-01T00:00:00Z, and this first run begins at 2026-02-01T00:00:00Z; later runs go \
               on from its end; what is between is loaded by \
               a run with `--from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z`";
    let part = ["--from", "2026-02-01", "--to", "2026-02-05"];
    let with = |command: &str| {
        let all: Vec<&str> = [command, "test.toml"].into_iter().chain(part).collect();
        workplace.flowlake(&all)
    };
    let plan = with("plan").success();
    assert!(plan.contains(&format!("not loaded   t: {gap}")), "{plan}");
    let run = with("run");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains(gap), "{}", run.stderr);
    assert!(run.stdout.contains(&format!("! t is not loaded: {gap}")), "{}", run.stdout);
    let report = workplace.lake().own("runs").remove(0);
    let report = workplace.lake().json(&format!("_flowlake/runs/{report}"));
    assert_eq!(
        report["not_loaded"],
        json!([{
            "table": "t",
            "window": { "start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z" },
            "message": gap
        }])
    );
    // The command loads it, and nothing is left out any more.
    serve(&source, 2);
    let backfill =
        ["run", "test.toml", "--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z"];
    let run = workplace.flowlake(&backfill);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("is loaded by"), "{}", run.stderr);
    serve(&source, 3);
    let next = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-06"]);
    assert_eq!(last_window(&source), "from=2026-02-05&to=2026-02-06");
    assert!(!next.stderr.contains("is loaded by"), "{}", next.stderr);
}

#[test]
fn o06_a_first_run_that_ends_early_leaves_nothing_out() {
    let source = Source::serving(r#"{"rows":[{"id":1}]}"#);
    let workplace = Workplace::asking(&source);
    define(&workplace, "2026-01-01", T);
    let run = workplace.flowlake(&["run", "test.toml", "--to", "2026-01-05"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("is loaded by"), "{}", run.stderr);
    serve(&source, 2);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-06"]).success();
    assert_eq!(last_window(&source), "from=2026-01-05&to=2026-01-06");
}
