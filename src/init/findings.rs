//! What a proposal found, in a few lines for the person who asked for it.

use super::names::{creation_rank, is_change};
use super::propose::{Proposal, ProposedColumn, ProposedTable};
use super::reading::Reading;
use super::render::records_count;
use crate::schema::ColumnName;

/// How many names a line tells.
const MOST_NAMES: usize = 4;
/// Names of this rank or a lower one are those of the creation of a record.
const CREATION_RANK: usize = 2;

/// The findings about each table without a parent, with its child tables.
#[must_use]
pub fn findings(proposal: &Proposal) -> Vec<String> {
    let signs = proposal.not_whole.iter();
    let refused = signs.map(|sign| format!("{}; a run refuses such a response", sign.message));
    let roots = proposal.tables.iter().filter(|table| table.parent.is_none());
    let one_record =
        "there is no array of objects, so that the whole export is one record: look at it";
    let one_record = proposal.is_one_record.then(|| one_record.to_owned());
    let remarks = one_record.into_iter().chain(refused);
    remarks.chain(roots.flat_map(|root| of_table(root, proposal))).collect()
}

fn of_table(table: &ProposedTable, proposal: &Proposal) -> Vec<String> {
    if table.rows == 0 && table.unreadable == 0 {
        return vec![format!("{}: no records, so that nothing can be proposed", table.name)];
    }
    let mut lines =
        vec![format!("{}: {}", table.name, records_count(table.rows)), format!("  {}", key(table))];
    if let Some(cursor) = &table.cursor {
        let reason = "a time in every record, with the name of its last change";
        lines.push(format!("  cursor {cursor}: {reason}"));
    }
    lines.push(format!("  {}", partitions(table)));
    let children = below(table, proposal);
    let names = |is_such: fn(&ProposedColumn) -> bool| {
        let tables = [table].into_iter().chain(children.iter().copied());
        let names = tables.flat_map(|of| {
            let place = if of.name == table.name { String::new() } else { format!("{}.", of.name) };
            let such = of.columns.iter().filter(move |column| is_such(column));
            such.map(move |column| format!("{place}{} {}", column.name, column.column_type))
        });
        listed(names.collect())
    };
    lines.extend(names(ProposedColumn::is_declared).map(|it| format!("  declared: {it}")));
    let unclear = names(|column| matches!(column.reading, Reading::Ambiguous { .. }));
    lines.extend(unclear.map(|it| format!("  dates that can be read in several ways: {it}")));
    if table.unreadable > 0 {
        let unreadable = records_count(table.unreadable);
        lines.push(format!("  {unreadable} more would go to quarantine, whatever is defined"));
    }
    let counted = children.iter().map(|child| format!("{} ({})", child.name, child.rows));
    lines.extend(listed(counted.collect()).map(|it| format!("  child tables: {it}")));
    lines
}

/// The tables below a table.
fn below<'p>(table: &ProposedTable, proposal: &'p Proposal) -> Vec<&'p ProposedTable> {
    let mut names = vec![&table.name];
    let mut below = Vec::new();
    // Parents stand before their children.
    for child in &proposal.tables {
        if child.parent.as_ref().is_some_and(|parent| names.contains(&parent)) {
            names.push(&child.name);
            below.push(child);
        }
    }
    below
}

fn key(table: &ProposedTable) -> String {
    let names: Vec<&str> = table.primary_key.iter().map(ColumnName::as_str).collect();
    match (names.as_slice(), &table.near_key) {
        ([], None) => "no key: no column has the name and the values of one".to_owned(),
        ([], Some(name)) => format!("no key: `{name}` is missing or the same in some records"),
        (names, _) => {
            format!("key {}: every record has one, and no two are the same", names.join(", "))
        }
    }
}

fn partitions(table: &ProposedTable) -> String {
    let Some((transform, column)) = &table.partition_by else {
        return "no partitions: no date is in every record".to_owned();
    };
    let found =
        if table.fills(column) { "a date in every record" } else { "a date in most records" };
    let name = if is_change(column) {
        ", though it tells of changes"
    } else if creation_rank(column) <= CREATION_RANK {
        ", with the name of a creation date"
    } else {
        ""
    };
    format!("partitions {transform}({column}): {found}{name}")
}

/// The first of some names, and how many more there are; none without names.
fn listed(mut names: Vec<String>) -> Option<String> {
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    (!names.is_empty()).then(|| names.join(", "))
}
