//! Records of one key: only the latest stays, with what is in it.

use crate::support::{Source, Workplace};

const TABLES: &str = "[[tables]]\nname = \"t\"\nrecords = \"/rows\"\nprimary_key = [\"id\"]\n";

fn load(tables: &str, json: &str) -> Workplace {
    let source = Source::serving(json);
    let workplace = Workplace::asking(&source);
    workplace.define(tables);
    workplace.run().success();
    workplace
}

#[test]
fn p1_earlier_versions_of_a_record_are_superseded_with_their_children() {
    let json = r#"{"rows":[{"id":1,"at":"2026-03-02","v":"new","lines":[{"n":1},{"n":2}]},
                           {"id":2,"at":"2026-03-01","v":"only","lines":[{"n":3}]},
                           {"id":1,"at":"2026-03-01","v":"old","lines":[{"n":4},{"n":5},{"n":6}]},
                           {"id":1,"at":null,"v":"none","lines":[]}]}"#;
    let workplace = load(&format!("{TABLES}cursor = \"at\""), json);
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "v"), ["new", "only"]);
    assert_eq!(lake.column("t__lines", "n"), ["1", "2", "3"]);
    let ledger = lake.ledger();
    let counts =
        |table: &str| ["received", "inserted", "superseded"].map(|count| ledger[table][count]);
    assert_eq!(counts("t"), [4, 2, 2]);
    assert_eq!(counts("t__lines"), [6, 3, 3]);
}

#[test]
fn p1_without_a_cursor_all_records_stay() {
    let json = r#"{"rows":[{"id":1,"v":"first"},{"id":2,"v":"a"},{"id":1,"v":"second"}]}"#;
    let workplace = load(TABLES, json);
    assert_eq!(workplace.lake().column("t", "v"), ["first", "a", "second"]);
}

#[test]
fn of_records_with_the_same_cursor_the_later_one_stays() {
    let json = r#"{"rows":[{"id":1,"at":5,"v":"first"},{"id":1,"at":5,"v":"second"}]}"#;
    let workplace = load(&format!("{TABLES}cursor = \"at\""), json);
    assert_eq!(workplace.lake().column("t", "v"), ["second"]);
}

#[test]
fn p6_with_a_cursor_order_does_not_matter() {
    let records = [
        r#"{"id":1,"n":10,"v":"late"}"#,
        r#"{"id":1,"n":9,"v":"early"}"#,
        r#"{"id":1,"n":2.5,"v":"first"}"#,
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let rows = order.map(|record| records[record]).join(",");
        let workplace = load(&format!("{TABLES}cursor = \"n\""), &format!("{{\"rows\":[{rows}]}}"));
        assert_eq!(workplace.lake().column("t", "v"), ["late"], "{order:?}");
    }
}

#[test]
fn a_record_that_goes_to_quarantine_supersedes_nothing() {
    let json = r#"{"rows":[{"id":1,"n":1},{"id":1,"n":"x"}]}"#;
    let workplace =
        load(&format!("{TABLES}cursor = \"id\"\n[tables.columns]\nn = \"int64\""), json);
    assert_eq!(workplace.lake().column("t", "n"), ["1"]);
    assert_eq!(workplace.lake().ledger()["t"]["quarantined"], 1);
}

#[test]
fn a_key_is_made_of_all_its_columns() {
    let json =
        r#"{"rows":[{"a":"x","b":"yz","n":1},{"a":"xy","b":"z","n":1},{"a":"x","b":"yz","n":2}]}"#;
    let tables = TABLES.replace("[\"id\"]", "[\"a\", \"b\"]\ncursor = \"n\"");
    assert_eq!(load(&tables, json).lake().column("t", "a"), ["xy", "x"]);
}

#[test]
fn dates_are_read_in_the_forms_that_are_declared() {
    let json = r#"{"rows":[{"id":1,"d":"05.10.2026","t":"05.10.2026 14:03","l":["1.2.2026"]},
                           {"id":2,"d":"2026-10-06","t":1791072000},
                           {"id":3,"d":"10/07/2026"}]}"#;
    let columns = "[tables.columns]\nd = { type = \"date\", formats = [\"%d.%m.%Y\"] }\n\
                   t = { type = \"timestamp\", formats = [\"%d.%m.%Y %H:%M\", \"%s\"] }\n\
                   l = { type = \"list<date>\", formats = [\"%d.%m.%Y\"] }";
    let workplace = load(&format!("{TABLES}{columns}"), json);
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "d"), ["2026-10-05", "2026-10-06"]);
    insta::assert_snapshot!(lake.column("t", "t").join("\n"));
    assert_eq!(lake.quarantine("t")[0]["record"]["id"], 3);
}

#[test]
fn texts_that_mean_no_value_are_null_wherever_they_stand() {
    let json = r#"{"rows":[{"id":1,"n":5,"d":"2026-10-05","o":{"x":"n/a"},"l":[{"p":"-"},{"p":1.5}],"s":["a","-"]},
                           {"id":2,"n":"n/a","d":"","o":{"x":"real"},"l":[],"s":[]},
                           {"id":"-","n":6}]}"#;
    let workplace = load(&format!("{TABLES}null_values = [\"\", \"n/a\", \"-\"]"), json);
    let lake = workplace.lake();
    assert_eq!(lake.column("t", "n"), ["5", "null"]);
    assert_eq!(lake.column("t", "d"), ["2026-10-05", "null"]);
    assert_eq!(lake.column("t", "o__x"), ["null", "real"]);
    assert_eq!(lake.column("t__l", "p"), ["null", "1.5"]);
    assert_eq!(lake.quarantine("t")[0]["record"]["id"], "-", "a key is not null");
}

#[test]
fn p4_nested_values_may_stay_json_with_every_digit() {
    let json = r#"{"rows":[{"id":1,"o":{ "b" : 1.50, "a":[ "x y", 12345678901234567890 ] },"l":[]},
                           {"id":2,"o":"text","l":[{"n":1e2}, null]}]}"#;
    let workplace = load(&format!("{TABLES}nested = \"json\""), json);
    let lake = workplace.lake();
    assert_eq!(lake.tables(), ["t"]);
    let texts = [lake.column("t", "o"), lake.column("t", "l")].concat();
    // The keys are in order, so that another order in the source makes no new version of the row. An empty list says
    // nothing, as elsewhere.
    assert_eq!(
        texts,
        [r#"{"a":["x y",12345678901234567890],"b":1.50}"#, "text", "null", r#"[{"n":1e2},null]"#]
    );
}
