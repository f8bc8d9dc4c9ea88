//! Kinds: what a JSON value is, as far as the layout of tables depends on it.
//!
//! What holds no scalar at any depth (`null`, `{}`, `[]`, `[null]`, `{"a":[]}`) has no kind: it says nothing about layout.

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A string, number or boolean.
    Scalar,
    /// An object outside a list.
    Object,
    /// A list of scalars.
    ScalarList,
    /// A list with objects or lists.
    RowList,
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// The same with one more kind.
    #[must_use]
    pub fn with(self, kind: ValueKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// The same without a kind.
    #[must_use]
    pub fn without(self, kind: ValueKind) -> Self {
        Self(self.0 & !(1 << kind as u8))
    }

    /// Adds the kinds of another set.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a kind is in the set.
    #[must_use]
    pub fn contains(self, kind: ValueKind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Whether no kind is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether lists are in the set.
    #[must_use]
    pub fn has_lists(self) -> bool {
        self.contains(ValueKind::ScalarList) || self.contains(ValueKind::RowList)
    }
}

impl From<ValueKind> for Kinds {
    fn from(kind: ValueKind) -> Self {
        Self::default().with(kind)
    }
}

impl FromIterator<ValueKind> for Kinds {
    fn from_iter<I: IntoIterator<Item = ValueKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::default(), Self::with)
    }
}
