//! The sample API: a stand-in for the real one, for the demo, for tests and for trying definitions out.
//!
//! It has the paths and the key header of the real API. Everything else, the names of fields and filters above
//! all, is **ours and invented**; see `data/README.md`.
//!
//! | request | answer |
//! |---|---|
//! | no key, or a wrong one | 401 |
//! | the key, but another organisation | 403 |
//! | a filter that no record knows, an unreadable date | 400, with the filters there are |
//! | anything but GET on the two endpoints | 404 |
//! | otherwise | 200, the records that pass, byte for byte as in `data/`; gzip where accepted |
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
