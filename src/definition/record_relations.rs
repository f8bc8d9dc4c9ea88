//! Rules of the places of records: each record of an export is of one table.

use super::Table;
use super::checker::Checker;

impl Checker<'_> {
    /// Refuses tables that would read the same records: the first one gets them all, and the others none.
    pub(super) fn records_of_one_table(&mut self, tables: &[Table]) {
        for (position, table) in tables.iter().enumerate() {
            let Some((other, message)) =
                tables[..position].iter().find_map(|other| Some((other, shared(other, table)?)))
            else {
                continue;
            };
            let help = format!(
                "give `{}` another place, or remove it: what the records of `{}` hold can be columns and child tables of \
                 that one",
                table.name, other.name
            );
            self.misuse(&format!("tables[{position}].records"), message, &help);
        }
    }
}

/// What two tables share: the place of their records, or one has its place in the records of the other.
fn shared(first: &Table, second: &Table) -> Option<String> {
    let (place, other) = (second.records.as_ref()?.keys(), first.records.as_ref()?.keys());
    if first.parent != second.parent {
        return None;
    }
    let is_root = first.parent.is_none();
    if place == other {
        Some(format!("`{}` has its records where `{}` has them", second.name, first.name))
    } else if is_root && place.starts_with(other) {
        Some(format!("`{}` has its records in those of `{}`", second.name, first.name))
    } else if is_root && other.starts_with(place) {
        Some(format!("`{}` has its records around those of `{}`", second.name, first.name))
    } else {
        None
    }
}
