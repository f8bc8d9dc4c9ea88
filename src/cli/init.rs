//! `flowlake init`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use futures::TryStreamExt;
use tracing::Level;

use super::screen;
use super::summary::fail;
use crate::cli::error::Error;
use crate::definition::{Definition, DefinitionError, Endpoint};
use crate::exit_code::ExitCode;
use crate::init::{
    DefinitionFile, Heading, InitError, Proposal, SavedExportError, check_heading, findings,
    open_saved_export, propose, render,
};
use crate::landing::Landing;
use crate::plan::{Overrides, Plan};
use crate::run::{RunContext, RunError};
use crate::runtime::on_cpu;
use crate::schema::RunId;
use crate::shown;
use crate::source::api_key::ApiKey;
use crate::source::{ExportSource, procurementflow};

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The export to define.
    #[arg(long, value_parser = Endpoint::NAMES, default_value = "purchasing")]
    endpoint: String,
    /// A saved response, plain or compressed with gzip or zstd as in a landing; left out, the source is asked.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// The name of the pipeline; left out, the name of the endpoint.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// Where to write the definition; left out, stdout. An existing file is not replaced.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file of `--output` if there is one.
    #[arg(long, requires = "output")]
    force: bool,
}

impl InitArguments {
    /// Whether there is nothing but output.
    pub(super) fn shows_only(&self) -> bool {
        self.output.is_none()
    }
}

/// Writes a definition for an export.
pub(super) async fn init(arguments: InitArguments, context: &RunContext) -> ExitCode {
    match write_definition(arguments, context).await {
        Ok(()) => ExitCode::Done,
        Err(error) => fail(&error),
    }
}

async fn write_definition(arguments: InitArguments, context: &RunContext) -> Result<(), Error> {
    let InitArguments { endpoint, from_file, name, output, force } = arguments;
    let output = output.map(|path| DefinitionFile { path, replaces: force });
    if let Some(file) = &output {
        file.check().map_err(InitError::from)?;
    }
    let name = name.unwrap_or_else(|| endpoint.clone());
    let heading = Heading { name, endpoint };
    check_heading(&heading).map_err(DefinitionError::from)?;
    let mut export = match &from_file {
        Some(file) => open_saved_export(file).map_err(InitError::from)?,
        None => receive(&heading, context).await?,
    };
    let of_heading = heading.clone();
    let proposed = on_cpu(move || propose(&mut *export, &of_heading)).await;
    let proposal = proposed.map_err(|error| in_file(error, from_file.as_deref()))?;
    let text = render(&heading, &proposal);
    match &output {
        // The same text in both: a file is shown later, and kept for long.
        Some(file) => file.write(&shown::lines(&text)).map_err(InitError::from)?,
        None => screen::print_block(text),
    }
    let mut lines = findings(&proposal);
    lines.extend(next_steps(output.as_ref().map(|file| file.path.as_path()), context));
    // Stdout may have the definition.
    screen::tell(Level::INFO, &lines, ());
    Ok(())
}

/// Says which file an error is about.
fn in_file(error: InitError, file: Option<&Path>) -> InitError {
    match file {
        Some(file) => {
            SavedExportError::NoExport { path: file.to_owned(), error: Box::new(error) }.into()
        }
        None => error,
    }
}

/// What to do next. `file` has the definition; without it, stdout has.
fn next_steps(file: Option<&Path>, context: &RunContext) -> Vec<String> {
    let (written, file) = match file {
        Some(file) => (format!("wrote {}", file.display()), in_shell(file)),
        None => ("next: keep this definition in a FILE".to_owned(), "FILE".to_owned()),
    };
    let mut lines = vec![format!("{written}; look at each `?` in it, then:")];
    let is_unset = |name: &&str| context.environment.get(name).is_none();
    let unset = ["PROCUREMENTFLOW_ORGANISATION_ID", "PROCUREMENTFLOW_API_KEY"];
    let unset = unset.into_iter().filter(is_unset);
    lines.extend(unset.map(|name| format!("  export {name}=…")));
    lines.extend([
        format!("  flowlake check {file}    finds mistakes"),
        format!("  flowlake plan {file}     shows what a run would do"),
        format!("  flowlake run {file}      loads the export"),
    ]);
    lines
}

/// A path as a shell takes it.
fn in_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%,:".contains(c);
    if text.chars().all(is_plain) && !text.starts_with('-') {
        return text;
    }
    let here = if text.starts_with('-') { "./" } else { "" };
    format!("'{here}{}'", text.replace('\'', r"'\''"))
}

/// Requests the whole export, as a definition without filters would.
async fn receive(heading: &Heading, context: &RunContext) -> Result<Box<dyn Read + Send>, Error> {
    let text = render(heading, &Proposal::default());
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
