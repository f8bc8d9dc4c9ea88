//! Halves of last week's backup, each put into a copy of the lake of today.

use super::machine::Machine;
use super::{AFTER_RESTORE, RESTORED, TODAY};

/// The files of today that last week's backup does not have, in the order of `verify`.
const NEWER: [(&str, u32); 17] = [
    ("contracts/0000-n3-suppliers.parquet", 2),
    ("events/0000-n3-orders.parquet", 2),
    ("events/0000-n4-orders.parquet", 1),
    ("events/0000-n5-orders.parquet", 2),
    ("lines/at_month=2026-01/0000-n3-orders.parquet", 1),
    ("lines/at_month=2026-02/0000-n4-orders.parquet", 1),
    ("lines/at_month=2026-02/0000-n5-orders.parquet", 1),
    ("lines__history/at_month=2026-01/0000-n3-orders.parquet", 1),
    ("lines__history/at_month=2026-02/0000-n4-orders.parquet", 2),
    ("lines__history/at_month=2026-02/0000-n5-orders.parquet", 1),
    ("orders/at_month=2026-01/0000-n3-orders.parquet", 1),
    ("orders/at_month=2026-02/0000-n4-orders.parquet", 1),
    ("orders/at_month=2026-02/0000-n5-orders.parquet", 2),
    ("orders__history/at_month=2026-01/0000-n3-orders.parquet", 2),
    ("orders__history/at_month=2026-02/0000-n4-orders.parquet", 2),
    ("orders__history/at_month=2026-02/0000-n5-orders.parquet", 2),
    ("suppliers/0000-n5-suppliers.parquet", 3),
];

/// The files of last week that later nights replaced.
const OLDER: [(&str, u32); 4] = [
    ("contracts/0000-n2-suppliers.parquet", 2),
    ("orders/at_month=2026-01/0000-n1-orders.parquet", 1),
    ("orders__history/at_month=2026-01/0000-n1-orders.parquet", 1),
    ("suppliers/0000-n2-suppliers.parquet", 2),
];

const TABLES: [&str; 7] =
    ["contracts", "events", "lines", "lines__history", "orders", "orders__history", "suppliers"];

fn missing(files: &[(&str, u32)]) -> Vec<String> {
    files.iter().map(|(path, rows)| format!("missing: {path}: it had {rows} rows")).collect()
}

fn orphans(files: &[(&str, u32)]) -> Vec<String> {
    files.iter().map(|(path, _)| format!("orphan: {path}")).collect()
}

pub fn tell(machine: &Machine) {
    data_of_last_week(machine);
    own_files_of_last_week(machine);
    one_table_of_last_week(machine);
    a_replaced_table_of_last_week(machine);
    an_appended_table_of_last_week(machine);
    all_of_last_week_over_today(machine);
}

/// Asserts what is found, and that nothing is done about it unless somebody says to go on without what is lost.
#[track_caller]
fn expect_damage(machine: &Machine, findings: &[String]) {
    let findings: Vec<&str> = findings.iter().map(String::as_str).collect();
    let before = machine.data_files("half");
    for options in ["", " --repair"] {
        machine.expect_findings(&format!("verify half{options}"), 7, &findings);
        assert_eq!(machine.data_files("half"), before, "verify{options}");
    }
    assert_eq!(machine.aside("half"), [""; 0]);
}

/// A copy of today's lake, in which one directory is of last week.
fn today_but(machine: &Machine, table: &str) {
    machine.copy("lake", "half");
    machine.remove(&format!("half/{table}"));
    machine.copy(&format!("week/{table}"), &format!("half/{table}"));
}

/// Asserts that one file is too many, and that `--repair` moves it aside.
#[track_caller]
fn expect_one_orphan(machine: &Machine, path: &str) {
    machine.expect_findings("verify half", 3, &[&format!("orphan: {path}")]);
    machine.flowlake("verify half --repair").success();
    assert_eq!(machine.aside("half"), [path]);
}

#[track_caller]
fn expect_refused(machine: &Machine, definition: &str, words: &[&str]) {
    let before = machine.data_files("half");
    let line = format!("run {definition} --as-of 2026-02-13 --set destination.url=half");
    machine.expect_refused(&line, 7, words);
    assert_eq!(machine.data_files("half"), before, "{line}");
}

/// The data files are of last week, `_flowlake` of today. With last week's `_flowlake` too, the next night loads the rest.
fn data_of_last_week(machine: &Machine) {
    machine.copy("week", "half");
    machine.remove("half/_flowlake");
    machine.copy("lake/_flowlake", "half/_flowlake");
    expect_damage(machine, &[missing(&NEWER), orphans(&OLDER)].concat());
    machine.source.serve(AFTER_RESTORE.orders);
    let lost = "a file of the table is missing: `orders/at_month=2026-01/0000-n3-orders.parquet`";
    expect_refused(machine, "orders.toml", &[lost, "`flowlake verify` lists them", "restore them"]);
    machine.source.serve(AFTER_RESTORE.suppliers);
    let lost = "a file of the table is missing: `suppliers/0000-n5-suppliers.parquet`";
    expect_refused(machine, "suppliers.toml", &[lost, "`flowlake run --again`"]);
    machine.remove("half/_flowlake");
    machine.copy("week/_flowlake", "half/_flowlake");
    machine.expect("half", &["events: 1, 2, 3"]);
    machine.night("half", &AFTER_RESTORE);
    machine.expect("half", RESTORED);
    machine.remove("half");
}

/// `_flowlake` is of last week, the data files are of today. Who reads directories still sees today's rows, until last
/// week's files are there and `--repair` moves the later ones aside.
fn own_files_of_last_week(machine: &Machine) {
    machine.copy("lake", "half");
    machine.remove("half/_flowlake");
    machine.copy("week/_flowlake", "half/_flowlake");
    expect_damage(machine, &[missing(&OLDER), orphans(&NEWER)].concat());
    machine.source.serve(AFTER_RESTORE.orders);
    let lost = "a file of the table is missing: `orders/at_month=2026-01/0000-n1-orders.parquet`";
    expect_refused(machine, "orders.toml", &[lost]);
    machine.source.serve(AFTER_RESTORE.suppliers);
    let lost = "a file of the table is missing: `contracts/0000-n2-suppliers.parquet`";
    expect_refused(machine, "suppliers.toml", &[lost]);
    for expected in TODAY {
        let (table, rows) = expected.split_once(": ").unwrap();
        assert_eq!(machine.rows_of_directory("half", table), rows, "{table}");
    }
    for table in TABLES {
        machine.copy(&format!("week/{table}"), &format!("half/{table}"));
    }
    let found = orphans(&NEWER);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    machine.expect_findings("verify half", 3, &found);
    machine.flowlake("verify half --repair").success();
    assert_eq!(machine.aside("half"), NEWER.map(|(path, _)| path));
    machine.expect("half", &["events: 1, 2, 3", "orders: 1 110.00, 2 50.00, 3 30.00"]);
    machine.night("half", &AFTER_RESTORE);
    machine.expect("half", RESTORED);
    machine.remove("half");
}

/// Only the directory of one table is of last week: its pipeline is refused, the other one goes on.
fn one_table_of_last_week(machine: &Machine) {
    today_but(machine, "orders");
    expect_damage(machine, &[missing(&NEWER[10..13]), orphans(&OLDER[1..2])].concat());
    machine.source.serve(AFTER_RESTORE.orders);
    let lost = "a file of the table is missing: `orders/at_month=2026-01/0000-n3-orders.parquet`";
    expect_refused(machine, "orders.toml", &[lost]);
    machine.suppliers_night("half", &AFTER_RESTORE).success();
    // The directory of today, and nothing but the file of last week is left to move aside.
    machine.copy("lake/orders", "half/orders");
    expect_one_orphan(machine, "orders/at_month=2026-01/0000-n1-orders.parquet");
    machine.expect("half", TODAY);
    machine.remove("half");
}

/// A table that is replaced needs no backup: it is loaded again.
fn a_replaced_table_of_last_week(machine: &Machine) {
    today_but(machine, "suppliers");
    expect_damage(machine, &[missing(&NEWER[16..]), orphans(&OLDER[3..])].concat());
    machine.source.serve(AFTER_RESTORE.suppliers);
    let lost = "a file of the table is missing: `suppliers/0000-n5-suppliers.parquet`";
    expect_refused(machine, "suppliers.toml", &[lost, "`flowlake run --again`"]);
    machine.flowlake("run suppliers.toml --again --set destination.url=half").success();
    expect_one_orphan(machine, "suppliers/0000-n2-suppliers.parquet");
    machine.expect("half", TODAY);
    machine.remove("half");
}

/// Of a table that is appended to, the latest files are gone.
fn an_appended_table_of_last_week(machine: &Machine) {
    today_but(machine, "events");
    expect_damage(machine, &missing(&NEWER[1..4]));
    machine.source.serve(AFTER_RESTORE.orders);
    let lost = "`events` has lost 3 of its files, such as `events/0000-n3-orders.parquet`";
    expect_refused(machine, "orders.toml", &[lost]);
    machine.copy("lake/events", "half/events");
    machine.expect("half", TODAY);
    machine.remove("half");
}

/// The backup is copied over today's lake, and nothing is deleted before: the lake of today is still there.
fn all_of_last_week_over_today(machine: &Machine) {
    machine.copy("lake", "half");
    machine.copy("week", "half");
    let behind = "behind: _flowlake/snapshot.json: it is of commit 4, and commit 5 is over";
    let found = [vec![behind.to_owned()], orphans(&NEWER)].concat();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    machine.expect_findings("verify half", 7, &found);
    let words = [
        "the snapshot is of commit 4, and commit 5 is over: an older `_flowlake/snapshot.json` was restored",
        "let `flowlake verify --repair` take the newest state whose files are all there",
    ];
    expect_refused(machine, "orders.toml", &words);
    expect_refused(machine, "suppliers.toml", &words);
    machine.flowlake("verify half --repair").success();
    assert_eq!(machine.aside("half"), OLDER.map(|(path, _)| path));
    machine.expect("half", TODAY);
    assert_eq!(machine.loaded("half", "events"), "2026-02-01 until 2026-02-12");
    machine.remove("half");
}
