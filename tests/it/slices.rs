//! Several pipelines in one table: each writes a slice of it, and readers of the log see all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::support::{DeltaLog, Finished, S3Server, Source, Workplace, rows_of_files};

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
    partition_by = [\"month(at)\"]";

const ONE_ROW: &str = r#"[{"id":1,"at":"2026-01-05","v":1}]"#;
const WITH_A_LINE: &str = r#"[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1}]}]"#;

/// The lines as a table of the definition, whose rows have a column of their parent's.
const LINES_WITH_V: &str = "[[tables]]\nname = \"t__lines\"\nparent = \"t\"\nrecords = \"/lines\"\n\
    parent_columns = [\"v\"]";

/// A lake whose tables pipelines share, and what they ask.
struct Shared {
    source: Source,
    workplace: Workplace,
    lake: PathBuf,
}

impl Shared {
    /// Each pipeline has the slice that is called like it.
    fn by(pipelines: &[&str], tables: &str, export: &str) -> Self {
        let source = Source::serving(export);
        let workplace = Workplace::asking(&source);
        for pipeline in pipelines {
            define(&workplace, pipeline, tables);
        }
        let lake = workplace.path().join("lake");
        Self { source, workplace, lake }
    }
}

/// Writes the definition of the pipeline of an organisation.
fn define(workplace: &Workplace, organisation: &str, tables: &str) -> PathBuf {
    define_with(workplace, organisation, &format!("slice = {{ org = \"{organisation}\" }}"), tables)
}

fn define_with(workplace: &Workplace, pipeline: &str, destination: &str, tables: &str) -> PathBuf {
    workplace.write(&format!(
        "version = 1\nname = \"{pipeline}\"\n[source]\nendpoint = \"e-sourcing\"\n\
         organisation_id = \"${{PROCUREMENTFLOW_ORGANISATION_ID}}\"\n\
         base_url = \"${{PROCUREMENTFLOW_BASE_URL}}\"\nretry = {{ max_attempts = 1 }}\n\
         [destination]\nurl = \"${{TEST_DESTINATION:-lake}}\"\nformat = \"delta\"\n{destination}\n{tables}\n"
    ));
    let file = workplace.path().join(format!("{pipeline}.toml"));
    std::fs::rename(workplace.path().join("test.toml"), file).unwrap();
    PathBuf::from(format!("{pipeline}.toml"))
}

fn run(workplace: &Workplace, pipeline: &str) -> Finished {
    workplace.flowlake(&["run", &format!("{pipeline}.toml")])
}

/// The rows of a table, of its column of the slice and others, as the log has them.
fn rows(lake: &Path, table: &str, columns: &[&str]) -> Vec<String> {
    let directory = lake.join(table);
    let log = DeltaLog::last(&directory).unwrap().expect("a log");
    assert_eq!(log.partition_columns[0], "org");
    let mut rows = Vec::new();
    for file in log.files.keys() {
        let below = file.strip_prefix(&directory).unwrap();
        let slice = below.components().next().unwrap().as_os_str().to_str().unwrap();
        let of_file = rows_of_files([file.as_path()].into_iter(), columns).unwrap();
        rows.extend(of_file.into_iter().map(|row| format!("{slice} {row}")));
    }
    rows.sort();
    rows
}

/// The names and types of a table's columns, as its log has them.
fn columns(lake: &Path, table: &str) -> BTreeMap<String, Value> {
    let log = DeltaLog::last(&lake.join(table)).unwrap().expect("a log");
    let fields = log.schema["fields"].as_array().unwrap().iter();
    let named =
        fields.map(|field| (field["name"].as_str().unwrap().to_owned(), field["type"].clone()));
    named.collect()
}

fn verified(workplace: &Workplace, pipelines: &[&str]) {
    for pipeline in pipelines {
        let found = workplace.flowlake(&["verify", &format!("{pipeline}.toml")]);
        assert_eq!(found.code, 0, "{pipeline}: {}{}", found.stdout, found.stderr);
    }
}

#[test]
fn p10_two_pipelines_write_a_table_each_its_slice() {
    let Shared { source, workplace, lake } = Shared::by(&[], TABLES, "[]");
    for (organisation, export) in [
        ("acme", r#"[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1}]}]"#),
        ("zeta", r#"[{"id":1,"at":"2026-02-05","v":7,"lines":[{"n":2},{"n":3}]}]"#),
    ] {
        define(&workplace, organisation, TABLES);
        source.serve(export);
        run(&workplace, organisation).success();
    }
    assert_eq!(rows(&lake, "t", &["id", "v"]), ["org=acme 1 1", "org=zeta 1 7"]);
    assert_eq!(
        rows(&lake, "t__lines", &["t__id", "n"]),
        ["org=acme 1 1", "org=zeta 1 2", "org=zeta 1 3"]
    );
    // The first one goes on, and replaces nothing of the other.
    source.serve(r#"[{"id":1,"at":"2026-01-05","v":2},{"id":2,"at":"2026-01-06","v":3}]"#);
    run(&workplace, "acme").success();
    assert_eq!(rows(&lake, "t", &["id", "v"]), ["org=acme 1 2", "org=acme 2 3", "org=zeta 1 7"]);
    assert_eq!(rows(&lake, "t__lines", &["t__id", "n"]), ["org=zeta 1 2", "org=zeta 1 3"]);
    verified(&workplace, &["acme", "zeta"]);
    // Each has files of its own beside the tables.
    for pipeline in ["acme", "zeta"] {
        let own = lake.join("_flowlake/pipelines").join(pipeline);
        assert!(own.join("snapshot.json").exists() && own.join("landing").exists());
    }
    assert!(!lake.join("_flowlake/snapshot.json").exists());
}

#[test]
fn p3_the_same_export_changes_nothing_in_a_shared_table() {
    let Shared { source: _server, workplace, lake } = Shared::by(&["acme"], TABLES, WITH_A_LINE);
    run(&workplace, "acme").success();
    let before = [DeltaLog::last(&lake.join("t")), DeltaLog::last(&lake.join("t__lines"))];
    run(&workplace, "acme").success();
    workplace.flowlake(&["run", "--again", "acme.toml"]).success();
    assert_eq!([DeltaLog::last(&lake.join("t")), DeltaLog::last(&lake.join("t__lines"))], before);
}

#[test]
fn p05_columns_of_one_pipeline_rewrite_no_file_of_another() {
    let Shared { source, workplace, lake } = Shared::by(&["acme", "zeta"], TABLES, ONE_ROW);
    run(&workplace, "acme").success();
    let files = DeltaLog::last(&lake.join("t")).unwrap().unwrap().files;
    source.serve(r#"[{"id":1,"at":"2026-01-05","w":"new","lines":[{"n":1}],"none":null}]"#);
    run(&workplace, "zeta").success();
    let found = columns(&lake, "t");
    assert_eq!(found["v"], "long");
    assert_eq!(found["w"], "string");
    // Nobody has had a value for it, so nobody knows its type.
    assert!(!found.contains_key("none"));
    let now = DeltaLog::last(&lake.join("t")).unwrap().unwrap().files;
    assert!(files.keys().all(|file| now.contains_key(file)), "no file of acme was rewritten");
    source.serve(r#"[{"id":1,"at":"2026-01-05","v":2}]"#);
    run(&workplace, "acme").success();
    assert_eq!(columns(&lake, "t"), found);
    verified(&workplace, &["acme", "zeta"]);
}

#[test]
fn p04_a_type_that_was_agreed_on_stays_and_what_does_not_fit_is_in_quarantine() {
    let Shared { source, workplace, lake } = Shared::by(&["acme", "zeta"], TABLES, ONE_ROW);
    run(&workplace, "acme").success();
    source.serve(
        r#"[{"id":2,"at":"2026-01-05","v":1.5},{"id":3,"at":"2026-01-05","v":"n/a"},{"id":"x","at":"2026-01-05","v":3}]"#,
    );
    let finished = run(&workplace, "zeta").success();
    assert_eq!(
        rows(&lake, "t", &["id", "v"]),
        ["org=acme 1 1", "org=zeta 2 null", "org=zeta 3 null"]
    );
    assert_eq!(columns(&lake, "t")["v"], "long");
    let waiting = workplace.flowlake(&["quarantine", "list", "zeta.toml"]);
    let counts: Vec<&str> = waiting.stdout.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!([counts[0], counts[2], counts[3]], ["t", "1", "2"], "{}{finished}", waiting.stdout);
    // What is declared otherwise is refused, before anything has changed.
    define(&workplace, "omega", &format!("{TABLES}\n[tables.columns]\nv = \"decimal(18,2)\""));
    source.serve(r#"[{"id":2,"at":"2026-01-05","v":1.5}]"#);
    let refused = run(&workplace, "omega");
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(refused.stderr.contains("`t.v` is int64"), "{}", refused.stderr);
    verified(&workplace, &["acme", "zeta"]);
}

#[test]
fn p04_an_export_without_rows_decides_no_type_for_others() {
    let tables = format!("{TABLES}\n{LINES_WITH_V}");
    let Shared { source, workplace, lake } = Shared::by(&["acme", "zeta"], &tables, "[]");
    run(&workplace, "acme").success();
    source.serve(WITH_A_LINE);
    run(&workplace, "zeta").success();
    run(&workplace, "acme").success();
    assert_eq!(rows(&lake, "t__lines", &["t__id", "t__v"]), ["org=acme 1 1", "org=zeta 1 1"]);
    for (table, column) in [("t", "id"), ("t__lines", "t__id"), ("t__lines", "t__v")] {
        assert_eq!(columns(&lake, table)[column], "long", "{table}.{column}");
    }
    verified(&workplace, &["acme", "zeta"]);
}

#[test]
fn p04_a_column_of_the_parent_that_is_null_in_all_rows_is_text_for_all() {
    let tables = format!("{TABLES}\n{LINES_WITH_V}");
    let export = r#"[{"id":1,"at":"2026-01-05","v":null,"lines":[{"n":1}]}]"#;
    let Shared { source, workplace, lake } = Shared::by(&["acme", "zeta"], &tables, export);
    run(&workplace, "acme").success();
    source.serve(WITH_A_LINE);
    run(&workplace, "zeta").success();
    assert_eq!(rows(&lake, "t__lines", &["t__id", "t__v"]), ["org=acme 1 null", "org=zeta 1 1"]);
    for (table, column) in [("t", "v"), ("t__lines", "t__v")] {
        assert_eq!(columns(&lake, table)[column], "string", "{table}.{column}");
    }
    verified(&workplace, &["acme", "zeta"]);
}

#[test]
fn p01_fields_of_objects_are_added_and_their_types_stay() {
    let tables = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
        nested = \"columns\"";
    let Shared { source, workplace, lake } =
        Shared::by(&["acme", "zeta"], tables, r#"[{"id":1,"s":{"a":1},"l":[{"n":1}]}]"#);
    run(&workplace, "acme").success();
    source.serve(r#"[{"id":2,"s":{"a":2,"b":"x"},"l":[{"n":1,"m":true}]}]"#);
    run(&workplace, "zeta").success();
    assert_eq!(columns(&lake, "t")["s"]["fields"].as_array().unwrap().len(), 2);
    assert_eq!(columns(&lake, "t")["l"]["elementType"]["fields"].as_array().unwrap().len(), 2);
    // Another type of a field is no new field.
    source.serve(r#"[{"id":1,"s":{"a":"text"}},{"id":3,"s":{"a":3}}]"#);
    run(&workplace, "acme").success();
    assert_eq!(columns(&lake, "t")["s"]["fields"][0]["type"], "long");
    let waiting = workplace.flowlake(&["quarantine", "list", "acme.toml"]);
    assert_eq!(waiting.code, 0, "{}", waiting.stderr);
    assert!(waiting.stdout.lines().nth(1).unwrap().contains(" t "), "{}", waiting.stdout);
    verified(&workplace, &["acme", "zeta"]);
}

#[test]
fn p10_a_slice_is_of_one_pipeline_and_a_pipeline_of_one_slice() {
    let Shared { source: _server, workplace, .. } = Shared::by(&["acme"], TABLES, ONE_ROW);
    run(&workplace, "acme").success();
    // Nothing is downloaded to find it out.
    let refused = |pipeline: &str, destination: &str, words: &str| {
        define_with(&workplace, pipeline, destination, TABLES);
        for command in ["run", "plan", "doctor"] {
            let finished = workplace.flowlake(&[command, &format!("{pipeline}.toml")]);
            let told = format!("{}{}", finished.stdout, finished.stderr);
            assert_eq!(finished.code, 2, "{command}: {told}");
            assert!(told.contains(words), "{command}: {told}");
        }
    };
    refused("other", "slice = { org = \"acme\" }", "is written by the pipeline `acme`");
    refused("acme", "slice = { org = \"zeta\" }", "are the slice `org=acme`");
    refused("single", "", "are shared by the pipelines acme");
    let named = workplace.flowlake(&["verify", "lake"]);
    assert!(named.stderr.contains("shared by the pipelines acme"), "{}", named.stderr);
    let converted = workplace.flowlake(&["convert", "acme.toml", "--to", "parquet"]);
    assert_eq!(converted.code, 2, "{}", converted.stderr);
    define(&workplace, "acme", TABLES);
    verified(&workplace, &["acme"]);
}

#[test]
fn p10_tables_of_one_pipeline_are_not_shared_later() {
    let Shared { source: _server, workplace, .. } = Shared::by(&[], TABLES, ONE_ROW);
    define_with(&workplace, "single", "", TABLES);
    run(&workplace, "single").success();
    define(&workplace, "acme", TABLES);
    for command in ["run", "plan", "doctor"] {
        let refused = workplace.flowlake(&[command, "acme.toml"]);
        let told = format!("{}{}", refused.stdout, refused.stderr);
        assert_eq!(refused.code, 2, "{command}: {told}");
        assert!(told.contains("pipelines that share none"), "{command}: {told}");
    }
    verified(&workplace, &["single"]);
}

#[test]
fn p11_checkpoints_and_vacuum_of_one_pipeline_keep_what_others_have() {
    let retention = "[retention]\ntime_travel = \"PT0S\"\n";
    let Shared { source, workplace, lake } =
        Shared::by(&["acme", "zeta"], &format!("{retention}{TABLES}"), "[]");
    for night in 0..14 {
        for pipeline in ["acme", "zeta"] {
            source.serve(&format!(
                r#"[{{"id":1,"at":"2026-01-05","v":{night}}},{{"id":2,"at":"2026-02-05","v":0}}]"#
            ));
            run(&workplace, pipeline).success();
        }
    }
    let expected = ["org=acme 1 13", "org=acme 2 0", "org=zeta 1 13", "org=zeta 2 0"];
    assert_eq!(rows(&lake, "t", &["id", "v"]), expected);
    assert!(lake.join("t/_delta_log/_last_checkpoint").exists());
    assert!(!lake.join("t/_delta_log/00000000000000000000.json").exists(), "old versions go");
    workplace.flowlake(&["prune", "acme.toml"]).success();
    assert_eq!(rows(&lake, "t", &["id", "v"]), expected);
    verified(&workplace, &["acme", "zeta"]);
}

#[test]
fn p11_the_column_of_a_slice_is_no_other_column() {
    let Shared { source: _server, workplace, lake } = Shared::by(
        &["acme"],
        TABLES,
        r#"[{"id":1,"org":"x","at":"2026-01-05","lines":[{"org":2}]}]"#,
    );
    run(&workplace, "acme").success();
    for table in ["t", "t__lines"] {
        let found = columns(&lake, table);
        assert_eq!(found["org"], "string", "{table}");
        let suffixed: Vec<&String> = found.keys().filter(|it| it.starts_with("org_")).collect();
        assert_eq!(suffixed.len(), 1, "{table}: {found:?}");
    }
    verified(&workplace, &["acme"]);
    // The name of a directory, and that of a key of child rows.
    for (pipeline, column) in [("a", "at_month"), ("b", "t__id"), ("c", "_index"), ("d", "id")] {
        let slice = format!("slice = {{ {column} = \"x\" }}");
        let destination = slice.replace("slice", "must_exist = false\nslice");
        define_with(&workplace, pipeline, &destination, TABLES);
        let url = format!("destination.url=lake_{pipeline}");
        let refused = workplace.flowlake(&["run", &format!("{pipeline}.toml"), "--set", &url]);
        assert!([2, 6].contains(&refused.code), "{column}: {} {}", refused.code, refused.stderr);
    }
}

#[test]
fn o09_a_shared_lake_that_must_exist_takes_another_pipeline() {
    let Shared { source: _server, workplace, .. } =
        Shared::by(&[], TABLES, r#"[{"id":1,"at":"2026-01-05"}]"#);
    let must_exist = |pipeline: &str| {
        let destination = format!("must_exist = true\nslice = {{ org = \"{pipeline}\" }}");
        define_with(&workplace, pipeline, &destination, TABLES);
        run(&workplace, pipeline)
    };
    assert_eq!(must_exist("acme").code, 7, "nobody has begun it");
    define(&workplace, "zeta", TABLES);
    run(&workplace, "zeta").success();
    workplace.flowlake(&["doctor", "acme.toml"]).success();
    must_exist("acme").success();
}

#[test]
fn p11_a_log_that_has_lost_its_last_versions_is_not_written_on() {
    let Shared { source, workplace, .. } = Shared::by(&[], TABLES, ONE_ROW);
    let log = workplace.path().join("lake/t/_delta_log");
    for pipeline in ["acme", "zeta"] {
        define(&workplace, pipeline, TABLES);
        run(&workplace, pipeline).success();
    }
    let last = DeltaLog::last(&workplace.path().join("lake/t")).unwrap().unwrap().version;
    let file = log.join(format!("{last:020}.json"));
    let sound = std::fs::read(&file).unwrap();
    source.serve(r#"[{"id":1,"at":"2026-01-05","v":2}]"#);
    // The last version is that of zeta; one of zeros is in the way of all.
    std::fs::remove_file(&file).unwrap();
    let refused = run(&workplace, "zeta");
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("or its last versions are"), "{}", refused.stderr);
    std::fs::write(&file, vec![0; 100]).unwrap();
    for pipeline in ["acme", "zeta"] {
        let refused = run(&workplace, pipeline);
        assert_eq!(refused.code, 7, "{pipeline}: {}", refused.stderr);
        assert!(refused.stderr.contains("damaged"), "{pipeline}: {}", refused.stderr);
    }
    std::fs::write(&file, sound).unwrap();
    for pipeline in ["acme", "zeta"] {
        run(&workplace, pipeline).success();
    }
    verified(&workplace, &["acme", "zeta"]);
}

#[test]
fn p10_pipelines_of_one_directory_run_into_one_table() {
    let Shared { source: _server, workplace, lake } = Shared::by(&[], TABLES, WITH_A_LINE);
    for number in 0..5 {
        define(&workplace, &format!("p{number}"), TABLES);
    }
    let finished = workplace.flowlake(&["run", ".", "--parallel", "5"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let expected: Vec<String> = (0..5).map(|number| format!("org=p{number} 1 1")).collect();
    assert_eq!(rows(&lake, "t", &["id", "v"]), expected);
    assert_eq!(rows(&lake, "t__lines", &["t__id", "n"]), expected);
}

/// An export of one writer, and the rows that it leaves: the last ones of each key. Every writer has a column of its own,
/// and all have one that only some exports have.
fn export(writer: usize, number: usize) -> String {
    let own = format!(r#""own_{writer}":{number}"#);
    let late = if number % 3 == writer % 3 { r#","late":1.5"# } else { "" };
    let records: Vec<String> = (0..=number)
        .map(|id| format!(r#"{{"id":{id},"at":"2026-0{}-05","v":{number},{own}{late},"lines":[{{"n":{number}}}]}}"#, 1 + id % 2))
        .collect();
    format!("[{}]", records.join(","))
}

/// How often a writer tries: after its kills, others that hold the number it wants and answers that are lost are bad luck,
/// and no more than that.
const MOST_ATTEMPTS: usize = 60;

/// Runs pipelines at once, each with a few exports, and kills some of their runs at random.
#[expect(clippy::print_stdout, reason = "how often it tried is told")]
fn write_at_once(workplaces: &[(Workplace, Source)], commits: usize, lake: &dyn Fn() -> PathBuf) {
    let tries = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let tries = &tries;
        for (writer, (workplace, source)) in workplaces.iter().enumerate() {
            scope.spawn(move || {
                let file = format!("w{writer}.toml");
                let mut random = fastrand::Rng::with_seed(writer as u64);
                for number in 0..commits {
                    source.serve(&export(writer, number));
                    let mut kills = random.usize(0..3);
                    for attempt in 0.. {
                        assert!(attempt < MOST_ATTEMPTS, "writer {writer} never commits");
                        let mut command = workplace.command(&["run", &file]);
                        let log = workplace.path().join("stderr.txt");
                        let log = std::fs::File::create(log).unwrap();
                        let mut child = command
                            .stdout(std::process::Stdio::null())
                            .stderr(log)
                            .spawn()
                            .unwrap();
                        if kills > 0 {
                            kills -= 1;
                            std::thread::sleep(Duration::from_millis(random.u64(50..1500)));
                            let _ = child.kill();
                        }
                        match child.wait().unwrap().code() {
                            Some(0) => {
                                let log = workplace.path().join("stderr.txt");
                                let log = std::fs::read_to_string(log).unwrap();
                                tries.lock().unwrap().extend(tries_of(&log));
                                break;
                            }
                            // Killed, or a store whose answers are lost.
                            None | Some(7 | 11) => {}
                            Some(code) => {
                                let log = workplace.path().join("stderr.txt");
                                panic!("{code}: {}", std::fs::read_to_string(log).unwrap());
                            }
                        }
                    }
                }
            });
        }
    });
    check_written(workplaces.len(), commits, &lake());
    let tries = tries.into_inner().unwrap();
    let (sum, most) = (tries.iter().sum::<usize>(), tries.iter().max().unwrap());
    let mean =
        f64::from(u32::try_from(sum).unwrap()) / f64::from(u32::try_from(tries.len()).unwrap());
    println!("{} versions, tries for one: {mean:.2} on average, {most} at most", tries.len());
}

/// How often a run asked for a number for each of its versions.
fn tries_of(log: &str) -> Vec<usize> {
    let behind = log.split("tries=").skip(1);
    behind
        .map(|it| it.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap())
        .collect()
}

/// Every row of every writer is there once, and the log has every version once.
fn check_written(writers: usize, commits: usize, lake: &Path) {
    let last = commits - 1;
    let (mut of_t, mut of_lines) = (Vec::new(), Vec::new());
    for writer in 0..writers {
        of_t.extend((0..commits).map(|id| format!("org=w{writer} {id} {last}")));
        of_lines.extend((0..commits).map(|id| format!("org=w{writer} {id} {last}")));
    }
    of_t.sort();
    of_lines.sort();
    assert_eq!(rows(lake, "t", &["id", "v"]), of_t);
    assert_eq!(rows(lake, "t__lines", &["t__id", "n"]), of_lines);
    let found = columns(lake, "t");
    assert!((0..writers).all(|writer| found[&format!("own_{writer}")] == "long"), "{found:?}");
    let log = DeltaLog::last(&lake.join("t")).unwrap().unwrap();
    let applications = log.txns.keys().filter(|it| it.starts_with("flowlake:w")).count();
    assert_eq!(applications, writers);
}

fn writers(
    number: usize,
    environment: &dyn Fn(Workplace) -> Workplace,
) -> Vec<(Workplace, Source)> {
    let writers = (0..number).map(|writer| {
        let source = Source::serving("[]");
        let workplace = environment(Workplace::asking(&source)).with("RUST_LOG", "flowlake=debug");
        define(&workplace, &format!("w{writer}"), TABLES);
        (workplace, source)
    });
    writers.collect()
}

fn check_each(writers: &[(Workplace, Source)]) {
    for (writer, (workplace, _)) in writers.iter().enumerate() {
        // The last run may have been killed before it has cleaned up.
        workplace.flowlake(&["recover", &format!("w{writer}.toml")]).success();
        workplace.flowlake(&["verify", "--repair", &format!("w{writer}.toml")]).success();
        verified(workplace, &[&format!("w{writer}")]);
    }
}

fn on_local_disk(number: usize, commits: usize) {
    let lake = tempfile::TempDir::new().unwrap();
    let destination = lake.path().join("lake").display().to_string();
    let writers = writers(number, &|workplace| workplace.with("TEST_DESTINATION", &destination));
    write_at_once(&writers, commits, &|| lake.path().join("lake"));
    check_each(&writers);
}

fn on_s3(number: usize, commits: usize) {
    let server = S3Server::start();
    let writers = writers(number, &|workplace| server.environment(workplace));
    server.lose_answers(7);
    write_at_once(&writers, commits, &|| server.prefix());
    server.lose_answers(0);
    check_each(&writers);
}

#[test]
fn p02_writers_of_one_table_that_are_killed_lose_nothing_on_local_disk() {
    on_local_disk(5, 3);
}

#[test]
fn p02_writers_of_one_table_that_are_killed_lose_nothing_on_s3() {
    on_s3(5, 3);
}

#[test]
#[ignore = "takes minutes; `make test-slices` runs it"]
fn p02_thirty_writers_of_one_table_on_local_disk() {
    on_local_disk(30, 10);
}

#[test]
#[ignore = "takes minutes; `make test-slices` runs it"]
fn p02_thirty_writers_of_one_table_on_s3() {
    on_s3(30, 10);
}
