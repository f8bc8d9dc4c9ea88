//! kill -9 at every request to S3, before every call that changes the local disk, and at random moments. The next run finds
//! the tables wholly as before or wholly as after (promise P2) and leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use flowlake::schema::TableFormat;
use flowlake::store::Destination;
use flowlake::table;
use flowlake::table::verify::{Finding, FindingKind, VerifyDepth};
use object_store::prefix::PrefixStore;
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::support::Traced;
use crate::support::{
    Course, DeltaLog, Lake, LoopingReader, Milestone, ReadTables, S3Server, SnapshotReader, Source,
    Workplace, copy_directory, format_of_test, in_each_format, in_format, in_slice_of_test,
    is_in_slice, is_long, own_directory, rows_of_files, runtime,
};

/// The rows of both tables, and how many records are in quarantine.
type State = (Vec<String>, Vec<String>, usize);

/// One record moves to another partition, one changes, one loses a line, one stays.
const OLD: &str = r#"[{"id":1,"at":"2026-01-05","v":1,"lines":[{"n":1}]},{"id":2,"at":"2026-02-05","v":1},
    {"id":3,"at":"2026-03-05","v":1,"lines":[{"n":1},{"n":2}]},{"id":4,"at":"2026-04-05","v":1}]"#;
const NEW: &str = r#"[{"id":1,"at":"2026-02-05","v":1,"lines":[{"n":1},{"n":9}]},{"id":2,"at":"2026-02-05","v":2},
    {"id":3,"at":"2026-03-05","v":1,"lines":[{"n":1}]},{"id":4,"at":"2026-04-05","v":1},{"id":5,"at":"2026-05-05","v":"x"}]"#;

const TABLES: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n\
    partition_by = [\"month(at)\"]\n[tables.columns]\nv = \"int64\"";

/// The rows of the tables, and how many records are in quarantine.
fn state(lake: &Lake) -> State {
    let rows = |table: &str, columns: [&str; 3]| {
        let columns = columns.map(|name| lake.column(table, name));
        let mut rows: Vec<String> = (0..columns[0].len())
            .map(|row| columns.each_ref().map(|column| column[row].clone()).join(" "))
            .collect();
        rows.sort();
        rows
    };
    (
        rows("t", ["id", "at", "v"]),
        rows("t__lines", ["t__id", "_index", "n"]),
        lake.quarantine("t").len(),
    )
}

/// The same as a reader by the snapshot has it.
fn state_read(read: &ReadTables) -> State {
    let rows = |table: &str, columns: [&str; 3]| read.rows(table, &columns);
    let lines = rows("t__lines", ["t__id", "_index", "n"]);
    (rows("t", ["id", "at", "v"]), lines, read.quarantined("t"))
}

/// Refuses what is not one of the states: parent and child have to be of one run.
fn check_read(read: &ReadTables, expected: &[State; 2]) -> Result<(), String> {
    let found = state_read(read);
    if expected.contains(&found) { Ok(()) } else { Err(format!("a reader has {found:?}")) }
}

/// A reader that never stops while runs are killed and repaired: by the snapshot, or by the logs where tables have them. It
/// reads the old tables or the new ones.
fn read_beside(lake: &Path, expected: &[State; 2]) -> LoopingReader {
    let expected = expected.clone();
    match format_of_test() {
        TableFormat::Parquet => LoopingReader::start(lake, move |read| check_read(read, &expected)),
        TableFormat::Delta => {
            let lake = lake.to_owned();
            let mut seen = [0, 0];
            LoopingReader::repeating(move || read_logs(&lake, &expected, &mut seen))
        }
    }
}

/// Reads each table by its log. A version is the old table or the new one, and none goes back.
fn read_logs(lake: &Path, expected: &[State; 2], seen: &mut [u64; 2]) -> Result<(), String> {
    let columns = [("t", ["id", "at", "v"]), ("t__lines", ["t__id", "_index", "n"])];
    for (number, (table, columns)) in columns.into_iter().enumerate() {
        let log = DeltaLog::last(&lake.join(table))?.ok_or("no log")?;
        if log.version < seen[number] {
            return Err(format!("{table} went back to version {}", log.version));
        }
        seen[number] = log.version;
        let rows = rows_of_files(log.files.keys().map(PathBuf::as_path), &columns)?;
        let is_known = expected
            .iter()
            .any(|(rows_of_t, lines, _)| rows == *(if number == 0 { rows_of_t } else { lines }));
        if !is_known {
            return Err(format!("version {} of {table} has {rows:?}", log.version));
        }
    }
    Ok(())
}

/// The states before and after the second export.
fn before_and_after() -> [State; 2] {
    let source = Source::serving(OLD);
    let workplace = Workplace::asking(&source);
    workplace.define(TABLES);
    [OLD, NEW].map(|export| {
        source.serve(export);
        workplace.run().success();
        state(&workplace.lake())
    })
}

fn start(workplace: &Workplace) -> Child {
    let mut command = workplace.command(&["run", "test.toml"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The lake of the first export, as it is on disk.
fn keep(lake: &Path) -> TempDir {
    let kept = TempDir::new().unwrap();
    copy_directory(lake, kept.path());
    kept
}

/// Repairs the lake after a kill and checks that it has the old or the new state, then runs again and checks that it has
/// the new one. Returns whether the new state was there before that run.
#[track_caller]
fn check_after_kill(
    workplace: &Workplace,
    lake: &Lake,
    [old, new]: &[State; 2],
    what: &str,
    reader: LoopingReader,
    mut verify: impl FnMut(bool) -> Result<(), String>,
) -> bool {
    verify(true).unwrap_or_else(|found| panic!("{what}: {found}"));
    let found = state(lake);
    assert!(found == *old || found == *new, "{what}: {found:?}");
    workplace.run().success();
    assert_eq!(state(lake), *new, "{what}");
    verify(false).unwrap_or_else(|found| panic!("{what}: {found}"));
    reader.stop().unwrap_or_else(|found| panic!("{what}: a reader beside it: {found}"));
    found == *new
}

/// What a reader by the snapshot finds right after the kill, before anything is repaired.
#[track_caller]
fn check_reader_after_kill(lake: &Path, expected: &[State; 2], what: &str) {
    if format_of_test() == TableFormat::Delta {
        read_logs(lake, expected, &mut [0, 0])
            .unwrap_or_else(|found| panic!("{what}: a reader by the logs after the kill: {found}"));
    }
    let read = SnapshotReader::of(lake).read().and_then(|read| check_read(&read, expected));
    read.unwrap_or_else(|found| panic!("{what}: a reader after the kill: {found}"));
}

#[test]
fn p2_a_run_killed_at_any_request_to_s3_is_complete_or_absent() {
    in_each_format(killed_at_any_request_to_s3);
}

fn killed_at_any_request_to_s3() {
    let expected = before_and_after();
    let mut outcomes = [0, 0];
    let (source, server) = (Source::serving(OLD), S3Server::start());
    let workplace = server.environment(Workplace::asking(&source));
    workplace.define(TABLES);
    workplace.run().success();
    let old = keep(&server.prefix());
    source.serve(NEW);
    // Before one request is after the previous one.
    for request in 0.. {
        std::fs::remove_dir_all(server.prefix()).unwrap();
        copy_directory(old.path(), &server.prefix());
        let reader = read_beside(&server.prefix(), &expected);
        let status = server.kill_at(request, || start(&workplace));
        server.settle();
        let verify = |repair: bool| {
            let destination =
                if is_in_slice() { "test.toml".to_owned() } else { server.destination() };
            let arguments = ["verify", &destination, "--repair"];
            let found = workplace.flowlake(&arguments[..2 + usize::from(repair)]);
            if found.code == 0 { Ok(()) } else { Err(found.stdout + &found.stderr) }
        };
        let what = format!("request {request}");
        check_reader_after_kill(&server.prefix(), &expected, &what);
        let is_new = check_after_kill(&workplace, &server.lake(), &expected, &what, reader, verify);
        outcomes[usize::from(is_new)] += 1;
        if status.code() == Some(0) {
            assert!(request > 20, "the store was hardly used");
            break;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 10), "old and new: {outcomes:?}");
}

/// A run over the first export that is killed again and again, each time from the same beginning.
struct Victim<'a> {
    workplace: &'a Workplace,
    source: &'a Source,
    lake: PathBuf,
    destination: Destination,
    old: TempDir,
    expected: [State; 2],
    runtime: Runtime,
    outcomes: [u32; 2],
}

impl<'a> Victim<'a> {
    fn new(
        workplace: &'a Workplace,
        source: &'a Source,
        lake: PathBuf,
        open: impl FnOnce() -> Destination,
    ) -> Self {
        let expected = before_and_after();
        workplace.define(TABLES);
        workplace.run().success();
        let old = keep(&lake);
        source.serve(NEW);
        let (destination, runtime, outcomes) = (open(), runtime(), [0, 0]);
        Self { workplace, source, lake, destination, old, expected, runtime, outcomes }
    }

    fn begin_again(&self) {
        std::fs::remove_dir_all(&self.lake).unwrap();
        copy_directory(self.old.path(), &self.lake);
    }

    #[track_caller]
    fn check(&mut self, what: &str, reader: LoopingReader) {
        check_reader_after_kill(&self.lake, &self.expected, what);
        let verify = |repair: bool| {
            let found = if repair {
                self.runtime.block_on(table::open(&self.destination).repair(VerifyDepth::Contents))
            } else {
                self.runtime.block_on(table::open(&self.destination).verify(VerifyDepth::Contents))
            };
            let found = found.map_err(|error| error.to_string())?.findings;
            if found.is_empty() { Ok(()) } else { Err(format!("{found:?}")) }
        };
        let lake = Lake::at(&self.lake);
        let is_new = check_after_kill(self.workplace, &lake, &self.expected, what, reader, verify);
        self.outcomes[usize::from(is_new)] += 1;
    }

    /// What a kill has left is finished and removed by the next run, but for what is written without the lock or in a log.
    #[track_caller]
    fn check_the_next_run(&self, what: &str, reader: LoopingReader) {
        check_reader_after_kill(&self.lake, &self.expected, what);
        self.workplace.run().success();
        assert_eq!(state(&Lake::at(&self.lake)), self.expected[1], "{what}");
        reader.stop().unwrap_or_else(|found| panic!("{what}: a reader beside it: {found}"));
        let tables = table::open(&self.destination);
        let verified = tables.verify(VerifyDepth::Contents);
        let mut left = self.runtime.block_on(verified).unwrap().findings;
        let is_of_others = |it: &Finding| {
            ["/runs/", "/_delta_log/"].iter().any(|place| it.subject.contains(place))
        };
        left.retain(|it| it.kind != FindingKind::Temporary || !is_of_others(it));
        assert_eq!(left, [], "{what}");
        let staging = self.lake.join(own_directory()).join("staging");
        let runs = std::fs::read_dir(staging).into_iter().flatten().count();
        assert_eq!(runs, 0, "{what}: directories of runs are left in staging");
    }

    /// Kills runs a random moment after each milestone, a few times each. Those that are killed when they start change nothing, and those
    /// that have ended are complete, so both outcomes come up however busy the machine is.
    fn kill_at_random_moments(&mut self, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let rounds = if is_long() { 204 } else { 68 };
        for (round, milestone) in (0..rounds).zip(Milestone::ALL.into_iter().cycle()) {
            self.begin_again();
            let course = Course::before_run(&self.lake, self.source);
            let reader = read_beside(&self.lake, &self.expected);
            let mut run = start(self.workplace);
            course.wait_for(milestone, &mut run);
            if milestone != Milestone::Started {
                std::thread::sleep(Duration::from_micros(random.u64(0..20_000)));
            }
            run.kill().unwrap();
            run.wait().unwrap();
            self.check(&format!("round {round}, {milestone:?}"), reader);
        }
        let Self { outcomes, .. } = self;
        assert!(outcomes.iter().all(|count| *count > 5), "old and new: {outcomes:?}");
    }
}

fn local<'a>(workplace: &'a Workplace, source: &'a Source) -> Victim<'a> {
    let lake = workplace.path().join("lake");
    let url = lake.to_str().unwrap().parse().unwrap();
    Victim::new(workplace, source, lake, || in_slice_of_test(Destination::open(&url).unwrap()))
}

#[test]
fn p2_a_run_killed_at_any_moment_is_complete_or_absent() {
    in_each_format(|| {
        let source = Source::serving(OLD);
        let workplace = Workplace::asking(&source);
        local(&workplace, &source).kill_at_random_moments(9);
    });
}

#[test]
fn p2_a_run_to_s3_killed_at_any_moment_is_complete_or_absent() {
    let (source, server) = (Source::serving(OLD), S3Server::start());
    let workplace = server.environment(Workplace::asking(&source));
    let open = || {
        let store = PrefixStore::new(server.bucket(), S3Server::PREFIX);
        in_slice_of_test(Destination::of_store(Arc::new(store), "bucket"))
    };
    Victim::new(&workplace, &source, server.prefix(), open).kill_at_random_moments(10);
}

/// Nothing relies on what is not on disk yet; what is half done is undone or finished.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn p2_a_run_killed_before_any_change_of_the_disk_is_complete_or_absent() {
    in_each_format(killed_before_any_change_of_the_disk);
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn killed_before_any_change_of_the_disk() {
    let source = Source::serving(OLD);
    let workplace = Workplace::asking(&source);
    let mut victim = local(&workplace, &source);
    for change in 0.. {
        victim.begin_again();
        let reader = read_beside(&victim.lake, &victim.expected);
        let Some(has_ended) = run_until_change(&workplace, &victim.lake, change) else {
            eprintln!("skipped: processes cannot be traced here");
            return;
        };
        let what = format!("change {change}");
        // What one format tries at this change, the other tries at the next.
        let is_even = (change + usize::from(format_of_test() == TableFormat::Delta)) % 2 == 0;
        if is_even {
            victim.check(&what, reader);
        } else {
            victim.check_the_next_run(&what, reader);
        }
        if has_ended {
            assert!(change > 80, "the disk was hardly changed: {change}");
            break;
        }
    }
    let outcomes = victim.outcomes;
    assert!(outcomes.iter().all(|count| *count > 10), "old and new: {outcomes:?}");
}

/// R1: who globs may see rows twice after a kill; the lake says so, and needs no new export to mend it.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn r01_a_commit_that_a_kill_left_open_is_told_and_finished_without_an_export() {
    let source = Source::serving(OLD);
    let workplace = Workplace::asking(&source);
    let victim = local(&workplace, &source);
    for change in 20.. {
        victim.begin_again();
        let Some(has_ended) = run_until_change(&workplace, &victim.lake, change) else {
            eprintln!("skipped: processes cannot be traced here");
            return;
        };
        assert!(!has_ended, "no kill left an open commit");
        let runs = workplace.flowlake(&["runs", "lake"]).success();
        if !runs.contains("was killed while it committed; `flowlake recover`") {
            continue;
        }
        assert_eq!(workplace.flowlake(&["verify", "lake"]).code, 3);
        let doctor = workplace.flowlake(&["doctor", "test.toml"]).success();
        let told = "warning  commit (test.toml): that of run ";
        assert!(doctor.contains(told) && doctor.contains("`flowlake recover`"), "{doctor}");
        let asked = source.requests().len();
        let recovered = workplace.flowlake(&["recover", "lake"]).success();
        assert!(recovered.starts_with("lake: finished the commit of run "), "{recovered}");
        assert_eq!(state(&Lake::at(&victim.lake)), victim.expected[1]);
        assert_eq!(source.requests().len(), asked, "the source is asked for nothing");
        workplace.flowlake(&["verify", "lake"]).success();
        assert_eq!(workplace.flowlake(&["recover", "lake"]).success(), "lake: no commit is open\n");
        return;
    }
}

/// A conversion that is killed before any change.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
struct KilledConversion<'a> {
    from: TableFormat,
    /// The partitions of the definition when it is converted.
    partitions: &'a str,
    arguments: &'a [&'a str],
    /// Whether the lake is converted.
    is_done: fn(&Lake) -> bool,
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl KilledConversion<'_> {
    /// Converts a lake of two nights as often as it takes, each time killed before another change.
    fn test(&self) {
        let (source, expected) = (Source::serving(OLD), before_and_after());
        let workplace = Workplace::asking(&source);
        in_format(self.from, || workplace.define(TABLES));
        for export in [OLD, NEW] {
            source.serve(export);
            workplace.run().success();
        }
        in_format(self.from, || workplace.define(&TABLES.replace("month(at)", self.partitions)));
        let lake = workplace.path().join("lake");
        let kept = keep(&lake);
        let context = |change| format!("{:?} to {}, change {change}", self.from, self.partitions);
        let mut outcomes = [0, 0];
        for change in 0.. {
            std::fs::remove_dir_all(&lake).unwrap();
            copy_directory(kept.path(), &lake);
            let Some(has_ended) = until_change(&workplace, self.arguments, &lake, change) else {
                eprintln!("skipped: processes cannot be traced here");
                return;
            };
            workplace.flowlake(&["verify", "lake", "--repair"]).success();
            assert_eq!(state(&Lake::at(&lake)), expected[1], "{}", context(change));
            outcomes[usize::from((self.is_done)(&Lake::at(&lake)))] += 1;
            workplace.flowlake(self.arguments).success();
            workplace.flowlake(&["verify", "lake"]).success();
            assert_eq!(state(&Lake::at(&lake)), expected[1], "{}", context(change));
            assert!((self.is_done)(&Lake::at(&lake)), "{}", context(change));
            if has_ended {
                break;
            }
        }
        assert!(outcomes.iter().all(|count| *count > 3), "{}: {outcomes:?}", context(0));
    }
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn p2_a_conversion_killed_before_any_change_of_the_disk_is_complete_or_absent() {
    let to_delta = KilledConversion {
        from: TableFormat::Parquet,
        partitions: "month(at)",
        arguments: &["convert", "lake", "--to", "delta"],
        is_done: |lake| lake.path().join("t/_delta_log").exists(),
    };
    to_delta.test();
    let to_parquet = KilledConversion {
        from: TableFormat::Delta,
        arguments: &["convert", "lake", "--to", "parquet"],
        is_done: |lake| DeltaLog::last(&lake.path().join("t")).unwrap().is_none(),
        ..to_delta
    };
    to_parquet.test();
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn p2_f12_a_division_killed_before_any_change_of_the_disk_is_complete_or_absent() {
    for from in [TableFormat::Parquet, TableFormat::Delta] {
        let by_value = KilledConversion {
            from,
            partitions: "v",
            arguments: &["convert", "test.toml"],
            is_done: |lake| lake.partitions("t").iter().all(|it| it.starts_with("v_partition=")),
        };
        by_value.test();
    }
}

/// Runs the pipeline and kills it before its `change`th change under `lake`; returns whether it ended before. `None` where
/// processes cannot be traced.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn run_until_change(workplace: &Workplace, lake: &Path, change: usize) -> Option<bool> {
    until_change(workplace, &["run", "test.toml"], lake, change)
}

/// The same for any command.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn until_change(
    workplace: &Workplace,
    arguments: &[&str],
    lake: &Path,
    change: usize,
) -> Option<bool> {
    let mut command = workplace.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let traced = Traced::start(command)?;
    let mut changes = 0;
    Some(traced.run(|call| {
        let is_one = call.changes().is_some_and(|path| path.starts_with(lake));
        changes += usize::from(is_one);
        changes <= change
    }))
}
