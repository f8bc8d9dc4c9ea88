//! The story of one lake: it is loaded, copied, restored, half restored, taken over by another pipeline, its window is
//! moved, and one night the clock of its machine is a year ahead. Every row, code and message was written by hand.

mod half_restored;
mod machine;

use chrono::{SecondsFormat, TimeDelta, Utc};
use machine::{Machine, Night, ORDERS};

#[test]
fn a_lake_is_copied_restored_taken_over_and_loaded_by_a_wrong_clock() {
    let machine = Machine::new();
    ordinary_nights(&machine);
    copied_to_another_place(&machine);
    half_restored::tell(&machine);
    restored_from_last_week(&machine);
    run_by_another_pipeline(&machine);
    window_moved_back(&machine);
    window_moved_forth(&machine);
    clock_a_year_ahead(&machine);
    the_end(&machine);
}

/// Four nights. After the second one a backup is made: `week`.
fn ordinary_nights(machine: &Machine) {
    let night = |run, window, orders, suppliers| {
        machine.night("lake", &Night { run, window, orders, suppliers });
    };
    night(
        "n1",
        ("2026-02-01", "2026-02-02"),
        r#"{"orders":[{"id":1,"at":"2026-02-01","total":100.00,"lines":[{"n":10},{"n":20}]},
            {"id":2,"at":"2026-01-20","total":50.00,"lines":[{"n":30}]}],"events":[{"id":1},{"id":2}]}"#,
        r#"{"suppliers":[{"id":1,"name":"North"},{"id":2,"name":"South"}],
            "contracts":[{"id":1,"state":"open"},{"id":2,"state":"open"}]}"#,
    );
    // An order and one of its lines change, a supplier and a contract go.
    night(
        "n2",
        ("2026-02-02", "2026-02-03"),
        r#"{"orders":[{"id":1,"at":"2026-02-01","total":110.00,"lines":[{"n":10},{"n":25}]},
            {"id":3,"at":"2026-02-02","total":30.00,"lines":[]}],"events":[{"id":3}]}"#,
        r#"{"suppliers":[{"id":1,"name":"North"},{"id":3,"name":"East"}],
            "contracts":[{"id":1,"state":"open"}]}"#,
    );
    machine.expect(
        "lake",
        &[
            "orders: 1 110.00, 2 50.00, 3 30.00",
            "lines: 1 10, 1 25, 2 30",
            "orders__history: 1 100.00 past, 1 110.00 now, 2 50.00 now, 3 30.00 now",
            "lines__history: 1 10 now, 1 20 past, 1 25 now, 2 30 now",
            "events: 1, 2, 3",
            "suppliers: 1 North, 3 East",
            "contracts: 1 open now, 2 open past",
        ],
    );
    machine.copy("lake", "week");
    // The contract comes back.
    night(
        "n3",
        ("2026-02-03", "2026-02-09"),
        r#"{"orders":[{"id":2,"at":"2026-01-20","total":55.00,"lines":[{"n":30},{"n":31}]},
            {"id":4,"at":"2026-02-08","total":70.00,"lines":[{"n":40}]}],"events":[{"id":4},{"id":5}]}"#,
        r#"{"suppliers":[{"id":1,"name":"North Ltd"},{"id":3,"name":"East"}],
            "contracts":[{"id":1,"state":"closed"},{"id":2,"state":"open"}]}"#,
    );
    night(
        "n4",
        ("2026-02-09", "2026-02-10"),
        r#"{"orders":[{"id":4,"at":"2026-02-08","total":75.00,"lines":[{"n":41}]}],"events":[{"id":6}]}"#,
        r#"{"suppliers":[{"id":1,"name":"North Ltd"},{"id":3,"name":"East"}],
            "contracts":[{"id":1,"state":"closed"},{"id":2,"state":"open"}]}"#,
    );
}

/// A copy and its original go on, each by its own.
fn copied_to_another_place(machine: &Machine) {
    let original = machine.files("lake");
    machine.copy("lake", "copy");
    machine.expect(
        "copy",
        &["orders: 1 110.00, 2 55.00, 3 30.00, 4 75.00", "events: 1, 2, 3, 4, 5, 6"],
    );
    let suppliers = r#"{"suppliers":[{"id":1,"name":"North Ltd"},{"id":3,"name":"East"},{"id":4,"name":"West"}],
        "contracts":[{"id":1,"state":"closed"},{"id":2,"state":"open"}]}"#;
    let there = Night {
        run: "there",
        window: ("2026-02-10", "2026-02-11"),
        orders: r#"{"orders":[{"id":5,"at":"2026-02-10","total":90.00,"lines":[{"n":50}]}],"events":[{"id":7}]}"#,
        suppliers,
    };
    machine.night("copy", &there);
    machine.expect(
        "copy",
        &[
            "orders: 1 110.00, 2 55.00, 3 30.00, 4 75.00, 5 90.00",
            "lines: 1 10, 1 25, 2 30, 2 31, 4 41, 5 50",
            "events: 1, 2, 3, 4, 5, 6, 7",
            "suppliers: 1 North Ltd, 3 East, 4 West",
            "contracts: 1 closed now, 2 open now",
        ],
    );
    assert_eq!(machine.files("lake"), original, "the original is as it was");
    let copied = machine.files("copy");
    let here = Night {
        run: "n5",
        window: ("2026-02-10", "2026-02-12"),
        orders: r#"{"orders":[{"id":5,"at":"2026-02-10","total":90.00,"lines":[{"n":50}]},
            {"id":6,"at":"2026-02-11","total":60.00}],"events":[{"id":7},{"id":8}]}"#,
        suppliers,
    };
    machine.night("lake", &here);
    assert_eq!(machine.files("copy"), copied, "the copy is as it was");
    machine.expect("lake", TODAY);
    assert_eq!(machine.loaded("copy", "events"), "2026-02-01 until 2026-02-11");
    assert_eq!(machine.loaded("lake", "events"), "2026-02-01 until 2026-02-12");
}

/// The tables after five nights.
const TODAY: &[&str] = &[
    "orders: 1 110.00, 2 55.00, 3 30.00, 4 75.00, 5 90.00, 6 60.00",
    "lines: 1 10, 1 25, 2 30, 2 31, 4 41, 5 50",
    "orders__history: 1 100.00 past, 1 110.00 now, 2 50.00 past, 2 55.00 now, 3 30.00 now, 4 70.00 past, \
     4 75.00 now, 5 90.00 now, 6 60.00 now",
    "lines__history: 1 10 now, 1 20 past, 1 25 now, 2 30 now, 2 31 now, 4 40 past, 4 41 now, 5 50 now",
    "events: 1, 2, 3, 4, 5, 6, 7, 8",
    "suppliers: 1 North Ltd, 3 East, 4 West",
    "contracts: 1 closed now, 2 open now",
];

/// The night after the lake of last week was restored: it asks for all that has come since.
const AFTER_RESTORE: Night<'_> = Night {
    run: "n6",
    window: ("2026-02-03", "2026-02-13"),
    orders: r#"{"orders":[{"id":2,"at":"2026-01-20","total":55.00,"lines":[{"n":30},{"n":31}]},
        {"id":4,"at":"2026-02-08","total":75.00,"lines":[{"n":41}]},
        {"id":5,"at":"2026-02-10","total":90.00,"lines":[{"n":50}]},
        {"id":6,"at":"2026-02-11","total":60.00},
        {"id":7,"at":"2026-02-12","total":70.00,"lines":[{"n":70}]}],
        "events":[{"id":4},{"id":5},{"id":6},{"id":7},{"id":8},{"id":9}]}"#,
    suppliers: r#"{"suppliers":[{"id":1,"name":"North Ltd"},{"id":3,"name":"East"},{"id":4,"name":"West"}],
        "contracts":[{"id":1,"state":"closed"},{"id":2,"state":"open"}]}"#,
};

/// The tables after that night. What order 4 was in between nobody knows any more.
const RESTORED: &[&str] = &[
    "orders: 1 110.00, 2 55.00, 3 30.00, 4 75.00, 5 90.00, 6 60.00, 7 70.00",
    "lines: 1 10, 1 25, 2 30, 2 31, 4 41, 5 50, 7 70",
    "orders__history: 1 100.00 past, 1 110.00 now, 2 50.00 past, 2 55.00 now, 3 30.00 now, 4 75.00 now, \
     5 90.00 now, 6 60.00 now, 7 70.00 now",
    "lines__history: 1 10 now, 1 20 past, 1 25 now, 2 30 now, 2 31 now, 4 41 now, 5 50 now, 7 70 now",
    "events: 1, 2, 3, 4, 5, 6, 7, 8, 9",
    "suppliers: 1 North Ltd, 3 East, 4 West",
    "contracts: 1 closed now, 2 open now",
];

/// All of last week's backup: the next night loads what is missing, once.
fn restored_from_last_week(machine: &Machine) {
    machine.remove("lake");
    machine.copy("week", "lake");
    machine.expect("lake", &["events: 1, 2, 3", "contracts: 1 open now, 2 open past"]);
    machine.night("lake", &AFTER_RESTORE);
    machine.expect("lake", RESTORED);
    assert_eq!(machine.loaded("lake", "orders"), "2026-02-01 until 2026-02-13");
    assert_eq!(machine.loaded("lake", "events"), "2026-02-01 until 2026-02-13");
    // The same time again has nothing to ask for.
    let before = machine.lake("lake").snapshot();
    let again = machine.flowlake("run orders.toml --as-of 2026-02-13").success();
    assert!(again.starts_with("orders: nothing new: "), "{again}");
    assert_eq!(machine.lake("lake").snapshot(), before);
}

/// A definition with another name is refused until it is told to take over; from then on the first one is.
fn run_by_another_pipeline(machine: &Machine) {
    let nightly = ORDERS.replace("name = \"orders\"\n\n[source]", "name = \"nightly\"\n\n[source]");
    machine.define("nightly.toml", &nightly);
    let before = machine.lake("lake").snapshot();
    let words = ["`orders` is written by pipeline `orders`", "run it once with `--take-over`"];
    machine.expect_refused("run nightly.toml --as-of 2026-02-14", 2, &words);
    machine.expect_refused("watermark set nightly.toml 2026-02-01", 2, &words);
    let plan = machine.flowlake("plan nightly.toml --as-of 2026-02-14");
    assert_eq!(plan.code, 2, "{}", plan.stderr);
    let refused = "refused      `orders` is written by pipeline `orders`\n";
    assert!(plan.stdout.ends_with(refused), "{}", plan.stdout);
    let plan = machine.flowlake("plan nightly.toml --as-of 2026-02-14 --take-over").success();
    assert!(!plan.contains("refused"), "{plan}");
    assert_eq!(machine.lake("lake").snapshot(), before);
    machine.source.serve(
        r#"{"orders":[{"id":8,"at":"2026-02-13","total":80.00,"lines":[{"n":80}]}],"events":[{"id":10}]}"#,
    );
    machine
        .flowlake("run nightly.toml --as-of 2026-02-14 --run-id n7-orders --take-over")
        .success();
    // It goes on where the first one stopped.
    assert_eq!(machine.last_window(), "from=2026-02-13&to=2026-02-14");
    let words = ["`orders` is written by pipeline `nightly`", "run it once with `--take-over`"];
    machine.expect_refused("run orders.toml --as-of 2026-02-15", 2, &words);
    let words = ["`events` is written by pipeline `nightly`"];
    machine.expect_refused("run orders.toml --as-of 2026-02-15 --table events", 2, &words);
    let shown = machine.flowlake("watermark show nightly.toml").success();
    assert!(shown.contains("2026-02-01T00:00:00Z  2026-02-14T00:00:00Z  nightly"), "{shown}");
    // Who writes other tables is not concerned.
    let night = Night { run: "n7", ..AFTER_RESTORE };
    assert!(machine.suppliers_night("lake", &night).success().contains("nothing new"));
    machine.expect("lake", &["events: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10", RESTORED[5], RESTORED[6]]);
    machine.expect(
        "lake",
        &["orders: 1 110.00, 2 55.00, 3 30.00, 4 75.00, 5 90.00, 6 60.00, 7 70.00, 8 80.00"],
    );
}

fn move_window(machine: &Machine, start: &str) {
    let nightly = std::fs::read_to_string(machine.path("nightly.toml")).unwrap();
    let (before, rest) = nightly.split_once("\nstart = ").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    machine.define("nightly.toml", &format!("{before}\nstart = {start}\n{after}"));
}

/// Older data is wanted: the command that loads it is told, and loads it once.
fn window_moved_back(machine: &Machine) {
    move_window(machine, "2026-01-15");
    let gap = "`window.start` is 2026-01-15T00:00:00Z, and the table is loaded from 2026-02-01T00:00:00Z on; \
               what is between is loaded by a run with `--from 2026-01-15T00:00:00Z --to 2026-02-01T00:00:00Z`";
    let plan = machine.flowlake("plan nightly.toml --as-of 2026-02-15").success();
    for table in ["orders", "events"] {
        assert!(plan.contains(&format!("not loaded   {table}: {gap}")), "{plan}");
    }
    let night = Night {
        run: "n8",
        window: ("2026-02-14", "2026-02-15"),
        orders: r#"{"orders":[],"events":[{"id":11}]}"#,
        suppliers: "",
    };
    let finished = machine.orders_night("lake", "nightly.toml", &night);
    assert_eq!(
        (finished.code, finished.stderr.matches(gap).count()),
        (0, 2),
        "{}",
        finished.stderr
    );
    machine.source.serve(
        r#"{"orders":[{"id":9,"at":"2026-01-16","total":16.00,"lines":[{"n":90}]}],"events":[{"id":12}]}"#,
    );
    machine
        .flowlake("run nightly.toml --from 2026-01-15T00:00:00Z --to 2026-02-01T00:00:00Z")
        .success();
    assert_eq!(machine.last_window(), "from=2026-01-15&to=2026-02-01");
    for table in ["orders", "events"] {
        assert_eq!(machine.loaded("lake", table), "2026-01-15 until 2026-02-15");
    }
    let plan = machine.flowlake("plan nightly.toml --as-of 2026-02-16").success();
    assert!(!plan.contains("not loaded"), "{plan}");
    machine.expect("lake", &["events: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"]);
}

/// Some weeks are not wanted: the gap is told in the night that leaves it, with the command that loads it after all.
fn window_moved_forth(machine: &Machine) {
    move_window(machine, "2099-01-01");
    let words = ["`window.start` 2099-01-01 00:00:00 UTC is in the future"];
    machine.expect_refused("run nightly.toml --as-of 2026-03-02", 2, &words);
    move_window(machine, "2026-03-01");
    let plan = machine.flowlake("plan nightly.toml --as-of 2026-02-20").success();
    let nothing =
        "window       2026-03-01T00:00:00Z to 2026-02-20T00:00:00Z, nothing to ask for yet\n";
    assert!(plan.contains(nothing), "{plan}");
    let night = Night {
        run: "n9",
        window: ("2026-03-01", "2026-03-02"),
        orders: r#"{"orders":[{"id":10,"at":"2026-03-01","total":10.00,"lines":[{"n":100}]}],"events":[{"id":13}]}"#,
        suppliers: "",
    };
    let finished = machine.orders_night("lake", "nightly.toml", &night);
    let gap = "`window.start` is 2026-03-01T00:00:00Z, and the table is loaded until 2026-02-15T00:00:00Z; \
               what is between is loaded by a run with `--from 2026-02-15T00:00:00Z --to 2026-03-01T00:00:00Z`";
    assert_eq!(
        (finished.code, finished.stderr.matches(gap).count()),
        (0, 2),
        "{}",
        finished.stderr
    );
    assert_eq!(machine.loaded("lake", "events"), "2026-03-01 until 2026-03-02");
    machine
        .source
        .serve(r#"{"orders":[{"id":11,"at":"2026-02-20","total":11.00}],"events":[{"id":14}]}"#);
    machine
        .flowlake("run nightly.toml --from 2026-02-15T00:00:00Z --to 2026-03-01T00:00:00Z")
        .success();
    assert_eq!(machine.last_window(), "from=2026-02-15&to=2026-03-01");
    for table in ["orders", "events"] {
        assert_eq!(machine.loaded("lake", table), "2026-01-15 until 2026-03-02");
    }
    machine.expect("lake", &["events: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14"]);
}

/// One night the clock is a year ahead. The next one says so, and goes on once the watermark is put right.
fn clock_a_year_ahead(machine: &Machine) {
    let ahead = Utc::now() + TimeDelta::days(365);
    let shown = ahead.to_rfc3339_opts(SecondsFormat::Secs, true);
    let orders = r#"{"orders":[{"id":12,"at":"2026-03-02","total":12.00,"lines":[{"n":120}]}],"events":[{"id":15}]}"#;
    machine.night_by_clock("nightly.toml", "n10-orders", orders, ahead);
    assert_eq!(machine.last_window(), format!("from=2026-03-02&to={}", &shown[..10]));
    let suppliers = r#"{"suppliers":[{"id":1,"name":"North Ltd"},{"id":4,"name":"West"}],
        "contracts":[{"id":1,"state":"closed"}]}"#;
    machine.night_by_clock("suppliers.toml", "n10-suppliers", suppliers, ahead);
    machine.expect(
        "lake",
        &["suppliers: 1 North Ltd, 4 West", "contracts: 1 closed now, 2 open past"],
    );
    let (before, requests) = (machine.lake("lake").snapshot(), machine.source.requests().len());
    let words = ["the watermark ", "is in the future", "`flowlake watermark set`"];
    machine.expect_refused("run nightly.toml --as-of 2026-03-04", 2, &words);
    machine.expect_refused("plan nightly.toml", 2, &words);
    let asked = machine.source.requests().len();
    assert_eq!((machine.lake("lake").snapshot(), asked), (before, requests), "nothing is done");
    let table = machine.flowlake("watermark show nightly.toml").success();
    assert_eq!(
        table.matches(&format!("2026-01-15T00:00:00Z  {shown}  nightly")).count(),
        2,
        "{table}"
    );
    let set = machine.flowlake("watermark set nightly.toml 2026-03-03").success();
    let expected = format!(
        "orders: {shown} -> 2026-03-03T00:00:00Z\nevents: {shown} -> 2026-03-03T00:00:00Z\n\
         events is appended to: the next run loads the records in between a second time\n"
    );
    assert_eq!(set, expected);
    let night = Night {
        run: "n11",
        window: ("2026-03-03", "2026-03-04"),
        orders: r#"{"orders":[{"id":12,"at":"2026-03-02","total":12.50,"lines":[{"n":120}]}],"events":[{"id":16}]}"#,
        suppliers: r#"{"suppliers":[{"id":1,"name":"North Ltd"},{"id":4,"name":"West"}],
            "contracts":[{"id":1,"state":"closed"},{"id":2,"state":"open"}]}"#,
    };
    let finished = machine.orders_night("lake", "nightly.toml", &night);
    let warning = format!(
        "the clock of an earlier run was ahead: until {shown} all versions of the history begin at that time"
    );
    assert_eq!(
        (finished.code, finished.stderr.matches(&warning).count()),
        (0, 1),
        "{}",
        finished.stderr
    );
    machine.suppliers_night("lake", &night).success();
}

/// All tables, to the last row.
fn the_end(machine: &Machine) {
    machine.expect(
        "lake",
        &[
            "orders: 1 110.00, 2 55.00, 3 30.00, 4 75.00, 5 90.00, 6 60.00, 7 70.00, 8 80.00, 9 16.00, 10 10.00, \
             11 11.00, 12 12.50",
            "lines: 1 10, 1 25, 2 30, 2 31, 4 41, 5 50, 7 70, 8 80, 9 90, 10 100, 12 120",
            "orders__history: 1 100.00 past, 1 110.00 now, 2 50.00 past, 2 55.00 now, 3 30.00 now, 4 75.00 now, \
             5 90.00 now, 6 60.00 now, 7 70.00 now, 8 80.00 now, 9 16.00 now, 10 10.00 now, 11 11.00 now, \
             12 12.00 past, 12 12.50 now",
            "lines__history: 1 10 now, 1 20 past, 1 25 now, 2 30 now, 2 31 now, 4 41 now, 5 50 now, 7 70 now, \
             8 80 now, 9 90 now, 10 100 now, 12 120 now",
            "events: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16",
            "suppliers: 1 North Ltd, 4 West",
            "contracts: 1 closed now, 2 open now",
        ],
    );
    assert_eq!(machine.loaded("lake", "orders"), "2026-01-15 until 2026-03-04");
    assert_eq!(machine.loaded("lake", "events"), "2026-01-15 until 2026-03-04");
    assert_eq!(machine.aside("lake"), [""; 0]);
    let tables = [
        "contracts",
        "events",
        "lines",
        "lines__history",
        "orders",
        "orders__history",
        "suppliers",
    ];
    assert_eq!(machine.lake("lake").tables(), tables);
}
