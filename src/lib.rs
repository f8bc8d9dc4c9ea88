//! flowlake
pub mod api_key;
pub mod decode;
pub mod definition;
mod excerpt;
pub mod fetch;
pub mod land;
pub mod plan;
pub mod run_id;
pub mod scalar;
