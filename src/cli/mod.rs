//! The command line: arguments become one call, and its result becomes output and an exit code.

mod check;
mod convert;
mod demo;
mod destination;
pub mod error;
mod init;
mod listing;
mod plan;
mod planning;
mod prune;
mod quarantine;
mod recover;
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

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::error::Error;
use crate::definition::{Environment, Setting};
use crate::exit_code::{ExitCode, Failure};
use crate::run::{Interruption, RunContext, Signal};
use crate::runtime::share_heaps;
use crate::schema::{RunId, TableFormat};
use destination::DestinationArgument;
use planning::PlanArguments;
use screen::LogLines;

/// Pulls purchasing data from the ProcurementFlow export API and keeps it as partitioned Parquet.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The format of log lines on stderr; `RUST_LOG` sets the level.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 done, including nothing new       5 key missing or refused
  1 unexpected error                  6 the export is not what it should be
  2 usage, or a definition is wrong   7 destination failed
  3 some of several pipelines failed  11 another run holds the destination
  4 source not answering              130, 143 interrupted, terminated";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run pipelines: fetch each export and update its tables.
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
    /// Print what a run would do, without doing it.
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
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Compare a destination with its manifests: every file, every byte, and no others.
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
    /// Give the tables of a destination another format, without the source. The data files stay where they are.
    Convert {
        #[command(flatten)]
        destination: DestinationArgument,
        /// The format: `parquet`, whose readers take every file in the directory of a table, or `delta`, whose readers take
        /// those that its log names.
        #[arg(long, value_name = "FORMAT", value_parser = convert::format_of)]
        to: TableFormat,
    },
    /// Show or set from where the next window is requested.
    #[command(subcommand)]
    Watermark(watermark::WatermarkCommand),
    /// List the last runs of a destination.
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
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, as for `flowlake man | man -l -`.
    Man {
        /// A command of flowlake, for its own page.
        #[arg(value_parser = command_name)]
        command: Option<String>,
    },
}

/// The name of one of the commands.
fn command_name(name: &str) -> Result<String, String> {
    match Arguments::command().find_subcommand(name) {
        Some(command) => Ok(command.get_name().to_owned()),
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
            | Self::Plan { .. }
            | Self::Runs { .. }
            | Self::SampleApi { .. }
            | Self::Completions { .. }
            | Self::Man { .. } => true,
            Self::Run { .. }
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
    let arguments = Arguments::parse();
    // What a bug leaves half done is in memory only: the destination is as after a kill.
    std::panic::catch_unwind(|| run_command(arguments)).unwrap_or(ExitCode::Unexpected)
}

fn run_command(arguments: Arguments) -> ExitCode {
    start_logging(arguments.log_format);
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
        Command::Plan { file, plan: arguments, json } => {
            until_signal(interruption, plan::plan(&file, json, &arguments, &context)).await
        }
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
        Command::Completions { shell } => shell::completions(Arguments::command(), shell),
        Command::Man { command } => shell::manual(Arguments::command(), command.as_deref()),
    }
}

/// Runs a command that changes no table, and so may stop at any point.
async fn until_signal(
    interruption: &Interruption,
    command: impl Future<Output = ExitCode>,
) -> ExitCode {
    interruption.or(command).await.unwrap_or_else(Signal::exit_code)
}

fn start_logging(format: LogFormat) {
    // The verifier of certificates logs what the error of the request says as well.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,rustls_platform_verifier=off"));
    let has_colours = screen::has_colours() && matches!(format, LogFormat::Text);
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LogLines { has_colours })
        .with_ansi(has_colours);
    match format {
        LogFormat::Text => logging.with_target(false).init(),
        LogFormat::Json => {
            screen::tell_json();
            logging.json().init();
        }
    }
}
