//! The yardstick *floor*: the least program that records an archive. One thread, the last state of
//! each process in memory, bare rows into two tables, one transaction.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::path::Path;

use prochist::model::UtcMillis;
use rusqlite::{Connection, ToSql, params};
use serde::{Deserialize, Serialize};

use super::record::{Record, each_line};

/// How the floor keeps times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// As the texts that came.
    Texts,
    /// As whole milliseconds: a harsher yardstick for the size of the file.
    Millis,
}

/// When the floor makes its indexes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Indexes {
    /// Before the rows, as in a file that more is recorded into another day.
    First,
    /// After the rows, which is quicker, and serves one import into one new file.
    Last,
}

/// What a program came upon in an archive.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub observations: u64,
    pub processes: u64,
    pub versions: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} observations of {} processes, {:.1}% of them new versions",
            self.observations,
            self.processes,
            100.0 * self.versions as f64 / self.observations as f64
        )
    }
}

const TABLES: &str = "
    CREATE TABLE process (
        process_key INTEGER PRIMARY KEY,
        process_id, app_id, deployment_id, region, created_at
    );
    CREATE TABLE version (
        process_key, observed_at, status, rooms_allocated, rooms_per_process,
        started_at, stopping_at, terminated_at,
        host, port, port_name, transport_type, additional_ports
    );
";

const INDEXES: &str = "
    CREATE INDEX process_by_id ON process (process_id);
    CREATE INDEX version_by_process ON version (process_key, observed_at);
";

/// Records an archive into a new database file, which is whole when this returns: closing it
/// brings the write-ahead log home.
pub fn import(
    archive: &Path,
    database: &Path,
    times: Times,
    indexes: Indexes,
) -> Result<Counts, Box<dyn Error>> {
    let db = Connection::open(database)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "normal")?;
    db.execute_batch(TABLES)?;
    if indexes == Indexes::First {
        db.execute_batch(INDEXES)?;
    }
    db.execute_batch("BEGIN")?;
    let counts = record(&db, archive, times)?;
    if indexes == Indexes::Last {
        db.execute_batch(INDEXES)?;
    }
    db.execute_batch("COMMIT")?;
    db.close().map_err(|(_, error)| error)?;
    Ok(counts)
}

fn record(db: &Connection, archive: &Path, times: Times) -> Result<Counts, Box<dyn Error>> {
    let mut new_process = db.prepare(
        "INSERT INTO process (process_id, app_id, deployment_id, region, created_at)
         VALUES (?, ?, ?, ?, ?)",
    )?;
    let mut new_version =
        db.prepare("INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    let mut known: HashMap<String, Known> = HashMap::new();
    let mut counts = Counts::default();
    let mut line_number: u64 = 0;
    each_line(archive, |line| {
        line_number += 1;
        for seen in &line.processes {
            counts.observations += 1;
            let key = if let Some(known) = known.get_mut(seen.process_id) {
                known.last_line = line_number;
                if known.state.is(seen) {
                    continue;
                }
                known.ended = seen.has_ended();
                known.state = State::of(seen);
                known.key
            } else {
                counts.processes += 1;
                let key = new_process.insert(params![
                    seen.process_id,
                    seen.app_id,
                    seen.deployment_id,
                    seen.region,
                    time(times, Some(seen.created_at))?,
                ])?;
                let first = Known {
                    key,
                    last_line: line_number,
                    ended: seen.has_ended(),
                    state: State::of(seen),
                };
                known.insert(seen.process_id.to_owned(), first);
                key
            };
            counts.versions += 1;
            let port = seen.exposed_port.as_ref();
            new_version.execute(params![
                key,
                time(times, Some(line.observed_at))?,
                seen.status,
                seen.rooms_allocated,
                seen.rooms_per_process,
                time(times, seen.started_at)?,
                time(times, seen.stopping_at)?,
                time(times, seen.terminated_at)?,
                port.map(|port| &port.host),
                port.map(|port| port.port),
                port.map(|port| &port.name),
                port.map(|port| port.transport_type),
                seen.more_ports(),
            ])?;
        }
        known.retain(|_, known| !known.ended || known.last_line == line_number);
        Ok(())
    })?;
    Ok(counts)
}

/// A time as a column holds it.
fn time(times: Times, text: Option<&str>) -> Result<Time<'_>, Box<dyn Error>> {
    Ok(match (times, text) {
        (_, None) => Time::Text(None),
        (Times::Texts, text) => Time::Text(text),
        (Times::Millis, Some(text)) => Time::Millis(text.parse::<UtcMillis>()?.millis()),
    })
}

enum Time<'a> {
    Text(Option<&'a str>),
    Millis(i64),
}

impl ToSql for Time<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Millis(millis) => millis.to_sql(),
        }
    }
}

/// What is remembered of a process between two lines.
struct Known {
    key: i64,
    last_line: u64,
    ended: bool,
    state: State,
}

/// What of a process can change.
struct State {
    status: String,
    rooms_allocated: i64,
    rooms_per_process: i64,
    started_at: Option<String>,
    stopping_at: Option<String>,
    terminated_at: Option<String>,
    port: Option<(String, i64, String, String)>,
    more_ports: Option<String>,
}

impl State {
    fn of(seen: &Record<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            status: seen.status.to_owned(),
            rooms_allocated: seen.rooms_allocated,
            rooms_per_process: seen.rooms_per_process,
            started_at: owned(seen.started_at),
            stopping_at: owned(seen.stopping_at),
            terminated_at: owned(seen.terminated_at),
            port: seen.exposed_port.as_ref().map(|port| {
                (
                    port.host.clone().into_owned(),
                    port.port,
                    port.name.clone().into_owned(),
                    port.transport_type.to_owned(),
                )
            }),
            more_ports: owned(seen.more_ports()),
        }
    }

    fn is(&self, seen: &Record<'_>) -> bool {
        let port = seen.exposed_port.as_ref();
        self.rooms_allocated == seen.rooms_allocated
            && self.status == seen.status
            && self.rooms_per_process == seen.rooms_per_process
            && self.started_at.as_deref() == seen.started_at
            && self.stopping_at.as_deref() == seen.stopping_at
            && self.terminated_at.as_deref() == seen.terminated_at
            && self.more_ports.as_deref() == seen.more_ports()
            && match (&self.port, port) {
                (None, None) => true,
                (Some((host, number, name, transport)), Some(port)) => {
                    *number == port.port
                        && Cow::Borrowed(host.as_str()) == port.host
                        && Cow::Borrowed(name.as_str()) == port.name
                        && transport == port.transport_type
                }
                _ => false,
            }
    }
}
