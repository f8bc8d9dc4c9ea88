//! R13, R14 and R17: the order of columns, keys of child tables, and types of nested fields by path.

use super::nights::Nights;

#[test]
fn r13_columns_stand_in_the_order_of_the_source_with_keys_first() {
    let nights = Nights::of_t("");
    nights.load(r#"[{"z":1,"b":{"y":1,"a":2},"id":1,"a":2},{"z":1,"new":true,"id":2}]"#);
    assert_eq!(
        nights.columns("t"),
        ["id int64", "z int64", "b__y int64", "b__a int64", "a int64", "new bool"]
    );
}

#[test]
fn r13_declared_columns_stand_where_the_source_has_them() {
    let nights =
        Nights::of_t("[tables.columns]\na = \"decimal(9,2)\"\nnever = \"date\"\nz = \"int64\"\n");
    nights.load(r#"[{"z":1,"m":1,"id":1,"a":2}]"#);
    assert_eq!(
        nights.columns("t"),
        ["id int64", "z int64", "m int64", "a decimal(9,2)", "never date"]
    );
}

#[test]
fn r13_a_later_column_stands_behind_those_there_are() {
    let nights = Nights::of_t("write_disposition = \"append\"\n");
    nights.load(r#"[{"z":1,"id":1,"a":2}]"#).load(r#"[{"q":1,"b":2,"id":2,"a":2,"z":3}]"#);
    assert_eq!(nights.columns("t"), ["id int64", "z int64", "a int64", "q int64", "b int64"]);
}

#[test]
fn r13_child_tables_have_the_order_of_the_source_too() {
    let nights = Nights::of_t("");
    nights.load(r#"[{"id":1,"lines":[{"z":1,"a":2}]}]"#);
    assert_eq!(nights.columns("t__lines"), ["t__id int64", "_index int64", "z int64", "a int64"]);
}

/// Orders and their lines, which have keys of their own and columns of their orders.
const LINES: &str = "[[tables]]\nname = \"orders\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\n\
    [[tables]]\nname = \"lines\"\nparent = \"orders\"\nrecords = \"/lines\"\nprimary_key = [\"line_id\"]\n\
    parent_columns = [\"number\", \"currency\"]\n";

#[test]
fn r14_a_child_table_carries_columns_of_its_parent() {
    let nights = Nights::of(LINES);
    nights.load(
        r#"[{"id":1,"number":"PO-1","currency":"EUR","lines":[{"line_id":"a","n":1},{"line_id":"b","n":2}]},{"id":2,"number":"PO-2","lines":[{"line_id":"a","n":3}]}]"#,
    );
    assert_eq!(
        nights.rows("lines", &["orders__id", "line_id", "orders__number", "orders__currency", "n"]),
        [
            "1 | \"a\" | \"PO-1\" | \"EUR\" | 1",
            "1 | \"b\" | \"PO-1\" | \"EUR\" | 2",
            "2 | \"a\" | \"PO-2\" | null | 3"
        ]
    );
    assert!(!nights.columns("lines").iter().any(|column| column.starts_with("_index")));
}

#[test]
fn r14_lines_with_keys_that_change_places_do_not_change() {
    let nights = Nights::of(LINES);
    nights.load(
        r#"[{"id":1,"number":"PO-1","lines":[{"line_id":"a","n":1},{"line_id":"b","n":2}]}]"#,
    );
    nights.load(
        r#"[{"id":1,"number":"PO-1","lines":[{"line_id":"c","n":3},{"line_id":"b","n":2},{"line_id":"a","n":1}]}]"#,
    );
    assert_eq!(nights.counts("lines", ["inserted", "updated", "unchanged"]), [1, 0, 2]);
    nights.load(r#"[{"id":1,"number":"PO-1","lines":[{"line_id":"b","n":5}]}]"#);
    assert_eq!(nights.rows("lines", &["line_id", "n"]), ["\"b\" | 5"]);
}

#[test]
fn r14_a_changed_parent_column_changes_its_lines() {
    let nights = Nights::of(LINES);
    nights.load(r#"[{"id":1,"number":"PO-1","lines":[{"line_id":"a","n":1}]}]"#);
    nights.load(r#"[{"id":1,"number":"PO-1b","lines":[{"line_id":"a","n":1}]}]"#);
    assert_eq!(nights.rows("lines", &["orders__number"]), ["\"PO-1b\""]);
    assert_eq!(nights.counts("lines", ["inserted", "updated", "unchanged"]), [0, 1, 0]);
}

#[test]
fn r14_a_grandchild_carries_the_keys_of_both() {
    let nights = Nights::of(LINES);
    nights.load(
        r#"[{"id":1,"lines":[{"line_id":"a","taxes":[{"rate":19}]},{"line_id":"b","taxes":[{"rate":7}]}]}]"#,
    );
    assert_eq!(
        nights.rows("lines__taxes", &["orders__id", "lines__line_id", "_index", "rate"]),
        ["1 | \"a\" | 0 | 19", "1 | \"b\" | 0 | 7"]
    );
}

#[test]
fn r14_a_line_without_its_key_or_with_one_that_is_taken_is_in_quarantine_with_its_record() {
    let nights = Nights::of(LINES);
    nights.load(
        r#"[{"id":1,"lines":[{"line_id":"a"}]},{"id":2,"lines":[{"n":1}]},{"id":3,"lines":[{"line_id":"x"},{"line_id":"x"}]}]"#,
    );
    assert_eq!(nights.rows("orders", &["id"]), ["1"]);
    assert_eq!(nights.waiting("orders"), ["2 row", "3 row"]);
}

#[test]
fn r14_a_parent_column_that_does_not_exist_is_refused() {
    let nights = Nights::of(&LINES.replace("\"currency\"", "\"curency\""));
    let finished =
        nights.night(r#"[{"id":1,"number":"1","currency":"EUR","lines":[{"line_id":"a"}]}]"#);
    assert_eq!(finished.code, 6, "{}", finished.stderr);
    assert!(finished.stderr.contains("curency"), "{}", finished.stderr);
    let root = Nights::of("[[tables]]\nname = \"t\"\nparent_columns = [\"a\"]\n").check();
    assert_eq!(root.code, 2, "{}", root.stdout);
}

#[test]
fn r17_fields_are_declared_by_path() {
    for declared in [
        "\"lines.price\" = \"decimal(18,2)\"\n\"supplier.since\" = \"date\"\n",
        "lines.price = \"decimal(18,2)\"\nsupplier.since = \"date\"\n",
    ] {
        let nights = Nights::of_t(&format!("nested = \"columns\"\n[tables.columns]\n{declared}"));
        nights.load(
            r#"[{"id":1,"lines":[{"price":10.1,"n":1},{"price":2}],"supplier":{"since":"2026-10-05","name":"n"}}]"#,
        );
        // Fields stand in the order of the source, as columns do (R13).
        assert_eq!(
            nights.t(&["lines"]),
            ["[{price: 10.10, n: 1}, {price: 2.00, n: null}]"],
            "{declared}"
        );
        assert_eq!(nights.type_of("t", "lines"), "list<struct<price: decimal(18,2), n: int64>>");
        assert_eq!(nights.type_of("t", "supplier"), "struct<since: date, name: string>");
    }
}

#[test]
fn r17_what_does_not_fit_a_declared_field_is_in_quarantine() {
    let nights = Nights::of_t(
        "nested = \"columns\"\n[tables.columns]\n\"lines.price\" = \"decimal(18,2)\"\n",
    );
    nights
        .load(r#"[{"id":1,"lines":[{"price":1}]},{"id":2,"lines":[{"price":1},{"price":1.005}]}]"#);
    assert_eq!(nights.t(&["id", "lines"]), ["1 | [{price: 1.00}]"]);
    let reason = &nights.lake().quarantine("t")[0]["reasons"][0];
    assert_eq!(reason["pointer"], "/lines/1/price");
}

#[test]
fn r17_a_declared_field_is_there_before_any_record_has_it_and_keeps_its_type() {
    let nights = Nights::of_t(
        "write_disposition = \"append\"\nnested = \"columns\"\n[tables.columns]\n\"o.p\" = \"decimal(18,2)\"\n",
    );
    nights.load(r#"[{"id":1,"o":{"a":1}}]"#).load(r#"[{"id":2,"o":{"a":1,"p":5}}]"#);
    assert_eq!(nights.t(&["id", "o"]), ["1 | {a: 1, p: null}", "2 | {a: 1, p: 5.00}"]);
}

#[test]
fn r17_two_keys_with_one_name_in_an_object_are_told_apart() {
    let nights = Nights::of_t("nested = \"columns\"\n");
    nights.load(r#"[{"id":1,"o":{"taxId":1,"TaxID":2,"tax_id":3}}]"#);
    let column_type = nights.type_of("t", "o");
    assert_eq!(column_type.matches("tax_id").count(), 3, "{column_type}");
    let value = nights.t(&["o"]).remove(0);
    assert!([": 1", ": 2", ": 3"].iter().all(|leaf| value.contains(leaf)), "{value}");
    // The same names on the next night, whichever of them come.
    nights.load(r#"[{"id":1,"o":{"TaxID":2}}]"#);
    assert_eq!(nights.type_of("t", "o"), column_type);
}

/// Every order of some values.
fn permutations(values: &[&str]) -> Vec<Vec<String>> {
    if values.is_empty() {
        return vec![Vec::new()];
    }
    let first = |position: usize| {
        let mut others = values.to_vec();
        let first = others.remove(position).to_owned();
        permutations(&others)
            .into_iter()
            .map(move |rest| [vec![first.clone()], rest].concat())
            .collect::<Vec<_>>()
    };
    (0..values.len()).flat_map(first).collect()
}

#[test]
fn p6_and_r13_order_of_records_changes_no_order_of_columns() {
    let records = [
        r#"{"z":1,"id":1,"o":{"b":1,"a":1},"l":[{"y":1,"x":1},{"w":1,"x":1}],"f":1}"#,
        r#"{"z":1,"new":1,"id":2,"o":{"c":1,"a":2}}"#,
        r#"{"id":3,"other":null,"more":1,"l":[{"v":1}]}"#,
    ];
    for nested in ["tables", "columns"] {
        let mut seen = Vec::new();
        for records in permutations(&records) {
            let nights = Nights::of_t(&format!("nested = \"{nested}\"\n"));
            nights.load(&format!("[{}]", records.join(",")));
            seen.push((nights.columns("t"), nights.columns("t__l")));
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        let names = |columns: &[String]| -> Vec<String> {
            columns.iter().map(|column| column.split(' ').next().unwrap().to_owned()).collect()
        };
        // The order of the record with the most keys, then of those with fewer.
        let (columns, lines) = &seen[0];
        if nested == "columns" {
            assert_eq!(names(columns), ["id", "z", "o", "l", "f", "new", "other", "more"]);
            assert_eq!(columns[2], "o struct<b: int64, c: int64, a: int64>");
        } else {
            let objects = ["o__b", "o__c", "o__a"];
            let others = ["f", "new", "other", "more"];
            assert_eq!(names(columns), [&["id", "z"][..], &objects, &others].concat());
            assert_eq!(names(lines), ["t__id", "_index", "w", "y", "x", "v"]);
        }
    }
}

#[test]
fn r13_the_order_of_keys_on_later_nights_changes_no_table() {
    for disposition in ["replace", "append", "merge"] {
        for nested in ["tables", "columns"] {
            let nights = Nights::of_t(&format!(
                "write_disposition = \"{disposition}\"\nnested = \"{nested}\"\n"
            ));
            nights.load(r#"[{"id":1,"z":1,"o":{"y":1,"x":2},"l":[{"q":1,"p":2}],"a":1}]"#);
            let before = (nights.columns("t"), nights.columns("t__l"));
            nights.load(r#"[{"a":1,"l":[{"p":2,"q":1}],"o":{"x":2,"y":1},"z":1,"id":1}]"#);
            assert_eq!((nights.columns("t"), nights.columns("t__l")), before, "{disposition}");
            nights.load(
                r#"[{"n":1,"a":1,"m":1,"l":[{"new":1,"p":2,"q":1}],"o":{"w":1,"x":2,"y":1},"z":1,"id":1}]"#,
            );
            let mut expected = before.0.clone();
            if nested == "columns" {
                expected[2] = "o struct<y: int64, x: int64, w: int64>".to_owned();
                expected[3] = "l list<struct<q: int64, p: int64, new: int64>>".to_owned();
            }
            let new = if nested == "tables" {
                &["n int64", "m int64", "o__w int64"][..]
            } else {
                &["n int64", "m int64"]
            };
            expected.extend(new.iter().map(|&column| column.to_owned()));
            assert_eq!(nights.columns("t"), expected, "{disposition}");
            if nested == "tables" {
                assert_eq!(
                    nights.columns("t__l"),
                    [before.1, vec!["new int64".to_owned()]].concat()
                );
            }
        }
    }
}

#[test]
fn r13_chunks_and_memory_change_no_order() {
    // Records with one key more come late, and stand in front of what was there.
    let few = (0..60_000).map(|id| format!("{{\"id\":{id},\"b\":1,\"a\":\"{id:0>40}\"}}"));
    let many = (60_000..61_000).map(|id| format!("{{\"c\":1,\"a\":\"x\",\"id\":{id},\"b\":1}}"));
    let records: Vec<String> = few.chain(many).collect();
    let nights = Nights::of_t("");
    nights.load(&format!("[{}]", records.join(",")));
    assert_eq!(nights.columns("t"), ["id int64", "c int64", "a string", "b int64"]);
    assert_eq!(nights.counts("t", ["inserted"]), [61_000]);
}

#[test]
fn r14_a_child_table_without_rows_has_the_columns_of_its_definition() {
    for export in ["[]", r#"[{"id":1,"number":"A","currency":"EUR"}]"#] {
        let nights = Nights::of(LINES);
        nights.load(export);
        let rows = r#"[{"id":1,"number":"A","currency":"EUR","lines":[{"line_id":"a","n":1}]}]"#;
        nights.load(rows);
        assert_eq!(
            nights.columns("lines"),
            [
                "orders__id int64",
                "line_id string",
                "orders__number string",
                "orders__currency string",
                "n int64"
            ],
            "{export}"
        );
    }
}

#[test]
fn r14_columns_of_the_parent_follow_its_types_in_older_files_too() {
    let nights = Nights::of(LINES);
    nights.load(
        r#"[{"id":1,"number":1,"currency":"EUR","lines":[{"line_id":"a"}]},{"id":2,"number":2,"currency":"EUR","lines":[{"line_id":"a"}]}]"#,
    );
    nights.load(r#"[{"id":3,"number":2.5,"currency":["EUR","USD"],"lines":[{"line_id":"a"}]}]"#);
    assert_eq!(nights.type_of("lines", "orders__number"), nights.type_of("orders", "number"));
    assert_eq!(nights.type_of("lines", "orders__currency"), nights.type_of("orders", "currency"));
    assert_eq!(
        nights.rows("lines", &["orders__id", "orders__number"]),
        ["1 | 1.0", "2 | 2.0", "3 | 2.5"]
    );
}

#[test]
fn r14_a_name_that_the_child_has_itself_gets_the_suffix() {
    let nights = Nights::of(LINES);
    nights.load(
        r#"[{"id":1,"number":"A","currency":"EUR","lines":[{"line_id":"a","orders":{"number":7}}]}]"#,
    );
    assert_eq!(nights.rows("lines", &["orders__number"]), ["\"A\""]);
    let suffixed = nights.columns("lines").into_iter();
    let suffixed: Vec<String> =
        suffixed.filter(|column| column.starts_with("orders__number_")).collect();
    assert_eq!(suffixed.len(), 1, "{suffixed:?}");
    assert!(suffixed[0].ends_with(" int64"), "{suffixed:?}");
}

#[test]
fn r14_a_grandchild_carries_what_its_parent_carries() {
    let taxes = "\n[[tables]]\nname = \"taxes\"\nparent = \"lines\"\nrecords = \"/taxes\"\n\
                 primary_key = [\"rate\"]\nparent_columns = [\"orders__number\", \"n\"]\n";
    let nights = Nights::of(&format!("{LINES}{taxes}"));
    let export = |number: &str| {
        format!(
            r#"[{{"id":1,"number":"{number}","currency":"EUR","lines":[{{"line_id":"a","n":5,"taxes":[{{"rate":19}},{{"rate":7}}]}}]}}]"#
        )
    };
    nights.load(&export("A"));
    let columns = ["orders__id", "lines__line_id", "rate", "orders__number", "lines__n"];
    assert_eq!(
        nights.rows("taxes", &columns),
        ["1 | \"a\" | 19 | \"A\" | 5", "1 | \"a\" | 7 | \"A\" | 5"]
    );
    nights.load(&export("B"));
    assert_eq!(nights.counts("taxes", ["updated", "unchanged"]), [2, 0]);
    // The key of the order is there already.
    let key = format!("{LINES}{}", taxes.replace("\"n\"", "\"orders__id\""));
    let finished = Nights::of(&key).night(&export("A"));
    assert_eq!(finished.code, 6, "{}", finished.stderr);
    assert!(finished.stderr.contains("remove `orders__id`"), "{}", finished.stderr);
}

#[test]
fn r14_rows_that_stay_are_not_left_without_a_column_of_their_parent() {
    let without = LINES.replace("parent_columns = [\"number\", \"currency\"]\n", "");
    let nights = Nights::of(&without);
    let export = r#"[{"id":1,"number":"A","currency":"EUR","lines":[{"line_id":"a"}]}]"#;
    nights.load(export).redefine(LINES);
    let finished = nights.night(r#"[{"id":2,"number":"B","currency":"EUR","lines":[]}]"#);
    assert_eq!(finished.code, 2, "{}", finished.stderr);
    assert!(finished.stderr.contains("orders__number"), "{}", finished.stderr);
    // What the parent did not have either is null in both.
    let later = "parent_columns = [\"later\"]\n";
    let nights = Nights::of(&format!("{without}{later}"));
    nights.load(export);
    nights.load(r#"[{"id":2,"later":5,"lines":[{"line_id":"a"}]}]"#);
    assert_eq!(nights.rows("lines", &["orders__id", "orders__later"]), ["1 | null", "2 | 5"]);
}

#[test]
fn r14_every_disposition_keeps_lines_by_their_keys() {
    let order = |id: u32, number: &str, lines: &str| {
        format!(r#"{{"id":{id},"at":"2026-10-05","number":"{number}","lines":[{lines}]}}"#)
    };
    for disposition in ["replace", "append", "merge", "overwrite_partitions"] {
        let tables = LINES
            .replace("\"merge\"\n", &format!("\"{disposition}\"\npartition_by = [\"month(at)\"]\n"))
            .replace("\"number\", \"currency\"", "\"number\", \"at\"");
        let nights = Nights::of(&tables);
        let twice = order(2, "B", r#"{"line_id":"x"},{"line_id":"x"}"#);
        nights.load(&format!("[{},{twice}]", order(1, "A", r#"{"line_id":"a","n":1}"#)));
        assert_eq!(nights.waiting("orders"), ["2 row"], "{disposition}");
        nights.load(&format!(
            "[{}]",
            order(1, "A2", r#"{"line_id":"b","n":2},{"line_id":"a","n":1}"#)
        ));
        let rows = nights.rows("lines", &["line_id", "orders__number", "orders__at"]);
        let mut expected = vec![
            "\"a\" | \"A2\" | 2026-10-05".to_owned(),
            "\"b\" | \"A2\" | 2026-10-05".to_owned(),
        ];
        if disposition == "append" {
            expected.insert(0, "\"a\" | \"A\" | 2026-10-05".to_owned());
        }
        assert_eq!(rows, expected, "{disposition}");
    }
}

#[test]
fn r14_history_and_deletes_know_lines_by_their_keys() {
    let history = LINES.replace("\"merge\"\n", "\"merge\"\nhistory = true\ndeletes = \"remove\"\n");
    let nights = Nights::of(&history);
    nights.load(r#"[{"id":1,"number":"A","lines":[{"line_id":"a","n":1},{"line_id":"b","n":2}]}]"#);
    nights.load(r#"[{"id":1,"number":"A","lines":[{"line_id":"b","n":2},{"line_id":"a","n":3}]}]"#);
    let current = |nights: &Nights| {
        let rows = nights.records("lines__history").into_iter();
        let mut rows: Vec<String> = rows
            .filter(|row| row["_flowlake_valid_to"] == "null")
            .map(|row| format!("{} {}", row["line_id"], row["n"]))
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(current(&nights), ["\"a\" 3", "\"b\" 2"]);
    assert_eq!(nights.rows("lines", &["line_id", "n"]), ["\"a\" | 3", "\"b\" | 2"]);
    assert_eq!(nights.records("lines__history").len(), 3);
    for deletes in ["remove", "mark"] {
        let tables = LINES.replace("\"merge\"\n", &format!("\"merge\"\ndeletes = \"{deletes}\"\n"));
        let nights = Nights::of(&tables);
        nights.load(r#"[{"id":1,"number":"A","lines":[{"line_id":"a"}]},{"id":2,"number":"B","lines":[{"line_id":"a"}]}]"#);
        nights.load(r#"[{"id":2,"number":"B","lines":[{"line_id":"a"}]}]"#);
        assert_eq!(nights.counts("lines", ["inserted", "updated", "unchanged"]), [0, 0, 1]);
        if deletes == "remove" {
            assert_eq!(nights.rows("lines", &["orders__id"]), ["2"]);
        }
    }
}

#[test]
fn r14_lines_in_quarantine_are_loaded_again_by_their_keys() {
    let tables = LINES.replace("\"merge\"\n", "\"merge\"\ncursor = \"at\"\n");
    let nights = Nights::of(&format!("{tables}[tables.columns]\nn = \"int64\"\n"));
    nights.load(
        r#"[{"id":1,"at":1,"number":"A","lines":[{"line_id":"a","n":1},{"line_id":"b","n":"x"}]},{"id":2,"at":1,"lines":[]}]"#,
    );
    assert_eq!(nights.waiting("orders"), ["1 row"]);
    nights.redefine(&format!("{tables}[tables.columns]\nn = \"string\"\n"));
    nights.retry().success();
    assert_eq!(
        nights.rows("lines", &["line_id", "n", "orders__number"]),
        ["\"a\" | \"1\" | \"A\"", "\"b\" | \"x\" | \"A\""]
    );
}

#[test]
fn r14_keys_of_lines_are_compared_by_value_within_their_order_alone() {
    let nights = Nights::of(LINES);
    // A text and a number with the same digits are one key in a column of texts.
    nights.load(
        r#"[{"id":1,"lines":[{"line_id":"1"},{"line_id":1}]},{"id":2,"lines":[{"line_id":"1"},{"line_id":"x"}]},{"id":3,"lines":[{"line_id":"1"}]}]"#,
    );
    assert_eq!(nights.waiting("orders"), ["1 row"]);
    assert_eq!(nights.rows("orders", &["id"]), ["2", "3"]);
    // Versions of one order have the same lines.
    let nights = Nights::of(LINES);
    nights.load(
        r#"[{"id":1,"lines":[{"line_id":"a","n":1}]},{"id":1,"lines":[{"line_id":"a","n":2}]}]"#,
    );
    assert_eq!(nights.rows("lines", &["line_id", "n"]), ["\"a\" | 2"]);
    assert!(nights.waiting("orders").is_empty());
}

/// A table whose fields have types.
fn typed(fields: &str) -> Nights {
    Nights::of_t(&format!(
        "write_disposition = \"merge\"\nnested = \"columns\"\n[tables.columns]\n{fields}"
    ))
}

#[test]
fn r17_fields_at_any_depth_and_in_lists_of_lists_have_their_types() {
    let nights = typed(
        "\"m.p\" = \"decimal(9,2)\"\no.a.b = \"date\"\n\"o.tags\" = \"list<decimal(9,1)>\"\n",
    );
    nights.load(
        r#"[{"id":1,"m":[[{"p":1,"q":1}],[{"p":2.5}]],"o":{"a":[{"b":"2026-10-05","c":1}],"tags":[1,2.5]}}]"#,
    );
    assert_eq!(nights.type_of("t", "m"), "list<list<struct<p: decimal(9,2), q: int64>>>");
    assert_eq!(
        nights.type_of("t", "o"),
        "struct<a: list<struct<b: date, c: int64>>, tags: list<decimal(9,1)>>"
    );
    nights.load(
        r#"[{"id":2,"m":[[{"p":1}],[{"q":1},{"p":1.005}]],"o":{"a":[{"b":"soon"}]}},{"id":3}]"#,
    );
    let mut pointers: Vec<String> = nights.lake().quarantine("t")[0]["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| format!("{} {}", reason["pointer"], reason["expected"]))
        .collect();
    pointers.sort();
    assert_eq!(pointers, [r#""/m/1/1/p" "decimal(9,2)""#, r#""/o/a/0/b" "date""#]);
}

#[test]
fn r17_what_stands_in_place_of_a_declared_field_is_told() {
    for (odd, fits) in [
        (r#"{"p":{"x":1}}"#, false),
        (r#"{"p":[1]}"#, false),
        (r#"{"p":"1.5"}"#, true),
        (r#"{"p":true}"#, false),
        (r#"{"p":null}"#, true),
        ("{}", true),
        ("null", true),
    ] {
        let nights = typed("\"o.p\" = \"decimal(9,2)\"\n");
        nights.load(&format!(r#"[{{"id":1,"o":{{"p":1}}}},{{"id":2,"o":{odd}}}]"#));
        let waiting: &[&str] = if fits { &[] } else { &["2 row"] };
        assert_eq!(nights.waiting("t"), waiting, "{odd}");
        assert_eq!(nights.type_of("t", "o"), "struct<p: decimal(9,2)>", "{odd}");
    }
}

#[test]
fn r17_the_contract_decides_what_becomes_of_a_value_that_does_not_fit() {
    let contract = "schema_contract = { data_type = \"discard_value\" }\n";
    let nights = Nights::of_t(&format!(
        "{contract}nested = \"columns\"\n[tables.columns]\n\"o.p\" = \"decimal(9,2)\"\n"
    ));
    nights.load(r#"[{"id":1,"o":{"p":1,"a":1}},{"id":2,"o":{"p":"x","a":2}}]"#);
    assert_eq!(nights.t(&["id", "o"]), ["1 | {p: 1.00, a: 1}", "2 | {p: null, a: 2}"]);
    assert_eq!(nights.waiting("t"), ["2 value"]);
}

#[test]
fn r17_a_frozen_table_takes_declared_fields_and_no_others() {
    let frozen =
        "write_disposition = \"merge\"\nschema_contract = \"freeze\"\nnested = \"columns\"\n";
    let nights = Nights::of_t(frozen);
    nights.load(r#"[{"id":1,"o":{"a":1.5}}]"#);
    nights.redefine_t(&format!(
        "{frozen}[tables.columns]\n\"o.p\" = \"decimal(9,2)\"\n\"o.a\" = \"decimal(9,1)\"\n"
    ));
    nights.load(r#"[{"id":2,"o":{"a":1,"p":1}}]"#);
    assert_eq!(nights.t(&["id", "o"]), ["1 | {a: 1.5, p: null}", "2 | {a: 1.0, p: 1.00}"]);
    assert_eq!(nights.night(r#"[{"id":3,"o":{"a":1,"other":1}}]"#).code, 6);
}

#[test]
fn r17_older_files_take_the_declared_type() {
    let nights = typed("");
    nights.load(r#"[{"id":1,"lines":[{"price":10.1,"n":1}]},{"id":2,"lines":[]}]"#);
    nights.redefine_t(
        "write_disposition = \"merge\"\nnested = \"columns\"\n[tables.columns]\nlines.price = \"decimal(18,2)\"\nlines.at = \"date\"\n",
    );
    nights.load(r#"[{"id":3,"lines":{"price":1}}]"#);
    assert_eq!(
        nights.t(&["id", "lines"]),
        [
            "1 | [{price: 10.10, n: 1, at: null}]",
            "2 | []",
            "3 | [{price: 1.00, n: null, at: null}]"
        ]
    );
    assert_eq!(
        nights.type_of("t", "lines"),
        "list<struct<price: decimal(18,2), n: int64, at: date>>"
    );
    // A later night in which nothing of it is there changes nothing.
    nights.load(r#"[{"id":4}]"#);
    assert_eq!(nights.t(&["id", "lines"]).len(), 4);
}

#[test]
fn r17_scalars_beside_declared_fields_have_a_field_of_their_own() {
    let nights = typed("\"o.p\" = \"decimal(9,2)\"\n");
    nights.load(r#"[{"id":1,"o":"x"}]"#);
    assert_eq!(nights.t(&["o"]), ["{p: null, value: \"x\"}"]);
    nights.load(r#"[{"id":2,"o":{"p":1,"n":1}},{"id":3}]"#);
    assert_eq!(
        nights.t(&["id", "o"]),
        ["1 | {p: null, value: \"x\", n: null}", "2 | {p: 1.00, value: null, n: 1}", "3 | null"]
    );
}

#[test]
fn r17_a_column_that_no_record_has_is_there_with_its_declared_fields() {
    let nights = typed("\"o.p\" = \"decimal(9,2)\"\n\"o.q.r\" = \"date\"\n");
    nights.load(r#"[{"id":1}]"#);
    assert_eq!(nights.type_of("t", "o"), "struct<p: decimal(9,2), q: struct<r: date>>");
    nights.load(r#"[{"id":2,"o":[{"p":2,"q":{"s":true}}]}]"#);
    assert_eq!(nights.t(&["id", "o"]), ["1 | null", "2 | [{p: 2.00, q: {r: null, s: true}}]"]);
}
