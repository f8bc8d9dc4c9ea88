//! One level of partitioning: a transform of a column.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{TimeRanges, TimeUnit, Transform};
use crate::schema::{ColumnName, ColumnType, InvalidZone, TableName, Zone};

/// The word of [`Transform::Identity`] in manifests.
const IDENTITY: &str = "identity";

/// One level of Hive partitioning: a column, or a range of time of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "StoredPartitionField", into = "StoredPartitionField")]
pub struct PartitionField {
    /// The column that is partitioned by.
    pub column: ColumnName,
    /// What is done to its value.
    pub transform: Transform,
}

/// A partition field as manifests keep it: `{"column": "created_at", "transform": "month"}`.
#[derive(Serialize, Deserialize)]
struct StoredPartitionField {
    column: ColumnName,
    transform: String,
    /// None for UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<Zone>,
}

/// A text that is neither a column nor a transform of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPartitionField {
    /// It has another form.
    #[error("`{0}` is not a partition")]
    Form(String),
    /// Its time zone does not exist.
    #[error(transparent)]
    Zone(#[from] InvalidZone),
}

impl PartitionField {
    /// Whether a column of this type can be partitioned by in this way.
    #[must_use]
    pub fn fits(&self, column_type: &ColumnType) -> bool {
        self.transform.fits(column_type)
    }

    /// Whether the partition is the value of the column itself.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.transform == Transform::Identity
    }

    /// The name in front of `=` in the directory: `created_at_month` for `month(created_at)`, `status_partition` for
    /// `status`. It is no column's name, since readers would take the directory for the column.
    #[must_use]
    pub fn directory_key(&self) -> String {
        let word = match self.transform {
            Transform::Identity => "partition",
            Transform::Time(ranges) => ranges.unit().word(),
        };
        format!("{}_{word}", self.column)
    }

    /// The same in a child table that has a column of its own of that name: `purchase_orders_created_at_month`.
    #[must_use]
    pub fn directory_key_of(&self, root: &TableName) -> String {
        format!("{root}_{}", self.directory_key())
    }

    /// The names that the directories of a table by these fields may have, which no column of it gets. A child table
    /// names its root.
    pub fn reserved_names<'a>(
        fields: &'a [Self],
        root: Option<&'a TableName>,
    ) -> impl Iterator<Item = ColumnName> + 'a {
        let names = fields.iter().flat_map(move |field| {
            let of_root = root.map(|root| field.directory_key_of(root));
            std::iter::once(field.directory_key()).chain(of_root)
        });
        names.filter_map(|name| name.parse().ok())
    }

    /// The ranges of time that partitions by these fields are from: those of the outermost field that has any.
    #[must_use]
    pub fn time_ranges(fields: &[Self]) -> Option<TimeRanges> {
        fields.iter().find_map(|field| field.transform.time_ranges())
    }
}

impl fmt::Display for PartitionField {
    /// As a definition writes it: `status`, `month(created_at)`, `month(created_at, "Europe/Copenhagen")`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, transform } = self;
        let Some(ranges) = transform.time_ranges() else { return write!(f, "{column}") };
        match (ranges.unit().word(), ranges.zone()) {
            (word, None) => write!(f, "{word}({column})"),
            (word, Some(zone)) => write!(f, "{word}({column}, \"{zone}\")"),
        }
    }
}

impl FromStr for PartitionField {
    type Err = InvalidPartitionField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let written = parse(text).ok_or_else(|| InvalidPartitionField::Form(text.to_owned()))?;
        let (column, unit, zone) = written;
        let zone = zone.map(str::parse).transpose()?;
        let transform =
            unit.map_or(Transform::Identity, |unit| Transform::Time(TimeRanges::new(unit, zone)));
        Ok(Self { column, transform })
    }
}

/// The column, the unit of time and the name of the zone that a text names.
fn parse(text: &str) -> Option<(ColumnName, Option<TimeUnit>, Option<&str>)> {
    let Some((word, rest)) = text.trim().split_once('(') else {
        return Some((text.trim().parse().ok()?, None, None));
    };
    let arguments = rest.strip_suffix(')')?;
    let (column, zone) = match arguments.split_once(',') {
        None => (arguments, None),
        Some((column, zone)) => (column, Some(unquoted(zone.trim())?)),
    };
    Some((column.trim().parse().ok()?, Some(TimeUnit::named(word)?), zone))
}

/// What stands in quotes, of either kind since TOML has both around.
fn unquoted(text: &str) -> Option<&str> {
    let within = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\''))
}

impl TryFrom<StoredPartitionField> for PartitionField {
    type Error = InvalidPartitionField;

    fn try_from(stored: StoredPartitionField) -> Result<Self, Self::Error> {
        let StoredPartitionField { column, transform, timezone } = stored;
        let transform = match TimeUnit::named(&transform) {
            Some(unit) => Transform::Time(TimeRanges::new(unit, timezone)),
            None if transform == IDENTITY => Transform::Identity,
            None => return Err(InvalidPartitionField::Form(transform)),
        };
        Ok(Self { column, transform })
    }
}

impl From<PartitionField> for StoredPartitionField {
    fn from(field: PartitionField) -> Self {
        let ranges = field.transform.time_ranges();
        Self {
            column: field.column,
            transform: ranges.map_or(IDENTITY, |ranges| ranges.unit().word()).to_owned(),
            timezone: ranges.and_then(TimeRanges::zone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_keep_the_zone() {
        for (text, stored) in [
            ("status", r#"{"column":"status","transform":"identity"}"#),
            ("month(at)", r#"{"column":"at","transform":"month"}"#),
            (
                "day(at, 'Europe/Copenhagen')",
                r#"{"column":"at","transform":"day","timezone":"Europe/Copenhagen"}"#,
            ),
        ] {
            let field: PartitionField = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&field).unwrap(), stored);
            assert_eq!(serde_json::from_str::<PartitionField>(stored).unwrap(), field);
        }
        for stored in [
            r#"{"column":"at","transform":"week"}"#,
            r#"{"column":"at","transform":"day","timezone":"Mars/Olympus"}"#,
        ] {
            assert!(serde_json::from_str::<PartitionField>(stored).is_err(), "{stored}");
        }
    }

    #[test]
    fn a_zone_that_does_not_exist_is_named() {
        let error = "month(at, \"Europe/Kopenhagen\")".parse::<PartitionField>().unwrap_err();
        assert_eq!(error.to_string(), "there is no time zone `Europe/Kopenhagen`");
    }
}
