//! The format of the tables that a test is about.

use std::cell::Cell;

use flowlake::schema::TableFormat;

thread_local! {
    static FORMAT: Cell<Option<TableFormat>> = const { Cell::new(None) };
}

/// Runs a test with tables of each format.
pub fn in_each_format(test: impl Fn()) {
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

/// The format of the definitions that this test writes. `FLOWLAKE_TEST_FORMAT=delta` is for all tests that do not say.
pub fn format_of_test() -> TableFormat {
    FORMAT.get().unwrap_or_else(|| match std::env::var("FLOWLAKE_TEST_FORMAT").as_deref() {
        Ok("delta") => TableFormat::Delta,
        _ => TableFormat::Parquet,
    })
}
