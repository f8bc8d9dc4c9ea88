//! The format of the tables that a test is about.

use std::cell::Cell;

use flowlake::schema::TableFormat;
use flowlake::store::Destination;

thread_local! {
    static FORMAT: Cell<Option<TableFormat>> = const { Cell::new(None) };
}

/// Runs a test with tables of each format; of Delta alone where it is about a slice.
pub fn in_each_format(test: impl Fn()) {
    if is_in_slice() {
        return in_format(TableFormat::Delta, test);
    }
    for (_, format) in TableFormat::WORDS {
        in_format(format, &test);
    }
}

/// Runs a test, or a part of one, with tables of one format.
pub fn in_format<T>(format: TableFormat, test: impl FnOnce() -> T) -> T {
    let before = FORMAT.replace(Some(format));
    let result = test();
    FORMAT.set(before);
    result
}

/// Whether the definitions of tests are for a slice, as `FLOWLAKE_TEST_SLICE=1` says: each is then the only pipeline of a
/// shared destination.
pub fn is_in_slice() -> bool {
    std::env::var("FLOWLAKE_TEST_SLICE").is_ok()
        && FORMAT.get().is_none_or(|format| format == TableFormat::Delta)
}

/// The directory of flowlake's own files, of the pipeline `test`.
pub fn own_directory() -> &'static str {
    if is_in_slice() { "_flowlake/pipelines/test" } else { "_flowlake" }
}

/// The format of the definitions that this test writes. `FLOWLAKE_TEST_FORMAT=delta` is for all tests that do not say.
pub fn format_of_test() -> TableFormat {
    FORMAT.get().unwrap_or_else(|| match std::env::var("FLOWLAKE_TEST_FORMAT").as_deref() {
        Ok("delta") => TableFormat::Delta,
        _ if is_in_slice() => TableFormat::Delta,
        _ => TableFormat::Parquet,
    })
}

/// A destination as the definitions of this test have it.
pub fn in_slice_of_test(destination: Destination) -> Destination {
    if is_in_slice() { destination.shared_by("test") } else { destination }
}
