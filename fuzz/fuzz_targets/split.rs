//! The splitter finds what serde_json finds, wherever the export is cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|export: &[u8]| flowlake_fuzz::split(export));
