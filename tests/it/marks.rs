//! R8: a record that is marked as deleted has its child rows marked with it.

use crate::values::nights::Nights;

const T: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\ndeletes = \"mark\"\n";

const ALL: &str = r#"[{"id":1,"v":201,"lines":[{"n":101,"parts":[{"p":1}]},{"n":100}]},
    {"id":2,"v":808,"lines":[{"n":800},{"n":8}]}]"#;
const WITHOUT_1: &str = r#"[{"id":2,"v":808,"lines":[{"n":800},{"n":8}]}]"#;

/// The values of a column in rows that are marked, or in those that are not.
fn values(nights: &Nights, table: &str, column: &str, are_marked: bool) -> Vec<String> {
    let rows = nights.records(table).into_iter();
    let rows = rows.filter(|row| (row["_flowlake_deleted_at"] != "null") == are_marked);
    let mut values: Vec<String> = rows.map(|row| row[column].clone()).collect();
    values.sort();
    values
}

/// The sum of a column over rows that are not marked.
fn live_sum(nights: &Nights, table: &str, column: &str) -> i64 {
    values(nights, table, column, false).iter().map(|value| value.parse::<i64>().unwrap()).sum()
}

#[test]
fn r08_lines_are_marked_and_unmarked_with_their_order() {
    for settings in ["", "partition_by = [\"v\"]\n"] {
        let nights = Nights::of(&format!("{T}{settings}"));
        nights.load(ALL).load(WITHOUT_1);
        assert_eq!(values(&nights, "t", "id", true), ["1"], "{settings}");
        assert_eq!(values(&nights, "t__lines", "n", true), ["100", "101"]);
        assert_eq!(values(&nights, "t__lines__parts", "p", true), ["1"]);
        assert_eq!((live_sum(&nights, "t", "v"), live_sum(&nights, "t__lines", "n")), (808, 808));
        let marks = ["t", "t__lines", "t__lines__parts"].map(|table| {
            let rows = nights.records(table).into_iter();
            let mut marks: Vec<String> = rows
                .filter(|row| row["_flowlake_deleted_at"] != "null")
                .map(|row| format!("{} {}", row["_flowlake_deleted_at"], row["_flowlake_run_id"]))
                .collect();
            marks.dedup();
            marks
        });
        assert_eq!(marks[0].len(), 1);
        assert!(marks.iter().all(|of_table| *of_table == marks[0]), "one run, one time: {marks:?}");
        // It is marked once.
        let before = nights.lake().snapshot();
        nights.load(&WITHOUT_1.replace("\"id\":2", "\"id\" : 2"));
        assert_eq!(nights.lake().snapshot(), before);
        nights.load(ALL);
        for table in ["t", "t__lines", "t__lines__parts"] {
            assert_eq!(values(&nights, table, "_flowlake_run_id", true), [""; 0], "{table}");
        }
        assert_eq!((live_sum(&nights, "t", "v"), live_sum(&nights, "t__lines", "n")), (1009, 1009));
        assert_eq!(nights.counts("t__lines", ["inserted", "updated", "unchanged"]), [0, 2, 2]);
        nights.workplace.flowlake(&["verify", "test.toml"]).success();
    }
}

#[test]
fn r08_an_order_comes_back_with_other_lines() {
    let nights = Nights::of(T);
    nights.load(ALL).load(WITHOUT_1);
    nights.load(
        r#"[{"id":1,"v":150,"lines":[{"n":150}]},{"id":2,"v":808,"lines":[{"n":800},{"n":8}]}]"#,
    );
    assert_eq!(nights.rows("t__lines", &["t__id", "n"]), ["1 | 150", "2 | 8", "2 | 800"]);
    assert_eq!((live_sum(&nights, "t", "v"), live_sum(&nights, "t__lines", "n")), (958, 958));
    assert_eq!(nights.rows("t__lines__parts", &["p"]), [""; 0]);
}

#[test]
fn r08_a_line_that_an_order_has_no_more_is_gone_and_not_marked() {
    let nights = Nights::of(T);
    nights.load(ALL);
    nights.load(&ALL.replace(",{\"n\":8}", ""));
    assert_eq!(nights.rows("t__lines", &["n"]), ["100", "101", "800"]);
    assert_eq!(values(&nights, "t__lines", "n", true), [""; 0]);
}

#[test]
fn r08_a_table_that_begins_to_mark_marks_lines_too() {
    let nights = Nights::of(&T.replace("deletes = \"mark\"\n", ""));
    nights.load(ALL);
    nights.redefine(T).load(WITHOUT_1);
    assert_eq!((live_sum(&nights, "t", "v"), live_sum(&nights, "t__lines", "n")), (808, 808));
}
