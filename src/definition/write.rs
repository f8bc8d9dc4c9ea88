//! From a pipeline back to the text of a definition that means it.

use toml::{Table as Section, Value};

use super::{
    Column, Endpoint, Filter, KeySource, ListStyle, PartitionField, Pipeline, Source, Table,
    Transform,
};

/// The definition, every key written out.
pub(super) fn to_toml(pipeline: &Pipeline) -> String {
    let mut root = Section::new();
    root.insert("version".into(), Value::Integer(1));
    root.insert("name".into(), text(&pipeline.name));
    insert_some(&mut root, "description", pipeline.description.as_deref().map(text));
    root.insert("source".into(), Value::Table(source(&pipeline.source)));
    let destination = expandable(&pipeline.destination.to_string());
    root.insert("destination".into(), Value::Table(section([("url", destination)])));
    let keep = Value::Integer(i64::try_from(pipeline.landing.keep).unwrap_or(i64::MAX));
    root.insert("landing".into(), Value::Table(section([("keep", keep)])));
    let tables = pipeline.tables.iter().map(|declared| Value::Table(table(declared)));
    root.insert("tables".into(), Value::Array(tables.collect()));
    root.to_string()
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

/// A text in which `${` would be read as a reference to the environment.
fn expandable(plain: &str) -> Value {
    Value::String(plain.replace("${", "$${"))
}

fn texts<T: ToString>(items: &[T]) -> Option<Value> {
    let texts = items.iter().map(|item| Value::String(item.to_string()));
    (!items.is_empty()).then(|| Value::Array(texts.collect()))
}

fn source(source: &Source) -> Section {
    let endpoint = match source.endpoint {
        Endpoint::Purchasing => Endpoint::NAMES[0],
        Endpoint::ESourcing => Endpoint::NAMES[1],
    };
    let list_style = match source.list_style {
        ListStyle::Repeat => "repeat",
        ListStyle::Comma => "comma",
        ListStyle::Brackets => "brackets",
    };
    let keys = source.api_key.iter().map(|place| Value::Table(key_source(place)));
    let filters = source.filters.iter().map(|Filter { name, values }| {
        (name.clone(), Value::Array(values.iter().map(|value| expandable(value)).collect()))
    });
    section([
        ("endpoint", text(endpoint)),
        ("organisation_id", expandable(&source.organisation_id)),
        ("base_url", expandable(source.base_url.as_str())),
        ("api_key", Value::Array(keys.collect())),
        ("list_style", text(list_style)),
        ("filters", Value::Table(filters.collect())),
    ])
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
        let disposition = table.write_disposition.to_string();
        written.insert("write_disposition".to_owned(), Value::String(disposition));
        let fields: Vec<String> = table.partition_by.iter().map(partition_field).collect();
        insert_some(&mut written, "partition_by", texts(&fields));
    }
    let columns = table.columns.iter();
    let columns = columns.map(|(name, it)| (name.to_string(), Value::Table(column(it))));
    written.insert("columns".to_owned(), Value::Table(columns.collect()));
    written
}

fn partition_field(field: &PartitionField) -> String {
    match field.transform {
        Transform::Identity => field.column.to_string(),
        Transform::Year => format!("year({})", field.column),
        Transform::Month => format!("month({})", field.column),
        Transform::Day => format!("day({})", field.column),
    }
}

fn column(column: &Column) -> Section {
    let mut written = section([("exclude", Value::Boolean(column.exclude))]);
    let column_type = column.column_type.as_ref().map(|it| text(&it.to_string()));
    insert_some(&mut written, "type", column_type);
    insert_some(&mut written, "from", column.from.as_ref().map(|it| text(&it.to_string())));
    insert_some(&mut written, "description", column.description.as_deref().map(text));
    written
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::super::{
        ColumnName, ColumnType, DestinationUrl, Environment, JsonPointer, LandingPolicy, TableName,
        WriteDisposition,
    };
    use super::*;

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
        (option::of(column_type()), option::of(pointer()), option::of(any_text())).prop_map(
            |(column_type, from, description)| Column {
                column_type,
                from,
                exclude: false,
                description,
            },
        )
    }

    fn key_source() -> impl Strategy<Value = KeySource> {
        prop_oneof![
            "[A-Z_]{1,8}".prop_map(KeySource::Env),
            (any_text(), any::<bool>()).prop_map(|(path, readable_by_others)| KeySource::File {
                path: path.into(),
                readable_by_others
            }),
            vec(any_text(), 1..3).prop_map(KeySource::Command),
        ]
    }

    fn source() -> impl Strategy<Value = Source> {
        let filters = vec((any_text(), vec(any_text(), 0..3)), 0..3).prop_map(|filters| {
            let unique: IndexMap<_, _> = filters.into_iter().collect();
            unique.into_iter().map(|(name, values)| Filter { name, values }).collect()
        });
        let list_style =
            prop_oneof![Just(ListStyle::Repeat), Just(ListStyle::Comma), Just(ListStyle::Brackets)];
        let endpoint = prop_oneof![Just(Endpoint::Purchasing), Just(Endpoint::ESourcing)];
        (endpoint, "[a-z$\\{\\}/?]{1,8}", vec(key_source(), 1..3), filters, list_style).prop_map(
            |(endpoint, organisation_id, api_key, filters, list_style)| Source {
                endpoint,
                organisation_id,
                base_url: "https://example.com".parse().unwrap(),
                api_key,
                filters,
                list_style,
            },
        )
    }

    fn table(name: TableName) -> impl Strategy<Value = Table> {
        let columns =
            vec((column_name(), column()), 0..3).prop_map(|columns| columns.into_iter().collect());
        let fields = vec((column_name(), 0_usize..4), 0..3).prop_map(|fields| {
            let transforms =
                [Transform::Identity, Transform::Year, Transform::Month, Transform::Day];
            fields
                .into_iter()
                .map(|(column, at)| PartitionField { column, transform: transforms[at] })
                .collect()
        });
        let names = || vec(column_name(), 0..3);
        (pointer(), names(), any::<bool>(), fields, names(), option::of(any_text()), columns)
            .prop_map(
                move |(
                    records,
                    primary_key,
                    appends,
                    partition_by,
                    sort_by,
                    description,
                    columns,
                )| Table {
                    name: name.clone(),
                    parent: None,
                    records: Some(records),
                    primary_key,
                    write_disposition: if appends {
                        WriteDisposition::Append
                    } else {
                        WriteDisposition::Replace
                    },
                    partition_by,
                    sort_by,
                    description,
                    columns,
                },
            )
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
            "[a-z$\\{\\} ]{1,8}/x".prop_map(|path| DestinationUrl::Local(path.into())),
            ("[a-z]{3,8}", "[a-z$\\{\\}]{0,8}")
                .prop_map(|(bucket, prefix)| DestinationUrl::S3 { bucket, prefix }),
        ];
        (any_text(), option::of(any_text()), source(), destination, 0_usize..50, tables, child)
            .prop_map(|(name, description, source, destination, keep, tables, child)| Pipeline {
                name,
                description,
                source,
                destination,
                landing: LandingPolicy { keep },
                tables: tables.into_iter().chain([child]).collect(),
            })
    }

    proptest! {
        #[test]
        fn a_pipeline_survives_being_written(pipeline in pipeline()) {
            let text = to_toml(&pipeline);
            let read = Pipeline::parse("written.toml", &text, &Environment::default());
            prop_assert_eq!(read.map_err(|error| format!("{error}\n{text}")), Ok(pipeline));
        }
    }
}
