//! Which endpoints a process holds, from when until when.
//!
//! A hold lasts from `startedAt`, else from when the process was first seen with the endpoint, though no
//! later than its end, until `terminatedAt`, else until `stoppingAt` of one that has ended, else it has no end. An
//! endpoint that a later version no longer shows is still held.

use std::collections::BTreeSet;

use rusqlite::{Connection, named_params};

use super::recorder::Tracked;
use crate::Error;
use crate::error::Doing;
use crate::model::Outcome;

/// Writes the holds of a process; `shown` are endpoints that its latest versions show, beside those
/// known already.
pub(super) fn update_holds(
    db: &Connection,
    tracked: &mut Tracked,
    shown: &[i64],
) -> Result<(), Error> {
    let process = &tracked.latest;
    let ended_without_time = Outcome::of(process)
        .has_ended()
        .then_some(process.stopping_at)
        .flatten();
    let until = process
        .terminated_at
        .or(ended_without_time)
        .map(|t| t.millis());
    let endpoints: BTreeSet<i64> = tracked.holds.keys().chain(shown).copied().collect();
    for endpoint in endpoints {
        let from = match process.started_at {
            Some(started_at) => started_at.millis(),
            None => {
                let seen = first_seen_with(db, tracked.key, endpoint)?;
                until.map_or(seen, |until| seen.min(until))
            }
        };
        let known = tracked.holds.get(&endpoint).copied();
        if known == Some((from, until)) {
            continue;
        }
        match known {
            Some((known_from, _)) if known_from == from => {
                db.prepare_cached(
                    "UPDATE hold SET held_until_ms = :until
                     WHERE endpoint_id = :endpoint AND held_from_ms = :from
                       AND process_key = :process",
                )
                .and_then(|mut statement| {
                    statement.execute(named_params! {
                        ":until": until, ":endpoint": endpoint, ":from": from,
                        ":process": tracked.key,
                    })
                })
                .doing("record a hold")?;
            }
            known => {
                if let Some((known_from, _)) = known {
                    db.prepare_cached(
                        "DELETE FROM hold
                         WHERE endpoint_id = :endpoint AND held_from_ms = :from
                           AND process_key = :process",
                    )
                    .and_then(|mut statement| {
                        statement.execute(named_params! {
                            ":endpoint": endpoint, ":from": known_from, ":process": tracked.key,
                        })
                    })
                    .doing("record a hold")?;
                }
                db.prepare_cached(
                    "INSERT INTO hold (endpoint_id, held_from_ms, process_key, held_until_ms)
                     VALUES (:endpoint, :from, :process, :until)",
                )
                .and_then(|mut statement| {
                    statement.execute(named_params! {
                        ":endpoint": endpoint, ":from": from, ":process": tracked.key,
                        ":until": until,
                    })
                })
                .doing("record a hold")?;
            }
        }
        tracked.holds.insert(endpoint, (from, until));
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
