//! Reasons for quarantine: the rule that a record breaks, and the place in the record.

use std::fmt;

use crate::definition::CheckRule;
use crate::schema::{ColumnName, ColumnType, ShownPath, Step, TableName, ValuePath};

/// Further reasons are only counted: a record may have a list with any number of items.
const MOST_TOLD: usize = 20;

/// One reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The record's table, or a child table.
    pub table: TableName,
    /// Where the value is in the record.
    pub place: Place,
    /// The rule it breaks.
    pub rule: Rule,
}

/// A rule that a record can break.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// The value does not fit the type of its column.
    Type {
        /// The column.
        column: ColumnName,
        /// Its type.
        expected: ColumnType,
    },
    /// The value of a field does not fit the type that is declared for it.
    FieldType {
        /// The column.
        column: ColumnName,
        /// The path of the field below the column.
        field: Vec<ColumnName>,
        /// The type of the field.
        expected: ColumnType,
    },
    /// A column of the primary key is null.
    PrimaryKey {
        /// The column.
        column: ColumnName,
    },
    /// Another child row of the record has the same primary key.
    RepeatedKey {
        /// The columns of the key.
        columns: Vec<ColumnName>,
    },
    /// The contract admits no column or child table for the value.
    Schema {
        /// The path from the row.
        path: ValuePath,
    },
    /// A check of the definition.
    Check(CheckRule),
    /// The JSON of the record cannot be kept exactly.
    Json(&'static str),
}

impl Rule {
    /// Its name in reports and quarantine.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Type { .. } | Self::FieldType { .. } => "type",
            Self::PrimaryKey { .. } | Self::RepeatedKey { .. } => "primary_key",
            Self::Schema { .. } => "schema",
            Self::Check(rule) => rule.word(),
            Self::Json(_) => "json",
        }
    }

    /// The column it is about, if it is about one.
    #[must_use]
    pub fn column(&self) -> Option<&ColumnName> {
        match self {
            Self::Type { column, .. }
            | Self::FieldType { column, .. }
            | Self::PrimaryKey { column } => Some(column),
            Self::RepeatedKey { columns } => columns.first(),
            Self::Check(rule) => rule.columns().first(),
            Self::Schema { .. } | Self::Json(_) => None,
        }
    }

    /// The type that the value does not fit.
    #[must_use]
    pub fn expected(&self) -> Option<&ColumnType> {
        match self {
            Self::Type { expected, .. } | Self::FieldType { expected, .. } => Some(expected),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.table;
        match &self.rule {
            Rule::Type { column, expected } => {
                write!(f, "`{column}` in {table} does not fit {expected}")
            }
            Rule::FieldType { column, field, expected } => {
                write!(f, "`{}` in {table} does not fit {expected}", field_path(column, field))
            }
            Rule::PrimaryKey { column } => {
                write!(f, "the primary key `{column}` of {table} is null")
            }
            Rule::RepeatedKey { columns } => {
                let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
                write!(f, "the primary key `{}` of {table} is there twice", names.join(", "))
            }
            Rule::Schema { path } => {
                write!(f, "`{}` is not in the schema of {table}", ShownPath(path))
            }
            Rule::Check(rule) => write!(f, "{table} breaks {rule}"),
            Rule::Json(reason) => f.write_str(reason),
        }
    }
}

/// A field as definitions write it, as in `lines.price`.
pub(crate) fn field_path(column: &ColumnName, field: &[ColumnName]) -> String {
    let names: Vec<&str> = [column].into_iter().chain(field).map(ColumnName::as_str).collect();
    names.join(".")
}

/// All reasons about a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasons {
    /// The first of them.
    pub told: Vec<Reason>,
    /// How many more there are.
    pub more: u64,
}

impl Reasons {
    pub(crate) fn add(&mut self, reason: Reason) {
        if self.told.contains(&reason) {
            return;
        }
        if self.told.len() < MOST_TOLD {
            self.told.push(reason);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn extend(&mut self, others: Self) {
        others.told.into_iter().for_each(|reason| self.add(reason));
        self.more += others.more;
    }
}

impl From<Reason> for Reasons {
    fn from(reason: Reason) -> Self {
        Self { told: vec![reason], more: 0 }
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, reason) in self.told.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{reason}")?;
        }
        if self.more > 0 {
            write!(f, ", and {} more", self.more)?;
        }
        Ok(())
    }
}

/// The place of one value in a record.
pub type Place = Vec<PlaceStep>;

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceStep {
    /// The value of a key.
    Key(String),
    /// The item at a position of a list; an object in place of a list is item 0.
    Item(u32),
}

/// Where the rows of one frame are in their records.
pub(crate) struct RowOrigin<'l> {
    /// The frame of the parents' rows; none for records.
    pub(crate) parent: Option<usize>,
    /// The path from a parent's row to the list.
    pub(crate) path: &'l [Step],
    /// For each row, its parent's row.
    pub(crate) parents: Vec<u32>,
    /// For each row, its position in the list.
    pub(crate) positions: Vec<u32>,
}

/// Where the rows of the frames of a chunk are in their records.
#[derive(Default)]
pub(crate) struct RowOrigins<'l>(pub(crate) Vec<RowOrigin<'l>>);

impl RowOrigins<'_> {
    /// The place of the value at a path from a row of a frame.
    pub(crate) fn place(&self, frame: usize, row: u32, path: &[Step]) -> Place {
        let mut place = Place::new();
        let RowOrigin { parent, path: within, parents, positions } = &self.0[frame];
        if let Some(parent) = parent {
            place = self.place(*parent, parents[row as usize], within);
            place.push(PlaceStep::Item(positions[row as usize]));
        }
        // A list item that is not an object is a row itself, so its place is the row's.
        place.extend(path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(PlaceStep::Key(key.clone())),
            Step::Item => None,
        }));
        place
    }
}
