//! `flowlake check`: one mistake at a time, many at once, and none.

use std::fmt::Write;
use std::path::Path;

use crate::support::{Source, Workplace, escaped};

/// A definition without a mistake, that uses every key.
pub(super) const GOOD: &str = r#"version = 1
name = "purchasing"
description = "Orders."

[source]
endpoint = "purchasing"
organisation_id = "${PROCUREMENTFLOW_ORGANISATION_ID}"
base_url = "https://go.procurementflow.com"
api_key = [{ env = "PROCUREMENTFLOW_API_KEY" }, { file = "/run/secrets/key" }]
list_style = "comma"
requests_per_minute = 30

[source.filters]
status = ["Approved", "Sent"]
since = 2026-01-01
updatedFrom = "{{ window.start | date }}"

[source.headers]
X-Team = "data"

[source.window]
start = 2024-01-01
step = "P1M"

[source.timeouts]
connect = "PT10S"
idle = "PT2M"
total = "PT1H"

[source.retry]
max_attempts = 4
elapsed = "PT10M"
longest_wait = "PT1M"

[destination]
url = "lake/purchasing"
format = "parquet"

[landing]
keep = 3

[limits]
max_quarantined = "0.1%"
min_records = 1

[defaults]
write_disposition = "append"

[[tables]]
name = "orders"
description = "One row an order."
records = "/purchaseOrders"
primary_key = ["id"]
schema_contract = { columns = "freeze" }
null_values = ["", "n/a"]
checks = [
  { not_null = "status" },
  { sum = "lines.amount", equals = "total", tolerance = "0.01", on_failure = "warn" },
]
write_disposition = "append"
partition_by = ["month(created_at)", "status"]
sort_by = ["created_at", "id"]

[tables.columns]
total = { type = "decimal(18,2)", from = "/totalAmount", description = "Sum." }
created_at = "timestamp"
due_date = { type = "date", formats = ["%d.%m.%Y"] }
memo = { exclude = true }

[[tables]]
name = "lines"
parent = "orders"
records = "/lines"

[[tables]]
name = "requisitions"
records = "/purchaseRequisitions"
primary_key = ["no"]
nested = "json"
cursor = "updated_at"

[tables.columns]
note = { exclude = true }
"#;

/// Each mistake: what of [`GOOD`] is replaced, and by what.
pub(super) const MISTAKES: &[(&str, &str)] = &[
    // The form of the file.
    ("version = 1", "version = 1 2"),
    ("name = \"purchasing\"\n", "name = \"purchasing\n"),
    ("[landing]\nkeep = 3", "[landing\nkeep = 3"),
    ("[landing]\nkeep = 3", "landing = 3"),
    ("keep = 3", "keep = 3\nkeep = 4"),
    // Keys that are not there.
    ("description = \"Orders.\"", "descripton = \"Orders.\""),
    ("[landing]\nkeep = 3", "[landings]\nkeep = 3"),
    ("keep = 3", "keeps = 3"),
    ("list_style =", "liststyle ="),
    ("format =", "formt ="),
    ("sort_by =", "order_by ="),
    ("partition_by =", "partitioned_by ="),
    ("primary_key =", "primary_keys ="),
    ("[source.filters]", "[source.filter]"),
    ("exclude = true", "excluded = true"),
    ("type = \"decimal(18,2)\"", "typ = \"decimal(18,2)\""),
    ("description = \"Orders.\"", "endpoint = \"purchasing\""),
    ("format = \"parquet\"", "keep = 3"),
    ("keep = 3\n", "keep = 3\nwindow = \"P1D\"\n"),
    // Keys that are missing.
    ("version = 1\n", ""),
    ("name = \"purchasing\"\n", ""),
    ("endpoint = \"purchasing\"\n", ""),
    ("organisation_id = \"${PROCUREMENTFLOW_ORGANISATION_ID}\"\n", ""),
    ("url = \"lake/purchasing\"\n", ""),
    ("name = \"lines\"\n", ""),
    ("records = \"/lines\"\n", ""),
    ("records = \"/purchaseRequisitions\"\n", ""),
    // Values of the wrong form.
    ("version = 1", "version = \"1\""),
    ("version = 1", "version = 2"),
    ("name = \"purchasing\"", "name = 5"),
    ("keep = 3", "keep = -1"),
    ("keep = 3", "keep = \"three\""),
    ("primary_key = [\"id\"]", "primary_key = \"id\""),
    ("sort_by = [\"created_at\", \"id\"]", "sort_by = [1]"),
    ("partition_by = [\"month(created_at)\", \"status\"]", "partition_by = \"month(created_at)\""),
    ("created_at = \"timestamp\"", "created_at = 7"),
    ("exclude = true", "exclude = \"yes\""),
    ("since = 2026-01-01", "since = { day = 1 }"),
    ("status = [\"Approved\", \"Sent\"]", "status = [[\"Approved\"]]"),
    // Words that are no choice.
    ("endpoint = \"purchasing\"", "endpoint = \"purchases\""),
    ("endpoint = \"purchasing\"", "endpoint = \"esourcing\""),
    ("list_style = \"comma\"", "list_style = \"commas\""),
    ("format = \"parquet\"", "format = \"csv\""),
    ("write_disposition = \"append\"", "write_disposition = \"apend\""),
    ("write_disposition = \"append\"", "write_disposition = \"upsert\""),
    (
        "name = \"requisitions\"\nrecords = \"/purchaseRequisitions\"\nprimary_key = [\"no\"]\nnested = \"json\"\ncursor = \"updated_at\"",
        "name = \"requisitions\"\nrecords = \"/purchaseRequisitions\"\nwrite_disposition = \"merge\"",
    ),
    ("write_disposition = \"append\"", "write_disposition = 1"),
    ("created_at = \"timestamp\"", "created_at = \"datetime\""),
    ("decimal(18,2)", "decimal(18)"),
    ("decimal(18,2)", "decimal(39,2)"),
    ("decimal(18,2)", "decimal(2,18)"),
    ("created_at = \"timestamp\"", "created_at = \"list<list<string>\""),
    ("month(created_at)", "week(created_at)"),
    ("month(created_at)", "month(created_at"),
    ("month(created_at)", "month(createdAt)"),
    ("schema_contract = { columns = \"freeze\" }", "schema_contract = \"frozen\""),
    ("schema_contract = { columns = \"freeze\" }", "schema_contract = { column = \"freeze\" }"),
    ("schema_contract = { columns = \"freeze\" }", "schema_contract = { columns = \"thaw\" }"),
    ("schema_contract = { columns = \"freeze\" }", "schema_contract = [\"freeze\"]"),
    ("nested = \"json\"", "nested = \"structs\""),
    // Names and pointers.
    ("name = \"orders\"", "name = \"Orders\""),
    ("name = \"requisitions\"", "name = \"purchase requisitions\""),
    ("primary_key = [\"id\"]", "primary_key = [\"orderId\"]"),
    ("created_at = \"timestamp\"", "createdAt = \"timestamp\""),
    ("records = \"/purchaseOrders\"", "records = \"purchaseOrders\""),
    ("records = \"/purchaseOrders\"", "records = \"$.purchaseOrders\""),
    ("from = \"/totalAmount\"", "from = \"totalAmount\""),
    // The source and its key.
    ("https://go.procurementflow.com", "http://go.procurementflow.com"),
    ("https://go.procurementflow.com", "https://go.procurementflow.com/api/export"),
    ("https://go.procurementflow.com", "https://user:pf_secret@go.procurementflow.com"),
    ("https://go.procurementflow.com", "go.procurementflow.com"),
    ("${PROCUREMENTFLOW_ORGANISATION_ID}", ""),
    ("${PROCUREMENTFLOW_ORGANISATION_ID}", "${PROCUREMENTFLOW_ORGANISATION"),
    ("${PROCUREMENTFLOW_ORGANISATION_ID}", "${NOT_SET}"),
    (
        "api_key = [{ env = \"PROCUREMENTFLOW_API_KEY\" }, { file = \"/run/secrets/key\" }]",
        "api_key = \"pf_secret\"",
    ),
    (
        "api_key = [{ env = \"PROCUREMENTFLOW_API_KEY\" }, { file = \"/run/secrets/key\" }]",
        "api_key = []",
    ),
    ("{ file = \"/run/secrets/key\" }", "{ literal = \"pf_secret\" }"),
    ("{ file = \"/run/secrets/key\" }", "{ env = \"pf_secret\" }"),
    ("{ file = \"/run/secrets/key\" }", "{ file = \"pf_secret\" }"),
    ("status = [\"Approved\", \"Sent\"]", "status = \"${PROCUREMENTFLOW_API_KEY}\""),
    ("status = [\"Approved\", \"Sent\"]", "status = \"${PROCUREMENTFLOW_API_KEY_NEXT}\""),
    ("${PROCUREMENTFLOW_ORGANISATION_ID}", "${PROCUREMENTFLOW_API_KEY}"),
    ("endpoint = \"purchasing\"\n", "endpoint = \"purchasing\"\npath = \"/api\"\n"),
    (
        "endpoint = \"purchasing\"\norganisation_id = \"${PROCUREMENTFLOW_ORGANISATION_ID}\"",
        "path = \"api\"",
    ),
    (
        "endpoint = \"purchasing\"\norganisation_id = \"${PROCUREMENTFLOW_ORGANISATION_ID}\"",
        "path = \"/api/../x\"",
    ),
    (
        "endpoint = \"purchasing\"\norganisation_id = \"${PROCUREMENTFLOW_ORGANISATION_ID}\"",
        "path = \"/api?all=1\"",
    ),
    ("X-Team = \"data\"", "X-Api-Key = \"pf_secret\""),
    ("X-Team = \"data\"", "Authorization = \"Bearer pf_secret\""),
    ("X-Team = \"data\"", "Host = \"elsewhere\""),
    ("X-Team = \"data\"", "\"X Team\" = \"data\""),
    ("X-Team = \"data\"", "X-Team = \"${PROCUREMENTFLOW_API_KEY}\""),
    ("requests_per_minute = 30", "requests_per_minute = 0"),
    ("connect = \"PT10S\"", "connect = \"10s\""),
    ("connect = \"PT10S\"", "connect = 10"),
    ("idle = \"PT2M\"", "idle = \"P2M\""),
    ("total = \"PT1H\"", "totl = \"PT1H\""),
    ("max_attempts = 4", "max_attempts = 0"),
    ("elapsed = \"PT10M\"", "elapsed = \"PT0S\""),
    // Windows and templates.
    ("start = 2024-01-01\n", ""),
    ("start = 2024-01-01", "start = \"last year\""),
    ("start = 2024-01-01", "start = 2024"),
    ("step = \"P1M\"", "step = \"P0D\""),
    ("step = \"P1M\"", "step = \"1 month\""),
    ("step = \"P1M\"", "steps = \"P1M\""),
    ("{{ window.start | date }}", "{{ window.strat | date }}"),
    ("{{ window.start | date }}", "{{ window.start | iso }}"),
    ("{{ window.start | date }}", "{{ window.start"),
    ("{{ window.start | date }}", "{{ window.start | strftime('%!') }}"),
    ("[source.window]\nstart = 2024-01-01\nstep = \"P1M\"\n", ""),
    ("url = \"lake/purchasing\"", "url = \"lake/{{ window.start }}\""),
    ("[defaults]\nwrite_disposition = \"append\"\n", "[defaults]\n"),
    // Limits and defaults.
    ("max_quarantined = \"0.1%\"", "max_quarantined = \"0.1\""),
    ("max_quarantined = \"0.1%\"", "max_quarantined = \"101%\""),
    ("max_quarantined = \"0.1%\"", "max_quarantined = true"),
    ("min_records = 1", "min_records = -1"),
    ("min_records = 1", "max_shrink = 5"),
    ("min_records = 1", "max_shrink = \"50%\""),
    (
        "[defaults]\nwrite_disposition = \"append\"\n",
        "[defaults]\nwrite_disposition = \"append\"\nname = \"x\"\n",
    ),
    ("[defaults]\nwrite_disposition = \"append\"\n", "[defaults]\nwrite_disposition = \"all\"\n"),
    // The destination.
    ("url = \"lake/purchasing\"", "url = \"\""),
    ("url = \"lake/purchasing\"", "url = \"s3://\""),
    ("url = \"lake/purchasing\"", "url = \"ftp://host/lake\""),
    // Tables among themselves.
    ("name = \"requisitions\"", "name = \"orders\""),
    ("parent = \"orders\"", "parent = \"order\""),
    ("parent = \"orders\"", "parent = \"lines\""),
    ("parent = \"orders\"", "parent = \"orders\"\nparent_columns = [\"id\"]"),
    ("parent = \"orders\"", "parent = \"orders\"\nparent_columns = [\"memo\"]"),
    ("parent = \"orders\"", "parent = \"orders\"\nparent_columns = [\"_flowlake_run_id\"]"),
    ("parent = \"orders\"", "parent = \"orders\"\nparent_columns = [\"total\", \"total\"]"),
    ("cursor = \"updated_at\"", "cursor = \"updated_at\"\nparent_columns = [\"no\"]"),
    ("parent = \"orders\"", "parent = \"orders\"\npartition_by = [\"status\"]"),
    ("parent = \"orders\"", "parent = \"orders\"\nwrite_disposition = \"replace\""),
    ("records = \"/lines\"", "records = \"\""),
    ("records = \"/purchaseRequisitions\"", "records = \"/purchaseOrders\""),
    ("records = \"/purchaseRequisitions\"", "records = \"/purchaseOrders/lines\""),
    ("records = \"/purchaseRequisitions\"", "records = \"\""),
    (
        "records = \"/lines\"",
        "records = \"/lines\"\n[[tables]]\nname = \"more\"\nparent = \"orders\"\nrecords = \"/lines\"",
    ),
    ("primary_key = [\"id\"]", "primary_key = [\"memo\"]"),
    ("partition_by = [\"month(created_at)\", \"status\"]", "partition_by = [\"memo\"]"),
    ("sort_by = [\"created_at\", \"id\"]", "sort_by = [\"memo\"]"),
    ("parent = \"orders\"", "parent = \"requisitions\""),
    ("parent = \"orders\"", "parent = \"orders\"\nnested = \"json\""),
    ("note = { exclude = true }", "note = { from = \"/a/b\" }"),
    ("note = { exclude = true }", "note = \"struct<a: int64>\""),
    // Types of fields.
    ("note = { exclude = true }", "\"note.a\" = \"int64\""),
    ("memo = { exclude = true }", "memo.written.at = \"timestamp\""),
    ("memo = { exclude = true }", "memo = { exclude = true }\n\"memo.at\" = \"date\""),
    ("memo = { exclude = true }", "memo = \"string\"\n\"memo.at\" = \"date\""),
    ("memo = { exclude = true }", "\"memo.at\" = { type = \"date\", formats = [\"%d.%m.%Y\"] }"),
    ("memo = { exclude = true }", "\"memo.writtenAt\" = \"date\""),
    ("memo = { exclude = true }", "memo.written = \"dat\""),
    ("memo = { exclude = true }", "memo = { typ = \"date\" }"),
    ("memo = { exclude = true }", "memo.at = \"date\"\n\"memo.at\" = \"date\""),
    // The bucket.
    ("format = \"parquet\"", "[destination.s3]\nregion = \"eu-central-1\""),
    (
        "lake/purchasing\"\nformat = \"parquet\"",
        "s3://bucket\"\n[destination.s3]\nkms_key = \"a-key\"",
    ),
    (
        "lake/purchasing\"\nformat = \"parquet\"",
        "s3://bucket\"\n[destination.s3]\nendpoint = \"https://me:secret@minio\"",
    ),
    (
        "lake/purchasing\"\nformat = \"parquet\"",
        "s3://bucket\"\n[destination.s3]\nserver_side_encryption = \"kms\"",
    ),
    (
        "lake/purchasing\"\nformat = \"parquet\"",
        "s3://bucket\"\n[destination.s3]\naccess_key_id = \"AKIA\"",
    ),
    ("cursor = \"updated_at\"", "cursor = \"note\""),
    ("primary_key = [\"no\"]\n", ""),
    ("parent = \"orders\"", "parent = \"orders\"\ncursor = \"updated_at\""),
    ("null_values = [\"\", \"n/a\"]", "null_values = \"n/a\""),
    ("created_at = \"timestamp\"", "created_at = \"string\""),
    (
        "partition_by = [\"month(created_at)\", \"status\"]",
        "partition_by = [\"status\", \"status\"]",
    ),
    // Names of directories.
    ("memo = { exclude = true }", "created_at_month = { from = \"/month\" }"),
    ("sort_by = [\"created_at\", \"id\"]", "sort_by = [\"created_at_month\", \"id\"]"),
    (
        "partition_by = [\"month(created_at)\", \"status\"]",
        "partition_by = [\"month(created_at)\", \"created_at_month\"]",
    ),
    ("memo = { exclude = true }", "status_partition = \"string\""),
    ("parent = \"orders\"", "parent = \"orders\"\nkeys = \"orders_created_at_month\""),
    ("memo = { exclude = true }", "amount = { from = \"/totalAmount\" }"),
    ("formats = [\"%d.%m.%Y\"]", "formats = [\"dd.mm.yyyy\"]"),
    ("type = \"date\", formats", "type = \"string\", formats"),
    // Time zones.
    (
        "created_at = \"timestamp\"",
        "created_at = { type = \"timestamp\", timezone = \"Europe/Copenhagn\" }",
    ),
    ("created_at = \"timestamp\"", "created_at = { type = \"timestamp\", timezone = \"+02:00\" }"),
    ("created_at = \"timestamp\"", "created_at = { type = \"timestamp\", ambiguous = \"latest\" }"),
    (
        "created_at = \"timestamp\"",
        "created_at = { type = \"timestamp\", timezone = \"Europe/Copenhagen\", ambiguous = \"first\" }",
    ),
    (
        "created_at = \"timestamp\"",
        "created_at = { type = \"date\", timezone = \"Europe/Copenhagen\" }",
    ),
    ("created_at = \"timestamp\"", "created_at = { timezone = \"Europe/Copenhagen\" }"),
    ("\"month(created_at)\"", "'month(created_at, \"Europe/Kopenhagen\")'"),
    ("\"month(created_at)\"", "'month(created_at, Europe/Copenhagen)'"),
    ("\"month(created_at)\"", "'month(due_date, \"Europe/Copenhagen\")'"),
    (
        "write_disposition = \"append\"\npartition_by = [\"month(created_at)\", \"status\"]",
        "write_disposition = \"overwrite_partitions\"\npartition_by = ['month(created_at, \"Europe/Copenhagen\")']",
    ),
    // Merges.
    ("cursor = \"updated_at\"", "cursor = \"updated_at\"\ndeletes = \"mark\""),
    (
        "primary_key = [\"no\"]",
        "primary_key = [\"no\"]\nwrite_disposition = \"overwrite_partitions\"",
    ),
    (
        "primary_key = [\"no\"]",
        "primary_key = [\"no\"]\nwrite_disposition = \"overwrite_partitions\"\npartition_by = [\"state\"]",
    ),
    ("cursor = \"updated_at\"", "cursor = \"updated_at\"\nhistory = true"),
    ("cursor = \"updated_at\"", "cursor = \"updated_at\"\nhistory = \"yes\""),
    (
        "cursor = \"updated_at\"",
        "cursor = \"updated_at\"\nwrite_disposition = \"merge\"\nhistory = true\ndeletes = \"mark\"",
    ),
    (
        "cursor = \"updated_at\"",
        "cursor = \"updated_at\"\nwrite_disposition = \"merge\"\ndeletes = \"remove\"",
    ),
    ("parent = \"orders\"", "parent = \"orders\"\nhistory = true"),
    // Checks.
    ("{ not_null = \"status\" }", "{ notnull = \"status\" }"),
    ("{ not_null = \"status\" }", "{ on_failure = \"warn\" }"),
    ("{ not_null = \"status\" }", "{ not_null = \"status\", unique = \"status\" }"),
    ("{ not_null = \"status\" }", "{ not_null = \"status\", min = 0 }"),
    ("{ not_null = \"status\" }", "{ not_null = \"Status\" }"),
    ("{ not_null = \"status\" }", "{ not_null = true }"),
    ("{ not_null = \"status\" }", "{ not_null = \"memo\" }"),
    ("{ not_null = \"status\" }", "{ unique = [] }"),
    ("{ not_null = \"status\" }", "{ accepted_values = \"status\" }"),
    ("{ not_null = \"status\" }", "{ accepted_values = \"status\", values = \"sent\" }"),
    ("{ not_null = \"status\" }", "{ range = \"total\" }"),
    ("{ not_null = \"status\" }", "{ range = \"total\", mini = 0 }"),
    ("{ not_null = \"status\" }", "{ matches = \"status\", pattern = \"(\" }"),
    ("{ not_null = \"status\" }", "{ references = \"status\", to = \"lines\" }"),
    ("{ not_null = \"status\" }", "{ references = \"status\", to = \"line.no\" }"),
    ("{ not_null = \"status\" }", "{ references = \"status\", to = \"requisitions.no\" }"),
    ("sum = \"lines.amount\"", "sum = \"orders.amount\""),
    ("tolerance = \"0.01\"", "tolerance = -1"),
    ("on_failure = \"warn\"", "on_failure = \"ignore\""),
    // Width, objects keyed by data, JSON, null values.
    ("min_records = 1", "max_columns = 0"),
    ("parent = \"orders\"", "keys = \"no\""),
    ("records = \"/lines\"", "records = \"/lines\"\nkeys = \"No\""),
    (
        "records = \"/lines\"",
        "records = \"/lines\"\nkeys = \"no\"\n[tables.columns]\nno = \"int64\"",
    ),
    ("note = { exclude = true }", "no = \"json\""),
    ("note = { exclude = true }", "updated_at = \"json\""),
    ("note = { exclude = true }", "note = \"list<json>\""),
    ("note = { exclude = true }", "note = { null_values = \"-\" }"),
    ("null_values = [\"\", \"n/a\"]", "null_values = [[\"\"]]"),
];

fn workplace() -> Workplace {
    Workplace::empty().with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
}

/// What `check` says of a definition.
fn checked(workplace: &Workplace, definition: &str) -> String {
    workplace.write(definition);
    let finished = workplace.flowlake(&["check", "test.toml"]);
    assert_eq!(finished.code, 2, "{definition}");
    assert!(!finished.stdout.contains("pf_secret"), "P8: {}", finished.stdout);
    finished.stdout
}

#[test]
fn a_definition_that_uses_every_key_is_fine() {
    let workplace = workplace();
    workplace.write(GOOD);
    let output = workplace.flowlake(&["check", "test.toml"]).success();
    assert_eq!(output, "test.toml: ok, pipeline `purchasing`\n");
}

#[test]
fn the_definitions_of_pipelines_are_fine() {
    let workplace = workplace().with("FLOWLAKE_BUCKET", "bucket");
    let pipelines = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    for entry in std::fs::read_dir(pipelines).unwrap() {
        workplace.flowlake(&["check", entry.unwrap().path().to_str().unwrap()]).success();
    }
}

#[test]
fn each_mistake_has_a_message_with_a_way_out() {
    assert!(MISTAKES.len() >= 60);
    let workplace = workplace();
    let mut all = String::new();
    for (right, wrong) in MISTAKES {
        assert!(GOOD.contains(right), "{right}");
        let definition = GOOD.replacen(right, wrong, 1);
        let shown = checked(&workplace, &definition);
        assert_eq!(shown.matches("error: ").count(), 1, "one mistake, one message:\n{shown}");
        assert!(shown.contains("help: "), "{shown}");
        assert!(shown.contains("test.toml"), "{shown}");
        writeln!(all, "{}  =>  {}\n\n{shown}\n", right.trim(), wrong.trim()).unwrap();
    }
    insta::assert_snapshot!(all.replace("pf_secret", "SECRET"));
}

/// Each string and each name near the mistake of a definition, one after the other.
#[test]
fn h1_each_mistake_with_hostile_text_in_its_definition() {
    let strings = regex::Regex::new(r#""[^"\\\n]*""#).unwrap();
    let names = regex::Regex::new(r"(?m)^[a-z_]+").unwrap();
    let workplace = workplace();
    let mut told = 0;
    for (right, wrong) in MISTAKES {
        let definition = GOOD.replacen(right, wrong, 1);
        let ends = strings.find_iter(&definition).map(|it| (it.start(), it.end() - 1, ""));
        let keys = names.find_iter(&definition).map(|it| (it.start(), it.end(), "\""));
        let mistake = GOOD.find(right).unwrap();
        let is_near = |(start, end, _): &(usize, usize, &str)| {
            *end + 60 > mistake && *start < mistake + wrong.len() + 60
        };
        let mut files = Vec::new();
        for (number, (start, end, quote)) in ends.chain(keys).filter(is_near).enumerate() {
            let (before, text) = (&definition[..start], &definition[start..end]);
            let hostile =
                format!("{before}{quote}{text}{}{quote}{}", escaped(), &definition[end..]);
            files.push(format!("{number}.toml"));
            std::fs::write(workplace.path().join(&files[number]), hostile).unwrap();
        }
        let arguments: Vec<&str> =
            ["check"].into_iter().chain(files.iter().map(String::as_str)).collect();
        for options in [&[][..], &["--json"]] {
            let finished = workplace.flowlake(&[&arguments, options].concat());
            assert!([2, 4].contains(&finished.code), "{wrong}: {}", finished.stdout);
            told += finished.stdout.to_lowercase().matches("injected").count();
        }
    }
    assert!(told > 300, "only {told} messages had hostile text in them");
}

#[test]
fn many_mistakes_are_many_messages_in_one_run() {
    let definition = GOOD
        .replace("version = 1\n", "version = 7\n")
        .replace("list_style =", "liststyle =")
        .replace("https://", "http://")
        .replace("decimal(18,2)", "money")
        .replace("parent = \"orders\"", "parent = \"order\"");
    let shown = checked(&workplace(), &definition);
    assert_eq!(shown.matches("error: ").count(), 5, "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn the_problems_of_all_files_are_reported_also_as_json() {
    let workplace = workplace();
    workplace.write(&GOOD.replace("version = 1\n", "version = 7\n"));
    std::fs::rename(workplace.path().join("test.toml"), workplace.path().join("other.toml"))
        .unwrap();
    workplace.write(&GOOD.replace("keep = 3", "keep = \"x\""));
    let finished =
        workplace.flowlake(&["check", "--json", "test.toml", "other.toml", "nowhere.toml"]);
    assert_eq!(finished.code, 2);
    insta::assert_snapshot!(finished.stdout);
}

#[test]
fn a_window_that_ends_with_a_day_and_begins_with_an_instant_is_told() {
    let workplace = Workplace::asking(&Source::serving("[]"));
    let warns = |start: &str, end: &str, lookback: &str, table: &str| {
        workplace.define_with(
            &format!(
                "[source.filters]\nfrom = \"{start}\"\nto = \"{end}\"\n[source.window]\nstart = 2026-01-01\n{lookback}"
            ),
            &format!("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n{table}"),
        );
        let checked = workplace.flowlake(&["check", "test.toml"]).success();
        checked.contains("never sends what lies between")
    };
    let (merge, append) = ("write_disposition = \"merge\"", "write_disposition = \"append\"");
    let whole = "write_disposition = \"overwrite_partitions\"\npartition_by = [\"day(at)\"]";
    let [start, end] = ["{{ window.start }}", "{{ window.end }}"];
    for coarse in ["{{ window.end | date }}", "{{ window.end | strftime('%Y-%m-%d') }}"] {
        for table in [merge, append] {
            assert!(warns(start, coarse, "", table), "{coarse} {table}");
            assert!(warns(start, coarse, "lookback = \"PT23H\"", table), "{coarse} {table}");
            assert!(!warns(start, coarse, "lookback = \"P1D\"", table), "{coarse} {table}");
            assert!(!warns(start, coarse, "lookback = \"P1M\"", table), "{coarse} {table}");
            assert!(!warns("{{ window.start | date }}", coarse, "", table), "{coarse} {table}");
        }
        assert!(!warns("{{ window.start | date }}", coarse, "", whole), "{coarse}");
    }
    for table in [merge, append] {
        assert!(!warns(start, end, "", table));
        assert!(!warns("{{ window.start | date }}", end, "", table));
        assert!(!warns(start, "{{ run.date }}", "", table));
    }
}

#[test]
fn two_pipelines_that_write_one_table_are_refused() {
    let workplace = workplace();
    workplace.write(GOOD);
    std::fs::copy(workplace.path().join("test.toml"), workplace.path().join("other.toml")).unwrap();
    for command in ["check", "run"] {
        let finished = workplace.flowlake(&[command, "test.toml", "other.toml"]);
        assert_eq!(finished.code, if command == "run" { 3 } else { 2 }, "the first one may run");
        let shown = format!("{}{}", finished.stdout, finished.stderr);
        assert!(shown.contains("other.toml and test.toml both write table `"), "{shown}");
    }
    let text = std::fs::read_to_string(workplace.path().join("other.toml")).unwrap();
    let (pipeline, tables) = text.split_once("[[tables]]").unwrap();
    let named = ["name = \"", "parent = \"", "sum = \""].into_iter();
    let tables =
        named.fold(tables.to_owned(), |tables, key| tables.replace(key, &format!("{key}other_")));
    let other = format!("{pipeline}[[tables]]{tables}");
    std::fs::write(workplace.path().join("other.toml"), other).unwrap();
    let refused = workplace.flowlake(&["check", "test.toml", "other.toml"]);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    let shown = format!("{}{}", refused.stdout, refused.stderr);
    assert!(shown.contains("other.toml and test.toml are both called `"), "{shown}");
}

#[test]
fn check_online_tries_key_and_destination() {
    let source = Source::serving("[]");
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"");
    let output = workplace.flowlake(&["check", "--online", "test.toml"]).success();
    insta::assert_snapshot!(output);
    assert_eq!(workplace.lake().own("check"), Vec::<String>::new());
    let refused = workplace.with("PROCUREMENTFLOW_API_KEY", "pf_wrong").flowlake(&[
        "check",
        "--online",
        "test.toml",
    ]);
    assert_eq!(refused.code, 5);
}

#[test]
fn plan_and_run_agree() {
    let source = Source::serving("{\"rows\":[]}");
    let workplace = Workplace::asking(&source);
    workplace.define_with(
        "[source.filters]\nstatus = [\"a\", \"b c\"]",
        "[[tables]]\nname = \"t\"\nrecords = \"/rows\"\nprimary_key = [\"id\"]\n[tables.columns]\nid = \"int64\"\n\
         [[tables]]\nname = \"l\"\nparent = \"t\"\nrecords = \"/l\"",
    );
    let plan = workplace.flowlake(&["plan", "--json", "test.toml"]).success();
    assert_eq!(source.requests(), Vec::<String>::new(), "a plan asks nobody");
    workplace.run().success();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let request = format!("GET {}{}", source.base_url(), source.requests()[0]);
    assert_eq!(plan["requests"], serde_json::json!([request]));
    insta::assert_snapshot!(workplace.flowlake(&["plan", "test.toml"]).redacted());
}
