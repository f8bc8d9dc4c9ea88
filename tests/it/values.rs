//! Issue 17: values, types and names. Each test carries the number of its case (`v01_…` to `v20_…`, `r14_…`);
//! `v_more_…` are faults of the same kinds that no case names. Inputs are small and stand in the test; what is right is
//! spelled out as the `parquet` crate reads it.
//!
//! | file | cases |
//! |---|---|
//! | [`widening`] | V1, V6: older values under a new type, the contract `widen` |
//! | [`names`] | V2, V13: names that are taken, the value ledger |
//! | [`value_ledger`] | V2: where every value is counted |
//! | [`shapes`] | V3, V8, V9, V12: one odd record among sound ones |
//! | [`keys`] | V4, V5: keys and cursors |
//! | [`times`] | V7, V14, R16: formats, time zones, years |
//! | [`zones`] | V7, R16: time zones of columns and of partitions, whatever holds the times |
//! | [`limits`] | V10, V11: depth and width |
//! | [`keyed`] | V11: objects keyed by data |
//! | [`json`] | V11, V19: columns of JSON, null values |
//! | [`exports`] | V15, V16, V17, V20: empty exports, envelopes, encodings |
//! | [`empty_tables`] | R10: tables without rows |
//! | [`scalars`] | V18, V19: doubles, values that mean nothing |
//! | [`children`] | R13, R14, R17: column order, keys of child tables, nested types by path |
//! | [`more`] | what no case names |
//! | [`random`] | all kinds: random nights, compared with their JSON to the last scalar by [`trial`] and [`oracle`] |
//! | [`found`] | the smallest inputs of what random nights have found |

mod children;
mod empty_tables;
mod exports;
mod found;
pub mod json;
mod json_columns;
mod keyed;
mod keys;
mod limits;
mod more;
mod names;
pub mod nights;
mod oracle;
mod places;
mod random;
mod same;
mod scalars;
mod shapes;
pub mod shrink;
mod stories;
pub mod story;
mod times;
pub mod trial;
mod value_ledger;
mod waiting;
mod widening;
mod zones;
