//! Collects the chunks of a response while it arrives, in bounded memory.
//!
//! | the response so far | its chunks are |
//! |---|---|
//! | fits in memory | held |
//! | does not fit, and is the whole export | made into rows, by the schemas inferred so far |
//! | does not fit, and is one of several, or no schemas follow yet | dropped, and decoded again from the landing |
//!
//! The whole export decides (promise P6). When its schemas differ from those of its beginning, the rows are dropped and
//! everything is decoded again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::PolarsResult;

use crate::decode::Chunk;
use crate::definition::{Size, Table};
use crate::infer::{SchemaError, Schemas, observe, too_wide, width};
use crate::normalise::MetadataColumns;
use crate::run::RunError;
use crate::run::budget::Budget;
use crate::run::load::Load;
use crate::runtime::parallelism;
use crate::schema::{IdVec, RootId, Shape, TableName, TableSchema};

/// What schemas are resolved from, and rows made with.
pub(super) struct Expectation {
    /// The table of each record array.
    pub(super) roots: IdVec<RootId, Table>,
    /// All tables of the definition.
    pub(super) declared: Vec<Table>,
    /// The schemas of the destination.
    pub(super) known: BTreeMap<TableName, TableSchema>,
    /// What the pipelines agree on that share the tables; none where they are shared with nobody.
    pub(super) shared: Option<BTreeMap<TableName, TableSchema>>,
    /// The tables of the destination that have a history.
    pub(super) histories: BTreeSet<TableName>,
    /// The replaced tables of the destination that have rows.
    pub(super) with_rows: HashSet<TableName>,
    pub(super) metadata: MetadataColumns,
    pub(super) budget: Budget,
    /// The export is one response, so its chunks come in order.
    pub(super) whole: bool,
    /// How many bytes of chunks are held, of all responses.
    pub(super) held_bytes: AtomicUsize,
    /// The maximum number of partitions a run may write.
    pub(super) most_partitions: usize,
    /// How much may wait in quarantine for a table.
    pub(super) most_waiting: Size,
    /// The maximum number of columns that a table may grow to.
    pub(super) most_columns: usize,
}

impl Expectation {
    /// Resolves the schemas of some record arrays from their shapes.
    pub(super) fn resolve(
        &self,
        seen: &[(RootId, &Table, &Shape)],
    ) -> Result<Schemas, SchemaError> {
        let schemas = match &self.shared {
            None => Schemas::resolve(seen, &self.declared, &self.known)?,
            Some(shared) => Schemas::resolve_shared(seen, &self.declared, &self.known, shared)?,
        };
        schemas.check_width(seen, &self.known, self.most_columns)?;
        schemas.check_histories(&self.histories)?;
        Ok(schemas)
    }

    /// How many keys of a table's records are collected, and of the items of each of their lists. Keys that become
    /// child tables, or are null in every record, are not columns; so it is twice what a table may have.
    pub(super) fn most_keys(&self, table: &Table) -> usize {
        let known = self.known.values().filter(|schema| schema.root == table.name);
        2 * known.map(width).fold(self.most_columns, usize::max)
    }

    /// Refuses an export as soon as its records have more keys than are collected, whatever is still to come.
    fn check_keys(&self, root: RootId, shape: &Shape, is_cut: bool) -> Result<(), SchemaError> {
        let table = &self.roots[root];
        if is_cut || shape.has_more_keys_than(self.most_keys(table)) {
            return Err(too_wide(&table.name, shape, &self.declared, self.most_columns));
        }
        Ok(())
    }

    pub(super) fn load(&self, schemas: Schemas) -> PolarsResult<Load> {
        let is_compared = |schema: &TableSchema| {
            let old = self.known.get(&schema.name);
            self.with_rows.contains(&schema.name)
                && old.is_some_and(|old| schema.lays_out_files_like(old))
        };
        let (metadata, budget) = (self.metadata.clone(), self.budget);
        let most = (self.most_partitions, self.most_waiting);
        Load::new(schemas, metadata, budget, most, is_compared)
    }

    /// Rows by the schemas of the beginning of an export, if it has any.
    fn guess(&self, shapes: &IdVec<RootId, Shape>) -> PolarsResult<Option<Load>> {
        let seen: Vec<_> =
            self.roots.iter().map(|(root, table)| (root, table, &shapes[root])).collect();
        self.resolve(&seen).ok().map(|schemas| self.load(schemas)).transpose()
    }
}

/// What is kept of a response besides its landing.
pub(super) enum Content {
    /// Its chunks, in order.
    Chunks(Vec<Chunk>),
    /// Their rows, by the schemas of its beginning.
    Rows(Box<Load>),
    /// Nothing: it has to be decoded again.
    Landed,
}

/// Collects the chunks of one response.
pub(super) struct Collector {
    expectation: Arc<Expectation>,
    shapes: IdVec<RootId, Shape>,
    content: Content,
    /// Chunks that become rows together, on all cores.
    waiting: Vec<Chunk>,
    waiting_bytes: usize,
    /// How many bytes of chunks this collector holds.
    held_bytes: usize,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Collector {
    pub(super) fn new(expectation: Arc<Expectation>) -> Self {
        Self {
            shapes: expectation.roots.iter().map(|_| Shape::default()).collect(),
            expectation,
            content: Content::Chunks(Vec::new()),
            waiting: Vec::new(),
            waiting_bytes: 0,
            held_bytes: 0,
        }
    }

    /// Adds the next chunks, in the order of the export.
    pub(super) fn take(&mut self, chunks: Vec<Chunk>) -> Result<(), RunError> {
        for chunk in chunks {
            let shape = &mut self.shapes[chunk.root];
            observe(shape, &chunk.records);
            self.expectation.check_keys(chunk.root, shape, chunk.is_too_wide)?;
            match &mut self.content {
                Content::Chunks(held) => {
                    let bytes = chunk.estimated_bytes();
                    self.held_bytes += bytes;
                    self.expectation.held_bytes.fetch_add(bytes, Ordering::Relaxed);
                    held.push(chunk);
                }
                Content::Rows(_) => {
                    self.waiting_bytes += chunk.estimated_bytes();
                    self.waiting.push(chunk);
                }
                Content::Landed => {}
            }
            self.hold_no_more_than_allowed()?;
        }
        let is_much = self.waiting_bytes > self.expectation.budget.held();
        if is_much || self.waiting.len() >= 2 * parallelism() {
            self.make_rows()?;
        }
        Ok(())
    }

    fn hold_no_more_than_allowed(&mut self) -> Result<(), RunError> {
        let held_by_all = self.expectation.held_bytes.load(Ordering::Relaxed);
        if let Content::Chunks(held) = &mut self.content
            && held_by_all > self.expectation.budget.held()
        {
            self.waiting = std::mem::take(held);
            let load =
                if self.expectation.whole { self.expectation.guess(&self.shapes)? } else { None };
            self.content = match load {
                Some(load) => Content::Rows(Box::new(load)),
                None => Content::Landed,
            };
            self.let_go();
        }
        Ok(())
    }

    fn let_go(&mut self) {
        let bytes = std::mem::take(&mut self.held_bytes);
        self.expectation.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn make_rows(&mut self) -> Result<(), RunError> {
        let chunks = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        match &mut self.content {
            Content::Rows(load) => load.take(0, chunks),
            Content::Chunks(_) | Content::Landed => Ok(()),
        }
    }

    /// The shape of each record array, and what is kept of the response.
    pub(super) fn finish(mut self) -> Result<(IdVec<RootId, Shape>, Content), RunError> {
        self.make_rows()?;
        // The bytes stay counted: the chunks are still held.
        self.held_bytes = 0;
        let content = std::mem::replace(&mut self.content, Content::Landed);
        Ok((std::mem::take(&mut self.shapes), content))
    }
}
