//! How time and memory grow with each dimension of an export: at n, 2n and 4n, one dimension after the other.
//!
//! A dimension that is linear doubles at most with each doubling; what a process takes before it begins makes it less.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `GROWTH_ROUNDS` | how often each size runs; the middle counts | `3` |
//! | `GROWTH_ONLY` | words, of which the name of a dimension has one | all dimensions |
//! | `GROWTH_SCALE` | times the usual sizes | `1` |

mod measured;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use measured::{Measured, note, serve};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Something that an export may have much of.
struct Dimension {
    name: &'static str,
    /// How much there is at first.
    size: usize,
    /// An export with so much of it.
    export: fn(usize) -> String,
    /// The end of the definition that loads it.
    tables: &'static str,
}

/// The limits are those of the largest size, so that growth below them is seen.
const TABLE: &str = "[limits]\nmax_columns = 100000\nmax_partitions = 100000\nmax_waiting = \"4GB\"\nmax_record_size = \"1GB\"\n\
                     [[tables]]\nname = \"t\"\nrecords = \"/rows\"\nprimary_key = [\"id\"]\nwrite_disposition = \"merge\"\n";

const DIMENSIONS: [Dimension; 14] = [
    Dimension { name: "records", size: 100_000, export: records, tables: "" },
    Dimension { name: "columns", size: 2_000, export: columns, tables: "" },
    Dimension {
        name: "columns that few records have",
        size: 2_000,
        export: own_columns,
        tables: "",
    },
    Dimension { name: "child tables", size: 200, export: child_tables, tables: "" },
    Dimension {
        name: "keys of an object that are rows",
        size: 50_000,
        export: keys,
        tables: "[[tables]]\nname = \"k\"\nparent = \"t\"\nrecords = \"/o\"\nkeys = \"code\"\n",
    },
    Dimension {
        name: "keys of an object in JSON",
        size: 50_000,
        export: keys,
        tables: "[tables.columns]\no = \"json\"\n",
    },
    Dimension { name: "items of a list of objects", size: 100_000, export: items, tables: "" },
    Dimension { name: "items of a list of scalars", size: 400_000, export: scalars, tables: "" },
    Dimension { name: "partitions", size: 250, export: partitions, tables: "" },
    Dimension { name: "arrays in the envelope", size: 50_000, export: envelope, tables: "" },
    Dimension { name: "depth of a record", size: 25, export: depth, tables: "" },
    Dimension { name: "depth of the envelope", size: 25, export: envelope_depth, tables: "" },
    Dimension { name: "megabytes of one record", size: 8, export: record_size, tables: "" },
    Dimension {
        name: "records in quarantine",
        size: 50_000,
        export: records,
        tables: "[tables.columns]\nv = \"date\"\n",
    },
];

fn main() -> Result<()> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let rounds: usize = setting("GROWTH_ROUNDS", "3").parse()?;
    let scale: f64 = setting("GROWTH_SCALE", "1").parse()?;
    let only = setting("GROWTH_ONLY", "");
    let is_wanted =
        |it: &&Dimension| only.is_empty() || only.split(',').any(|word| it.name.contains(word));
    let mut out = io::stdout();
    writeln!(
        out,
        "\n| dimension | n | time at n, 2n, 4n | times | peak memory | times |\n|---|---|---|---|---|---|"
    )?;
    for dimension in DIMENSIONS.iter().filter(is_wanted) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a size"
        )]
        let size = ((dimension.size as f64 * scale) as usize).max(1);
        match grown(dimension, size, rounds)? {
            Ok(taken) => writeln!(out, "{}", line(dimension.name, size, taken))?,
            Err(said) => note(&format!("{}: {said}", dimension.name)),
        }
        out.flush()?;
    }
    Ok(())
}

/// What the three sizes take, in turn; or why one fails.
fn grown(
    dimension: &Dimension,
    size: usize,
    rounds: usize,
) -> Result<std::result::Result<[Measured; 3], String>> {
    let mut nights = Vec::new();
    for times in [1, 2, 4] {
        nights.push((Night::new(dimension, size * times)?, Vec::new()));
    }
    for _ in 0..rounds {
        for (night, runs) in &mut nights {
            match night.run()? {
                Ok(measured) => runs.push(measured),
                Err(said) => return Ok(Err(said)),
            }
        }
    }
    let medians: Vec<Measured> =
        nights.iter().filter_map(|(_, runs)| Measured::median(runs)).collect();
    Ok(medians.try_into().map_err(|_| "no round was run".to_owned()))
}

fn line(name: &str, size: usize, taken: [Measured; 3]) -> String {
    let cells = |of: fn(&Measured) -> f64, unit: &str, digits: usize| {
        let [one, two, four] = taken.each_ref().map(of);
        format!(
            "{one:.digits$}, {two:.digits$}, {four:.digits$} {unit} | {:.2}, {:.2}",
            two / one,
            four / two
        )
    };
    let time = cells(|it| it.seconds, "s", 2);
    format!("| {name} | {size} | {time} | {} |", cells(|it| it.peak_megabytes, "MB", 0))
}

/// An export of one size that is loaded into an empty lake.
struct Night {
    lake: PathBuf,
    definition: PathBuf,
}

impl Night {
    fn new(dimension: &Dimension, size: usize) -> Result<Self> {
        let name = dimension.name.replace(|character: char| !character.is_alphanumeric(), "-");
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("growth-{name}-{size}"));
        fs::create_dir_all(&directory)?;
        let export = directory.join("export.json");
        fs::write(&export, (dimension.export)(size))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let base_url = listener.local_addr()?;
        std::thread::spawn(move || serve(&listener, &export));
        let (lake, definition) = (directory.join("lake"), directory.join("growth.toml"));
        let partition =
            if dimension.name == "partitions" { "partition_by = [\"v\"]\n" } else { "" };
        let text = format!(
            "version = 1\nname = \"growth\"\n[source]\nbase_url = \"http://{base_url}\"\npath = \"/export\"\n\
             [destination]\nurl = \"{}\"\n{TABLE}{partition}{}",
            lake.display(),
            dimension.tables
        );
        fs::write(&definition, text)?;
        Ok(Self { lake, definition })
    }

    fn run(&self) -> io::Result<std::result::Result<Measured, String>> {
        let _ = fs::remove_dir_all(&self.lake);
        measured::run(Command::new(env!("CARGO_BIN_EXE_flowlake")).arg("run").arg(&self.definition))
    }
}

/// An export of these records.
fn rows(records: impl Iterator<Item = String>) -> String {
    format!("{{\"rows\":[{}]}}", records.collect::<Vec<_>>().join(","))
}

/// Members of an object, or items of a list.
fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0..count {
        let separator = if number == 0 { "" } else { "," };
        let _ = write!(text, "{separator}{}", one(number));
    }
    text
}

fn records(count: usize) -> String {
    rows((0..count).map(|id| format!("{{\"id\":{id},\"v\":\"value {id}\",\"n\":{}.25}}", id % 977)))
}

fn columns(count: usize) -> String {
    let members = many(count, |number| format!("\"c{number}\":{number}"));
    rows((0..20).map(|id| format!("{{\"id\":{id},{members}}}")))
}

/// A hundred records that share the columns among them.
fn own_columns(count: usize) -> String {
    let of_record = |id: usize| many(count / 100, |number| format!("\"c{id}_{number}\":1"));
    rows((0..100).map(|id| format!("{{\"id\":{id},{}}}", of_record(id))))
}

fn child_tables(count: usize) -> String {
    let members = many(count, |number| format!("\"l{number}\":[{{\"a\":{number}}},{{\"a\":1}}]"));
    rows((0..10).map(|id| format!("{{\"id\":{id},{members}}}")))
}

fn keys(count: usize) -> String {
    let members = many(count, |number| format!("\"k{number}\":{{\"a\":{number}}}"));
    rows(std::iter::once(format!("{{\"id\":1,\"o\":{{{members}}}}}")))
}

fn items(count: usize) -> String {
    let items = many(count, |number| format!("{{\"a\":{number},\"b\":\"item {number}\"}}"));
    rows(std::iter::once(format!("{{\"id\":1,\"l\":[{items}]}}")))
}

fn scalars(count: usize) -> String {
    rows(std::iter::once(format!(
        "{{\"id\":1,\"l\":[{}]}}",
        many(count, |number| number.to_string())
    )))
}

fn partitions(count: usize) -> String {
    rows((0..2 * count).map(|id| format!("{{\"id\":{id},\"v\":\"part {}\"}}", id % count)))
}

fn envelope(count: usize) -> String {
    let arrays = many(count, |number| format!("\"a{number}\":[{{\"x\":1}}]"));
    format!("{{{arrays},\"rows\":[{{\"id\":1}}]}}")
}

fn depth(levels: usize) -> String {
    let object = format!("{}1{}", "{\"o\":".repeat(levels), "}".repeat(levels));
    rows((0..5_000).map(|id| format!("{{\"id\":{id},\"o\":{object}}}")))
}

fn envelope_depth(levels: usize) -> String {
    let object = format!("{}1{}", "{\"o\":".repeat(levels), "}".repeat(levels));
    format!("{{\"meta\":{object},\"rows\":[{{\"id\":1}}]}}")
}

fn record_size(megabytes: usize) -> String {
    rows(std::iter::once(format!("{{\"id\":1,\"v\":\"{}\"}}", "x".repeat(megabytes * 1_000_000))))
}
