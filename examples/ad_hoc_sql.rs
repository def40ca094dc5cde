//! Asks a history database in SQL, in two ways: with rusqlite and a read-only connection of one's
//! own, and with [`History::sql`], which stops after so many rows or when it is told to. The history
//! is three hours of a simulated fleet.
//!
//! `cargo run --example ad_hoc_sql`

#![allow(clippy::print_stdout)] // an example shows what it got

use std::path::Path;

use prochist::history::{SqlLimits, SqlQuery, SqlRows, SqlValue};
use prochist::simulator::{Fleet, FleetConfig};
use prochist::{Ending, Error, History, RunKind, RunResult, Store};
use rusqlite::{Connection, OpenFlags};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("history.db");
    record(&path)?;

    // The views need nothing of prochist: any SQLite will do.
    let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    println!("Ports taken again soonest, by rusqlite:");
    let mut statement = db.prepare(
        "SELECT host, port, held_from, gap_ms FROM port_holds
         WHERE gap_ms >= 0 ORDER BY gap_ms, held_from LIMIT 3",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (host, port): (String, i64) = (row.get("host")?, row.get("port")?);
        let (from, gap_ms): (String, i64) = (row.get("held_from")?, row.get("gap_ms")?);
        println!("  {host}:{port} at {from}, {gap_ms} ms after its last holder");
    }

    println!("Mean lifetime by region of those that lived a minute, by History::sql:");
    let limits = SqlLimits {
        max_rows: 3,
        max_memory: None,
        stop: Box::new(|| false),
    };
    // Values go in as parameters: nothing needs quoting, and nobody can slip in SQL of their own.
    let query = SqlQuery::new(
        "SELECT region, count(lifetime_ms) AS ended, round(avg(lifetime_ms) / 1000) AS mean_s
         FROM lifetimes WHERE lifetime_ms >= :least_ms
         GROUP BY region ORDER BY ended DESC, region",
    )
    .param("least_ms", 60_000);
    let cut = History::open(&path)?.sql(&query, limits, &mut Print)?;
    println!("  cut short by: {cut:?}");
    Ok(())
}

/// Prints each row as it comes.
struct Print;

impl SqlRows for Print {
    type Error = Error;

    fn columns(&mut self, names: &[&str]) -> Result<(), Error> {
        println!("  {}", names.join(", "));
        Ok(())
    }

    fn row(&mut self, values: &[SqlValue<'_>]) -> Result<(), Error> {
        let texts: Vec<String> = values
            .iter()
            .map(|value| match value {
                SqlValue::Null => "none".to_owned(),
                SqlValue::Integer(number) => number.to_string(),
                SqlValue::Real(number) => number.to_string(),
                SqlValue::Text(text) => String::from_utf8_lossy(text).into_owned(),
                SqlValue::Blob(bytes) => format!("{} bytes", bytes.len()),
            })
            .collect();
        println!("  {}", texts.join(", "));
        Ok(())
    }
}

/// Three hours of a simulated fleet, a snapshot a minute.
fn record(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    const MINUTE_MS: i64 = 60_000;
    let mut fleet = Fleet::new(FleetConfig::new(7, 40, "2026-01-05T00:00:00Z".parse()?));
    let mut store = Store::open(path)?;
    store.force_commits(false)?; // what is simulated can be simulated again
    let mut run = store.begin(RunKind::Library, "simulated", fleet.now())?;
    for _ in 0..180 {
        fleet.advance(fleet.now().plus_millis(MINUTE_MS));
        run.record(&fleet.snapshot(MINUTE_MS))?;
    }
    run.finish(&Ending::new(fleet.now(), RunResult::Complete))?;
    Ok(())
}
