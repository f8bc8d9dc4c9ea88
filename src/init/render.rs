//! Renders a proposal as a commented definition.

use std::fmt::Write;

use super::propose::{Proposal, ProposedTable};

/// The parts of a definition above its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The pipeline's name.
    pub name: String,
    /// `purchasing` or `e-sourcing`.
    pub endpoint: String,
}

const INTRODUCTION: &str = "\
# Written by `flowlake init` from one export. Read it once:
# - `?` marks what one export cannot show.
# - Types that are not declared are inferred from every record. Declare those that must not change.
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
    let name = quoted(&heading.name);
    let endpoint = quoted(&heading.endpoint);
    let url = quoted(&format!("lake/{}", heading.name));
    let mut text = format!(
        "{INTRODUCTION}\nversion = 1\nname = {name}\n\n\
         [source]\nendpoint = {endpoint}\norganisation_id = \"${{PROCUREMENTFLOW_ORGANISATION_ID}}\"\n\
         base_url = \"${{PROCUREMENTFLOW_BASE_URL:-https://go.procurementflow.com}}\"\n\n\
         {FILTERS}\n[destination]\nurl = {url}          # or s3://bucket/prefix\n"
    );
    for table in &proposal.tables {
        text.push('\n');
        text.push_str(&render_table(table));
    }
    text
}

fn render_table(table: &ProposedTable) -> String {
    let mut text = String::new();
    let Some(records) = &table.records else {
        let columns = column_comment(table);
        return format!(
            "# Lists inside lists of `{}` become a child table without a declaration, {}.\n{columns}",
            table.name,
            records_count(table.rows)
        );
    };
    line(&mut text, format_args!("[[tables]]"));
    line(
        &mut text,
        format_args!(
            "name = {}          # {}",
            quoted(table.name.as_str()),
            records_count(table.rows)
        ),
    );
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
    }
    text.push_str(&column_comment(table));
    let declared: Vec<_> = table.columns.iter().filter(|column| column.declare).collect();
    if !declared.is_empty() {
        line(&mut text, format_args!("\n[tables.columns]"));
        for column in declared {
            let column_type = quoted(&column.column_type.to_string());
            line(&mut text, format_args!("{} = {column_type}", key(column.name.as_str())));
        }
    }
    text
}

fn render_keys(table: &ProposedTable) -> String {
    let mut text = String::new();
    if table.primary_key.is_empty() {
        let advice =
            "no column is unique; without a key a row gets `_flowlake_id`, a hash of its record";
        line(&mut text, format_args!("# ? primary_key = [\"…\"]: {advice}"));
    } else {
        let names: Vec<String> =
            table.primary_key.iter().map(|name| quoted(name.as_str())).collect();
        line(
            &mut text,
            format_args!("primary_key = [{}]          # ? unique in this export", names.join(", ")),
        );
    }
    match &table.partition_by {
        Some(column) => {
            let field = quoted(&format!("month({column})"));
            line(&mut text, format_args!("partition_by = [{field}]"));
        }
        None => line(
            &mut text,
            format_args!("# ? partition_by = [\"month(…)\"]: no date is present in every record"),
        ),
    }
    text
}

/// The columns with their types, as comments.
fn column_comment(table: &ProposedTable) -> String {
    let mut text = String::new();
    for column in table.columns.iter().filter(|column| !column.declare) {
        let remark = if column.always_null { ", ? always null here" } else { "" };
        line(&mut text, format_args!("#   {}: {}{remark}", column.name, column.column_type));
    }
    text
}

fn records_count(rows: usize) -> String {
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

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
