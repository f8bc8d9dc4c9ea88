//! Checks that a definition declares.

use crate::support::{Finished, Lake, Source, Workplace};

/// What came of loading an export by a definition.
struct Loaded {
    finished: Finished,
    workplace: Workplace,
}

fn load(json: &str, tables: &str) -> Loaded {
    let source = Source::serving(json);
    let workplace = Workplace::asking(&source);
    workplace.define(tables);
    Loaded { finished: workplace.run(), workplace }
}

impl Loaded {
    fn lake(&self) -> Lake {
        self.workplace.lake()
    }

    /// The ids of the records in quarantine.
    fn quarantined(&self) -> Vec<String> {
        self.reasons().into_iter().map(|(id, _)| id).collect()
    }

    /// The reasons in quarantine, by the ids of the records.
    fn reasons(&self) -> Vec<(String, Vec<String>)> {
        let lines = self.lake().quarantine("t");
        let reasons = lines.iter().map(|line| {
            let of = |reason: &serde_json::Value| {
                format!(
                    "{}: {}",
                    reason["pointer"].as_str().unwrap(),
                    reason["rule"].as_str().unwrap()
                )
            };
            let reasons = line["reasons"].as_array().unwrap().iter().map(of).collect();
            (line["record"]["id"].to_string(), reasons)
        });
        reasons.collect()
    }
}

/// A table `t` with a child table `lines` and a check of one of them.
fn with_check(columns: &str, check: &str) -> String {
    format!(
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nchecks = [{check}]\n[tables.columns]\n{columns}\n\
         [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n"
    )
}

#[test]
fn p1_a_record_that_breaks_a_check_is_in_quarantine_and_others_are_not() {
    let decimal = "v = \"decimal(9,2)\"";
    for (columns, check, values, broken) in [
        ("", "{ not_null = \"v\" }", &["1", "null", "0"][..], &["2"][..]),
        (
            "",
            "{ accepted_values = \"v\", values = [\"a\", \"b\"] }",
            &["\"a\"", "null", "\"c\"", "\"A\""],
            &["3", "4"],
        ),
        // Also when the values are of another type than the text they are written as.
        (
            decimal,
            "{ accepted_values = \"v\", values = [1, \"2.5\", \"x\"] }",
            &["1.00", "2.50", "2.51"],
            &["3"],
        ),
        ("", "{ range = \"v\", min = 0, max = 10 }", &["0", "10", "-1", "11", "null"], &["3", "4"]),
        (
            decimal,
            "{ range = \"v\", min = \"0.005\", max = 1.5 }",
            &["0.00", "0.01", "1.50", "1.51"],
            &["1", "4"],
        ),
        ("", "{ range = \"v\", max = 1.5 }", &["0.25", "1.5", "1.75e0"], &["3"]),
        ("", "{ range = \"v\", min = 2026-02-01 }", &["\"2026-01-31\"", "\"2026-02-01\""], &["1"]),
        (
            "",
            "{ range = \"v\", max = \"2026-02-01T00:00:00Z\" }",
            &["\"2026-02-01T01:00:00+01:00\"", "\"2026-02-01T00:00:01Z\""],
            &["2"],
        ),
        (
            "",
            "{ matches = \"v\", pattern = \"[A-Z]{3}|\" }",
            &["\"EUR\"", "\"EURO\"", "\"\"", "\"eur\""],
            &["2", "4"],
        ),
        (
            "",
            "{ unique = \"v\" }",
            &["\"a\"", "\"b\"", "\"a\"", "null", "null", "\"a\""],
            &["3", "6"],
        ),
        ("", "{ unique = [\"v\", \"id\"] }", &["\"a\"", "\"a\""], &[]),
    ] {
        let records: Vec<String> =
            (1..).zip(values).map(|(id, v)| format!("{{\"id\":{id},\"v\":{v}}}")).collect();
        let json = format!("[{}]", records.join(","));
        let loaded = load(&json, &with_check(columns, check));
        assert_eq!(loaded.finished.code, 0, "{check}: {}", loaded.finished.stderr);
        let quarantined = loaded.quarantined();
        assert_eq!(quarantined, broken, "{check}");
        let kept = loaded.lake().column("t", "id");
        assert_eq!(kept.len() + broken.len(), values.len(), "{check}");
        assert!(kept.iter().all(|id| !broken.contains(&id.as_str())), "{check}");
    }
}

const ORDERS: &str = r#"[
    {"id":1,"total":10.10,"lines":[{"amount":10},{"amount":0.10}]},
    {"id":2,"total":10.10,"lines":[{"amount":10},{"amount":0.11}]},
    {"id":3,"total":0.30,"lines":[{"amount":0.1},{"amount":0.2}]},
    {"id":4,"total":5,"lines":[]},
    {"id":5,"total":null,"lines":[{"amount":1}]},
    {"id":6,"total":0,"lines":[{"amount":null}]}]"#;

#[test]
fn p4_sums_are_exact_and_may_differ_by_the_tolerance_and_no_more() {
    let columns = "total = \"decimal(18,2)\"";
    let lines = "[tables.columns]\namount = \"decimal(18,3)\"";
    for (tolerance, broken) in [
        ("", &["2", "4"][..]),
        (", tolerance = 0.01", &["4"]),
        (", tolerance = \"0.009\"", &["2", "4"]),
    ] {
        let check = format!("{{ sum = \"lines.amount\", equals = \"total\"{tolerance} }}");
        let loaded = load(ORDERS, &(with_check(columns, &check) + lines));
        assert_eq!(loaded.finished.code, 0, "{}", loaded.finished.stderr);
        assert_eq!(loaded.quarantined(), broken, "{tolerance}");
    }
}

#[test]
fn a_reference_is_looked_for_in_the_same_record() {
    let json = r#"[
        {"id":1,"lots":[{"key":"a"},{"key":"b"}],"bids":[{"lot":"b"},{"lot":null}]},
        {"id":2,"lots":[{"key":"c"}],"bids":[{"lot":"c"},{"lot":"a"}]},
        {"id":3,"lots":[],"bids":[{"lot":"a"}]},
        {"id":4,"lots":[{"key":"d"}]}]"#;
    let loaded = load(
        json,
        "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[[tables]]\nname = \"bids\"\nparent = \"t\"\nrecords = \"/bids\"\n\
         checks = [{ references = \"lot\", to = \"t__lots.key\" }]",
    );
    assert_eq!(loaded.finished.code, 0, "{}", loaded.finished.stderr);
    let expected = [("2", "/bids/1/lot"), ("3", "/bids/0/lot")];
    let expected = expected.map(|(id, at)| (id.to_owned(), vec![format!("{at}: references")]));
    assert_eq!(loaded.reasons(), expected);
    assert_eq!(loaded.lake().column("bids", "lot"), ["b", "null"]);
}

#[test]
fn p1_a_record_that_breaks_three_rules_is_in_quarantine_once_with_three_reasons() {
    let json = r#"[{"id":1,"n":1,"code":"A"},{"id":2,"n":"x","code":"toolong","lines":[{"qty":-1},{"qty":1}]},{"id":3,"code":"B"}]"#;
    let tables = with_check("n = \"int64\"", "{ matches = \"code\", pattern = \"[A-Z]\" }")
        + "checks = [{ range = \"qty\", min = 0 }]";
    let loaded = load(json, &tables);
    assert_eq!(loaded.finished.code, 0, "{}", loaded.finished.stderr);
    let reasons = ["/n: type", "/code: matches", "/lines/0/qty: range"].map(str::to_owned).to_vec();
    assert_eq!(loaded.reasons(), [("2".to_owned(), reasons)]);
    let ledger = loaded.lake().ledger();
    assert_eq!(["received", "inserted", "quarantined"].map(|of| ledger["t"][of]), [3, 2, 1]);
    assert_eq!(["received", "inserted", "quarantined"].map(|of| ledger["lines"][of]), [2, 0, 2]);
}

#[test]
fn a_check_may_warn_or_end_the_run() {
    let json = r#"[{"id":1,"v":1},{"id":2,"v":-5},{"id":3,"v":-6},{"id":4,"v":1}]"#;
    let check = |on_failure: &str| {
        format!(
            "{{ range = \"v\", min = 0, on_failure = \"{on_failure}\" }}, {{ unique = \"v\", on_failure = \"warn\" }}"
        )
    };
    let warned = load(json, &with_check("", &check("warn")));
    insta::assert_snapshot!("a_check_that_warns", warned.finished.redacted());
    assert_eq!(warned.lake().column("t", "id"), ["1", "2", "3", "4"]);
    let reported = warned.lake().json(&format!("_flowlake/runs/{}", warned.lake().own("runs")[0]))
        ["checks"]
        .clone();
    assert_eq!(reported[0]["rows"], 2);
    assert_eq!(
        reported[1],
        serde_json::json!({ "table": "t", "check": "unique(v)", "rows": 1, "on_failure": "warn" })
    );
    let failed = load(json, &with_check("", &check("fail")));
    assert_eq!(failed.finished.code, 6);
    insta::assert_snapshot!("a_check_that_ends_the_run", failed.finished.redacted());
    assert_eq!(failed.lake().tables(), Vec::<String>::new());
}

#[test]
fn versions_of_one_record_may_have_what_is_unique() {
    let json = r#"[{"id":1,"at":1,"v":"a"},{"id":1,"at":2,"v":"a"},{"id":2,"at":1,"v":"a"}]"#;
    let tables = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\ncursor = \"at\"\nchecks = [{ unique = \"v\" }]";
    let loaded = load(json, tables);
    assert_eq!(loaded.finished.code, 0, "{}", loaded.finished.stderr);
    assert_eq!(loaded.lake().column("t", "at"), ["2"]);
    assert_eq!(loaded.quarantined(), ["2"]);
    let ledger = loaded.lake().ledger();
    let counts = ["received", "inserted", "superseded", "quarantined"].map(|of| ledger["t"][of]);
    assert_eq!(counts, [3, 1, 1, 1]);
}

#[test]
fn checks_that_cannot_be_made_say_why() {
    let json = r#"[{"id":1,"name":"x","tags":["a"],"price":0.1,"lines":[{"amount":1e-3}]}]"#;
    let mut shown = Vec::new();
    for check in [
        "{ not_null = \"nme\" }",
        "{ range = \"name\", min = 0 }",
        "{ range = \"price\", min = \"cheap\" }",
        "{ unique = \"tags\" }",
        "{ sum = \"lines.amount\", equals = \"price\" }",
        "{ sum = \"t__lines.amount\", equals = \"price\" }",
        "{ references = \"name\", to = \"lines.code\" }",
    ] {
        let loaded = load(json, &with_check("", check));
        assert_eq!(loaded.finished.code, 6, "{check}");
        shown.push(format!("{check}\n{}", loaded.finished.redacted()));
    }
    insta::assert_snapshot!(shown.join("\n"));
}
