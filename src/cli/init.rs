//! `flowlake init`

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use futures::TryStreamExt;

use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::definition::{Definition, DefinitionError, Endpoint};
use crate::exit_code::ExitCode;
use crate::init::{Heading, propose, render};
use crate::landing::Landing;
use crate::plan::{Overrides, Plan};
use crate::run::{RunContext, RunError};
use crate::runtime::on_cpu;
use crate::schema::RunId;
use crate::source::api_key::ApiKey;
use crate::source::{ExportSource, procurementflow};

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The export to define.
    #[arg(long, value_parser = Endpoint::NAMES, default_value = "purchasing")]
    endpoint: String,
    /// A saved response; left out, the source is asked.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// The name of the pipeline; left out, the name of the endpoint.
    #[arg(long)]
    name: Option<String>,
    /// Where to write the definition; left out, stdout. An existing file is not replaced.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes a definition for an export.
pub(super) async fn init(arguments: InitArguments, context: &RunContext) -> ExitCode {
    match write_definition(arguments, context).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn write_definition(arguments: InitArguments, context: &RunContext) -> Result<(), Error> {
    let name = arguments.name.clone().unwrap_or_else(|| arguments.endpoint.clone());
    let heading = Heading { name: name.clone(), endpoint: arguments.endpoint.clone() };
    let mut export: Box<dyn Read + Send> = match &arguments.from_file {
        Some(file) => Box::new(open(file)?),
        None => receive(&heading, context).await?,
    };
    let proposal = on_cpu(move || propose(&mut *export, &name)).await?;
    let text = render(&heading, &proposal);
    match arguments.output {
        Some(file) => Ok(File::create_new(file)?.write_all(text.as_bytes())?),
        None => screen::print_block(text),
    }
}

fn open(file: &Path) -> Result<File, Error> {
    File::open(file).map_err(|source| {
        Error::Definition(DefinitionError::Unreadable { path: file.to_owned(), source })
    })
}

/// Requests the whole export, as a definition without filters would.
async fn receive(heading: &Heading, context: &RunContext) -> Result<Box<dyn Read + Send>, Error> {
    let nothing = crate::init::Proposal { tables: Vec::new() };
    let text = render(heading, &nothing);
    let definition = Definition::parse("the new definition", &text, &context.environment)
        .map_err(DefinitionError::from)?;
    let now = context.clock.now();
    let overrides = Overrides::default();
    let plan = Plan::new(definition.pipeline, RunId::at(now), now, None, &overrides)?;
    Ok(download(&plan, context).await?)
}

async fn download(plan: &Plan, context: &RunContext) -> Result<Box<dyn Read + Send>, RunError> {
    let keys = ApiKey::find_all(&plan.pipeline.source.api_key, &context.environment).await?;
    let source = procurementflow::source_of(&plan.pipeline, &keys)?;
    let mut landing = Landing::create(std::env::temp_dir())?;
    for request in &plan.requests {
        let mut body = source.fetch(request).await?.body;
        while let Some(piece) = body.try_next().await? {
            landing.write(&piece)?;
        }
    }
    Ok(Box::new(landing.finish()?.read()?))
}
