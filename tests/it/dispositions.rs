//! `replace` and `append`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowlake::plan::Overrides;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::support::{InProcess, Source, Workplace, loaded, runtime};

const FIRST: &str =
    r#"[{"id":1,"at":"2026-01-05","v":"a","lines":[{"n":1}]},{"id":2,"at":"2026-02-05","v":"b"}]"#;
const SECOND: &str = r#"[{"id":3,"at":"2026-02-07","v":"c","lines":[{"n":2},{"n":3}]}]"#;

fn tables(disposition: &str) -> String {
    format!(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"{disposition}\"\npartition_by = [\"month(at)\"]"
    )
}

#[test]
fn replace_leaves_what_the_last_export_held() {
    let source = Source::serving(FIRST);
    let workplace = Workplace::asking(&source);
    workplace.define(&tables("replace"));
    workplace.run().success();
    source.serve(SECOND);
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(lake.partitions("t"), ["at_month=2026-02"]);
    assert_eq!(lake.column("t", "id"), ["3"]);
    assert_eq!(lake.column("t__lines", "n"), ["2", "3"]);
    source.serve(r#"[{"id":4,"at":"2026-02-07","v":"c"}]"#);
    workplace.run().success();
    assert_eq!(lake.rows("t__lines").height(), 0, "lines of replaced records are gone");
}

#[test]
fn append_adds_and_p3_takes_no_export_twice() {
    let source = Source::serving(FIRST);
    let workplace = Workplace::asking(&source);
    workplace.define(&tables("append"));
    workplace.run().success();
    source.serve(SECOND);
    workplace.run().success();
    let lake = workplace.lake();
    let mut ids = lake.column("t", "id");
    ids.sort();
    assert_eq!(ids, ["1", "2", "3"]);
    let before = lake.snapshot();
    source.serve(FIRST);
    assert!(workplace.run().success().contains("nothing new"));
    assert_eq!(lake.snapshot(), before);
}

#[test]
fn p5_appending_wider_values_rewrites_older_files_with_one_schema() {
    let source = Source::serving(
        r#"[{"id":1,"at":"2026-01-05","amount":10,"x":1},{"id":2,"at":"2026-02-05","amount":20}]"#,
    );
    let workplace = Workplace::asking(&source);
    let evolving = "schema_contract = { data_type = \"evolve\" }";
    workplace.define(&format!("{}\n{evolving}", tables("append")));
    workplace.run().success();
    source.serve(r#"[{"id":3,"at":"2026-02-07","amount":0.10,"x":"y","new":[true]}]"#);
    workplace.run().success();
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "amount"), ["10", "20", "0.1"]);
    assert_eq!(lake.column("t", "x"), ["1", "null", "y"]);
    assert_eq!(lake.column("t", "id"), ["1", "2", "3"]);
    assert_eq!(lake.files("t").len(), 2, "rows of one partition are one file");
}

#[test]
fn p3_the_same_input_and_run_id_give_files_of_the_same_names_and_a_used_id_changes_nothing() {
    let source = Source::serving(FIRST);
    let names = [(); 2].map(|()| {
        let workplace = Workplace::asking(&source);
        workplace.define(&tables("replace"));
        workplace.flowlake(&["run", "--run-id", "night-1", "test.toml"]).success();
        source.serve(SECOND);
        let again = workplace.flowlake(&["run", "--run-id", "night-1", "test.toml"]);
        assert!(again.success().contains("a run of this id has committed before"));
        assert_eq!(
            workplace.lake().column("t", "id"),
            ["1", "2"],
            "the rows of the first run are there"
        );
        let report = workplace.lake().json("_flowlake/runs/night-1.json");
        assert_eq!(report["outcome"], "committed", "the report of the first run stays");
        source.serve(FIRST);
        let files = workplace.lake().files("t");
        let names =
            files.iter().map(|file| file.strip_prefix(workplace.path()).unwrap().to_owned());
        names.collect::<Vec<_>>()
    });
    assert_eq!(names[0], names[1]);
    assert!(names[0][0].ends_with("0000-night-1.parquet"));
}

#[test]
fn p1_and_p2_the_id_of_a_run_that_was_killed_after_its_commit_is_used() {
    for disposition in ["replace", "append"] {
        let source = Source::serving(r#"[{"id":1,"at":"2026-01-05"}]"#);
        let workplace = Workplace::asking(&source);
        workplace.define(&tables(disposition));
        workplace.flowlake(&["run", "--run-id", "night-1", "test.toml"]).success();
        std::fs::remove_file(workplace.path().join("lake/_flowlake/runs/night-1.json")).unwrap();
        let before = workplace.lake().snapshot();
        source.serve(r#"[{"id":1,"at":"2026-01-05"},{"id":2,"at":"2026-01-05"}]"#);
        let again = workplace.flowlake(&["run", "--run-id", "night-1", "test.toml"]);
        assert!(again.success().contains("a run of this id has committed before"));
        assert_eq!(workplace.lake().snapshot(), before);
        let report = workplace.lake().json("_flowlake/runs/night-1.json");
        assert_eq!(report["outcome"], "committed_before", "it did not run");
        workplace.run().success();
        let ids = workplace.lake().column("t", "id");
        assert_eq!(ids.len(), if disposition == "append" { 3 } else { 2 });
    }
}

#[test]
fn a_column_that_vanishes_stays_and_is_null() {
    let source = Source::serving(r#"[{"id":1,"at":"2026-01-05","gone":7}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(&tables("replace"));
    workplace.run().success();
    let before = workplace.lake().schema("t");
    source.serve(r#"[{"id":2,"at":"2026-01-05"}]"#);
    workplace.run().success();
    assert_eq!(workplace.lake().schema("t"), before);
    assert_eq!(workplace.lake().column("t", "gone"), ["null"]);
}

#[test]
fn the_landing_keeps_as_many_exports_as_told() {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    workplace.define("[landing]\nkeep = 2\n\n[[tables]]\nname = \"t\"");
    for n in 0..4 {
        source.serve(&format!("[{{\"n\":{n}}}]"));
        workplace.run().success();
    }
    let landed = workplace.lake().landed();
    assert_eq!(landed.len(), 2);
    assert_eq!(workplace.lake().own("runs").len(), 4);
    let file = workplace.path().join("lake/_flowlake/landing").join(landed.iter().max().unwrap());
    assert_eq!(zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap(), b"[{\"n\":3}]");
}

#[test]
fn the_landing_tells_where_an_export_came_from() {
    let source = Source::serving("[{\"id\":1}]");
    let workplace = Workplace::asking(&source);
    workplace.define_with("[source.filters]\nstatus = \"sent\"", "[[tables]]\nname = \"t\"");
    workplace.flowlake(&["run", "test.toml", "--run-id", "first"]).success();
    let lake = workplace.lake();
    let origin = lake.json("_flowlake/landing/first.origin.json");
    let url = format!("{}/api/export/all/esourcing/acme?status=sent", source.base_url());
    assert_eq!(origin["url"], url);
    assert_eq!((&origin["status"], &origin["bytes"]), (&200.into(), &10.into()));
    assert_eq!(origin["headers"]["content-type"], "application/json");
    let landed =
        std::fs::File::open(workplace.path().join("lake/_flowlake/landing/first.json.zst"));
    let landed = zstd::decode_all(landed.unwrap()).unwrap();
    assert_eq!(landed, b"[{\"id\":1}]");
    assert_eq!(origin["blake3"], blake3::hash(&landed).to_hex().to_string());
}

#[test]
fn small_files_of_a_partition_are_put_together_when_they_pile_up() {
    for disposition in ["append", "merge"] {
        let source = Source::serving("[]");
        let workplace = Workplace::asking(&source);
        workplace.define(&tables(disposition));
        let lake = workplace.lake();
        let mut most = 0;
        for night in 1..=30 {
            let other = if night == 1 { r#",{"id":100,"at":"2026-02-05"}"# } else { "" };
            source.serve(&format!(
                r#"[{{"id":{night},"at":"2026-01-05","lines":[{{"n":{night}}}]}}{other}]"#
            ));
            workplace.run().success();
            most = most.max(lake.files("t").len());
            assert_eq!(lake.rows("t__lines").height(), night);
        }
        assert_eq!(most, 8 + 1, "eight in one partition, one in the other");
        assert!(lake.files("t__lines").len() <= 8);
        let ids: Vec<String> = lake.column("t", "id");
        let expected: std::collections::BTreeSet<String> =
            (1..=30).chain([100]).map(|id| id.to_string()).collect();
        assert_eq!(ids.len(), expected.len());
        assert_eq!(ids.into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
        workplace.flowlake(&["verify", "lake"]).success();
    }
}

#[test]
fn p3_the_same_input_clock_and_run_id_make_the_same_bytes() {
    let export = |id: usize| {
        format!(
            r#"{{"id":{id},"at":"2026-{:02}-05","v":"{}","lines":[{{"n":{id}}}]}}"#,
            id % 12 + 1,
            id * 7919 % 1000
        )
    };
    let records: Vec<String> = (0..5000).map(export).collect();
    let source = Source::serving(&format!("[{}]", records.join(",")));
    for disposition in ["replace", "append", "merge"] {
        let workplace = Workplace::empty();
        workplace.define(&tables(disposition));
        let contents = || {
            runtime().block_on(async {
                let pipeline = InProcess::asking(source.base_url(), &workplace).await;
                let store = Arc::new(InMemory::new());
                pipeline.run(store.clone(), "run", &Overrides::default()).await.unwrap();
                let mut files = BTreeMap::new();
                let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
                for meta in
                    listed.into_iter().filter(|meta| meta.location.as_ref().ends_with(".parquet"))
                {
                    let content = store.get(&meta.location).await.unwrap().bytes().await.unwrap();
                    files.insert(meta.location.to_string(), blake3::hash(&content));
                }
                files
            })
        };
        let first = contents();
        assert_eq!(first.len(), 24);
        assert_eq!(first, contents(), "{disposition}");
    }
}

#[test]
fn lists_are_no_keys_and_no_cursors() {
    let mut shown = Vec::new();
    for used in
        ["primary_key = [\"v\"]", "primary_key = [\"id\"]\ncursor = \"v\"", "sort_by = [\"v\"]"]
    {
        let source = Source::serving(r#"[{"id":1,"v":[1]},{"id":1,"v":[2]},{"id":2,"v":3}]"#);
        let workplace = Workplace::asking(&source);
        workplace.define(&format!("[[tables]]\nname = \"t\"\n{used}"));
        let finished = workplace.run();
        assert_eq!(finished.code, 6, "{used}: {}", finished.stderr);
        shown.push(finished.redacted());
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn p1_a_text_that_reads_like_null_has_a_partition_of_its_own() {
    let (_workplace, lake) = loaded(
        r#"[{"id":1,"s":null},{"id":2,"s":"none"},{"id":3,"s":null}]"#,
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\npartition_by = [\"s\"]",
    );
    let expected = ["s_partition=none", "s_partition=text-none"];
    assert_eq!(lake.partitions("t"), expected);
    let mut ids = lake.column("t", "id");
    ids.sort();
    assert_eq!(ids, ["1", "2", "3"]);
}

/// A merge into a table that another disposition has filled: of each key one row is left, with the child rows of that record.
#[test]
fn a_merge_leaves_one_row_of_a_key_that_the_table_has_in_several_partitions() {
    let later = r#"{"id":1,"at":"2026-02-05","v":"b","lines":[{"n":2}]}"#;
    for other in ["append", "overwrite_partitions"] {
        for more in ["", "deletes = \"remove\"\n", "deletes = \"mark\"\n"] {
            let source = Source::serving(FIRST);
            let workplace = Workplace::asking(&source);
            workplace.define(&tables(other));
            workplace.run().success();
            source.serve(&format!("[{later}]"));
            workplace.run().success();
            let lake = workplace.lake();
            assert_eq!(lake.column("t", "id").iter().filter(|id| *id == "1").count(), 2, "{other}");
            workplace.define(&format!("{}\n{more}", tables("merge")));
            source.serve(&format!("[{later}, {{\"id\":2,\"at\":\"2026-02-05\",\"v\":\"b\"}}]"));
            workplace.run().success();
            let is_1 = |(id, v): (String, String)| (id == "1").then_some(v);
            let rows = lake.column("t", "id").into_iter().zip(lake.column("t", "v"));
            assert_eq!(rows.filter_map(is_1).collect::<Vec<_>>(), ["b"], "{other} {more}");
            assert_eq!(lake.column("t__lines", "n"), ["2"], "{other} {more}");
            workplace.flowlake(&["verify", "test.toml"]).success();
        }
    }
}
