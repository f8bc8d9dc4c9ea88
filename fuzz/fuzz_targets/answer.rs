//! A run ends, whatever answers it on the wire.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| flowlake_fuzz::answer(bytes));
