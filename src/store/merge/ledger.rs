//! Their ledger, and the streams of what their runs recorded.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::{OptionalExtension, named_params, types::Value};

use super::{DOING, Merge};
use crate::Error;
use crate::error::Doing;

const RUN: &str =
    "kind, source, started_ms, finished_ms, result, error, snapshots, requests, retries, bytes,
     processes_seen, processes_new, processes_changed, processes_lost, set_aside, deferred, uid";

/// Their streams that show something new, by their number.
pub(super) type Streams = HashMap<i64, NewStream>;

/// What of one of their streams is not here yet.
pub(super) struct NewStream {
    /// Our number of it.
    pub id: i64,
    /// Its moments, in order.
    pub moments: Vec<i64>,
    /// The last of all its moments, these and others.
    pub last_ms: i64,
}

/// Their runs.
#[derive(Default)]
struct Runs {
    /// Ours, by theirs.
    ids: HashMap<i64, i64>,
    /// Of theirs, those of which all is here.
    known: HashSet<i64>,
    /// Of ours, those that went on since they were merged: some of them is here.
    went_on: HashSet<i64>,
}

/// One of their runs, as far as it is here.
struct KnownRun {
    id: i64,
    /// Whether all that theirs recorded is.
    is_whole: bool,
}

impl Merge<'_> {
    /// Brings their runs along, with what belongs to them.
    pub(super) fn ledger(&mut self) -> Result<Streams, Error> {
        let mut all = Runs::default();
        let theirs = self.theirs;
        let mut select = theirs
            .prepare(&format!("SELECT run_id, {RUN} FROM run ORDER BY run_id"))
            .doing(DOING)?;
        let mut rows = select.query([]).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            let mut run = super::values(row, 18).doing(DOING)?;
            let theirs: i64 = row.get(0).doing(DOING)?;
            run.remove(0);
            let ours = match self.known_run(&run)? {
                Some(run) if run.is_whole => {
                    all.known.insert(theirs);
                    run.id
                }
                Some(unfinished) => {
                    self.write_run(&run, Some(unfinished.id))?;
                    all.went_on.insert(unfinished.id);
                    unfinished.id
                }
                None => self.write_run(&run, None)?,
            };
            all.ids.insert(theirs, ours);
        }
        self.of_runs(&all)?;
        self.streams(&all)
    }

    /// The very run, which may have been still going on when it was merged.
    fn known_run(&self, run: &[Value]) -> Result<Option<KnownRun>, Error> {
        self.ours
            .prepare_cached(
                "SELECT run_id,
                        snapshots >= :snapshots AND (finished_ms IS NOT NULL OR :finished IS NULL)
                 FROM run WHERE uid = :uid",
            )
            .and_then(|mut statement| {
                statement
                    .query_row(
                        named_params! {
                            ":uid": run[16], ":finished": run[3], ":snapshots": run[6],
                        },
                        |row| {
                            Ok(KnownRun {
                                id: row.get(0)?,
                                is_whole: row.get(1)?,
                            })
                        },
                    )
                    .optional()
            })
            .doing(DOING)
    }

    /// Enters a run as theirs has it, in place of one where that is given.
    fn write_run(&self, run: &[Value], replaces: Option<i64>) -> Result<i64, Error> {
        let id = Value::from(replaces);
        self.ours
            .prepare_cached(&format!(
                "INSERT INTO run (run_id, {RUN})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18)
                 ON CONFLICT (run_id) DO UPDATE SET
                     finished_ms = excluded.finished_ms, result = excluded.result,
                     error = excluded.error, snapshots = excluded.snapshots,
                     requests = excluded.requests, retries = excluded.retries,
                     bytes = excluded.bytes, processes_seen = excluded.processes_seen,
                     processes_new = excluded.processes_new,
                     processes_changed = excluded.processes_changed,
                     processes_lost = excluded.processes_lost, set_aside = excluded.set_aside,
                     deferred = excluded.deferred"
            ))
            .and_then(|mut statement| {
                statement.execute(rusqlite::params_from_iter(std::iter::once(&id).chain(run)))
            })
            .doing(DOING)?;
        Ok(replaces.unwrap_or_else(|| self.ours.last_insert_rowid()))
    }

    /// What runs left beside what they saw, but for those of which all is here.
    fn of_runs(&mut self, runs: &Runs) -> Result<(), Error> {
        let ours = |run: &mut Value| match *run {
            Value::Integer(theirs) if !runs.known.contains(&theirs) => {
                *run = Value::from(runs.ids.get(&theirs).copied());
                true
            }
            _ => false,
        };
        // Of a run that was going on when it was merged before, some is here.
        self.copy(
            "SELECT run_id, source, line, reason, raw FROM aside ORDER BY aside_id",
            "INSERT INTO aside (run_id, source, line, reason, raw)
             SELECT ?1, ?2, ?3, ?4, ?5
             WHERE NOT EXISTS (SELECT 1 FROM aside
                               WHERE run_id = ?1 AND source = ?2 AND line IS ?3 AND reason = ?4
                                 AND raw = ?5)",
            |_, row| Ok(ours(&mut row[0])),
        )?;
        self.copy(
            "SELECT run_id, app, region, status, since_ms, until_ms, hidden_at_least, reason
             FROM gap ORDER BY gap_id",
            "INSERT INTO gap (run_id, app, region, status, since_ms, until_ms, hidden_at_least, reason)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             WHERE NOT EXISTS (SELECT 1 FROM gap
                               WHERE run_id = ?1 AND app = ?2 AND region IS ?3 AND status IS ?4
                                 AND since_ms = ?5 AND until_ms = ?6)",
            |merge, row| {
                for word in &mut row[1..4] {
                    merge.reword(word)?;
                }
                Ok(ours(&mut row[0]))
            },
        )
    }

    /// Brings the snapshots along that are not here, each stream as one of our own.
    fn streams(&mut self, runs: &Runs) -> Result<Streams, Error> {
        let mut streams = Streams::new();
        let theirs = self.theirs;
        let mut select = theirs
            .prepare("SELECT stream_id, source, app, last_ms FROM stream ORDER BY stream_id")
            .doing(DOING)?;
        let mut rows = select.query([]).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            let (id, source): (i64, String) = (row.get(0).doing(DOING)?, row.get(1).doing(DOING)?);
            let mut app: Value = row.get(2).doing(DOING)?;
            self.reword(&mut app)?;
            let [mut known, others] = self.snapshots(id, runs)?;
            let mut new = Vec::new();
            for (at_ms, run_id) in others {
                // Of a run that went on, some is here.
                let is_here = runs.went_on.contains(&run_id)
                    && self.stream_with(at_ms, run_id, &app)?.is_some();
                let snapshots = if is_here { &mut known } else { &mut new };
                snapshots.push((at_ms, run_id));
            }
            known.sort_unstable();
            self.known_snapshots.insert(id, known);
            let Some((last_new, _)) = new.last() else {
                continue;
            };
            let ours = self.write_stream(&source, &app, *last_new)?;
            for (at_ms, run_id) in &new {
                self.ours
                    .prepare_cached("INSERT INTO snapshot VALUES (?1, ?2, ?3)")
                    .and_then(|mut statement| statement.execute([ours, *at_ms, *run_id]))
                    .doing(DOING)?;
            }
            streams.insert(
                id,
                NewStream {
                    id: ours,
                    moments: new.into_iter().map(|(at_ms, _)| at_ms).collect(),
                    last_ms: row.get(3).doing(DOING)?,
                },
            );
        }
        Ok(streams)
    }

    /// The snapshots of a stream of theirs, by our runs: those of runs of which all is here, and others.
    fn snapshots(&self, stream: i64, runs: &Runs) -> Result<[Vec<(i64, i64)>; 2], Error> {
        let all: Vec<(i64, i64)> = self
            .theirs
            .prepare_cached(
                "SELECT observed_at_ms, run_id FROM snapshot WHERE stream_id = ?1
                 ORDER BY observed_at_ms",
            )
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                statement.query_map([stream], read)?.collect()
            })
            .doing(DOING)?;
        let (known, others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|(_, run)| runs.known.contains(run));
        let by_ours = |snapshots: Vec<(i64, i64)>| {
            let ours = snapshots
                .into_iter()
                .filter_map(|(at_ms, run)| Some((at_ms, *runs.ids.get(&run)?)));
            ours.collect()
        };
        Ok([by_ours(known), by_ours(others)])
    }

    /// Which of our streams has the snapshot of a run.
    fn stream_with(&self, at_ms: i64, run_id: i64, app: &Value) -> Result<Option<i64>, Error> {
        self.ours
            .prepare_cached(
                "SELECT n.stream_id FROM snapshot n JOIN stream t USING (stream_id)
                 WHERE n.observed_at_ms = :at AND n.run_id = :run AND t.app IS :app
                 ORDER BY n.stream_id LIMIT 1",
            )
            .and_then(|mut statement| {
                let params = named_params! { ":at": at_ms, ":run": run_id, ":app": app };
                statement.query_row(params, |row| row.get(0)).optional()
            })
            .doing(DOING)
    }

    /// The part of a sighting of theirs at snapshots that were here before, by our streams.
    pub(super) fn known_sightings(
        &mut self,
        stream: i64,
        first_ms: i64,
        last_ms: Option<i64>,
    ) -> Result<Vec<(i64, Vec<i64>)>, Error> {
        let places = match self.places.get(&stream) {
            Some(places) => places,
            None => {
                let places = self.places_of(stream)?;
                self.places.entry(stream).or_insert(places)
            }
        };
        let from = places.partition_point(|(at, _)| *at < first_ms);
        let until = match last_ms {
            Some(last_ms) => places.partition_point(|(at, _)| *at <= last_ms),
            None => places.len(),
        };
        let mut parts: Vec<(i64, Vec<i64>)> = Vec::new();
        for (at_ms, ours) in places.get(from..until).unwrap_or_default() {
            match parts.last_mut() {
                Some((id, part)) if id == ours => part.push(*at_ms),
                _ => parts.push((*ours, vec![*at_ms])),
            }
        }
        Ok(parts)
    }

    /// In which of our streams the moments of one of theirs were before, in order of time.
    fn places_of(&mut self, stream: i64) -> Result<Vec<(i64, i64)>, Error> {
        let mut app: Value = self
            .theirs
            .query_row(
                "SELECT app FROM stream WHERE stream_id = ?1",
                [stream],
                |row| row.get(0),
            )
            .doing(DOING)?;
        self.reword(&mut app)?;
        let mut places = Vec::new();
        for (at_ms, run_id) in self
            .known_snapshots
            .get(&stream)
            .cloned()
            .unwrap_or_default()
        {
            if let Some(ours) = self.stream_with(at_ms, run_id, &app)? {
                places.push((at_ms, ours));
            }
        }
        Ok(places)
    }

    /// A stream that is over. It gets a number below all others, so that a source that is recorded here goes
    /// on with the stream that it had, which is its latest.
    fn write_stream(&self, source: &str, app: &Value, last_ms: i64) -> Result<i64, Error> {
        self.ours
            .prepare_cached(
                "INSERT INTO stream (stream_id, source, app, last_ms)
                 SELECT min(coalesce(min(stream_id), 0), 0) - 1, :source, :app, :last FROM stream",
            )
            .and_then(|mut statement| {
                statement.insert(named_params! { ":source": source, ":app": app, ":last": last_ms })
            })
            .doing(DOING)
    }
}

impl NewStream {
    /// The part of a sighting that is new, each end at a moment that is; none where there is none.
    pub(super) fn part(&self, first_ms: i64, last_ms: Option<i64>) -> Option<&[i64]> {
        let last_ms = last_ms.unwrap_or(self.last_ms);
        let from = self.moments.partition_point(|at| *at < first_ms);
        let until = self.moments.partition_point(|at| *at <= last_ms);
        self.moments
            .get(from..until)
            .filter(|part| !part.is_empty())
    }
}

/// Moments in order and without repetition.
pub(super) fn ordered<'s>(parts: impl Iterator<Item = &'s [i64]>) -> Vec<i64> {
    let all: BTreeSet<i64> = parts.flatten().copied().collect();
    all.into_iter().collect()
}
