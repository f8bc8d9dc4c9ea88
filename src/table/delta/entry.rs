//! The log file that a commit adds to the log of a table.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::action::{Action, Add, CommitInfo, Protocol, Remove, Txn};
use super::file_statistics::statistics;
use super::log_file::LogText;
use super::position::{LogPosition, app_id};
use super::table_schema::{meta_data, partition_values};
use super::uri::encoded;
use crate::schema::TableSchema;
use crate::table::{CommitError, DataFile, Manifest, layout};

/// What a commit does to one table.
pub(super) struct TableCommit<'a> {
    pub(super) sequence: u64,
    pub(super) manifest: &'a Manifest,
    /// The pipeline that writes the table.
    pub(super) pipeline: &'a str,
    pub(super) position: &'a LogPosition,
    /// Whether readers see other columns than before.
    pub(super) has_new_columns: bool,
    /// The files that the commit publishes, of all tables.
    pub(super) published: &'a HashSet<&'a str>,
    /// The files that the commit replaces, of all tables.
    pub(super) removed: &'a [String],
}

impl TableCommit<'_> {
    /// The log file of the commit; none where readers would see no difference.
    pub(super) fn text(&self, now: DateTime<Utc>) -> Result<Option<Bytes>, CommitError> {
        let millis = now.timestamp_millis();
        let (table, schema) = (&self.manifest.schema.name, &self.manifest.schema);
        let begins = self.position.version.is_none();
        let mut text = self.head(millis)?;
        let head = text.len();
        if begins {
            text.push(&Action::Protocol(Protocol::of_flowlake()))?;
        }
        if begins || self.has_new_columns {
            let created = self.position.created_at.timestamp_millis();
            let meta_data = meta_data(&self.position.id, created, schema);
            text.push(&Action::MetaData(Box::new(meta_data)))?;
        }
        for path in self.removed.iter().filter_map(|path| layout::below_table(path, table)) {
            text.push(&Action::Remove(remove(path, millis)))?;
        }
        let is_new = |file: &&Arc<DataFile>| begins || self.published.contains(file.path.as_str());
        for file in self.manifest.files.iter().filter(is_new) {
            text.push(&Action::Add(add(file, schema, millis)?))?;
        }
        Ok((text.len() > head).then(|| text.into_bytes()))
    }

    /// Who wrote it, and which commit it is of.
    fn head(&self, millis: i64) -> Result<LogText, CommitError> {
        let mut text = LogText::default();
        text.push(&Action::CommitInfo(CommitInfo {
            timestamp: millis,
            operation: "WRITE",
            operation_parameters: [].into(),
            engine_info: concat!("flowlake/", env!("CARGO_PKG_VERSION")).to_owned(),
            run_id: self.manifest.run_id.to_string(),
        }))?;
        text.push(&Action::Txn(Txn {
            app_id: app_id(self.pipeline),
            version: i64::try_from(self.sequence).unwrap_or(i64::MAX),
            last_updated: Some(millis),
        }))?;
        Ok(text)
    }
}

/// What a log says of a file that its table has.
pub(super) fn add(file: &DataFile, schema: &TableSchema, millis: i64) -> Result<Add, CommitError> {
    let path = layout::below_table(&file.path, &schema.name).unwrap_or(&file.path);
    Ok(Add {
        path: encoded(path),
        partition_values: partition_values(path),
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: millis,
        data_change: true,
        stats: Some(statistics(file, schema).map_err(CommitError::Unwritable)?),
    })
}

fn remove(path: &str, millis: i64) -> Remove {
    Remove {
        path: encoded(path),
        deletion_timestamp: Some(millis),
        data_change: true,
        extended_file_metadata: None,
        partition_values: Some(partition_values(path)),
        size: None,
    }
}
