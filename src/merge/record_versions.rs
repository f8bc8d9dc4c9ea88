//! Record versions: the rows of records as an export has them, and as the tables have them.

use std::collections::hash_map::{Entry, HashMap};

use super::hashes::{RecordKeys, RowHashes, RowId};
use crate::normalise::Cursor;
use crate::schema::TableId;

/// One version of a record, with the rows of its child tables.
#[derive(Debug, Default)]
pub(super) struct RecordVersion {
    /// The number of the partition of its rows; none if they are in several.
    pub(super) partition: Option<usize>,
    pub(super) cursor: Option<Cursor>,
    /// It is in the table and marked as deleted.
    pub(super) is_marked: bool,
    pub(super) rows: Vec<VersionRow>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct VersionRow {
    pub(super) id: RowId,
    pub(super) content: u128,
    /// The number of its file, if it is in the table.
    pub(super) file: usize,
}

/// One version of each record, by the hash of the record's key.
#[derive(Debug, Default)]
pub(super) struct RecordVersions(pub(super) HashMap<u128, RecordVersion>);

/// Records that an export and the tables have alike.
#[derive(Debug, Default)]
pub(super) struct UnchangedRecords {
    /// The hashes of their keys.
    pub(super) records: Vec<u128>,
    /// How many rows they have in each table.
    pub(super) rows: HashMap<TableId, u64>,
}

impl RecordVersions {
    /// Adds a row. `file` is its file in the table, and 0 for a row of an export.
    pub(super) fn add(&mut self, table: TableId, hashes: RowHashes, partition: usize, file: usize) {
        let RowHashes { record, row, content } = hashes;
        let row = VersionRow { id: (table, row), content, file };
        match self.0.entry(record) {
            Entry::Vacant(entry) => {
                let partition = Some(partition);
                entry.insert(RecordVersion {
                    partition,
                    rows: vec![row],
                    ..RecordVersion::default()
                });
            }
            Entry::Occupied(mut entry) => {
                let version = entry.get_mut();
                if version.partition != Some(partition) {
                    version.partition = None;
                }
                version.rows.push(row);
            }
        }
    }

    /// Sets the cursor of a record that was added.
    pub(super) fn set_cursor(&mut self, record: u128, cursor: Cursor) {
        if let Some(version) = self.0.get_mut(&record) {
            version.cursor = Some(cursor);
        }
    }

    /// Marks a record that was added as deleted.
    pub(super) fn set_marked(&mut self, record: u128) {
        if let Some(version) = self.0.get_mut(&record) {
            version.is_marked = true;
        }
    }

    /// Adds the rows of other versions, which may be of the same records.
    pub(super) fn absorb(&mut self, others: Self) {
        for (record, other) in others.0 {
            match self.0.entry(record) {
                Entry::Vacant(entry) => {
                    entry.insert(other);
                }
                Entry::Occupied(mut entry) => {
                    let version = entry.get_mut();
                    if version.partition != other.partition {
                        version.partition = None;
                    }
                    version.is_marked |= other.is_marked;
                    version.rows.extend(other.rows);
                }
            }
        }
    }

    /// Removes the records that both sides have in the same partition and with the same rows, but for `repeated` ones. Most
    /// records are.
    pub(super) fn remove_unchanged(
        &mut self,
        table: &mut Self,
        repeated: &RecordKeys,
    ) -> UnchangedRecords {
        let mut unchanged = UnchangedRecords::default();
        self.0.retain(|record, new| {
            let is_equal = !repeated.contains(record)
                && table.0.get_mut(record).is_some_and(|old| new.equals(old));
            if is_equal {
                table.0.remove(record);
                unchanged.records.push(*record);
                for row in &new.rows {
                    *unchanged.rows.entry(row.id.0).or_default() += 1;
                }
            }
            !is_equal
        });
        unchanged
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl RecordVersion {
    fn equals(&mut self, other: &mut Self) -> bool {
        if self.partition.is_none() || self.partition != other.partition || other.is_marked {
            return false;
        }
        for rows in [&mut self.rows, &mut other.rows] {
            rows.sort_unstable_by_key(|row| (row.id, row.content));
        }
        let contents = |rows: &[VersionRow]| -> Vec<(RowId, u128)> {
            rows.iter().map(|row| (row.id, row.content)).collect()
        };
        contents(&self.rows) == contents(&other.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::PositionId as _;

    /// A row of record 1: its table, key, content and partition.
    fn versions(rows: &[(usize, u128, u128, usize)]) -> RecordVersions {
        let mut versions = RecordVersions::default();
        for (table, row, content, partition) in rows {
            let hashes = RowHashes { record: 1, row: *row, content: *content };
            versions.add(TableId::from_index(*table), hashes, *partition, 0);
        }
        versions
    }

    #[test]
    fn a_record_is_unchanged_with_the_same_rows_in_the_same_partition() {
        let rows = [(0, 1, 10, 0), (1, 2, 20, 0), (1, 3, 30, 0)];
        let reordered = [rows[2], rows[0], rows[1]];
        for (table, is_unchanged) in [
            (versions(&rows), true),
            (versions(&reordered), true),
            (versions(&rows[..2]), false),
            (versions(&[(0, 1, 11, 0), rows[1], rows[2]]), false),
            (versions(&rows.map(|(table, row, content, _)| (table, row, content, 1))), false),
            (RecordVersions::default(), false),
        ] {
            let (mut export, mut table) = (versions(&rows), table);
            let unchanged = export.remove_unchanged(&mut table, &RecordKeys::new());
            assert_eq!(unchanged.records.len(), usize::from(is_unchanged));
            assert_eq!(export.is_empty(), is_unchanged);
            if is_unchanged {
                assert!(table.is_empty());
                assert_eq!(unchanged.rows[&TableId::from_index(1)], 2);
            }
        }
    }

    #[test]
    fn a_record_in_several_partitions_or_marked_as_deleted_is_never_unchanged() {
        let rows = [(0, 1, 10, 0)];
        let mut several = versions(&rows);
        several.absorb(versions(&[(0, 1, 10, 1)]));
        assert_eq!(several.0[&1].partition, None);
        assert_eq!(several.0[&1].rows.len(), 2);
        let mut marked = versions(&rows);
        marked.set_marked(1);
        for mut table in [several, marked] {
            let unchanged = versions(&rows).remove_unchanged(&mut table, &RecordKeys::new());
            assert_eq!(unchanged.records, Vec::<u128>::new());
        }
    }
}
