//! The flowlake binary: everything is in the library.

fn main() -> std::process::ExitCode {
    flowlake::cli::main().into()
}
