//! Reads a lake as others read it: `snapshot.json`, the manifests that it names, and their files.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use polars::prelude::{DataFrame, ParquetReader, SerReader};
use serde_json::Value;

use super::own_directory;

/// A reader that never pauses would take a core from the run beside it.
const PAUSE: Duration = Duration::from_millis(2);

/// A reader of a lake on local disk.
pub struct SnapshotReader {
    root: PathBuf,
    /// The rows of every file that was read, by the hash of its bytes.
    known: HashMap<String, DataFrame>,
    /// Whether a file that was read before may be gone or damaged now.
    remembers: bool,
}

/// The tables of one snapshot.
#[derive(Debug, Clone, Default)]
pub struct ReadTables {
    /// The data files: path and hash.
    pub files: Vec<(String, String)>,
    frames: BTreeMap<String, Vec<DataFrame>>,
    quarantined: BTreeMap<String, usize>,
}

impl ReadTables {
    /// These columns of a table, a line a row, in order of the lines.
    pub fn rows(&self, table: &str, columns: &[&str]) -> Vec<String> {
        let frames = self.frames.get(table).into_iter().flatten();
        let mut rows: Vec<String> = frames.flat_map(|frame| lines(frame, columns)).collect();
        rows.sort();
        rows
    }

    /// How many records wait in the quarantine of a table.
    pub fn quarantined(&self, table: &str) -> usize {
        self.quarantined.get(table).copied().unwrap_or_default()
    }
}

/// These columns of files, a line a row, in order of the lines.
pub fn rows_of_files<'f>(
    files: impl Iterator<Item = &'f Path>,
    columns: &[&str],
) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    for file in files {
        let content = std::fs::read(file).map_err(|it| format!("{}: {it}", file.display()))?;
        let frame = ParquetReader::new(Cursor::new(content)).finish();
        rows.extend(lines(&frame.map_err(|it| it.to_string())?, columns));
    }
    rows.sort();
    Ok(rows)
}

fn lines(frame: &DataFrame, columns: &[&str]) -> Vec<String> {
    let columns = columns.iter().map(|name| {
        let series = frame.column(name).unwrap().as_materialized_series();
        let texts = flowlake::normalise::scalar_texts(series).unwrap().into_iter();
        texts.map(|text| text.unwrap_or_else(|| "null".to_owned())).collect::<Vec<_>>()
    });
    let columns: Vec<Vec<String>> = columns.collect();
    let row =
        |row: usize| columns.iter().map(|it: &Vec<String>| it[row].clone()).collect::<Vec<_>>();
    (0..frame.height()).map(|number| row(number).join(" ")).collect()
}

impl SnapshotReader {
    pub fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), known: HashMap::new(), remembers: false }
    }

    /// It takes the rows of files that it has read before from its memory, whatever became of them.
    pub fn remembering(root: &Path) -> Self {
        Self { remembers: true, ..Self::of(root) }
    }

    /// The same memory for another place.
    pub fn at(self, root: &Path) -> Self {
        Self { root: root.to_owned(), ..self }
    }

    /// The tables of one snapshot. When a file is missing and the snapshot has moved, it begins again.
    pub fn read(&mut self) -> Result<ReadTables, String> {
        loop {
            let snapshot = self.get(&format!("{}/snapshot.json", own_directory()))?;
            match self.tables_of(&snapshot) {
                Err(_) if self.get(&format!("{}/snapshot.json", own_directory()))? != snapshot => {}
                read => return read,
            }
        }
    }

    fn tables_of(&mut self, snapshot: &[u8]) -> Result<ReadTables, String> {
        let snapshot: Value = serde_json::from_slice(snapshot).map_err(|it| it.to_string())?;
        let mut read = ReadTables::default();
        for (table, entry) in snapshot["tables"].as_object().ok_or("no tables")? {
            let manifest: Value = serde_json::from_slice(&self.named(&entry["manifest"])?)
                .map_err(|it| it.to_string())?;
            let frames = read.frames.entry(table.clone()).or_default();
            for file in manifest["files"].as_array().ok_or("no files")? {
                let [path, hash] = ["path", "blake3"].map(|it| text(&file[it]));
                frames.push(self.rows(file, &hash)?);
                read.files.push((path, hash));
            }
            for file in manifest["quarantine"].as_array().into_iter().flatten() {
                if self.remembers {
                    continue;
                }
                let lines =
                    zstd::decode_all(self.named(file)?.as_slice()).map_err(|it| it.to_string())?;
                let count = lines.split(|byte| *byte == b'\n').count() - 1;
                *read.quarantined.entry(table.clone()).or_default() += count;
            }
        }
        Ok(read)
    }

    fn rows(&mut self, file: &Value, hash: &str) -> Result<DataFrame, String> {
        if let Some(known) = self.known.get(hash) {
            let is_there = || self.root.join(text(&file["path"])).exists();
            if self.remembers || is_there() {
                return Ok(known.clone());
            }
        }
        let content = Cursor::new(self.named(file)?);
        let rows = ParquetReader::new(content).finish().map_err(|it| it.to_string())?;
        self.known.insert(hash.to_owned(), rows.clone());
        Ok(rows)
    }

    /// A file with the hash that names it.
    fn named(&self, file: &Value) -> Result<Vec<u8>, String> {
        let path = text(&file["path"]);
        let content = self.get(&path)?;
        let is_it = blake3::hash(&content).to_hex().as_str() == text(&file["blake3"]);
        if is_it { Ok(content) } else { Err(format!("{path} is not what is named")) }
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.root.join(path)).map_err(|error| format!("{path}: {error}"))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A reader that reads again and again beside a run.
pub struct LoopingReader {
    stops: Arc<AtomicBool>,
    thread: JoinHandle<Result<u32, String>>,
}

impl LoopingReader {
    /// Reads until it is stopped, at least once, or until `check` refuses what it has read.
    pub fn start(
        root: &Path,
        check: impl Fn(&ReadTables) -> Result<(), String> + Send + 'static,
    ) -> Self {
        let mut reader = SnapshotReader::of(root);
        Self::repeating(move || check(&reader.read()?))
    }

    /// The same for any reader.
    pub fn repeating(mut read: impl FnMut() -> Result<(), String> + Send + 'static) -> Self {
        let stops = Arc::new(AtomicBool::new(false));
        let stopped = stops.clone();
        let thread = std::thread::spawn(move || {
            let mut reads = 0;
            loop {
                // Once more when it is to stop: then all has happened.
                let is_last = stopped.load(Ordering::SeqCst);
                read()?;
                reads += 1;
                if is_last {
                    return Ok(reads);
                }
                std::thread::sleep(PAUSE);
            }
        });
        Self { stops, thread }
    }

    /// How often it has read.
    pub fn stop(self) -> Result<u32, String> {
        self.stops.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}
