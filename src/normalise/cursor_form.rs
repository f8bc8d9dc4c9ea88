//! Cursor form: the declaration that would turn the texts of a cursor into values with an order.

use polars::prelude::Column;

/// The forms that are tried, and how a column is declared for them.
const FORMS: [(Form, &str); 4] = [
    (Form::Integer, r#""int64""#),
    (Form::Date("%d.%m.%Y"), r#"{ type = "date", formats = ["%d.%m.%Y"] }"#),
    (Form::Date("%m/%d/%Y"), r#"{ type = "date", formats = ["%m/%d/%Y"] }"#),
    (Form::Date("%d/%m/%Y"), r#"{ type = "date", formats = ["%d/%m/%Y"] }"#),
];

#[derive(Debug, Clone, Copy)]
enum Form {
    Integer,
    Date(&'static str),
}

impl Form {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Integer => text.parse::<i64>().is_ok(),
            Self::Date(format) => chrono::NaiveDate::parse_from_str(text, format).is_ok(),
        }
    }
}

/// Which forms all texts of a cursor have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CursorForm {
    has_texts: bool,
    /// By the position in [`FORMS`]: some text does not fit.
    excluded: [bool; FORMS.len()],
}

impl CursorForm {
    /// Adds the values of the cursor. Only texts count.
    pub(super) fn observe(&mut self, column: &Column) {
        let Ok(texts) = column.as_materialized_series().str() else { return };
        for text in texts.iter().flatten() {
            self.has_texts = true;
            for (excluded, (form, _)) in self.excluded.iter_mut().zip(FORMS) {
                *excluded = *excluded || !form.fits(text);
            }
        }
    }

    /// How to declare the column, if exactly one form fits: 03/04/2026 may be in March or in April.
    #[must_use]
    pub fn declaration(&self) -> Option<&'static str> {
        let mut fitting = FORMS.iter().zip(self.excluded).filter(|(_, excluded)| !excluded);
        match (fitting.next(), fitting.next()) {
            (Some(((_, declaration), _)), None) if self.has_texts => Some(declaration),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_all_texts_have_is_named() {
        let declaration = |texts: &[&str]| {
            let mut form = CursorForm::default();
            form.observe(&Column::new("c".into(), texts));
            form.declaration()
        };
        assert_eq!(declaration(&["9", "10"]), Some("\"int64\""));
        let dates = declaration(&["05.10.2026", "31.12.2026"]);
        assert!(dates.is_some_and(|it| it.contains("%d.%m.%Y")), "{dates:?}");
        let american = declaration(&["05/10/2026", "12/31/2026"]);
        assert!(american.is_some_and(|it| it.contains("%m/%d/%Y")), "{american:?}");
        for texts in [&["05/10/2026"][..], &["9", "05.10.2026"], &["rev-9"], &[]] {
            assert_eq!(declaration(texts), None, "{texts:?}");
        }
    }
}
