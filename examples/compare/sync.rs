//! How long does it take to record one look at 5,000 open processes of which 50 have changed?

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use prochist::model::{Snapshot, UtcMillis};
use prochist::simulator::{Fleet, FleetConfig};
use prochist::{Ending, RunKind, RunResult, Store};

use super::bench::Bench;
use super::import::remove;
use super::report::{Row, Series, Unit};

const PROCESSES: usize = 5_000;
const CHANGED: usize = PROCESSES / 100;
/// Looks in a round.
const LOOKS: usize = 40;
const MINUTE_MS: i64 = 60_000;

/// In a run that goes on, and as a job of cron does it. What is recorded is on the disk when the
/// time is taken: commits are forced, as they are by default.
pub fn measure(bench: &Bench) -> Result<Vec<Row>, Box<dyn Error>> {
    let database = bench.folder.join("sync.db");
    let (mut going_on_ms, mut afresh_ms) = (Series::default(), Series::default());
    for round in 0..bench.rounds {
        bench.say(&format!("sync: round {} of {}", round + 1, bench.rounds));
        remove(&[&database])?;
        let mut fleet = Looks::new()?;
        going_on_ms.push(going_on(&database, &mut fleet)?);
        afresh_ms.push(afresh(&database, &mut fleet)?);
    }
    remove(&[&database])?;
    let what = |how| format!("sync of 5,000 open processes, 50 changed: {how}");
    let number = |how, value| Row::number(&what(how), Unit::Millis, value).below(15.0);
    Ok(vec![
        number("in a run that goes on", going_on_ms),
        number("open, record, close", afresh_ms),
    ])
}

fn going_on(database: &Path, fleet: &mut Looks) -> Result<f64, Box<dyn Error>> {
    let mut store = Store::open(database)?;
    let mut run = store.begin(RunKind::Library, "compare", fleet.now())?;
    run.record(fleet.look())?; // all are new
    let mut each_ms = Series::default();
    for _ in 0..LOOKS {
        let snapshot = fleet.look();
        let begun = Instant::now();
        let recorded = run.record(snapshot)?;
        each_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        check(recorded.processes_seen, recorded.processes_changed)?;
    }
    run.finish(&Ending::new(fleet.now(), RunResult::Complete))?;
    Ok(each_ms.median())
}

fn afresh(database: &Path, fleet: &mut Looks) -> Result<f64, Box<dyn Error>> {
    let mut each_ms = Series::default();
    for _ in 0..LOOKS {
        fleet.look();
        let (snapshot, now) = (&fleet.snapshot, fleet.now());
        let begun = Instant::now();
        let mut store = Store::open(database)?;
        let mut run = store.begin(RunKind::Library, "compare", now)?;
        let recorded = run.record(snapshot)?;
        run.finish(&Ending::new(now, RunResult::Complete))?;
        drop(store);
        each_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        check(recorded.processes_seen, recorded.processes_changed)?;
    }
    Ok(each_ms.median())
}

fn check(seen: u64, changed: u64) -> Result<(), Box<dyn Error>> {
    if (seen, changed) == (PROCESSES as u64, CHANGED as u64) {
        return Ok(());
    }
    Err(format!("MISMATCH: {changed} of {seen} processes changed").into())
}

/// One look after another, a minute apart, at a fleet in which others change each time.
struct Looks {
    snapshot: Snapshot,
    number: usize,
}

impl Looks {
    fn new() -> Result<Self, Box<dyn Error>> {
        let start: UtcMillis = "2024-05-01T00:00:00Z".parse()?;
        let mut snapshot = Fleet::new(FleetConfig::new(1, PROCESSES + 500, start)).snapshot(0);
        if snapshot.processes.len() < PROCESSES {
            return Err("the fleet is too small".into());
        }
        snapshot.processes.truncate(PROCESSES);
        Ok(Self {
            snapshot,
            number: 0,
        })
    }

    fn now(&self) -> UtcMillis {
        self.snapshot.observed_at
    }

    fn look(&mut self) -> &Snapshot {
        self.number += 1;
        self.snapshot.observed_at = self.now().plus_millis(MINUTE_MS);
        let first = self.number * CHANGED % PROCESSES;
        for process in &mut self.snapshot.processes[first..first + CHANGED] {
            process.rooms_allocated += 1;
        }
        &self.snapshot
    }
}
