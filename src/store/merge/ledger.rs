//! Their ledger, and the streams of what their runs recorded.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, named_params, types::Value};

use super::{DOING, Merge};
use crate::Error;
use crate::error::Doing;

const RUN: &str =
    "kind, source, started_ms, finished_ms, result, error, snapshots, requests, retries, bytes,
     processes_seen, processes_new, processes_changed, processes_lost, set_aside, deferred, uid";

/// Where the snapshots of their streams are here: by their number of a stream its parts, in order of time.
pub(super) type Streams = HashMap<i64, Vec<Part>>;

/// Some snapshots of a stream of theirs, one after another, which are one after another in a stream of ours.
pub(super) struct Part {
    /// Our stream.
    pub stream: i64,
    pub moments: Vec<i64>,
}

impl Part {
    /// The moments of a sighting that are in this part.
    pub fn within(&self, first_ms: i64, last_ms: i64) -> &[i64] {
        let from = self.moments.partition_point(|at| *at < first_ms);
        let until = self.moments.partition_point(|at| *at <= last_ms);
        self.moments.get(from..until).unwrap_or_default()
    }
}

/// Their runs.
#[derive(Default)]
struct Runs {
    /// Ours, by theirs.
    ids: HashMap<i64, i64>,
    /// Of theirs, those that were not here.
    new: HashSet<i64>,
    /// Of theirs, those that went on since they were merged: some of what they left is here.
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
                Some(run) if run.is_whole => run.id,
                Some(unfinished) => {
                    all.went_on.insert(theirs);
                    self.write_run(&run, Some(unfinished.id))?
                }
                None => {
                    all.new.insert(theirs);
                    let started_ms = row.get("started_ms").doing(DOING)?;
                    self.first_new_run_ms = self.first_new_run_ms.min(started_ms);
                    self.write_run(&run, None)?
                }
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
                 FROM run WHERE uid = :uid ORDER BY run_id LIMIT 1",
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
        let insert_aside =
            "INSERT INTO aside (run_id, source, line, reason, raw) SELECT ?1, ?2, ?3, ?4, ?5";
        let insert_gap = "INSERT INTO gap (run_id, app, region, status, since_ms, until_ms, hidden_at_least, reason)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8";
        // To look for each among those that are here takes long where there are many of one run.
        let unless_here = [
            format!(
                "{insert_aside} WHERE NOT EXISTS (
                     SELECT 1 FROM aside
                     WHERE run_id = ?1 AND source = ?2 AND line IS ?3 AND reason = ?4 AND raw = ?5)"
            ),
            format!(
                "{insert_gap} WHERE NOT EXISTS (
                     SELECT 1 FROM gap
                     WHERE run_id = ?1 AND app = ?2 AND region IS ?3 AND status IS ?4
                       AND since_ms = ?5 AND until_ms = ?6)"
            ),
        ];
        let plainly = [insert_aside.to_owned(), insert_gap.to_owned()];
        for (of, [aside, gap]) in [(&runs.new, &plainly), (&runs.went_on, &unless_here)] {
            let ours = |run: &mut Value| match *run {
                Value::Integer(theirs) if of.contains(&theirs) => {
                    *run = Value::from(runs.ids.get(&theirs).copied());
                    true
                }
                _ => false,
            };
            if of.is_empty() {
                continue;
            }
            self.copy(
                "SELECT run_id, source, line, reason, raw FROM aside ORDER BY aside_id",
                aside,
                |_, row| Ok(ours(&mut row[0])),
            )?;
            self.copy(
                "SELECT run_id, app, region, status, since_ms, until_ms, hidden_at_least, reason
                 FROM gap ORDER BY gap_id",
                gap,
                |merge, row| {
                    let is_meant = ours(&mut row[0]);
                    for word in &mut row[1..4] {
                        merge.reword(word)?;
                    }
                    Ok(is_meant)
                },
            )?;
        }
        Ok(())
    }

    /// Finds where their snapshots are here, and brings those along that are not.
    fn streams(&mut self, runs: &Runs) -> Result<Streams, Error> {
        let mut streams = Streams::new();
        for uid in uids(self.theirs)? {
            let mut theirs = series(self.theirs, uid)?;
            for snapshot in theirs.iter_mut().flat_map(|series| &mut series.snapshots) {
                let ours = runs.ids.get(&snapshot.run).ok_or_else(|| Error::Damaged {
                    what: format!("a snapshot of run {}, which is in no ledger", snapshot.run),
                })?;
                snapshot.run = *ours;
            }
            for series in theirs {
                self.series(series, &mut streams)?;
            }
        }
        Ok(streams)
    }

    /// A stream is another's where it begins with the same snapshots. What comes after all of them, since it
    /// has grown, is another part of it here. What comes instead of them, since a copy of a file went its own
    /// way, is a series of its own, whose number follows from where it begins: so the next merge finds it.
    fn series(&mut self, theirs: Series, streams: &mut Streams) -> Result<(), Error> {
        let mut uid = theirs.uid;
        let mut rest = theirs.snapshots.as_slice();
        while let Some(first) = rest.first() {
            let ours = series(self.ours, uid)?.into_iter().find(|s| s.uid == uid);
            let ours = ours.map(|series| series.snapshots).unwrap_or_default();
            let both = rest.iter().zip(&ours);
            let same = both
                .take_while(|(one, other)| (one.at_ms, one.run) == (other.at_ms, other.run))
                .count();
            for (theirs, ours) in rest.iter().zip(&ours).take(same) {
                note(streams, theirs, ours.stream);
            }
            let others = &rest[same..];
            if same == ours.len() && !others.is_empty() {
                let stream = self.write_stream(uid, others)?;
                for snapshot in others {
                    note(streams, snapshot, stream);
                }
                return Ok(());
            }
            uid = next_uid(uid, others.first().unwrap_or(first).at_ms);
            rest = others;
        }
        Ok(())
    }

    /// A stream that is over. It is numbered below all others, and never gone on with: a source that is
    /// recorded here has a stream of its own.
    fn write_stream(&mut self, uid: i64, snapshots: &[Snapshot]) -> Result<i64, Error> {
        let (first, last) = (snapshots.first(), snapshots.last());
        let (source, mut app): (String, Value) = self
            .theirs
            .query_row(
                "SELECT source, app FROM stream WHERE stream_id = ?1",
                [first.map(|snapshot| snapshot.stream)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .doing(DOING)?;
        self.reword(&mut app)?;
        let stream = self
            .ours
            .prepare_cached(
                "INSERT INTO stream (stream_id, uid, source, app, last_ms)
                 SELECT min(coalesce(min(stream_id), 0), 0) - 1, :uid, :source, :app, :last
                 FROM stream",
            )
            .and_then(|mut statement| {
                statement.insert(named_params! {
                    ":uid": uid, ":source": source, ":app": app,
                    ":last": last.map(|snapshot| snapshot.at_ms),
                })
            })
            .doing(DOING)?;
        for snapshot in snapshots {
            self.ours
                .prepare_cached("INSERT INTO snapshot VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| statement.execute([stream, snapshot.at_ms, snapshot.run]))
                .doing(DOING)?;
        }
        Ok(stream)
    }
}

/// A snapshot: its moment, its run and its stream, by the numbers of one side.
struct Snapshot {
    at_ms: i64,
    run: i64,
    stream: i64,
}

/// The snapshots of the parts of one stream, in order of time.
struct Series {
    uid: i64,
    snapshots: Vec<Snapshot>,
}

/// Notes that a snapshot of theirs is in this stream of ours.
fn note(streams: &mut Streams, theirs: &Snapshot, ours: i64) {
    let parts = streams.entry(theirs.stream).or_default();
    match parts.last_mut() {
        Some(part) if part.stream == ours => part.moments.push(theirs.at_ms),
        _ => parts.push(Part {
            stream: ours,
            moments: vec![theirs.at_ms],
        }),
    }
}

fn uids(db: &Connection) -> Result<Vec<i64>, Error> {
    db.prepare("SELECT DISTINCT uid FROM stream WHERE uid IS NOT NULL ORDER BY uid")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .doing(DOING)
}

/// All snapshots of streams of this number. Parts of one stream follow each other in time; where they do not,
/// the number is another's by chance, and is made another.
fn series(db: &Connection, uid: i64) -> Result<Vec<Series>, Error> {
    let mut statement = db
        .prepare_cached(
            "SELECT n.observed_at_ms, n.run_id, n.stream_id
             FROM (SELECT t.stream_id,
                          (SELECT min(observed_at_ms) FROM snapshot WHERE stream_id = t.stream_id)
                              AS first_ms
                   FROM stream t WHERE t.uid = ?1) t
             JOIN snapshot n USING (stream_id)
             ORDER BY t.first_ms, n.stream_id, n.observed_at_ms",
        )
        .doing(DOING)?;
    let mut rows = statement.query([uid]).doing(DOING)?;
    let mut all: Vec<Series> = Vec::new();
    let mut stream = None;
    while let Some(row) = rows.next().doing(DOING)? {
        let snapshot = Snapshot {
            at_ms: row.get(0).doing(DOING)?,
            run: row.get(1).doing(DOING)?,
            stream: row.get(2).doing(DOING)?,
        };
        let follows = |series: &Series| {
            let last = series.snapshots.last();
            last.is_some_and(|last| last.at_ms < snapshot.at_ms)
        };
        let goes_on = stream == Some(snapshot.stream) || all.last().is_some_and(follows);
        stream = Some(snapshot.stream);
        match all.last_mut() {
            Some(series) if goes_on => series.snapshots.push(snapshot),
            before => {
                let uid = before.map_or(uid, |before| next_uid(before.uid, snapshot.at_ms));
                all.push(Series {
                    uid,
                    snapshots: vec![snapshot],
                });
            }
        }
    }
    Ok(all)
}

/// The number of what comes after a stream's part, from a moment on: the constants of a linear congruential
/// generator (Knuth, MMIX) scatter it.
fn next_uid(uid: i64, from_ms: i64) -> i64 {
    uid.wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
        .wrapping_add(from_ms)
}

/// Moments in order and without repetition.
pub(super) fn ordered<'s>(parts: impl Iterator<Item = &'s [i64]>) -> Vec<i64> {
    let all: BTreeSet<i64> = parts.flatten().copied().collect();
    all.into_iter().collect()
}
