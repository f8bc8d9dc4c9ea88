//! R3, R4, R5 and R6: every column is in the files with its type, and directories have names and values of their own.

use crate::values::nights::Nights;

const BY_PLACE: &str = "partition_by = [\"place\"]\n";

/// The directories of `t`, and the values of a column.
fn directories_and(nights: &Nights, column: &str) -> (Vec<String>, Vec<String>) {
    (nights.lake().partitions("t"), nights.t(&["id", column]))
}

#[test]
fn r03_directories_are_plain_text_in_which_only_what_hive_escapes_is_escaped() {
    let nights = Nights::of_t(BY_PLACE);
    nights.load(
        r#"[{"id":1,"place":"Ökonomie å/b%c"},{"id":2,"place":"日本, Kyoto & Co."},
            {"id":3,"place":"a:b=c?d*e#f'g\"h\\i{j}[k]^l"},{"id":4,"place":"tab\tnul\u0000del\u007f"}]"#,
    );
    let (mut directories, values) = directories_and(&nights, "place");
    directories.sort();
    assert_eq!(
        directories,
        [
            "place_partition=a%3Ab%3Dc%3Fd%2Ae%23f%27g%22h%5Ci%7Bj}%5Bk%5D%5El",
            "place_partition=tab%09nul%00del%7F",
            "place_partition=Ökonomie å%2Fb%25c",
            "place_partition=日本, Kyoto & Co.",
        ]
    );
    assert_eq!(
        values,
        [
            "1 | \"Ökonomie å/b%c\"",
            "2 | \"日本, Kyoto & Co.\"",
            "3 | \"a:b=c?d*e#f'g\\\"h\\\\i{j}[k]^l\"",
            "4 | \"tab\\tnul\\u0000del\u{7f}\"",
        ]
    );
    nights.workplace.flowlake(&["verify", "test.toml"]).success();
}

#[test]
fn r03_a_table_of_every_script_has_its_own_name_as_directory() {
    let nights = Nights::of("[[tables]]\nname = \"заявки\"\npartition_by = [\"цена\"]\n");
    nights.load(r#"[{"Цена":5}]"#);
    assert_eq!(nights.lake().tables(), ["заявки"]);
    assert_eq!(nights.lake().partitions("заявки"), ["цена_partition=5"]);
    nights.workplace.flowlake(&["verify", "test.toml"]).success();
}

#[test]
fn r03_rows_of_such_directories_are_found_again() {
    for disposition in ["merge", "overwrite_partitions", "replace", "append"] {
        let nights = Nights::of_t(&format!("write_disposition = \"{disposition}\"\n{BY_PLACE}"));
        let texts = r#"[{"id":1,"place":"å/b%c","v":1},{"id":2,"place":"","v":1},{"id":3,"place":"none","v":1},
                        {"id":4,"place":null,"v":1},{"id":5,"place":"..","v":1}]"#;
        nights.load(texts);
        let first = nights.lake().partitions("t");
        let finished = nights.night(&texts.replace("\"v\":1", "\"v\":2"));
        assert_eq!(finished.code, 0, "{disposition}: {}", finished.stderr);
        let mut directories = nights.lake().partitions("t");
        directories.dedup();
        assert_eq!(directories, first, "{disposition}");
        let rows = nights.t(&["id", "v"]);
        let changed = ["1 | 2", "2 | 2", "3 | 2", "4 | 2", "5 | 2"];
        match disposition {
            "append" => assert_eq!(rows.len(), 10),
            _ => assert_eq!(rows, changed, "{disposition}"),
        }
    }
}

#[test]
fn r04_nothing_is_empty_behind_the_equals_sign_and_no_text_reads_like_null() {
    let nights = Nights::of_t(BY_PLACE);
    nights.load(
        r#"[{"id":1,"place":null},{"id":2,"place":""},{"id":3,"place":"none"},{"id":4,"place":"empty"},
            {"id":5,"place":"NULL"},{"id":6,"place":"__HIVE_DEFAULT_PARTITION__"},{"id":7,"place":"text-none"},
            {"id":8,"place":"."},{"id":9,"place":".."},{"id":10,"place":"NaN"},{"id":11,"place":" "}]"#,
    );
    let directories = nights.lake().partitions("t");
    let values = directories.iter().map(|it| it.strip_prefix("place_partition=").unwrap());
    let mut values: Vec<&str> = values.collect();
    values.sort_unstable();
    assert_eq!(
        values,
        [
            " ",
            ".",
            "..",
            "empty",
            "none",
            "text-NULL",
            "text-NaN",
            "text-__HIVE_DEFAULT_PARTITION__",
            "text-empty",
            "text-none",
            "text-text-none",
        ]
    );
    // Each is in a directory of its own.
    assert_eq!(nights.counts("t", ["rows", "partitions", "files"]), [11, 11, 11]);
    assert_eq!(nights.t(&["id", "place"])[10..], ["9 | \"..\""]);
}

#[test]
fn r05_a_record_without_the_date_of_its_partition_is_in_none() {
    let nights = Nights::of_t("partition_by = [\"month(at)\"]\n");
    nights.load(r#"[{"id":1,"at":"2026-10-05"},{"id":2}]"#);
    assert_eq!(nights.lake().partitions("t"), ["at_month=2026-10", "at_month=none"]);
    assert_eq!(nights.t(&["id", "at"]), ["1 | 2026-10-05", "2 | null"]);
}

#[test]
fn r06_a_column_that_is_a_partition_is_in_the_files_with_its_type() {
    for (values, column_type, directories) in [
        (r#"["0012","12","0700","2A00"]"#, "string", ["12", "2A00", "text-0012", "text-0700"]),
        (r#"["1.50","2.00","10.25","-3.10"]"#, "decimal(18,2)", ["-3.10", "1.50", "10.25", "2.00"]),
        (
            r#"["2026-10-05","2026-10-06","2026-01-01","2025-12-31"]"#,
            "date",
            ["2025-12-31", "2026-01-01", "2026-10-05", "2026-10-06"],
        ),
        ("[1,2,10,-3]", "int64", ["-3", "1", "10", "2"]),
    ] {
        let nights = Nights::of_t(&format!(
            "partition_by = [\"v\"]\nsort_by = [\"v\"]\n[tables.columns]\nv = \"{column_type}\"\n"
        ));
        let values: Vec<serde_json::Value> = serde_json::from_str(values).unwrap();
        let records = values.iter().enumerate();
        let records: Vec<String> =
            records.map(|(id, value)| format!("{{\"id\":{id},\"v\":{value}}}")).collect();
        nights.load(&format!("[{}]", records.join(",")));
        assert_eq!(nights.columns("t"), ["id int64".to_owned(), format!("v {column_type}")]);
        assert_eq!(
            nights.lake().partitions("t"),
            directories.map(|it| format!("v_partition={it}"))
        );
        let texts = values.iter().map(|value| match value.as_str() {
            Some(text) if column_type != "string" => text.to_owned(),
            _ => value.to_string(),
        });
        let expected: Vec<String> =
            texts.enumerate().map(|(id, text)| format!("{id} | {text}")).collect();
        assert_eq!(nights.t(&["id", "v"]), expected);
        let [received, loaded] = nights.counts("t", ["values_received", "values_loaded"]);
        assert_eq!([received, loaded], [8, 8], "{column_type}");
    }
}

#[test]
fn r06_texts_that_readers_would_take_for_one_number_have_other_directories() {
    let nights = Nights::of_t(BY_PLACE);
    nights.load(r#"[{"id":1,"place":"12"},{"id":2,"place":"0012"},{"id":3,"place":"012"},{"id":4,"place":"0x0C"}]"#);
    let names = ["12", "text-0012", "text-012", "text-0x0C"];
    assert_eq!(nights.lake().partitions("t"), names.map(|name| format!("place_partition={name}")));
    assert_eq!(nights.t(&["place"]), ["\"0012\"", "\"012\"", "\"0x0C\"", "\"12\""]);
}

#[test]
fn r06_a_merged_table_may_be_partitioned_by_its_key_or_its_cursor() {
    for (partition, moved) in [("id", "id_partition=1"), ("u", "u_partition=2")] {
        let nights = Nights::of_t(&format!(
            "write_disposition = \"merge\"\ncursor = \"u\"\npartition_by = [\"{partition}\"]\n"
        ));
        nights.load(r#"[{"id":1,"u":1,"v":1}]"#);
        nights.load(r#"[{"id":1,"u":2,"v":2}]"#);
        nights.load(r#"[{"id":1,"u":1,"v":3}]"#);
        assert_eq!(nights.t(&["id", "u", "v"]), ["1 | 2 | 2"], "{partition}");
        assert_eq!(nights.lake().partitions("t"), [moved]);
    }
}

#[test]
fn r06_no_column_has_the_name_of_a_directory() {
    for (partition, key) in [
        ("place", "place_partition"),
        ("place", "placePartition"),
        ("month(at)", "at_month"),
        ("day(at)", "AtDay"),
    ] {
        let nights = Nights::of_t(&format!("partition_by = [\"{partition}\"]\n"));
        let record = format!(r#"{{"id":1,"place":"x","at":"2026-10-05","{key}":"mine"}}"#);
        nights.load(&format!("[{record}]"));
        let lake = nights.lake();
        let directories = lake.partitions("t");
        let (directory, _) = directories[0].split_once('=').unwrap();
        let columns = nights.columns("t");
        assert!(columns.iter().all(|column| !column.starts_with(&format!("{directory} "))));
        let renamed = format!("{directory}_");
        let holder = columns.iter().filter(|column| column.starts_with(&renamed));
        assert_eq!(holder.count(), 1, "{key}: {columns:?}");
    }
}

#[test]
fn r06_check_refuses_a_declared_column_with_the_name_of_a_directory() {
    let nights = Nights::of_t(
        "partition_by = [\"month(at)\"]\n[tables.columns]\nat_month = { from = \"/month\" }\n",
    );
    let refused = nights.check();
    assert_eq!(refused.code, 2);
    let message =
        "`at_month` is the directory of the partition `month(at)`, so no column has this name";
    assert!(refused.stdout.contains(message), "{}", refused.stdout);
    let help = "give the column another name: `other_name = { from = \"/month\" }`";
    assert!(refused.stdout.contains(help), "{}", refused.stdout);
}
