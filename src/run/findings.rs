//! Findings: schema changes and failed checks, for the report.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::Table;
use crate::infer::{Change, ResolvedTable};
use crate::normalise::{Reason, Rule, field_path};
use crate::report::CheckReport;
use crate::run::loaded::Loaded;
use crate::schema::{ShownPath, TableName};
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
        }),
        Rule::Schema { .. } => Some(Change::Refused { table, path: what, records }),
        _ => None,
    });
    changes.collect()
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
