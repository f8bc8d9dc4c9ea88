//! `flowlake demo` and the definitions in `pipelines/`.

use std::path::Path;

use serde_json::Value;

use crate::support::Workplace;

fn export(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// How many items the lists under `path` have in all, counted in the JSON.
fn count(value: &Value, path: &[&str]) -> usize {
    match (value, path) {
        (Value::Array(items), []) => items.len(),
        (Value::Array(items), path) => items.iter().map(|item| count(item, path)).sum(),
        (value, [key, rest @ ..]) => count(&value[key], rest),
        (_, []) => panic!("not a list"),
    }
}

#[test]
fn row_counts_are_those_of_the_json_and_partitions_are_months() {
    let workplace = Workplace::empty();
    workplace.flowlake(&["demo"]).success();
    for (lake, export, tables) in [
        (
            "purchasing",
            export("purchasing.json"),
            &[
                ("purchase_requisitions", &["purchaseRequisitions"][..]),
                ("purchase_requisition_lines", &["purchaseRequisitions", "lines"]),
                ("purchase_requisitions__approvals", &["purchaseRequisitions", "approvals"]),
                ("purchase_orders", &["purchaseOrders"]),
                ("purchase_order_lines", &["purchaseOrders", "lines"]),
                ("purchase_orders__approvals", &["purchaseOrders", "approvals"]),
                ("purchase_orders__attachments", &["purchaseOrders", "attachments"]),
            ][..],
        ),
        (
            "e-sourcing",
            export("e-sourcing.json"),
            &[
                ("events", &["events"][..]),
                ("events__lots", &["events", "lots"]),
                ("events__invited_suppliers", &["events", "invitedSuppliers"]),
                ("bids", &["events", "bids"]),
                ("bid_prices", &["events", "bids", "prices"]),
                ("awards", &["events", "awards"]),
            ],
        ),
    ] {
        let lake = crate::support::Lake::at(&workplace.path().join("lake").join(lake));
        let mut names: Vec<_> = tables.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        assert_eq!(lake.tables(), names);
        for (table, path) in tables {
            assert_eq!(lake.rows(table).height(), count(&export, path), "{table}");
            for partition in lake.partitions(table) {
                assert!(partition.starts_with("created_at_month=202"), "{table}: {partition}");
            }
        }
    }
}

#[test]
fn p4_exact_sums_of_money_are_those_of_the_json() {
    let workplace = Workplace::empty();
    workplace.flowlake(&["demo"]).success();
    let lake = crate::support::Lake::at(&workplace.path().join("lake/purchasing"));
    let cents = |text: &str| text.replace('.', "").parse::<i128>().unwrap();
    let in_lake: i128 =
        lake.column("purchase_orders", "total_amount").iter().map(|text| cents(text)).sum();
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/purchasing.json"));
    let text = text.unwrap();
    let amounts = regex::Regex::new(r#""totalAmount":([0-9]+\.[0-9]{2})[,}]"#).unwrap();
    let in_json: i128 = amounts.captures_iter(&text).map(|found| cents(&found[1])).sum();
    assert_eq!(in_lake, in_json);
    assert!(in_json > 0);
}

#[test]
fn p3_the_demo_twice_changes_no_file() {
    let workplace = Workplace::empty();
    workplace.flowlake(&["demo"]).success();
    let lake = crate::support::Lake::at(&workplace.path().join("lake/purchasing"));
    let before = lake.snapshot();
    let output = workplace.flowlake(&["demo"]).success();
    assert!(output.contains("nothing new"), "{output}");
    assert_eq!(lake.snapshot(), before);
}

#[test]
fn what_a_newcomer_sees() {
    insta::assert_snapshot!(Workplace::empty().flowlake(&["demo"]).redacted());
}
