//! What a recorder has yet to write: whole snapshots' worth, in one go and in the order of keys.
//!
//! A process that changes often within what is written at once has its row written once, and versions
//! that begin and end within it are written whole. Nobody sees it: all is written before the commit.

use rusqlite::{Connection, params, params_from_iter};

use super::holds::{changes, write_holds};
use super::recorder::Recorder;
use super::segments::{loosen, sealed_until};
use super::tracked::{Sighting, Tracked, Unwritten};
use super::versions::{EndedVersion, VersionRow, end_versions, first_seen_ended, insert_versions};
use super::words::StateIds;
use crate::Error;
use crate::error::Doing;
use crate::model::{Outcome, UtcMillis};

#[derive(Debug, Default)]
pub(super) struct Pending {
    pub versions: Vec<VersionRow>,
    pub ended_versions: Vec<EndedVersion>,
    pub closed: Vec<ClosedSighting>,
    /// What the transaction has taken so far beside these, as a number of rows that take as long.
    work: usize,
}

/// A sighting that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClosedSighting {
    pub process_key: i64,
    pub first_ms: i64,
    pub last_ms: i64,
    pub is_written: bool,
}

impl Pending {
    /// About how many rows the transaction comes to, written and yet to be written.
    pub fn rows(&self) -> usize {
        self.work + self.versions.len() + self.closed.len()
    }

    /// So many processes have been observed, most of which stand as they stood.
    pub fn observed(&mut self, processes: usize) {
        self.work += 1 + processes / 10;
    }

    /// A late observation has been put in its place among so many versions, as they were and as they are.
    pub fn woven(&mut self, versions: usize) {
        self.work += 10 + versions;
    }

    /// So many bytes that could not be understood are kept.
    pub fn kept(&mut self, bytes: usize) {
        self.work += 1 + bytes / 1000;
    }

    /// Another transaction begins.
    pub fn committed(&mut self) {
        self.work = 0;
    }
}

impl Recorder {
    /// Writes all that is pending.
    pub(super) fn write_pending(&mut self, db: &Connection) -> Result<(), Error> {
        insert_versions(db, &self.pending.versions)?;
        end_versions(db, &mut self.pending.ended_versions)?;
        self.write_sightings(db)?;
        self.write_processes(db)?;
        self.pending.work = self.pending.rows();
        // Their space is kept for the next.
        self.pending.versions.clear();
        self.pending.ended_versions.clear();
        self.pending.closed.clear();
        Ok(())
    }

    fn write_sightings(&mut self, db: &Connection) -> Result<(), Error> {
        let Some(stream) = self.stream() else {
            return Ok(());
        };
        let closed = self.pending.closed.iter().map(|sighting| {
            let ClosedSighting {
                process_key,
                first_ms,
                last_ms,
                is_written,
            } = *sighting;
            (process_key, first_ms, Some(last_ms), is_written)
        });
        let mut all: Vec<_> = closed.collect();
        for tracked in self.roster.iter_mut() {
            let key = tracked.key;
            if let Some(Sighting {
                first_ms,
                is_written: is_written @ false,
            }) = &mut tracked.sighting
            {
                all.push((key, *first_ms, None, false));
                *is_written = true;
            }
        }
        all.sort_unstable();
        let mut insert = db
            .prepare_cached(
                "INSERT INTO sighting (process_key, stream_id, first_ms, last_ms)
                 VALUES (?1, ?2, ?3, ?4)",
            )
            .doing("record a sighting")?;
        let mut end = db
            .prepare_cached(
                "UPDATE sighting SET last_ms = ?4
                 WHERE process_key = ?1 AND stream_id = ?2 AND first_ms = ?3",
            )
            .doing("end a sighting")?;
        for (process_key, first_ms, last_ms, is_written) in all {
            let statement = if is_written { &mut end } else { &mut insert };
            statement
                .execute(params![process_key, stream.id, first_ms, last_ms])
                .doing("record a sighting")?;
        }
        Ok(())
    }

    fn write_processes(&mut self, db: &Connection) -> Result<(), Error> {
        let others_open = self.others_open();
        let mut changed: Vec<&mut Tracked> = self
            .roster
            .iter_mut()
            .filter(|tracked| tracked.unwritten != Unwritten::Nothing)
            .collect();
        changed.sort_unstable_by_key(|tracked| tracked.key);
        let (mut hold_changes, sealed) = (Vec::new(), sealed_until(db)?);
        for tracked in changed {
            let ids = match tracked.ids.take() {
                Some(ids) => ids,
                None => self.words.state(db, &tracked.latest)?,
            };
            let ids = tracked.ids.insert(ids).clone();
            write_process(db, tracked, &ids, others_open)?;
            changes(tracked, &mut hold_changes);
            if tracked.key <= sealed && tracked.unwritten > Unwritten::Seen {
                loosen(db, tracked.key, tracked.outcome.has_ended())?;
            }
            tracked.unwritten = Unwritten::Nothing;
            tracked.pending_version = None;
        }
        write_holds(db, &mut hold_changes)
    }
}

/// Writes a process's own row; its versions and its closed sightings are in the file.
pub(super) fn write_process(
    db: &Connection,
    tracked: &Tracked,
    ids: &StateIds,
    others_open: bool,
) -> Result<(), Error> {
    let process = &tracked.latest;
    let ended_ms = match tracked.outcome {
        Outcome::Open | Outcome::Lost => None,
        Outcome::Stopped | Outcome::Failed => {
            match tracked.said_to_end_ms().or(tracked.seen_ended_ms) {
                Some(ended_ms) => Some(ended_ms),
                None => Some(first_seen_ended(db, tracked.key)?),
            }
        }
    };
    // None while a sighting of it is open: then it is as late as that sighting's stream.
    let last_seen_ms = match tracked.sighting {
        Some(_) => None,
        None if others_open => last_seen(db, tracked.key)?,
        None => Some(tracked.last_seen_ms),
    };
    let (sql, is_whole) = match tracked.unwritten {
        Unwritten::Nothing | Unwritten::Seen => {
            db.prepare_cached("UPDATE process SET last_seen_ms = ?2 WHERE process_key = ?1")
                .and_then(|mut statement| statement.execute(params![tracked.key, last_seen_ms]))
                .doing("record a process")?;
            return Ok(());
        }
        Unwritten::Life => (
            "UPDATE process SET status = ?2, started_ms = ?3, stopping_ms = ?4, terminated_ms = ?5,
                 outcome = ?6, ended_ms = ?7, last_seen_ms = ?11, versions = ?12
             WHERE process_key = ?1",
            false,
        ),
        Unwritten::Anything => (
            "UPDATE process SET status = ?2, started_ms = ?3, stopping_ms = ?4, terminated_ms = ?5,
                 outcome = ?6, ended_ms = ?7, last_seen_ms = ?11, versions = ?12,
                 app = ?8, region = ?9, deployment = ?10, created_ms = ?13, lost_ms = ?14,
                 first_seen_ms = ?15
             WHERE process_key = ?1 AND process_id = ?16",
            true,
        ),
        Unwritten::All => (
            "INSERT INTO process (process_key, status, started_ms, stopping_ms, terminated_ms,
                 outcome, ended_ms, app, region, deployment, last_seen_ms, versions, created_ms,
                 lost_ms, first_seen_ms, process_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            true,
        ),
    };
    let of_life = params![
        tracked.key,
        ids.status,
        process.started_at.map(UtcMillis::millis),
        process.stopping_at.map(UtcMillis::millis),
        process.terminated_at.map(UtcMillis::millis),
        tracked.outcome.as_str(),
        ended_ms,
        ids.app,
        ids.region,
        process.deployment_id,
        last_seen_ms,
        tracked.versions,
    ];
    let of_all = params![
        process.created_at.millis(),
        tracked.lost_ms,
        tracked.first_seen_ms,
        process.process_id,
    ];
    let rest = if is_whole { of_all } else { &[] };
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params_from_iter(of_life.iter().chain(rest))))
        .doing("record a process")?;
    Ok(())
}

/// When a process was last seen in any stream; none while one of its sightings is open.
fn last_seen(db: &Connection, process_key: i64) -> Result<Option<i64>, Error> {
    db.prepare_cached(
        "SELECT CASE WHEN count(*) = count(last_ms) THEN max(last_ms) END
         FROM sighting WHERE process_key = ?1",
    )
    .and_then(|mut statement| statement.query_row([process_key], |row| row.get(0)))
    .doing("read when a process was last seen")
}
