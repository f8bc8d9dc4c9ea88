//! S2: directories that a file system takes for one hold files of different names.

use std::collections::BTreeSet;

use crate::values::nights::Nights;

/// The names of the files of a table, without their directories.
fn names(nights: &Nights, table: &str) -> Vec<String> {
    let files = nights.lake().files(table);
    files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn s02_files_of_one_run_have_different_names_whatever_their_directories() {
    for disposition in ["append", "merge", "replace", "overwrite_partitions"] {
        let nights = Nights::of_t(&format!(
            "write_disposition = \"{disposition}\"\npartition_by = [\"status\"]\n"
        ));
        // The last two are one text, composed and decomposed.
        let records = |night: u32| {
            let statuses = ["Sent", "sent", "SENT", "sen\u{e9}", "sene\u{301}"].iter().enumerate();
            let records = statuses.map(|(id, status)| {
                format!(r#"{{"id":{id},"status":"{status}","v":{night},"lines":[{{"n":{id}}}]}}"#)
            });
            format!("[{}]", records.collect::<Vec<_>>().join(","))
        };
        for night in 1..=2 {
            nights.load(&records(night));
            for table in ["t", "t__lines"] {
                let names = names(&nights, table);
                let distinct: BTreeSet<String> =
                    names.iter().map(|name| name.to_lowercase()).collect();
                let rows = nights.lake().rows(table).height();
                assert_eq!(
                    (distinct.len(), rows % 5),
                    (names.len(), 0),
                    "{disposition}: {names:?}"
                );
                assert!(names.iter().all(|name| name.as_bytes()[4] == b'-'), "{names:?}");
            }
        }
        nights.workplace.flowlake(&["verify", "test.toml"]).success();
    }
}

#[test]
fn s02_names_do_not_depend_on_the_order_of_records() {
    let load = |json: &str| {
        let nights = Nights::of_t("partition_by = [\"status\"]\n");
        nights.load(json);
        let files = nights.lake().files("t");
        let numbers = files.iter().map(|file| {
            let mut parts = file.iter().rev().map(|part| part.to_str().unwrap());
            let name = parts.next().unwrap();
            format!("{} {}", parts.next().unwrap(), &name[..4])
        });
        numbers.collect::<Vec<_>>()
    };
    let expected =
        ["status_partition=Sent 0000", "status_partition=none 0001", "status_partition=sent 0002"];
    for json in [
        r#"[{"id":1,"status":"sent"},{"id":2,"status":"Sent"},{"id":3}]"#,
        r#"[{"id":3},{"id":2,"status":"Sent"},{"id":1,"status":"sent"}]"#,
    ] {
        assert_eq!(load(json), expected);
    }
}
