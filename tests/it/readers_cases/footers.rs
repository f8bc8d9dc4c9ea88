//! R12 and R18: what a file says of itself.

use std::fs::File;
use std::path::Path;

use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use polars::prelude::{ParquetReader, SerReader};

use crate::values::nights::Nights;

const DESCRIBED: &str = "description = \"Orders.\"\npartition_by = [\"status\"]\nsort_by = [\"status\", \"n\"]\n\
    [tables.columns]\nn = { type = \"int64\", description = \"How many, in pieces\" }\ntags = \"list<string>\"\n";

fn metadata(file: &Path) -> ParquetMetaData {
    SerializedFileReader::new(File::open(file).unwrap()).unwrap().metadata().clone()
}

/// The key and value metadata of a file.
fn entry(file: &Path, key: &str) -> Option<String> {
    let metadata = metadata(file);
    let entries = metadata.file_metadata().key_value_metadata()?;
    entries.iter().find(|entry| entry.key == key)?.value.clone()
}

#[test]
fn r12_descriptions_are_in_the_metadata_of_the_file_and_of_its_arrow_fields() {
    let nights = Nights::of_t(DESCRIBED);
    nights.load(r#"[{"id":1,"n":2,"status":"sent","tags":["a"]}]"#);
    let file = nights.lake().files("t").remove(0);
    assert_eq!(entry(&file, "description").as_deref(), Some("Orders."));
    assert_eq!(entry(&file, "description.n").as_deref(), Some("How many, in pieces"));
    let mut reader = ParquetReader::new(File::open(&file).unwrap());
    let schema = reader.schema().unwrap();
    let described = schema.iter_values().filter_map(|field| {
        let description = field.metadata.as_ref()?.get("description")?;
        Some(format!("{}: {description}", field.name))
    });
    assert_eq!(described.collect::<Vec<_>>(), ["n: How many, in pieces"]);
    // So has a table without rows.
    let nights = Nights::of_t(DESCRIBED);
    nights.load("[]");
    let file = nights.lake().files("t").remove(0);
    let schema = ParquetReader::new(File::open(&file).unwrap()).schema().unwrap();
    assert!(schema.get("n").unwrap().metadata.is_some());
}

#[test]
fn r18_files_name_flowlake_and_its_version() {
    let nights = Nights::of_t("");
    nights.load(r#"[{"id":1}]"#);
    let file = nights.lake().files("t").remove(0);
    let expected = format!("flowlake version {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(metadata(&file).file_metadata().created_by(), Some(expected.as_str()));
}

#[test]
fn r18_row_groups_say_how_they_are_sorted() {
    let nights = Nights::of_t(DESCRIBED);
    nights.load(
        r#"[{"id":1,"tags":["a","b"],"n":3,"status":"sent"},{"id":2,"status":"sent"},{"id":3,"n":1,"status":"sent"}]"#,
    );
    let file = nights.lake().files("t").remove(0);
    let metadata = metadata(&file);
    let group = metadata.row_group(0);
    let sorted = group.sorting_columns().unwrap().iter().map(|column| {
        let name = group.column(usize::try_from(column.column_idx).unwrap()).column_path().string();
        format!("{name} descending {} nulls first {}", column.descending, column.nulls_first)
    });
    assert_eq!(
        sorted.collect::<Vec<_>>(),
        ["status descending false nulls first true", "n descending false nulls first true"]
    );
    assert_eq!(nights.lake().column("t", "n"), ["null", "1", "3"]);
    // The page index before the footer is where the footer says it is.
    assert!(group.columns().iter().all(|column| column.offset_index_offset().is_some()));
    nights.workplace.flowlake(&["verify", "test.toml"]).success();
}

#[test]
fn r18_rows_without_an_order_claim_none() {
    let nights = Nights::of_t("");
    nights.load(r#"[{"id":2},{"id":1}]"#);
    let file = nights.lake().files("t").remove(0);
    assert_eq!(metadata(&file).row_group(0).sorting_columns(), None);
}
