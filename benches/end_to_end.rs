//! The job of a night from request to committed tables, beside the same job by other tools: `make bench-peers`.
//!
//! An export of purchase orders comes over HTTP from this process and becomes three partitioned tables on local disk.
//! Peers read it from disk. All run in turn, several rounds, so that what else the machine does meets all of them.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `BENCH_ORDERS` | sizes, in orders | `10000,100000,400000` |
//! | `BENCH_ROUNDS` | how often each runs | `5` |
//! | `BENCH_PYTHON` | a Python that has duckdb and polars | no peers |

#[expect(dead_code, reason = "the other bench writes the other shapes")]
mod exports;
mod measured;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use measured::{Measured, note, serve};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let rounds: usize = setting("BENCH_ROUNDS", "5").parse()?;
    let python = std::env::var_os("BENCH_PYTHON").filter(|python| Path::new(python).exists());
    for orders in setting("BENCH_ORDERS", "10000,100000,400000").split(',') {
        let workplace = Workplace::new(orders.trim().parse()?)?;
        let mut contestants = vec![workplace.flowlake(14), workplace.flowlake(0)];
        contestants.extend(python.iter().flat_map(|python| workplace.peers(python)));
        for _ in 0..rounds {
            for contestant in &mut contestants {
                contestant.run(&workplace.lake)?;
            }
        }
        report(&workplace, &contestants);
    }
    Ok(())
}

/// Where an export lies, and its tables.
struct Workplace {
    directory: PathBuf,
    lake: PathBuf,
    orders: usize,
    export: PathBuf,
    bytes: u64,
    base_url: String,
}

impl Workplace {
    fn new(orders: usize) -> Result<Self> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{orders}"));
        fs::create_dir_all(&directory)?;
        let export = directory.join("object.json");
        let mut to = BufWriter::new(File::create(&export)?);
        exports::orders(orders, &mut to)?;
        to.into_inner()?.sync_all()?;
        let bytes = fs::metadata(&export)?.len();
        let mut array = File::create(directory.join("array.json"))?;
        let mut from = File::open(&export)?;
        let before = from.seek(SeekFrom::Start(exports::BEFORE_ORDERS.len() as u64))?;
        io::copy(&mut from.take(bytes - before - 1), &mut array)?;
        array.sync_all()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let served = export.clone();
        std::thread::spawn(move || serve(&listener, &served));
        let lake = directory.join("lake");
        Ok(Self { directory, lake, orders, export, bytes, base_url })
    }

    fn flowlake(&self, keep: usize) -> Contestant {
        let definition = self.directory.join(format!("keep-{keep}.toml"));
        let (lake, base_url) = (self.lake.display(), &self.base_url);
        let text = format!(
            r#"
            version = 1
            name = "orders"
            source = {{ base_url = "{base_url}", path = "/orders" }}
            destination = {{ url = "{lake}" }}
            landing = {{ keep = {keep} }}

            [[tables]]
            name = "purchase_orders"
            records = "/purchaseOrders"
            primary_key = ["id"]
            partition_by = ["month(created_at)"]
            columns = {{ total_amount = "decimal(18,2)" }}

            [[tables]]
            name = "items"
            parent = "purchase_orders"
            records = "/items"
            columns = {{ unit_price = "decimal(18,2)", line_total = "decimal(18,2)" }}

            [[tables]]
            name = "approvals"
            parent = "purchase_orders"
            records = "/approvals"
            "#
        );
        let name = if keep == 0 { "flowlake, landing not kept" } else { "flowlake" };
        let written = fs::write(&definition, text);
        let arguments = ["run".into(), definition.into_os_string()].to_vec();
        let program = env!("CARGO_BIN_EXE_flowlake").into();
        Contestant { name, program, arguments, broken: written.is_err(), runs: Vec::new() }
    }

    fn peers(&self, python: &OsString) -> Vec<Contestant> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        let peers = [
            ("DuckDB, bare array", "duckdb_array.py"),
            ("DuckDB, the object", "duckdb_object.py"),
            ("polars in Python", "polars_eager.py"),
        ];
        let peers = peers.map(|(name, script)| Contestant {
            name,
            program: python.clone(),
            arguments: vec![
                scripts.join(script).into_os_string(),
                self.export.clone().into_os_string(),
                self.lake.clone().into_os_string(),
            ],
            broken: false,
            runs: Vec::new(),
        });
        peers.into()
    }
}

/// A tool that does the job.
struct Contestant {
    name: &'static str,
    program: OsString,
    arguments: Vec<OsString>,
    broken: bool,
    runs: Vec<Measured>,
}

impl Contestant {
    fn run(&mut self, lake: &Path) -> Result<()> {
        if self.broken {
            return Ok(());
        }
        let _ = fs::remove_dir_all(lake);
        match measured::run(Command::new(&self.program).args(&self.arguments))? {
            Ok(measured) => self.runs.push(measured),
            Err(said) => {
                note(&format!("{} failed: {said}", self.name));
                self.broken = true;
            }
        }
        Ok(())
    }

    /// The middle of its runs.
    fn median(&self) -> Option<Measured> {
        Measured::median(&self.runs)
    }
}

/// A table as docs/performance.md has it.
fn report(workplace: &Workplace, contestants: &[Contestant]) {
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let megabytes = workplace.bytes as f64 / 1e6;
    let mut lines = format!(
        "\n{} orders, {megabytes:.0} MB\n\n| | wall | MB/s | peak memory | flowlake takes |\n|---|---|---|---|---|\n",
        workplace.orders
    );
    let own = contestants.first().and_then(Contestant::median).map(|own| own.seconds);
    for contestant in contestants {
        let Some(Measured { seconds, peak_megabytes }) = contestant.median() else { continue };
        let rate = megabytes / seconds;
        let ratio = own.map_or(f64::NAN, |own| own / seconds);
        let _ = writeln!(
            lines,
            "| {} | {seconds:.2} s | {rate:.0} | {peak_megabytes:.0} MB | {ratio:.2} of it |",
            contestant.name
        );
    }
    let _ = io::stdout().write_all(lines.as_bytes());
}
