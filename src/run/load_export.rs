//! Loads an export: the schemas of its tables, and their rows.
//!
//! Records that go to quarantine have no say in types and columns. Which they are is known when rows are made; so an
//! export that changes a schema and has such records is decoded and loaded once more without them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Run, RunError, guard};
use crate::decode::{DecodeOptions, RecordSelector};
use crate::definition::Table;
use crate::landing::Landed;
use crate::run::collect::{Content, Expectation};
use crate::run::intake::{Intake, decode_again};
use crate::run::loaded::Loaded;
use crate::run::new_exports::NewExports;
use crate::run::prepare::decode_options;
use crate::run::set_apart::SetApart;
use crate::runtime::{give_back_memory, on_cpu};
use crate::schema::{IdVec, RootId, Shape};

impl Run<'_> {
    /// Resolves the schemas, and makes the rows of every partition.
    pub(super) async fn load(
        &self,
        intake: Intake,
        new_exports: &NewExports<'_>,
        expectation: Arc<Expectation>,
    ) -> Result<(Vec<Landed>, Loaded), RunError> {
        let selector = intake.selector.clone();
        let (landed, load) = self.load_records(intake, new_exports, expectation.clone()).await?;
        // Before anything else is made of it: the records that have the value may be in quarantine.
        guard::against_missing_exclusions(&load)?;
        let is_new = load.schemas.iter().any(|(_, schema)| {
            expectation.known.get(&schema.name).is_none_or(|known| !schema.same_inferred(known))
        });
        let (true, true, Some(selector)) = (is_new, load.sets_apart(), selector) else {
            return Ok((landed, load));
        };
        let set_apart = SetApart::of(load);
        on_cpu(give_back_memory).await;
        let passed_over = (0..landed.len()).map(|body| set_apart.offsets(body)).collect();
        let again = self.decode_landed(landed.clone(), selector.clone(), &expectation, passed_over);
        match self.load_records(again.await?, new_exports, expectation.clone()).await {
            Ok((landed, mut load)) => {
                set_apart.add_to(&mut load)?;
                Ok((landed, load))
            }
            // The definition needs a column that only they have.
            Err(RunError::Schema(_)) => {
                let all = self.decode_landed(landed, selector, &expectation, Vec::new()).await?;
                self.load_records(all, new_exports, expectation).await
            }
            Err(error) => Err(error),
        }
    }

    /// Decodes all bodies again, without the records that begin at some offsets of each.
    pub(super) async fn decode_landed(
        &self,
        landed: Vec<Landed>,
        selector: RecordSelector,
        expectation: &Arc<Expectation>,
        passed_over: Vec<Arc<BTreeSet<u64>>>,
    ) -> Result<Intake, RunError> {
        let (events, expectation) = (self.events.muted(), expectation.clone());
        expectation.held_bytes.store(0, Ordering::Relaxed);
        on_cpu(move || {
            let options = decode_options(&expectation);
            let mut all = Intake::default();
            for (body, landed) in landed.into_iter().enumerate() {
                let options = passing_over(&options, passed_over.get(body));
                let (selector, expectation) = (selector.clone(), expectation.clone());
                all.add_landed(landed, selector, expectation, options, events.clone())?;
            }
            all.passed_over = passed_over;
            Ok(all)
        })
        .await
    }

    /// The rows of the records that were decoded, unless the intake has made the same ones already.
    async fn load_records(
        &self,
        intake: Intake,
        new_exports: &NewExports<'_>,
        expectation: Arc<Expectation>,
    ) -> Result<(Vec<Landed>, Loaded), RunError> {
        let seen: Vec<(RootId, &Table, &Shape)> = (new_exports.tables.iter())
            .map(|(root, table)| (*root, *table, &intake.shapes[*root]))
            .collect();
        let schemas = expectation.resolve(&seen)?;
        let options = decode_options(&expectation);
        let events = self.events.clone();
        on_cpu(move || {
            let Intake { landed, selector, mut contents, passed_over, .. } = intake;
            if let [Content::Rows(load)] = contents.as_slice()
                && load.fits(&schemas)
                && let Some(Content::Rows(load)) = contents.pop()
            {
                return Ok((landed, load.finish(schemas)?));
            }
            let mut load = expectation.load(schemas.clone())?;
            for (body, content) in contents.into_iter().enumerate() {
                let mut take = |chunks| load.take(body, chunks);
                match (content, &selector) {
                    (Content::Chunks(chunks), _) => take(chunks)?,
                    (_, Some(selector)) => {
                        let options = passing_over(&options, passed_over.get(body));
                        decode_again(&landed[body], selector.clone(), options, &events, take)?;
                    }
                    (_, None) => {}
                }
            }
            Ok((landed, load.finish(schemas)?))
        })
        .await
    }
}

/// The options, for records of which those at some offsets are passed over.
fn passing_over(
    options: &IdVec<RootId, DecodeOptions>,
    offsets: Option<&Arc<BTreeSet<u64>>>,
) -> Arc<IdVec<RootId, DecodeOptions>> {
    let options = options.values().cloned();
    let options = options.map(|it| DecodeOptions { passed_over: offsets.cloned(), ..it });
    Arc::new(options.collect())
}
