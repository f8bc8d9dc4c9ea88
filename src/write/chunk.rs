//! The pages of one leaf column in a row group, encoded as rows come.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use polars::prelude::{PolarsError, PolarsResult};
use polars_arrow::array::{Array, Utf8ViewArray};
use polars_parquet::parquet::CowBuffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::encoding::{Encoding, hybrid_rle};
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::parquet::page::{
    CompressedDataPage, CompressedDictPage, CompressedPage, DataPageHeader, DataPageHeaderV1, Page,
};
use polars_parquet::parquet::schema::Repetition;
use polars_parquet::parquet::schema::types::PrimitiveType;
use polars_parquet::write::{
    CompressionOptions, FallibleStreamingIterator, Nested, StatisticsOptions, Version,
    WriteOptions, array_to_page, slice_parquet_array, write_def_levels,
};

use super::dictionary::{Dictionary, Keys};
use crate::write::spill::{Spill, SpillError, SpilledBytes};

/// A page holds no more bytes of values, unless a single row does.
const MOST_BYTES_IN_A_PAGE: usize = 8 << 20;
/// Files are no larger than with level 3, which is polars' default and takes half as long again.
const COMPRESSION_LEVEL: i32 = 1;
/// So few are looked up quickly.
const FEW_VALUES: usize = 64;

/// How pages are written; we compress them ourselves.
pub(super) const OPTIONS: WriteOptions = WriteOptions {
    statistics: StatisticsOptions {
        min_value: true,
        max_value: true,
        distinct_count: false,
        null_count: true,
        binary_statistics_truncate_length: None,
    },
    version: Version::V1,
    compression: CompressionOptions::Uncompressed,
    data_page_size: None,
};

/// The column chunk of a row group, page by page.
#[derive(Default)]
pub(super) struct ColumnPages {
    coding: Coding,
    pages: Vec<StoredPage>,
}

#[derive(Default)]
enum Coding {
    /// There is no page yet.
    #[default]
    Open,
    /// All pages have positions in a dictionary.
    Dictionary(Dictionary),
    /// The same, while memory is needed elsewhere or there are no more pages.
    SpilledDictionary(StoredDictionary),
    /// The first pages have, and further ones have values.
    OutgrownDictionary(StoredDictionary),
    /// All pages have values.
    Plain,
}

/// A dictionary in the spill.
#[derive(Clone, Copy)]
struct StoredDictionary {
    values: usize,
    place: SpilledBytes,
}

impl StoredDictionary {
    fn put(dictionary: &Dictionary, spill: &Spill) -> Result<Self, SpillError> {
        Ok(Self { values: dictionary.len(), place: spill.put(&dictionary.plain())? })
    }
}

/// A page in the spill.
struct StoredPage {
    header: DataPageHeader,
    uncompressed_bytes: usize,
    rows: usize,
    place: SpilledBytes,
}

/// Values of one leaf column.
pub(super) struct Leaf<'a> {
    pub(super) values: &'a dyn Array,
    pub(super) nested: &'a [Nested],
    pub(super) column: &'a PrimitiveType,
}

impl ColumnPages {
    /// Adds some rows, as one page unless that would be too large.
    pub(super) fn add(&mut self, leaf: &Leaf<'_>, spill: &Spill) -> Result<(), SpillError> {
        let rows = leaf.nested.first().map_or(0, Nested::len);
        self.add_rows(leaf, 0, rows, spill)
    }

    fn add_rows(
        &mut self,
        leaf: &Leaf<'_>,
        first: usize,
        rows: usize,
        spill: &Spill,
    ) -> Result<(), SpillError> {
        let (mut values, mut nested) = (leaf.values.to_boxed(), leaf.nested.to_vec());
        slice_parquet_array(values.as_mut(), &mut nested, first, rows);
        if rows > 1 && bytes_of(values.as_ref()) > MOST_BYTES_IN_A_PAGE {
            self.add_rows(leaf, first, rows / 2, spill)?;
            return self.add_rows(leaf, first + rows / 2, rows - rows / 2, spill);
        }
        let (header, content) = self.page(values.as_ref(), &nested, leaf.column, spill)?;
        let place = spill.put(&compressed(&content)?)?;
        self.pages.push(StoredPage { header, uncompressed_bytes: content.len(), rows, place });
        Ok(())
    }

    fn page(
        &mut self,
        values: &dyn Array,
        nested: &[Nested],
        column: &PrimitiveType,
        spill: &Spill,
    ) -> Result<(DataPageHeader, Vec<u8>), SpillError> {
        // Levels of nested values are not ours to write.
        if nested.len() == 1
            && let Some(keys) = self.keys(values, column, spill)?
        {
            return Ok(page_of_keys(keys, values, column)?);
        }
        if matches!(self.coding, Coding::Open) {
            self.coding = Coding::Plain;
        }
        match array_to_page(values, column.clone(), nested, OPTIONS, Encoding::Plain)? {
            Page::Data(mut page) => {
                let content = std::mem::take(page.buffer_mut());
                Ok((page.header().clone(), content))
            }
            Page::Dict(_) => Err(PolarsError::ComputeError("a plain page is a dictionary".into()))?,
        }
    }

    fn keys(
        &mut self,
        values: &dyn Array,
        column: &PrimitiveType,
        spill: &Spill,
    ) -> Result<Option<Keys>, SpillError> {
        let mut dictionary = match std::mem::replace(&mut self.coding, Coding::Plain) {
            Coding::Open => {
                let Some(mut dictionary) = Dictionary::of(values) else { return Ok(None) };
                let keys = dictionary.keys(values, column);
                let keys = keys.filter(|keys| is_worth_it(dictionary.len(), keys.runs));
                if keys.is_some() {
                    self.coding = Coding::Dictionary(dictionary);
                }
                return Ok(keys);
            }
            Coding::Dictionary(dictionary) => dictionary,
            Coding::SpilledDictionary(stored) => {
                let Some(mut dictionary) = Dictionary::of(values) else { return Ok(None) };
                dictionary.fill(&spill.read(stored.place)?);
                dictionary
            }
            other => {
                self.coding = other;
                return Ok(None);
            }
        };
        let keys = dictionary.keys(values, column);
        self.coding = match keys {
            Some(_) => Coding::Dictionary(dictionary),
            None => Coding::OutgrownDictionary(StoredDictionary::put(&dictionary, spill)?),
        };
        Ok(keys)
    }

    /// About how many bytes its dictionary takes.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.coding {
            Coding::Dictionary(dictionary) => dictionary.held_bytes(),
            _ => 0,
        }
    }

    /// Spills its dictionary.
    pub(super) fn spill(&mut self, spill: &Spill) -> Result<(), SpillError> {
        if let Coding::Dictionary(dictionary) = &self.coding {
            self.coding = Coding::SpilledDictionary(StoredDictionary::put(dictionary, spill)?);
        }
        Ok(())
    }

    /// The pages, the dictionary first.
    pub(super) fn into_pages(
        mut self,
        column: Descriptor,
        spill: Arc<Spill>,
    ) -> Result<Pages, SpillError> {
        self.spill(&spill)?;
        let dictionary = match self.coding {
            Coding::SpilledDictionary(stored) | Coding::OutgrownDictionary(stored) => Some(stored),
            Coding::Open | Coding::Dictionary(_) | Coding::Plain => None,
        };
        Ok(Pages { dictionary, stored: self.pages.into_iter(), column, spill, current: None })
    }
}

/// Whether values come back later, and not only in a row as the key of a record does in its lines: then compression
/// finds them as well.
fn is_worth_it(distinct: usize, runs: usize) -> bool {
    distinct <= FEW_VALUES || distinct <= runs / 8 * 7
}

fn page_of_keys(
    Keys { positions, statistics, .. }: Keys,
    values: &dyn Array,
    column: &PrimitiveType,
) -> PolarsResult<(DataPageHeader, Vec<u8>)> {
    let is_optional = column.field_info.repetition == Repetition::Optional;
    let mut content = Vec::new();
    let (nulls, rows) = (values.validity(), values.len());
    write_def_levels(&mut content, is_optional, nulls, rows, OPTIONS.version)?;
    let bits = u32::BITS - positions.iter().max().map_or(0, |it| *it).leading_zeros();
    content.extend(u8::try_from(bits));
    hybrid_rle::encode::<u32, _, _>(&mut content, positions.into_iter(), bits)?;
    let header = DataPageHeader::V1(DataPageHeaderV1 {
        num_values: i32::try_from(rows).unwrap_or(i32::MAX),
        encoding: Encoding::RleDictionary.into(),
        definition_level_encoding: Encoding::Rle.into(),
        repetition_level_encoding: Encoding::Rle.into(),
        statistics: Some(statistics),
    });
    Ok((header, content))
}

/// The bytes that values take, those of texts included.
fn bytes_of(values: &dyn Array) -> usize {
    match values.as_any().downcast_ref::<Utf8ViewArray>() {
        Some(texts) => texts.len_iter().map(|length| length as usize).sum(),
        None => values.len() * size_of::<i128>(),
    }
}

fn compressed(content: &[u8]) -> io::Result<Vec<u8>> {
    thread_local! {
        // A new one for each page would have its tables allocated and cleared each time.
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        if compressor.is_none() {
            *compressor = Some(zstd::bulk::Compressor::new(COMPRESSION_LEVEL)?);
        }
        match compressor {
            Some(compressor) => compressor.compress(content),
            None => Ok(Vec::new()),
        }
    })
}

/// The pages of a column chunk, as they are read back.
pub(super) struct Pages {
    dictionary: Option<StoredDictionary>,
    stored: std::vec::IntoIter<StoredPage>,
    column: Descriptor,
    spill: Arc<Spill>,
    current: Option<CompressedPage>,
}

impl Pages {
    fn next_page(&mut self) -> PolarsResult<Option<CompressedPage>> {
        let read = |place| self.spill.read(place).map_err(SpillError::into_source);
        if let Some(dictionary) = self.dictionary.take() {
            let content = read(dictionary.place)?;
            return Ok(Some(CompressedPage::Dict(CompressedDictPage::new(
                CowBuffer::Owned(compressed(&content)?),
                Compression::Zstd,
                content.len(),
                dictionary.values,
                false,
            ))));
        }
        let Some(page) = self.stored.next() else { return Ok(None) };
        let content = read(page.place)?;
        Ok(Some(CompressedPage::Data(CompressedDataPage::new(
            page.header,
            CowBuffer::Owned(content),
            Compression::Zstd,
            page.uncompressed_bytes,
            self.column.clone(),
            page.rows,
        ))))
    }
}

impl FallibleStreamingIterator for Pages {
    type Item = CompressedPage;
    type Error = PolarsError;

    fn advance(&mut self) -> PolarsResult<()> {
        self.current = self.next_page()?;
        Ok(())
    }

    fn get(&self) -> Option<&CompressedPage> {
        self.current.as_ref()
    }
}
