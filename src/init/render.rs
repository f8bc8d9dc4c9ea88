//! Renders a proposal as a commented definition.

use std::fmt::Write;

use super::names::is_change;
use super::propose::{Proposal, ProposedColumn, ProposedTable};
use super::reading::Reading;
use crate::schema::{ColumnName, ColumnType};
use crate::shown::{self, toml_string as quoted};

/// The parts of a definition above its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The pipeline's name.
    pub name: String,
    /// `purchasing` or `e-sourcing`.
    pub endpoint: String,
}

const VARIABLES: &str = "\
#
#   export PROCUREMENTFLOW_ORGANISATION_ID=…    # Company Details
#   export PROCUREMENTFLOW_API_KEY=…            # Company Details → Add new API key
";

const FILTERS: &str = "\
# ? Query parameters, named exactly as your account documents them.
# [source.filters]
# status = [\"approved\", \"sent\"]
";

/// The text of a definition.
#[must_use]
pub fn render(heading: &Heading, proposal: &Proposal) -> String {
    let introduction = introduction(proposal);
    let name = quoted(&heading.name);
    let endpoint = quoted(&heading.endpoint);
    let url = quoted(&format!("lake/{}", heading.name));
    let mut text = format!(
        "{introduction}{VARIABLES}\nversion = 1\nname = {name}\n\n\
         [source]\nendpoint = {endpoint}\norganisation_id = \"${{PROCUREMENTFLOW_ORGANISATION_ID}}\"\n\
         base_url = \"${{PROCUREMENTFLOW_BASE_URL:-https://go.procurementflow.com}}\"\n\n\
         {FILTERS}\n[destination]\nurl = {url}          # or s3://bucket/prefix\n"
    );
    text.push_str(&render_envelope(proposal));
    for table in &proposal.tables {
        text.push('\n');
        text.push_str(&render_table(table));
    }
    text
}

/// What a person has to look at, in plain words.
fn introduction(proposal: &Proposal) -> String {
    let roots = proposal.tables.iter().filter(|table| table.parent.is_none());
    let records = records_count(roots.clone().map(|table| table.rows).sum());
    let has = |is_such: fn(&ProposedTable) -> bool| roots.clone().any(is_such);
    let columns = proposal.tables.iter().flat_map(|table| &table.columns);
    let reads = |is_such: fn(&Reading) -> bool| columns.clone().any(|it| is_such(&it.reading));
    let points = [
        (
            proposal.is_one_record,
            "There is no array of objects in it: is the response the one that you expect?",
        ),
        (
            !proposal.not_whole.is_empty(),
            "The export says that it is not whole: a run refuses such a response.",
        ),
        (
            has(|table| !table.primary_key.is_empty()),
            "Keys: is each unique for ever, and not only in this export?",
        ),
        (
            has(|table| table.primary_key.is_empty()),
            "Tables without a key: which columns identify a record?",
        ),
        (
            has(|table| table.cursor.is_some()),
            "Cursors: does the source set them at every change of a record?",
        ),
        (
            has(|table| table.partition_by.is_some()),
            "Partitions: is it the date that most questions ask for, and does it stay as it is?",
        ),
        (
            columns.clone().any(ProposedColumn::is_declared),
            "Declared types and formats: a later record that does not fit goes to quarantine.",
        ),
        (
            reads(|reading| matches!(reading, Reading::Ambiguous { .. })),
            "Dates that can be read in several ways: they stay text until you say which.",
        ),
        (
            has(|table| table.unreadable > 0),
            "Records that no table can take: ask the source what they are.",
        ),
        (true, "Other types are inferred from every record: declare those that must not change."),
        (true, "Bank accounts, personal data: leave out what you must not keep, with `exclude`."),
    ];
    let mut text = format!(
        "# Written by `flowlake init` from one export of {records}. Before the first run a person has to look at it;\n\
         # `?` marks what one export cannot show:\n"
    );
    for (_, point) in points.into_iter().filter(|(applies, _)| *applies) {
        line(&mut text, format_args!("# - {point}"));
    }
    text
}

/// What in the export would make a run refuse it, and how to load it all the same.
fn render_envelope(proposal: &Proposal) -> String {
    let mut text = String::new();
    if proposal.not_whole.is_empty() {
        return text;
    }
    text.push('\n');
    for sign in &proposal.not_whole {
        line(&mut text, format_args!("# ? {}.", shown::line(&sign.message)));
    }
    text.push_str(
        "# A run refuses such a response. Ask for all of it; or, if it is whole all the same:\n",
    );
    let pointers = proposal.not_whole.iter().map(|sign| quoted(&sign.pointer.to_string()));
    let pointers: Vec<String> = pointers.collect();
    line(&mut text, format_args!("# [source.envelope]\n# ignore = [{}]", pointers.join(", ")));
    text
}

fn render_table(table: &ProposedTable) -> String {
    let mut text = String::new();
    let count = records_count(table.rows);
    let Some(records) = &table.records else {
        let columns = column_comment(table);
        return format!(
            "# Lists inside lists of `{}` become a child table without a declaration, {count}.\n{columns}",
            table.name,
        );
    };
    line(&mut text, format_args!("[[tables]]"));
    line(&mut text, format_args!("name = {}          # {count}", quoted(table.name.as_str())));
    if let Some(parent) = &table.parent {
        line(&mut text, format_args!("parent = {}", quoted(parent.as_str())));
    }
    line(&mut text, format_args!("records = {}", quoted(&records.to_string())));
    if let Some(keys) = &table.keys {
        let comment = "# ? the keys of this object look like data; name what they are";
        line(&mut text, format_args!("keys = {}          {comment}", quoted(keys.as_str())));
    }
    if table.parent.is_none() {
        text.push_str(&render_keys(table));
        text.push_str(&render_partitions(table));
    }
    if table.unreadable > 0 {
        let unreadable = records_count(table.unreadable);
        let reason = "no objects, or no column can hold them";
        line(&mut text, format_args!("# ? {unreadable} more would go to quarantine: {reason}"));
    }
    text.push_str(&column_comment(table));
    text.push_str(&render_columns(table));
    text
}

fn render_keys(table: &ProposedTable) -> String {
    let mut text = String::new();
    if table.primary_key.is_empty() {
        let near = table.near_key.as_ref();
        let found = near.map_or("no column is unique".to_owned(), |name| {
            format!("no column is unique, `{name}` is not")
        });
        let advice = "without a key a row gets `_flowlake_id`, a hash of its record";
        line(&mut text, format_args!("# ? primary_key = [\"…\"]: {found}; {advice}"));
    } else {
        let names: Vec<String> =
            table.primary_key.iter().map(|name| quoted(name.as_str())).collect();
        line(
            &mut text,
            format_args!("primary_key = [{}]          # ? unique in this export", names.join(", ")),
        );
    }
    if let Some(cursor) = &table.cursor {
        let comment = "# ? of two versions of a record the later one is loaded";
        line(&mut text, format_args!("cursor = {}          {comment}", quoted(cursor.as_str())));
    }
    text
}

fn render_partitions(table: &ProposedTable) -> String {
    let mut text = String::new();
    let Some((transform, column)) = &table.partition_by else {
        let reason = if table.rows == 0 {
            "no record"
        } else if table.columns.iter().any(|it| matches!(it.reading, Reading::Ambiguous { .. })) {
            "no date in every record that can be read in one way only"
        } else {
            "no date is in every record"
        };
        line(&mut text, format_args!("# ? partition_by = [\"month(…)\"]: {reason}"));
        return text;
    };
    let field = quoted(&format!("{transform}({column})"));
    let remark = if is_change(column) {
        "          # ? when it changes, the record moves to another partition"
    } else if table.fills(column) {
        ""
    } else {
        "          # ? a few records lack it, and share a partition"
    };
    line(&mut text, format_args!("partition_by = [{field}]{remark}"));
    if !table.other_dates.is_empty() {
        let others: Vec<&str> = table.other_dates.iter().map(ColumnName::as_str).collect();
        line(&mut text, format_args!("# ? other dates to partition by: {}", others.join(", ")));
    }
    text
}

/// The columns that are not declared with their types, as comments.
fn column_comment(table: &ProposedTable) -> String {
    let mut text = String::new();
    for column in table.columns.iter().filter(|column| !column.is_declared()) {
        let remark = match &column.reading {
            Reading::Ambiguous { example, .. } => {
                format!(", ? {example:?} is a date in several ways: declare it in one of them")
            }
            Reading::Milliseconds => {
                ", ? milliseconds since 1970, it seems, which stay numbers".to_owned()
            }
            _ if column.always_null => ", ? always null here".to_owned(),
            _ => String::new(),
        };
        line(&mut text, format_args!("#   {}: {}{remark}", column.name, column.column_type));
        if let Reading::Ambiguous { column_type, formats, .. } = &column.reading {
            for format in formats {
                let declared = declaration(&column_type.to_string(), Some(format), false);
                line(&mut text, format_args!("#     {} = {declared}", key(column.name.as_str())));
            }
        }
    }
    text
}

fn render_columns(table: &ProposedTable) -> String {
    let mut text = String::new();
    for column in table.columns.iter().filter(|column| column.is_declared()) {
        let remark = match &column.reading {
            Reading::Decimal { quoted: true } => "numbers in quotes".to_owned(),
            Reading::Dates { format: Some(format), example } => {
                let is_local = column.column_type == ColumnType::Timestamp
                    && !(format.contains("%z") || format == "%s");
                let zone = if is_local { "; read as UTC without a `timezone`" } else { "" };
                format!("as in {example:?}{zone}")
            }
            _ => String::new(),
        };
        let blank = if column.blank_is_null { "an empty text is null" } else { "" };
        let remarks: Vec<&str> =
            [remark.as_str(), blank].into_iter().filter(|it| !it.is_empty()).collect();
        let comment = if remarks.is_empty() {
            String::new()
        } else {
            format!("          # ? {}", remarks.join("; "))
        };
        let format = match &column.reading {
            Reading::Dates { format, .. } => format.as_deref(),
            _ => None,
        };
        let declared = declaration(&column.column_type.to_string(), format, column.blank_is_null);
        line(&mut text, format_args!("{} = {declared}{comment}", key(column.name.as_str())));
    }
    if text.is_empty() { text } else { format!("\n[tables.columns]\n{text}") }
}

/// What a definition says of a column.
fn declaration(column_type: &str, format: Option<&str>, blank_is_null: bool) -> String {
    let column_type = quoted(column_type);
    if format.is_none() && !blank_is_null {
        return column_type;
    }
    let formats = format.map(|format| format!(", formats = [{}]", quoted(format)));
    let null_values = if blank_is_null { ", null_values = [\"\"]" } else { "" };
    format!("{{ type = {column_type}{}{null_values} }}", formats.unwrap_or_default())
}

pub(super) fn records_count(rows: usize) -> String {
    if rows == 1 { "1 record".to_owned() } else { format!("{rows} records") }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}

/// A TOML key, bare where possible.
fn key(name: &str) -> String {
    let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { name.to_owned() } else { quoted(name) }
}
