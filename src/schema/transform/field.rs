//! One level of partitioning: a transform of a column.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Transform;
use crate::schema::{ColumnName, ColumnType};

/// One level of Hive partitioning: a column, or a range of time of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartitionField {
    /// The column that is partitioned by.
    pub column: ColumnName,
    /// What is done to its value.
    pub transform: Transform,
}

/// A text that is neither a column nor a transform of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a partition")]
pub struct InvalidPartitionField(String);

impl PartitionField {
    /// Whether a column of this type can be partitioned by in this way.
    #[must_use]
    pub fn fits(&self, column_type: &ColumnType) -> bool {
        self.transform.fits(column_type)
    }

    /// Whether the partition is the value of the column itself.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.transform.word().is_none()
    }

    /// The name in front of `=` in the directory: `created_at_month` for `month(created_at)`.
    #[must_use]
    pub fn directory_key(&self) -> String {
        match self.transform.word() {
            None => self.column.to_string(),
            Some(word) => format!("{}_{word}", self.column),
        }
    }
}

impl fmt::Display for PartitionField {
    /// As a definition writes it: `status`, `month(created_at)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transform.word() {
            None => write!(f, "{}", self.column),
            Some(word) => write!(f, "{word}({})", self.column),
        }
    }
}

impl FromStr for PartitionField {
    type Err = InvalidPartitionField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidPartitionField(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<PartitionField> {
    let (transform, column) = match text.trim().split_once('(') {
        None => (Transform::Identity, text.trim()),
        Some((word, rest)) => {
            let (_, transform) = Transform::named().find(|(named, _)| *named == word)?;
            (transform, rest.strip_suffix(')')?.trim())
        }
    };
    Some(PartitionField { column: column.parse().ok()?, transform })
}
