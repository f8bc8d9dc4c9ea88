//! The machine of the story: its source, its definitions, its lakes, and how they are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flowlake::store::Destination;

use crate::support::{Finished, InProcess, Lake, SnapshotReader, Source, Workplace, runtime};

/// By windows: orders with their lines and their history, and events.
pub const ORDERS: &str = include_str!("orders.toml");
/// Whole every night: suppliers, and contracts that are marked when they are gone.
const SUPPLIERS: &str = include_str!("suppliers.toml");

/// What is told of the rows of each table. A last column that is a time is told as `now` when it is null, else as `past`.
const TOLD: [(&str, &[&str]); 7] = [
    ("orders", &["id", "total"]),
    ("lines", &["orders__id", "n"]),
    ("orders__history", &["id", "total", "_flowlake_valid_to"]),
    ("lines__history", &["orders__id", "n", "_flowlake_valid_to"]),
    ("events", &["id"]),
    ("suppliers", &["id", "name"]),
    ("contracts", &["id", "state", "_flowlake_deleted_at"]),
];

pub struct Machine {
    pub source: Source,
    workplace: Workplace,
}

/// What one night brings.
pub struct Night<'a> {
    pub run: &'a str,
    /// What is asked for, of orders and events.
    pub window: (&'a str, &'a str),
    pub orders: &'a str,
    pub suppliers: &'a str,
}

impl Machine {
    pub fn new() -> Self {
        let source = Source::serving("{}");
        let workplace = Workplace::asking(&source);
        let machine = Self { source, workplace };
        machine.define("orders.toml", ORDERS);
        machine.define("suppliers.toml", SUPPLIERS);
        machine
    }

    pub fn define(&self, file: &str, definition: &str) {
        std::fs::write(self.path(file), definition).unwrap();
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.workplace.path().join(path)
    }

    /// Runs flowlake with the words of a line.
    pub fn flowlake(&self, line: &str) -> Finished {
        let arguments: Vec<&str> = line.split(' ').collect();
        self.workplace.flowlake(&arguments)
    }

    /// A night of both pipelines in a place.
    #[track_caller]
    pub fn night(&self, place: &str, night: &Night<'_>) {
        self.orders_night(place, "orders.toml", night).success();
        self.suppliers_night(place, night).success();
    }

    /// A night of a pipeline that loads orders and events.
    #[track_caller]
    pub fn orders_night(&self, place: &str, definition: &str, night: &Night<'_>) -> Finished {
        let Night { run, window: (from, to), orders, .. } = night;
        self.source.serve(orders);
        let line = format!(
            "run {definition} --as-of {to} --run-id {run}-orders --set destination.url={place}"
        );
        let finished = self.flowlake(&line);
        assert_eq!(self.last_window(), format!("from={from}&to={to}"), "{}", finished.stderr);
        finished
    }

    pub fn suppliers_night(&self, place: &str, night: &Night<'_>) -> Finished {
        self.source.serve(night.suppliers);
        let run = night.run;
        self.flowlake(&format!(
            "run suppliers.toml --run-id {run}-suppliers --set destination.url={place}"
        ))
    }

    /// A night of one pipeline in `lake` while the clock of the machine shows another time.
    pub fn night_by_clock(&self, definition: &str, run: &str, json: &str, now: DateTime<Utc>) {
        std::fs::copy(self.path(definition), self.path("test.toml")).unwrap();
        self.source.serve(json);
        let lake = self.path("lake").to_str().unwrap().parse().unwrap();
        runtime().block_on(async {
            let pipeline = InProcess::asking(self.source.base_url(), &self.workplace).await;
            let destination = Destination::open(&lake).unwrap();
            pipeline.run_by_clock(&destination, run, now).await.unwrap();
        });
    }

    /// The window of the last request.
    pub fn last_window(&self) -> String {
        let requests = self.source.requests();
        requests
            .last()
            .unwrap()
            .split_once('?')
            .map(|(_, query)| query.to_owned())
            .unwrap_or_default()
    }

    pub fn lake(&self, place: &str) -> Lake {
        Lake::at(&self.path(place))
    }

    /// From when until when a table is loaded, by its dates.
    pub fn loaded(&self, place: &str, table: &str) -> String {
        let snapshot = self.lake(place).json("_flowlake/snapshot.json");
        let entry = &snapshot["tables"][table];
        let date = |at: &serde_json::Value| at.as_str().unwrap().replace("T00:00:00Z", "");
        format!("{} until {}", date(&entry["loaded_from"]), date(&entry["watermark"]))
    }

    /// The rows of a table as readers by the snapshot see them.
    pub fn rows_of_snapshot(&self, place: &str, table: &str) -> String {
        let read = SnapshotReader::of(&self.path(place)).read().unwrap();
        shown(table, read.rows(table, columns_of(table)))
    }

    /// The rows of a table as readers see them who take every file in its directory.
    pub fn rows_of_directory(&self, place: &str, table: &str) -> String {
        let lake = self.lake(place);
        let columns: Vec<Vec<String>> =
            columns_of(table).iter().map(|name| lake.column(table, name)).collect();
        let row = |row: usize| columns.iter().map(|it| it[row].clone()).collect::<Vec<_>>();
        let mut rows: Vec<String> =
            (0..columns[0].len()).map(|number| row(number).join(" ")).collect();
        rows.sort();
        shown(table, rows)
    }

    /// Asserts that a place is sound, and that all readers see these rows in its tables: `table: row, row`.
    #[track_caller]
    pub fn expect(&self, place: &str, tables: &[&str]) {
        let verified = self.flowlake(&format!("verify {place}"));
        assert_eq!(verified.code, 0, "{place}: {}", verified.stdout);
        for expected in tables {
            let (table, rows) = expected.split_once(": ").unwrap();
            assert_eq!(self.rows_of_snapshot(place, table), rows, "{table} of {place}, snapshot");
            assert_eq!(self.rows_of_directory(place, table), rows, "{table} of {place}, directory");
        }
    }

    /// Asserts what `verify` with these options finds, and with which code it exits.
    #[track_caller]
    pub fn expect_findings(&self, line: &str, code: i32, findings: &[&str]) {
        let verified = self.flowlake(line);
        let mut lines: Vec<&str> = verified.stdout.lines().collect();
        lines.pop();
        assert_eq!(lines, findings, "{line}: {}", verified.stderr);
        assert_eq!(verified.code, code, "{line}: {}", verified.stdout);
    }

    /// Asserts that a command is refused with this code and these words.
    #[track_caller]
    pub fn expect_refused(&self, line: &str, code: i32, words: &[&str]) {
        let refused = self.flowlake(line);
        assert_eq!(refused.code, code, "{line}: {}{}", refused.stdout, refused.stderr);
        for word in words {
            assert!(refused.stderr.contains(word), "{line}: {word}: {}", refused.stderr);
        }
    }

    /// Copies a directory with all that is in it, over what is there.
    pub fn copy(&self, from: &str, to: &str) {
        copy_directory(&self.path(from), &self.path(to));
    }

    pub fn remove(&self, directory: &str) {
        std::fs::remove_dir_all(self.path(directory)).unwrap();
    }

    /// The content of every file of a place, by its path there.
    pub fn files(&self, place: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let (root, mut files) = (self.path(place), BTreeMap::new());
        let mut directories = vec![root.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_owned();
                    files.insert(name, std::fs::read(path).unwrap());
                }
            }
        }
        files
    }

    /// The paths of all files of a place outside `_flowlake`, in order.
    pub fn data_files(&self, place: &str) -> Vec<PathBuf> {
        let files = self.files(place).into_keys();
        files.filter(|path| !path.starts_with("_flowlake")).collect()
    }

    /// What was moved aside, by its paths before.
    pub fn aside(&self, place: &str) -> Vec<String> {
        let files = self.files(place).into_keys();
        let aside = files.filter(|path| path.starts_with("_flowlake/aside"));
        let before = |path: PathBuf| path.iter().skip(3).collect::<PathBuf>().display().to_string();
        let mut aside: Vec<String> = aside.map(before).collect();
        aside.sort();
        aside
    }
}

fn columns_of(table: &str) -> &'static [&'static str] {
    TOLD.iter().find(|(name, _)| *name == table).unwrap().1
}

/// Rows in the order of their first number, in one line.
fn shown(table: &str, mut rows: Vec<String>) -> String {
    if columns_of(table).last().unwrap().starts_with("_flowlake") {
        for row in &mut rows {
            let (values, time) = row.rsplit_once(' ').unwrap();
            *row = format!("{values} {}", if time == "null" { "now" } else { "past" });
        }
    }
    let number = |row: &String| row.split(' ').next().unwrap().parse::<u32>().unwrap();
    rows.sort_by_key(|row| (number(row), row.clone()));
    rows.join(", ")
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy_directory(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
