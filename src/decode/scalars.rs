//! Builds columns of scalars. A column starts with the type of its first value and widens without loss.

use polars::prelude::{
    BooleanChunkedBuilder, ChunkedBuilder, Int32Type, Int64Type, PlSmallStr,
    PrimitiveChunkedBuilder, StringChunkedBuilder,
};

use super::{Fractions, Raw, RawTexts, Scalars};
use crate::schema::{ColumnStatistics, Fraction, TimestampForm, parse_date, parse_timestamp};

/// Builds a column of scalars.
///
/// It stays as narrow as its values allow. The first value of another type turns it into text, in which every earlier value
/// is written as in the JSON.
#[derive(Default)]
pub(super) struct ScalarBuilder {
    column: GrowingColumn,
    len: usize,
    statistics: ColumnStatistics,
    largest_integer: Option<u64>,
}

#[derive(Default)]
enum GrowingColumn {
    #[default]
    Empty,
    Booleans(BooleanChunkedBuilder),
    Integers(PrimitiveChunkedBuilder<Int64Type>),
    Fractions(FractionsBuilder),
    Dates(PrimitiveChunkedBuilder<Int32Type>),
    Timestamps(PrimitiveChunkedBuilder<Int64Type>, TimestampForm),
    Texts(TextsBuilder),
}

/// Builds [`RawTexts`].
struct TextsBuilder {
    values: StringChunkedBuilder,
    unquoted: Vec<u32>,
}

/// Builds [`Fractions`].
struct FractionsBuilder {
    units: PrimitiveChunkedBuilder<Int64Type>,
    places: Vec<u8>,
}

/// The initial capacity of a column that begins at this row. It grows by doubling; most columns have some hundreds of rows.
fn room(row: usize) -> usize {
    row + 256
}

/// Appends nulls up to this row.
macro_rules! pad {
    ($builder:expr, $len:expr, $row:expr) => {
        for _ in $len..$row {
            $builder.append_null();
        }
    };
}

/// Appends nulls up to this row, then its value.
macro_rules! append {
    ($builder:expr, $len:expr, $row:expr, $value:expr) => {
        pad!($builder, $len, $row);
        $builder.append_value($value);
        $len = $row + 1;
    };
}

impl ScalarBuilder {
    pub(super) fn boolean(&mut self, row: usize, value: bool) {
        self.statistics = self.statistics.merge(ColumnStatistics::BOOLEAN);
        if let GrowingColumn::Empty = &self.column {
            let builder = BooleanChunkedBuilder::new(PlSmallStr::EMPTY, room(row));
            self.column = GrowingColumn::Booleans(builder);
        }
        if let GrowingColumn::Booleans(builder) = &mut self.column {
            append!(builder, self.len, row, value);
        } else {
            self.append_unquoted(row, if value { "true" } else { "false" });
        }
    }

    pub(super) fn integer(&mut self, row: usize, value: i64) {
        let magnitude = value.unsigned_abs();
        self.largest_integer =
            Some(self.largest_integer.map_or(magnitude, |old| old.max(magnitude)));
        if let GrowingColumn::Empty = &self.column {
            let builder = PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, room(row));
            self.column = GrowingColumn::Integers(builder);
        }
        match &mut self.column {
            GrowingColumn::Integers(builder) => {
                append!(builder, self.len, row, value);
            }
            GrowingColumn::Fractions(builder) => {
                let integer = Fraction { units: value, places: 0 };
                append!(builder, self.len, row, integer);
            }
            _ => self.append_unquoted(row, &value.to_string()),
        }
    }

    pub(super) fn number(&mut self, row: usize, text: &str) {
        let Some(fraction) = Fraction::parse(text) else {
            self.statistics = self.statistics.merge(ColumnStatistics::of_number(text));
            return self.append_unquoted(row, text);
        };
        if !self.statistics.cover(fraction) {
            self.statistics = self.statistics.merge(ColumnStatistics::of_fraction(fraction));
        }
        if let GrowingColumn::Empty | GrowingColumn::Integers(_) = &self.column {
            let integers = std::mem::take(&mut self.column);
            self.column = GrowingColumn::Fractions(FractionsBuilder::from(integers, room(row)));
        }
        if let GrowingColumn::Fractions(builder) = &mut self.column {
            append!(builder, self.len, row, fraction);
        } else {
            self.append_unquoted(row, text);
        }
    }

    pub(super) fn text(&mut self, row: usize, text: &str) {
        if let GrowingColumn::Empty = &self.column {
            self.column = GrowingColumn::for_text(text, room(row));
        }
        match &mut self.column {
            GrowingColumn::Dates(builder) => {
                if let Some(days) = parse_date(text) {
                    append!(builder, self.len, row, days);
                    return;
                }
            }
            GrowingColumn::Timestamps(builder, form) => {
                if TimestampForm::of(text) == Some(*form)
                    && let Some(instant) = parse_timestamp(text)
                {
                    append!(builder, self.len, row, instant);
                    return;
                }
            }
            _ => {}
        }
        if !self.statistics.cover_text(text) {
            self.statistics = self.statistics.merge(ColumnStatistics::of_text(text));
        }
        self.append_text(row, text);
    }

    /// Appends a number or boolean to a column of texts.
    fn append_unquoted(&mut self, row: usize, text: &str) {
        self.append_text(row, text);
        if let GrowingColumn::Texts(builder) = &mut self.column {
            // A batch has far fewer rows.
            builder.unquoted.push(u32::try_from(row).unwrap_or(u32::MAX));
        }
    }

    fn append_text(&mut self, row: usize, text: &str) {
        if !matches!(self.column, GrowingColumn::Texts(_)) {
            self.statistics = self.statistics.merge(self.column.statistics());
            self.column = GrowingColumn::Texts(std::mem::take(&mut self.column).into_texts());
        }
        if let GrowingColumn::Texts(builder) = &mut self.column {
            append!(builder.values, self.len, row, text);
        }
    }

    pub(super) fn finish(mut self, rows: usize) -> Option<Scalars> {
        if let Some(magnitude) = self.largest_integer {
            self.statistics = self.statistics.merge(ColumnStatistics::of_integers(magnitude));
        }
        let statistics = self.statistics.merge(self.column.statistics());
        match &mut self.column {
            GrowingColumn::Empty => return None,
            GrowingColumn::Booleans(builder) => pad!(builder, self.len, rows),
            GrowingColumn::Integers(builder) | GrowingColumn::Timestamps(builder, _) => {
                pad!(builder, self.len, rows);
            }
            GrowingColumn::Fractions(builder) => pad!(builder, self.len, rows),
            GrowingColumn::Dates(builder) => pad!(builder, self.len, rows),
            GrowingColumn::Texts(builder) => pad!(builder.values, self.len, rows),
        }
        Some(Scalars { values: self.column.finish()?, statistics })
    }
}

impl FractionsBuilder {
    /// A builder that starts with integers, or empty.
    fn from(integers: GrowingColumn, room: usize) -> Self {
        let mut units = PrimitiveChunkedBuilder::new(PlSmallStr::EMPTY, room);
        let mut places = Vec::with_capacity(room);
        if let GrowingColumn::Integers(integers) = integers {
            let integers = integers.finish();
            integers.iter().for_each(|integer| units.append_option(integer));
            places.resize(integers.len(), 0);
        }
        Self { units, places }
    }

    fn append_value(&mut self, number: Fraction) {
        self.units.append_value(number.units);
        self.places.push(number.places);
    }

    fn append_null(&mut self) {
        self.units.append_null();
        self.places.push(0);
    }
}

impl GrowingColumn {
    /// An empty column for values like this text.
    fn for_text(text: &str, room: usize) -> Self {
        let name = PlSmallStr::EMPTY;
        if parse_date(text).is_some() {
            return Self::Dates(PrimitiveChunkedBuilder::new(name, room));
        }
        match TimestampForm::of(text).filter(|_| parse_timestamp(text).is_some()) {
            Some(form) => Self::Timestamps(PrimitiveChunkedBuilder::new(name, room), form),
            None => Self::Texts(TextsBuilder {
                values: StringChunkedBuilder::new(name, room),
                unquoted: Vec::new(),
            }),
        }
    }

    /// The statistics that follow from the kind of column.
    fn statistics(&self) -> ColumnStatistics {
        match self {
            Self::Dates(_) => ColumnStatistics::DATE,
            Self::Timestamps(..) => ColumnStatistics::TIMESTAMP,
            _ => ColumnStatistics::default(),
        }
    }

    fn into_texts(self) -> TextsBuilder {
        let are_strings = matches!(self, Self::Dates(_) | Self::Timestamps(..));
        let mut values = StringChunkedBuilder::new(PlSmallStr::EMPTY, room(0));
        let mut unquoted = Vec::new();
        if let Some(raw) = self.finish() {
            for (row, text) in (0..).zip(raw.texts().iter()) {
                values.append_option(text);
                if text.is_some() && !are_strings {
                    unquoted.push(row);
                }
            }
        }
        TextsBuilder { values, unquoted }
    }

    fn finish(self) -> Option<Raw> {
        Some(match self {
            Self::Empty => return None,
            Self::Booleans(builder) => Raw::Booleans(builder.finish()),
            Self::Integers(builder) => Raw::Integers(builder.finish()),
            Self::Fractions(FractionsBuilder { units, places }) => {
                Raw::Fractions(Fractions { units: units.finish(), places })
            }
            Self::Dates(builder) => Raw::Dates(builder.finish()),
            Self::Timestamps(builder, form) => Raw::Timestamps(builder.finish(), form),
            Self::Texts(TextsBuilder { values, unquoted }) => {
                Raw::Texts(RawTexts { values: values.finish(), unquoted })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts of a column and its statistics.
    fn built(
        fill: impl FnOnce(&mut ScalarBuilder),
        rows: usize,
    ) -> (Vec<Option<String>>, ColumnStatistics) {
        let mut builder = ScalarBuilder::default();
        fill(&mut builder);
        let Scalars { values, statistics } = builder.finish(rows).unwrap();
        (values.texts().iter().map(|text| text.map(str::to_owned)).collect(), statistics)
    }

    #[test]
    fn p4_widening_keeps_the_text_of_every_earlier_value() {
        let (texts, _) = built(
            |builder| {
                builder.integer(1, 10);
                builder.number(2, "1.50");
                builder.boolean(4, true);
            },
            6,
        );
        let expected = [None, Some("10"), Some("1.50"), None, Some("true"), None];
        assert_eq!(texts, expected.map(|text| text.map(str::to_owned)));
    }

    /// Scalars of every stored kind, and their neighbours.
    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?(0|[1-9][0-9]{0,16})\\.[0-9]{1,4}",
            "-?0\\.0{1,2}",
            "[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9]",
            "[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,8})?Z?",
            "[a-z]{0,3}",
        ]
    }

    proptest! {
        #[test]
        fn p4_and_p6_every_text_comes_back_and_statistics_are_those_of_each_value(
            values in proptest::collection::vec(proptest::option::of(any_text()), 1..6),
            integer in proptest::option::of((0_usize..6, any::<i64>())),
        ) {
            let mut expected = values.clone();
            let mut statistics = ColumnStatistics::default();
            let (texts, known) = built(|builder| {
                for (row, value) in values.iter().enumerate() {
                    match (value, integer) {
                        (_, Some((at, number))) if at == row => {
                            builder.integer(row, number);
                            expected[row] = Some(number.to_string());
                            statistics = statistics.merge(ColumnStatistics::of_integers(number.unsigned_abs()));
                        }
                        (Some(text), _) if text.parse::<f64>().is_ok() && text.contains('.') => {
                            builder.number(row, text);
                            statistics = statistics.merge(ColumnStatistics::of_number(text));
                        }
                        (Some(text), _) => {
                            builder.text(row, text);
                            statistics = statistics.merge(ColumnStatistics::of_text(text));
                        }
                        (None, _) => {}
                    }
                }
                if expected.iter().all(Option::is_none) {
                    builder.boolean(0, true);
                    expected[0] = Some("true".to_owned());
                    statistics = statistics.merge(ColumnStatistics::BOOLEAN);
                }
            }, values.len());
            prop_assert_eq!(texts, expected);
            prop_assert_eq!(known, statistics);
        }
    }
}
