//! Encodes the rows of a partition as Parquet pages while they come, so that they need not be kept.
//!
//! ```text
//! rows ─▶ waiting, until they fill ─▶ a page of each column ─▶ row groups ─▶ files
//!         a number of rows            in the spill
//! ```
//!
//! Pages and row groups are numbers of rows, fewer only where the rows themselves are large, so that files do not depend on
//! how the rows came (promise P6).

use std::collections::BTreeSet;
use std::sync::Arc;

use polars::prelude::{
    CompatLevel, DataFrame, DataType, Field, IdxSize, PlSmallStr, PolarsError, PolarsResult,
    Schema, SchemaExt as _,
};
use polars_arrow::array::{Array, ListArray, StructArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::ArrowSchema;
use polars_parquet::parquet::schema::types::ParquetType;
use polars_parquet::write::{
    DynIter, DynStreamingIterator, RowGroupIterColumns, SchemaDescriptor, to_leaves, to_nested,
    to_parquet_leaves, to_parquet_type,
};

use super::chunk::{ColumnPages, Leaf};
use crate::normalise::polars_type;
use crate::schema::TableSchema;
use crate::write::parts;
use crate::write::spill::{KeptRows, Spill, SpillError, all_rows};
use crate::write::statistics::{self, StatisticsCollector};

/// The values in a page of each column, all together.
const PAGE_VALUES: usize = 1 << 16;
const FEWEST_ROWS_IN_A_PAGE: usize = 1 << 10;
const MOST_ROWS_IN_A_PAGE: usize = 1 << 15;
/// A page ends early with the row that brings its texts and list items to so many bytes: its rows are in memory together.
const MOST_LONG_VALUES_IN_A_PAGE: usize = 32 << 20;
/// What an item of a list takes beside its text.
const BYTES_OF_AN_ITEM: usize = 8;
/// So that a row group has 2^21 values: some 30 to 60 MB before compression.
const PAGES_IN_A_GROUP: usize = 32;
/// The key of a description in metadata.
pub(super) const DESCRIPTION: &str = "description";
/// What a column takes however few its rows are: polars allocates 8 KiB where there are long texts.
const BYTES_OF_A_COLUMN: usize = 2 << 10;

/// How many rows go together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) rows_in_a_page: usize,
    pub(super) pages_in_a_group: usize,
}

impl Sizes {
    fn of(schema: &TableSchema) -> Self {
        let rows_in_a_page = (PAGE_VALUES / schema.columns.len().max(1))
            .clamp(FEWEST_ROWS_IN_A_PAGE, MOST_ROWS_IN_A_PAGE);
        Self { rows_in_a_page, pages_in_a_group: PAGES_IN_A_GROUP }
    }
}

/// The columns of a table's files.
#[derive(Debug)]
pub struct FileLayout {
    /// As Arrow readers read it: large strings instead of string views, which pandas cannot read in lists.
    pub(super) stored: ArrowSchema,
    /// Of each column.
    columns: Vec<ParquetType>,
    pub(super) descriptor: SchemaDescriptor,
    observed: BTreeSet<String>,
    sizes: Sizes,
}

impl FileLayout {
    /// The layout of the files of a table.
    ///
    /// # Errors
    /// polars has no Parquet type for a column, which would be a bug.
    pub fn of(schema: &TableSchema) -> PolarsResult<Self> {
        Self::with_sizes(schema, Sizes::of(schema))
    }

    pub(super) fn with_sizes(schema: &TableSchema, sizes: Sizes) -> PolarsResult<Self> {
        let fields = schema.columns.iter().map(|column| {
            let name = PlSmallStr::from_str(column.name.as_str());
            Field::new(name, polars_type(&column.column_type))
        });
        let columns: Schema = fields.collect();
        let arrow = columns.to_arrow(CompatLevel::newest());
        let mut stored = columns.to_arrow(CompatLevel::oldest());
        describe(&mut stored, schema);
        let columns: Vec<ParquetType> =
            arrow.iter_values().map(to_parquet_type).collect::<PolarsResult<_>>()?;
        let descriptor = SchemaDescriptor::new("root".into(), columns.clone());
        let observed = statistics::columns(schema);
        Ok(Self { stored, columns, descriptor, observed, sizes })
    }
}

/// Adds the descriptions of columns to their fields.
fn describe(fields: &mut ArrowSchema, schema: &TableSchema) {
    for column in &schema.columns {
        let (Some(field), Some(description)) =
            (fields.get_mut(column.name.as_str()), &column.description)
        else {
            continue;
        };
        let description = PlSmallStr::from_str(description);
        let entry = (PlSmallStr::from_static(DESCRIPTION), description);
        field.metadata = Some(Arc::new(std::iter::once(entry).collect()));
    }
}

/// Encodes the rows of a partition.
pub struct Encoder {
    form: Arc<FileLayout>,
    spill: Arc<Spill>,
    groups: Vec<RowGroup>,
    /// Rows that do not fill a page.
    waiting: Vec<KeptRows>,
    waiting_rows: usize,
    /// How many bytes of texts and list items they have.
    waiting_bytes: usize,
    held_bytes: usize,
}

/// A row group whose pages are in the spill.
pub(super) struct RowGroup {
    pub(super) form: Arc<FileLayout>,
    spill: Arc<Spill>,
    pub(super) rows: usize,
    pub(super) statistics: StatisticsCollector,
    /// Of each leaf column.
    chunks: Vec<ColumnPages>,
    /// Of each of them.
    pub(super) pages: usize,
}

impl Encoder {
    /// An encoder without rows, whose pages go into the spill.
    #[must_use]
    pub fn new(form: Arc<FileLayout>, spill: Arc<Spill>) -> Self {
        Self {
            form,
            spill,
            groups: Vec::new(),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            held_bytes: 0,
        }
    }

    /// Adds rows, which have the columns of the table's files.
    ///
    /// # Errors
    /// The disk fails. polars fails, which would be a bug.
    pub fn push(&mut self, rows: &DataFrame) -> Result<(), SpillError> {
        let long = long_values(rows);
        let (mut rest, mut next) = (rows.height(), 0);
        while let Some(missing) = self.rows_to_end_of_page(&long[next..]) {
            let waiting = std::mem::take(&mut self.waiting);
            let pieces = waiting.iter().map(|piece| piece.read(&self.spill));
            let page = all_rows(pieces.chain([Ok(slice(rows, next, missing))]))?;
            (self.waiting_rows, self.waiting_bytes, self.held_bytes) = (0, 0, 0);
            self.encode_page(&page)?;
            (rest, next) = (rest - missing, next + missing);
        }
        if rest > 0 {
            let (waiting, bytes) = behind(rows, next)?;
            self.waiting_rows += rest;
            self.waiting_bytes += long[next..].iter().sum::<usize>();
            self.held_bytes += bytes;
            self.waiting.push(KeptRows::Held(waiting));
        }
        Ok(())
    }

    /// How many of the next rows end the page, if they do; it depends on nothing but the rows themselves.
    fn rows_to_end_of_page(&self, long: &[usize]) -> Option<usize> {
        let rows_in_a_page = self.form.sizes.rows_in_a_page;
        let mut all = self.waiting_bytes;
        let ends = long.iter().zip(self.waiting_rows + 1..).position(|(bytes, rows)| {
            all += bytes;
            rows == rows_in_a_page || all >= MOST_LONG_VALUES_IN_A_PAGE
        });
        ends.map(|last| last + 1)
    }

    /// About how many bytes of rows and dictionaries it holds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes + self.groups.last().map_or(0, RowGroup::held_bytes)
    }

    /// Spills the rows and dictionaries that it holds.
    ///
    /// # Errors
    /// The temporary directory is full.
    pub fn spill(&mut self) -> Result<(), SpillError> {
        self.held_bytes = 0;
        for piece in &mut self.waiting {
            if let KeptRows::Held(rows) = piece {
                *piece = self.spill.put_rows(std::mem::take(rows))?;
            }
        }
        match self.groups.last_mut() {
            Some(group) => group.spill(),
            None => Ok(()),
        }
    }

    /// How many rows it was given.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let encoded = self.groups.iter().map(|group| group.rows as u64).sum::<u64>();
        encoded + self.waiting_rows as u64
    }

    /// The row groups of all rows.
    pub(super) fn into_groups(mut self) -> Result<Vec<RowGroup>, SpillError> {
        let waiting = std::mem::take(&mut self.waiting);
        let rows = all_rows(waiting.iter().map(|piece| piece.read(&self.spill)))?;
        if rows.height() > 0 {
            self.encode_page(&rows)?;
        }
        Ok(self.groups)
    }

    fn encode_page(&mut self, rows: &DataFrame) -> Result<(), SpillError> {
        let most_pages = self.form.sizes.pages_in_a_group;
        let mut group = match self.groups.pop_if(|group| group.pages < most_pages) {
            Some(group) => group,
            None => RowGroup::new(self.form.clone(), self.spill.clone()),
        };
        group.add_page(rows)?;
        if group.pages == most_pages {
            // Nothing is looked up any more.
            group.spill()?;
        }
        self.groups.push(group);
        Ok(())
    }
}

impl RowGroup {
    fn new(form: Arc<FileLayout>, spill: Arc<Spill>) -> Self {
        let leaves = form.descriptor.columns().len();
        let chunks = std::iter::repeat_with(ColumnPages::default).take(leaves).collect();
        Self { form, spill, rows: 0, statistics: StatisticsCollector::default(), chunks, pages: 0 }
    }

    /// Adds a page to each leaf column.
    fn add_page(&mut self, rows: &DataFrame) -> Result<(), SpillError> {
        self.rows += rows.height();
        self.pages += 1;
        self.statistics.observe(rows, &self.form.observed)?;
        // There is one, since the rows of a page are in one piece.
        for batch in rows.iter_chunks(CompatLevel::newest(), false) {
            let mut chunks = self.chunks.iter_mut();
            for (values, column) in batch.arrays().iter().zip(&self.form.columns) {
                let mut leaves = Vec::new();
                to_leaves(values.as_ref(), &mut leaves);
                let nested = to_nested(values.as_ref(), column)?;
                let columns = to_parquet_leaves(column.clone());
                let leaves = leaves.iter().zip(&nested).zip(&columns);
                for (((values, nested), column), chunk) in leaves.zip(&mut chunks) {
                    let leaf = Leaf { values: values.as_ref(), nested, column };
                    chunk.add(&leaf, &self.spill)?;
                }
            }
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.chunks.iter().map(ColumnPages::held_bytes).sum()
    }

    fn spill(&mut self) -> Result<(), SpillError> {
        self.chunks.iter_mut().try_for_each(|chunk| chunk.spill(&self.spill))
    }

    /// The pages of its columns, as they are written to a file.
    pub(super) fn into_columns(self) -> RowGroupIterColumns<'static, PolarsError> {
        let Self { form, spill, chunks, .. } = self;
        let descriptors = form.descriptor.columns().to_vec();
        DynIter::new(chunks.into_iter().zip(descriptors).map(move |(chunk, column)| {
            let pages = chunk.into_pages(column.descriptor, spill.clone());
            Ok(DynStreamingIterator::new(pages.map_err(SpillError::into_source)?))
        }))
    }
}

/// How many bytes of text and of list items each row has.
fn long_values(rows: &DataFrame) -> Vec<usize> {
    let mut bytes = vec![0; rows.height()];
    for column in rows.columns() {
        if !matches!(column.dtype(), DataType::String | DataType::List(_) | DataType::Struct(_)) {
            continue;
        }
        let mut rest = bytes.as_mut_slice();
        for values in column.as_materialized_series().chunks() {
            let (of_chunk, behind) = rest.split_at_mut(values.len());
            add_long_values(values.as_ref(), of_chunk);
            rest = behind;
        }
    }
    bytes
}

/// Adds those of some values. What a null hides is no value.
fn add_long_values(values: &dyn Array, bytes: &mut [usize]) {
    let any = values.as_any();
    if let Some(texts) = any.downcast_ref::<Utf8ViewArray>() {
        let lengths = texts.views().iter().map(|view| view.length as usize);
        add_where_there(lengths, texts.validity(), bytes);
    } else if let Some(objects) = any.downcast_ref::<StructArray>() {
        objects.values().iter().for_each(|field| add_long_values(field.as_ref(), bytes));
    } else if let Some(lists) = any.downcast_ref::<ListArray<i64>>() {
        let items = lists.values();
        let ranges = lists.offsets().as_slice().windows(2);
        let ranges =
            ranges.map(|ends| Some(usize::try_from(ends[0]).ok()?..usize::try_from(ends[1]).ok()?));
        let ranges = ranges.map(Option::unwrap_or_default);
        let is_long = items.as_any().is::<Utf8ViewArray>()
            || items.as_any().is::<StructArray>()
            || items.as_any().is::<ListArray<i64>>();
        if is_long {
            let mut of_items = vec![BYTES_OF_AN_ITEM; items.len()];
            add_long_values(items.as_ref(), &mut of_items);
            let lengths = ranges.map(|range| of_items[range].iter().sum());
            add_where_there(lengths, lists.validity(), bytes);
        } else {
            let lengths = ranges.map(|range| range.len() * BYTES_OF_AN_ITEM);
            add_where_there(lengths, lists.validity(), bytes);
        }
    }
}

fn add_where_there(
    lengths: impl Iterator<Item = usize>,
    there: Option<&Bitmap>,
    bytes: &mut [usize],
) {
    match there {
        None => lengths.zip(bytes).for_each(|(length, bytes)| *bytes += length),
        Some(there) => lengths
            .zip(there.iter())
            .zip(bytes)
            .for_each(|((length, is_there), bytes)| *bytes += if is_there { length } else { 0 }),
    }
}

/// The rows from one on, and about how many bytes they keep in memory: those of all rows, unless they are few of them and
/// copied.
fn behind(rows: &DataFrame, first: usize) -> PolarsResult<(DataFrame, usize)> {
    let height = rows.height() - first;
    if height >= rows.height() / 4 {
        return Ok((slice(rows, first, height), bytes_of(rows)));
    }
    let members: Vec<IdxSize> = (0..).take(rows.height()).skip(first).collect();
    let copied = parts::take(rows, &members)?;
    let bytes = bytes_of(&copied);
    Ok((copied, bytes))
}

/// About how much memory rows take, of which there may be so few that what each column takes by itself counts more.
#[must_use]
pub fn bytes_of(rows: &DataFrame) -> usize {
    rows.estimated_size() + rows.width() * BYTES_OF_A_COLUMN
}

fn slice(rows: &DataFrame, first: usize, height: usize) -> DataFrame {
    rows.slice(i64::try_from(first).unwrap_or(i64::MAX), height)
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, IntoSeries, ListChunked, NamedFrom, Series, StructChunked};

    use super::*;

    #[test]
    fn texts_and_list_items_are_long_values_and_what_is_null_is_none() {
        let texts = Series::new("t".into(), [Some("four"), None, Some("")]);
        let numbers = [Some(vec![1_i64, 2]), None, Some(Vec::new())];
        let numbers = numbers.map(|items| items.map(|items| Series::new("".into(), items)));
        let numbers: ListChunked = numbers.into_iter().collect();
        let words = [None, Some(vec![Some("ab"), None]), Some(vec![Some("a text of some length")])];
        let words = words.map(|items| items.map(|items| Series::new("".into(), items)));
        let words: ListChunked = words.into_iter().collect();
        let fields = [texts.clone(), Series::new("n".into(), [1_i64, 2, 3])];
        let objects = StructChunked::from_series("o".into(), 3, fields.iter()).unwrap();
        let columns = [
            texts,
            numbers.into_series().with_name("numbers".into()),
            words.into_series().with_name("words".into()),
            objects.into_series(),
            Series::new("more".into(), [1_i64, 2, 3]),
        ];
        let rows = DataFrame::new(3, columns.map(Column::from).into()).unwrap();
        // Texts twice, as a column and in objects.
        assert_eq!(long_values(&rows), [4 + 16 + 4, 16 + 2, 8 + 21]);
        let twice = rows.vstack(&rows).unwrap();
        assert_eq!(long_values(&twice), [24, 18, 29, 24, 18, 29]);
    }
}
