//! Each of their processes, with all observations of both.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, named_params};

use super::ledger::{Streams, ordered};
use super::{DOING, Merge};
use crate::Error;
use crate::error::Doing;
use crate::model::Outcome;
use crate::store::Progress;
use crate::store::absence::find_again;
use crate::store::tracked::{Tracked, Unwritten};
use crate::store::versions::{load_versions, moments};
use crate::store::weave::{VersionRun, unite};

/// So many are remembered before they are written.
const WRITTEN_AT_ONCE: u64 = 1000;

impl Merge<'_> {
    /// Takes in all processes of which their `streams` show something new.
    pub(super) fn processes(
        &mut self,
        streams: &Streams,
        mut progress: impl FnMut(Progress),
    ) -> Result<(), Error> {
        let theirs = self.theirs;
        let of: i64 = theirs
            .query_row("SELECT count(*) FROM process", [], |row| row.get(0))
            .doing(DOING)?;
        let mut select = theirs
            .prepare("SELECT process_key, process_id FROM process ORDER BY process_key")
            .doing(DOING)?;
        let mut rows = select.query([]).doing(DOING)?;
        let mut done = 0;
        while let Some(row) = rows.next().doing(DOING)? {
            let (key, process_id): (i64, String) =
                (row.get(0).doing(DOING)?, row.get(1).doing(DOING)?);
            self.process(key, &process_id, streams)?;
            done += 1;
            if done % WRITTEN_AT_ONCE == 0 {
                self.write()?;
                progress(Progress {
                    done,
                    of: of.cast_unsigned(),
                });
            }
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), Error> {
        self.recorder.write_pending(self.ours)?;
        self.recorder.roster.clear();
        Ok(())
    }

    fn process(
        &mut self,
        their_key: i64,
        process_id: &str,
        streams: &Streams,
    ) -> Result<(), Error> {
        let key = self.key_of(process_id)?;
        let new = self.new_sightings(their_key, key, streams)?;
        let seen_ms = ordered(new.iter().map(|(_, moments)| *moments));
        let Some(last_ms) = seen_ms.last().copied() else {
            return Ok(());
        };
        self.recorded.processes_seen += seen_ms.len() as u64;
        let theirs = load_versions(self.theirs, process_id)?;
        let (mut tracked, ours, our_moments) = match self.recorder.load(self.ours, process_id)? {
            Some(tracked) => {
                let ours = load_versions(self.ours, process_id)?;
                let seen = moments(self.ours, tracked.key)?;
                (tracked, ours, seen.into_iter().collect())
            }
            None => {
                self.recorded.processes_new += 1;
                (self.new_process(&theirs)?, Vec::new(), Vec::new())
            }
        };
        let is_known = !ours.is_empty();
        let united = unite((&ours, our_moments), (&theirs, seen_ms));
        for (stream, part) in new {
            self.sight(tracked.key, stream, part)?;
        }
        tracked.last_seen_ms = tracked.last_seen_ms.max(last_ms);
        tracked.differs_in(Unwritten::Seen);
        if united != ours {
            if is_known && !is_longer(&ours, &united) {
                self.recorded.processes_changed += 1;
            }
            self.recorder.rewrite(self.ours, &mut tracked, &united)?;
        }
        self.recorder.roster.add(tracked);
        Ok(())
    }

    fn key_of(&self, process_id: &str) -> Result<Option<i64>, Error> {
        self.ours
            .prepare_cached("SELECT process_key FROM process WHERE process_id = ?1")
            .and_then(|mut statement| {
                statement
                    .query_row([process_id], |row| row.get(0))
                    .optional()
            })
            .doing(DOING)
    }

    /// When a process was seen and is not on record here as seen, by our streams. That may be at a snapshot
    /// that has long been here, where the process has been pruned since.
    fn new_sightings<'s>(
        &self,
        their_key: i64,
        key: Option<i64>,
        streams: &'s Streams,
    ) -> Result<Vec<(i64, &'s [i64])>, Error> {
        let ours = match key {
            Some(key) => sightings(self.ours, key)?,
            None => Vec::new(),
        };
        let mut new = Vec::new();
        for (id, first_ms, last_ms) in sightings(self.theirs, their_key)? {
            for part in streams.get(&id).into_iter().flatten() {
                let moments = part.within(first_ms, last_ms);
                let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
                    continue;
                };
                let is_here = ours
                    .iter()
                    .any(|(id, from, until)| *id == part.stream && from <= first && until >= last);
                if !is_here {
                    new.push((part.stream, moments));
                }
            }
        }
        Ok(new)
    }

    /// One that is not here yet, of which nothing is written yet.
    fn new_process(&mut self, theirs: &[VersionRun]) -> Result<Box<Tracked>, Error> {
        let (Some(first), Some(latest)) = (theirs.first(), theirs.last()) else {
            return Err(Error::Damaged {
                what: "a process without a version".to_owned(),
            });
        };
        let key = self.recorder.next_key;
        self.recorder.next_key += 1;
        Ok(Box::new(Tracked {
            key,
            latest: Arc::new(latest.state.clone()),
            ids: None,
            versions: 0,
            outcome: Outcome::of(&latest.state),
            first_seen_ms: first.first_ms,
            last_seen_ms: i64::MIN,
            seen_here_ms: i64::MIN,
            sighting: None,
            lost_ms: None,
            seen_ended_ms: None,
            holds: Some(Vec::new()),
            late: None,
            unwritten: Unwritten::All,
            pending_version: None,
        }))
    }

    /// Notes that a process was seen at moments that follow one another in a stream, some of which may be
    /// on record.
    fn sight(&self, key: i64, stream: i64, moments: &[i64]) -> Result<(), Error> {
        let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
            return Ok(());
        };
        let params = named_params! {
            ":process": key, ":stream": stream, ":first": first, ":last": last,
        };
        // Where one is open, all of it is.
        let (from, until): (i64, Option<i64>) = self
            .ours
            .prepare_cached(
                "SELECT min(:first, coalesce(min(first_ms), :first)),
                        CASE WHEN count(*) = count(last_ms)
                             THEN max(:last, coalesce(max(last_ms), :last)) END
                 FROM sighting
                 WHERE process_key = :process AND stream_id = :stream AND first_ms <= :last
                   AND (last_ms IS NULL OR last_ms >= :first)",
            )
            .and_then(|mut statement| {
                statement.query_row(params, |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .doing(DOING)?;
        self.ours
            .prepare_cached(
                "DELETE FROM sighting
                 WHERE process_key = :process AND stream_id = :stream AND first_ms <= :last
                   AND (last_ms IS NULL OR last_ms >= :first)",
            )
            .and_then(|mut statement| statement.execute(params))
            .doing(DOING)?;
        self.ours
            .prepare_cached("INSERT INTO sighting VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| {
                statement.execute(rusqlite::params![key, stream, from, until])
            })
            .doing(DOING)?;
        Ok(())
    }

    /// Finds anew which processes are lost: each side knows of looks that the other does not.
    pub(super) fn what_is_absent(&mut self) -> Result<(), Error> {
        self.copy(
            "SELECT p.process_id, u.observed_at_ms FROM unknown_look u JOIN process p USING (process_key)
             ORDER BY u.process_key, u.observed_at_ms",
            "INSERT OR IGNORE INTO unknown_look
             SELECT process_key, ?2 FROM process WHERE process_id = ?1",
            |_, _| Ok(true),
        )?;
        let not_ended: Vec<String> = self
            .ours
            .prepare("SELECT process_id FROM process WHERE outcome IN ('open', 'lost')")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .doing(DOING)?;
        for process_id in not_ended {
            let Some(mut tracked) = self.recorder.load(self.ours, &process_id)? else {
                continue;
            };
            let was = (tracked.outcome, tracked.lost_ms);
            find_again(self.ours, &mut self.recorder.words, &mut tracked)?;
            if was == (tracked.outcome, tracked.lost_ms) {
                continue;
            }
            if was.0 == Outcome::Open {
                self.recorded.processes_lost += 1;
            }
            // Who is open or lost is read from its row anyway.
            self.ours
                .prepare_cached(
                    "UPDATE process SET outcome = :outcome, lost_ms = :lost WHERE process_key = :key",
                )
                .and_then(|mut statement| {
                    statement.execute(named_params! {
                        ":outcome": tracked.outcome.as_str(), ":lost": tracked.lost_ms,
                        ":key": tracked.key,
                    })
                })
                .doing(DOING)?;
        }
        Ok(())
    }
}

/// Whether these are the same states, though seen at more moments.
fn is_longer(ours: &[VersionRun], united: &[VersionRun]) -> bool {
    let (ours, united) = (ours.iter(), united.iter());
    ours.map(|run| &run.state).eq(united.map(|run| &run.state))
}

/// The sightings of a process: in which stream, from when until when.
fn sightings(db: &Connection, key: i64) -> Result<Vec<(i64, i64, i64)>, Error> {
    db.prepare_cached(
        "SELECT s.stream_id, s.first_ms, coalesce(s.last_ms, t.last_ms)
         FROM sighting s JOIN stream t USING (stream_id)
         WHERE s.process_key = ?1 ORDER BY s.stream_id, s.first_ms",
    )
    .and_then(|mut statement| {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        statement.query_map([key], read)?.collect()
    })
    .doing(DOING)
}
