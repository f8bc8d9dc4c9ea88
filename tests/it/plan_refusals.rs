//! What a run refuses whatever its export has, `plan` refuses before anything is asked for.

use crate::values::nights::Nights;

const EXPORT: &str = r#"[{"id":1,"n":1,"at":"2026-01-05","o":{"a":1},"lines":[{"n":1,"m":2}]}]"#;

/// A table `t` with these settings and what follows it.
fn table(settings: &str, more: &str) -> String {
    format!("[[tables]]\nname = \"t\"\nwrite_disposition = \"merge\"\n{settings}\n{more}\n")
}

/// A plan and a run of another definition are refused with the same words and exit code 2.
#[track_caller]
fn check(before: &str, after: &str, words: &str) {
    let nights = Nights::of(before);
    nights.load(EXPORT);
    let loaded = nights.lake().snapshot();
    nights.redefine(after);
    let requests = nights.source.requests().len();
    let plan = nights.workplace.flowlake(&["plan", "test.toml"]);
    assert_eq!(plan.code, 2, "{after}: {}{}", plan.stdout, plan.stderr);
    let refused = plan.stdout.lines().last().unwrap();
    let refused =
        refused.strip_prefix("refused      ").unwrap_or_else(|| panic!("{}", plan.stdout));
    assert!(refused.contains(words), "{refused}");
    assert!(plan.stderr.contains("help: "), "{}", plan.stderr);
    let json = nights.workplace.flowlake(&["plan", "test.toml", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &shown["refused"]), (2, &refused.into()));
    assert_eq!(nights.source.requests().len(), requests, "a plan asks nobody");
    let run = nights.night(EXPORT);
    assert_eq!(run.code, 2, "{after}: {}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(refused), "{refused}: {}", run.stderr);
    // Only the report of the run that was refused is new, and the export that it received.
    let mut left = nights.lake().snapshot();
    left.retain(|path, _| {
        !["runs", "landing"].iter().any(|it| path.components().any(|part| part.as_os_str() == *it))
    });
    assert!(left.iter().all(|(path, hash)| loaded.get(path) == Some(hash)), "nothing has changed");
}

const KEY: &str = "primary_key = [\"id\"]";

#[test]
fn plan_refuses_another_key_whether_its_columns_are_there_or_not() {
    for key in ["[\"n\"]", "[\"id\", \"n\"]", "[\"number\"]"] {
        let after = table(&format!("primary_key = {key}"), "");
        check(
            &table(KEY, ""),
            &after,
            "has rows with another key than the definition says now: id",
        );
    }
    let lines =
        "[[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\nprimary_key = ";
    let of_lines = |key: &str| table(KEY, &format!("{lines}{key}"));
    check(&of_lines("[\"n\"]"), &of_lines("[\"m\"]"), "`lines` has rows with another key");
    check(&of_lines("[\"n\"]"), &of_lines("[\"no\"]"), "`lines` has rows with another key");
}

#[test]
fn plan_refuses_a_key_of_which_one_value_has_several_texts() {
    let with = |key: &str, declared: &str| {
        table(&format!("primary_key = [\"{key}\"]"), &format!("[tables.columns]\n{declared}\n"))
    };
    for (key, before, now) in [
        ("at", "", "at = \"string\""),
        ("at", "at = \"timestamp\"", "at = \"string\""),
        ("at", "at = \"string\"", "at = \"date\""),
        ("n", "n = \"decimal(18,4)\"", "n = \"string\""),
        ("n", "n = \"float64\"", "n = \"string\""),
        ("n", "n = \"string\"", "n = \"decimal(18,4)\""),
        ("n", "n = \"string\"", "n = \"int64\""),
    ] {
        let words = format!("`{key}` is in the key of table `t`");
        check(&with(key, before), &with(key, now), &words);
    }
    // An integer has one text.
    let nights = Nights::of(&with("n", ""));
    nights.load(EXPORT).redefine(&with("n", "n = \"string\""));
    nights.load(EXPORT);
    assert_eq!(nights.t(&["n"]), ["\"1\""]);
}

#[test]
fn plan_refuses_what_would_lose_the_past() {
    let with = |settings: &str| table(&format!("{KEY}\n{settings}"), "");
    check(
        &with("history = true"),
        &with(""),
        "`t` has a history, `t__history`, which the definition does not keep",
    );
    check(&with("deletes = \"mark\""), &with(""), "`t` has rows of the past");
}

#[test]
fn plan_refuses_other_partitions_and_forms_of_columns() {
    let with = |settings: &str| table(&format!("{KEY}\n{settings}"), "");
    let (months, days) = ("partition_by = [\"month(at)\"]", "partition_by = [\"day(at)\"]");
    check(&with(""), &with(months), "has files in other partitions than `partition_by` says now");
    check(&with(months), &with(days), "has files in other partitions than `partition_by` says now");
    check(&with(months), &with(""), "has files in other partitions than `partition_by` says now");
    check(&with(""), &table(KEY, "[tables.columns]\nn = \"json\""), "is declared as json now");
    let carrying = |columns: &str| {
        let lines = "[[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"";
        table(KEY, &format!("{lines}\n{columns}"))
    };
    check(&carrying(""), &carrying("parent_columns = [\"n\"]"), "which `parent_columns` says now");
}

#[test]
fn plan_accepts_what_a_run_accepts() {
    let nights = Nights::of(&table(KEY, ""));
    nights.load(EXPORT);
    // A column that is still to come may be named, and a table that is replaced may have any key.
    for after in [
        table(KEY, "[tables.columns]\nlater = { type = \"date\", from = \"/later\" }"),
        table(&format!("{KEY}\nsort_by = [\"n\"]"), ""),
        table("primary_key = [\"n\"]", "").replace("merge", "replace"),
    ] {
        nights.redefine(&after);
        let plan = nights.workplace.flowlake(&["plan", "test.toml"]);
        assert_eq!(plan.code, 0, "{after}: {}{}", plan.stdout, plan.stderr);
        assert!(!plan.stdout.contains("refused"), "{}", plan.stdout);
        nights.load(EXPORT);
    }
}
