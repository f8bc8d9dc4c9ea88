//! Limits: what an export has to hold, so that the tables may be changed at all.

use std::fmt;
use std::str::FromStr;

/// What an export has to hold, so that the tables may be changed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The most records that may go to quarantine.
    pub max_quarantined: Option<Limit>,
    /// The fewest records of each table without a parent.
    pub min_records: Option<u64>,
    /// The most that such a table may shrink by from one export to the next.
    pub max_shrink: Option<Share>,
    /// The largest answer to one request, decompressed.
    pub max_size: Option<Size>,
    /// The most partitions that one run may write.
    pub max_partitions: Option<u32>,
}

impl Limits {
    /// The most bytes of one answer, decompressed.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.max_size.map_or(DEFAULT_MAX_BYTES, |size| size.bytes)
    }

    /// The most partitions that one run may write.
    #[must_use]
    pub fn max_partitions(&self) -> usize {
        self.max_partitions.map_or(DEFAULT_MAX_PARTITIONS, |most| most as usize)
    }
}

/// More than any company's export, and less than what fills a disk unnoticed for hours.
const DEFAULT_MAX_BYTES: u64 = 64_000_000_000;

/// Ten years of days, and a few; a column with a value for each record has more.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    bytes: u64,
}

impl Size {
    /// A size of so many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// How many bytes.
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
        let whole = UNITS.iter().filter(|(_, bytes)| self.bytes % bytes == 0);
        let (unit, bytes) = whole.max_by_key(|(_, bytes)| *bytes).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.bytes / bytes)
    }
}

/// A text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no size")]
pub struct InvalidSize(String);

/// A bound on a number of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Count(u64),
    /// Such a share of all.
    Share(Share),
}

/// A part of a whole, exact to a ten-thousandth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// A text is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share between 0% and 100%")]
pub struct InvalidShare(String);

#[cfg(test)]
mod tests {
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
        }
    }
}
