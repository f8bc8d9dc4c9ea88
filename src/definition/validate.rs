//! From the definition as typed to the pipeline as meant. Pure; finds every problem it can.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use indexmap::IndexMap;
use toml::Value;
use url::Url;

use super::environment::references;
use super::form::{RawColumn, RawFilter, RawKeySource};
use super::problem::{Problem, suggest};
use super::raw::{Field, RawDefinition, RawDestination, RawSource, RawTable};
use super::{
    Column, ColumnName, ColumnType, DestinationUrl, Endpoint, Environment, Filter, JsonPointer,
    KeySource, LandingPolicy, ListStyle, PartitionField, Pipeline, Source, Table, TableName,
    Transform, WriteDisposition,
};

const DEFAULT_BASE_URL: &str = "https://go.procurementflow.com";
const DEFAULT_KEY_VARIABLES: [&str; 2] =
    ["PROCUREMENTFLOW_API_KEY", "PROCUREMENTFLOW_API_KEY_NEXT"];

/// The pipeline that `raw` describes; `None` when it cannot be built. Problems may be found either way.
pub(super) fn pipeline(
    raw: RawDefinition,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Pipeline> {
    let mut checker = Checker { environment, problems, places: HashMap::new() };
    checker.version(raw.version);
    let name = checker.required(raw.name, "name", "name = \"purchasing\"");
    let description = checker.value(raw.description, "description");
    let source = checker.source(raw.source);
    let destination = checker.destination(raw.destination);
    let keep = raw.landing.and_then(|landing| checker.value(landing.keep, "landing.keep"));
    let tables: Vec<Option<Table>> = raw
        .tables
        .into_iter()
        .enumerate()
        .map(|(position, table)| checker.table(table, &format!("tables[{position}]")))
        .collect();
    let tables: Vec<Table> = tables.into_iter().collect::<Option<_>>()?;
    let tables = if tables.is_empty() { checker.only_table(name.as_deref()?) } else { tables };
    checker.relations(&tables);
    Some(Pipeline {
        name: name?,
        description,
        source: source?,
        destination: destination?,
        landing: keep.map_or_else(LandingPolicy::default, |keep| LandingPolicy { keep }),
        tables,
    })
}

struct Checker<'a> {
    environment: &'a Environment,
    problems: &'a mut Vec<Problem>,
    /// Where each key that was looked at stands.
    places: HashMap<String, Range<usize>>,
}

impl Checker<'_> {
    fn report(&mut self, span: Range<usize>, key: &str, message: impl Display, help: impl Display) {
        self.problems.push(Problem::at(span, key, message.to_string(), help.to_string()));
    }

    /// The value of a field that may be left out.
    fn value<T>(&mut self, field: Option<Field<T>>, key: &str) -> Option<T> {
        self.spanned(field, key).map(|(value, _)| value)
    }

    fn spanned<T>(&mut self, field: Option<Field<T>>, key: &str) -> Option<(T, Range<usize>)> {
        let Field { value, span } = field?;
        self.places.insert(key.to_owned(), span.clone());
        match value {
            Ok(value) => Some((value, span)),
            Err(wrong) => {
                self.report(span, key, wrong.message, wrong.help);
                None
            }
        }
    }

    fn required<T>(&mut self, field: Option<Field<T>>, key: &str, example: &str) -> Option<T> {
        if field.is_none() {
            self.problems.push(Problem::missing(key, format!("add `{example}`")));
        }
        self.value(field, key)
    }

    /// A string with its references to the environment replaced.
    fn text(&mut self, field: Option<Field<String>>, key: &str) -> Option<(String, Range<usize>)> {
        let (text, span) = self.spanned(field, key)?;
        match self.environment.expand(&text) {
            Ok(expanded) => Some((expanded, span)),
            Err(error) => {
                self.report(
                    span,
                    key,
                    error,
                    "set the variable, or give a default: `${NAME:-default}`",
                );
                None
            }
        }
    }

    /// A string that has to be of some form.
    fn parsed<T: FromStr>(
        &mut self,
        text: &str,
        span: &Range<usize>,
        key: &str,
        help: impl Display,
    ) -> Option<T>
    where
        T::Err: Display,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(span.clone(), key, error, help);
                None
            }
        }
    }

    /// One of a closed set of words.
    fn choice<T: Copy>(
        &mut self,
        field: Option<Field<String>>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let (word, span) = self.spanned(field, key)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.report(
                span,
                key,
                format!("`{word}` is not a choice here"),
                suggest(&word, &names),
            );
        }
        found
    }

    fn version(&mut self, field: Option<Field<i64>>) {
        let span = field.as_ref().map(|field| field.span.clone());
        if let (Some(version), Some(span)) = (self.required(field, "version", "version = 1"), span)
            && version != 1
        {
            let message = format!("version {version} is not known");
            self.report(span, "version", message, "this flowlake reads `version = 1`");
        }
    }

    fn source(&mut self, raw: Option<RawSource>) -> Option<Source> {
        let Some(raw) = raw else {
            self.problems
                .push(Problem::missing("source", "add a section `[source]` with `endpoint`"));
            return None;
        };
        let api_key = self.key_sources(raw.api_key);
        if raw.endpoint.is_none() {
            let help = "add `endpoint = \"purchasing\"` or `endpoint = \"e-sourcing\"`";
            self.problems.push(Problem::missing("source.endpoint", help));
        }
        let endpoints: [(&str, Endpoint); 2] =
            [(Endpoint::NAMES[0], Endpoint::Purchasing), (Endpoint::NAMES[1], Endpoint::ESourcing)];
        let endpoint = self.choice(raw.endpoint, "source.endpoint", &endpoints);
        let organisation_id = self.organisation_id(raw.organisation_id);
        let base_url = self.base_url(raw.base_url);
        let filters = raw
            .filters
            .into_iter()
            .filter_map(|(name, field)| self.filter(name, field, &api_key))
            .collect();
        let list_style = self.choice(
            raw.list_style,
            "source.list_style",
            &[
                ("repeat", ListStyle::Repeat),
                ("comma", ListStyle::Comma),
                ("brackets", ListStyle::Brackets),
            ],
        );
        Some(Source {
            endpoint: endpoint?,
            organisation_id: organisation_id?,
            base_url: base_url?,
            api_key,
            filters,
            list_style: list_style.unwrap_or_default(),
        })
    }

    fn organisation_id(&mut self, field: Option<Field<String>>) -> Option<String> {
        const KEY: &str = "source.organisation_id";
        if field.is_none() {
            let help = "add `organisation_id = \"${PROCUREMENTFLOW_ORGANISATION_ID}\"`";
            self.problems.push(Problem::missing(KEY, help));
        }
        let (id, span) = self.text(field, KEY)?;
        if id.trim().is_empty() || matches!(id.as_str(), "." | "..") {
            self.report(span, KEY, "this is no organisation id", "it stands in Company Details");
            return None;
        }
        Some(id)
    }

    fn base_url(&mut self, field: Option<Field<String>>) -> Option<Url> {
        const KEY: &str = "source.base_url";
        const HELP: &str = "write scheme and host only, as in `https://go.procurementflow.com`";
        if field.is_none() {
            return Url::parse(DEFAULT_BASE_URL).ok();
        }
        let (text, span) = self.text(field, KEY)?;
        let Ok(url) = Url::parse(&text) else {
            // It may hold a password all the same.
            self.problems.push(Problem::at(span, KEY, "this is not a URL", HELP).hiding_the_line());
            return None;
        };
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            let problem = Problem::at(span, KEY, "there is more here than scheme and host", HELP);
            self.problems.push(problem.hiding_the_line());
            return None;
        }
        if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
            return Some(url);
        }
        let message =
            "the API key would travel in the clear: plain http is for loopback addresses only";
        self.report(span, KEY, message, "use https");
        None
    }

    fn key_sources(&mut self, field: Option<Field<Vec<RawKeySource>>>) -> Vec<KeySource> {
        const KEY: &str = "source.api_key";
        let defaults =
            || DEFAULT_KEY_VARIABLES.map(|name| KeySource::Env(name.to_owned())).to_vec();
        let Some(Field { value, span }) = field else { return defaults() };
        let sources = match value {
            Ok(sources) if !sources.is_empty() => sources,
            _ => {
                // A value of another form may well be the key itself, so neither it nor the reason is shown.
                let message = "a definition says where the key is and never what it is";
                let help = "write `api_key = [{ env = \"PROCUREMENTFLOW_API_KEY\" }]`, \
                            or `{ file = \"/run/secrets/procurementflow\" }`, or `{ command = [\"pass\", \"show\", \"procurementflow\"] }`";
                self.problems.push(Problem::at(span, KEY, message, help).hiding_the_line());
                return defaults();
            }
        };
        sources
            .into_iter()
            .map(|source| match source {
                RawKeySource::Env(name) => KeySource::Env(name),
                RawKeySource::File { path, readable_by_others } => {
                    KeySource::File { path: PathBuf::from(path), readable_by_others }
                }
                RawKeySource::Command(words) => KeySource::Command(words),
            })
            .collect()
    }

    fn filter(
        &mut self,
        name: String,
        field: Field<RawFilter>,
        keys: &[KeySource],
    ) -> Option<Filter> {
        let key = format!("source.filters.{name}");
        let (RawFilter(value), span) = self.spanned(Some(field), &key)?;
        let items = match value {
            Value::Array(items) => items,
            single => vec![single],
        };
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(self.filter_value(item, &span, &key, keys)?);
        }
        Some(Filter { name, values })
    }

    fn filter_value(
        &mut self,
        value: Value,
        span: &Range<usize>,
        key: &str,
        keys: &[KeySource],
    ) -> Option<String> {
        match value {
            Value::String(text) => {
                let is_key = |name: &str| keys.contains(&KeySource::Env(name.to_owned()));
                if references(&text).any(is_key) {
                    let message = "this would put the API key into the URL";
                    self.report(
                        span.clone(),
                        key,
                        message,
                        "the key is sent as a header, nothing to write",
                    );
                    return None;
                }
                self.text(Some(Field { value: Ok(text), span: span.clone() }), key)
                    .map(|(text, _)| text)
            }
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Boolean(flag) => Some(flag.to_string()),
            Value::Datetime(moment) => Some(moment.to_string()),
            Value::Array(_) | Value::Table(_) => {
                let message =
                    "a filter is a text, a number, true or false, a date, or a list of these";
                self.report(
                    span.clone(),
                    key,
                    message,
                    "write for example `status = [\"approved\", \"sent\"]`",
                );
                None
            }
        }
    }

    fn destination(&mut self, raw: Option<RawDestination>) -> Option<DestinationUrl> {
        const KEY: &str = "destination.url";
        const HELP: &str = "write a directory, as in `lake/purchasing`, or `s3://bucket/prefix`";
        let raw = raw.unwrap_or(RawDestination { url: None, format: None });
        self.choice(raw.format, "destination.format", &[("parquet", ())]);
        if raw.url.is_none() {
            self.problems.push(Problem::missing(KEY, HELP));
        }
        let (text, span) = self.text(raw.url, KEY)?;
        let destination = parse_destination(&text);
        if destination.is_none() {
            self.report(span, KEY, "this is no destination", HELP);
        }
        destination
    }

    fn table(&mut self, raw: RawTable, at: &str) -> Option<Table> {
        let key = |name: &str| format!("{at}.{name}");
        self.keys_of_a_parent(&raw, at);
        if raw.name.is_none() {
            self.problems.push(Problem::missing(key("name"), "add `name = \"purchase_orders\"`"));
        }
        let name = self.name::<TableName>(raw.name, &key("name"));
        let parent = self.name::<TableName>(raw.parent, &key("parent"));
        let records = self.pointer(raw.records, &key("records"));
        let primary_key = self.column_names(raw.primary_key, &key("primary_key"));
        let write_disposition = self.choice(
            raw.write_disposition,
            &key("write_disposition"),
            &[("replace", WriteDisposition::Replace), ("append", WriteDisposition::Append)],
        );
        let partition_by = self.partition_fields(raw.partition_by, &key("partition_by"));
        let sort_by = self.column_names(raw.sort_by, &key("sort_by"));
        let description = self.value(raw.description, &key("description"));
        let columns = self.columns(raw.columns, &key("columns"));
        Some(Table {
            name: name?,
            parent,
            records,
            primary_key,
            write_disposition: write_disposition.unwrap_or_default(),
            partition_by,
            sort_by,
            description,
            columns,
        })
    }

    /// What a child table has from its parent cannot be said again.
    fn keys_of_a_parent(&mut self, raw: &RawTable, at: &str) {
        if raw.parent.is_none() {
            return;
        }
        let names = raw.primary_key.as_ref().map(|field| &field.span);
        let partitions = raw.partition_by.as_ref().map(|field| &field.span);
        let disposition = raw.write_disposition.as_ref().map(|field| &field.span);
        for (name, span, reason) in [
            ("primary_key", names, "a child row's key is its parent's key and its position"),
            ("partition_by", partitions, "a child table is partitioned as its parent is"),
            ("write_disposition", disposition, "a child table is written as its parent is"),
        ] {
            if let Some(span) = span {
                let help = format!("leave `{name}` out");
                self.report(span.clone(), &format!("{at}.{name}"), reason, help);
            }
        }
    }

    /// The table of a definition that declares none: it is called like the pipeline.
    fn only_table(&mut self, pipeline: &str) -> Vec<Table> {
        let name = pipeline.to_lowercase().replace(['-', ' '], "_");
        match name.parse() {
            Ok(name) => vec![Table::named(name)],
            Err(error) => {
                let help = "declare the table: `[[tables]]` with `name = \"purchase_orders\"`";
                self.relation("tables", format!("no table is declared, and {error}"), help);
                Vec::new()
            }
        }
    }

    fn name<T: FromStr>(&mut self, field: Option<Field<String>>, key: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let (text, span) = self.spanned(field, key)?;
        self.parsed(&text, &span, key, "write it like `purchase_orders`")
    }

    fn pointer(&mut self, field: Option<Field<String>>, key: &str) -> Option<JsonPointer> {
        let (text, span) = self.spanned(field, key)?;
        self.parsed(
            &text,
            &span,
            key,
            format!("write `/{}`", text.trim_start_matches(['$', '.', '/'])),
        )
    }

    fn column_names(&mut self, field: Option<Field<Vec<String>>>, key: &str) -> Vec<ColumnName> {
        let Some((names, span)) = self.spanned(field, key) else { return Vec::new() };
        names
            .iter()
            .filter_map(|name| {
                self.parsed(
                    name,
                    &span,
                    key,
                    "use the column's name in the table, like `created_at`",
                )
            })
            .collect()
    }

    fn partition_fields(
        &mut self,
        field: Option<Field<Vec<String>>>,
        key: &str,
    ) -> Vec<PartitionField> {
        let Some((fields, span)) = self.spanned(field, key) else { return Vec::new() };
        fields
            .iter()
            .filter_map(|text| {
                let field = parse_partition_field(text);
                if field.is_none() {
                    let help = "write `status`, `year(created_at)`, `month(created_at)` or `day(created_at)`";
                    self.report(span.clone(), key, format!("`{text}` is no partition"), help);
                }
                field
            })
            .collect()
    }

    fn columns(
        &mut self,
        raw: IndexMap<String, Field<RawColumn>>,
        key: &str,
    ) -> IndexMap<ColumnName, Column> {
        raw.into_iter()
            .filter_map(|(name, field)| {
                let key = format!("{key}.{name}");
                let span = field.span.clone();
                let column = self.value(Some(field), &key)?;
                let name = self.parsed(&name, &span, &key, "write it like `total_amount`")?;
                Some((name, self.column(column, &span, &key)?))
            })
            .collect()
    }

    fn column(&mut self, raw: RawColumn, span: &Range<usize>, key: &str) -> Option<Column> {
        let column_type = match raw.column_type {
            Some(text) => {
                let help = format!("choose one of {}", ColumnType::FORMS.join(", "));
                Some(self.parsed(&text, span, key, help)?)
            }
            None => None,
        };
        let from = match raw.from {
            Some(text) => {
                Some(self.parsed(&text, span, key, "write `from = \"/supplier/name\"`")?)
            }
            None => None,
        };
        Some(Column { column_type, from, exclude: raw.exclude, description: raw.description })
    }

    /// What can only be seen with all tables in view.
    fn relations(&mut self, tables: &[Table]) {
        let mut seen = HashSet::new();
        for (position, table) in tables.iter().enumerate() {
            let key = format!("tables[{position}]");
            if !seen.insert(&table.name) {
                let message = format!("two tables are called `{}`", table.name);
                self.relation(&key, message, "give each table a name of its own");
            }
            self.parentage(&key, table, tables);
            self.excluded_columns(&key, table);
        }
        self.places_of_records(tables);
    }

    /// With several tables, each has to say where its records are; a place that was written and is wrong has
    /// been reported already.
    fn places_of_records(&mut self, tables: &[Table]) {
        let roots = tables.iter().enumerate().filter(|(_, table)| table.parent.is_none());
        let roots: Vec<(usize, &Table)> = roots.collect();
        for (position, table) in &roots {
            let key = format!("tables[{position}].records");
            if roots.len() > 1 && table.records.is_none() && !self.places.contains_key(&key) {
                let message =
                    format!("`{}` is one of several tables and does not say where", table.name);
                self.relation(
                    &key,
                    message,
                    "add `records = \"/purchaseOrders\"`, its place in the export",
                );
            }
        }
    }

    fn parentage(&mut self, key: &str, table: &Table, tables: &[Table]) {
        let Some(parent) = &table.parent else { return };
        if !tables.iter().any(|other| other.name == *parent) {
            let names: Vec<&str> = tables.iter().map(|other| other.name.as_str()).collect();
            let message = format!("there is no table `{parent}`");
            self.relation(&format!("{key}.parent"), message, &suggest(parent.as_str(), &names));
        } else if has_cycle(table, tables) {
            let message = format!("`{}` is its own ancestor", table.name);
            self.relation(&format!("{key}.parent"), message, "a parent stands above its children");
        }
        let place = format!("{key}.records");
        let written = self.places.contains_key(&place);
        if table.records.as_ref().map_or(!written, |pointer| pointer.keys().is_empty()) {
            let help = "add `records = \"/items\"`, the list inside the parent's record";
            self.relation(&place, "a child table needs its place".to_owned(), help);
        }
    }

    fn excluded_columns(&mut self, key: &str, table: &Table) {
        let excluded =
            |name: &ColumnName| table.columns.get(name).is_some_and(|column| column.exclude);
        let used = (table.primary_key.iter().map(|name| ("primary_key", name)))
            .chain(table.partition_by.iter().map(|field| ("partition_by", &field.column)))
            .chain(table.sort_by.iter().map(|name| ("sort_by", name)));
        for (used_as, name) in used.filter(|(_, name)| excluded(name)) {
            let message = format!("`{name}` is excluded from the table");
            self.relation(
                &format!("{key}.{used_as}"),
                message,
                "keep the column, or leave it out here",
            );
        }
    }

    /// A problem of a key that was read before, or, when it is missing, of the table it is missing in.
    fn relation(&mut self, key: &str, message: String, help: &str) {
        let table = key.split('.').next().unwrap_or(key);
        let place = self.places.get(key).or_else(|| self.places.get(&format!("{table}.name")));
        self.problems.push(Problem {
            span: place.cloned(),
            key: key.to_owned(),
            message,
            help: help.to_owned(),
            sensitive: false,
        });
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn parse_destination(text: &str) -> Option<DestinationUrl> {
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        return (!bucket.is_empty()).then(|| DestinationUrl::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        });
    }
    if text.trim().is_empty() || text.contains("://") {
        return None;
    }
    Some(DestinationUrl::Local(PathBuf::from(text)))
}

fn parse_partition_field(text: &str) -> Option<PartitionField> {
    let (transform, column) = match text.trim().split_once('(') {
        None => (Transform::Identity, text.trim()),
        Some((function, rest)) => {
            let transform = match function {
                "year" => Transform::Year,
                "month" => Transform::Month,
                "day" => Transform::Day,
                _ => return None,
            };
            (transform, rest.strip_suffix(')')?.trim())
        }
    };
    Some(PartitionField { column: column.parse().ok()?, transform })
}

fn has_cycle(table: &Table, tables: &[Table]) -> bool {
    let mut ancestor = table.parent.as_ref();
    for _ in 0..tables.len() {
        let Some(name) = ancestor else { return false };
        ancestor =
            tables.iter().find(|other| other.name == *name).and_then(|other| other.parent.as_ref());
    }
    ancestor.is_some()
}
