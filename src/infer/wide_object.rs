//! The object that makes a table too wide, and what to write for it.

use crate::schema::TableName;

/// The object of a table whose records have the most keys in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WideObject {
    /// Its column; none for the record itself.
    pub column: Option<String>,
    /// The pointer to it in the table's record.
    pub pointer: String,
    /// Its first keys, and whether it has more.
    pub keys: String,
}

impl WideObject {
    pub(super) fn described(&self) -> String {
        match &self.column {
            Some(column) => {
                format!("the keys of the object `{column}` look like data: {}", self.keys)
            }
            None => format!("its records have the keys {}", self.keys),
        }
    }

    pub(super) fn help(&self, table: &TableName, most: usize) -> String {
        let more =
            format!("if they are columns, write `max_columns = {}` under `[limits]`", 2 * most);
        let Some(column) = &self.column else {
            return format!(
                "{more}; or exclude some: `name = {{ exclude = true }}` under `[tables.columns]`"
            );
        };
        let pointer = &self.pointer;
        format!(
            "make each key a row: `[[tables]]` with `name = \"{table}__{column}\"`, `parent = \"{table}\"`, \
             `records = \"{pointer}\"`, `keys = \"key\"`; or keep the object as one text: \
             `{column} = {{ type = \"json\", from = \"{pointer}\" }}` under `[tables.columns]`; {more}"
        )
    }
}
