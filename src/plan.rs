//! Plan: what a run will do, as a value. Pure: pipeline and clock in, [`Plan`] out.

use chrono::{DateTime, Utc};
use url::Url;

use crate::definition::{Filter, ListStyle, Pipeline, Source};
use crate::run_id::RunId;

/// One run of one pipeline, decided before anything is touched.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is run.
    pub pipeline: Pipeline,
    /// What this run is called.
    pub run_id: RunId,
    /// The instant that `_flowlake_loaded_at` shows.
    pub started_at: DateTime<Utc>,
    /// The request that brings the export.
    pub request: Request,
    /// An export without records may empty a table that has rows.
    pub allow_empty: bool,
}

/// A GET request. It holds no secret: the key joins it only on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Everything but the key.
    pub url: Url,
}

impl Plan {
    /// Decides what a run of `pipeline` does.
    #[must_use]
    pub fn new(pipeline: Pipeline, run_id: RunId, started_at: DateTime<Utc>) -> Self {
        let request = Request { url: export_url(&pipeline.source) };
        Self { pipeline, run_id, started_at, request, allow_empty: false }
    }
}

/// The URL of an export. Organisation and filters are percent-encoded, so neither can change host or path.
fn export_url(source: &Source) -> Url {
    let mut url = source.base_url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(source.endpoint.path_segments()).push(&source.organisation_id);
    }
    let parameters =
        source.filters.iter().flat_map(|filter| query_parameters(filter, source.list_style));
    for (name, value) in parameters {
        url.query_pairs_mut().append_pair(&name, &value);
    }
    url
}

fn query_parameters(filter: &Filter, style: ListStyle) -> Vec<(String, String)> {
    let Filter { name, values } = filter;
    match style {
        _ if values.len() == 1 => vec![(name.clone(), values[0].clone())],
        ListStyle::Repeat => values.iter().map(|value| (name.clone(), value.clone())).collect(),
        ListStyle::Comma => vec![(name.clone(), values.join(","))],
        ListStyle::Brackets => {
            values.iter().map(|value| (format!("{name}[]"), value.clone())).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Environment;

    fn url(source: &str) -> String {
        let text = format!(
            "version = 1\nname = \"test\"\n[destination]\nurl = \"lake\"\n[source]\nendpoint = \"e-sourcing\"\n{source}"
        );
        let pipeline = Pipeline::parse("test.toml", &text, &Environment::default()).unwrap();
        export_url(&pipeline.source).to_string()
    }

    #[test]
    fn organisation_cannot_leave_its_segment() {
        assert_eq!(
            url(r#"organisation_id = "../../x?y#z""#),
            "https://go.procurementflow.com/api/export/all/esourcing/..%2F..%2Fx%3Fy%23z"
        );
    }

    #[test]
    fn lists_are_sent_in_each_style() {
        let source = |style: &str| {
            url(&format!(
                "organisation_id = \"o\"\nlist_style = \"{style}\"\n[source.filters]\nstatus = [\"a b\", \"c\"]\nn = 5"
            ))
        };
        assert!(source("repeat").ends_with("/o?status=a+b&status=c&n=5"));
        assert!(source("comma").ends_with("/o?status=a+b%2Cc&n=5"));
        assert!(source("brackets").ends_with("/o?status%5B%5D=a+b&status%5B%5D=c&n=5"));
    }
}
