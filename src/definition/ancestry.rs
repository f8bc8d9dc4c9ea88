//! The declared tables, looked up by name, and what is above each.

use std::collections::{HashMap, HashSet};

use super::Table;
use crate::schema::TableName;

/// Records nest 128 levels, so a table further below its root table would never have a row.
pub(super) const MOST_ANCESTORS: usize = 127;

/// The declared tables, each with its place below its root table.
pub(super) struct Ancestry<'t> {
    pub(super) tables: &'t [Table],
    by_name: HashMap<&'t TableName, &'t Table>,
    /// `None` of a table that is its own ancestor, or below one.
    places: HashMap<&'t TableName, Option<PlaceBelowRoot<'t>>>,
}

#[derive(Clone, Copy)]
struct PlaceBelowRoot<'t> {
    root: &'t TableName,
    ancestors: usize,
}

impl<'t> Ancestry<'t> {
    pub(super) fn of(tables: &'t [Table]) -> Self {
        // Of two with one name, the first counts.
        let by_name = tables.iter().rev().map(|table| (&table.name, table)).collect();
        let mut ancestry = Self { tables, by_name, places: HashMap::new() };
        for table in tables {
            ancestry.find_place(&table.name);
        }
        ancestry
    }

    /// Climbs from a table to an ancestor whose place is known, and notes the places on the way: so each table is looked
    /// at once, however long a chain of them is.
    fn find_place(&mut self, name: &'t TableName) {
        let (mut at, mut path, mut on_path) = (name, Vec::new(), HashSet::new());
        let mut place = loop {
            if let Some(known) = self.places.get(at) {
                break *known;
            }
            if !on_path.insert(at) {
                break None;
            }
            let Some(parent) = self.get(at).and_then(|table| table.parent.as_ref()) else {
                let root = Some(PlaceBelowRoot { root: at, ancestors: 0 });
                self.places.insert(at, root);
                break root;
            };
            path.push(at);
            at = parent;
        };
        for name in path.into_iter().rev() {
            place = place.map(|above| PlaceBelowRoot { ancestors: above.ancestors + 1, ..above });
            self.places.insert(name, place);
        }
    }

    pub(super) fn get(&self, name: &TableName) -> Option<&'t Table> {
        self.by_name.get(name).copied()
    }

    fn place(&self, name: &TableName) -> Option<PlaceBelowRoot<'t>> {
        self.places.get(name).copied().flatten()
    }

    /// The name of a table's root table. Cycles are reported elsewhere; a table in one is its own here.
    pub(super) fn root_of<'n>(&self, name: &'n TableName) -> &'n TableName
    where
        't: 'n,
    {
        self.place(name).map_or(name, |place| place.root)
    }

    pub(super) fn is_own_ancestor(&self, name: &TableName) -> bool {
        matches!(self.places.get(name), Some(None))
    }

    /// How many tables are above a table.
    pub(super) fn ancestors(&self, name: &TableName) -> usize {
        self.place(name).map_or(0, |place| place.ancestors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(links: &[(&str, Option<&str>)]) -> Vec<Table> {
        let table = |(name, parent): &(&str, Option<&str>)| Table {
            parent: parent.map(|parent| parent.parse().unwrap()),
            ..Table::named(name.parse().unwrap())
        };
        links.iter().map(table).collect()
    }

    #[test]
    fn places_are_found_whatever_the_order_and_cycles_end() {
        let tables = chain(&[
            ("c", Some("b")),
            ("b", Some("a")),
            ("a", None),
            ("x", Some("y")),
            ("y", Some("x")),
            ("z", Some("y")),
            ("lost", Some("nowhere")),
        ]);
        let ancestry = Ancestry::of(&tables);
        let name = |name: &str| -> TableName { name.parse().unwrap() };
        let told = |of: &str| {
            let of = name(of);
            (
                ancestry.root_of(&of).to_string(),
                ancestry.ancestors(&of),
                ancestry.is_own_ancestor(&of),
            )
        };
        assert_eq!(told("c"), ("a".to_owned(), 2, false));
        assert_eq!(told("a"), ("a".to_owned(), 0, false));
        for cyclic in ["x", "y", "z"] {
            assert_eq!(told(cyclic), (cyclic.to_owned(), 0, true));
        }
        assert_eq!(told("lost"), ("nowhere".to_owned(), 1, false));
    }
}
