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

/// Who imports. The order changes from round to round.
const CONTESTANTS: [Option<Yardstick>; 4] = [
    None, // prochist
    Some(Yardstick::Floor),
    Some(Yardstick::FloorIndexesLast),
    Some(Yardstick::Parse),
];
const NAMES: [&str; 4] = ["prochist", "floor", "floor, indexes last", "parse"];
const FLOOR: usize = 1;
const PARSE: usize = 3;

/// What an archive came to; the series by contestant.
#[derive(Default)]
struct Measured {
    walls_s: [Series; 4],
    cpus_s: [Series; 4],
    peaks_mb: [Series; 4],
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
    pub fn read(json: &str) -> Result<Self, Box<dyn Error>> {
        let said: Self = serde_json::from_str(json)?;
        match said.set_aside {
            0 => Ok(said),
            n => Err(format!("MISMATCH: prochist set {n} records aside").into()),
        }
    }

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
    for (recipe, yardstick, target) in [
        (Recipe::half(bench.scale), FLOOR, 1.0),
        (Recipe::unchanged(bench.scale), PARSE, 1.5),
    ] {
        let measured = archive(bench, recipe, if import { bench.rounds } else { 1 }, sizes)?;
        if import {
            times(&mut rows, recipe.name, &measured, (yardstick, target));
        }
        if sizes {
            let ours = measured.our_mb.into();
            let what = format!("size of the file, {}", recipe.name);
            let ratio =
                |name, theirs: f64| Row::ratio(&what, Unit::Megabytes, &ours, name, &theirs.into());
            rows.push(ratio("floor", measured.floor_mb).at_most(1.0));
            rows.push(ratio("floor, times as integers", measured.floor_millis_mb));
        }
    }
    Ok(rows)
}

fn times(rows: &mut Vec<Row>, name: &str, measured: &Measured, (yardstick, target): (usize, f64)) {
    let Measured {
        walls_s,
        cpus_s,
        peaks_mb,
        ..
    } = measured;
    let what = format!("import, {name}");
    for other in 1..NAMES.len() {
        let theirs = &walls_s[other];
        let row = Row::ratio(&what, Unit::Seconds, &walls_s[0], NAMES[other], theirs);
        rows.push(match other == yardstick {
            true => row.at_most(target),
            false => row,
        });
    }
    let what = format!("import, {name}: processor time");
    let (ours, theirs) = (&cpus_s[0], &cpus_s[yardstick]);
    rows.push(Row::ratio(
        &what,
        Unit::Seconds,
        ours,
        NAMES[yardstick],
        theirs,
    ));
    let what = format!("import, {name}: peak memory");
    let row = Row::number(&what, Unit::Megabytes, peaks_mb[0].clone());
    rows.push(row.below(100.0).beside("floor", &peaks_mb[FLOOR]));
}

fn archive(
    bench: &Bench,
    recipe: Recipe,
    rounds: usize,
    sizes: bool,
) -> Result<Measured, Box<dyn Error>> {
    let path = recipe.prepare(bench)?;
    let database = bench.folder.join("import.db");
    let mut measured = Measured::default();
    for round in 0..rounds {
        let name = recipe.name;
        bench.say(&format!("import, {name}: round {} of {rounds}", round + 1));
        let mut counts = [Counts::default(); 4];
        for turn in 0..CONTESTANTS.len() {
            let place = (round + turn) % CONTESTANTS.len();
            remove(&[&database])?;
            let done = match CONTESTANTS[place] {
                None => import(bench, &path, &database)?,
                Some(which) => child::run(&mut bench.yardstick(which, &path, &database))?,
            };
            measured.walls_s[place].push(done.wall_s);
            measured.cpus_s[place].push(done.cpu_s);
            measured.peaks_mb[place].push(done.peak_bytes as f64 / 1e6);
            counts[place] = match place {
                0 => Imported::read(&done.stdout)?.counts(),
                _ => serde_json::from_str(&done.stdout)?,
            };
            match place {
                0 => measured.our_mb = whole_size(&database)?,
                FLOOR => measured.floor_mb = whole_size(&database)?,
                _ => {}
            }
        }
        agree(counts)?;
        if round == 0 {
            bench.say(&format!("  {}", counts[0]));
        }
    }
    if sizes {
        remove(&[&database])?;
        child::run(&mut bench.yardstick(Yardstick::FloorMillis, &path, &database))?;
        measured.floor_millis_mb = whole_size(&database)?;
    }
    remove(&[&database])?;
    bench.discard(&path)?;
    Ok(measured)
}

/// The counts must be the same whoever counts.
fn agree(counts: [Counts; 4]) -> Result<(), Box<dyn Error>> {
    let ours = counts[0];
    let same = counts[..PARSE].iter().all(|theirs| *theirs == ours);
    if same && counts[PARSE].observations == ours.observations {
        return Ok(());
    }
    Err(format!("MISMATCH between {NAMES:?}: {counts:?}").into())
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
