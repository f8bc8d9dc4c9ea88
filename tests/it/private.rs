//! What others on the same machine may see and do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Source, Workplace};

const TABLE: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n[tables.columns]\nn = \"int64\"\n";

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// The modes of a directory and of the files in it.
fn modes(workplace: &Workplace, area: &str) -> (u32, Vec<u32>) {
    let directory = workplace.path().join("lake/_flowlake").join(area);
    let mut files: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{area}");
    (mode(&directory), files.iter().map(|file| mode(file)).collect())
}

#[test]
fn s11_raw_data_is_for_its_owner_and_tables_are_for_all() {
    let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    for area in ["landing", "quarantine/t"] {
        let (directory, files) = modes(&workplace, area);
        assert_eq!(directory, 0o700, "{area}");
        assert!(files.iter().all(|it| *it == 0o600), "{area}: {files:?}");
    }
    let lake = workplace.path().join("lake");
    for readable in
        ["t", "_flowlake", "_flowlake/snapshot.json", "_flowlake/tables", "_flowlake/runs"]
    {
        assert_eq!(mode(&lake.join(readable)) & 0o044, 0o044, "{readable}");
    }
    assert_eq!(mode(&workplace.lake().files("t")[0]) & 0o044, 0o044);
}

#[test]
fn s11_raw_mode_opens_raw_data_to_a_group() {
    let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    let definition = workplace.path().join("test.toml");
    let text = std::fs::read_to_string(&definition).unwrap();
    std::fs::write(
        &definition,
        text.replacen("[destination]\n", "[destination]\nraw_mode = \"0640\"\n", 1),
    )
    .unwrap();
    source.serve(r#"[{"id":3,"n":3},{"id":4,"n":"y"}]"#);
    workplace.run().success();
    let (directory, files) = modes(&workplace, "landing");
    assert_eq!((directory, files.last()), (0o750, Some(&0o640)));
    assert!(files.iter().all(|it| *it == 0o640), "older files too: {files:?}");
    // Commands that know no definition keep it, and so does a run that declares nothing.
    let run = workplace.lake().quarantine("t")[0]["run_id"].as_str().unwrap().to_owned();
    workplace.flowlake(&["quarantine", "drop", "lake", "--run", &run, "--yes"]).success();
    let (directory, files) = modes(&workplace, "quarantine/t");
    assert_eq!((directory, files.as_slice()), (0o750, &[0o640][..]));
    std::fs::write(&definition, text).unwrap();
    source.serve(r#"[{"id":5,"n":5},{"id":6,"n":"z"}]"#);
    workplace.run().success();
    let (directory, files) = modes(&workplace, "quarantine/t");
    assert_eq!((directory, files.last()), (0o750, Some(&0o640)));
    for wrong in ["0777", "600x", "0400"] {
        let set = format!("destination.raw_mode={wrong}");
        let refused = workplace.flowlake(&["run", "test.toml", "--set", &set]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("write `\"0600\"`"), "{}", refused.stderr);
    }
}

#[test]
fn s09_the_lock_file_is_not_for_others_and_no_link() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    let lock = workplace.path().join("lake/_flowlake/lock.json");
    assert_eq!(mode(&lock), 0o600);
    let precious = workplace.path().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&precious, &lock).unwrap();
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("it is a symbolic link: remove it"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
}

#[test]
fn s09_somebody_without_a_name_is_not_called_the_last_run() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    let lock = std::fs::File::open(workplace.path().join("lake/_flowlake/lock.json")).unwrap();
    lock.lock().unwrap();
    let busy = workplace.run();
    assert_eq!(busy.code, 11, "{}", busy.stderr);
    assert!(busy.stderr.contains("and gives no name"), "{}", busy.stderr);
    assert!(busy.stderr.contains("fuser"), "{}", busy.stderr);
    // O22: what `unlock --force` cannot do, it does not recommend.
    let forced = workplace.flowlake(&["unlock", "lake", "--force"]);
    assert_eq!(forced.code, 11, "{}", forced.stderr);
    assert!(
        forced.stderr.contains("on local disk a lock ends only with its process"),
        "{}",
        forced.stderr
    );
    assert!(!forced.stderr.contains("unlock --force"), "{}", forced.stderr);
}

#[test]
fn s11_the_mode_is_that_of_the_area_whatever_the_umask() {
    let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    let night = |umask: &str, options: &str| {
        let flowlake = env!("CARGO_BIN_EXE_flowlake");
        let template = workplace.command(&[]);
        let environment = template.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let line = format!("umask {umask}; exec {flowlake} run test.toml --again {options}");
        let mut shell = std::process::Command::new("/bin/sh");
        let ran =
            shell.args(["-c", &line]).current_dir(workplace.path()).env_clear().envs(environment);
        assert!(ran.status().unwrap().success(), "{line}");
    };
    night("077", "--set destination.raw_mode=0640");
    night("077", "--set destination.raw_mode=0640");
    for area in ["landing", "quarantine/t"] {
        let (directory, files) = modes(&workplace, area);
        assert_eq!(directory, 0o750, "{area}");
        assert!(files.iter().all(|it| *it == 0o640), "{area}: {files:?}");
    }
    // By hand, one area alone.
    let landing = workplace.path().join("lake/_flowlake/landing");
    std::fs::set_permissions(&landing, PermissionsExt::from_mode(0o700)).unwrap();
    source.serve(r#"[{"id":1,"n":1},{"id":3,"n":"y"}]"#);
    night("022", "");
    let newest = modes(&workplace, "landing").1.last().copied();
    assert_eq!(
        (newest, modes(&workplace, "quarantine/t").1.last().copied()),
        (Some(0o600), Some(0o640))
    );
}

/// A command as a user who owns nothing here; none where this user cannot become another one.
fn as_other(workplace: &Workplace, arguments: &[&str]) -> Option<std::process::Output> {
    let binary = workplace.path().join("flowlake");
    if !binary.exists() {
        // By a process of its own: a child of another test would have the copy open for writing, and nobody could start it.
        let mut copy = std::process::Command::new("cp");
        let copied = copy.arg(env!("CARGO_BIN_EXE_flowlake")).arg(&binary).status().unwrap();
        assert!(copied.success());
        std::fs::set_permissions(workplace.path(), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let run = |program: &Path, arguments: &[&str]| {
        let template = workplace.command(&[]);
        let environment = template.get_envs().filter_map(|(name, value)| Some((name, value?)));
        std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program)
            .args(arguments)
            .current_dir(workplace.path())
            .envs(environment)
            .output()
    };
    match run(Path::new("/bin/true"), &[]) {
        Ok(output) if output.status.success() => Some(run(&binary, arguments).unwrap()),
        _ => {
            eprintln!("skipped: no other user can be had here");
            None
        }
    }
}

#[test]
fn o20_a_lake_that_is_for_its_owner_alone_is_not_called_missing() {
    let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    std::fs::set_permissions(workplace.path().join("test.toml"), PermissionsExt::from_mode(0o644))
        .unwrap();
    // As a umask of 077 leaves them, and below a directory that is closed.
    let lake = workplace.path().join("lake");
    let closed = workplace.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    for directory in [&lake, &lake.join("_flowlake"), &lake.join("t"), &closed] {
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o700)).unwrap();
    }
    for arguments in [
        &["verify", "lake"][..],
        &["verify", "closed/lake"],
        &["runs", "lake"],
        &["quarantine", "list", "lake"],
        &["unlock", "lake"],
        &["recover", "lake"],
        &["plan", "test.toml"],
        &["run", "test.toml"],
    ] {
        let Some(output) = as_other(&workplace, arguments) else { return };
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{arguments:?}: {shown}");
        for words in ["Permission denied", "use the user that runs the pipelines", "its umask"] {
            assert!(shown.contains(words), "{arguments:?}: {words}: {shown}");
        }
        assert!(!shown.contains("no lake here"), "{arguments:?}: {shown}");
    }
}

#[test]
fn o20_another_user_may_verify_the_tables_of_a_lake_and_not_its_raw_data() {
    let source = Source::serving(r#"[{"id":1,"n":1},{"id":2,"n":"x"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLE);
    workplace.run().success();
    for (arguments, code, words) in [
        (
            &["verify", "lake"][..],
            0,
            "not looked at, since this user may not read it: landing, quarantine, staging",
        ),
        (&["verify", "lake", "--quick"], 0, "matches its manifests"),
        (&["runs", "lake"], 0, "committed"),
        (&["quarantine", "show", "lake"], 7, "use the user that runs the pipelines"),
    ] {
        let Some(output) = as_other(&workplace, arguments) else { return };
        let shown = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {shown}");
        assert!(shown.contains(words), "{arguments:?}: {shown}");
    }
}
