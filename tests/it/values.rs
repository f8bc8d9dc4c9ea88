//! Issue 17: values, types and names. Each test carries the number of its case (`v01_…` to `v20_…`, `r14_…`);
//! `v_more_…` are faults of the same kinds that no case names. Inputs are small and stand in the test; what is right is
//! spelled out as the `parquet` crate reads it.
//!
//! | file | cases |
//! |---|---|
//! | [`widening`] | V1, V6: older values under a new type, the contract `widen` |
//! | [`names`] | V2, V13: names that are taken, the value ledger |
//! | [`shapes`] | V3, V8, V9, V12: one odd record among sound ones |
//! | [`keys`] | V4, V5: keys and cursors |
//! | [`times`] | V7, V14, R16: formats, time zones, years |
//! | [`limits`] | V10, V11: depth and width |
//! | [`keyed`] | V11: objects keyed by data |
//! | [`json`] | V11, V19: columns of JSON, null values |
//! | [`exports`] | V15, V16, V17, V20: empty exports, envelopes, encodings |
//! | [`scalars`] | V18, V19: doubles, values that mean nothing |
//! | [`children`] | R13, R14, R17: column order, keys of child tables, nested types by path |
//! | [`more`] | what no case names |
//! | [`random`] | all kinds: nights of random shapes lose no scalar |

mod children;
mod exports;
mod json;
mod keyed;
mod keys;
mod limits;
mod more;
mod names;
mod nights;
mod random;
mod scalars;
mod shapes;
mod times;
mod widening;
