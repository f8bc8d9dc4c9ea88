//! One table, what its definition says, its records night by night, and what its contract promises of quarantine.

use std::fmt;
use std::sync::Arc;

use super::json::Json;
use super::waiting::Waiting;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Disposition {
    Append,
    Merge,
    Replace,
    /// By months of `at`.
    OverwritePartitions,
}

impl Disposition {
    fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Merge => "merge",
            Self::Replace => "replace",
            Self::OverwritePartitions => "overwrite_partitions",
        }
    }
}

/// What a schema contract says of tables, columns and types; nothing is the default.
pub type Contract = Option<[&'static str; 3]>;

/// One table, and its records night by night.
#[derive(Clone)]
pub struct Story {
    pub disposition: Disposition,
    pub contract: Contract,
    pub nested: &'static str,
    /// The member that tells the records of a night apart.
    pub key: &'static str,
    /// Whether the definition says so.
    pub has_key: bool,
    /// Whether it is partitioned by months of `at`.
    pub is_partitioned: bool,
    /// A member with a declared type.
    pub declared: Option<(&'static str, &'static str)>,
    /// The records of each night; none for a night without a run.
    pub nights: Vec<Option<Vec<Json>>>,
    /// Whether a record has only values of the types and shapes that all nights have.
    pub is_sound: Arc<dyn Fn(&Json) -> bool>,
}

impl Story {
    /// Its section in a definition.
    pub fn definition(&self, name: &str) -> String {
        let contract = self.contract.map(|[tables, columns, data_type]| {
            format!(
                "schema_contract = {{ tables = \"{tables}\", columns = \"{columns}\", data_type = \"{data_type}\" }}"
            )
        });
        let partitions = self.is_partitioned.then(|| "partition_by = [\"month(at)\"]".to_owned());
        let declared = self
            .declared
            .map(|(column, column_type)| format!("[tables.columns]\n{column} = \"{column_type}\""));
        let lines = [
            Some(format!("[[tables]]\nname = \"{name}\"\nrecords = \"/{name}\"")),
            Some(format!("write_disposition = \"{}\"", self.disposition.word())),
            Some(format!("nested = \"{}\"", self.nested)),
            contract,
            self.has_key.then(|| format!("primary_key = [\"{}\"]", self.key)),
            partitions,
            declared,
        ];
        lines.into_iter().flatten().map(|line| line + "\n").collect()
    }

    pub fn night(&self, night: usize) -> &[Json] {
        self.nights.get(night).and_then(Option::as_deref).unwrap_or_default()
    }

    /// Whether nothing may be in quarantine but what does not fit a key, a partition or a declared type.
    fn evolves(&self) -> bool {
        self.contract == Some(["evolve"; 3])
    }

    pub fn is_frozen(&self) -> bool {
        self.contract.is_some_and(|words| words.contains(&"freeze"))
    }

    /// What a contract promises of quarantine.
    pub fn check_contract(&self, night: usize, waiting: &[Waiting]) -> Result<(), String> {
        let may_wait = |pointer: &String| {
            let declared = self.declared.map(|(column, _)| format!("/{column}"));
            let places = [Some(format!("/{}", self.key)), Some("/at".to_owned()), declared];
            let is_at = |place: &String| {
                pointer
                    .strip_prefix(place)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            places.iter().flatten().any(is_at)
        };
        if self.evolves()
            && let Some(line) = waiting.iter().find(|line| !line.pointers.iter().all(may_wait))
        {
            return Err(format!("discarded under `evolve`: {}", line.shown));
        }
        // The first night tells the types, if all of it is sound.
        let first = (0..=night).find(|night| !self.night(*night).is_empty()).unwrap_or(night);
        let tells = first < night && self.night(first).iter().all(|record| (self.is_sound)(record));
        match waiting.iter().find(|line| tells && (self.is_sound)(&line.record)) {
            Some(line) => Err(format!("a sound record is in quarantine: {}", line.shown)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.definition("t0"))?;
        for (number, night) in self.nights.iter().enumerate() {
            if let Some(records) = night {
                writeln!(f, "night {number}: {records:?}")?;
            }
        }
        Ok(())
    }
}
