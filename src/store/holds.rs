//! Which endpoints a process holds, from when until when.
//!
//! A hold lasts from `startedAt`, else from when the process was first seen with the endpoint, though no
//! later than its end, until `terminatedAt`, else until `stoppingAt` of one that has ended, else it has no end. An
//! endpoint that a later version no longer shows is still held.

use rusqlite::{Connection, named_params, params};

use super::load;
use super::tracked::{Hold, Tracked};
use crate::Error;
use crate::error::Doing;
use crate::model::Outcome;

/// Works out the holds of a process anew; `shown` are endpoints that its state at `at_ms` shows, beside
/// those known already. Whoever tells none when that was has it looked up among the versions written.
pub(super) fn update_holds(
    db: &Connection,
    tracked: &mut Tracked,
    shown: &[i64],
    at_ms: Option<i64>,
) -> Result<(), Error> {
    let mut holds = match tracked.holds.take() {
        Some(holds) => holds,
        None => load::holds(db, tracked.key)?,
    };
    for endpoint in shown {
        if !holds.iter().any(|hold| hold.endpoint == *endpoint) {
            holds.push(Hold {
                endpoint: *endpoint,
                from_ms: i64::MIN,
                until_ms: None,
                seen_ms: at_ms,
                written: None,
            });
        }
    }
    let process = &tracked.latest;
    let ended_without_time = Outcome::of(process)
        .has_ended()
        .then_some(process.stopping_at)
        .flatten();
    let until_ms = process
        .terminated_at
        .or(ended_without_time)
        .map(|t| t.millis());
    for hold in &mut holds {
        hold.until_ms = until_ms;
        hold.from_ms = match (process.started_at, hold.seen_ms) {
            (Some(started_at), _) => started_at.millis(),
            (None, seen_ms) => {
                let seen = match seen_ms {
                    Some(seen_ms) => seen_ms,
                    None => first_seen_with(db, tracked.key, hold.endpoint)?,
                };
                hold.seen_ms = Some(seen);
                until_ms.map_or(seen, |until| seen.min(until))
            }
        };
    }
    tracked.holds = Some(holds);
    Ok(())
}

/// A change to the file's holds: of a process, at an endpoint.
pub(super) struct HoldChange {
    pub process: i64,
    pub hold: Hold,
}

/// Takes note of how the holds of a process differ from the file's, which is to be changed accordingly.
pub(super) fn changes(tracked: &mut Tracked, changes: &mut Vec<HoldChange>) {
    let process = tracked.key;
    for hold in tracked.holds.iter_mut().flatten() {
        let now = Some((hold.from_ms, hold.until_ms));
        if hold.written != now {
            changes.push(HoldChange {
                process,
                hold: *hold,
            });
            hold.written = now;
        }
    }
}

pub(super) fn write_holds(db: &Connection, changes: &mut [HoldChange]) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    changes.sort_unstable_by_key(|change| (change.hold.endpoint, change.hold.from_ms));
    let mut delete = db
        .prepare_cached(
            "DELETE FROM hold WHERE endpoint_id = ?1 AND held_from_ms = ?2 AND process_key = ?3",
        )
        .doing("record a hold")?;
    let mut end = db
        .prepare_cached(
            "UPDATE hold SET held_until_ms = ?4
             WHERE endpoint_id = ?1 AND held_from_ms = ?2 AND process_key = ?3",
        )
        .doing("record a hold")?;
    let mut insert = db
        .prepare_cached(
            "INSERT INTO hold (endpoint_id, held_from_ms, process_key, held_until_ms)
             VALUES (?1, ?2, ?3, ?4)",
        )
        .doing("record a hold")?;
    for HoldChange { process, hold } in &*changes {
        let written_from = hold.written.map(|(from, _)| from);
        if let Some(from) = written_from.filter(|from| *from != hold.from_ms) {
            delete
                .execute(params![hold.endpoint, from, process])
                .doing("record a hold")?;
        }
        let statement = match written_from == Some(hold.from_ms) {
            true => &mut end,
            false => &mut insert,
        };
        statement
            .execute(params![hold.endpoint, hold.from_ms, process, hold.until_ms])
            .doing("record a hold")?;
    }
    Ok(())
}

fn first_seen_with(db: &Connection, process_key: i64, endpoint: i64) -> Result<i64, Error> {
    db.prepare_cached(
        "SELECT min(v.first_seen_ms) FROM version v
         WHERE v.process_key = :process
           AND (v.exposed_port IN
                    (SELECT exposed_port_id FROM exposed_port WHERE endpoint_id = :endpoint)
                OR EXISTS (SELECT 1 FROM json_each(v.additional_ports) j
                           JOIN exposed_port x ON x.exposed_port_id = j.value
                           WHERE x.endpoint_id = :endpoint))",
    )
    .and_then(|mut statement| {
        statement.query_row(
            named_params! { ":process": process_key, ":endpoint": endpoint },
            |row| row.get(0),
        )
    })
    .doing("read versions")
}
