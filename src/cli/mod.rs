//! The command line: what the user typed becomes one call, and its result becomes output and an exit code.

mod check;
mod demo;
pub mod error;
mod init;
mod place;
mod plan;
mod planning;
mod quarantine;
mod run;
mod runs;
mod sample_api;
mod summary;
mod unlock;
mod verify;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::cli::error::Error;
use crate::definition::{Environment, Setting};
use crate::exit_code::ExitCode;
use crate::run::interruption::{Interruption, Signal};
use crate::runtime::share_heaps;
use crate::schema::RunId;
use planning::PlanArguments;

/// Pulls purchasing data from the ProcurementFlow export API and keeps it as partitioned Parquet.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The form of log lines on stderr; `RUST_LOG` chooses which.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 done, including nothing new       5 key missing or refused
  1 unexpected error                  6 the export is not what it should be
  2 usage, or a definition is wrong   7 destination failed
  3 some of several pipelines failed  11 another run is at work
  4 source not answering              130, 143 interrupted, terminated";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run pipelines: fetch each export and bring its tables up to date.
    Run {
        /// Definitions, one pipeline each.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print each run's report as a line of JSON instead of a table.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        plan: PlanArguments,
        /// What to call the run, instead of a new id that sorts by time.
        #[arg(long)]
        run_id: Option<RunId>,
    },
    /// Check definitions and report every problem in them, with a way out.
    Check {
        /// Definitions to check.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Also ask the source whether it takes the key, and try whether the destination can be written.
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
    /// See the records that are in no table, and take them in again once the definition is mended.
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Compare a destination with its manifests: every file there, every byte as it was written, nothing besides.
    Verify {
        #[command(flatten)]
        place: place::Place,
        /// Look at names and sizes only.
        #[arg(long)]
        quick: bool,
        /// Mend what can be mended without losing anything.
        #[arg(long)]
        repair: bool,
        /// Print the result as a line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the last runs of a destination.
    Runs {
        #[command(flatten)]
        place: place::Place,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Print each run's report as a line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Free a destination from the lock of a run that is gone.
    Unlock {
        #[command(flatten)]
        place: place::Place,
        /// Also when the run may still be at work; it finds out before it commits.
        #[arg(long)]
        force: bool,
    },
    /// Write a definition from a saved or a live export.
    Init(init::InitArguments),
    /// See it work: pull the sample exports over HTTP into ./lake. Needs no account.
    Demo,
    /// Serve the sample API on loopback, to try definitions against. Its fields are invented.
    SampleApi {
        /// The loopback address to listen on.
        #[arg(long, default_value = "127.0.0.1:8780")]
        listen: SocketAddr,
    },
}

/// Reads the command line, does what it says, and returns the code to exit with.
#[must_use]
pub fn main() -> ExitCode {
    share_heaps();
    let arguments = Arguments::parse();
    start_logging(arguments.log_format);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Error::Output(error)),
    };
    let code = runtime.block_on(dispatch(arguments.command));
    // After a signal, threads may still be at work on a run that nobody waits for any more.
    runtime.shutdown_background();
    code
}

async fn dispatch(command: Command) -> ExitCode {
    let environment = Environment::of_this_process();
    let interruption = Interruption::of_this_process();
    match command {
        Command::Run { files, json, plan, run_id } => {
            let options = run::Options { json, plan, run_id };
            run::run(&files, &options, &environment, &interruption).await
        }
        Command::Check { files, online, json, settings } => {
            let checks = check::Options { online, json, settings };
            let check = Box::pin(check::check(&files, &checks, &environment));
            until_signal(&interruption, check).await
        }
        Command::Plan { file, plan: arguments, json } => {
            until_signal(&interruption, plan::plan(&file, json, &arguments, &environment)).await
        }
        Command::Quarantine(command) => {
            quarantine::quarantine(command, &environment, &interruption).await
        }
        Command::Verify { place, quick, repair, json } => {
            let options = verify::Options { quick, repair, json };
            verify::run(&place, &options, &environment).await
        }
        Command::Runs { place, limit, json } => runs::runs(&place, limit, json, &environment).await,
        Command::Unlock { place, force } => unlock::unlock(&place, force, &environment).await,
        Command::Init(arguments) => {
            until_signal(&interruption, init::init(arguments, &environment)).await
        }
        Command::Demo => demo::demo(&environment, &interruption).await,
        Command::SampleApi { listen } => {
            until_signal(&interruption, sample_api::serve(listen)).await
        }
    }
}

/// The result of a command that changes no table and may end at any point.
async fn until_signal(
    interruption: &Interruption,
    command: impl Future<Output = ExitCode>,
) -> ExitCode {
    interruption.or(command).await.unwrap_or_else(Signal::exit_code)
}

fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => logging.with_target(false).init(),
        LogFormat::Json => logging.json().init(),
    }
}

/// Tells what went wrong and what to do next, on stderr.
#[expect(clippy::print_stderr, reason = "the command line is where errors are shown")]
fn fail(error: &Error) -> ExitCode {
    eprintln!("{}", summary::error(error, None));
    error.exit_code()
}
