//! Limits: exports that are complete and valid, and still not to be believed, or too much for the memory. Tests of the
//! latter are named by what takes it: `m1` many keys, `m2` large values, `m3` depth, `m4` quarantine, `m5` many names.

use std::fmt::Write;

use crate::support::{Source, Workplace};

fn workplace(source: &Source, limits: &str) -> Workplace {
    let workplace = Workplace::asking(source);
    workplace.define(&format!(
        "[limits]\n{limits}\n[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nn = \"int64\""
    ));
    workplace
}

/// Records, one after the other.
fn list(records: usize, record: impl Fn(usize) -> String) -> String {
    let mut json = String::from("[");
    for number in 0..records {
        let comma = if number == 0 { "" } else { "," };
        write!(json, "{comma}{}", record(number)).unwrap();
    }
    json + "]"
}

fn export(records: usize) -> String {
    let records: Vec<String> = (0..records).map(|id| format!("{{\"id\":{id},\"n\":1}}")).collect();
    format!("[{}]", records.join(","))
}

#[test]
fn p9_an_export_with_few_records_is_refused() {
    let source = Source::serving(&export(2));
    let workplace = workplace(&source, "min_records = 3");
    let refused = workplace.run();
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(refused.code, 6);
    assert!(workplace.lake().tables().is_empty());
    workplace.flowlake(&["run", "test.toml", "--allow-shrink"]).success();
    assert_eq!(workplace.lake().rows("t").height(), 2);
}

#[test]
fn p9_an_export_that_has_shrunk_is_refused() {
    let source = Source::serving(&export(10));
    let workplace = workplace(&source, "max_shrink = \"20%\"");
    workplace.run().success();
    source.serve(&export(8));
    workplace.run().success();
    let before = workplace.lake().snapshot();
    source.serve(&export(6));
    let refused = workplace.run();
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(refused.code, 6);
    assert_eq!(workplace.lake().rows("t").height(), 8);
    assert!(before.iter().all(|(file, hash)| workplace.lake().snapshot().get(file) == Some(hash)));
    workplace.flowlake(&["run", "test.toml", "--allow-shrink"]).success();
    assert_eq!(workplace.lake().rows("t").height(), 6);
}

#[test]
fn p9_an_export_that_would_empty_a_child_table_is_refused_or_told() {
    let lines = |list: &str, lines: usize| {
        let lines: Vec<String> = (0..lines).map(|n| format!("{{\"n\":{n}}}")).collect();
        format!("[{{\"id\":1,\"{list}\":[{}]}}]", lines.join(","))
    };
    let table = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = ";
    let without = [
        lines("positions", 100),
        r#"[{"id":1}]"#.to_owned(),
        r#"[{"id":1,"lines":[]}]"#.to_owned(),
        r#"[{"id":1,"lines":null}]"#.to_owned(),
    ];
    for disposition in
        ["\"replace\"", "\"merge\"\ndeletes = \"remove\"", "\"merge\"\nhistory = true"]
    {
        let source = Source::serving(&lines("lines", 100));
        let workplace = Workplace::asking(&source);
        workplace.define(&format!("{table}{disposition}"));
        workplace.run().success();
        for export in &without {
            source.serve(export);
            let refused = workplace.run();
            assert_eq!(refused.code, 6, "{disposition}, {export}: {}", refused.stderr);
            assert_eq!(workplace.lake().rows("t__lines").height(), 100, "{disposition}, {export}");
        }
        insta::allow_duplicates! { insta::assert_snapshot!(workplace.run().redacted()) };
        workplace.flowlake(&["run", "test.toml", "--allow-shrink"]).success();
        assert_eq!(workplace.lake().rows("t__lines").height(), 0, "{disposition}");
        // Of a few rows it is told.
        source.serve(&lines("lines", 99));
        workplace.run().success();
        source.serve(&without[0]);
        let told = workplace.run();
        assert_eq!(told.code, 0, "{}", told.stderr);
        assert!(told.stderr.contains("so the 99 rows it had are gone"), "{}", told.stderr);
        // Once.
        source.serve(&without[1]);
        assert!(!workplace.run().stderr.contains("rows it had"));
    }
    // The definition may say so.
    for (disposition, said) in [
        ("\"replace\"", "[tables.columns]\nlines = { exclude = true }\n"),
        ("\"replace\"", "nested = \"json\"\n"),
    ] {
        let source = Source::serving(&lines("lines", 200));
        let workplace = Workplace::asking(&source);
        workplace.define(&format!("{table}{disposition}"));
        workplace.run().success();
        workplace.define(&format!("{table}{disposition}\n{said}"));
        let finished = workplace.flowlake(&["run", "--again", "test.toml"]);
        assert_eq!(finished.code, 0, "{said}: {}", finished.stderr);
    }
}

#[test]
fn p9_an_export_of_which_much_does_not_fit_is_refused() {
    let bad =
        "[{\"id\":1,\"n\":1},{\"id\":2,\"n\":\"x\"},{\"id\":3,\"n\":\"y\"},{\"id\":4,\"n\":4}]";
    let source = Source::serving(bad);
    for (limit, code) in [("\"50%\"", 0), ("\"49.9%\"", 3), ("2", 0), ("1", 3), ("0", 3)] {
        let workplace = workplace(&source, &format!("max_quarantined = {limit}"));
        let finished = workplace.run();
        assert_eq!(finished.code, code, "{limit}: {}", finished.stderr);
        assert_eq!(workplace.lake().tables().is_empty(), code == 3, "{limit}");
        if limit == "1" {
            insta::assert_snapshot!(finished.redacted());
        }
    }
}

#[test]
fn m1_sparse_keys_take_no_more_memory_than_dense_ones() {
    // 54 million cells of 60,000 values.
    let source =
        Source::serving(&list(60_000, |id| format!("{{\"id\":{id},\"k{}\":1}}", id % 900)));
    let workplace = workplace(&source, "");
    let (run, most) = workplace.measured(&["run", "test.toml", "--memory", "256MiB"]);
    run.success();
    assert_eq!(workplace.lake().rows("t").height(), 60_000);
    assert!(most < 300, "{most} MB");
}

#[test]
#[ignore = "takes a minute: `make test-long`"]
fn m1_a_million_sparse_keys_take_little_memory() {
    // 360 million cells.
    let source =
        Source::serving(&list(400_000, |id| format!("{{\"id\":{id},\"k{}\":1}}", id % 900)));
    let workplace = workplace(&source, "");
    let (run, most) = workplace.measured(&["run", "test.toml"]);
    run.success();
    assert_eq!(workplace.lake().rows("t").height(), 400_000);
    assert!(most < 300, "{most} MB");
}

#[test]
fn m2_records_just_below_the_limit_take_little_memory() {
    let mut random = fastrand::Rng::with_seed(7);
    let text: String = (0..14_000_000).map(|_| random.alphanumeric()).collect();
    let numbers = |count: u32| (0..count).map(|it| it.to_string()).collect::<Vec<_>>().join(",");
    let objects: Vec<String> =
        (0..300_000).map(|it| format!("{{\"a\":{it},\"b\":\"item {it}\"}}")).collect();
    for (form, value) in [
        ("a text", format!("\"{text}\"")),
        ("a list of numbers", format!("[{}]", numbers(2_000_000))),
        ("a child table", format!("[{}]", objects.join(","))),
    ] {
        let source = Source::serving(&list(6, |id| format!("{{\"id\":{id},\"v\":{value}}}")));
        let workplace = workplace(&source, "");
        let (run, most) = workplace.measured(&["run", "test.toml"]);
        run.success();
        eprintln!("six records of {} MB of {form}: {most} MB", value.len() / 1_000_000);
        assert!(most < 300, "{form}: {most} MB");
    }
}

#[test]
fn m2_a_record_above_the_limit_is_refused_while_it_arrives() {
    let large = format!("[{{\"id\":1}},{{\"id\":2,\"s\":\"{}\"}}]", "x".repeat(40_000_000));
    let source = Source::serving(&large);
    let workplace = workplace(&source, "max_record_size = \"8MB\"");
    let (refused, most) = workplace.measured(&["run", "test.toml"]);
    assert!(most < 150, "{most} MB");
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(refused.code, 6);
    assert!(workplace.lake().tables().is_empty());
    source.serve(&large.replace(&"x".repeat(100_000), "x"));
    workplace.run().success();
}

#[test]
fn m3_an_envelope_as_deep_as_no_record_is_refused() {
    let deep = format!("{}[{{\"id\":1}}]{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let source = Source::serving(&deep);
    let workplace = workplace(&source, "");
    let refused = workplace.run();
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(refused.code, 6);
}

#[test]
fn m4_more_than_may_wait_in_quarantine_is_refused() {
    let source = Source::serving(&list(2_000, |id| format!("{{\"id\":{id},\"n\":\"x{id}\"}}")));
    let small = workplace(&source, "max_waiting = \"1MB\"");
    let refused = small.run();
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(refused.code, 6);
    assert!(small.lake().tables().is_empty());
    // Those of earlier nights count too.
    let both = Workplace::asking(&source);
    both.define(
        "[limits]\nmax_waiting = \"3MB\"\n[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n\
         write_disposition = \"merge\"\n[tables.columns]\nn = \"int64\"",
    );
    let half = |first: usize| {
        list(1_200, |id| {
            format!("{{\"id\":{},\"n\":{}}}", first + id, if id < 1_199 { "\"x\"" } else { "1" })
        })
    };
    source.serve(&half(0));
    both.run().success();
    source.serve(&half(5_000));
    both.run().success();
    // Their next versions take their places.
    source.serve(&half(5_000).replace("\"x\"", "\"y\""));
    both.run().success();
    source.serve(&half(10_000));
    let refused = both.run();
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(refused.stderr.contains("max_waiting = \"12MB\""), "{}", refused.stderr);
}

#[test]
fn m4_quarantine_is_written_and_read_in_little_memory() {
    let records = |id| format!("{{\"id\":{id},\"n\":{}}}", if id > 0 { "\"x\"" } else { "1" });
    let source = Source::serving(&list(80_000, records));
    let workplace = workplace(&source, "");
    let (run, most) = workplace.measured(&["run", "test.toml"]);
    run.success();
    assert!(most < 250, "{most} MB");
    for arguments in [
        ["quarantine", "list", "lake", "--table", "t"].as_slice(),
        &["quarantine", "show", "lake"],
        &["quarantine", "show", "lake", "--json"],
    ] {
        let (shown, most) = workplace.measured(arguments);
        assert!(shown.success().len() > 100);
        assert!(most < 80, "{arguments:?}: {most} MB");
    }
}

#[test]
fn m5_an_error_names_a_few_of_many_arrays() {
    let arrays: Vec<String> =
        (0..20_000).map(|array| format!("\"a{array}\":[{{\"id\":1}}]")).collect();
    let source = Source::serving(&format!("{{{}}}", arrays.join(",")));
    let unnamed = workplace(&source, "");
    let refused = unnamed.run();
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(refused.code, 2);
    let elsewhere = Workplace::asking(&source);
    elsewhere.define("[[tables]]\nname = \"t\"\nrecords = \"/t\"");
    let refused = elsewhere.run();
    assert_eq!(refused.code, 6);
    assert!(refused.stderr.contains("`/a4`, 19995 more"), "{}", refused.stderr);
}

#[test]
fn m5_a_chain_of_child_tables_ends_where_records_do() {
    let chain = |length: usize| {
        let mut tables = "[[tables]]\nname = \"c0\"\nprimary_key = [\"id\"]\n".to_owned();
        for table in 1..=length {
            let parent = table - 1;
            write!(
                tables,
                "[[tables]]\nname = \"c{table}\"\nparent = \"c{parent}\"\nrecords = \"/x\"\n"
            )
            .unwrap();
        }
        tables
    };
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    workplace.define(&chain(127));
    workplace.flowlake(&["check", "test.toml"]).success();
    // Not by the helper: the JSON Schema knows nothing of chains.
    let definition = std::fs::read_to_string(workplace.path().join("test.toml")).unwrap();
    let (head, _) = definition.split_once("[[tables]]").unwrap();
    std::fs::write(workplace.path().join("test.toml"), format!("{head}{}", chain(2_000))).unwrap();
    let refused = workplace.flowlake(&["check", "test.toml"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stdout.contains("`c128` is more than 127 tables deep"), "{}", refused.stdout);
    assert_eq!(refused.stdout.matches("tables deep").count(), 1);
}
