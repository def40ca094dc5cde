//! Measures prochist beside the least programs that can do the same work, in one run, in turn, and
//! prints one table of ratios.
//!
//! `cargo run --release --example compare`, which takes a while and several gigabytes of disk;
//! `cargo run --release --example compare -- --scale 0.01 --rounds 2` for a quick look.

#![allow(missing_docs)] // a program's own modules

mod agree;
mod bench;
mod child;
mod data;
mod duck;
mod floor;
mod growth;
mod import;
mod lookups;
mod machine;
mod questions;
mod record;
mod report;
mod startup;
mod sync;

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::{Bench, Yardstick};
use clap::{Parser, ValueEnum};
use floor::{Counts, Indexes, Times};
use report::Row;

/// Measures prochist beside the least programs that can do the same work.
#[derive(Parser)]
#[command(name = "compare")]
struct Args {
    /// How much data, of what the targets are meant for: 0.01 for a quick look
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    scale: f64,
    /// How often each contestant is measured
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Measure only these
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',')]
    only: Vec<Section>,
    /// Keep the data in this folder, and use what is there
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print the table as Markdown
    #[arg(long)]
    markdown: bool,
    /// Measure this binary, rather than build one
    #[arg(long, value_name = "PATH")]
    prochist: Option<PathBuf>,
    /// The Python that has DuckDB, if any has
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: String,
    /// Be a yardstick: how the comparison starts itself
    #[arg(long, hide = true, requires = "files")]
    yardstick: Option<Yardstick>,
    /// The archive and the database of a yardstick
    #[arg(hide = true)]
    files: Vec<PathBuf>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    Import,
    Size,
    Growth,
    Sync,
    Lookups,
    Questions,
    Startup,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let (Some(which), [archive, database]) = (args.yardstick, &args.files[..]) {
        return be_yardstick(which, archive, database);
    }
    if !(args.scale > 0.0 && args.scale <= 100.0) || args.rounds == 0 {
        return Err("--scale takes a number from 0 to 100, and --rounds one from 1".into());
    }
    let itself = env::current_exe()?;
    // target/release/examples/compare
    let target = itself.ancestors().nth(3).ok_or("no target folder")?;
    let binary = match &args.prochist {
        Some(path) => path.clone(),
        None => build(target)?,
    };
    let bench = Bench {
        scale: args.scale,
        rounds: args.rounds,
        folder: args.keep.clone().unwrap_or_else(|| target.join("compare")),
        keep: args.keep.is_some(),
        python: args.python.clone(),
        binary,
        itself: itself.clone(),
    };
    if cfg!(debug_assertions) {
        bench.say("a debug build: what it says of speed means nothing; run it with --release");
    }
    bench.clear()?; // of a comparison that was cut short
    fs::create_dir_all(&bench.folder)?;
    let mut rows = Vec::new();
    let result = measure(&bench, &args, &mut rows);
    bench.clear()?;
    // What was measured before something went wrong was measured.
    print(&args, &rows)?;
    result
}

fn measure(bench: &Bench, args: &Args, rows: &mut Vec<Row>) -> Result<(), Box<dyn Error>> {
    let wants = |section| args.only.is_empty() || args.only.contains(&section);
    let (import, size) = (wants(Section::Import), wants(Section::Size));
    if import || size {
        rows.extend(import::measure(bench, import, size)?);
    }
    let sections: [(Section, Measure); 5] = [
        (Section::Growth, growth::measure),
        (Section::Sync, sync::measure),
        (Section::Lookups, lookups::measure),
        (Section::Questions, questions::measure),
        (Section::Startup, startup::measure),
    ];
    for (section, measure) in sections {
        if wants(section) {
            rows.extend(measure(bench)?);
        }
    }
    Ok(())
}

type Measure = fn(&Bench) -> Result<Vec<Row>, Box<dyn Error>>;

fn print(args: &Args, rows: &[Row]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let amounts = match args.scale {
        1.0 => "as named".to_owned(),
        scale => format!("{scale} of what is named"),
    };
    let about = [("amounts", amounts), ("rounds", args.rounds.to_string())];
    let bullet = if args.markdown { "- " } else { "" };
    for (name, value) in machine::describe().into_iter().chain(about) {
        writeln!(out, "{bullet}{name}: {value}")?;
    }
    write!(out, "\n{}", report::table(rows, args.markdown))
}

fn be_yardstick(which: Yardstick, archive: &Path, database: &Path) -> Result<(), Box<dyn Error>> {
    let floor = |times, indexes| floor::import(archive, database, times, indexes);
    let counts = match which {
        Yardstick::Floor => floor(Times::Texts, Indexes::First)?,
        Yardstick::FloorIndexesLast => floor(Times::Texts, Indexes::Last)?,
        Yardstick::FloorMillis => floor(Times::Millis, Indexes::First)?,
        Yardstick::Parse => Counts {
            observations: record::parse(archive)?,
            ..Counts::default()
        },
    };
    writeln!(io::stdout(), "{}", serde_json::to_string(&counts)?)?;
    Ok(())
}

/// Builds the release binary, into the folder that this program was built into.
fn build(target: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--bin", "prochist"])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .arg("--target-dir")
        .arg(target)
        .status()?;
    if !status.success() {
        return Err("could not build prochist".into());
    }
    let binary = target.join("release").join("prochist");
    Ok(binary.with_extension(env::consts::EXE_EXTENSION))
}
