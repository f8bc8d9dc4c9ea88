//! Ids of records in tables without a primary key.

use std::collections::HashMap;

use crate::decode::Chunk;
use crate::schema::RootId;

/// Gives ids to records without a key, in the order of the export.
#[derive(Debug, Default)]
pub struct RecordIds {
    /// How often each record of each array has been seen.
    seen: HashMap<(RootId, u128), u64>,
}

impl RecordIds {
    /// The hash of each record; repeated records get a number.
    pub fn of(&mut self, chunk: &Chunk) -> Vec<String> {
        let ids = chunk.identities.iter().map(|identity| {
            let seen = self.seen.entry((chunk.root, *identity)).or_default();
            *seen += 1;
            let again = if *seen == 1 { String::new() } else { format!("-{seen}") };
            format!("{identity:032x}{again}")
        });
        ids.collect()
    }
}
