//! Selects some rows of a level, with everything below them.

use polars::prelude::{ChunkTake, IdxCa, NewChunkedArray, PlSmallStr, PolarsResult};

use super::{Fractions, Level, NestedRows, Raw, RawTexts, Scalars, Values};

/// Some rows of a level, and what their numbers are when the others are gone.
struct Selection<'s> {
    kept: &'s [u32],
    numbers: Vec<Option<u32>>,
}

impl<'s> Selection<'s> {
    fn new(kept: &'s [u32], rows: usize) -> Self {
        let mut numbers = vec![None; rows];
        for (number, row) in (0..).zip(kept) {
            numbers[*row as usize] = Some(number);
        }
        Self { kept, numbers }
    }

    fn of(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().filter_map(|row| self.numbers[*row as usize]).collect()
    }
}

impl Level {
    /// Some rows, ascending. They keep their parents.
    pub(crate) fn select(&self, kept: &[u32]) -> PolarsResult<Self> {
        let selection = Selection::new(kept, self.rows);
        let picked = |all: &[u32]| kept.iter().map(|row| all[*row as usize]).collect();
        let rows = || IdxCa::from_slice(PlSmallStr::EMPTY, kept);
        let keys = self.keys.as_ref().map(|keys| keys.take(&rows())).transpose()?;
        let values =
            self.values.iter().map(|(step, values)| Ok((step.clone(), values.select(&selection)?)));
        Ok(Self {
            rows: kept.len(),
            parents: picked(&self.parents),
            positions: picked(&self.positions),
            keys,
            values: values.collect::<PolarsResult<_>>()?,
        })
    }
}

impl Values {
    fn select(&self, selection: &Selection<'_>) -> PolarsResult<Self> {
        let scalars = self.scalars.as_ref().map(|scalars| {
            let values = scalars.values.select(selection)?;
            PolarsResult::Ok(Scalars { values, statistics: scalars.statistics })
        });
        let nested = self.nested.as_ref().map(|nested| nested.select(selection).map(Box::new));
        Ok(Self {
            scalars: scalars.transpose()?,
            empty_lists: selection.of(&self.empty_lists),
            empty_objects: selection.of(&self.empty_objects),
            nested: nested.transpose()?,
            place: self.place,
        })
    }
}

impl NestedRows {
    fn select(&self, parents: &Selection<'_>) -> PolarsResult<Self> {
        let rows = (0_u32..).zip(&self.level.parents);
        let kept = rows.filter(|(_, parent)| parents.numbers[**parent as usize].is_some());
        let kept: Vec<u32> = kept.map(|(row, _)| row).collect();
        let own = Selection::new(&kept, self.level.rows);
        let mut level = self.level.select(&kept)?;
        level.parents = parents.of(&level.parents);
        Ok(Self { lists: parents.of(&self.lists), objects: own.of(&self.objects), level })
    }
}

impl Raw {
    fn select(&self, selection: &Selection<'_>) -> PolarsResult<Self> {
        let rows = IdxCa::from_slice(PlSmallStr::EMPTY, selection.kept);
        Ok(match self {
            Self::Booleans(values) => Self::Booleans(values.take(&rows)?),
            Self::Integers(integers) => Self::Integers(integers.take(&rows)?),
            Self::Dates(days) => Self::Dates(days.take(&rows)?),
            Self::Timestamps(instants, form) => Self::Timestamps(instants.take(&rows)?, *form),
            Self::Texts(RawTexts { values, unquoted }) => Self::Texts(RawTexts {
                values: values.take(&rows)?,
                unquoted: selection.of(unquoted),
            }),
            Self::Fractions(Fractions { units, places }) => {
                let picked = rows.iter().flatten().map(|row| places[row as usize]);
                let places = picked.collect();
                Self::Fractions(Fractions { units: units.take(&rows)?, places })
            }
        })
    }
}
