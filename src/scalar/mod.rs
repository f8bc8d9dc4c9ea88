//! What a JSON scalar is, exactly: the digits of a number, the instant of a text, and the facts about all
//! the values of a column from which its type follows.
//!
//! Pure functions over text. Nothing here rounds: what cannot be represented is `None`.

mod decimal;
mod facts;
mod temporal;

pub use decimal::{Fraction, NumberText, parse_decimal, parse_float};
pub use facts::{Facts, Numbers, Texts};
pub use temporal::{
    TimestampForm, date_of, format_date, format_timestamp, parse_date, parse_timestamp,
};
