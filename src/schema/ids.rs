//! Positions as types, so that the position of a table is never taken for the position of a root.
//!
//! | type | position among | given out by |
//! |---|---|---|
//! | [`TableId`] | all tables of a run, child tables included | resolving schemas |
//! | [`HistoryId`] | the histories of a run | resolving schemas |
//! | [`RootId`] | the record arrays that a run asks for, one for each root table | the splitter |

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A position among items of one kind.
pub trait PositionId: Copy {
    /// The id of a position.
    fn from_index(index: usize) -> Self;
    /// The position.
    fn index(self) -> usize;
}

/// Declares a position as a type of its own.
macro_rules! position_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(usize);

        impl PositionId for $name {
            fn from_index(index: usize) -> Self {
                Self(index)
            }

            fn index(self) -> usize {
                self.0
            }
        }
    };
}

position_id!(
    /// The position of a table among all tables of a run.
    TableId
);
position_id!(
    /// The position of a history among those of a run.
    HistoryId
);
position_id!(
    /// The position of a record array among those that a run asks for.
    RootId
);

/// A table of the destination that a run writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoredTable {
    /// What is true now.
    Current(TableId),
    /// Every version of the rows of a table.
    History(HistoryId),
}

/// A list with one item for each id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdVec<I, T> {
    items: Vec<T>,
    id: PhantomData<I>,
}

impl<I, T> Default for IdVec<I, T> {
    fn default() -> Self {
        Self { items: Vec::new(), id: PhantomData }
    }
}

impl<I: PositionId, T> IdVec<I, T> {
    /// Adds an item; returns its id.
    pub fn push(&mut self, item: T) -> I {
        self.items.push(item);
        I::from_index(self.items.len() - 1)
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The item of an id, unless the id belongs to a longer list.
    #[must_use]
    pub fn get(&self, id: I) -> Option<&T> {
        self.items.get(id.index())
    }

    /// All ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = I> + use<I, T> {
        (0..self.items.len()).map(I::from_index)
    }

    /// Each id with its item.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.ids().zip(&self.items)
    }

    /// The items, in order.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// The items, in order, to be changed.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    /// The items, in order, by value.
    #[must_use]
    pub fn into_values(self) -> std::vec::IntoIter<T> {
        self.items.into_iter()
    }

    /// Adds items until there are so many.
    pub fn resize_with(&mut self, len: usize, item: impl FnMut() -> T) {
        self.items.resize_with(len, item);
    }
}

impl<I: PositionId, T> Index<I> for IdVec<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        &self.items[id.index()]
    }
}

impl<I: PositionId, T> IndexMut<I> for IdVec<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index()]
    }
}

impl<I, T: PartialEq<U>, U, const N: usize> PartialEq<[U; N]> for IdVec<I, T> {
    fn eq(&self, other: &[U; N]) -> bool {
        self.items == other
    }
}

impl<I, T> FromIterator<T> for IdVec<I, T> {
    fn from_iter<A: IntoIterator<Item = T>>(items: A) -> Self {
        items.into_iter().collect::<Vec<_>>().into()
    }
}

impl<I, T> From<Vec<T>> for IdVec<I, T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, id: PhantomData }
    }
}
