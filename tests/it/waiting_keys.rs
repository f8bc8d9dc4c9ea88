//! Records that wait for their tables under a key of which only records in quarantine tell the type.

use serde_json::Value;

use crate::support::{Lake, Source, Workplace};

/// Keys of one record as two nights write them: members of its JSON.
const SAME: [[&str; 2]; 11] = [
    [r#""id":true"#, r#""id":true"#],
    [r#""id":1"#, r#""id":1"#],
    [r#""id":1"#, r#""id":1.0"#],
    [r#""id":1.50"#, r#""id":1.5"#],
    [r#""id":1e2"#, r#""id":100"#],
    [r#""id":"2026-01-05""#, r#""id":"2026-01-05""#],
    [r#""id":"2026-01-05""#, r#""id":"2026-01-05T00:00:00Z""#],
    [r#""id":"2026-01-05T01:00:00+01:00""#, r#""id":"2026-01-05""#],
    [r#""id":"2026-01-05T10:00:00Z""#, r#""id":"2026-01-05T11:00:00.000+01:00""#],
    [r#""id":"a""#, r#""id":"a""#],
    [r#""id":"1.50""#, r#""id":"1.50""#],
];

/// Members that keep a record out of the table, on two nights.
const ODD: [&str; 2] = [r#""p":[]"#, r#""n":null,"p":[]"#];

fn defined(key: &str, more: &str) -> (Source, Workplace) {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    define(&workplace, key, more, "p = \"string\"");
    (source, workplace)
}

fn define(workplace: &Workplace, key: &str, more: &str, columns: &str) {
    workplace.define(&format!(
        "[[tables]]\nname = \"t\"\nprimary_key = {key}\nwrite_disposition = \"merge\"\n{more}\n\
         [tables.columns]\n{columns}\nn = {{ from = \"/n\" }}"
    ));
}

fn night(source: &Source, workplace: &Workplace, run: &str, export: &str) {
    source.serve(export);
    workplace.flowlake(&["run", "test.toml", "--run-id", run, "--allow-shrink"]).success();
}

/// The runs that the records that wait are of.
fn runs(lake: &Lake) -> Vec<Value> {
    lake.quarantine("t").iter().map(|line| line["run_id"].clone()).collect()
}

#[test]
fn p1_a_record_waits_of_one_run_when_all_records_of_a_merged_table_wait() {
    for more in ["", "history = true", "deletes = \"mark\""] {
        for [first, second] in SAME {
            let (source, workplace) = defined("[\"id\"]", more);
            let lake = workplace.lake();
            night(&source, &workplace, "first", &format!("[{{{first},{}}}]", ODD[0]));
            night(&source, &workplace, "second", &format!("[{{{second},{}}}]", ODD[1]));
            assert_eq!(runs(&lake), ["second"], "{more}: {first} {second}");
            night(&source, &workplace, "third", &format!("[{{{first},\"p\":\"x\"}}]"));
            assert_eq!(runs(&lake), [] as [&str; 0], "{more}: {first} {second}");
            assert_eq!(lake.column("t", "p"), ["x"]);
        }
    }
}

#[test]
fn p1_a_record_waits_of_one_run_when_others_are_loaded_under_a_narrower_key() {
    for [first, second] in SAME {
        // A key of the same family that tells less.
        let sound = match first {
            _ if first.contains("true") => r#""id":false"#,
            _ if first.contains("2026") => r#""id":"2026-03-01""#,
            _ if first.contains(":\"") => r#""id":"b""#,
            _ => r#""id":7"#,
        };
        let (source, workplace) = defined("[\"id\"]", "deletes = \"remove\"");
        let lake = workplace.lake();
        for (run, key, odd) in [("first", first, ODD[0]), ("second", second, ODD[1])] {
            let export = format!("[{{{key},{odd}}},{{{sound},\"p\":\"x\"}}]");
            night(&source, &workplace, run, &export);
        }
        assert_eq!(runs(&lake), ["second"], "{first} {second}");
        assert_eq!(lake.rows("t").height(), 1);
        let both = format!("[{{{second},\"p\":\"y\"}},{{{sound},\"p\":\"x\"}}]");
        night(&source, &workplace, "third", &both);
        assert_eq!(runs(&lake), [] as [&str; 0], "{first} {second}");
        assert_eq!(lake.rows("t").height(), 2, "{first} {second}");
        // It is odd once more, and its row stays: it is not missing from the export.
        let odd = format!("[{{{first},{}}},{{{sound},\"p\":\"x\"}}]", ODD[0]);
        night(&source, &workplace, "fourth", &odd);
        assert_eq!(runs(&lake), ["fourth"], "{first} {second}");
        assert_eq!(lake.rows("t").height(), 2, "{first} {second}");
    }
}

#[test]
fn p1_other_records_wait_beside_each_other_whatever_the_type_of_their_key_becomes() {
    let others = [
        [r#""id":1"#, r#""id":2"#],
        [r#""id":"x""#, r#""id":"y""#],
        [r#""id":"1.50""#, r#""id":"1.5""#],
        [r#""id":1.5"#, r#""id":2.5"#],
        [r#""id":"2026-01-05""#, r#""id":"2026-01-05T10:00:00Z""#],
    ];
    for [first, second] in others {
        let (source, workplace) = defined("[\"id\"]", "");
        let lake = workplace.lake();
        night(&source, &workplace, "first", &format!("[{{{first},{}}}]", ODD[0]));
        // Integers are loaded meanwhile, which neither may be.
        let with_integer = format!("[{{{second},{}}},{{\"id\":7,\"p\":\"x\"}}]", ODD[1]);
        for export in [format!("[{{{second},{}}}]", ODD[1]), with_integer] {
            night(&source, &workplace, &format!("night-{}", export.len()), &export);
            let keys: Vec<String> =
                lake.quarantine("t").iter().map(|line| line["record"]["id"].to_string()).collect();
            let expected = [first, second].map(|key| key.trim_start_matches("\"id\":").to_owned());
            assert_eq!(keys, expected, "{export}");
        }
    }
}

#[test]
fn p1_a_record_with_a_key_of_several_columns_waits_of_one_run() {
    for [first, second] in SAME {
        let (source, workplace) = defined("[\"id\", \"of\"]", "");
        let lake = workplace.lake();
        for (run, key, odd) in [("first", first, ODD[0]), ("second", second, ODD[1])] {
            let one = format!("{{\"of\":1,{key},{odd}}}");
            let other = format!("{{{key},\"of\":2,{odd}}}");
            night(&source, &workplace, run, &format!("[{one},{other}]"));
        }
        assert_eq!(runs(&lake), ["second", "second"], "{first} {second}");
    }
}

#[test]
fn p1_what_waits_under_a_key_without_a_type_is_retried() {
    for [first, second] in SAME {
        let (source, workplace) = defined("[\"id\"]", "");
        let lake = workplace.lake();
        night(&source, &workplace, "first", &format!("[{{{first},{}}}]", ODD[0]));
        night(&source, &workplace, "second", &format!("[{{{second},{}}}]", ODD[1]));
        define(&workplace, "[\"id\"]", "", "p = { exclude = true }");
        workplace.flowlake(&["quarantine", "retry", "test.toml"]).success();
        assert_eq!(runs(&lake), [] as [&str; 0], "{first} {second}");
        assert_eq!(lake.rows("t").height(), 1, "{first} {second}");
        let verified = workplace.flowlake(&["verify", "lake"]);
        assert_eq!(verified.code, 0, "{}", verified.stdout);
    }
}

#[test]
fn p1_a_record_without_a_merge_waits_as_its_table_is_written() {
    for (disposition, more, expected) in [
        ("append", "", &["first", "second"][..]),
        ("replace", "", &["second"]),
        ("overwrite_partitions", "partition_by = [\"id\"]", &["second"]),
    ] {
        let source = Source::serving("[]");
        let workplace = Workplace::asking(&source);
        workplace.define(&format!(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"{disposition}\"\n{more}\n\
             [tables.columns]\np = \"string\"\nn = {{ from = \"/n\" }}"
        ));
        for (run, odd) in [("first", ODD[0]), ("second", ODD[1])] {
            night(&source, &workplace, run, &format!("[{{\"id\":true,{odd}}}]"));
        }
        assert_eq!(runs(&workplace.lake()), *expected, "{disposition}");
    }
}
