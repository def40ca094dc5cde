//! The rows of a process's versions, and the moments at which it was observed.

use std::collections::BTreeSet;

use rusqlite::{Connection, named_params, params};

use super::derived::count_versions;
use super::rows::{STATE_COLUMNS, STATE_WIDTH, process_from_row};
use super::weave::VersionRun;
use super::words::StateIds;
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Process, UtcMillis};

/// A version as its row holds it.
#[derive(Debug)]
pub(super) struct VersionRow {
    pub process_key: i64,
    pub version: i64,
    pub first_ms: i64,
    /// None of the latest.
    pub last_ms: Option<i64>,
    changed: i64,
    ids: StateIds,
    deployment_id: Deployment,
    rooms_allocated: i64,
    rooms_per_process: i64,
    created_ms: i64,
    started_ms: Option<i64>,
    stopping_ms: Option<i64>,
    terminated_ms: Option<i64>,
}

impl VersionRow {
    /// The version of this number, the latest so far.
    pub fn new(
        (process_key, version): (i64, i64),
        first_ms: i64,
        changed: i64,
        state: &Process,
        ids: StateIds,
    ) -> Self {
        Self {
            process_key,
            version,
            first_ms,
            last_ms: None,
            changed,
            ids,
            deployment_id: state.deployment_id.clone(),
            rooms_allocated: state.rooms_allocated,
            rooms_per_process: state.rooms_per_process,
            created_ms: state.created_at.millis(),
            started_ms: state.started_at.map(UtcMillis::millis),
            stopping_ms: state.stopping_at.map(UtcMillis::millis),
            terminated_ms: state.terminated_at.map(UtcMillis::millis),
        }
    }
}

/// Writes versions in the order of their keys.
pub(super) fn insert_versions(db: &Connection, versions: &[VersionRow]) -> Result<(), Error> {
    let mut in_order: Vec<&VersionRow> = versions.iter().collect();
    in_order.sort_unstable_by_key(|row| (row.process_key, row.version));
    let mut insert = db
        .prepare_cached(
            "INSERT INTO version (process_key, version, first_seen_ms, last_seen_ms, changed, app,
                 deployment, region, status, rooms_allocated, rooms_per_process, created_ms,
                 started_ms, stopping_ms, terminated_ms, exposed_port, additional_ports, extra)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )
        .doing("record a version")?;
    for row in in_order {
        let ids = &row.ids;
        insert
            .execute(params![
                row.process_key,
                row.version,
                row.first_ms,
                row.last_ms,
                row.changed,
                ids.app,
                row.deployment_id,
                ids.region,
                ids.status,
                row.rooms_allocated,
                row.rooms_per_process,
                row.created_ms,
                row.started_ms,
                row.stopping_ms,
                row.terminated_ms,
                ids.ports.exposed,
                ids.ports.additional,
                ids.extra,
            ])
            .doing("record a version")?;
    }
    count_versions(db, versions.len() as i64)
}

/// A version that is no longer the latest, and when it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndedVersion {
    pub process_key: i64,
    pub version: i64,
    pub last_ms: i64,
}

pub(super) fn end_versions(db: &Connection, ended: &mut [EndedVersion]) -> Result<(), Error> {
    ended.sort_unstable();
    let mut update = db
        .prepare_cached(
            "UPDATE version SET last_seen_ms = ?3 WHERE process_key = ?1 AND version = ?2",
        )
        .doing("end a version")?;
    for row in ended {
        update
            .execute([row.process_key, row.version, row.last_ms])
            .doing("end a version")?;
    }
    Ok(())
}

pub(super) fn delete_versions(db: &Connection, process_key: i64) -> Result<(), Error> {
    let gone = db
        .prepare_cached("DELETE FROM version WHERE process_key = ?1")
        .and_then(|mut statement| statement.execute([process_key]))
        .doing("rewrite versions")?;
    count_versions(db, -(gone as i64))
}

/// All versions of a process, in order, as the file has them.
pub(super) fn load_versions(db: &Connection, process_id: &str) -> Result<Vec<VersionRun>, Error> {
    let mut statement = db
        .prepare_cached(&format!(
            "SELECT {STATE_COLUMNS}, first_seen_at_ms, last_seen_at_ms
             FROM process_versions WHERE process_id = :process_id ORDER BY version"
        ))
        .doing("read versions")?;
    let mut rows = statement
        .query(named_params! { ":process_id": process_id })
        .doing("read versions")?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next().doing("read versions")? {
        runs.push(VersionRun {
            state: process_from_row(row)?,
            first_ms: row.get(STATE_WIDTH).doing("read versions")?,
            last_ms: row.get(STATE_WIDTH + 1).doing("read versions")?,
        });
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
