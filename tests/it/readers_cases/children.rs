//! R7: a child table is in the partitions of its parent, and its directories say whose they are.

use crate::values::nights::Nights;

const ORDERS: &str = "[[tables]]\nname = \"orders\"\nprimary_key = [\"id\"]\n";

fn nights(settings: &str) -> Nights {
    Nights::of(&format!("{ORDERS}{settings}"))
}

#[test]
fn r07_the_directory_of_a_child_with_a_date_of_its_own_names_the_parent() {
    let nights = nights("partition_by = [\"month(created_at)\", \"status\"]\n");
    nights.load(
        r#"[{"id":1,"createdAt":"2026-10-05","status":"sent","lines":[{"createdAt":"2025-01-01","n":1}],"notes":[{"n":2}]}]"#,
    );
    let lake = nights.lake();
    assert_eq!(lake.partitions("orders"), ["created_at_month=2026-10/status_partition=sent"]);
    assert_eq!(
        lake.partitions("orders__lines"),
        ["orders_created_at_month=2026-10/status_partition=sent"]
    );
    assert_eq!(
        lake.partitions("orders__notes"),
        ["created_at_month=2026-10/status_partition=sent"]
    );
    assert_eq!(nights.rows("orders__lines", &["created_at", "n"]), ["2025-01-01 | 1"]);
    nights.workplace.flowlake(&["verify", "test.toml"]).success();
}

#[test]
fn r07_a_child_that_gets_a_date_of_its_own_moves_to_directories_that_name_the_parent() {
    for disposition in ["append", "merge", "overwrite_partitions", "replace"] {
        let nights = nights(&format!(
            "write_disposition = \"{disposition}\"\npartition_by = [\"month(created_at)\"]\n"
        ));
        nights.load(r#"[{"id":1,"createdAt":"2026-09-05","lines":[{"n":1}]}]"#);
        assert_eq!(nights.lake().partitions("orders__lines"), ["created_at_month=2026-09"]);
        nights.load(
            r#"[{"id":1,"createdAt":"2026-09-05","lines":[{"n":1}]},
                {"id":2,"createdAt":"2026-10-05","lines":[{"n":2,"createdAt":"2025-01-01"}]}]"#,
        );
        assert_eq!(
            nights.lake().partitions("orders__lines"),
            ["orders_created_at_month=2026-09", "orders_created_at_month=2026-10"],
            "{disposition}"
        );
        let rows = nights.rows("orders__lines", &["n", "created_at"]);
        let expected: &[&str] = match disposition {
            "append" => &["1 | null", "1 | null", "2 | 2025-01-01"],
            _ => &["1 | null", "2 | 2025-01-01"],
        };
        assert_eq!(rows, expected, "{disposition}");
        // And is found there again.
        nights.load(
            r#"[{"id":1,"createdAt":"2026-09-05","lines":[{"n":3}]},{"id":2,"createdAt":"2026-10-05","lines":[]}]"#,
        );
        let left = nights.rows("orders__lines", &["n", "created_at"]);
        match disposition {
            "append" => assert_eq!(left.len(), 4),
            _ => assert_eq!(left, ["3 | null"], "{disposition}"),
        }
        nights.workplace.flowlake(&["verify", "test.toml"]).success();
    }
}

#[test]
fn r07_no_column_of_a_child_has_the_name_of_a_directory_that_it_has_or_could_get() {
    let nights = nights("partition_by = [\"status\"]\n");
    nights.load(
        r#"[{"id":1,"status":"sent","lines":[{"status":"open","status_partition":"a","orders_status_partition":"b"}]}]"#,
    );
    assert_eq!(nights.lake().partitions("orders__lines"), ["orders_status_partition=sent"]);
    let columns = nights.columns("orders__lines");
    let taken = ["status_partition ", "orders_status_partition "];
    assert!(
        columns.iter().all(|column| taken.iter().all(|it| !column.starts_with(it))),
        "{columns:?}"
    );
    assert_eq!(
        columns.iter().filter(|it| it.contains("status_partition_")).count(),
        2,
        "{columns:?}"
    );
}

#[test]
fn r07_the_type_of_a_childs_own_column_may_change_beside_the_partition_of_its_parent() {
    let nights = nights(
        "write_disposition = \"append\"\nschema_contract = { data_type = \"evolve\" }\npartition_by = [\"status\"]\n",
    );
    nights.load(r#"[{"id":1,"status":"sent","lines":[{"status":1}]}]"#);
    nights.load(r#"[{"id":2,"status":"sent","lines":[{"status":1.5}]}]"#);
    assert_eq!(nights.rows("orders__lines", &["status"]), ["1.0", "1.5"]);
}

#[test]
fn r07_partitions_whose_names_with_the_parent_would_be_one_all_name_it() {
    let nights = Nights::of(
        "[[tables]]\nname = \"a\"\nprimary_key = [\"id\"]\npartition_by = [\"b\", \"a_b\"]\n",
    );
    nights.load(r#"[{"id":1,"b":"x","a_b":"y","lines":[{"b":1}]}]"#);
    assert_eq!(nights.lake().partitions("a__lines"), ["a_b_partition=x/a_a_b_partition=y"]);
}
