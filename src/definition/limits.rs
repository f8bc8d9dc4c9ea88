//! `[limits]`: bounds that an export has to meet before any table changes.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use toml::Value;

use super::checker::Checker;
use super::field::{AtLeastOne, Field, FromToml, TextForm, TypeMismatch};

/// Bounds that an export has to meet before any table changes. Serialised are those that an export meets while it is
/// loaded: see [`definition_hash`](super::definition_hash).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Limits {
    /// The most records that may go to quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_quarantined: Option<Limit>,
    /// The fewest records of each table without a parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_records: Option<u64>,
    /// The most by which such a table may shrink from one full export to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_shrink: Option<Share>,
    /// The largest response, decompressed.
    #[serde(skip)]
    pub max_size: Option<Size>,
    /// The largest record.
    #[serde(skip)]
    pub max_record_size: Option<Size>,
    /// The most records that may wait in quarantine for a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting: Option<Size>,
    /// The most partitions that one run may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_partitions: Option<u32>,
    /// The most columns of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_columns: Option<u32>,
    /// Whether newline-delimited JSON is loaded from a response that does not tell where it ends.
    #[serde(skip)]
    pub allow_unknown_length: bool,
}

impl Limits {
    /// Whether something else than the length of a response shows that records are missing, or nothing has to.
    #[must_use]
    pub fn accept_unknown_length(&self) -> bool {
        self.allow_unknown_length || self.min_records.is_some() || self.max_shrink.is_some()
    }

    /// The most bytes of one response, decompressed.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.max_size.map_or(DEFAULT_MAX_BYTES, |size| size.bytes)
    }

    /// The largest record: so much of an export is held at once.
    #[must_use]
    pub fn max_record_size(&self) -> Size {
        self.max_record_size.unwrap_or(DEFAULT_MAX_RECORD_SIZE)
    }

    /// The most records that may wait in quarantine for a table, by their size.
    #[must_use]
    pub fn max_waiting(&self) -> Size {
        self.max_waiting.unwrap_or(DEFAULT_MAX_WAITING)
    }

    /// The most partitions that one run may write.
    #[must_use]
    pub fn max_partitions(&self) -> usize {
        self.max_partitions.map_or(DEFAULT_MAX_PARTITIONS, |most| most as usize)
    }

    /// The most columns of a table that come from the export.
    #[must_use]
    pub fn max_columns(&self) -> usize {
        self.max_columns.map_or(DEFAULT_MAX_COLUMNS, |most| most as usize)
    }
}

/// More than any form has fields. An object whose keys are data has more.
pub const DEFAULT_MAX_COLUMNS: usize = 1_000;

/// More than any company's export, and less than what fills a disk unnoticed.
const DEFAULT_MAX_BYTES: u64 = 64_000_000_000;

/// More than any record has that is not an export in itself. A run takes up to 290 MB with records of this size, and 400 MB
/// with twice as large ones.
const DEFAULT_MAX_RECORD_SIZE: Size = Size::from_bytes(16_000_000);

/// Of small records 100,000. With more the definition is wrong, and not the records.
const DEFAULT_MAX_WAITING: Size = Size::from_bytes(100_000_000);

/// More than ten years of days. A column with a value of its own for each record has more.
const DEFAULT_MAX_PARTITIONS: usize = 5_000;

/// The units that a size is shown in: the largest of which it is a whole number.
const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    bytes: u64,
}

impl Size {
    /// A size in bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }
}

impl FromStr for Size {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        match text.parse::<bytesize::ByteSize>() {
            // A number without a unit is more often forgotten to be megabytes than meant to be bytes.
            Ok(size) if size.as_u64() > 0 && text.ends_with(['B', 'b']) => {
                Ok(Self { bytes: size.as_u64() })
            }
            _ => Err(InvalidSize(text.to_owned())),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().filter(|(_, bytes)| self.bytes.is_multiple_of(*bytes));
        let (unit, bytes) = whole.max_by_key(|(_, bytes)| *bytes).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.bytes / bytes)
    }
}

/// A text that is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write it with a unit, as in `256MiB`")]
pub struct InvalidSize(String);

/// A bound on a number of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// A number of records.
    Count(u64),
    /// A share of all records.
    Share(Share),
}

/// A part of a whole, exact to a ten-thousandth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    millionths: u64,
}

impl Share {
    /// The largest whole number of records that is not more than this share of `whole`.
    #[must_use]
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.millionths) / 1_000_000;
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

impl FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let invalid = || InvalidShare(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(invalid)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
            return Err(invalid());
        }
        let ten_thousandths = format!("{whole}{fraction:0<4}").parse().map_err(|_| invalid())?;
        let share = Self { millionths: ten_thousandths };
        if share.millionths > 1_000_000 { Err(invalid()) } else { Ok(share) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.millionths / 10_000, self.millionths % 10_000);
        let fraction = format!("{fraction:04}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            digits => write!(f, "{whole}.{digits}%"),
        }
    }
}

/// A text that is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a share between 0% and 100%")]
pub struct InvalidShare(String);

/// Bounds that an export has to meet before any table changes.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Limits", deny_unknown_fields)]
pub(super) struct RawLimits {
    /// The most records that may be quarantined: a count, or a share of the export. Above it the run changes
    /// nothing and exits 3.
    #[schemars(extend("examples" = ["0.1%"]))]
    pub(super) max_quarantined: Option<Field<Limit>>,
    /// The fewest records of each table without a parent. Below it the run changes nothing and exits 6.
    pub(super) min_records: Option<Field<u32>>,
    /// The most by which a table may shrink from one full export to the next. Above it the run changes nothing
    /// and exits 6.
    #[schemars(extend("examples" = ["50%"]))]
    pub(super) max_shrink: Option<Field<Share>>,
    /// The largest response, decompressed. Above it the run changes nothing and exits 6.
    #[schemars(extend("default" = "64GB"))]
    pub(super) max_size: Option<Field<Size>>,
    /// The largest record. Above it the run changes nothing and exits 6.
    #[schemars(extend("default" = "16MB"))]
    pub(super) max_record_size: Option<Field<Size>>,
    /// The most records that may wait in quarantine for a table, by their size and 1 kB for the reasons of each. Above it
    /// the run changes nothing and exits 6.
    #[schemars(extend("default" = "100MB"))]
    pub(super) max_waiting: Option<Field<Size>>,
    /// The most partitions that one run may write. Above it the run changes nothing and exits 6.
    #[schemars(extend("default" = 5000))]
    pub(super) max_partitions: Option<Field<AtLeastOne>>,
    /// The most columns of a table that come from the export. An export that would add one above it changes nothing
    /// and exits 6.
    #[schemars(extend("default" = 1000))]
    pub(super) max_columns: Option<Field<AtLeastOne>>,
    /// Whether newline-delimited JSON is loaded from a response without a length, which may have been cut
    /// between two lines. `min_records` and `max_shrink` allow it too.
    #[schemars(extend("default" = false))]
    pub(super) allow_unknown_length: Option<Field<bool>>,
}

impl RawLimits {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> Limits {
        let most_partitions = checker.value(self.max_partitions, "limits.max_partitions");
        let most_columns = checker.value(self.max_columns, "limits.max_columns");
        Limits {
            max_quarantined: checker.value(self.max_quarantined, "limits.max_quarantined"),
            min_records: checker.value(self.min_records, "limits.min_records").map(u64::from),
            max_shrink: checker.value(self.max_shrink, "limits.max_shrink"),
            max_size: checker.value(self.max_size, "limits.max_size"),
            max_record_size: checker.value(self.max_record_size, "limits.max_record_size"),
            max_waiting: checker.value(self.max_waiting, "limits.max_waiting"),
            allow_unknown_length: checker
                .value(self.allow_unknown_length, "limits.allow_unknown_length")
                .unwrap_or_default(),
            max_partitions: most_partitions.map(|AtLeastOne(count)| count.get()),
            max_columns: most_columns.map(|AtLeastOne(count)| count.get()),
        }
    }
}

impl TextForm for Size {
    fn pattern() -> String {
        r"^\s*[0-9.]+\s*([kKmMgGtTpPeE]([iI])?)?[bB]$".to_owned()
    }

    fn help(_: &str) -> String {
        "write for example `\"20GB\"`".to_owned()
    }
}

impl TextForm for Share {
    fn pattern() -> String {
        r"^(0*100(\.0{1,4})?|0*[0-9]{1,2}(\.[0-9]{1,4})?)%$".to_owned()
    }

    fn help(_: &str) -> String {
        "write for example `\"0.1%\"`".to_owned()
    }
}

impl FromToml for Limit {
    fn read(value: &Value) -> Result<Self, TypeMismatch> {
        const HELP: &str = "write `100` or `\"0.1%\"`";
        match value {
            Value::Integer(count) => u64::try_from(*count)
                .map(Self::Count)
                .map_err(|_| TypeMismatch::of(value, "a count or a share", HELP)),
            Value::String(_) => Share::read(value).map(Self::Share),
            _ => Err(TypeMismatch::of(value, "a count or a share", HELP)),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A count, or a share such as `0.1%`.",
            "anyOf": [{ "type": "integer", "minimum": 0 }, Share::schema(generator)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::json_schema::matches;
    use super::*;

    #[test]
    fn a_size_has_a_unit() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.bytes);
        assert_eq!(bytes("20GB"), Ok(20_000_000_000));
        assert_eq!(bytes("1.5 GiB"), Ok(1_610_612_736));
        let shown = |text: &str| text.parse::<Size>().unwrap().to_string();
        for text in ["7kB", "64GB", "256MiB", "1001B"] {
            assert_eq!(shown(text), text);
        }
        for text in ["20GB", "1.5 GiB", "7kB", " 1 KB", "3b"] {
            assert!(text.parse::<Size>().is_err() || matches(&Size::pattern(), text), "{text}");
        }
        for text in ["", "0", "20", "0GB", "-1GB", "GB", "1 apple"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_exact_and_rounds_down() {
        let share: Share = "0.1%".parse().unwrap();
        assert_eq!(share.to_string(), "0.1%");
        assert_eq!(
            [share.of(999), share.of(1000), share.of(u64::MAX)],
            [0, 1, 18_446_744_073_709_551]
        );
        assert_eq!("100%".parse::<Share>().unwrap().of(u64::MAX), u64::MAX);
        for text in ["", "%", "5", "-1%", "100.0001%", "0.00001%", "1.%", "1e1%"] {
            assert_eq!(text.parse::<Share>(), Err(InvalidShare(text.to_owned())), "{text}");
            assert!(!matches(&Share::pattern(), text), "{text}");
        }
    }
}
