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
        for (cell, place) in self.candidates[scalar].clone() {
            if tried.insert(cell) && self.make_room(cell, &place, tried) {
                let (_, scalars) = self.taken.entry(cell).or_insert((place, Vec::new()));
                scalars.push(scalar);
                return true;
            }
        }
        false
    }

    /// Moves the scalars of another place to other cells, all of them or as many as there are cells for.
    fn make_room(&mut self, cell: Cell, place: &str, tried: &mut HashSet<Cell>) -> bool {
        let others = match self.taken.get(&cell) {
            Some((owner, scalars)) if owner != place => scalars.clone(),
            _ => return true,
        };
        for other in others {
            if !self.place(other, tried) {
                return false;
            }
            if let Some((_, scalars)) = self.taken.get_mut(&cell) {
                scalars.retain(|scalar| *scalar != other);
            }
        }
        self.taken.remove(&cell);
        true
    }
}
