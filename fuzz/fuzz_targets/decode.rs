//! The decoder accepts what serde_json accepts, and gives the same values.

#![no_main]

libfuzzer_sys::fuzz_target!(|export: &[u8]| flowlake_fuzz::decode(export));
