//! Issue 17: what readers see of partitions and files. Each test carries the number of its case (`r03_…` to `r18_…`,
//! `s02_…`). What engines make of the same tables is in `tests/readers`.
//!
//! | file | cases |
//! |---|---|
//! | [`directories`] | R3, R4, R5, R6: values and names of directories |
//! | [`file_names`] | S2: names of files on file systems that fold case |
//! | [`footers`] | R12, R18: what a file says of itself |
//! | [`children`] | R7: the directories of child tables |

mod children;
mod directories;
mod file_names;
mod footers;
