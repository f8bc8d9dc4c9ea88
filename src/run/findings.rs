//! Findings: schema changes and failed checks, for the report.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::Table;
use crate::infer::{Change, ResolvedTable, Unmatched};
use crate::normalise::{Reason, Rule, field_path};
use crate::plan::Plan;
use crate::report::{CheckReport, QuarantineReasonReport, RunWarning};
use crate::run::loaded::Loaded;
use crate::schema::{ColumnName, ColumnType, PartitionField, ShownPath, TableName};
use crate::table::Snapshot;

/// How the schemas changed, and which records did not fit them.
pub(super) fn changes(load: &Loaded, declared: &[Table], snapshot: &Snapshot) -> Vec<Change> {
    let mut changes = load.schemas.changes(declared, &snapshot.schemas());
    for change in &mut changes {
        if let Change::NewColumn { table, column, filled, .. }
        | Change::Returned { table, column, filled } = change
        {
            *filled = load.filled(table, column);
        }
    }
    changes.extend(violations(load));
    changes
}

/// Columns that records did not fit, and values that a contract refused, each with the number of records.
fn violations(load: &Loaded) -> Vec<Change> {
    let mut records: BTreeMap<(TableName, String), (u64, &Rule)> = BTreeMap::new();
    for record in &load.quarantined {
        let mut told = BTreeSet::new();
        for Reason { table, rule, .. } in &record.reasons.told {
            let what = match rule {
                Rule::Type { column, .. } => column.to_string(),
                Rule::FieldType { column, field, .. } => field_path(column, field),
                Rule::Schema { path } => ShownPath(path).to_string(),
                Rule::PrimaryKey { .. }
                | Rule::RepeatedKey { .. }
                | Rule::Check(_)
                | Rule::Json(_) => continue,
            };
            if told.insert((table, what.clone())) {
                records.entry((table.clone(), what)).or_insert((0, rule)).0 += 1;
            }
        }
    }
    let changes = records.into_iter().filter_map(|((table, what), (records, rule))| match rule {
        Rule::Type { column, expected } => Some(Change::Violated {
            keep_with: keep_with(load, &table, column, expected),
            table,
            column: column.clone(),
            field: None,
            column_type: expected.clone(),
            records,
        }),
        Rule::FieldType { column, expected, .. } => Some(Change::Violated {
            table,
            column: column.clone(),
            field: Some(what),
            column_type: expected.clone(),
            records,
            keep_with: None,
        }),
        Rule::Schema { .. } => Some(Change::Refused { table, path: what, records }),
        _ => None,
    });
    changes.collect()
}

/// The type to declare for an inferred column, so that scalars of any family fit it.
fn keep_with(
    load: &Loaded,
    table: &TableName,
    column: &ColumnName,
    column_type: &ColumnType,
) -> Option<ColumnType> {
    let (_, ResolvedTable { schema, policy, .. }) =
        load.schemas.tables().find(|(_, of)| of.schema.name == *table)?;
    let is_by_time = |field: &PartitionField| field.column == *column && !field.is_identity();
    let is_promised = policy.declared.contains(column) || schema.cursor.as_ref() == Some(column);
    if is_promised || schema.partition_by.iter().any(is_by_time) {
        return None;
    }
    match column_type {
        ColumnType::List(items) if items.is_scalar() => {
            Some(ColumnType::List(Box::new(ColumnType::String)))
        }
        scalar => scalar.is_scalar().then_some(ColumnType::String),
    }
}

/// What somebody should do about the values that inferred columns do not take.
pub(super) fn warnings(changes: &[Change]) -> impl Iterator<Item = (&TableName, RunWarning)> {
    changes.iter().filter_map(|change| match change {
        Change::Violated { table, column, field, column_type, records, keep_with } => {
            let warning = RunWarning::ValuesOfAnotherType {
                column: field.clone().unwrap_or_else(|| column.to_string()),
                column_type: column_type.clone(),
                records: *records,
                keep_with: keep_with.clone(),
            };
            Some((table, warning))
        }
        _ => None,
    })
}

/// The columns of the definition that nothing in the export is called.
pub(super) fn unmatched(load: &Loaded) -> impl Iterator<Item = (&TableName, RunWarning)> {
    load.schemas.tables().flat_map(|(_, ResolvedTable { schema, policy, .. })| {
        policy.unmatched.iter().map(|Unmatched { name, nearest, .. }| {
            let (column, nearest) = (name.clone(), nearest.clone());
            (&schema.name, RunWarning::NothingCalled { column, nearest })
        })
    })
}

/// When a run begins tables, those that the pipeline wrote before and does not name any more: they may be the same ones.
pub(super) fn left_behind(load: &Loaded, plan: &Plan, snapshot: &Snapshot) -> Vec<TableName> {
    let begins = load.schemas.roots().any(|root| {
        let name = &load.schemas[root].name;
        snapshot.pipeline_of(name).is_none()
    });
    if !begins || plan.pipeline.is_partial {
        return Vec::new();
    }
    let manifests = snapshot.manifests.values().map(|manifest| &manifest.schema);
    let roots = manifests.filter(|schema| schema.parent.is_none() && schema.history_of.is_none());
    let of_pipeline =
        roots.filter(|it| snapshot.pipeline_of(&it.name) == Some(plan.pipeline.name.as_str()));
    let is_declared = |name: &TableName| plan.pipeline.tables.iter().any(|it| it.name == *name);
    of_pipeline.map(|it| it.name.clone()).filter(|name| !is_declared(name)).collect()
}

/// Why records are in quarantine: what is said of most of them first.
pub(super) fn quarantine_reasons(load: &Loaded) -> Vec<QuarantineReasonReport> {
    const MOST: usize = 20;
    let mut records: BTreeMap<(&TableName, &str, String), u64> = BTreeMap::new();
    for record in &load.quarantined {
        let reasons = record.reasons.told.iter();
        let told: BTreeSet<_> =
            reasons.map(|it| (&it.table, it.rule.word(), it.to_string())).collect();
        for reason in told {
            *records.entry(reason).or_default() += 1;
        }
    }
    let reasons = records.into_iter().map(|((table, rule, reason), records)| {
        QuarantineReasonReport { table: table.clone(), rule: rule.to_owned(), reason, records }
    });
    let mut reasons: Vec<_> = reasons.collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.records));
    reasons.truncate(MOST);
    reasons
}

/// The checks that rows failed.
pub(super) fn checks(load: &Loaded) -> Vec<CheckReport> {
    let broken = load.broken.iter().map(|((table, position), broken)| {
        let ResolvedTable { schema, policy, .. } = load.schemas.table(*table);
        let check = &policy.checks[*position];
        CheckReport {
            table: schema.name.clone(),
            check: check.rule.to_string(),
            rows: broken.rows,
            on_failure: check.on_failure.to_string(),
        }
    });
    broken.collect()
}
