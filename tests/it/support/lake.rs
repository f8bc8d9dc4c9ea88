//! Reads a lake back, from its files and nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, DataType, ParquetReader, SerReader};
use serde_json::Value;

use super::{DeltaLog, files_below, own_directory};

/// A lake on local disk.
pub struct Lake {
    root: PathBuf,
}

impl Lake {
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The names of the tables, from the directories.
    pub fn tables(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.root)
            .map(|entries| {
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
            })
            .unwrap_or_default();
        names.retain(|name| name != "_flowlake");
        names.sort();
        names
    }

    /// The Parquet files of a table, by path: those of its log, where it has one.
    pub fn files(&self, table: &str) -> Vec<PathBuf> {
        let directory = self.root.join(table);
        if let Some(log) = DeltaLog::last(&directory).unwrap() {
            return log.files.into_keys().collect();
        }
        files_below(&directory)
    }

    /// The directories of a table's partitions.
    pub fn partitions(&self, table: &str) -> Vec<String> {
        let root = self.root.join(table);
        let mut partitions: Vec<String> = self
            .files(table)
            .iter()
            .map(|file| file.parent().unwrap().strip_prefix(&root).unwrap().display().to_string())
            .map(|directory| {
                directory.trim_start_matches("org=x").trim_start_matches('/').to_owned()
            })
            .collect();
        partitions.dedup();
        partitions
    }

    /// All rows of a table; fails when its files do not have one schema (promise P5).
    pub fn rows(&self, table: &str) -> DataFrame {
        let mut frames = self.files(table).into_iter().map(|file| read(&file));
        let mut rows = frames.next().unwrap_or_default();
        for frame in frames {
            assert_eq!(frame.schema(), rows.schema(), "P5: one table, one schema");
            rows.vstack_mut(&frame).unwrap();
        }
        rows
    }

    /// The values of a column as text, in file order.
    pub fn column(&self, table: &str, column: &str) -> Vec<String> {
        let rows = self.rows(table);
        let series = rows.column(column).unwrap().as_materialized_series();
        if matches!(series.dtype(), DataType::List(_) | DataType::Struct(_)) {
            return series.iter().map(|value| value.to_string()).collect();
        }
        let texts = flowlake::normalise::scalar_texts(series).unwrap().into_iter();
        texts.map(|text| text.unwrap_or_else(|| "null".to_owned())).collect()
    }

    /// The columns of a table and their types.
    pub fn schema(&self, table: &str) -> Vec<String> {
        let rows = self.rows(table);
        rows.schema().iter().map(|(name, data_type)| format!("{name}: {data_type}")).collect()
    }

    /// Non-null scalars of the columns that come from the JSON, list items counted one by one.
    pub fn scalars(&self, table: &str) -> usize {
        let manifest = self.manifest(table);
        let columns = manifest["schema"]["columns"].as_array().unwrap();
        let from_json = columns.iter().filter(|column| !column["source"]["value"].is_null());
        let rows = self.rows(table);
        from_json
            .map(|column| {
                let series = rows.column(column["name"].as_str().unwrap()).unwrap();
                let series = series.as_materialized_series();
                match series.dtype() {
                    DataType::List(_) => {
                        let lists = series.list().unwrap();
                        let items = (0..lists.len()).filter_map(|row| lists.get_as_series(row));
                        items.map(|items| items.len() - items.null_count()).sum()
                    }
                    _ => series.len() - series.null_count(),
                }
            })
            .sum()
    }

    pub fn manifest(&self, table: &str) -> Value {
        self.json(&self.manifest_path(table))
    }

    /// Where the manifest of a table is.
    pub fn manifest_path(&self, table: &str) -> String {
        let snapshot = self.json(&format!("{}/snapshot.json", own_directory()));
        snapshot["tables"][table]["manifest"]["path"].as_str().unwrap().to_owned()
    }

    /// The watermark of a table.
    pub fn watermark(&self, table: &str) -> Value {
        self.json(&format!("{}/snapshot.json", own_directory()))["tables"][table]["watermark"]
            .clone()
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_reader(File::open(self.root.join(path)).unwrap()).unwrap()
    }

    /// The counts of the last run's ledger, by table.
    pub fn ledger(&self) -> BTreeMap<String, BTreeMap<String, usize>> {
        let report = self.json(&format!(
            "{}/runs/{}",
            own_directory(),
            self.own("runs").iter().max().unwrap()
        ));
        let counts = |table: &Value| {
            let counts = table.as_object().unwrap().iter();
            counts
                .filter_map(|(name, count)| {
                    Some((name.clone(), usize::try_from(count.as_u64()?).ok()?))
                })
                .collect()
        };
        let tables = report["tables"].as_array().unwrap().iter();
        tables.map(|table| (table["table"].as_str().unwrap().to_owned(), counts(table))).collect()
    }

    /// The lines of a table's quarantine, in the order of the runs.
    pub fn quarantine(&self, table: &str) -> Vec<Value> {
        let directory = self.root.join(own_directory()).join("quarantine").join(table);
        let text = |file: &PathBuf| {
            let lines = zstd::decode_all(File::open(file).unwrap()).unwrap();
            String::from_utf8(lines).unwrap()
        };
        let text: String = files_below(&directory).iter().map(text).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The names in a directory of `_flowlake`.
    pub fn own(&self, directory: &str) -> Vec<String> {
        let files = files_below(&self.root.join(own_directory()).join(directory));
        files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// The names of the exports that are kept.
    pub fn landed(&self) -> Vec<String> {
        let mut names = self.own("landing");
        names.retain(|name| name.ends_with(".json.zst"));
        names
    }

    /// The hash of every file that is part of a table, by path.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, String> {
        let tables = self.tables().into_iter().flat_map(|table| self.files(&table));
        let hash = |file: &Path| blake3::hash(&std::fs::read(file).unwrap()).to_hex().to_string();
        tables.map(|file| (file.clone(), hash(&file))).collect()
    }
}

fn read(file: &Path) -> DataFrame {
    ParquetReader::new(File::open(file).unwrap()).finish().unwrap()
}
