//! Time zones: what a clock shows at an instant, and at which instants it shows a time.
//!
//! | shown in `Europe/Copenhagen` | at |
//! |---|---|
//! | 2026-07-01 12:00 | 10:00Z |
//! | 2026-10-25 02:30, when summer time ends | 00:30Z and 01:30Z |
//! | 2026-03-29 02:30, when summer time begins | never |

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use serde::{Deserialize, Serialize};

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Tz);

/// A text that is not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{name}`")]
pub struct InvalidZone {
    /// The text.
    pub name: String,
}

/// Which of two instants a time means that a clock shows twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ambiguous {
    /// The first one, in summer time.
    Earliest,
    /// The second one.
    Latest,
}

/// A text that is none of the words for [`Ambiguous`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid choice")]
pub struct InvalidAmbiguous(String);

/// How times without a zone are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LocalTime {
    /// The zone whose clocks show them.
    pub timezone: Zone,
    /// Which instant a time means that is shown twice. Without this it means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambiguous: Option<Ambiguous>,
}

impl Zone {
    /// The zone whose clocks show UTC.
    pub const UTC: Self = Self(Tz::UTC);

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// What its clocks show at an instant; none beyond the calendar.
    #[must_use]
    pub fn shown_at(self, at: DateTime<Utc>) -> Option<NaiveDateTime> {
        let offset = self.0.offset_from_utc_datetime(&at.naive_utc()).fix();
        at.naive_utc().checked_add_offset(offset)
    }

    /// The instants at which its clocks show a time; none also beyond the calendar.
    #[must_use]
    pub fn instants_of(self, shown: NaiveDateTime) -> MappedLocalTime<DateTime<Utc>> {
        self.0.from_local_datetime(&shown).map(|at| at.to_utc())
    }

    /// The first instant at which its clocks show a time or a later one.
    #[must_use]
    pub fn first_instant_from(self, shown: NaiveDateTime) -> Option<DateTime<Utc>> {
        self.instants_of(shown).earliest().or_else(|| self.skips(shown))
    }

    /// The first instant from which on its clocks show a time or later ones only.
    #[must_use]
    pub fn end_before(self, shown: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.instants_of(shown) {
            MappedLocalTime::Single(at) => Some(at),
            MappedLocalTime::Ambiguous(first, second) => {
                // Clocks that are set back to this very time have shown nothing earlier in between.
                let before = self.shown_at(second - TimeDelta::microseconds(1))?;
                Some(if before < shown { second } else { first })
            }
            MappedLocalTime::None => self.skips(shown),
        }
    }

    /// When its clocks skip a time.
    fn skips(self, shown: NaiveDateTime) -> Option<DateTime<Utc>> {
        let (first_skipped, before) = GapInfo::new(&shown, &self.0)?.begin?;
        Some(first_skipped.checked_sub_offset(before.fix())?.and_utc())
    }
}

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| InvalidZone { name: text.to_owned() })
    }
}

impl TryFrom<String> for Zone {
    type Error = InvalidZone;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Ambiguous {
    /// The words of definitions.
    pub const WORDS: [(&str, Self); 2] = [("earliest", Self::Earliest), ("latest", Self::Latest)];
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, choice)| choice == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

impl FromStr for Ambiguous {
    type Err = InvalidAmbiguous;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, choice)| *choice).ok_or_else(|| InvalidAmbiguous(text.to_owned()))
    }
}

impl LocalTime {
    /// The instant that a time means, if it means exactly one.
    #[must_use]
    pub fn instant_of(self, shown: NaiveDateTime) -> Option<DateTime<Utc>> {
        match (self.timezone.instants_of(shown), self.ambiguous) {
            (MappedLocalTime::Single(at), _)
            | (MappedLocalTime::Ambiguous(at, _), Some(Ambiguous::Earliest))
            | (MappedLocalTime::Ambiguous(_, at), Some(Ambiguous::Latest)) => Some(at),
            (MappedLocalTime::Ambiguous(..), None) | (MappedLocalTime::None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    fn instant(zone: &str, text: &str, ambiguous: Option<Ambiguous>) -> Option<String> {
        let local = LocalTime { timezone: zone.parse().unwrap(), ambiguous };
        Some(local.instant_of(shown(text))?.format("%Y-%m-%d %H:%M").to_string())
    }

    #[test]
    fn times_of_the_table() {
        let copenhagen = |text, ambiguous| instant("Europe/Copenhagen", text, ambiguous);
        let (earliest, latest) = (Some(Ambiguous::Earliest), Some(Ambiguous::Latest));
        assert_eq!(copenhagen("2026-07-01 12:00", None).unwrap(), "2026-07-01 10:00");
        assert_eq!(copenhagen("2026-12-01 12:00", earliest).unwrap(), "2026-12-01 11:00");
        // The database ends here, and docs/types.md says so.
        assert_eq!(copenhagen("2099-07-01 12:00", None).unwrap(), "2099-07-01 10:00");
        assert_eq!(copenhagen("2100-07-01 12:00", None).unwrap(), "2100-07-01 11:00");
        for (text, first, second) in [
            ("2026-10-25 02:00", "2026-10-25 00:00", "2026-10-25 01:00"),
            ("2026-10-25 02:30", "2026-10-25 00:30", "2026-10-25 01:30"),
            ("2026-10-25 02:59", "2026-10-25 00:59", "2026-10-25 01:59"),
        ] {
            assert_eq!(copenhagen(text, None), None, "{text}");
            assert_eq!(copenhagen(text, earliest).unwrap(), first);
            assert_eq!(copenhagen(text, latest).unwrap(), second);
        }
        assert_eq!(copenhagen("2026-10-25 01:59", None).unwrap(), "2026-10-24 23:59");
        assert_eq!(copenhagen("2026-10-25 03:00", None).unwrap(), "2026-10-25 02:00");
        for text in ["2026-03-29 02:00", "2026-03-29 02:59"] {
            assert_eq!(copenhagen(text, earliest), None, "{text}");
            assert_eq!(copenhagen(text, latest), None, "{text}");
        }
        assert_eq!(copenhagen("2026-03-29 01:59", None).unwrap(), "2026-03-29 00:59");
        assert_eq!(copenhagen("2026-03-29 03:00", None).unwrap(), "2026-03-29 01:00");
        // The day that Samoa left out.
        assert_eq!(instant("Pacific/Apia", "2011-12-30 12:00", earliest), None);
    }

    #[test]
    fn names_read_back() {
        for name in Zone::names() {
            assert_eq!(name.parse::<Zone>().unwrap().to_string(), name);
        }
        for name in ["", "Copenhagen", "europe/copenhagen", "+02:00", "CEST"] {
            assert!(name.parse::<Zone>().is_err(), "{name}");
        }
    }

    /// Any zone, and instants close to what clocks do: in the years in which they are set, by quarters of an hour.
    fn any_zone_and_instant() -> impl Strategy<Value = (Zone, DateTime<Utc>)> {
        let instants = (-2_700_000_i64..5_400_000)
            .prop_map(|quarter| DateTime::from_timestamp(quarter * 900, 0).unwrap());
        (proptest::sample::select(TZ_VARIANTS.to_vec()), instants)
            .prop_map(|(zone, at)| (Zone(zone), at))
    }

    proptest! {
        #[test]
        fn p4_what_is_shown_at_an_instant_means_that_instant((zone, at) in any_zone_and_instant()) {
            let shown = zone.shown_at(at).unwrap();
            let means = zone.instants_of(shown);
            prop_assert!(means.earliest() == Some(at) || means.latest() == Some(at), "{zone} {at} {shown} {means:?}");
        }

        #[test]
        fn every_instant_of_a_time_shows_it((zone, at) in any_zone_and_instant()) {
            let shown = at.naive_utc();
            let first = zone.first_instant_from(shown).unwrap();
            let end = zone.end_before(shown).unwrap();
            let a_moment = TimeDelta::microseconds(1);
            prop_assert!(first <= end);
            prop_assert!(zone.shown_at(first).unwrap() >= shown);
            prop_assert!(zone.shown_at(first - a_moment).unwrap() < shown);
            prop_assert!(zone.shown_at(end).unwrap() >= shown);
            prop_assert!(zone.shown_at(end - a_moment).unwrap() < shown);
            let means = zone.instants_of(shown);
            for at in [means.earliest(), means.latest()].into_iter().flatten() {
                prop_assert_eq!(zone.shown_at(at).unwrap(), shown);
            }
        }
    }

    #[test]
    fn nothing_is_shown_beyond_the_calendar() {
        let east: Zone = "Asia/Tokyo".parse().unwrap();
        assert_eq!(east.shown_at(DateTime::<Utc>::MAX_UTC), None);
        assert_eq!(east.instants_of(NaiveDateTime::MIN), MappedLocalTime::None);
        assert_eq!(east.first_instant_from(NaiveDateTime::MIN), None);
    }
}
