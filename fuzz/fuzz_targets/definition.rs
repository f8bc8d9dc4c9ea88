//! Every definition is planned, or what is wrong with it is told.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| flowlake_fuzz::definition(bytes));
