//! `[source.timeouts]`: how long to wait for the source.

use std::time::Duration;

use schemars::JsonSchema;

use super::checker::Checker;
use super::field::Field;
use super::period::Wait;

/// How long to wait for the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte of a response.
    pub idle: Duration,
    /// For one whole response.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_mins(5),
            total: Duration::from_hours(2),
        }
    }
}

/// How long to wait for the source: ISO 8601 durations.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[schemars(rename = "Timeouts", deny_unknown_fields)]
pub(super) struct RawTimeouts {
    /// For a connection.
    #[schemars(extend("default" = "PT15S"))]
    pub(super) connect: Option<Field<Wait>>,
    /// For the next byte of a response.
    #[schemars(extend("default" = "PT5M"))]
    pub(super) idle: Option<Field<Wait>>,
    /// For one whole response, to its last byte.
    #[schemars(extend("default" = "PT2H"))]
    pub(super) total: Option<Field<Wait>>,
}

impl RawTimeouts {
    pub(super) fn check(self, checker: &mut Checker<'_>) -> Timeouts {
        let default = Timeouts::default();
        let mut wait = |field, name| checker.value(field, &format!("source.timeouts.{name}"));
        Timeouts {
            connect: wait(self.connect, "connect").map_or(default.connect, |Wait(wait)| wait),
            idle: wait(self.idle, "idle").map_or(default.idle, |Wait(wait)| wait),
            total: wait(self.total, "total").map_or(default.total, |Wait(wait)| wait),
        }
    }
}
