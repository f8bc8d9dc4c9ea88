//! Tries a proposed definition with the export that it was made of: what is proposed has to be right for every record.

use std::collections::{BTreeMap, BTreeSet};

use super::error::InitError;
use super::export::{DecodedExport, WholeExport};
use super::rows::Rows;
use crate::definition::{DEFAULT_MAX_COLUMNS, Definition, Environment, Problems, Table};
use crate::infer::Schemas;
use crate::schema::{ColumnName, IdVec, RootId, Shape, TableName};

/// The columns of which values do not fit a definition.
pub(super) fn misfits(
    definition: &str,
    export: &WholeExport,
) -> Result<BTreeSet<(TableName, ColumnName)>, InitError> {
    let tables = parse(definition)?.pipeline.tables;
    let roots: Vec<Table> = tables.iter().filter(|it| it.parent.is_none()).cloned().collect();
    let roots: IdVec<RootId, Table> = roots.into();
    let DecodedExport { chunks, shapes } = export.decode(&roots, &tables)?;
    let seen: Vec<(RootId, &Table, &Shape)> =
        roots.iter().map(|(root, table)| (root, table, &shapes[root])).collect();
    let nothing = BTreeMap::new();
    let schemas = Schemas::resolve(&seen, &tables, &nothing)?;
    schemas.check_width(&seen, &nothing, DEFAULT_MAX_COLUMNS)?;
    let reasons = Rows::of(&schemas, &chunks)?.reasons.into_iter();
    let misfits = reasons.filter_map(|reason| {
        let column = reason.rule.column()?.clone();
        Some((reason.table, column))
    });
    Ok(misfits.collect())
}

/// Looks whether a definition can be read.
pub(super) fn check(definition: &str) -> Result<(), Problems> {
    parse(definition).map(drop)
}

fn parse(definition: &str) -> Result<Definition, Problems> {
    // Any name will do: nothing is requested.
    let environment =
        Environment::default().with("PROCUREMENTFLOW_ORGANISATION_ID", "organisation");
    Definition::parse("the new definition", definition, &environment)
}
