//! The sample API: a stand-in for the real one, for the demo, for tests and for trying definitions out.
//!
//! It has the paths and the key header of the real API. Everything else is **invented**, the names of fields and filters
//! included; see `data/README.md`.
//!
//! | request | answer |
//! |---|---|
//! | no key, or a wrong one | 401 |
//! | the key, but another organisation | 403 |
//! | an unknown filter or an invalid date | 400, with the list of filters |
//! | anything but GET on the two endpoints | 404 |
//! | otherwise | 200, the matching records, byte for byte as in `data/`; gzip if accepted |
//!
//! An error has a JSON body that says what is wrong, and that this is not the real API.

mod answer;
mod error;
mod exports;
mod filters;
mod refusal;
mod served;
mod server;

pub use error::SampleApiError;
pub use served::SampleApi;
pub use server::RunningSampleApi;
