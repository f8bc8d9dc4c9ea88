//! `flowlake demo`: real runs against the sample API.

use std::net::{Ipv4Addr, SocketAddr};

use super::summary::{self, fail};
use super::{run, sample_api, screen};
use crate::cli::error::Error;
use crate::definition::{Definition, DefinitionError};
use crate::exit_code::ExitCode;
use crate::run::{RunContext, Signal};
use crate::sample_api::SampleApi;

/// The definitions in `pipelines/`.
const DEFINITIONS: [(&str, &str); 2] = [
    ("pipelines/purchasing.toml", include_str!("../../pipelines/purchasing.toml")),
    ("pipelines/e-sourcing.toml", include_str!("../../pipelines/e-sourcing.toml")),
];

pub(super) async fn demo(context: &RunContext) -> ExitCode {
    match pull_samples(context).await {
        Ok(()) => context.interruption.signal().map_or(ExitCode::Done, Signal::exit_code),
        Err(error) => fail(&error),
    }
}

async fn pull_samples(context: &RunContext) -> Result<(), Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let api =
        SampleApi::new(sample_api::ORGANISATION_ID, sample_api::API_KEY)?.start(address).await?;
    let environment = sample_api::environment(&context.environment, api.base_url());
    let context = RunContext { environment, ..context.clone() };
    let url = api.base_url();
    screen::print(format!(
        "The sample API answers on {url}; its data and field names are invented."
    ));
    screen::print("");
    for (file, text) in DEFINITIONS {
        let definition =
            Definition::parse(file, text, &context.environment).map_err(DefinitionError::from)?;
        let options = run::RunOptions::default();
        let ended = run::execute(definition.pipeline, &options, &context).await;
        let report = ended.map_err(|failed| failed.error)?;
        screen::print_lines(summary::report(&report));
        screen::print("");
    }
    api.stop().await;
    screen::print_lines(how_to_read());
    Ok(())
}

fn how_to_read() -> [String; 4] {
    let table = "lake/purchasing/purchase_orders";
    [
        "Read a table with".to_owned(),
        format!("  polars   pl.read_parquet(\"{table}\")"),
        format!("  DuckDB   FROM '{table}/**/*.parquet'"),
        format!("  pandas   pd.read_parquet(\"{table}\")"),
    ]
}
