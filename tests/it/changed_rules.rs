//! A night that brings the same export after the definition has changed.

use serde_json::Value;

use crate::support::{Finished, Source, Workplace};

const EXPORT: &str = r#"[{"id":1,"n":1},{"id":2,"n":2},{"id":3,"n":"x"}]"#;

struct Night {
    disposition: &'static str,
    source: Source,
    workplace: Workplace,
}

impl Night {
    /// One night of three records, of which one waits.
    fn of(disposition: &'static str) -> Self {
        let source = Source::serving(EXPORT);
        let workplace = Workplace::asking(&source);
        let night = Self { disposition, source, workplace };
        night.define("", "", "n = \"int64\"");
        night.run().success();
        night
    }

    fn define(&self, before: &str, table: &str, columns: &str) {
        let more =
            if self.disposition == "overwrite_partitions" { "partition_by = [\"id\"]" } else { "" };
        self.workplace.define(&format!(
            "{before}\n[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"{}\"\n{more}\n{table}\n\
             [tables.columns]\n{columns}",
            self.disposition
        ));
    }

    fn run(&self) -> Finished {
        self.workplace.run()
    }

    fn counts<const N: usize>(&self, counts: [&str; N]) -> [usize; N] {
        counts.map(|count| {
            self.workplace.lake().ledger()["t"].get(count).copied().unwrap_or_default()
        })
    }
}

const COUNTS: [&str; 4] = ["received", "unchanged", "quarantined", "waiting_already"];

#[test]
fn p1_records_that_wait_are_no_unchanged_rows_when_the_same_export_comes_again() {
    for disposition in ["append", "merge", "replace", "overwrite_partitions"] {
        let night = Night::of(disposition);
        let again = night.run();
        assert!(again.stdout.contains("nothing new"), "{disposition}: {}", again.stdout);
        assert_eq!(night.counts(COUNTS), [3, 2, 1, 1], "{disposition}");
        assert!(again.stderr.contains("1 row is in quarantine"), "{disposition}: {}", again.stderr);
        // What was taken in since is a row like the others.
        if disposition == "merge" {
            night.define("", "", "n = \"string\"");
            night.workplace.flowlake(&["quarantine", "retry", "test.toml"]).success();
            night.define("", "", "n = \"int64\"");
            night.workplace.flowlake(&["run", "test.toml", "--run-id", "third"]);
            night.workplace.flowlake(&["quarantine", "drop", "lake", "--yes"]).success();
        }
    }
}

#[test]
fn p9_changed_limits_hold_for_the_same_export() {
    for disposition in ["merge", "replace", "overwrite_partitions"] {
        for (limits, code) in [
            ("max_quarantined = 0", 3),
            ("max_quarantined = 1", 0),
            ("max_quarantined = \"10%\"", 3),
            ("min_records = 4", 6),
        ] {
            let night = Night::of(disposition);
            let before = night.workplace.lake().manifest("t");
            night.define(&format!("[limits]\n{limits}"), "", "n = \"int64\"");
            let again = night.run();
            assert_eq!(
                again.code, code,
                "{disposition}, {limits}: {}{}",
                again.stdout, again.stderr
            );
            let after = night.workplace.lake().manifest("t");
            assert_eq!(before["files"], after["files"], "P3: {disposition}, {limits}");
        }
    }
}

#[test]
fn changed_checks_and_types_hold_for_the_same_export() {
    for disposition in ["merge", "replace", "overwrite_partitions"] {
        let night = Night::of(disposition);
        night.define("", "checks = [{ range = \"n\", max = 1 }]", "n = \"int64\"");
        night.run().success();
        let [quarantined] = night.counts(["quarantined"]);
        assert_eq!(quarantined, 2, "{disposition}");
        night.define(
            "",
            "checks = [{ range = \"n\", max = 1, on_failure = \"fail\" }]",
            "n = \"int64\"",
        );
        assert_eq!(night.run().code, 6, "{disposition}");
        night.define("", "", "n = \"string\"");
        night.run().success();
        assert_eq!(night.counts(["quarantined"]), [0], "{disposition}");
        assert_eq!(night.workplace.lake().quarantine("t"), [] as [Value; 0], "{disposition}");
    }
}

#[test]
fn an_appended_export_is_told_with_the_commands_that_apply_what_has_changed() {
    let told = "this export was appended before, and the definition has changed since";
    for (limits, table, columns) in [
        ("[limits]\nmax_quarantined = 0", "", "n = \"int64\""),
        ("", "checks = [{ range = \"n\", max = 1 }]", "n = \"int64\""),
        ("", "", "n = \"string\""),
    ] {
        let night = Night::of("append");
        assert!(!night.run().stderr.contains(told));
        night.define(limits, table, columns);
        let again = night.run();
        assert_eq!(again.code, 0, "{}", again.stderr);
        for said in [told, "`flowlake quarantine retry`", "`flowlake run --again`"] {
            assert!(again.stderr.contains(said), "{said}: {}", again.stderr);
        }
        assert_eq!(night.counts(COUNTS), [3, 2, 1, 1]);
        // An export without records has nothing that could be applied to.
        night.source.serve("[]");
        night.run().success();
        night.define("", "", "n = \"float64\"");
        assert!(!night.run().stderr.contains(told));
    }
    // The commands do as they say.
    let night = Night::of("append");
    night.define("[limits]\nmax_quarantined = 0", "", "n = \"int64\"");
    assert_eq!(night.workplace.flowlake(&["run", "test.toml", "--again"]).code, 3);
    night.define("", "", "n = \"string\"");
    night.workplace.flowlake(&["quarantine", "retry", "test.toml"]).success();
    assert_eq!(night.workplace.lake().rows("t").height(), 3);
}

#[test]
fn a_run_of_one_table_is_no_changed_definition() {
    let source = Source::serving(r#"{"t":[{"id":1}],"u":[{"id":1}]}"#);
    let workplace = Workplace::asking(&source);
    let table = |name: &str| {
        format!(
            "[[tables]]\nname = \"{name}\"\nrecords = \"/{name}\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n"
        )
    };
    workplace.define(&(table("t") + &table("u")));
    for arguments in [&["--table", "t"][..], &[], &["--table", "u"], &[]] {
        let all: Vec<&str> = ["run", "test.toml"].iter().chain(arguments).copied().collect();
        let run = workplace.flowlake(&all);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(!run.stderr.contains("appended before"), "{arguments:?}: {}", run.stderr);
    }
}
