//! `[landing]`: how many exports are kept as received.

use schemars::JsonSchema;

use super::checker::Checker;
use super::field::Field;

/// How many exports stay in the landing area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LandingPolicy {
    /// The exports of this many runs are kept; 0 keeps none.
    pub keep: usize,
}

impl Default for LandingPolicy {
    fn default() -> Self {
        Self { keep: 14 }
    }
}

/// How many exports are kept as received.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Landing", deny_unknown_fields)]
pub(super) struct RawLanding {
    /// The exports of this many runs are kept, the latest ones; 0 keeps none.
    #[schemars(extend("default" = 14))]
    pub(super) keep: Option<Field<usize>>,
}

impl RawLanding {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> LandingPolicy {
        let keep = checker.value(self.keep, "landing.keep");
        keep.map_or_else(LandingPolicy::default, |keep| LandingPolicy { keep })
    }
}
