//! `flowlake sample-api`

use std::net::SocketAddr;

use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::definition::Environment;
use crate::exit_code::ExitCode;
use crate::sample_api::SampleApi;

/// The only organisation that the sample API has.
pub(super) const ORGANISATION_ID: &str = "demo";
/// The key of that organisation: no secret, since everything behind it is invented and public.
pub(super) const API_KEY: &str = "sample-key";

/// The environment in which the definitions of `pipelines/` ask the sample API.
pub(super) fn environment(environment: &Environment, base_url: &str) -> Environment {
    variables(base_url)
        .iter()
        .fold(environment.clone(), |environment, (name, value)| environment.with(name, value))
}

fn variables(base_url: &str) -> [(&'static str, &str); 3] {
    [
        ("PROCUREMENTFLOW_BASE_URL", base_url),
        ("PROCUREMENTFLOW_ORGANISATION_ID", ORGANISATION_ID),
        ("PROCUREMENTFLOW_API_KEY", API_KEY),
    ]
}

/// Serves until a signal comes.
pub(super) async fn serve(address: SocketAddr) -> ExitCode {
    match serve_forever(address).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn serve_forever(address: SocketAddr) -> Result<(), Error> {
    let api = SampleApi::new(ORGANISATION_ID, API_KEY)?.start(address).await?;
    let url = api.base_url();
    screen::print(format!(
        "The sample API answers on {url}. Its data and field names are invented."
    ));
    screen::print("To run the definitions of pipelines/ against it:");
    for (name, value) in variables(url) {
        screen::print(format!("  export {name}={value}"));
    }
    std::future::pending().await
}
