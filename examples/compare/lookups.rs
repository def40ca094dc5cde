//! Is one process, or the holder of one endpoint, found as soon in a large file as in a small one?

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use prochist::model::UtcMillis;
use prochist::{History, Question};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rusqlite::{Connection, OpenFlags};

use super::bench::Bench;
use super::child;
use super::data::Recipe;
use super::import::{self, Imported};
use super::report::{Row, Series, Unit};

/// Look-ups of each kind in a round, and whole commands.
const LOOKUPS: usize = 2_000;
const COMMANDS: usize = 15;

/// The kinds of look-up, in the library.
const KINDS: [&str; 3] = [
    "a process's latest state",
    "all of a process's versions",
    "the holder of an endpoint",
];

/// In the library, in a large file beside a small one; and as whole commands on the large one.
pub fn measure(bench: &Bench) -> Result<Vec<Row>, Box<dyn Error>> {
    let small = prepare(bench, "versions-100k", 1e5)?;
    let large = prepare(bench, "versions-10m", 1e7)?;
    let mut in_small_us = [(); 3].map(|()| Series::default());
    let mut in_large_us = [(); 3].map(|()| Series::default());
    let mut commands_ms = [(); 2].map(|()| Series::default());
    for round in 0..bench.rounds {
        bench.say(&format!(
            "look-ups: round {} of {}",
            round + 1,
            bench.rounds
        ));
        let seed = round as u64;
        for (database, medians_us) in [(&small, &mut in_small_us), (&large, &mut in_large_us)] {
            let holds = pick(database, LOOKUPS, seed)?;
            let medians = in_library(database, &holds)?;
            medians_us
                .iter_mut()
                .zip(medians)
                .for_each(|(all, one)| all.push(one));
        }
        let medians = as_commands(bench, &large, &pick(&large, COMMANDS, !seed)?)?;
        commands_ms
            .iter_mut()
            .zip(medians)
            .for_each(|(all, one)| all.push(one));
    }
    for database in [&small, &large] {
        if !bench.keep {
            import::remove(&[database])?;
        }
    }
    let mut rows = Vec::new();
    for ((kind, small), large) in KINDS.iter().zip(&in_small_us).zip(&in_large_us) {
        let what = format!("look up {kind}: 10 million versions beside 100 thousand");
        rows.push(Row::ratio(&what, Unit::Micros, large, "100 thousand", small).at_most(1.3));
        let what = format!("look up {kind}, in 10 million versions");
        rows.push(Row::number(&what, Unit::Micros, large.clone()).below(1_000.0));
    }
    for (what, medians_ms) in [
        (
            "prochist history ID, in 10 million versions",
            &commands_ms[0],
        ),
        (
            "prochist ports --endpoint E --at T, in 10 million versions",
            &commands_ms[1],
        ),
    ] {
        rows.push(Row::number(what, Unit::Millis, medians_ms.clone()).below(15.0));
    }
    Ok(rows)
}

fn prepare(bench: &Bench, name: &'static str, versions: f64) -> Result<PathBuf, Box<dyn Error>> {
    let database = bench.file(name, "db");
    if !database.exists() {
        bench.say(&format!("preparing the database {name:?}"));
        let archive = Recipe::versions(name, bench.scale, versions).prepare(bench)?;
        let done = import::import(bench, &archive, &database)?;
        let said = Imported::read(&done.stdout)?;
        bench.say(&format!("  {}", said.describe()));
        bench.discard(&archive)?;
    }
    Ok(database)
}

/// A process, an endpoint that it held, and a moment at which it did.
struct Held {
    process_id: String,
    host: String,
    port: i64,
    at: UtcMillis,
}

/// Holds as they lie at moments picked at random.
fn pick(database: &Path, count: usize, seed: u64) -> Result<Vec<Held>, Box<dyn Error>> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let (first, last): (i64, i64) = db.query_row(
        "SELECT (SELECT min(held_from_ms) FROM port_holds WHERE held_from_ms > 0),
                (SELECT max(held_from_ms) FROM port_holds WHERE held_from_ms > 0)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut statement = db.prepare(
        "SELECT process_id, host, port, held_from_ms FROM port_holds
         WHERE held_from_ms >= ? ORDER BY held_from_ms LIMIT 1",
    )?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut holds = Vec::with_capacity(count);
    for _ in 0..count {
        let moment = rng.random_range(first..=last);
        holds.push(statement.query_row([moment], |row| {
            let from_ms: i64 = row.get(3)?;
            Ok(Held {
                process_id: row.get(0)?,
                host: row.get(1)?,
                port: row.get(2)?,
                at: UtcMillis::from_millis(from_ms).unwrap_or(UtcMillis::MAX),
            })
        })?);
    }
    Ok(holds)
}

/// The median of each kind of look-up, in microseconds.
fn in_library(database: &Path, holds: &[Held]) -> Result<[f64; 3], Box<dyn Error>> {
    let history = History::open(database)?;
    let everything = Question::default();
    let mut each_us = [(); 3].map(|()| Series::default());
    for held in holds {
        let begun = Instant::now();
        let latest = history.process(&held.process_id)?;
        each_us[0].push(begun.elapsed().as_secs_f64() * 1e6);
        let begun = Instant::now();
        let versions = history.versions(&held.process_id)?;
        each_us[1].push(begun.elapsed().as_secs_f64() * 1e6);
        let begun = Instant::now();
        let holders = history.holders(&held.host, held.port, Some(held.at), &everything)?;
        each_us[2].push(begun.elapsed().as_secs_f64() * 1e6);
        let found = latest.as_ref() == versions.last().map(|version| &version.state)
            && holders
                .rows
                .iter()
                .any(|row| row.process_id == held.process_id);
        if !found {
            return Err(format!("MISMATCH: {} is not found as it is", held.process_id).into());
        }
    }
    Ok(each_us.map(|series| series.median()))
}

/// The median of whole commands, in milliseconds.
fn as_commands(bench: &Bench, database: &Path, holds: &[Held]) -> Result<[f64; 2], Box<dyn Error>> {
    let mut each_ms = [(); 2].map(|()| Series::default());
    for held in holds {
        let endpoint = format!("{}:{}", held.host, held.port);
        let at = held.at.to_string();
        let commands: [&[&str]; 2] = [
            &["history", &held.process_id],
            &["ports", "--endpoint", &endpoint, "--at", &at],
        ];
        for (arguments, each_ms) in commands.iter().zip(&mut each_ms) {
            each_ms.push(child::wall_ms(bench.prochist(database).args(*arguments))?);
        }
    }
    Ok(each_ms.map(|series| series.median()))
}
