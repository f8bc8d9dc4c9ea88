//! Changes: the decision on each record that an export and its tables do not have alike.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::hashes::{RecordKeys, RowId, RowIds};
use super::record_versions::{RecordVersion, RecordVersions, VersionRow};
use crate::definition::Deletes;
use crate::schema::TableId;

/// How many rows of one table an export inserted, updated and so on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeOutcome {
    /// The table did not have them.
    pub inserted: u64,
    /// The table had other values.
    pub updated: u64,
    /// The table had the same values.
    pub unchanged: u64,
    /// The table had later versions.
    pub superseded: u64,
}

/// Rows of the tables that are replaced or deleted.
#[derive(Debug, Default)]
pub struct EndedRows {
    /// Rows that are replaced, or that their records do not have any more.
    pub outdated: RowIds,
    /// Rows of deleted records.
    pub deleted: RowIds,
}

/// What a merge changes.
#[derive(Debug, Default)]
pub(super) struct MergeChanges {
    /// Rows of the export that are not written.
    pub(super) unchanged: RowIds,
    /// Rows of the tables that end.
    pub(super) ended: EndedRows,
    /// How many records are deleted.
    pub(super) deleted_records: u64,
    /// The numbers of the files with ended rows.
    pub(super) rewritten: HashSet<usize>,
    /// For each table, how many of the export's rows were inserted, updated and so on.
    pub(super) outcomes: HashMap<TableId, MergeOutcome>,
    /// The tables and partitions that rows of the export are written to.
    pub(super) written: HashSet<(TableId, usize)>,
    /// The records of the export that the table has later versions of.
    pub(super) superseded: RecordKeys,
}

impl MergeChanges {
    /// Decides on the records of `export` and `table` that are not unchanged. Records of the table that are not among
    /// `all` records of the export are deleted as `deletes` says, with their child rows.
    pub(super) fn decide(
        export: &RecordVersions,
        table: &RecordVersions,
        all: &RecordKeys,
        deletes: Deletes,
    ) -> Self {
        let mut changes = Self::default();
        for (record, old) in &table.0 {
            if deletes != Deletes::Ignore && !all.contains(record) && !old.is_marked {
                changes.delete(old);
            }
        }
        for (record, new) in &export.0 {
            match table.0.get(record) {
                None => changes.insert(new),
                Some(old) if is_older(new, old) => {
                    changes.superseded.insert(*record);
                    changes.supersede(new);
                }
                Some(old) => changes.update(new, old),
            }
        }
        changes
    }

    /// Ends the versions that a history may have of rows that are written, also of those that the table does not have: it
    /// has lost files.
    pub(super) fn end_versions_before(&mut self, export: &RecordVersions) {
        let rows = export.0.values().flat_map(|record| &record.rows).map(|row| row.id);
        let written = rows.filter(|row| !self.unchanged.contains(row));
        self.ended.outdated.extend(written);
    }

    fn outcome(&mut self, row: &VersionRow) -> &mut MergeOutcome {
        self.outcomes.entry(row.id.0).or_default()
    }

    fn insert(&mut self, new: &RecordVersion) {
        for row in &new.rows {
            self.outcome(row).inserted += 1;
            self.write(row, new);
        }
    }

    fn write(&mut self, row: &VersionRow, new: &RecordVersion) {
        self.written.extend(new.partition.map(|partition| (row.id.0, partition)));
    }

    fn supersede(&mut self, new: &RecordVersion) {
        for row in &new.rows {
            self.outcome(row).superseded += 1;
            self.unchanged.insert(row.id);
        }
    }

    fn delete(&mut self, old: &RecordVersion) {
        for row in &old.rows {
            self.ended.deleted.insert(row.id);
            self.rewritten.insert(row.file);
        }
        self.deleted_records += 1;
    }

    fn update(&mut self, new: &RecordVersion, old: &RecordVersion) {
        let has_moved = new.partition.is_none() || new.partition != old.partition;
        let mut contents: HashMap<RowId, Option<u128>> = HashMap::new();
        for row in &old.rows {
            // A key that the table has twice equals nothing, so both rows are replaced.
            // A row that is marked as deleted does not equal one that is not.
            let content = Some(row.content).filter(|_| !old.is_marked);
            contents.entry(row.id).and_modify(|content| *content = None).or_insert(content);
        }
        for row in &new.rows {
            match contents.get(&row.id) {
                None => {
                    self.outcome(row).inserted += 1;
                    self.write(row, new);
                }
                Some(content) if !has_moved && *content == Some(row.content) => {
                    self.outcome(row).unchanged += 1;
                    self.unchanged.insert(row.id);
                    contents.remove(&row.id);
                }
                Some(_) => {
                    self.outcome(row).updated += 1;
                    self.write(row, new);
                }
            }
        }
        for row in old.rows.iter().filter(|row| contents.contains_key(&row.id)) {
            self.ended.outdated.insert(row.id);
            self.rewritten.insert(row.file);
        }
    }
}

/// Whether the export has an older version than the table.
fn is_older(new: &RecordVersion, old: &RecordVersion) -> bool {
    match (&new.cursor, &old.cursor) {
        (Some(new), Some(old)) => new.compare(old) == Ordering::Less,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::hashes::RowHashes;
    use super::*;
    use crate::normalise::Cursor;
    use crate::schema::PositionId as _;

    const RECORD: u128 = 7;

    fn table(index: usize) -> TableId {
        TableId::from_index(index)
    }

    /// A version of one record, with its root row first: table, key and content of each row.
    fn version(partition: usize, rows: &[(usize, u128, u128)]) -> RecordVersions {
        let mut versions = RecordVersions::default();
        for (file, (of, row, content)) in rows.iter().enumerate() {
            let hashes = RowHashes { record: RECORD, row: *row, content: *content };
            versions.add(table(*of), hashes, partition, file);
        }
        versions
    }

    fn decide(export: &RecordVersions, table: &RecordVersions, deletes: Deletes) -> MergeChanges {
        let all = export.0.keys().copied().collect();
        MergeChanges::decide(export, table, &all, deletes)
    }

    /// Inserted, updated, unchanged and superseded rows of a table.
    fn outcome(changes: &MergeChanges, of: usize) -> [u64; 4] {
        let outcome = changes.outcomes.get(&table(of)).copied().unwrap_or_default();
        [outcome.inserted, outcome.updated, outcome.unchanged, outcome.superseded]
    }

    #[test]
    fn a_record_that_the_table_does_not_have_is_inserted() {
        let export = version(3, &[(0, 1, 10), (1, 2, 20)]);
        let changes = decide(&export, &RecordVersions::default(), Deletes::Ignore);
        assert_eq!([outcome(&changes, 0), outcome(&changes, 1)], [[1, 0, 0, 0]; 2]);
        assert_eq!(changes.written, HashSet::from([(table(0), 3), (table(1), 3)]));
        assert!(changes.rewritten.is_empty());
    }

    #[test]
    fn only_changed_and_added_rows_are_written_and_missing_ones_end() {
        let old = version(0, &[(0, 1, 10), (1, 2, 20), (1, 3, 30)]);
        let export = version(0, &[(0, 1, 11), (1, 2, 20), (1, 4, 40)]);
        let changes = decide(&export, &old, Deletes::Ignore);
        assert_eq!(outcome(&changes, 0), [0, 1, 0, 0]);
        assert_eq!(outcome(&changes, 1), [1, 0, 1, 0]);
        assert_eq!(changes.unchanged, RowIds::from([(table(1), 2)]));
        assert_eq!(changes.ended.outdated, RowIds::from([(table(0), 1), (table(1), 3)]));
        assert_eq!(changes.rewritten, HashSet::from([0, 2]));
    }

    #[test]
    fn a_record_in_another_partition_is_replaced_with_all_its_rows() {
        let rows = [(0, 1, 10), (1, 2, 20)];
        let changes = decide(&version(1, &rows), &version(0, &rows), Deletes::Ignore);
        assert_eq!([outcome(&changes, 0), outcome(&changes, 1)], [[0, 1, 0, 0]; 2]);
        assert_eq!(changes.ended.outdated.len(), 2);
        assert_eq!(changes.written, HashSet::from([(table(0), 1), (table(1), 1)]));
    }

    #[test]
    fn a_version_with_a_lesser_cursor_is_superseded() {
        for (cursor, is_older) in [(1, true), (2, false), (3, false)] {
            let (mut export, mut old) = (version(0, &[(0, 1, 11)]), version(0, &[(0, 1, 10)]));
            export.set_cursor(RECORD, Cursor::Integer(cursor));
            old.set_cursor(RECORD, Cursor::Integer(2));
            let changes = decide(&export, &old, Deletes::Ignore);
            let expected = if is_older { [0, 0, 0, 1] } else { [0, 1, 0, 0] };
            assert_eq!(outcome(&changes, 0), expected, "{cursor}");
            assert_eq!(changes.ended.outdated.is_empty(), is_older);
        }
    }

    #[test]
    fn a_record_that_the_export_does_not_have_is_deleted_as_the_definition_says() {
        let old = version(0, &[(0, 1, 10), (1, 2, 20)]);
        for (deletes, rows, records) in
            [(Deletes::Ignore, 0, 0), (Deletes::Mark, 2, 1), (Deletes::Remove, 2, 1)]
        {
            let changes = decide(&RecordVersions::default(), &old, deletes);
            assert_eq!(changes.ended.deleted.len(), rows, "{deletes:?}");
            assert_eq!(changes.deleted_records, records, "{deletes:?}");
        }
        let mut marked = version(0, &[(0, 1, 10), (1, 2, 20)]);
        marked.set_marked(RECORD);
        let changes = decide(&RecordVersions::default(), &marked, Deletes::Mark);
        assert_eq!(changes.deleted_records, 0, "it is marked already");
    }

    #[test]
    fn a_marked_record_that_comes_again_is_updated_with_its_child_rows() {
        let rows = [(0, 1, 10), (1, 2, 20)];
        let mut marked = version(0, &rows);
        marked.set_marked(RECORD);
        let changes = decide(&version(0, &rows), &marked, Deletes::Mark);
        assert_eq!([outcome(&changes, 0), outcome(&changes, 1)], [[0, 1, 0, 0]; 2]);
    }

    #[test]
    fn a_key_that_the_table_has_twice_is_replaced() {
        let old = version(0, &[(0, 1, 10), (0, 1, 10)]);
        let changes = decide(&version(0, &[(0, 1, 10)]), &old, Deletes::Ignore);
        assert_eq!(outcome(&changes, 0), [0, 1, 0, 0]);
        assert_eq!(changes.rewritten, HashSet::from([0, 1]));
    }
}
