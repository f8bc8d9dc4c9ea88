//! What of the source's time no run loads by itself, and the command that does.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use super::Plan;
use crate::schema::{LoadedTime, TableName, Window};

impl Plan {
    /// What of the source's time no run will load by itself, by what the tables have.
    pub fn not_loaded(
        &self,
        loaded: impl Fn(&TableName) -> Option<LoadedTime>,
    ) -> Vec<(TableName, NotLoaded)> {
        let (Some(policy), Some(window)) = (&self.pipeline.source.window, self.window) else {
            return Vec::new();
        };
        let start = policy.start;
        let roots = self.pipeline.root_tables().map(|table| &table.name);
        let gaps = roots.flat_map(|table| {
            let gaps = match loaded(table) {
                None if self.is_backfill && start < window.start => vec![NotLoaded {
                    why: WhyNotLoaded::RunBeginsLater,
                    window: Window { start, end: window.start },
                }],
                _ if self.is_backfill => Vec::new(),
                Some(loaded) if start > loaded.watermark => vec![NotLoaded {
                    why: WhyNotLoaded::StartIsAfterWatermark,
                    window: Window { start: loaded.watermark, end: start },
                }],
                Some(loaded) => loaded
                    .gaps_since(start)
                    .into_iter()
                    .map(NotLoaded::of_gap(start, loaded.from))
                    .collect(),
                None if start < window.start => vec![NotLoaded {
                    why: WhyNotLoaded::TableIsNew,
                    window: Window { start, end: window.start },
                }],
                None => Vec::new(),
            };
            gaps.into_iter().map(|gap| (table.clone(), gap))
        });
        gaps.collect()
    }
}

/// A window that no run loads by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLoaded {
    why: WhyNotLoaded,
    /// The window.
    pub window: Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhyNotLoaded {
    /// The definition begins later than the last run ended.
    StartIsAfterWatermark,
    /// The definition begins before what is loaded.
    StartIsEarlier,
    /// Earlier runs have loaded what is before and after.
    Between,
    /// The table came when others were loaded already.
    TableIsNew,
    /// The first run was asked to begin later than the definition.
    RunBeginsLater,
}

impl NotLoaded {
    /// A gap since the start of the definition, in a table whose last range begins at `from`.
    fn of_gap(start: DateTime<Utc>, from: DateTime<Utc>) -> impl Fn(Window) -> Self {
        move |window| {
            let is_all = window == Window { start, end: from };
            let why = if is_all { WhyNotLoaded::StartIsEarlier } else { WhyNotLoaded::Between };
            Self { why, window }
        }
    }
}

impl fmt::Display for NotLoaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { start, end } = self.window;
        let [start, end] = [start, end].map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        match self.why {
            WhyNotLoaded::StartIsAfterWatermark => {
                write!(f, "`window.start` is {end}, and the table is loaded until {start}")
            }
            WhyNotLoaded::StartIsEarlier => {
                write!(f, "`window.start` is {start}, and the table is loaded from {end} on")
            }
            WhyNotLoaded::Between => {
                write!(f, "nothing from {start} until {end} is loaded")
            }
            WhyNotLoaded::TableIsNew => {
                write!(f, "the table is new, and begins at {end}")
            }
            WhyNotLoaded::RunBeginsLater => write!(
                f,
                "`window.start` is {start}, and this first run begins at {end}; later runs go on from its end"
            ),
        }?;
        let what = if self.why == WhyNotLoaded::Between { "it" } else { "what is between" };
        write!(f, "; {what} is loaded by a run with `--from {start} --to {end}`")?;
        match self.why {
            WhyNotLoaded::TableIsNew => f.write_str(" with `--table` and its name"),
            _ => Ok(()),
        }
    }
}
