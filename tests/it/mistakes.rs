//! Mistakes in definitions and on the command line: found early, told plainly, and without harm.

use std::process::{Command, Stdio};

use crate::support::{Source, Workplace};

const HEAD: &str =
    "version = 1\nname = \"test\"\n[source]\nendpoint = \"e-sourcing\"\norganisation_id = \"o\"\n";

/// What `check` says of a definition that is wrong.
#[track_caller]
fn refused(definition: &str) -> String {
    let workplace = Workplace::empty();
    std::fs::write(workplace.path().join("test.toml"), definition).unwrap();
    let finished = workplace.flowlake(&["check", "test.toml"]);
    let shown = format!("{}{}", finished.stdout, finished.stderr);
    let beginning: String = definition.chars().skip(HEAD.len()).take(200).collect();
    assert_eq!(finished.code, 2, "{beginning}: {shown:.2000}");
    shown
}

fn with_url(url: &str) -> String {
    format!("{HEAD}[destination]\nurl = '{url}'\n[[tables]]\nname = \"t\"\n")
}

fn with_table(table: &str) -> String {
    format!("{HEAD}[destination]\nurl = \"lake\"\n[[tables]]\n{table}\n")
}

#[test]
fn h3_a_template_is_a_name_with_filters_and_nothing_else() {
    let many = |text: &str| text.repeat(50_000);
    for template in [
        r#"{{ run.date | strftime("%+%+%:::z%#z") }}"#.to_owned(),
        r#"{{ run.date | strftime("%#z") }}"#.to_owned(),
        "{{ run.date | strftime(1) }}".to_owned(),
        format!("{{{{ {}1 }}}}", many("-")),
        format!("{{{{ run.date{} }}}}", many(".a")),
        format!("{{{{ {}1 }}}}", many("1+")),
        format!("{{{{ {}run.date }}}}", many("not ")),
        format!("{{{{ run.date {} }}}}", "| date ".repeat(5)),
        many("x"),
        "{% for i in [1,1] %}{% for j in [1,1] %}x{% endfor %}{% endfor %}".to_owned(),
        "{% set a = 1 %}{{ a ~ a }}".to_owned(),
        "{% if true %}x{% endif %}".to_owned(),
        "{# x #}".to_owned(),
        "{{ \"x\" }}".to_owned(),
        "{{ [run.date] }}".to_owned(),
    ] {
        refused(&with_url(&template));
        refused(&format!(
            "{HEAD}filters = {{ a = '{template}' }}\n[destination]\nurl = \"lake\"\n"
        ));
    }
}

#[test]
fn h3_types_paths_and_patterns_have_an_end() {
    let nested = |open: &str, close: &str, times| {
        format!("{}int64{}", open.repeat(times), close.repeat(times))
    };
    for (column_type, nested_as) in [
        (nested("list<", ">", 20_000), "columns"),
        (nested("struct<a: ", ">", 20_000), "columns"),
        (nested("list<", ">", 33), "columns"),
        ("list<".repeat(200_000), "tables"),
    ] {
        let table = format!(
            "name = \"t\"\nnested = \"{nested_as}\"\n[tables.columns]\nx = \"{column_type}\""
        );
        refused(&with_table(&table));
    }
    let units = "year(".repeat(50_000);
    refused(&with_table(&format!("name = \"t\"\npartition_by = [\"{units}at\"]")));
    refused(&with_table(&format!("name = \"t\"\nx = {}", "[".repeat(200_000))));
    refused(&with_table(&format!("name = \"t\"\n{}", "a.".repeat(100_000))));
}

#[test]
fn h3_many_and_long_mistakes_are_told_in_bounds() {
    const RESOURCE: &str = "endpoint = \"e-sourcing\"\norganisation_id = \"o\"";
    let numbered = |count: usize, of: &dyn Fn(usize) -> String| {
        (0..count).map(of).collect::<Vec<_>>().join("\n")
    };
    let keys = numbered(4000, &|at| format!("unknown_key_{at} = 1"));
    let names = numbered(5000, &|at| format!("\"Name {at}\","));
    let checks = numbered(300, &|at| {
        format!("{{ matches = \"a{at}\", pattern = '\\p{{L}}{{1,9{}}}' }},", at % 10)
    });
    let long = "k".repeat(900_000);
    for (table, words) in [
        (format!("name = \"t\"\n{keys}"), "3900 more problems are not shown"),
        (format!("name = \"t\"\n{long} = 1"), "unknown key"),
        (format!("name = \"t\"\nprimary_key = [{names}]"), "4900 more problems are not shown"),
        (format!("name = \"t\"\nchecks = [{checks}]"), "or one too many"),
        (format!("name = \"t\"\nx = \"{long}{long}\""), "more than 1 MiB"),
    ] {
        let shown = refused(&with_table(&table));
        assert!(shown.contains(words), "{}", &shown[..shown.len().min(2000)]);
        assert!(shown.len() < 600_000, "{} bytes are shown", shown.len());
    }
    let path = format!("path = \"/{}\"", "${X:-0123456789}".repeat(50_000));
    let shown = refused(&with_url("lake").replace(RESOURCE, &path));
    assert!(shown.contains("too long with the values"), "{shown}");
}

#[test]
fn h4_a_definition_that_is_no_file_is_not_waited_for() {
    let workplace = Workplace::empty();
    let file = workplace.path().join("test.toml");
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    for _ in 0..2 {
        for command in ["check", "plan", "run"] {
            let finished = workplace.flowlake(&[command, "test.toml"]);
            assert_eq!(finished.code, 2, "{}", finished.stderr);
            let all = format!("{}{}", finished.stdout, finished.stderr);
            assert!(all.contains("it is no file"), "{all}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    }
}

#[test]
fn h4_a_pipeline_has_a_name_and_an_organisation_an_id() {
    for (written, wrong, words) in [
        ("name = \"test\"", "name = \"\"".to_owned(), "a pipeline needs a name"),
        ("name = \"test\"", "name = \" \\t\"".to_owned(), "a pipeline needs a name"),
        ("name = \"test\"", format!("name = \"{}\"", "n".repeat(2000)), "the name is too long"),
        ("\"o\"", "\".\\t.\"".to_owned(), "not an organisation id"),
        ("\"o\"", "\"\\n..\"".to_owned(), "not an organisation id"),
    ] {
        let definition = with_url("lake");
        assert!(definition.contains(written), "{definition}");
        let shown = refused(&definition.replacen(written, &wrong, 1));
        assert!(shown.contains(words), "{wrong}: {shown}");
    }
    let shown = refused(&with_table("name = \"2x\""));
    assert!(shown.contains("beginning with a letter\n"), "{shown}");
}

#[test]
fn h4_a_directory_that_a_shell_would_have_replaced_is_no_destination() {
    for (url, words) in [
        ("~/lake", "write `${HOME}/lake`"),
        ("~other/lake", "write `${HOME}/lake`"),
        ("$HOME/lake", "write `${HOME}/lake`"),
        ("s3:/bucket/lake", "write `s3://bucket/lake`"),
    ] {
        let shown = refused(&with_url(url));
        assert!(shown.contains(words), "{url}: {shown}");
    }
}

#[test]
fn h4_a_table_is_called_as_a_directory_can_be() {
    for name in ["_flowlake".to_owned(), "_hidden".to_owned(), "n".repeat(300), "æ".repeat(120)] {
        refused(&with_table(&format!("name = \"{name}\"")));
    }
    let workplace = Workplace::empty();
    let fits = with_table(&format!("name = \"{}\"", "n".repeat(200)));
    std::fs::write(workplace.path().join("test.toml"), fits).unwrap();
    workplace.flowlake(&["check", "test.toml"]).success();
}

#[test]
fn h4_a_number_that_is_too_large_is_called_that() {
    let keep = "[landing]\nkeep = 99999999999999999999999\n";
    let shown = refused(&format!("{}{keep}", with_url("lake")));
    assert!(shown.contains("too large"), "{shown}");
}

#[test]
fn o22_a_destination_with_a_password_is_refused_and_not_shown() {
    for url in [
        "s3://user:sekret@bucket/lake",
        "s3://sekret@bucket/lake",
        "az://account:sekret@c/lake",
        "s3://bucket/lake?X-Amz-Signature=sekret",
        "abfss://c@account.dfs.core.windows.net/lake?sig=sekret",
        "https://user:sekret@host/lake",
    ] {
        let shown = refused(&with_url(url));
        assert!(!shown.contains("sekret"), "{url}: {shown}");
    }
    for url in ["s3://bucket:9000/lake", "s3://b#c/lake", "s3://bu cket/lake"] {
        refused(&with_url(url));
    }
}

#[test]
fn f01_an_exclude_that_excludes_nothing_ends_the_first_run() {
    let iban = r#"[{"id":1,"supplier":{"bank":{"iban":"DK5000400440116243"}}}]"#;
    let source = Source::serving(iban);
    let workplace = Workplace::asking(&source);
    let exclude = |column: &str| format!("[[tables]]\nname = \"t\"\n[tables.columns]\n{column}\n");
    workplace.define(&exclude("supplier_bank_iban = { exclude = true }"));
    let finished = workplace.run();
    assert_eq!(finished.code, 2, "{}", finished.stderr);
    let nearest = "did you mean `supplier__bank__iban`?";
    assert!(finished.stderr.contains(nearest), "{}", finished.stderr);
    assert!(!workplace.path().join("lake/t").exists(), "no table was written");
    workplace.define(&exclude("supplier__bank__iban = { exclude = true }"));
    workplace.run().success();
    assert!(!workplace.lake().schema("t").iter().any(|column| column.contains("iban")));
    // Once there is a table, a night may lack it.
    source.serve(r#"[{"id":2}]"#);
    workplace.run().success();

    let other = Workplace::asking(&source);
    other.define(&exclude("iban = { exclude = true, optional = true }"));
    other.run().success();
}

#[test]
fn f01_a_name_that_nothing_has_is_told_with_the_nearest_one() {
    let source = Source::serving(r#"[{"id":1,"total":"1.50","lines":[{"price":1}]}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(
        "[[tables]]\nname = \"t\"\n[tables.columns]\ntotl = \"decimal(18,2)\"\n\
         name = { from = \"/supplier/name\", type = \"string\" }\n\
         later = { type = \"date\", optional = true }\n\n\
         [[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/lines\"\n\
         [tables.columns]\nprise = \"int64\"\n",
    );
    let first = workplace.run();
    assert_eq!(first.code, 0, "{}", first.stderr);
    for words in [
        "nothing in the export is called `totl`; did you mean `total`?",
        "nothing in the export is called `name`; write `optional = true`",
        "nothing in the export is called `prise`; did you mean `price`?",
    ] {
        assert!(first.stderr.contains(words), "{words}: {}", first.stderr);
    }
    assert!(!first.stderr.contains("`later`"), "{}", first.stderr);
}

#[test]
fn f05_a_relative_destination_belongs_to_the_definition() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\n");
    let elsewhere = workplace.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let flowlake = |arguments: &[&str]| {
        let output = workplace.command(arguments).current_dir(&elsewhere).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let lake = workplace.path().canonicalize().unwrap().join("lake").display().to_string();
    assert!(flowlake(&["plan", "../test.toml"]).contains(&format!("destination  {lake}\n")));
    let report: serde_json::Value =
        serde_json::from_str(&flowlake(&["run", "../test.toml", "--json"])).unwrap();
    assert_eq!(report["destination"], lake.as_str());
    assert_eq!(workplace.lake().column("t", "id"), ["1"]);
    flowlake(&["verify", "../test.toml"]);
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0, "no second lake");
    // What the command line sets belongs to where it is set, in quotes or without.
    flowlake(&["run", "../test.toml", "--set", "destination.url=here"]);
    assert!(elsewhere.join("here/t").exists());
    flowlake(&["run", "../test.toml", "--set", "destination.url=\"there/too\""]);
    assert!(elsewhere.join("there/too/t").exists());
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 2);
}

#[test]
fn f12_a_table_that_is_renamed_leaves_the_old_one_and_says_so() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"orders\"\n");
    workplace.run().success();
    workplace.define("[[tables]]\nname = \"orders2\"\n");
    let words = "no table of the definition is called so any more";
    let renamed = workplace.run();
    let told = renamed.stderr.contains(words) && renamed.stderr.contains("table=orders");
    assert!(told, "{}", renamed.stderr);
    source.serve(r#"[{"id":2}]"#);
    let next = workplace.run();
    assert!(!next.stderr.contains(words), "once: {}", next.stderr);
}

#[test]
fn f11_arguments_that_are_wrong_have_an_example() {
    let workplace = Workplace::empty();
    for (arguments, words) in [
        (["--memory", "10"], "as in `256MiB`"),
        (["--jobs", "0"], "a number from 1 on, like 3"),
        (["--jobs", "x"], "a number from 1 on, like 3"),
        (["--from", "yesterday"], "write `2024-01-01`"),
    ] {
        let finished = workplace.flowlake(&[&["run", "test.toml"], &arguments[..]].concat());
        assert_eq!(finished.code, 2);
        assert!(finished.stderr.contains(words), "{arguments:?}: {}", finished.stderr);
    }
}

/// The exit code of a line of shell, in which `flowlake` is the binary, and its stderr.
fn shell(workplace: &Workplace, line: &str) -> (i32, String) {
    let line = line.replace("flowlake ", &format!("{} ", env!("CARGO_BIN_EXE_flowlake")));
    let template = workplace.command(&[]);
    let environment = template.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(workplace.path())
        .env_clear()
        .envs(environment)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn o08_output_that_cannot_be_written_loses_nothing_and_changes_no_exit_code() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\n");
    for (line, code) in [
        ("flowlake run test.toml > /dev/full", 0),
        ("flowlake run test.toml --again --json > /dev/full", 0),
        ("flowlake run test.toml --again 2> /dev/full", 0),
        ("RUST_LOG=debug flowlake run test.toml --again 2> /dev/full", 0),
        ("flowlake run test.toml --again >&- 2>&-", 0),
        ("flowlake run nowhere.toml > /dev/full 2> /dev/full", 2),
        ("flowlake runs lake > /dev/full", 1),
        ("flowlake check test.toml > /dev/full", 1),
        ("rm -f lake/t/*; flowlake verify lake > /dev/full", 7),
    ] {
        let (found, stderr) = shell(&workplace, line);
        assert_eq!(found, code, "{line}: {stderr}");
        if line.ends_with(" > /dev/full") {
            assert!(stderr.contains("warning: cannot write the output"), "{line}: {stderr}");
        }
    }
}

#[test]
fn h5_a_file_beyond_the_limit_of_its_size_is_an_error_with_its_cause() {
    // Text that does not compress.
    let record = |id: u64| {
        let text = blake3::hash(&id.to_le_bytes()).to_hex();
        format!("{{\"id\":{id},\"v\":\"{text}\"}}")
    };
    let records: Vec<String> = (0..4_000).map(record).collect();
    let source = Source::serving(&format!("[{}]", records.join(",")));
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\n");
    let (code, stderr) = shell(&workplace, "ulimit -f 8; flowlake run test.toml");
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("File too large"), "{stderr}");
    workplace.run().success();
}

#[test]
fn h4_an_envelope_that_repeats_the_key_of_the_records_is_refused() {
    let twice = r#"{"rows":[{"id":1}],"rows":[{"id":2}]}"#;
    let within = r#"{"a":{"rows":[{"id":1}]},"a":{"rows":[{"id":2}]}}"#;
    for (body, records) in [
        (twice, "records = \"/rows\"\n"),
        (twice, ""),
        (within, "records = \"/a/rows\"\n"),
        (within, ""),
        (r#"{"rows":[],"rows":[{"id":2}]}"#, "records = \"/rows\"\n"),
    ] {
        let source = Source::serving(body);
        let workplace = Workplace::asking(&source);
        workplace.define(&format!("[[tables]]\nname = \"t\"\n{records}"));
        let finished = workplace.run();
        assert_eq!(finished.code, 6, "{body} {records}: {}", finished.stderr);
        assert!(finished.stderr.contains("two values at `/"), "{}", finished.stderr);
    }
    // Where earlier exports had their records.
    let source = Source::serving(r#"{"rows":[{"id":1}]}"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\n");
    workplace.run().success();
    source.serve(twice);
    assert_eq!(workplace.run().code, 6);
}
