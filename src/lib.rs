//! flowlake
pub mod api_key;
pub mod commit;
pub mod decode;
pub mod definition;
pub mod destination;
mod excerpt;
pub mod fetch;
pub mod land;
pub mod normalise;
pub mod partition;
pub mod plan;
pub mod report;
pub mod run_id;
pub mod runner;
pub mod runtime;
pub mod scalar;
pub mod write;
