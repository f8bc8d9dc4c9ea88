//! Rules of histories: which names they leave to other tables.

use super::Table;
use super::ancestry::Ancestry;
use super::checker::Checker;
use crate::schema::{HISTORY_SUFFIX, TableName};

impl Checker<'_> {
    /// Refuses a name that a history needs: that of a declared table, or of a list in its records. The name of an
    /// undeclared child table gets a suffix.
    pub(super) fn history_names(&mut self, key: &str, table: &Table, ancestry: &Ancestry<'_>) {
        let Some(versioned) = table.name.as_str().strip_suffix(HISTORY_SUFFIX) else { return };
        let has_history = |name: &TableName| {
            ancestry.get(ancestry.root_of(name)).is_some_and(|root| root.history)
        };
        let is_needed = |other: &&Table| {
            let name = other.name.as_str();
            let below = versioned.strip_prefix(name).is_some_and(|rest| rest.starts_with("__"));
            (versioned == name || below) && has_history(&other.name)
        };
        if let Some(other) = ancestry.tables.iter().find(is_needed) {
            let message = format!(
                "`{}` is a name for the history of `{}` or of its child tables",
                table.name, other.name
            );
            self.misuse(&format!("{key}.name"), message, "do not end the name in `__history`");
        }
    }
}
