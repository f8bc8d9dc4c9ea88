//! F12: an export that was kept is loaded again by another definition, and the source is asked for nothing.

use std::path::{Path, PathBuf};

use crate::support::{Finished, S3Server, Source, Workplace, in_each_format, own_directory};
use crate::values::nights::{Nights, T};

fn reload(nights: &Nights, arguments: &[&str]) -> Finished {
    nights.workplace.flowlake(&[&["reload", "test.toml"], arguments].concat())
}

const MERGE: &str = "write_disposition = \"merge\"\n";
const REPLACE: &str = "write_disposition = \"replace\"\n";

#[test]
fn f12_the_last_export_is_loaded_again_by_the_definition_as_it_is_now() {
    in_each_format(|| {
        for disposition in [MERGE, REPLACE] {
            let nights = Nights::of_t(disposition);
            nights.load(r#"[{"id":1,"price":"10.50","secret":"s","lines":[{"n":1}]}]"#);
            let asked = nights.source.requests().len();
            // What is more is exact: a decimal instead of a text. What was excluded by mistake comes back.
            let exclude = "[tables.columns]\nprice = { exclude = true }\n";
            nights.redefine_t(&format!("{disposition}{exclude}"));
            reload(&nights, &[]).success();
            assert_eq!(nights.columns("t"), ["id int64", "secret string"], "{disposition}");
            nights.redefine_t(disposition);
            let told = reload(&nights, &[]).success();
            assert!(told.contains("loaded again: the export that run "), "{told}");
            assert_eq!(nights.t(&["id", "price"]), ["1 | \"10.50\""]);
            assert_eq!(nights.rows("t__lines", &["t__id", "n"]), ["1 | 1"]);
            let told = reload(&nights, &[]).success();
            assert!(told.contains("nothing new"), "{told}");
            assert_eq!(nights.source.requests().len(), asked, "the source is asked for nothing");
            assert_eq!(nights.lake().landed().len(), 1, "it is kept once");
            nights.workplace.flowlake(&["verify", "test.toml"]).success();
        }
    });
}

#[test]
fn f12_a_renamed_table_gets_its_rows_from_kept_exports() {
    let nights = Nights::of_t(MERGE);
    nights.load(r#"[{"id":1,"v":1},{"id":2,"v":1}]"#).load(r#"[{"id":2,"v":2},{"id":3,"v":2}]"#);
    let mut runs: Vec<String> = nights.lake().landed();
    runs.sort();
    let runs: Vec<&str> = runs.iter().map(|name| name.strip_suffix(".json.zst").unwrap()).collect();
    nights.redefine(
        &T.replace("\"t\"", "\"orders\"").replace("[[tables]]", &format!("[[tables]]\n{MERGE}")),
    );
    for run in &runs {
        reload(&nights, &["--run", run]).success();
    }
    assert_eq!(nights.rows("orders", &["id", "v"]), ["1 | 1", "2 | 2", "3 | 2"]);
    assert_eq!(nights.rows("t", &["id", "v"]), ["1 | 1", "2 | 2", "3 | 2"]);
    let reports = nights.workplace.flowlake(&["runs", "--json", "test.toml"]).success();
    let last = reports.lines().next().unwrap();
    assert!(last.contains(&format!("\"reloaded\":\"{}\"", runs[1])), "{last}");
}

#[test]
fn f12_an_export_that_was_refused_is_loaded_once_the_definition_is_corrected() {
    let nights = Nights::of_t(&format!("{MERGE}[tables.columns]\nv = \"int64\"\n"));
    nights.load(r#"[{"id":1,"v":1}]"#);
    let frozen = format!("{MERGE}schema_contract = {{ columns = \"freeze\" }}\n");
    nights.redefine_t(&frozen);
    assert_eq!(nights.night(r#"[{"id":1,"v":1,"new":"x"}]"#).code, 6);
    nights.redefine_t(MERGE);
    let asked = nights.source.requests().len();
    reload(&nights, &[]).success();
    assert_eq!(nights.t(&["id", "v", "new"]), ["1 | 1 | \"x\""]);
    assert_eq!(nights.source.requests().len(), asked);
}

#[test]
fn f12_an_appended_export_is_loaded_again_only_when_asked_for() {
    let nights = Nights::of_t("write_disposition = \"append\"\n");
    nights.load(r#"[{"id":1,"v":1}]"#);
    let told = reload(&nights, &[]);
    assert_eq!(told.code, 0);
    assert!(told.stdout.contains("nothing new"), "{}", told.stdout);
    nights.redefine_t("write_disposition = \"append\"\n[tables.columns]\nv = \"string\"\n");
    let told = reload(&nights, &[]);
    assert!(told.stdout.contains("nothing new"), "{}", told.stdout);
    reload(&nights, &["--again"]).success();
    assert_eq!(nights.t(&["id", "v"]), ["1 | \"1\"", "1 | \"1\""]);
}

/// A source with windows of a month, each with a record.
fn windows() -> Nights {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    let nights = Nights { source, workplace };
    define_windows(&nights, "");
    nights
}

fn define_windows(nights: &Nights, columns: &str) {
    let source = "[source.filters]\nfrom = \"{{ window.start }}\"\nto = \"{{ window.end }}\"\n\
                  [source.window]\nstart = 2026-01-01\nstep = \"P1M\"\n";
    let table = format!("{T}{MERGE}partition_by = [\"month(at)\"]\n{columns}");
    nights.workplace.define_with(source, &table);
}

#[test]
fn f12_all_pieces_of_a_window_are_loaded_again_and_the_watermark_stays() {
    let nights = windows();
    nights.source.serve(r#"[{"id":1,"at":"2026-01-05","v":1}]"#);
    nights.workplace.flowlake(&["run", "--to", "2026-04-01", "test.toml"]).success();
    nights.source.serve(r#"[{"id":1,"at":"2026-01-05","v":2}]"#);
    nights.workplace.flowlake(&["run", "--to", "2026-05-01", "test.toml"]).success();
    let asked = nights.source.requests().len();
    let snapshot = || nights.lake().json(&format!("{}/snapshot.json", own_directory()));
    let loaded = snapshot()["tables"]["t"]["loaded"].clone();
    let kept = nights.lake().landed();
    // The second run begins five minutes earlier, and so in April's piece and in one before it.
    assert_eq!(kept.len(), 5, "{kept:?}");
    let runs = nights.workplace.flowlake(&["runs", "--json", "test.toml"]).success();
    let report: serde_json::Value = serde_json::from_str(runs.lines().last().unwrap()).unwrap();
    let first = report["run_id"].as_str().unwrap();
    define_windows(&nights, "[tables.columns]\nv = \"float64\"\n");
    let told = reload(&nights, &["--run", first, "--json"]).success();
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["window"]["start"], "2026-01-01T00:00:00Z");
    assert_eq!(report["window"]["end"], "2026-04-01T00:00:00Z");
    assert_eq!(report["exports"].as_array().unwrap().len(), 3);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 1.0"]);
    assert_eq!(snapshot()["tables"]["t"]["loaded"], loaded, "the next night goes on as before");
    reload(&nights, &[]).success();
    assert_eq!(nights.t(&["id", "v"]), ["1 | 2.0"]);
    assert_eq!(nights.source.requests().len(), asked);
}

fn run_of(export: &Path) -> String {
    let name = export.file_name().unwrap().to_str().unwrap();
    name.trim_end_matches(".json.zst").to_owned()
}

fn landed(nights: &Nights) -> Vec<PathBuf> {
    let directory = nights.lake().path().join(own_directory()).join("landing");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn f12_a_damaged_export_is_not_loaded() {
    let nights = Nights::of_t(MERGE);
    nights.load(r#"[{"id":1,"v":1}]"#).redefine_t(&format!("{MERGE}sort_by = [\"v\"]\n"));
    let before = nights.lake().snapshot();
    let files = landed(&nights);
    let [export, origin] = files.as_slice() else { panic!("{files:?}") };
    let sound = [std::fs::read(export).unwrap(), std::fs::read(origin).unwrap()];
    let other = zstd::encode_all(&br#"[{"id":2,"v":1}]"#[..], 1).unwrap();
    let cut = sound[0][..sound[0].len() - 3].to_vec();
    for (content, origin_content, message) in [
        (other, &sound[1][..], "cannot be loaded: it is not what was received"),
        (cut, &sound[1][..], "cannot be loaded: "),
        (sound[0].clone(), &b"{"[..], ".origin.json` cannot be loaded: "),
    ] {
        std::fs::write(export, content).unwrap();
        std::fs::write(origin, origin_content).unwrap();
        let run = run_of(export);
        let refused = reload(&nights, &["--run", &run]);
        assert_eq!(refused.code, 7, "{message}: {}", refused.stderr);
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
        assert_eq!(nights.lake().snapshot(), before);
    }
    std::fs::write(export, &sound[0]).unwrap();
    std::fs::remove_file(origin).unwrap();
    let refused = reload(&nights, &["--run", &run_of(export)]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("nothing says where it came from"), "{}", refused.stderr);
}

#[test]
fn f12_a_window_without_one_of_its_pieces_is_not_loaded() {
    for piece in ["0000", "0001", "0002"] {
        let nights = windows();
        nights.source.serve(r#"[{"id":1,"at":"2026-01-05","v":1}]"#);
        nights.workplace.flowlake(&["run", "--to", "2026-04-01", "test.toml"]).success();
        let run = landed(&nights).remove(0);
        for ending in ["json.zst", "origin.json"] {
            std::fs::remove_file(run.join(format!("{piece}.{ending}"))).unwrap();
        }
        let refused = reload(&nights, &["--run", &run_of(&run)]);
        assert_eq!(refused.code, 7, "{piece}: {}", refused.stderr);
        let told = "it is one of 3 pieces, and others are gone";
        assert!(refused.stderr.contains(told), "{piece}: {}", refused.stderr);
        // An older export is not taken for the last one.
        let refused = reload(&nights, &[]);
        assert_eq!(refused.code, 7, "{piece}: {}", refused.stderr);
    }
}

#[test]
fn f12_where_the_last_export_is_damaged_no_older_one_is_loaded() {
    let replace = |columns: &str| format!("{REPLACE}{columns}");
    let damages: [fn(&Path, &Path); 4] = [
        |_, origin| std::fs::remove_file(origin).unwrap(),
        |_, origin| std::fs::write(origin, "{").unwrap(),
        |export, _| std::fs::remove_file(export).unwrap(),
        |_, origin| {
            std::fs::remove_file(origin).unwrap();
            let made = std::process::Command::new("mkfifo").arg(origin).status().unwrap();
            assert!(made.success());
        },
    ];
    for damage in damages {
        let nights = Nights::of_t(&replace(""));
        nights.load(r#"[{"id":1,"v":1}]"#).load(r#"[{"id":1,"v":2},{"id":2,"v":2}]"#);
        let files = landed(&nights);
        let [.., export, origin] = files.as_slice() else { panic!("{files:?}") };
        damage(export, origin);
        nights.redefine_t(&replace("[tables.columns]\nv = \"string\"\n"));
        let refused = reload(&nights, &[]);
        assert_eq!(refused.code, 7, "{}{}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains("cannot be loaded: "), "{}", refused.stderr);
        assert_eq!(nights.t(&["id", "v"]), ["1 | 2", "2 | 2"]);
    }
}

/// As in a copy of a lake: the times of files say nothing.
#[test]
fn f12_the_last_export_is_that_of_the_last_run_whatever_the_times_of_files() {
    let nights = Nights::of_t(REPLACE);
    for (v, id) in [(1, "sat"), (2, "sun"), (3, "mon")] {
        nights.source.serve(&format!("[{{\"id\":1,\"v\":{v}}}]"));
        nights.workplace.flowlake(&["run", "--run-id", id, "test.toml"]).success();
    }
    for file in landed(&nights) {
        let is_old = file.to_str().unwrap().contains("sun");
        let time = std::time::SystemTime::now() + std::time::Duration::from_secs(u64::from(is_old));
        std::fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
    }
    nights.redefine_t(&format!("{REPLACE}[tables.columns]\nv = \"string\"\n"));
    let told = reload(&nights, &[]).success();
    assert!(told.contains("the export that run mon received"), "{told}");
    assert_eq!(nights.t(&["v"]), ["\"3\""]);
}

#[test]
fn f12_pieces_of_another_attempt_under_the_same_id_are_not_loaded() {
    let nights = windows();
    nights.source.serve(r#"[{"id":1,"at":"2026-01-05","v":1}]"#);
    let run = |to: &str, id: &str| {
        nights.workplace.flowlake(&["run", "--to", to, "--run-id", id, "test.toml"])
    };
    run("2026-04-01", "first").success();
    // As when the first attempt had failed: its pieces are there, and the second attempt had fewer.
    let own = nights.lake().path().join(own_directory()).join("landing");
    std::fs::rename(own.join("first"), own.join("second")).unwrap();
    nights.source.serve(r#"[{"id":1,"at":"2026-01-05","v":2}]"#);
    nights.workplace.flowlake(&["watermark", "reset", "--all", "test.toml"]);
    nights
        .workplace
        .flowlake(&[
            "run",
            "--from",
            "2026-01-01",
            "--to",
            "2026-02-01",
            "--run-id",
            "second",
            "test.toml",
        ])
        .success();
    define_windows(&nights, "[tables.columns]\nv = \"float64\"\n");
    let told = reload(&nights, &["--run", "second", "--json"]).success();
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["exports"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(nights.t(&["id", "v"]), ["1 | 2.0"]);
    // Pieces of two attempts that are numbered alike.
    std::fs::copy(own.join("second/0001.json.zst"), own.join("second/0000.json.zst")).unwrap();
    std::fs::copy(own.join("second/0001.origin.json"), own.join("second/0000.origin.json"))
        .unwrap();
    let refused = reload(&nights, &["--run", "second"]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("does not follow the one before it"), "{}", refused.stderr);
}

#[test]
fn f12_what_a_reload_may_not_delete_the_next_full_export_does() {
    for deletes in ["remove", "mark"] {
        let table = format!("{MERGE}deletes = \"{deletes}\"\n");
        let nights = Nights::of_t(&table);
        nights.load(r#"[{"id":1,"a":1},{"id":2,"a":2}]"#);
        // Refused, and loaded again by a corrected definition.
        nights.workplace.define_with("[limits]\nmax_quarantined = 0", &format!("{T}{table}"));
        nights.source.serve(r#"[{"id":1,"a":"x"}]"#);
        assert_eq!(nights.workplace.run().code, 3);
        nights.redefine_t(&format!("{table}[tables.columns]\na = \"string\"\n"));
        let told = reload(&nights, &[]);
        assert_eq!(told.code, 0, "{}", told.stderr);
        assert!(told.stderr.contains("loaded again deletes no records; the next run does"));
        let live = || {
            let rows = nights.records("t").into_iter();
            let rows =
                rows.filter(|row| row.get("_flowlake_deleted_at").is_none_or(|it| it == "null"));
            let mut ids: Vec<String> = rows.map(|row| row["id"].clone()).collect();
            ids.sort();
            ids
        };
        assert_eq!(live(), ["1", "2"], "{deletes}");
        let again = reload(&nights, &[]).success();
        assert!(again.contains("nothing new"), "{again}");
        // The source answers as it did.
        nights.workplace.run().success();
        assert_eq!(live(), ["1"], "{deletes}");
        assert!(nights.workplace.run().success().contains("nothing new"));
    }
}

/// Another pipeline of the same destination, `stock`, with the same settings for a table `s`.
fn define_stock(nights: &Nights) {
    let directory = nights.workplace.path();
    let definition = std::fs::read_to_string(directory.join("test.toml")).unwrap();
    let stock = definition
        .replace("name = \"test\"", "name = \"stock\"")
        .replace("name = \"t\"", "name = \"s\"");
    std::fs::write(directory.join("stock.toml"), stock).unwrap();
}

#[test]
fn f12_a_pipeline_deletes_no_export_of_another() {
    for keep in [0, 1] {
        let nights = Nights::of_t(MERGE);
        define_stock(&nights);
        let file = nights.workplace.path().join("test.toml");
        let definition = std::fs::read_to_string(&file).unwrap();
        let keeps = format!("[landing]\nkeep = {keep}\n[retention]\nreports = 100\n[[tables]]");
        std::fs::write(&file, definition.replacen("[[tables]]", &keeps, 1)).unwrap();
        nights.source.serve(r#"[{"id":1,"v":1}]"#);
        nights.workplace.flowlake(&["run", "stock.toml"]).success();
        nights.source.serve(r#"[{"id":1,"v":2}]"#);
        nights.workplace.flowlake(&["run", "stock.toml"]).success();
        for night in 0..3 {
            nights.load(&format!(r#"[{{"id":1,"v":{night}}}]"#));
        }
        nights.workplace.flowlake(&["prune", "test.toml"]).success();
        let landed = nights.lake().landed();
        assert_eq!(landed.len(), 2 + keep, "{landed:?}");
        nights.workplace.flowlake(&["reload", "stock.toml"]).success();
    }
}

#[test]
fn f12_a_pipeline_loads_no_export_of_another() {
    let nights = Nights::of_t(MERGE);
    define_stock(&nights);
    nights.load(r#"[{"id":1,"v":1}]"#);
    nights.source.serve(r#"[{"id":2,"v":2}]"#);
    let told = nights.workplace.flowlake(&["run", "--json", "stock.toml"]).success();
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    nights.redefine_t(&format!("{MERGE}[tables.columns]\nv = \"float64\"\n"));
    reload(&nights, &[]).success();
    assert_eq!(nights.t(&["id", "v"]), ["1 | 1.0"], "the last export is of another pipeline");
    let refused = reload(&nights, &["--run", report["run_id"].as_str().unwrap()]);
    assert_eq!(
        refused.code,
        if own_directory() == "_flowlake" { 7 } else { 2 },
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("pipeline `"), "{}", refused.stderr);
    assert_eq!(nights.t(&["id", "v"]), ["1 | 1.0"]);
}

#[test]
fn f12_an_older_export_deletes_nothing_and_overwrites_no_partition() {
    let nights = Nights::of_t(&format!("{MERGE}deletes = \"remove\"\n"));
    nights.load(r#"[{"id":1,"v":1}]"#).load(r#"[{"id":1,"v":2},{"id":2,"v":2}]"#);
    let mut runs = nights.lake().landed();
    runs.sort();
    reload(&nights, &["--run", &run_of(Path::new(&runs[0]))]).success();
    assert_eq!(nights.t(&["id", "v"]), ["1 | 1", "2 | 2"], "2 came later");

    let overwritten =
        "write_disposition = \"overwrite_partitions\"\npartition_by = [\"month(at)\"]\n";
    let nights = Nights::of_t(overwritten);
    nights.load(r#"[{"id":1,"at":"2026-01-05"}]"#);
    nights.load(r#"[{"id":1,"at":"2026-01-05"},{"id":2,"at":"2026-01-06"}]"#);
    let mut runs = nights.lake().landed();
    runs.sort();
    let refused = reload(&nights, &["--run", &run_of(Path::new(&runs[0]))]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("is not the last, and would replace partitions"),
        "{}",
        refused.stderr
    );
    assert_eq!(nights.t(&["id"]), ["1", "2"]);
    reload(&nights, &["--again"]).success();
    assert_eq!(nights.t(&["id"]), ["1", "2"]);
}

#[test]
fn f12_all_pieces_have_their_records_where_the_first_has_them() {
    let nights = windows();
    let pieces = [
        r#"{"data":[{"id":1,"at":"2026-01-05"}],"warnings":[]}"#,
        r#"{"data":[],"warnings":[{"id":7,"at":"2026-02-05"}]}"#,
    ];
    nights.source.serve(pieces[0]);
    nights.workplace.flowlake(&["run", "--to", "2026-02-01", "test.toml"]).success();
    nights.source.serve(pieces[1]);
    nights.workplace.flowlake(&["run", "--to", "2026-03-01", "test.toml"]).success();
    // Both as pieces of one run, for a table of another name.
    let all = landed(&nights);
    let [first, second] = all.as_slice() else { panic!("{all:?}") };
    for ending in ["json.zst", "origin.json"] {
        let piece = second.join(format!("0001.{ending}"));
        let piece = if piece.exists() { piece } else { second.join(format!("0000.{ending}")) };
        std::fs::copy(piece, first.join(format!("0001.{ending}"))).unwrap();
    }
    for (number, window) in
        [("0000", ["2026-01-01", "2026-02-01"]), ("0001", ["2026-02-01", "2026-03-01"])]
    {
        let path = first.join(format!("{number}.origin.json"));
        let mut origin: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        origin["pieces"] = 2.into();
        let [start, end] = window.map(|day| format!("{day}T00:00:00Z"));
        origin["window"] = serde_json::json!({ "start": start, "end": end });
        std::fs::write(&path, origin.to_string()).unwrap();
    }
    let file = nights.workplace.path().join("test.toml");
    let definition = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, definition.replace("name = \"t\"", "name = \"orders\"")).unwrap();
    reload(&nights, &["--run", &run_of(first)]).success();
    assert_eq!(nights.rows("orders", &["id"]), ["1"], "a warning is no order");
}

#[test]
fn f12_an_export_in_an_object_store_is_loaded_again() {
    let server = S3Server::start();
    let source = Source::serving(r#"[{"id":1,"v":"1.50"}]"#);
    let workplace = server.environment(Workplace::asking(&source));
    let define = |columns: &str| {
        workplace.define(&format!("{T}{MERGE}{columns}"));
        let file = workplace.path().join("test.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("url = \"lake\"", &format!("url = \"{}\"", server.destination()));
        std::fs::write(&file, text).unwrap();
    };
    define("");
    workplace.run().success();
    define("[tables.columns]\nv = \"decimal(9,2)\"\n");
    let asked = source.requests().len();
    workplace.flowlake(&["reload", "test.toml"]).success();
    assert_eq!(server.lake().column("t", "v"), ["1.50"]);
    assert!(server.lake().schema("t").iter().any(|it| it.contains("v: decimal")));
    assert_eq!(source.requests().len(), asked);
}

#[test]
fn f12_what_is_not_kept_is_told() {
    let nights = Nights::of_t(&format!("{MERGE}[landing]\nkeep = 0\n"));
    nights.load(r#"[{"id":1,"v":1}]"#);
    let refused = reload(&nights, &[]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("no export of pipeline `test` is kept"), "{}", refused.stderr);
    let refused = reload(&nights, &["--run", "night-7"]);
    assert!(refused.stderr.contains("is kept by the run `night-7`"), "{}", refused.stderr);
    let report = nights.workplace.flowlake(&["runs", "test.toml"]).success();
    assert!(report.contains("failed"), "{report}");
}

#[test]
fn f12_a_reload_needs_no_key_and_a_run_id_is_of_one_command() {
    let nights = Nights::of_t(MERGE);
    nights.load(r#"[{"id":1,"v":1}]"#);
    nights.redefine_t(&format!("{MERGE}[tables.columns]\nv = \"string\"\n"));
    let mut command = nights.workplace.command(&["reload", "test.toml", "--run-id", "again-1"]);
    command.env_remove("PROCUREMENTFLOW_API_KEY");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(nights.t(&["v"]), ["\"1\""]);
    let repeated = reload(&nights, &["--run-id", "again-1"]).success();
    assert!(repeated.contains("a run of this id has committed before"), "{repeated}");
    let refused = nights.workplace.flowlake(&["run", "test.toml", "--run-id", "again-1"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}
