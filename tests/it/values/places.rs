//! Which cell is that of which scalar, when a cell may be that of several: `{"aB":{"c":1},"a_b":[{"c":1}]}` has both
//! under `a_b`. Each scalar has one of its cells, and no cell has two places in the record.

use std::collections::{HashMap, HashSet};

use parquet::record::Field;

/// A value in a table.
pub type Cell = *const Field;

/// The scalars of a record, and cells that say what they say.
#[derive(Default)]
pub struct Places {
    /// For each scalar, the cells where it may be, each with the place in the record that the cell holds: of a text of JSON
    /// it is that of all of the text.
    candidates: Vec<Vec<(Cell, String)>>,
    /// The cells that are taken: by which place, and for which scalars.
    taken: HashMap<Cell, (String, Vec<usize>)>,
}

impl Places {
    /// Finds a cell for one more scalar. Others make room for it if they can.
    pub fn add(&mut self, candidates: Vec<(Cell, String)>) -> bool {
        self.candidates.push(candidates);
        self.place(self.candidates.len() - 1, &mut HashSet::new())
    }

    /// Takes a cell that holds no scalar.
    pub fn take(&mut self, cell: Cell, place: String) {
        self.taken.entry(cell).or_insert((place, Vec::new()));
    }

    pub fn are_taken(&self, cell: Cell) -> bool {
        self.taken.contains_key(&cell)
    }

    fn place(&mut self, scalar: usize, tried: &mut HashSet<Cell>) -> bool {
        let candidates = self.candidates[scalar].clone();
        let is_open = |(cell, place): &&(Cell, String)| match self.taken.get(cell) {
            Some((owner, _)) => owner == place,
            None => !tried.contains(cell),
        };
        let open = candidates.iter().find(is_open).cloned();
        let mut others = candidates.into_iter();
        let found = open.or_else(|| {
            others.find(|(cell, _)| tried.insert(*cell) && self.make_room(*cell, tried))
        });
        let Some((cell, place)) = found else { return false };
        self.taken.entry(cell).or_insert((place, Vec::new())).1.push(scalar);
        true
    }

    /// Moves the scalars of a cell to others.
    fn make_room(&mut self, cell: Cell, tried: &mut HashSet<Cell>) -> bool {
        let Some((owner, mut scalars)) = self.taken.remove(&cell) else { return true };
        while let Some(scalar) = scalars.pop() {
            if !self.place(scalar, tried) {
                scalars.push(scalar);
                self.taken.insert(cell, (owner, scalars));
                return false;
            }
        }
        true
    }
}
