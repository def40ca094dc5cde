//! What the ledger keeps beside a run: what was set aside, what may be missing; and what it came to.

use rusqlite::{Connection, named_params};

use super::snapshot_writer::Recorded;
use super::words::Words;
use crate::Error;
use crate::error::Doing;
use crate::model::{Gap, SetAside};

/// Keeps what could not be understood, and counts it. A source that is looked at again and again
/// (`looked_at_again`) may show the same each time: then it is counted, but not kept twice. Whether it
/// was kept.
pub(super) fn insert_aside(
    db: &Connection,
    run_id: i64,
    aside: &SetAside,
    looked_at_again: bool,
) -> Result<bool, Error> {
    let kept = db
        .prepare_cached(
            "INSERT INTO aside (run_id, source, line, reason, raw)
         SELECT :run, :source, :line, :reason, :raw
         WHERE NOT :again
            OR NOT EXISTS (SELECT 1 FROM aside
                           WHERE length(raw) = length(:raw) AND raw = :raw AND reason = :reason)",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":run": run_id,
                ":source": aside.source,
                ":line": aside.line.map(u64::cast_signed),
                ":reason": aside.reason,
                ":raw": aside.raw,
                ":again": looked_at_again,
            })
        })
        .doing("set a record aside")?;
    db.prepare_cached("UPDATE run SET set_aside = set_aside + 1 WHERE run_id = :run")
        .and_then(|mut statement| statement.execute(named_params! { ":run": run_id }))
        .doing("set a record aside")?;
    Ok(kept > 0)
}

pub(super) fn insert_gap(
    db: &Connection,
    words: &mut Words,
    run_id: i64,
    gap: &Gap,
) -> Result<(), Error> {
    let app = words.word(db, &gap.app_id)?;
    let mut optional = |text: &Option<String>| match text {
        Some(text) => words.word(db, text).map(Some),
        None => Ok(None),
    };
    let (region, status) = (optional(&gap.region)?, optional(&gap.status)?);
    db.prepare_cached(
        "INSERT INTO gap (run_id, app, region, status, since_ms, until_ms, reason,
             hidden_at_least)
         VALUES (:run, :app, :region, :status, :since, :until, :reason, :hidden)",
    )
    .and_then(|mut statement| {
        statement.execute(named_params! {
            ":run": run_id,
            ":app": app,
            ":region": region,
            ":status": status,
            ":since": gap.since.millis(),
            ":until": gap.until.millis(),
            ":reason": gap.reason.as_str(),
            ":hidden": gap.hidden_at_least.map(u64::cast_signed),
        })
    })
    .doing("record a gap")?;
    Ok(())
}

/// What a run has recorded, as its row says.
pub(super) fn recorded_by(db: &Connection, run_id: i64) -> Result<Recorded, Error> {
    db.prepare_cached(
        "SELECT snapshots, processes_seen, processes_new, processes_changed, processes_lost
         FROM run WHERE run_id = :run",
    )
    .and_then(|mut statement| {
        statement.query_row(named_params! { ":run": run_id }, |row| {
            let count = |column| row.get(column).map(i64::cast_unsigned);
            Ok(Recorded {
                snapshots: count(0)?,
                processes_seen: count(1)?,
                processes_new: count(2)?,
                processes_changed: count(3)?,
                processes_lost: count(4)?,
            })
        })
    })
    .doing("count what was recorded")
}
