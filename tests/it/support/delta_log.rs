//! Reads the log of a Delta table, after the protocol and with nothing of flowlake.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::Value;

/// What the log of a table says at one version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeltaLog {
    pub version: u64,
    /// The files of that version, with their statistics.
    pub files: BTreeMap<PathBuf, Value>,
    pub schema: Value,
    pub partition_columns: Vec<String>,
    /// How far each writer has come.
    pub txns: BTreeMap<String, u64>,
}

impl DeltaLog {
    /// The last version; none where a table has no log.
    pub fn last(table: &Path) -> Result<Option<Self>, String> {
        Self::at(table, u64::MAX)
    }

    /// A version, or the last one before it.
    pub fn at(table: &Path, version: u64) -> Result<Option<Self>, String> {
        let directory = table.join("_delta_log");
        if !directory.exists() {
            return Ok(None);
        }
        let (versions, checkpoints) = listed(&directory)?;
        let below = |numbers: &BTreeSet<u64>| numbers.range(..=version).next_back().copied();
        let checkpoint = below(&checkpoints);
        let Some(last) = below(&versions).max(checkpoint) else { return Ok(None) };
        let mut log = Self { version: last, ..Self::default() };
        if let Some(number) = checkpoint {
            let path = directory.join(format!("{number:020}.checkpoint.parquet"));
            log.read_checkpoint(table, &path)?;
        }
        for number in checkpoint.map_or(0, |number| number + 1)..=last {
            let path = directory.join(format!("{number:020}.json"));
            let text = std::fs::read_to_string(&path).map_err(|it| format!("{number}: {it}"))?;
            if text.trim().is_empty() {
                return Err(format!("{number} is empty"));
            }
            for line in text.lines() {
                log.apply(table, &serde_json::from_str(line).map_err(|it| it.to_string())?);
            }
        }
        Ok(Some(log))
    }

    fn read_checkpoint(&mut self, table: &Path, path: &Path) -> Result<(), String> {
        let file = File::open(path).map_err(|it| it.to_string())?;
        let reader = SerializedFileReader::new(file).map_err(|it| it.to_string())?;
        for row in reader.get_row_iter(None).map_err(|it| it.to_string())? {
            self.apply(table, &json_of(&row.map_err(|it| it.to_string())?));
        }
        Ok(())
    }

    fn apply(&mut self, table: &Path, action: &Value) {
        let path = |action: &Value| {
            let uri = action["path"].as_str().unwrap();
            let path = percent_encoding::percent_decode_str(uri).decode_utf8().unwrap();
            table.join(&*path)
        };
        if let Some(remove) = action.get("remove") {
            self.files.remove(&path(remove));
        }
        if let Some(add) = action.get("add") {
            let statistics = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
            self.files.insert(path(add), statistics);
        }
        if let Some(meta_data) = action.get("metaData") {
            let schema = meta_data["schemaString"].as_str().unwrap();
            self.schema = serde_json::from_str(schema).unwrap();
            let columns = meta_data["partitionColumns"].as_array().unwrap().iter();
            self.partition_columns = columns.map(|it| it.as_str().unwrap().to_owned()).collect();
        }
        if let Some(txn) = action.get("txn") {
            let app_id = txn["appId"].as_str().unwrap().to_owned();
            self.txns.insert(app_id, txn["version"].as_u64().unwrap());
        }
    }
}

/// The versions and the checkpoints that are there.
fn listed(directory: &Path) -> Result<(BTreeSet<u64>, BTreeSet<u64>), String> {
    let (mut versions, mut checkpoints) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(directory).map_err(|it| it.to_string())? {
        let name = entry.map_err(|it| it.to_string())?.file_name().into_string().unwrap();
        if let Some(number) = name.strip_suffix(".checkpoint.parquet") {
            checkpoints.insert(number.parse().unwrap());
        } else if let Some(number) = name.strip_suffix(".json") {
            versions.insert(number.parse().unwrap());
        }
    }
    Ok((versions, checkpoints))
}

/// A row of a checkpoint, with what an action has of it.
fn json_of(row: &Row) -> Value {
    let fields = row.get_column_iter().filter_map(|(name, field)| {
        let value = match field {
            Field::Null => return None,
            Field::Bool(flag) => (*flag).into(),
            Field::Int(number) => (*number).into(),
            Field::Long(number) => (*number).into(),
            Field::Str(text) => text.clone().into(),
            Field::Group(row) => json_of(row),
            Field::ListInternal(list) => {
                let items = list.elements().iter().map(|item| match item {
                    Field::Str(text) => Value::from(text.clone()),
                    other => panic!("{other}"),
                });
                items.collect::<Vec<_>>().into()
            }
            Field::MapInternal(_) => Value::Null,
            other => panic!("{other}"),
        };
        Some((name.clone(), value))
    });
    Value::Object(fields.collect())
}
