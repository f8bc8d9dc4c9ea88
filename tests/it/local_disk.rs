//! What is peculiar to a directory as destination: syncs, symbolic links, file systems that lack something.

use std::os::unix::fs::symlink;
use std::path::Path as FilePath;

use bytes::Bytes;
use flowlake::store::{Destination, FileMove, PublishError, StoreTraits, SyncCounts};
use object_store::path::Path;
use tempfile::TempDir;

use crate::support::{Source, Workplace, in_each_format, runtime};

fn open(directory: &FilePath) -> Destination {
    Destination::open(&directory.to_str().unwrap().parse().unwrap()).unwrap()
}

fn path(name: &str) -> Path {
    Path::parse(name).unwrap()
}

/// Does something and tells how often it synced.
async fn syncs_of(destination: &Destination, work: impl Future) -> SyncCounts {
    let before = destination.syncs().unwrap();
    work.await;
    let after = destination.syncs().unwrap();
    SyncCounts {
        files: after.files - before.files,
        directories: after.directories - before.directories,
    }
}

async fn stage(destination: &Destination, target: &str) -> FileMove {
    let staged = destination.staged(&"run".parse().unwrap(), &path(target));
    destination.stage(&staged, Bytes::from(target.to_owned())).await.unwrap();
    FileMove::new(staged, path(target), target.len() as u64)
}

#[test]
fn o12_a_file_is_synced_once_and_a_directory_once_a_commit() {
    let directory = TempDir::new().unwrap();
    let destination = open(directory.path());
    runtime().block_on(async {
        let mut moves = Vec::new();
        let staged = syncs_of(&destination, async {
            for number in 0..300 {
                let name = format!("t/n_partition={}/{number:04}-run.parquet", number % 100);
                moves.push(stage(&destination, &name).await);
            }
        });
        assert_eq!(staged.await, SyncCounts { files: 300, directories: 0 });
        let staging = destination.sync_names(moves.iter().map(|file| &file.staged));
        // That of the run, and those above it, which are new.
        let named = syncs_of(&destination, staging).await;
        assert_eq!(named, SyncCounts { files: 0, directories: 4 });
        let published = syncs_of(&destination, destination.publish_all(&moves)).await;
        // The hundred, and two above them.
        assert_eq!(published, SyncCounts { files: 0, directories: 102 });
        let targets: Vec<Path> = moves.iter().map(|file| file.target.clone()).collect();
        let removed = syncs_of(&destination, destination.delete_all(&targets[100..])).await;
        assert_eq!(removed, SyncCounts { files: 0, directories: 100 });
        let report = destination.report("run");
        let write = || async { drop(destination.put(&report, Bytes::from("{}")).await.unwrap()) };
        let first = syncs_of(&destination, write()).await;
        assert_eq!(first, SyncCounts { files: 1, directories: 2 });
        let again = syncs_of(&destination, write()).await;
        assert_eq!(again, SyncCounts { files: 1, directories: 1 });
    });
}

#[test]
fn o12_a_directory_that_was_removed_is_synced_again() {
    let directory = TempDir::new().unwrap();
    let destination = open(directory.path());
    runtime().block_on(async {
        let file = path("a/b/c.json");
        let write = || async { drop(destination.put(&file, Bytes::from("{}")).await.unwrap()) };
        for _ in 0..2 {
            let syncs = syncs_of(&destination, write()).await;
            assert_eq!(syncs, SyncCounts { files: 1, directories: 3 });
            destination.delete(&file).await.unwrap();
            assert!(!directory.path().join("a").exists() && directory.path().exists());
        }
    });
}

#[test]
fn s03_nothing_is_listed_or_removed_behind_a_symbolic_link() {
    let (directory, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let destination = open(directory.path());
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    std::fs::create_dir_all(directory.path().join("_flowlake/runs")).unwrap();
    symlink(outside.path(), directory.path().join("_flowlake/staging")).unwrap();
    symlink(&victim, directory.path().join("_flowlake/runs/link.json")).unwrap();
    runtime().block_on(async {
        for listed in ["", "_flowlake", "_flowlake/staging"] {
            assert!(destination.list(&path(listed)).await.unwrap().is_empty(), "{listed}");
        }
        assert!(destination.temporary_files().await.unwrap().is_empty());
        let behind = destination.own("staging").join("victim");
        for refused in [
            destination.delete(&behind).await.unwrap_err(),
            destination.delete_all(std::slice::from_ref(&behind)).await.unwrap_err(),
            destination.refuse_links([behind.clone()]).await.unwrap_err(),
            destination.put(&behind, Bytes::from("x")).await.unwrap_err(),
        ] {
            let refused = refused.to_string();
            assert!(refused.contains("_flowlake/staging is a symbolic link"), "{refused}");
            assert!(refused.contains("_flowlake/staging/victim"), "{refused}");
        }
        // A link in the place of a file is removed, and not what it leads to.
        destination.delete(&destination.own("runs").join("link.json")).await.unwrap();
        assert!(!directory.path().join("_flowlake/runs").exists());
        // A directory is never removed.
        std::fs::create_dir_all(directory.path().join("t/month")).unwrap();
        destination.delete(&path("t/month")).await.unwrap_err();
        assert!(directory.path().join("t/month").exists());
    });
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
}

#[test]
fn s03_temporary_files_are_those_that_were_made_here() {
    let directory = TempDir::new().unwrap();
    let destination = open(directory.path());
    let write = |name: &str| {
        let file = directory.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "x").unwrap();
        file
    };
    let killed = write("_flowlake/commits/.flowlake-abcdefghijkl.tmp");
    let others = [
        "notes#1",
        "t/.flowlake-notes.tmp",
        // Another destination below this one.
        "archive/_flowlake/commits/.flowlake-abcdefghijkl.tmp",
    ];
    let others = others.map(write);
    runtime().block_on(async {
        assert_eq!(destination.temporary_files().await.unwrap(), [killed.canonicalize().unwrap()]);
        destination.remove_temporary_files().await.unwrap();
    });
    assert!(!killed.exists() && others.iter().all(|file| file.exists()));
}

#[test]
fn s03_a_run_and_a_repair_leave_alone_what_is_behind_a_symbolic_link() {
    let source = Source::serving(r#"[{"id":1,"v":"a"}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    workplace.run().success();
    let outside = TempDir::new().unwrap();
    let victim = outside.path().join("0000.staged");
    std::fs::write(&victim, "mine").unwrap();
    let empty = outside.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let staging = workplace.path().join("lake/_flowlake/staging");
    let _ = std::fs::remove_dir_all(&staging);
    symlink(outside.path(), &staging).unwrap();
    workplace.flowlake(&["verify", "lake", "--repair"]).success();
    let nothing_new = workplace.run();
    assert_eq!(nothing_new.code, 0, "{}", nothing_new.stderr);
    assert!(nothing_new.stderr.contains("staging is a symbolic link"), "{}", nothing_new.stderr);
    let _ = workplace.flowlake(&["check", "--online", "test.toml"]);
    assert!(empty.exists());
    source.serve(r#"[{"id":1,"v":"b"}]"#);
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("staging is a symbolic link"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 2);
    std::fs::remove_file(&staging).unwrap();
    workplace.run().success();
    assert_eq!(workplace.lake().column("t", "v"), ["b"]);
}

#[test]
fn s03_a_table_behind_a_symbolic_link_is_refused_before_the_commit() {
    let source = Source::serving(r#"[{"id":1}]"#);
    let workplace = Workplace::asking(&source);
    workplace.define("[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]");
    let outside = TempDir::new().unwrap();
    std::fs::create_dir_all(workplace.path().join("lake")).unwrap();
    symlink(outside.path(), workplace.path().join("lake/t")).unwrap();
    let refused = workplace.run();
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("lake/t is a symbolic link"), "{}", refused.stderr);
    assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
    // Nothing has been committed that could not be finished.
    std::fs::remove_file(workplace.path().join("lake/t")).unwrap();
    workplace.run().success();
}

/// A mount is another file system to a rename, also of the same disk.
#[test]
fn s03_the_directory_of_a_table_may_be_a_mount() {
    in_each_format(|| {
        let source = Source::serving(r#"[{"id":1,"v":"a"}]"#);
        let workplace = Workplace::asking(&source);
        workplace.define(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"",
        );
        let disk = TempDir::new().unwrap();
        let mounted = |arguments: &str| {
            let flowlake = env!("CARGO_BIN_EXE_flowlake");
            let shell = format!(
                "mkdir -p lake/t && mount --bind {} lake/t && {flowlake} {arguments}",
                disk.path().display()
            );
            let template = workplace.command(&[]);
            let environment = template.get_envs().filter_map(|(name, value)| Some((name, value?)));
            let mut command = std::process::Command::new("unshare");
            command.args(["--mount", "sh", "-c", &shell]).current_dir(workplace.path());
            command.envs(environment).output()
        };
        if !mounted("--version").is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: nothing can be mounted here");
            return;
        }
        for v in ["a", "b"] {
            source.serve(&format!(r#"[{{"id":1,"v":"{v}"}}]"#));
            let output = mounted("run test.toml").unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{told}");
            let verified = mounted("verify lake").unwrap();
            assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
            assert!(std::fs::read_dir(disk.path()).unwrap().count() > 0, "the rows are elsewhere");
            assert_eq!(workplace.lake().own("staging"), [""; 0], "nothing stays in staging");
        }
    });
}

/// Two names of one directory, as on a file system that folds case.
#[test]
fn s02_a_file_whose_name_folds_into_that_of_another_is_not_published() {
    let directory = TempDir::new().unwrap();
    let destination = open(directory.path());
    std::fs::create_dir_all(directory.path().join("t/sent")).unwrap();
    symlink("sent", directory.path().join("t/Sent")).unwrap();
    runtime().block_on(async {
        let [first, second] = ["t/sent/0000-run.parquet", "t/Sent/0000-run.parquet"];
        let first = stage(&destination, first).await;
        let second = stage(&destination, second).await;
        destination.publish_all(std::slice::from_ref(&first)).await.unwrap();
        let refused = destination.publish_all(&[first.clone(), second.clone()]).await.unwrap_err();
        assert!(matches!(refused, PublishError::Taken { .. }), "{refused}");
        assert!(refused.to_string().contains("t/Sent/0000-run.parquet"), "{refused}");
        let content = destination.get(&first.target).await.unwrap().unwrap();
        assert_eq!(content, first.target.as_ref().as_bytes());
        assert!(destination.size(&second.staged).await.unwrap().is_some(), "it is not lost");
    });
}

#[test]
fn s05_a_file_system_is_tried_out() {
    let directory = TempDir::new().unwrap();
    let destination = open(directory.path());
    let learnt = runtime().block_on(destination.try_out(&"check".parse().unwrap())).unwrap();
    assert!(matches!(learnt, StoreTraits::FileSystem { .. }), "{learnt}");
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none(), "nothing is left");
}

/// A file is read by others than the user who runs flowlake.
#[test]
fn files_have_the_permissions_that_the_user_gives_to_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let plain = directory.path().join("plain");
    std::fs::write(&plain, "x").unwrap();
    let destination = open(directory.path());
    runtime().block_on(async {
        destination.put(&path("t/file"), Bytes::from("x")).await.unwrap();
        let large = std::io::Cursor::new(vec![0; 7_000_000]);
        destination.put_stream(&path("t/large"), large).await.unwrap();
    });
    let mode =
        |name: &str| std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
    assert_eq!([mode("t/file"), mode("t/large")], [mode("plain"); 2]);
}

#[test]
fn a_table_may_have_more_partitions_than_files_that_may_be_open() {
    let record = |day: u32, v: u32| {
        let (month, day_of_month) = (1 + day / 28 % 12, 1 + day % 28);
        let year = 2020 + day / 28 / 12;
        format!(
            r#"{{"id":{day},"at":"{year}-{month:02}-{day_of_month:02}","v":{v},"lines":[{{"n":1}}]}}"#
        )
    };
    let export = |v: u32| {
        let records: Vec<String> =
            (0..400).map(|day| record(day, if day == 7 { v } else { 0 })).collect();
        format!("[{}]", records.join(","))
    };
    in_each_format(|| {
        let source = Source::serving(&export(0));
        let workplace = Workplace::asking(&source);
        workplace.define(
            "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
             partition_by = [\"day(at)\"]",
        );
        for (night, command) in [
            (0, "run test.toml"),
            (1, "run test.toml"),
            (1, "verify lake"),
            (1, "verify lake --repair"),
        ] {
            source.serve(&export(night));
            let done = workplace.limited("ulimit -n 128", command);
            let told = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(done.status.success(), "{command} of night {night}: {told}");
        }
        assert_eq!(workplace.lake().files("t").len(), 400);
    });
}
