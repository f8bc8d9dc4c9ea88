//! Value counts: where the values of records are, for the ledger of a table.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// The values of a table's records, those of child tables included. A value is a string, a number or a boolean; a list
/// has its items. Nested values that are kept as JSON text are one value. Null is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueCounts {
    /// Values in the export, as the decoder read them.
    #[serde(rename = "values_received")]
    pub received: u64,
    /// Of these, values that became rows, in columns of this table and its child tables.
    #[serde(rename = "values_loaded")]
    pub loaded: u64,
    /// Of these, values that the definition excludes, and texts that `null_values` names.
    #[serde(rename = "values_excluded")]
    pub excluded: u64,
    /// Of these, the values of quarantined records, and those that records were loaded without.
    #[serde(rename = "values_quarantined")]
    pub quarantined: u64,
}

impl ValueCounts {
    /// Whether every received value is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received == self.loaded + self.excluded + self.quarantined
    }
}

impl fmt::Display for ValueCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received, loaded, excluded, quarantined } = self;
        write!(
            f,
            "of {received} values received, {loaded} are in columns, {excluded} excluded and {quarantined} in quarantine"
        )
    }
}

impl AddAssign for ValueCounts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.loaded += other.loaded;
        self.excluded += other.excluded;
        self.quarantined += other.quarantined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p1_values_balance_when_each_has_one_place() {
        let one = ValueCounts { received: 6, loaded: 3, excluded: 2, quarantined: 1 };
        let mut all = one;
        all += one;
        assert!(one.balances() && all.balances());
        assert_eq!(all.received, 12);
        for (received, loaded) in [(7, 3), (6, 2), (6, 4)] {
            assert!(!ValueCounts { received, loaded, ..one }.balances());
        }
    }
}
