//! Why the export guard refuses an export.

use crate::definition::{Share, Size};
use crate::exit_code::{ExitCode, Failure};
use crate::schema::{ColumnName, ColumnType, JsonPointer, PartitionKey, RunId, TableName, Window};

/// The guard refused an export, or a retry of quarantined records. No table has changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum GuardError {
    #[error("the export has no records for table `{table}`, which has {rows} rows")]
    Emptied { table: TableName, rows: u64 },
    #[error("no record of the export has rows for table `{table}`, which has {rows} rows")]
    ChildEmptied { table: TableName, rows: u64 },
    #[error(
        "the export has {records} records for table `{table}`, fewer than `limits.min_records`, which is {least}"
    )]
    TooFew { table: TableName, records: u64, least: u64 },
    #[error(
        "the export has {records} records for table `{table}`, down from {before} in the last run: \
         `limits.max_shrink` allows {most}"
    )]
    Shrunk { table: TableName, records: u64, before: u64, most: Share },
    #[error(
        "the export has one object {} for table `{table}`, which had {records} records: it is no list",
        place.place_in_export()
    )]
    OneObject { table: TableName, place: JsonPointer, records: u64 },
    #[error(
        "{quarantined} of {received} records would go to quarantine, more than `limits.max_quarantined` allows; \
         the first: {reasons}"
    )]
    TooManyQuarantined { quarantined: u64, received: u64, reasons: String },
    #[error(
        "none of the {values} values of column `{column}` of table `{table}` is {column_type} any more"
    )]
    ColumnChanged { table: TableName, column: ColumnName, column_type: ColumnType, values: u64 },
    #[error(
        "{rows} rows of table `{table}` fail the check {rule}; the first is in the record at byte {first} of the export"
    )]
    BrokenCheck { table: TableName, rule: String, rows: u64, first: u64 },
    #[error(
        "table `{table}` has quarantined records, and `overwrite_partitions` tables cannot retry them alone"
    )]
    RetryOverwritten { table: TableName },
    #[error(
        "the export that run {run} received is not the last, and would replace partitions of table `{table}` that later \
         runs have loaded"
    )]
    OverwrittenByOlder { table: TableName, run: RunId },
    #[error(
        "the export of the window {window} has records for partition `{partition}` of table `{table}`, which is outside the window"
    )]
    OutsideWindow { table: TableName, partition: PartitionKey, window: Window },
    #[error(
        "the export has records for more than {most} partitions of table `{table}`, the limit of `limits.max_partitions`"
    )]
    TooManyPartitions { table: TableName, most: usize },
    #[error(
        "{records} records or more would wait in quarantine for table `{table}`: with 1 kB for the reasons of each, \
         that is more than {most}, the limit of `limits.max_waiting`"
    )]
    TooMuchWaits { table: TableName, records: u64, most: Size },
    #[error("no record of table `{table}` has the cursor `{cursor}`")]
    NoCursor { table: TableName, cursor: ColumnName },
    #[error(
        "the cursor `{cursor}` of table `{table}` is {column_type}, which has no order in time"
    )]
    UnfitCursor {
        table: TableName,
        cursor: ColumnName,
        column_type: ColumnType,
        /// The declaration that fits all of its values.
        declaration: Option<&'static str>,
    },
    #[error("nothing in the export is called `{column}`, which `{table}` excludes")]
    NothingExcluded { table: TableName, column: ColumnName, nearest: Option<String> },
    #[error("none of the {records} records fits table `{table}`; the first: {reasons}")]
    NothingFits { table: TableName, records: u64, reasons: String },
}

const CHILD_EMPTIED_HELP: &str = "the tables are as they were; look whether the source has renamed the list; if this table is \
     meant to be empty, run once with `--allow-shrink`";

fn nothing_excluded(column: &ColumnName, nearest: Option<&str>) -> String {
    let meant = nearest.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
    format!(
        "{meant}no table was written; correct the name, or write `{column} = {{ exclude = true, optional = true }}`"
    )
}

impl Failure for GuardError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Emptied { .. }
            | Self::ChildEmptied { .. }
            | Self::TooFew { .. }
            | Self::Shrunk { .. }
            | Self::OneObject { .. }
            | Self::OutsideWindow { .. }
            | Self::TooManyPartitions { .. }
            | Self::TooMuchWaits { .. }
            | Self::NoCursor { .. }
            | Self::UnfitCursor { .. }
            | Self::ColumnChanged { .. }
            | Self::BrokenCheck { .. } => ExitCode::Export,
            Self::NothingFits { .. } | Self::TooManyQuarantined { .. } => ExitCode::Partial,
            Self::RetryOverwritten { .. }
            | Self::OverwrittenByOlder { .. }
            | Self::NothingExcluded { .. } => ExitCode::Usage,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::NothingExcluded { column, nearest, .. } => {
                return Some(nothing_excluded(column, nearest.as_deref()));
            }
            Self::Emptied { .. } => {
                "the tables are as they were; if this one is meant to be empty, run once with `--allow-shrink`"
            }
            Self::ChildEmptied { .. } => CHILD_EMPTIED_HELP,
            Self::TooFew { .. } | Self::Shrunk { .. } | Self::OneObject { .. } => {
                "the tables are as they were; if the export is right, run once with `--allow-shrink`"
            }
            Self::OutsideWindow { .. } => {
                "the tables are as they were; filter by the column that the table is partitioned by, \
                 or write `write_disposition = \"merge\"`"
            }
            Self::TooManyPartitions { .. } => {
                "the tables are as they were; partition by `year()` or `month()` or by a column with fewer values, \
                 or raise the limit"
            }
            Self::TooMuchWaits { most, .. } => {
                let larger = Size::from_bytes(most.bytes().saturating_mul(4));
                return Some(format!(
                    "nothing has changed: correct the declared types and keys of the table, or look at what waits already \
                     with `flowlake quarantine list`; if so many are to wait, write `max_waiting = \"{larger}\"` under `[limits]`"
                ));
            }
            Self::BrokenCheck { .. } => {
                "the tables are as they were; look at the source, or set the check to `quarantine` or `warn`"
            }
            Self::TooManyQuarantined { .. } => {
                "the tables are as they were; correct the declared types or keys, or raise the limit"
            }
            Self::NoCursor { .. } => {
                "the tables are as they were; correct `cursor`, or give the column the field's new name: \
                 `name = { from = \"/path\" }` under `[tables.columns]`"
            }
            Self::UnfitCursor { cursor, declaration: Some(declaration), .. } => {
                return Some(format!(
                    "the tables are as they were; declare it in `[tables.columns]`: `{cursor} = {declaration}`"
                ));
            }
            Self::UnfitCursor { .. } => {
                "the tables are as they were; `cursor` needs a number, a date or a timestamp: name another column, \
                 or declare this one as `timestamp` with its `formats`"
            }
            Self::NothingFits { .. } => {
                "the table is as it was; compare the export with `primary_key` and the declared types"
            }
            Self::ColumnChanged { column, .. } => {
                return Some(format!(
                    "the source has changed: declare the type that the column has now, such as `{column} = \"string\"`"
                ));
            }
            Self::RetryOverwritten { .. } | Self::OverwrittenByOlder { .. } => {
                "run the pipeline again over these partitions, as with `--from` and `--to`, by the corrected definition"
            }
        };
        Some(help.to_owned())
    }
}
