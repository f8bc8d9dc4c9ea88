//! From a pipeline back to the text of a definition that means it.

use std::time::Duration;

use chrono::SecondsFormat;
use toml::{Table as Section, Value};

use super::{
    Check, CheckRule, Column, Contract, ContractMode, Deletes, DestinationUrl, Endpoint, Filter,
    Header, KeySource, Limit, Limits, ListStyle, Nested, OnFailure, Period, Pipeline, Resource,
    RetryLimits, Source, Table, Timeouts, WindowPolicy, WriteDisposition,
};
use crate::store::OptionType;

/// The definition, every key written out.
pub(super) fn to_toml(pipeline: &Pipeline) -> String {
    let mut root = Section::new();
    root.insert("version".into(), Value::Integer(1));
    root.insert("name".into(), text(&pipeline.name));
    insert_some(&mut root, "description", pipeline.description.as_deref().map(text));
    root.insert("source".into(), Value::Table(source(&pipeline.source)));
    let destination = expandable(&pipeline.destination.to_string());
    let mut place = section([("url", destination)]);
    if let Some((section, options)) = store(pipeline) {
        place.insert(section.to_owned(), options);
    }
    root.insert("destination".into(), Value::Table(place));
    let keep = number(pipeline.landing.keep as u64);
    root.insert("landing".into(), Value::Table(section([("keep", keep)])));
    root.insert("limits".into(), Value::Table(limits(&pipeline.limits)));
    let tables = pipeline.tables.iter().map(|declared| Value::Table(table(declared)));
    root.insert("tables".into(), Value::Array(tables.collect()));
    root.to_string()
}

/// The section of the destination's store, and its options.
fn store(pipeline: &Pipeline) -> Option<(&'static str, Value)> {
    let url: DestinationUrl = pipeline.destination.to_string().parse().ok()?;
    let kind = url.kind()?;
    let mut written = Section::new();
    for (key, value) in pipeline.store.iter() {
        let value = match kind.option(key)?.value {
            OptionType::Flag => Value::Boolean(value == "true"),
            OptionType::Count(_) => number(value.parse().ok()?),
            OptionType::Choice(_) => text(value),
            OptionType::Text | OptionType::Url => expandable(value),
        };
        written.insert(key.to_owned(), value);
    }
    (!written.is_empty()).then_some((kind.section, Value::Table(written)))
}

fn section<const N: usize>(entries: [(&str, Value); N]) -> Section {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn insert_some(section: &mut Section, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        section.insert(key.to_owned(), value);
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// The word that a definition has for a choice.
fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], choice: T) -> &'static str {
    words.iter().find(|(_, other)| *other == choice).map_or("", |(word, _)| word)
}

/// A text in which `${` would be read as a reference to the environment.
fn expandable(plain: &str) -> Value {
    Value::String(plain.replace("${", "$${"))
}

fn texts<T: ToString>(items: &[T]) -> Option<Value> {
    let texts = items.iter().map(|item| Value::String(item.to_string()));
    (!items.is_empty()).then(|| Value::Array(texts.collect()))
}

fn limits(limits: &Limits) -> Section {
    let mut written = Section::new();
    let max_quarantined = limits.max_quarantined.map(|limit| match limit {
        Limit::Count(count) => number(count),
        Limit::Share(share) => Value::String(share.to_string()),
    });
    insert_some(&mut written, "max_quarantined", max_quarantined);
    insert_some(&mut written, "min_records", limits.min_records.map(number));
    let max_shrink = limits.max_shrink.map(|share| Value::String(share.to_string()));
    insert_some(&mut written, "max_shrink", max_shrink);
    let max_size = limits.max_size.map(|size| Value::String(size.to_string()));
    insert_some(&mut written, "max_size", max_size);
    let max_partitions = limits.max_partitions.map(|most| number(most.into()));
    insert_some(&mut written, "max_partitions", max_partitions);
    written
}

fn source(source: &Source) -> Section {
    let list_style = word(&ListStyle::WORDS, source.list_style);
    let keys = source.api_key.iter().map(|place| Value::Table(key_source(place)));
    let filters = source.filters.iter().map(|Filter { name, values }| {
        let values = values.iter().map(|value| expandable(&value.to_string()));
        (name.clone(), Value::Array(values.collect()))
    });
    let headers = source.headers.iter();
    let headers = headers.map(|Header { name, value }| (name.clone(), expandable(value)));
    let mut written = resource(&source.resource);
    written.extend(section([
        ("base_url", expandable(source.base_url.as_str())),
        ("api_key", Value::Array(keys.collect())),
        ("list_style", text(list_style)),
        ("filters", Value::Table(filters.collect())),
        ("headers", Value::Table(headers.collect())),
        ("timeouts", Value::Table(timeouts(&source.timeouts))),
        ("retry", Value::Table(retry(&source.retry))),
    ]));
    let rate = source.requests_per_minute.map(|rate| number(rate.get().into()));
    insert_some(&mut written, "requests_per_minute", rate);
    insert_some(&mut written, "window", source.window.as_ref().map(|it| Value::Table(window(it))));
    written
}

fn resource(resource: &Resource) -> Section {
    match resource {
        Resource::Export { endpoint, organisation_id } => {
            let endpoint = match endpoint {
                Endpoint::Purchasing => Endpoint::NAMES[0],
                Endpoint::ESourcing => Endpoint::NAMES[1],
            };
            section([
                ("endpoint", text(endpoint)),
                ("organisation_id", expandable(organisation_id)),
            ])
        }
        Resource::Path(segments) => {
            section([("path", expandable(&format!("/{}", segments.join("/"))))])
        }
    }
}

fn window(window: &WindowPolicy) -> Section {
    let start = window.start.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let mut written =
        section([("start", text(&start)), ("lookback", text(&window.lookback.to_string()))]);
    insert_some(&mut written, "step", window.step.map(|step| text(&step.to_string())));
    written
}

fn timeouts(timeouts: &Timeouts) -> Section {
    section([
        ("connect", duration(timeouts.connect)),
        ("idle", duration(timeouts.idle)),
        ("total", duration(timeouts.total)),
    ])
}

fn retry(retry: &RetryLimits) -> Section {
    section([
        ("tries", number(retry.tries.into())),
        ("elapsed", duration(retry.elapsed)),
        ("longest_wait", duration(retry.longest_wait)),
    ])
}

fn duration(duration: Duration) -> Value {
    Value::String(Period::from(duration).to_string())
}

fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn key_source(place: &KeySource) -> Section {
    match place {
        KeySource::Env(name) => section([("env", text(name))]),
        KeySource::File { path, readable_by_others } => section([
            ("file", text(&path.to_string_lossy())),
            ("readable_by_others", Value::Boolean(*readable_by_others)),
        ]),
        KeySource::Command(words) => {
            section([("command", Value::Array(words.iter().map(|word| text(word)).collect()))])
        }
    }
}

fn table(table: &Table) -> Section {
    let mut written = section([("name", text(table.name.as_str()))]);
    insert_some(&mut written, "description", table.description.as_deref().map(text));
    insert_some(&mut written, "parent", table.parent.as_ref().map(|name| text(name.as_str())));
    insert_some(&mut written, "records", table.records.as_ref().map(|it| text(&it.to_string())));
    insert_some(&mut written, "sort_by", texts(&table.sort_by));
    if table.parent.is_none() {
        insert_some(&mut written, "primary_key", texts(&table.primary_key));
        let cursor = table.cursor.as_ref().map(|name| text(name.as_str()));
        insert_some(&mut written, "cursor", cursor);
        written.insert("nested".to_owned(), text(word(&Nested::WORDS, table.nested)));
        insert_some(&mut written, "null_values", texts(&table.null_values));
        let disposition = word(&WriteDisposition::WORDS, table.write_disposition);
        written.insert("write_disposition".to_owned(), text(disposition));
        written.insert("deletes".to_owned(), text(word(&Deletes::WORDS, table.deletes)));
        written.insert("history".to_owned(), Value::Boolean(table.history));
        let fields: Vec<String> = table.partition_by.iter().map(ToString::to_string).collect();
        insert_some(&mut written, "partition_by", texts(&fields));
    }
    let contract = table.contract.map(|it| Value::Table(contract(it)));
    insert_some(&mut written, "schema_contract", contract);
    if !table.checks.is_empty() {
        let checks = table.checks.iter().map(|it| Value::Table(check(it)));
        written.insert("checks".to_owned(), Value::Array(checks.collect()));
    }
    let columns = table.columns.iter();
    let columns = columns.map(|(name, it)| (name.to_string(), Value::Table(column(it))));
    written.insert("columns".to_owned(), Value::Table(columns.collect()));
    written
}

fn check(check: &Check) -> Section {
    let rule = check.rule.word();
    let mut written = match &check.rule {
        CheckRule::NotNull(column) => section([(rule, text(column.as_str()))]),
        CheckRule::Unique(columns) => {
            let mut written = Section::new();
            insert_some(&mut written, rule, texts(columns));
            written
        }
        CheckRule::AcceptedValues { column, values } => {
            let mut written = section([(rule, text(column.as_str()))]);
            let values = values.iter().map(|value| text(value)).collect();
            written.insert("values".to_owned(), Value::Array(values));
            written
        }
        CheckRule::Range { column, min, max } => {
            let mut written = section([(rule, text(column.as_str()))]);
            insert_some(&mut written, "min", min.as_deref().map(text));
            insert_some(&mut written, "max", max.as_deref().map(text));
            written
        }
        CheckRule::Matches { column, pattern } => {
            section([(rule, text(column.as_str())), ("pattern", text(&pattern.to_string()))])
        }
        CheckRule::References { column, to } => {
            section([(rule, text(column.as_str())), ("to", text(&to.to_string()))])
        }
        CheckRule::Sum { of, equals, tolerance } => section([
            (rule, text(&of.to_string())),
            ("equals", text(equals.as_str())),
            ("tolerance", text(&tolerance.to_string())),
        ]),
    };
    let on_failure = word(&OnFailure::WORDS, check.on_failure);
    written.insert("on_failure".to_owned(), text(on_failure));
    written
}

fn contract(contract: Contract) -> Section {
    section([
        ("tables", text(word(&ContractMode::WORDS, contract.tables))),
        ("columns", text(word(&ContractMode::WORDS, contract.columns))),
        ("data_type", text(word(&ContractMode::WORDS, contract.data_type))),
    ])
}

fn column(column: &Column) -> Section {
    let mut written = section([("exclude", Value::Boolean(column.exclude))]);
    let column_type = column.column_type.as_ref().map(|it| text(&it.to_string()));
    insert_some(&mut written, "type", column_type);
    insert_some(&mut written, "from", column.from.as_ref().map(|it| text(&it.to_string())));
    insert_some(&mut written, "description", column.description.as_deref().map(text));
    insert_some(&mut written, "formats", texts(&column.formats));
    written
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::super::{Definition, Environment, LandingPolicy, Template};
    use super::*;
    use crate::schema::{
        ColumnName, ColumnType, JsonPointer, PartitionField, TableName, Transform,
    };
    use crate::store::StoreOptions;

    /// Texts with what is dear to TOML, JSON Pointer and the environment.
    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z]{1,6}", "\\PC{1,8}", "[$\\{\\}\"'\\\\~/\\n#= ]{1,8}"]
    }

    fn column_name() -> impl Strategy<Value = ColumnName> {
        "[a-z_][a-z0-9_]{0,8}".prop_map(|name| name.parse().unwrap())
    }

    fn pointer() -> impl Strategy<Value = JsonPointer> {
        vec(any_text(), 1..3).prop_map(JsonPointer::from_keys)
    }

    fn column_type() -> impl Strategy<Value = ColumnType> {
        let scalar = prop_oneof![
            Just(ColumnType::Bool),
            Just(ColumnType::Timestamp),
            Just(ColumnType::String),
            (1_u8..=38)
                .prop_flat_map(|precision| (Just(precision), 0..=precision))
                .prop_map(|(precision, scale)| ColumnType::Decimal { precision, scale }),
        ];
        (scalar, any::<bool>()).prop_map(|(scalar, list)| {
            if list { ColumnType::List(Box::new(scalar)) } else { scalar }
        })
    }

    fn column() -> impl Strategy<Value = Column> {
        let formats = Just(vec!["%d.%m.%Y".to_owned(), "%Y%m%d".to_owned()]);
        let dates = (Just(ColumnType::Date), formats).prop_map(|(it, formats)| (Some(it), formats));
        let others = option::of(column_type()).prop_map(|it| (it, Vec::new()));
        let typed = prop_oneof![dates, others];
        (typed, option::of(any_text())).prop_map(|((column_type, formats), description)| Column {
            column_type,
            formats,
            description,
            ..Column::default()
        })
    }

    fn key_source() -> impl Strategy<Value = KeySource> {
        prop_oneof![
            "[A-Z_]{1,8}".prop_map(KeySource::Env),
            (any_text(), any::<bool>()).prop_map(|(path, readable_by_others)| KeySource::File {
                path: format!("/run/{path}").into(),
                readable_by_others
            }),
            vec(any_text(), 1..3).prop_map(KeySource::Command),
        ]
    }

    fn template() -> impl Strategy<Value = Template> {
        prop_oneof![
            any_text().prop_filter("no template", |text| !text.contains("{{")
                && !text.contains("{%")
                && !text.contains("{#")),
            Just("{{ window.start | strftime(\"%d\") }}${x}".to_owned()),
            Just("{{ run.date }}".to_owned()),
        ]
        .prop_map(|text| Template::literal(&text))
    }

    fn resource() -> impl Strategy<Value = Resource> {
        let endpoint = prop_oneof![Just(Endpoint::Purchasing), Just(Endpoint::ESourcing)];
        prop_oneof![
            (endpoint, "[a-z$\\{\\}/?]{1,8}").prop_map(|(endpoint, organisation_id)| {
                Resource::Export { endpoint, organisation_id }
            }),
            vec("[a-z$\\{\\} ]{1,8}", 1..4).prop_map(Resource::Path),
        ]
    }

    fn window_policy() -> impl Strategy<Value = WindowPolicy> {
        let step = prop_oneof![Just("P1M"), Just("P2DT3H"), Just("PT0.5S")];
        let start = 0_i64..4_000_000_000;
        (start, 0_u32..9, option::of(step)).prop_map(|(start, lookback, step)| WindowPolicy {
            start: chrono::DateTime::from_timestamp(start, 0).unwrap(),
            lookback: Period::days(lookback),
            step: step.map(|step| step.parse().unwrap()),
        })
    }

    fn duration() -> impl Strategy<Value = Duration> {
        (1_u64..1_000_000_000).prop_map(Duration::from_millis)
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let share =
            || (0_u32..=1_000_000).prop_map(|it| format!("{}.{:04}%", it / 10_000, it % 10_000));
        let limit = prop_oneof![
            (0_u64..1_000_000).prop_map(Limit::Count),
            share().prop_map(|share| Limit::Share(share.parse().unwrap())),
        ];
        let size = (1_u64..1 << 40).prop_map(|bytes| format!("{bytes}B").parse().unwrap());
        let partitions = option::of(1_u32..100_000);
        (option::of(limit), option::of(0_u64..1_000_000), option::of(size), partitions).prop_map(
            |(max_quarantined, min_records, max_size, max_partitions)| Limits {
                max_partitions,
                max_quarantined,
                min_records,
                max_shrink: None,
                max_size,
            },
        )
    }

    fn s3() -> impl Strategy<Value = StoreOptions> {
        let encryption = ("aws:kms(:dsse)?", option::of("[a-z0-9-]{1,36}"));
        let endpoint = "https://[a-z]{3,8}:[1-9]000/";
        let texts = [option::of(any_text()), option::of(any_text())];
        let numbers = (option::of(any::<bool>()), option::of(1_u32..99));
        (option::of(endpoint), texts, option::of(encryption), numbers).prop_map(
            |(endpoint, [region, profile], encryption, (path_style, max_attempts))| {
                let (encryption, kms_key) = encryption.unzip();
                let options = [
                    ("endpoint", endpoint),
                    ("region", region),
                    ("profile", profile),
                    ("server_side_encryption", encryption),
                    ("kms_key", kms_key.flatten()),
                    ("path_style", path_style.map(|it| it.to_string())),
                    ("max_attempts", max_attempts.map(|it| it.to_string())),
                ];
                options.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
            },
        )
    }

    fn source() -> impl Strategy<Value = Source> {
        let filters = vec((any_text(), vec(template(), 0..3)), 0..3).prop_map(|filters| {
            let unique: IndexMap<_, _> = filters.into_iter().collect();
            unique.into_iter().map(|(name, values)| Filter { name, values }).collect()
        });
        let headers = vec(("x-[a-z]{1,8}", "[a-z${} ]{0,8}"), 0..3).prop_map(|headers| {
            let unique: IndexMap<_, _> = headers.into_iter().collect();
            unique.into_iter().map(|(name, value)| Header { name, value }).collect()
        });
        let list_style =
            prop_oneof![Just(ListStyle::Repeat), Just(ListStyle::Comma), Just(ListStyle::Brackets)];
        let timeouts = (duration(), duration(), duration())
            .prop_map(|(connect, idle, total)| Timeouts { connect, idle, total });
        let retry =
            (1_u32..100, duration(), duration()).prop_map(|(tries, elapsed, longest_wait)| {
                RetryLimits { tries, elapsed, longest_wait }
            });
        let asking = (resource(), vec(key_source(), 1..3), filters, list_style, headers);
        let waiting = (window_policy(), timeouts, retry, option::of(1_u32..1000));
        (asking, waiting).prop_map(|(asking, waiting)| {
            let (resource, api_key, filters, list_style, headers) = asking;
            let (window, timeouts, retry, rate) = waiting;
            Source {
                resource,
                base_url: "https://example.com".parse().unwrap(),
                api_key,
                filters,
                list_style,
                headers,
                window: Some(window),
                timeouts,
                retry,
                requests_per_minute: rate.and_then(std::num::NonZeroU32::new),
            }
        })
    }

    fn table(name: TableName) -> impl Strategy<Value = Table> {
        let columns =
            vec((column_name(), column(), option::of(any_text())), 0..3).prop_map(|columns| {
                let columns = columns.into_iter().map(|(name, column, from)| {
                    // No value has two columns.
                    let from =
                        from.map(|text| JsonPointer::from_keys(vec![format!("{name}:{text}")]));
                    (name, Column { from, ..column })
                });
                columns.collect()
            });
        let partition = "p[a-z]{6}".prop_map(|name| name.parse().unwrap());
        let fields = vec((partition, 0_usize..4), 0..3).prop_map(|fields| {
            let transforms =
                [Transform::Identity, Transform::Year, Transform::Month, Transform::Day];
            fields
                .into_iter()
                .map(|(column, at)| PartitionField { column, transform: transforms[at] })
                .collect()
        });
        let names = || vec(column_name(), 0..3);
        let nulls = vec(any_text(), 0..3);
        let mode = || proptest::sample::select(ContractMode::WORDS.map(|(_, word)| word).to_vec());
        let contract = (mode(), mode(), mode()).prop_map(|(tables, columns, data_type)| Contract {
            tables,
            columns,
            data_type,
        });
        let texts = (option::of(any_text()), option::of(contract));
        (pointer(), vec(column_name(), 1..3), nulls, fields, names(), texts, columns).prop_map(
            move |(
                records,
                primary_key,
                null_values,
                partition_by,
                sort_by,
                (description, contract),
                columns,
            )| Table {
                records: Some(records),
                cursor: Some("updated".parse().unwrap()),
                primary_key,
                // The one disposition that every window takes.
                write_disposition: WriteDisposition::Append,
                null_values,
                partition_by,
                sort_by,
                contract,
                description,
                columns,
                ..Table::named(name.clone())
            },
        )
    }

    fn check() -> impl Strategy<Value = Check> {
        let scalar = prop_oneof![any_text(), (-9_i64..9).prop_map(|it| it.to_string())];
        let rule = prop_oneof![
            column_name().prop_map(CheckRule::NotNull),
            vec(column_name(), 1..3).prop_map(CheckRule::Unique),
            (column_name(), vec(scalar.clone(), 1..3))
                .prop_map(|(column, values)| CheckRule::AcceptedValues { column, values }),
            (column_name(), scalar.clone(), option::of(scalar))
                .prop_map(|(column, min, max)| CheckRule::Range { column, min: Some(min), max }),
            (
                column_name(),
                "[a-z.*+\\\\d]{0,6}".prop_filter_map("a pattern", |it| it.parse().ok())
            )
                .prop_map(|(column, pattern)| CheckRule::Matches { column, pattern }),
            (column_name(), column_name()).prop_map(|(column, other)| CheckRule::References {
                column,
                to: format!("child.{other}").parse().unwrap(),
            }),
            (column_name(), column_name()).prop_map(|(equals, other)| CheckRule::Sum {
                of: format!("child.{other}").parse().unwrap(),
                equals,
                tolerance: "0.05".parse().unwrap(),
            }),
        ];
        let on_failure = proptest::sample::select(OnFailure::WORDS.map(|(_, word)| word).to_vec());
        (rule, on_failure).prop_map(|(rule, on_failure)| Check { rule, on_failure })
    }

    fn pipeline() -> impl Strategy<Value = Pipeline> {
        let tables = ["one", "two"].map(|name| table(name.parse().unwrap()));
        let child = (pointer(), vec(column_name(), 0..2)).prop_map(|(records, sort_by)| Table {
            parent: Some("one".parse().unwrap()),
            records: Some(records),
            sort_by,
            ..Table::named("child".parse().unwrap())
        });
        let destination = prop_oneof![
            "[a-z]{1,8}\\$\\{x\\}/[a-z ]{1,8}",
            "s3://[a-z]{3,8}/[a-z]{0,8}",
            Just("lake/{{ run.date }}".to_owned()),
        ];
        let destination = (destination, option::of(s3()));
        let landing = (0_usize..50).prop_map(|keep| LandingPolicy { keep });
        let nested = proptest::sample::select(Nested::WORDS.map(|(_, word)| word).to_vec());
        let deletes = proptest::sample::select(Deletes::WORDS.map(|(_, word)| word).to_vec());
        let nested = (nested, deletes, any::<bool>());
        let words = (any_text(), option::of(any_text()), nested);
        let tables = (tables, vec(check(), 0..3))
            .prop_map(|([parent, table], checks)| [Table { checks, ..parent }, table]);
        (words, source(), destination, landing, limits(), tables, child).prop_map(
            |(
                (name, description, (nested, deletes, history)),
                source,
                (destination, s3),
                landing,
                limits,
                tables,
                child,
            )| {
                let [parent, table] = tables;
                Pipeline {
                    name,
                    description,
                    source,
                    store: s3
                        .filter(|_| !destination.starts_with("lake") && destination.contains("://"))
                        .unwrap_or_default(),
                    destination: Template::literal(&destination),
                    landing,
                    limits,
                    tables: vec![parent, Table { deletes, history, nested, ..table }, child],
                }
            },
        )
    }

    /// The same pipeline, in which no table says what needs a full export.
    fn with_window(mut pipeline: Pipeline) -> Pipeline {
        for table in &mut pipeline.tables {
            (table.deletes, table.history) = (Deletes::Ignore, false);
        }
        pipeline
    }

    /// The same pipeline, fetched in full every time: what a window rules out is possible then.
    fn without_window(mut pipeline: Pipeline) -> Pipeline {
        pipeline.source.window = None;
        let values = pipeline.source.filters.iter_mut().flat_map(|filter| &mut filter.values);
        for value in values.filter(|value| value.uses_window()) {
            *value = Template::literal("{{ run.date }}");
        }
        pipeline.limits.max_shrink = "12.5%".parse().ok();
        for table in pipeline.tables.iter_mut().filter(|table| table.parent.is_none()) {
            if table.history && table.deletes == Deletes::Mark {
                table.deletes = Deletes::Remove;
            }
            table.write_disposition = match (table.deletes, table.history) {
                (Deletes::Ignore, false) => WriteDisposition::Replace,
                _ => WriteDisposition::Merge,
            };
        }
        pipeline
    }

    proptest! {
        #[test]
        fn a_pipeline_survives_being_written(pipeline in pipeline(), in_full in any::<bool>()) {
            let pipeline = if in_full { without_window(pipeline) } else { with_window(pipeline) };
            let text = to_toml(&pipeline);
            let read = Definition::parse("written.toml", &text, &Environment::default());
            let read = read.map(|definition| definition.pipeline);
            prop_assert_eq!(read.map_err(|error| format!("{error}\n{text}")), Ok(pipeline));
        }
    }
}
