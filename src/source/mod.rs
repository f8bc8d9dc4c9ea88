//! Source: what is asked for an export, and how.

pub mod api_key;
pub mod http;
