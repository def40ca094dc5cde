//! The rows of a process's versions, and the moments at which it was observed.

use std::collections::BTreeSet;

use rusqlite::{Connection, named_params};

use super::recorder::Tracked;
use super::rows::{STATE_COLUMNS, STATE_WIDTH, process_from_row};
use super::weave::VersionRun;
use super::words::StateIds;
use crate::Error;
use crate::error::Doing;
use crate::model::Process;

pub(super) fn insert_version(
    db: &Connection,
    process_key: i64,
    version: i64,
    first_ms: i64,
    changed: i64,
    process: &Process,
    ids: &StateIds,
) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO version (process_key, version, first_seen_ms, changed, app, deployment,
             region, status, rooms_allocated, rooms_per_process, created_ms, started_ms,
             stopping_ms, terminated_ms, exposed_port, additional_ports, extra)
         VALUES (:process, :version, :first, :changed, :app, :deployment,
             :region, :status, :rooms_allocated, :rooms_per_process, :created, :started,
             :stopping, :terminated, :exposed_port, :additional_ports, :extra)",
    )
    .and_then(|mut statement| {
        statement.execute(named_params! {
            ":process": process_key,
            ":version": version,
            ":first": first_ms,
            ":changed": changed,
            ":app": ids.app,
            ":deployment": process.deployment_id,
            ":region": ids.region,
            ":status": ids.status,
            ":rooms_allocated": process.rooms_allocated,
            ":rooms_per_process": process.rooms_per_process,
            ":created": process.created_at.millis(),
            ":started": process.started_at.map(|t| t.millis()),
            ":stopping": process.stopping_at.map(|t| t.millis()),
            ":terminated": process.terminated_at.map(|t| t.millis()),
            ":exposed_port": ids.exposed_port,
            ":additional_ports": ids.additional_ports,
            ":extra": ids.extra,
        })
    })
    .doing("record a version")?;
    Ok(())
}

/// Writes down when a version that is no longer the latest was last seen.
pub(super) fn end_version(
    db: &Connection,
    process_key: i64,
    version: i64,
    last_ms: i64,
) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE version SET last_seen_ms = :last
         WHERE process_key = :process AND version = :version",
    )
    .and_then(|mut statement| {
        statement.execute(named_params! {
            ":last": last_ms, ":process": process_key, ":version": version,
        })
    })
    .doing("end a version")?;
    Ok(())
}

/// All versions of a process, in order.
pub(super) fn load_versions(db: &Connection, tracked: &Tracked) -> Result<Vec<VersionRun>, Error> {
    let mut statement = db
        .prepare_cached(&format!(
            "SELECT {STATE_COLUMNS}, first_seen_at_ms, last_seen_at_ms
             FROM process_versions WHERE process_id = :process_id ORDER BY version"
        ))
        .doing("read versions")?;
    let mut rows = statement
        .query(named_params! { ":process_id": tracked.latest.process_id })
        .doing("read versions")?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next().doing("read versions")? {
        runs.push(VersionRun {
            state: process_from_row(row)?,
            first_ms: row.get(STATE_WIDTH).doing("read versions")?,
            last_ms: row.get(STATE_WIDTH + 1).doing("read versions")?,
        });
    }
    if let Some(latest) = runs.last_mut() {
        // The file learns only at the snapshot's end how late the stream has seen it.
        latest.last_ms = tracked.last_seen_ms;
    }
    Ok(runs)
}

/// The moments of all observations of a process that the file knows.
pub(super) fn moments(db: &Connection, process_key: i64) -> Result<BTreeSet<i64>, Error> {
    db.prepare_cached(
        "SELECT n.observed_at_ms
         FROM sighting s
         JOIN stream t USING (stream_id)
         JOIN snapshot n ON n.stream_id = s.stream_id
              AND n.observed_at_ms BETWEEN s.first_ms AND coalesce(s.last_ms, t.last_ms)
         WHERE s.process_key = :process",
    )
    .and_then(|mut statement| {
        statement
            .query_map(named_params! { ":process": process_key }, |row| row.get(0))?
            .collect()
    })
    .doing("read when a process was seen")
}

/// Whether the file knows of an observation of the process at this moment.
pub(super) fn is_moment(db: &Connection, process_key: i64, at_ms: i64) -> Result<bool, Error> {
    db.prepare_cached(
        "SELECT EXISTS (
             SELECT 1
             FROM sighting s
             JOIN stream t USING (stream_id)
             JOIN snapshot n ON n.stream_id = s.stream_id AND n.observed_at_ms = :at
             WHERE s.process_key = :process
               AND s.first_ms <= :at AND coalesce(s.last_ms, t.last_ms) >= :at)",
    )
    .and_then(|mut statement| {
        statement.query_row(
            named_params! { ":process": process_key, ":at": at_ms },
            |row| row.get(0),
        )
    })
    .doing("read when a process was seen")
}

/// The first moment of the unbroken series of ended versions that the latest one closes.
pub(super) fn first_seen_ended(db: &Connection, process_key: i64) -> Result<i64, Error> {
    db.prepare_cached(
        "SELECT min(first_seen_ms) FROM version
         WHERE process_key = :process
           AND version > coalesce(
               (SELECT max(v.version) FROM version v JOIN word s ON s.word_id = v.status
                WHERE v.process_key = :process AND v.terminated_ms IS NULL
                  AND s.text NOT IN ('stopped', 'failed')), 0)",
    )
    .and_then(|mut statement| {
        statement.query_row(named_params! { ":process": process_key }, |row| row.get(0))
    })
    .doing("read versions")
}
