//! Windows: each run asks for what is new, in pieces, and remembers how far it came.

use flowlake::sample_api::SampleApi;
use serde_json::{Value, json};

use crate::support::{Answer, Lake, Source, Workplace, runtime};

const SOURCE: &str = "[source.filters]\nfrom = \"{{ window.start | date }}\"\nto = \"{{ window.end }}\"\n\
                      [source.window]\nstart = 2026-01-01\nstep = \"P1M\"";
const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n\
                      partition_by = [\"month(at)\"]\n[tables.columns]\nat = \"date\"";

fn records(ids: &[(i64, &str)]) -> String {
    let records: Vec<Value> = ids.iter().map(|(id, at)| json!({ "id": id, "at": at })).collect();
    json!({ "rows": records }).to_string()
}

fn watermark(workplace: &Workplace) -> Value {
    workplace.lake().watermark("t")
}

#[test]
fn p2_data_and_watermark_move_together() {
    let answers = [records(&[(1, "2026-01-05")]), records(&[]), records(&[(2, "2026-03-01")])];
    let source = Source::answering_in_turn(answers.map(Answer::Json).to_vec());
    let workplace = Workplace::asking(&source);
    workplace.define_with(SOURCE, TABLES);
    workplace.flowlake(&["run", "test.toml", "--jobs", "1", "--as-of", "2026-03-10"]).success();
    assert_eq!(
        source.requests(),
        [
            "/api/export/all/esourcing/acme?from=2026-01-01&to=2026-02-01T00%3A00%3A00Z",
            "/api/export/all/esourcing/acme?from=2026-02-01&to=2026-03-01T00%3A00%3A00Z",
            "/api/export/all/esourcing/acme?from=2026-03-01&to=2026-03-10T00%3A00%3A00Z",
        ]
    );
    let lake = workplace.lake();
    assert_eq!(lake.rows("t").height(), 2);
    assert_eq!(watermark(&workplace), "2026-03-10T00:00:00Z");
    assert_eq!(lake.landed().len(), 3, "each piece is kept as received");

    // The next night goes on where this one stopped, also when nothing happened.
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-11"]).success();
    assert!(source.requests()[3].contains("from=2026-03-10&to=2026-03-11T"));
    assert_eq!(watermark(&workplace), "2026-03-11T00:00:00Z");
    source.serve(&records(&[]));
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-12"]).success();
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-13"]).success();
    assert_eq!(watermark(&workplace), "2026-03-13T00:00:00Z");
}

#[test]
fn p1_the_few_records_of_a_window_may_all_wait() {
    for disposition in ["append", "merge"] {
        let source = Source::serving(&records(&[(1, "2026-01-05")]));
        let workplace = Workplace::asking(&source);
        workplace.define_with(SOURCE, &TABLES.replace("append", disposition));
        workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-10"]).success();
        source.serve(&records(&[(2, "never")]));
        workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-11"]).success();
        assert_eq!(watermark(&workplace), "2026-01-11T00:00:00Z");
        let lake = workplace.lake();
        assert_eq!((lake.quarantine("t").len(), lake.rows("t").height()), (1, 1), "{disposition}");
        // Of many the source has changed.
        let many: Vec<(i64, &str)> = (10..110).map(|id| (id, "never")).collect();
        source.serve(&records(&many));
        let refused = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-12"]);
        assert_eq!(refused.code, 3, "{}", refused.stderr);
        assert_eq!(watermark(&workplace), "2026-01-11T00:00:00Z");
    }
}

#[test]
fn p1_a_failed_piece_moves_nothing() {
    let no = Answer::Other { status: 500, content_type: "text/plain", body: "no" };
    let first = Answer::Json(records(&[(1, "2026-01-05")]));
    let source = Source::answering_in_turn(vec![first, no]);
    let workplace = Workplace::asking(&source);
    workplace.define_with(SOURCE, TABLES);
    let failed = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-10"]);
    assert_eq!(failed.code, 4);
    assert!(!workplace.path().join("lake/_flowlake/snapshot.json").exists());
    source.serve(&records(&[(1, "2026-01-05")]));
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-10"]).success();
    assert!(source.requests()[2].contains("from=2026-01-01"));
}

#[test]
fn p3_a_window_that_was_covered_asks_for_nothing() {
    let source = Source::serving(&records(&[(1, "2026-01-05")]));
    let workplace = Workplace::asking(&source);
    workplace.define_with(SOURCE, TABLES);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-10"]).success();
    let output = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-10"]).success();
    assert!(output.contains("nothing new"), "{output}");
    assert_eq!(source.requests().len(), 1);
    assert_eq!(workplace.lake().rows("t").height(), 1);
}

#[test]
fn a_part_of_the_past_can_be_loaded_without_moving_the_watermark_back() {
    let source = Source::serving(&records(&[(1, "2026-01-05")]));
    let workplace = Workplace::asking(&source);
    workplace.define_with(SOURCE, TABLES);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-10"]).success();
    source.serve(&records(&[(2, "2025-12-05")]));
    let arguments = ["run", "test.toml", "--from", "2025-12-01", "--to", "2026-01-01"];
    workplace.flowlake(&arguments).success();
    assert!(source.requests()[1].contains("from=2025-12-01&to=2026-01-01T"));
    assert_eq!(workplace.lake().rows("t").height(), 2);
    assert_eq!(watermark(&workplace), "2026-01-10T00:00:00Z");
}

#[test]
fn plan_and_run_agree_about_windows() {
    let source = Source::serving(&records(&[(1, "2026-01-05")]));
    let workplace = Workplace::asking(&source);
    workplace.define_with(SOURCE, TABLES);
    let when = [
        "--jobs",
        "1",
        "--as-of",
        "2026-03-10T04:05:06Z",
        "--set",
        "source.filters.status=[\"a\", \"b\"]",
    ];
    for night in ["first", "second"] {
        let before = source.requests().len();
        let plan = |arguments: &[&str]| {
            let all: Vec<&str> =
                ["plan", "test.toml"].iter().chain(arguments).chain(&when).copied().collect();
            workplace.flowlake(&all)
        };
        let planned: Value = serde_json::from_str(&plan(&["--json"]).success()).unwrap();
        insta::assert_snapshot!(format!("plan_of_the_{night}_night"), plan(&[]).redacted());
        assert_eq!(source.requests().len(), before, "a plan asks nobody");
        let arguments: Vec<&str> = ["run", "test.toml"].iter().chain(&when).copied().collect();
        workplace.flowlake(&arguments).success();
        let asked: Vec<String> = source.requests()[before..]
            .iter()
            .map(|request| format!("GET {}{request}", source.base_url()))
            .collect();
        assert_eq!(planned["requests"], json!(asked));
    }
}

#[test]
fn a_plan_touches_nothing() {
    let workplace = Workplace::asking(&Source::serving("[]"));
    workplace.define_with(SOURCE, TABLES);
    workplace.flowlake(&["plan", "test.toml"]).success();
    assert!(!workplace.path().join("lake").exists());
}

#[test]
fn what_is_asked_for_has_to_make_sense() {
    let workplace = Workplace::asking(&Source::serving("[]"));
    let refused = |arguments: &[&str]| {
        let finished = workplace.flowlake(arguments);
        assert_eq!(finished.code, 2, "{}", finished.stdout);
        finished.stderr
    };
    workplace.define("[[tables]]\nname = \"t\"");
    let mut all = refused(&["plan", "test.toml", "--from", "2026-01-01"]);
    all += &refused(&["run", "test.toml", "--set", "name.first=x"]);
    workplace.define_with(SOURCE, TABLES);
    all += &refused(&["run", "test.toml", "--from", "2026-01-02", "--to", "2026-01-01"]);
    insta::assert_snapshot!(all);
    refused(&["plan", "test.toml", "--from", "yesterday"]);
    refused(&["plan", "test.toml", "--set", "name"]);
}

#[test]
fn a_window_that_no_filter_uses_is_a_warning() {
    let source = Source::serving(&records(&[(1, "2026-01-05")]));
    let workplace = Workplace::asking(&source);
    workplace.define_with("[source.window]\nstart = 2026-01-01", TABLES);
    let checked = workplace.flowlake(&["check", "test.toml"]).success();
    insta::assert_snapshot!(checked);
    let json = workplace.flowlake(&["check", "--json", "test.toml"]).success();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["severity"], "warning");
    let ran = workplace.run();
    assert!(ran.stderr.contains("no filter uses the window"), "{}", ran.stderr);
    assert_eq!(ran.code, 0);
}

#[test]
fn quarantined_records_of_every_piece_are_kept_as_received() {
    let answers = [
        r#"{"rows":[{"id":1,"at":"2026-01-05"},{"id":7,"at":"soon"}]}"#,
        r#"{"rows":[{"id":null,"at":"2026-02-03"},{"id":2,"at":"2026-02-05"}]}"#,
    ];
    let answers = answers.map(|json| Answer::Json(json.to_owned())).to_vec();
    let source = Source::answering_in_turn(answers);
    let workplace = Workplace::asking(&source);
    workplace.define_with(SOURCE, TABLES);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-02-10"]).success();
    let lake = workplace.lake();
    assert_eq!(lake.rows("t").height(), 2);
    let kept: Vec<Value> = lake
        .quarantine("t")
        .iter()
        .map(|line| {
            json!([line["record"]["id"], line["record"]["at"], line["reasons"][0]["message"]])
        })
        .collect();
    assert_eq!(
        kept,
        [
            json!([7, "soon", "`at` in t does not fit date"]),
            json!([null, "2026-02-03", "the primary key `id` of t is null"]),
        ]
    );
}

#[test]
fn the_destination_may_depend_on_the_day() {
    let source = Source::serving("[{\"id\":1}]");
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"");
    let set = "destination.url=lake/{{ run.date }}";
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-03-10", "--set", set]).success();
    assert!(workplace.path().join("lake/2026-03-10/t").is_dir());
}

#[test]
fn p6_pieces_of_a_window_are_the_rows_of_one_request() {
    let runtime = runtime();
    let api = SampleApi::new("demo", "sample-key").unwrap();
    let api = runtime.block_on(api.start("127.0.0.1:0".parse().unwrap())).unwrap();
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", api.base_url())
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "demo")
        .with("PROCUREMENTFLOW_API_KEY", "sample-key");
    let definition = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/purchasing-by-month.toml");
    let load = |place: &str, more: &[&str]| {
        let url = format!("destination.url={place}");
        let run = ["run", definition, "--as-of", "2026-11-01", "--set", url.as_str()];
        workplace.flowlake(&[&run, more].concat()).success();
        let lake = Lake::at(&workplace.path().join(place));
        ["purchase_requisitions", "purchase_requisitions__lines"].map(|table| {
            let rows = lake.rows(table).drop_many(["_flowlake_run_id", "_flowlake_loaded_at"]);
            assert!(rows.height() > 100);
            rows
        })
    };
    let pieces = load("pieces", &[]);
    let one_by_one = load("one", &["--jobs", "1"]);
    assert!(pieces[0].equals_missing(&one_by_one[0]) && pieces[1].equals_missing(&one_by_one[1]));
    let whole = load("whole", &["--set", "source.window.step=P9Y"]);
    assert!(pieces[0].equals_missing(&whole[0]) && pieces[1].equals_missing(&whole[1]));
    let landed = |place: &str| Lake::at(&workplace.path().join(place)).landed().len();
    assert_eq!([landed("pieces"), landed("whole")], [22, 1]);
}

#[test]
fn a_lookback_reads_again_what_may_have_arrived_late() {
    let source = Source::serving(&records(&[(1, "2026-01-05")]));
    let workplace = Workplace::asking(&source);
    workplace.define_with(&SOURCE.replace("step = \"P1M\"", "lookback = \"P2D\""), TABLES);
    let night = |day: &str| workplace.flowlake(&["run", "test.toml", "--as-of", day]);
    let first = night("2026-01-02");
    assert_eq!(first.code, 0);
    assert!(first.stderr.contains("loads the rows of the lookback twice"), "{}", first.stderr);
    night("2026-01-10").success();
    night("2026-01-11").success();
    let starts: Vec<String> = source
        .requests()
        .iter()
        .map(|it| it.split(['=', '&']).nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(starts, ["2026-01-01", "2026-01-01", "2026-01-08"], "never before the start");
}

#[test]
fn p3_a_merge_takes_the_rows_of_a_lookback_once_and_as_they_are_now() {
    let source = Source::serving(&records(&[(1, "2026-01-05"), (2, "2026-01-06")]));
    let workplace = Workplace::asking(&source);
    let merged = TABLES.replace("append", "merge");
    assert!(merged != TABLES);
    workplace.define_with(&SOURCE.replace("step = \"P1M\"", "lookback = \"P2D\""), &merged);
    let night = |day: &str| workplace.flowlake(&["run", "test.toml", "--as-of", day]);
    assert_eq!(night("2026-01-07").stderr, "");
    source.serve(&records(&[(2, "2026-01-08"), (3, "2026-01-07")]));
    night("2026-01-09").success();
    let lake = workplace.lake();
    let mut rows: Vec<String> = lake
        .column("t", "id")
        .into_iter()
        .zip(lake.column("t", "at"))
        .map(|(id, at)| format!("{id} {at}"))
        .collect();
    rows.sort();
    assert_eq!(rows, ["1 2026-01-05", "2 2026-01-08", "3 2026-01-07"]);
    // The same again: nothing but the watermark moves.
    let before = lake.snapshot();
    assert!(night("2026-01-10").success().contains("nothing new"));
    assert_eq!(lake.snapshot(), before);
    assert_eq!(lake.watermark("t"), "2026-01-10T00:00:00Z");
}

#[test]
fn p2_a_blank_record_of_a_power_cut_keeps_no_window_from_being_planned() {
    let source = Source::serving(&records(&[(1, "2026-01-05")]));
    let workplace = Workplace::asking(&source);
    workplace.define_with(SOURCE, TABLES);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-10"]).success();
    let commits = workplace.path().join("lake/_flowlake/commits");
    std::fs::write(commits.join("000000000002.json"), "").unwrap();
    workplace.flowlake(&["plan", "test.toml"]).success();
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-01-11"]).success();
    assert_eq!(watermark(&workplace), "2026-01-11T00:00:00Z");
}
