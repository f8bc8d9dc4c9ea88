//! The command line: arguments become one call, and its result becomes output and an exit code.

mod check;
mod convert;
mod demo;
mod destination;
mod doctor;
pub mod error;
mod help;
mod init;
mod listing;
mod plan;
mod planning;
mod prune;
mod quarantine;
mod recover;
mod reload;
mod run;
mod runs;
mod sample_api;
mod screen;
mod shell;
mod summary;
mod unlock;
mod verify;
mod watermark;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::panic::PanicHookInfo;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::error::Error;
use crate::definition::{Environment, Setting};
use crate::exit_code::{ExitCode, Failure};
use crate::report::hide_progress;
use crate::run::{Interruption, RunContext, Signal};
use crate::runtime::share_heaps;
use crate::schema::{RunId, TableFormat};
use destination::DestinationArgument;
use planning::PlanArguments;
use screen::LogLines;

/// Pulls purchasing data from the ProcurementFlow export API and keeps it as partitioned Parquet.
#[derive(Debug, Parser)]
#[command(version, about, after_help = help::after())]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The format of log lines on stderr; `RUST_LOG` sets the level.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// Tell only errors and warnings on stderr: no progress, no advice. What a command prints on stdout stays.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Tell on stderr what is asked and answered, each retry, and each step of a run with its time.
    #[arg(long, short, global = true)]
    verbose: bool,
}

impl Arguments {
    /// How much to tell. Both options may stand on either side of the command, which the parser compares only alone.
    fn verbosity(&self) -> Result<Verbosity, clap::Error> {
        match (self.quiet, self.verbose) {
            (true, true) => {
                let message = "the argument '--quiet' cannot be used with '--verbose'";
                Err(command_line().error(ErrorKind::ArgumentConflict, message))
            }
            (true, false) => Ok(Verbosity::Quiet),
            (false, true) => Ok(Verbosity::Verbose),
            (false, false) => Ok(Verbosity::Normal),
        }
    }
}

/// How much is told on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run pipelines: fetch each export and update its tables.
    #[command(after_help = help::RUN)]
    Run {
        /// The definitions, one pipeline each; of a directory, every `*.toml` in it.
        #[arg(required = true, value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
        /// Print each run's report as a line of JSON instead of a table.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        plan: PlanArguments,
        /// The id of the run, instead of a new one that sorts by time.
        #[arg(long)]
        run_id: Option<RunId>,
        /// How many pipelines to run at once. Each may take `--memory`.
        #[arg(long, value_name = "COUNT", default_value_t = NonZeroUsize::MIN, value_parser = planning::count)]
        parallel: NonZeroUsize,
    },
    /// Check definitions, and report every problem with how to fix it.
    #[command(after_help = help::CHECK)]
    Check {
        /// The definitions to check; of a directory, every `*.toml` in it.
        #[arg(required = true, value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
        /// Also try the key at the source, and try to write to the destination.
        #[arg(long)]
        online: bool,
        /// Print each problem as a line of JSON.
        #[arg(long, conflicts_with = "online")]
        json: bool,
        /// Set a key of the definitions, as in `destination.url=lake/test`.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<Setting>,
    },
    /// Say what is wrong with this machine, a definition, its key, source and destination.
    #[command(after_help = help::DOCTOR)]
    Doctor(doctor::DoctorArguments),
    /// Print what a run would do, without doing it.
    #[command(after_help = help::PLAN)]
    Plan {
        /// The definition.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        plan: PlanArguments,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show quarantined records, and load them again once the definition is corrected.
    #[command(subcommand, after_help = help::QUARANTINE)]
    Quarantine(quarantine::QuarantineCommand),
    /// Load a kept export again, by the definition as it is now and without the source.
    #[command(after_help = help::RELOAD)]
    Reload(reload::ReloadArguments),
    /// Compare a destination with its manifests: every file, every byte, and no others.
    #[command(after_help = help::VERIFY)]
    Verify {
        #[command(flatten)]
        destination: DestinationArgument,
        /// Compare names and sizes only.
        #[arg(long)]
        quick: bool,
        /// Repair what can be repaired without losing data.
        #[arg(long)]
        repair: bool,
        /// Show what lost manifests would say that are made again from the files; with `--yes`, make them.
        #[arg(long, conflicts_with = "repair")]
        rebuild: bool,
        /// Make the manifests that `--rebuild` shows.
        #[arg(long, requires = "rebuild")]
        yes: bool,
        /// Print the result as a line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Finish the commit of an interrupted run, without a new export.
    Recover {
        #[command(flatten)]
        destination: DestinationArgument,
    },
    /// Delete old exports, reports, commit records and replaced files of Delta tables, as each run does.
    Prune {
        /// The definition.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Give tables the partitions that the definition says now, or another format, without the source.
    #[command(after_help = help::CONVERT)]
    Convert {
        #[command(flatten)]
        destination: DestinationArgument,
        /// The format of all tables of the destination: `parquet`, whose readers take every file in the directory of a table,
        /// or `delta`, whose readers take those that its log names. Data files stay where they are.
        #[arg(long, value_name = "FORMAT", value_parser = convert::format_of)]
        to: Option<TableFormat>,
    },
    /// Show or set from where the next window is requested.
    #[command(subcommand, after_help = help::WATERMARK)]
    Watermark(watermark::WatermarkCommand),
    /// List the last runs of a destination.
    #[command(after_help = help::RUNS)]
    Runs {
        #[command(flatten)]
        destination: DestinationArgument,
        /// How many runs to list.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Print each run's report as a line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove the lock of a run that is gone.
    Unlock {
        #[command(flatten)]
        destination: DestinationArgument,
        /// Also when the run may still be running; it notices before it commits.
        #[arg(long)]
        force: bool,
    },
    /// Write a definition for a saved or a live export.
    #[command(after_help = help::INIT)]
    Init(init::InitArguments),
    /// Try it: load the sample exports over HTTP into ./lake. Needs no account.
    Demo,
    /// Serve the sample API on loopback, to try definitions with. Its fields are invented.
    SampleApi {
        /// The loopback address to listen on.
        #[arg(long, default_value = "127.0.0.1:8780")]
        listen: SocketAddr,
    },
    /// Print the script with which a shell completes the command line.
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, as for `flowlake man | man -l -`.
    Man {
        /// A command of flowlake, for its own page: `run`, or `quarantine-list`.
        #[arg(value_parser = command_name)]
        command: Option<String>,
    },
}

/// The name of one of the commands.
fn command_name(name: &str) -> Result<String, String> {
    match shell::command_of_page(&command_line(), name) {
        Some(_) => Ok(name.to_owned()),
        None => Err("flowlake has no such command".to_owned()),
    }
}

impl Command {
    /// Whether there is nothing but output. Where there is more, output that is lost changes no exit code.
    fn shows_only(&self) -> bool {
        match self {
            Self::Quarantine(command) => command.shows_only(),
            Self::Watermark(command) => command.shows_only(),
            Self::Verify { repair, yes, .. } => !(*repair || *yes),
            Self::Init(arguments) => arguments.shows_only(),
            Self::Check { .. }
            | Self::Doctor(_)
            | Self::Plan { .. }
            | Self::Runs { .. }
            | Self::SampleApi { .. }
            | Self::Completions { .. }
            | Self::Man { .. } => true,
            Self::Run { .. }
            | Self::Reload(_)
            | Self::Recover { .. }
            | Self::Prune { .. }
            | Self::Convert { .. }
            | Self::Unlock { .. }
            | Self::Demo => false,
        }
    }
}

/// Parses the command line, runs the command, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| screen::tell_bug(&bug(panic))));
    share_heaps();
    let (arguments, verbosity) = parse().unwrap_or_else(|error| error.exit());
    // What a bug leaves half done is in memory only: the destination is as after a kill.
    std::panic::catch_unwind(|| run_command(arguments, verbosity)).unwrap_or(ExitCode::Unexpected)
}

/// The command line, as clap knows it.
fn command_line() -> clap::Command {
    Arguments::command()
}

/// Parses the command line, whose help has the commands in groups.
fn parse() -> Result<(Arguments, Verbosity), clap::Error> {
    let matches = help::grouped(command_line()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches)?;
    let verbosity = arguments.verbosity()?;
    Ok((arguments, verbosity))
}

fn run_command(arguments: Arguments, verbosity: Verbosity) -> ExitCode {
    start_logging(arguments.log_format, verbosity);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return summary::fail(&Error::Threads(error)),
    };
    let shows_only = arguments.command.shows_only();
    let code = runtime.block_on(async {
        // A file beyond the limit of its size is an error of the write, and not the end of the process.
        let _ = signal(SignalKind::from_raw(libc::SIGXFSZ));
        dispatch(arguments.command).await
    });
    // After a signal, threads may still work on a run whose result is no longer needed.
    runtime.shutdown_background();
    match code {
        ExitCode::Done if shows_only && screen::has_lost_output() => ExitCode::Unexpected,
        code => code,
    }
}

/// What a bug is told as.
fn bug(panic: &PanicHookInfo<'_>) -> [String; 2] {
    let what = panic.payload_as_str().unwrap_or("it gives no reason");
    if what.contains("spawn") && what.contains("thread") {
        // Libraries panic when the system gives them none.
        let error =
            Error::Threads(std::io::Error::other(what.lines().next().unwrap_or(what).to_owned()));
        let help = error.help().unwrap_or_default();
        return [format!("error: {error}"), format!("  help: {help}")];
    }
    let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line()));
    let version = env!("CARGO_PKG_VERSION");
    [
        format!("error: a bug in flowlake {version}{}: {what}", place.unwrap_or_default()),
        "  help: please report it, with this line; the tables are as they were, or the next run finishes the commit"
            .to_owned(),
    ]
}

async fn dispatch(command: Command) -> ExitCode {
    let context = RunContext {
        interruption: Interruption::of_this_process(),
        ..RunContext::new(Environment::of_this_process())
    };
    let interruption = &context.interruption;
    match command {
        Command::Run { files, json, plan, run_id, parallel } => {
            let options = run::RunOptions { json, plan, run_id, parallel };
            run::run(&files, &options, &context).await
        }
        Command::Check { files, online, json, settings } => {
            let options = check::CheckOptions { online, json, settings };
            let check = Box::pin(check::check(&files, &options, &context));
            until_signal(interruption, check).await
        }
        Command::Doctor(arguments) => {
            until_signal(interruption, Box::pin(doctor::doctor(&arguments, &context))).await
        }
        Command::Plan { file, plan: arguments, json } => {
            until_signal(interruption, plan::plan(&file, json, &arguments, &context)).await
        }
        Command::Reload(arguments) => reload::reload(arguments, &context).await,
        Command::Quarantine(command) => quarantine::quarantine(command, &context).await,
        Command::Verify { destination, quick, repair, rebuild, yes, json } => {
            let rebuild = rebuild.then_some(yes);
            let options = verify::VerifyOptions { quick, repair, rebuild, json };
            verify::run(&destination, &options, &context).await
        }
        Command::Recover { destination } => recover::recover(&destination, &context).await,
        Command::Prune { file } => prune::prune(&file, &context).await,
        Command::Convert { destination, to } => convert::convert(&destination, to, &context).await,
        Command::Watermark(command) => watermark::watermark(command, &context).await,
        Command::Runs { destination, limit, json } => {
            runs::runs(&destination, limit, json, &context).await
        }
        Command::Unlock { destination, force } => {
            unlock::unlock(&destination, force, &context).await
        }
        Command::Init(arguments) => {
            until_signal(interruption, init::init(arguments, &context)).await
        }
        Command::Demo => demo::demo(&context).await,
        Command::SampleApi { listen } => {
            until_signal(interruption, sample_api::serve(listen)).await
        }
        Command::Completions { shell } => shell::completions(command_line(), shell),
        Command::Man { command } => shell::manual(command_line(), command.as_deref()),
    }
}

/// Runs a command that changes no table, and so may stop at any point.
async fn until_signal(
    interruption: &Interruption,
    command: impl Future<Output = ExitCode>,
) -> ExitCode {
    interruption.or(command).await.unwrap_or_else(Signal::exit_code)
}

fn start_logging(format: LogFormat, verbosity: Verbosity) {
    if verbosity == Verbosity::Quiet {
        screen::tell_only_warnings();
        hide_progress();
    }
    let filter = log_filter(verbosity);
    let has_colours = screen::has_colours() && matches!(format, LogFormat::Text);
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LogLines { has_colours })
        .with_ansi(has_colours);
    match format {
        LogFormat::Text => logging.with_target(false).init(),
        LogFormat::Json => {
            screen::tell_json();
            // A log collector may read from a terminal, as it does with `docker run --tty`.
            hide_progress();
            logging.json().init();
        }
    }
}

/// What is logged. An option says more than a variable, which may be there for every program.
fn log_filter(verbosity: Verbosity) -> EnvFilter {
    // The verifier of certificates logs what the error of the request says as well.
    const WARNINGS: &str = "warn,rustls_platform_verifier=off";
    // The clients of stores log each request that they repeat.
    const MORE: &str = "warn,rustls_platform_verifier=off,object_store=info,flowlake=debug";
    let asked = EnvFilter::try_from_default_env().ok();
    let default = || EnvFilter::new(WARNINGS);
    match verbosity {
        Verbosity::Quiet => default(),
        Verbosity::Normal => asked.unwrap_or_else(default),
        Verbosity::Verbose => asked.filter(asks_for_more).unwrap_or_else(|| EnvFilter::new(MORE)),
    }
}

/// Whether a filter of `RUST_LOG` tells at least as much as `--verbose`.
fn asks_for_more(filter: &EnvFilter) -> bool {
    filter.max_level_hint().is_some_and(|level| level >= LevelFilter::DEBUG)
}
