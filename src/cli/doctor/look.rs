//! A look of the doctor: what was looked at, and what was found.

use serde::Serialize;

use crate::exit_code::{ExitCode, Failure};

/// What a look has found, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LookState {
    /// A run would fail.
    Failed,
    /// A run works, and somebody should know.
    Warning,
    Ok,
    /// What it depends on has failed.
    Skipped,
}

impl LookState {
    pub(super) fn is_problem(self) -> bool {
        matches!(self, Self::Failed | Self::Warning)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Warning => "warning",
            Self::Ok => "ok",
            Self::Skipped => "skipped",
        }
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Look {
    pub(super) state: LookState,
    /// What was looked at, in a few words.
    pub(super) subject: &'static str,
    /// The definitions that it is about; none where it is about this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) definitions: Vec<String>,
    pub(super) message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<String>,
    /// What a run would exit with.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_number")]
    pub(super) exit_code: Option<ExitCode>,
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn as_number<S: serde::Serializer>(code: &Option<ExitCode>, to: S) -> Result<S::Ok, S::Error> {
    code.map(ExitCode::number).serialize(to)
}

impl Look {
    fn of(state: LookState, subject: &'static str, message: impl Into<String>) -> Self {
        let (message, definitions) = (message.into(), Vec::new());
        Self { state, subject, definitions, message, help: None, exit_code: None }
    }

    /// Nothing is wrong.
    pub(super) fn ok(subject: &'static str, message: impl Into<String>) -> Self {
        Self::of(LookState::Ok, subject, message)
    }

    /// Nothing was looked at.
    pub(super) fn skipped(subject: &'static str, message: impl Into<String>) -> Self {
        Self::of(LookState::Skipped, subject, message)
    }

    /// Something that a run goes on with.
    pub(super) fn warning(
        subject: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { help: Some(help.into()), ..Self::of(LookState::Warning, subject, message) }
    }

    /// Something that a run fails with, in the words of its error.
    pub(super) fn failed(subject: &'static str, error: &dyn Failure) -> Self {
        let failed = Self::of(LookState::Failed, subject, error.to_string());
        Self { help: error.help(), exit_code: Some(error.exit_code()), ..failed }
    }

    /// The same in other words.
    pub(super) fn failed_with(
        subject: &'static str,
        exit_code: ExitCode,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let failed = Self::of(LookState::Failed, subject, message);
        Self { help: Some(help.into()), exit_code: Some(exit_code), ..failed }
    }

    /// The same look, where a run goes on with what has failed.
    pub(super) fn into_warning(mut self) -> Self {
        if self.state == LookState::Failed {
            (self.state, self.exit_code) = (LookState::Warning, None);
        }
        self
    }

    /// The same look, about a definition.
    pub(super) fn about(mut self, definition: &str) -> Self {
        self.definitions = vec![definition.to_owned()];
        self
    }

    /// Whether it differs from another one only in the definition.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let definitions = Vec::new();
        let other = Self { definitions: definitions.clone(), ..other.clone() };
        Self { definitions, ..self.clone() } == other
    }

    /// The lines for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let of = match self.definitions.as_slice() {
            [] => String::new(),
            all => format!(" ({})", all.join(", ")),
        };
        let line = format!("{:<7}  {}{of}: {}", self.state.word(), self.subject, self.message);
        let help = self.help.iter().map(|help| format!("  help: {help}"));
        std::iter::once(line).chain(help).collect()
    }
}
