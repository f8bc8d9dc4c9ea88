//! What a process takes, and a server for what it loads.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Between two looks at a process's memory.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What one run of a process took.
#[derive(Clone, Copy)]
pub struct Measured {
    pub seconds: f64,
    pub peak_megabytes: f64,
}

impl Measured {
    /// The middle of several runs.
    pub fn median(runs: &[Self]) -> Option<Self> {
        let middle = |value: fn(&Self) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let peak_megabytes = middle(|run| run.peak_megabytes)?;
        Some(Self { seconds: middle(|run| run.seconds)?, peak_megabytes })
    }
}

/// Runs a process to its end; what it said on stderr if it failed.
pub fn run(command: &mut Command) -> io::Result<Result<Measured, String>> {
    let begun = Instant::now();
    let mut process = command
        .env("PROCUREMENTFLOW_API_KEY", "not-a-real-key-for-a-benchmark-only")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let peak_kilobytes = watch(&mut process)?;
    let seconds = begun.elapsed().as_secs_f64();
    if !process.wait()?.success() {
        let mut said = String::new();
        process.stderr.take().map_or(Ok(0), |mut it| it.read_to_string(&mut said))?;
        return Ok(Err(said));
    }
    Ok(Ok(Measured { seconds, peak_megabytes: peak_kilobytes * 1024.0 / 1e6 }))
}

/// Waits for a process; returns the most memory that it had resident, in kilobytes.
fn watch(process: &mut Child) -> io::Result<f64> {
    let status = format!("/proc/{}/status", process.id());
    let mut most = 0.0;
    while process.try_wait()?.is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        most = now.unwrap_or(0.0_f64).max(most);
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(most)
}

/// Answers every request with the export.
pub fn serve(listener: &TcpListener, export: &Path) {
    for socket in listener.incoming().flatten() {
        if let Err(error) = answer(socket, export) {
            note(&format!("the export was not served: {error}"));
        }
    }
}

fn answer(mut socket: TcpStream, export: &Path) -> io::Result<()> {
    let mut lines = BufReader::new(&socket).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let mut export = File::open(export)?;
    let length = export.seek(SeekFrom::End(0))?;
    export.rewind()?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    write!(socket, "{head}content-length: {length}\r\n\r\n")?;
    io::copy(&mut export, &mut socket).map(drop)
}

pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
