//! Names of tables and columns: lower-case letters, digits and underscores, as every engine takes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::reserved::HISTORY_SUFFIX;
use crate::shown;

/// A name that is not `snake_case`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a name: use lower-case letters, digits and underscores, beginning with {beginning}"
)]
pub struct InvalidName {
    text: String,
    beginning: &'static str,
}

/// Declares a checked name as its own type, so a table's name cannot be passed as a column's.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $beginning:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if is_snake_case(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName { text: shown::quoted(text), beginning: $beginning })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

checked_name!(
    /// The name of a table, which is also its directory.
    // The definition refuses an underscore: engines skip such directories.
    TableName,
    "a letter"
);
checked_name!(
    /// The name of a column as it stands in Parquet.
    ColumnName,
    "a letter or underscore"
);

impl TableName {
    /// The name of the table's history.
    #[must_use]
    pub fn of_history(&self) -> Self {
        Self(format!("{self}{HISTORY_SUFFIX}"))
    }
}

impl ColumnName {
    /// The name of a column whose JSON key has no character that a name can have.
    pub(crate) fn unnamed() -> Self {
        Self("unnamed".to_owned())
    }
}

/// Letters of any script may stand in a name, as long as they have no upper case.
fn is_snake_case(text: &str) -> bool {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return false };
    let is_letter = |c: char| c == '_' || (c.is_alphabetic() && !c.is_uppercase());
    is_letter(first) && characters.all(|c| is_letter(c) || c.is_numeric())
}
