//! What becomes of values: every row of docs/types.md, by its name.

use std::collections::BTreeMap;

use flowlake::decode::{DecodeOptions, RecordSelector, Splitter, decode_batch};
use flowlake::definition::Table;
use flowlake::infer::{Schemas, observe};
use flowlake::schema::{JsonPointer, RootId, Shape};

const PAGE: &str = include_str!("../../docs/types.md");

/// The columns that the values of a key `v` become, each in a record of its own, in any order of the records.
fn columns(values: &[&str]) -> String {
    let all = columns_in_order(values.iter().copied());
    assert_eq!(all, columns_in_order(values.iter().copied().rev()), "the order has a say");
    all
}

fn columns_in_order<'v>(values: impl Iterator<Item = &'v str>) -> String {
    let mut shape = Shape::default();
    // A chunk for each record, so that borders of chunks have no say either.
    for value in values {
        let mut splitter = Splitter::new(RecordSelector::At(vec![JsonPointer::default()]));
        let mut batches = splitter.feed(format!("[{{\"v\":{value}}}]").as_bytes()).unwrap();
        batches.extend(splitter.finish().unwrap().0);
        let chunk = decode_batch(&batches[0], &DecodeOptions::default()).unwrap();
        observe(&mut shape, &chunk.records);
    }
    let table = Table::named("t".parse().unwrap());
    let schemas =
        Schemas::resolve(&[(RootId::default(), &table, &shape)], &[], &BTreeMap::new()).unwrap();
    let mut shown = Vec::new();
    for (_, table) in schemas.iter() {
        let columns = table.columns.iter().filter(|column| column.path().is_some());
        shown.extend(columns.map(|column| {
            let place =
                if table.parent.is_some() { format!("{}: ", table.name) } else { String::new() };
            format!("{place}`{} {}`", column.name, column.column_type)
        }));
    }
    shown.join(", ")
}

/// The row of the page that has this name: the values, and what they become.
fn row(name: &str) -> (Vec<&'static str>, &'static str) {
    let name = name.replace('_', " ");
    let line = PAGE.lines().find(|line| line.starts_with(&format!("| {name} |")));
    let line = line.unwrap_or_else(|| panic!("docs/types.md has no row `{name}`"));
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let values = cells[1].trim_matches('`').split("` `").collect();
    (values, cells[2])
}

macro_rules! rows {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                let (values, becomes) = row(stringify!($name));
                assert_eq!(columns(&values), becomes);
            }
        )*

        #[test]
        fn every_row_of_the_page_is_a_test() {
            // What follows is about types that change; its rows are tests of the conversion.
            let (inferred, _) = PAGE.split_once("\n## ").unwrap();
            let rows = inferred.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |"));
            let names = rows.map(|line| line[2..].split(" | ").next().unwrap().replace(' ', "_"));
            assert_eq!(names.collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

rows!(
    nothing_but_null,
    words,
    integers,
    integers_of_more_than_64_bits,
    integers_of_more_than_38_digits,
    integers_with_a_large_fraction_beside,
    integers_that_a_double_has_with_other_digits,
    fractions,
    fractions_and_integers,
    fractions_that_a_double_loses,
    exponents,
    exponents_beyond_any_double,
    the_negative_zero,
    dates,
    timestamps_with_a_zone,
    timestamps_without_a_zone,
    timestamps_to_the_microsecond,
    timestamps_to_the_nanosecond,
    timestamps_with_zeros_for_nanoseconds,
    dates_among_timestamps,
    days_that_do_not_exist,
    dates_of_other_forms,
    numbers_in_quotes,
    numbers_and_texts,
    words_and_numbers,
    escaped_texts,
    objects,
    objects_in_objects,
    scalars_here_and_objects_there,
    lists_of_scalars,
    scalars_here_and_lists_there,
    lists_with_null,
    empty_lists,
    lists_of_objects,
    objects_here_and_lists_there,
    scalars_and_objects_in_one_list,
    lists_of_lists,
);
