//! Record places: where the records of a partition go when it is divided, so that their child rows go with them.

use std::collections::HashMap;

/// The new partition of each record, by the hash of its key.
#[derive(Debug, Default)]
pub(super) struct RecordPlaces {
    /// That of its last row.
    last: HashMap<u128, RowPlace>,
    /// Those of a record with current rows in several partitions.
    several: HashMap<u128, Vec<RowPlace>>,
}

/// Where a row goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowPlace {
    /// The number of its new partition.
    pub(super) partition: usize,
    /// The hash of its run.
    pub(super) run: u128,
    /// It is no past version.
    pub(super) is_current: bool,
}

/// Where a child row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordPlace {
    /// To its record.
    Known(usize),
    /// To one of several rows of its record, and nothing says which.
    Unclear,
    /// Its record has no row.
    Lost,
}

impl RecordPlaces {
    /// Adds a row; past versions come before what is current.
    pub(super) fn add(&mut self, record: u128, place: RowPlace) {
        let Some(before) = self.last.insert(record, place) else { return };
        if !(before.is_current && place.is_current) {
            return;
        }
        if let Some(all) = self.several.get_mut(&record) {
            all.push(place);
        } else if before.partition != place.partition {
            self.several.insert(record, vec![before, place]);
        }
    }

    /// Where a child row goes that a run has written.
    pub(super) fn of(&self, record: u128, run: u128) -> RecordPlace {
        let Some(last) = self.last.get(&record) else { return RecordPlace::Lost };
        let Some(all) = self.several.get(&record) else {
            return RecordPlace::Known(last.partition);
        };
        let mut of_run = all.iter().filter(|place| place.run == run).map(|place| place.partition);
        match of_run.next() {
            Some(first) if of_run.all(|partition| partition == first) => RecordPlace::Known(first),
            _ => RecordPlace::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_row_goes_to_the_row_of_its_record_or_of_its_run() {
        let mut places = RecordPlaces::default();
        for (record, partition, run, is_current) in [
            (1, 0, 7, false),
            (1, 1, 8, true),
            (2, 1, 7, true),
            (2, 2, 8, true),
            (2, 2, 9, true),
            (5, 1, 7, true),
            (5, 2, 7, true),
            (3, 5, 7, true),
            (3, 5, 8, true),
        ] {
            places.add(record, RowPlace { partition, run, is_current });
        }
        for (record, run, expected) in [
            (1, 7, RecordPlace::Known(1)),
            (2, 7, RecordPlace::Known(1)),
            (2, 8, RecordPlace::Known(2)),
            (2, 6, RecordPlace::Unclear),
            (5, 7, RecordPlace::Unclear),
            (3, 6, RecordPlace::Known(5)),
            (4, 7, RecordPlace::Lost),
        ] {
            assert_eq!(places.of(record, run), expected, "{record} of run {run}");
        }
    }
}
