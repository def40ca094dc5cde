//! How long does an import take, how much memory, and how large is the file?

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::bench::{Bench, Yardstick};
use super::child;
use super::data::{Recipe, size};
use super::floor::Counts;
use super::report::{Row, Series, Unit};

/// What one archive came to.
#[derive(Default)]
struct Measured {
    ours_s: Series,
    floor_s: Series,
    parse_s: Series,
    ours_cpu_s: Series,
    floor_cpu_s: Series,
    parse_cpu_s: Series,
    peak_mb: Series,
    floor_peak_mb: Series,
    our_mb: f64,
    floor_mb: f64,
    floor_millis_mb: f64,
}

/// What `prochist import --format json` says.
#[derive(Deserialize)]
pub struct Imported {
    pub processes_seen: u64,
    processes_new: u64,
    processes_changed: u64,
    set_aside: u64,
}

impl Imported {
    fn counts(&self) -> Counts {
        Counts {
            observations: self.processes_seen,
            processes: self.processes_new,
            versions: self.processes_new + self.processes_changed,
        }
    }

    pub fn describe(&self) -> String {
        self.counts().to_string()
    }
}

/// Both archives: the time (if `import` is asked for), and the sizes (if `size` is).
pub fn measure(bench: &Bench, import: bool, sizes: bool) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for recipe in [Recipe::half(bench.scale), Recipe::unchanged(bench.scale)] {
        let measured = archive(bench, recipe, if import { bench.rounds } else { 1 }, sizes)?;
        if import {
            times(&mut rows, recipe.name, &measured);
        }
        if sizes {
            let ours = measured.our_mb.into();
            for (name, theirs) in [
                ("floor", measured.floor_mb),
                ("floor, times as integers", measured.floor_millis_mb),
            ] {
                let what = format!("size of the file, {}", recipe.name);
                let row = Row::ratio(&what, Unit::Megabytes, &ours, name, &theirs.into());
                rows.push(row.at_most(1.0));
            }
        }
    }
    Ok(rows)
}

fn times(rows: &mut Vec<Row>, name: &str, measured: &Measured) {
    let (floor, parse) = match name {
        "half" => (Some(1.0), None),
        _ => (None, Some(1.5)),
    };
    let pairs = [
        ("floor", &measured.floor_s, &measured.floor_cpu_s, floor),
        ("parse", &measured.parse_s, &measured.parse_cpu_s, parse),
    ];
    for (yardstick, wall_s, cpu_s, target) in pairs {
        let what = format!("import, {name}");
        let row = Row::ratio(&what, Unit::Seconds, &measured.ours_s, yardstick, wall_s);
        rows.push(match target {
            Some(target) => row.at_most(target),
            None => row,
        });
        let what = format!("import, {name}: processor time");
        let ours = &measured.ours_cpu_s;
        rows.push(Row::ratio(&what, Unit::Seconds, ours, yardstick, cpu_s));
    }
    let what = format!("import, {name}: peak memory");
    rows.push(Row::number(&what, Unit::Megabytes, measured.peak_mb.clone()).below(100.0));
    let what = format!("import, {name}: peak memory of the floor");
    rows.push(Row::number(
        &what,
        Unit::Megabytes,
        measured.floor_peak_mb.clone(),
    ));
}

fn archive(
    bench: &Bench,
    recipe: Recipe,
    rounds: usize,
    sizes: bool,
) -> Result<Measured, Box<dyn Error>> {
    bench.say(&format!("preparing the archive {:?}", recipe.name));
    let path = recipe.prepare(&bench.folder)?;
    let (ours, floor) = (bench.folder.join("ours.db"), bench.folder.join("floor.db"));
    let mut measured = Measured::default();
    for round in 0..rounds {
        bench.say(&format!(
            "import, {}: round {} of {rounds}",
            recipe.name,
            round + 1
        ));
        remove(&[&ours, &floor])?;
        let parse = child::run(&mut bench.yardstick(Yardstick::Parse, &path, &floor))?;
        let by_us = import(bench, &path, &ours)?;
        let by_floor = child::run(&mut bench.yardstick(Yardstick::Floor, &path, &floor))?;
        measured.ours_s.push(by_us.wall_s);
        measured.floor_s.push(by_floor.wall_s);
        measured.parse_s.push(parse.wall_s);
        measured.ours_cpu_s.push(by_us.cpu_s);
        measured.floor_cpu_s.push(by_floor.cpu_s);
        measured.parse_cpu_s.push(parse.cpu_s);
        measured.peak_mb.push(by_us.peak_bytes as f64 / 1e6);
        measured
            .floor_peak_mb
            .push(by_floor.peak_bytes as f64 / 1e6);
        let counts = agreed(&by_us.stdout, &by_floor.stdout, &parse.stdout)?;
        if round == 0 {
            bench.say(&format!("  {counts}"));
        }
    }
    measured.our_mb = whole_size(&ours)?;
    measured.floor_mb = whole_size(&floor)?;
    if sizes {
        remove(&[&floor])?;
        child::run(&mut bench.yardstick(Yardstick::FloorMillis, &path, &floor))?;
        measured.floor_millis_mb = whole_size(&floor)?;
    }
    remove(&[&ours, &floor])?;
    bench.discard(&path)?;
    Ok(measured)
}

/// Runs `prochist import` into a database.
pub fn import(
    bench: &Bench,
    archive: &Path,
    database: &Path,
) -> Result<child::Finished, Box<dyn Error>> {
    child::run(
        bench
            .prochist(database)
            .args(["--format", "json", "import"])
            .arg(archive),
    )
}

/// The counts, which must be the same whoever counts.
fn agreed(ours: &str, floor: &str, parse: &str) -> Result<Counts, Box<dyn Error>> {
    let said: Imported = serde_json::from_str(ours)?;
    let ours = said.counts();
    let floor: Counts = serde_json::from_str(floor)?;
    let parse: Counts = serde_json::from_str(parse)?;
    if ours != floor || parse.observations != floor.observations || said.set_aside != 0 {
        return Err(format!(
            "MISMATCH: prochist recorded {ours:?}, {} set aside, and the floor {floor:?}; parsed: {}",
            said.set_aside, parse.observations
        )
        .into());
    }
    Ok(ours)
}

/// The size of a database, in megabytes, all of which is in its one file.
fn whole_size(database: &Path) -> Result<f64, Box<dyn Error>> {
    let log = with_suffix(database, "-wal");
    if log.exists() && size(&log)? > 0 {
        return Err(format!("{} was not brought home", log.display()).into());
    }
    Ok(size(database)? as f64 / 1e6)
}

/// Removes databases, with what lies beside them.
pub fn remove(databases: &[&Path]) -> Result<(), Box<dyn Error>> {
    for database in databases {
        for suffix in ["", "-wal", "-shm"] {
            let path = with_suffix(database, suffix);
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
