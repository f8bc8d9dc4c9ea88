//! The logs of tables that pipelines share: each adds versions to them, at the first number that is free.
//!
//! Columns come first: before a commit begins, the log has those that the pipelines agreed on, in a version that changes
//! no file. So no two commits can disagree on columns once they have begun.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::Utc;
use futures::{StreamExt, TryStreamExt, stream};

use super::action::{Action, CommitInfo, Line, Protocol};
use super::log_file::{self, LogText};
use super::log_state::LogState;
use super::position::{LogPosition, app_id, is_of};
use super::table_schema::{agreement_of, shared_meta_data};
use crate::schema::{RunId, TableName};
use crate::store::Destination;
use crate::table::agreement::SharedTable;
use crate::table::table_store::AT_ONCE;
use crate::table::{Agreement, CommitError, Manifest, Snapshot, layout};

/// Where the logs of shared tables are that a commit changes, once they have all columns that were agreed on.
pub(in crate::table) async fn shared_positions(
    destination: &Destination,
    snapshot: &Snapshot,
    run_id: &RunId,
    changed: &[Manifest],
) -> Result<BTreeMap<TableName, LogPosition>, CommitError> {
    let agreement = match &snapshot.agreement {
        Some(agreement) => agreement.clone(),
        None => Agreement::read(destination).await?,
    };
    let agreement = &agreement;
    let looks = changed.iter().map(async |manifest| {
        let table = &manifest.schema.name;
        // A table that is excluded, or has had no rows, was never agreed on.
        let Some(shared) = agreement.tables.get(table) else { return Ok(None) };
        let log = SharedLog { destination, table, shared, run_id };
        let entry = snapshot.file.tables.get(table);
        let known = entry.and_then(|entry| Some((entry.pipeline.as_str(), entry.log.as_ref()?)));
        Ok::<_, CommitError>(Some((table.clone(), log.position(known).await?)))
    });
    let looks: Vec<_> = looks.collect();
    let found: Vec<_> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The log of a shared table.
struct SharedLog<'a> {
    destination: &'a Destination,
    table: &'a TableName,
    shared: &'a SharedTable,
    run_id: &'a RunId,
}

impl SharedLog<'_> {
    /// Where it is, once it has the columns that were agreed on. `known` is where the last commit of this pipeline found it.
    async fn position(
        &self,
        known: Option<(&str, &LogPosition)>,
    ) -> Result<LogPosition, CommitError> {
        let mut version = None;
        if let Some((pipeline, known)) = known {
            version = Some(self.last_version(pipeline, known).await?);
        }
        let has_columns = known.is_some_and(|(_, it)| it.agreement >= Some(self.shared.number));
        let version = match version.filter(|_| has_columns) {
            Some(version) => version,
            None => self.with_columns().await?,
        };
        Ok(LogPosition {
            id: self.shared.id.clone(),
            created_at: self.shared.created_at,
            version: Some(version),
            commit: None,
            agreement: Some(self.shared.number),
        })
    }

    /// The last version of the log, in which the last commit of this pipeline has to be. The last one is read: a commit after
    /// one that is damaged would only bury it.
    async fn last_version(
        &self,
        pipeline: &str,
        position: &LogPosition,
    ) -> Result<u64, CommitError> {
        let directory = layout::log_directory(self.table);
        let known = position.version.unwrap_or_default();
        let files = match known.checked_sub(1) {
            Some(before) => {
                let after = layout::log_file(self.table, before);
                self.destination.list_after(&directory, &after).await?
            }
            None => self.destination.list(&directory).await?,
        };
        let last = files.iter().filter_map(|file| layout::version_of(&file.path)).max();
        let gone = || CommitError::LogLost { table: self.table.clone() };
        let last = last.filter(|last| *last >= known).ok_or_else(gone)?;
        let lines = log_file::read(self.destination, self.table, last).await?.ok_or_else(gone)?;
        self.refuse_other_protocol(last, lines.iter().filter_map(|line| line.protocol.as_ref()))?;
        let Some(commit) = position.commit else { return Ok(last) };
        // It is the next version, or soon after where others have committed at the same time. Versions before the last ones
        // are gone only where a checkpoint has what they said.
        let app_id = app_id(pipeline);
        for version in position.next_version()..=last {
            match log_file::read(self.destination, self.table, version).await? {
                Some(lines) if !is_of(&lines, &app_id, commit) => {}
                _ => return Ok(last),
            }
        }
        Err(gone())
    }

    fn refuse_other_protocol<'p>(
        &self,
        version: u64,
        mut protocols: impl Iterator<Item = &'p Protocol>,
    ) -> Result<(), CommitError> {
        if protocols.all(|protocol| *protocol == Protocol::of_flowlake()) {
            return Ok(());
        }
        Err(CommitError::OtherLog { table: self.table.clone(), version })
    }

    /// Adds the columns that were agreed on to the log, or begins it, unless another pipeline has; returns its last version.
    async fn with_columns(&self) -> Result<u64, CommitError> {
        let state = LogState::read(self.destination, self.table).await?;
        let mut last = None;
        if let Some(state) = state {
            self.refuse_other_protocol(state.version, state.protocol.iter())?;
            if agreement_of(state.meta_data.as_deref()) >= Some(self.shared.number) {
                return Ok(state.version);
            }
            last = Some(state.version);
        }
        // Whoever adds columns reads all versions before its own, so the log never goes back to fewer.
        loop {
            let next = last.map_or(0, |last| last + 1);
            let text = self.text(next == 0)?;
            if log_file::create(self.destination, self.table, next, text).await? {
                return Ok(next);
            }
            if let Some(lines) = log_file::read(self.destination, self.table, next).await? {
                last = Some(next);
                let number = |line: &Line| agreement_of(line.meta_data.as_deref());
                if lines.iter().filter_map(number).any(|number| number >= self.shared.number) {
                    return Ok(next);
                }
            }
            log_file::pause().await;
        }
    }

    fn text(&self, begins: bool) -> Result<Bytes, CommitError> {
        let mut text = LogText::default();
        text.push(&Action::CommitInfo(CommitInfo {
            timestamp: Utc::now().timestamp_millis(),
            operation: if begins { "CREATE TABLE" } else { "ADD COLUMNS" },
            operation_parameters: [].into(),
            engine_info: concat!("flowlake/", env!("CARGO_PKG_VERSION")).to_owned(),
            run_id: self.run_id.to_string(),
        }))?;
        if begins {
            text.push(&Action::Protocol(Protocol::of_flowlake()))?;
        }
        text.push(&Action::MetaData(Box::new(shared_meta_data(self.shared))))?;
        Ok(text.into_bytes())
    }
}
