//! What a run remembers between snapshots, and how a snapshot begins and ends.
//!
//! The memory holds the processes of the stream's latest snapshot, and is only ever a copy of what
//! the file says: it is dropped when a snapshot is rolled back or another connection has written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, named_params};

use super::weave::VersionRun;
use super::words::Words;
use crate::Error;
use crate::error::Doing;
use crate::model::{Extent, Outcome, Process};

#[derive(Debug)]
pub(super) struct Recorder {
    pub run_id: i64,
    pub words: Words,
    source: String,
    /// The one app that the source is about, if it is.
    app: Option<String>,
    continues: bool,
    /// The stream being written, once something was written or an earlier run of the source found.
    stream: Option<Stream>,
    /// The same as of the last commit, to return to when a snapshot is rolled back.
    committed: Option<Stream>,
    pub(super) tracked: HashMap<String, Tracked>,
    /// The snapshot in progress; its row exists only once something new was in it.
    pub(super) at_ms: i64,
    pub(super) snapshot_written: bool,
    in_snapshot: bool,
    data_version: Option<i64>,
    /// The latest moment at which anything was known to be absent: no look is later.
    pub(super) latest_absence_ms: i64,
    /// Whether sightings of other streams are open, so that a null `last_seen_ms` may not be ours.
    others_open: bool,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    id: i64,
    last_ms: i64,
}

/// A process as the file has it, with its latest state.
#[derive(Debug)]
pub(super) struct Tracked {
    pub key: i64,
    pub latest: Process,
    pub versions: i64,
    pub outcome: Outcome,
    /// When it was last seen by any source.
    pub last_seen_ms: i64,
    /// When it was last seen in the stream being written; earlier than all time if it was not.
    pub seen_here_ms: i64,
    /// The beginning of its open sighting in the stream being written.
    pub sighting_ms: Option<i64>,
    pub lost_ms: Option<i64>,
    /// Endpoint to from and until.
    pub holds: BTreeMap<i64, (i64, Option<i64>)>,
    /// The version among which its latest late observation fell.
    pub late: Option<VersionRun>,
}

impl Recorder {
    pub fn new(run_id: i64, source: &str, continues: bool, words: Words) -> Self {
        Self {
            run_id,
            words,
            source: source.to_owned(),
            app: None,
            continues,
            stream: None,
            committed: None,
            tracked: HashMap::new(),
            at_ms: i64::MIN,
            snapshot_written: false,
            in_snapshot: false,
            data_version: None,
            latest_absence_ms: i64::MIN,
            others_open: false,
        }
    }

    pub fn about_app(&mut self, app_id: &str) {
        self.app = Some(app_id.to_owned());
    }

    fn app_id(&mut self, db: &Connection) -> Result<Option<i64>, Error> {
        match &self.app {
            Some(app) => self.words.word(db, app).map(Some),
            None => Ok(None),
        }
    }

    /// Remembers which apps archives are about: those that they show, or are said to show all of.
    pub fn name_archive_apps(
        &mut self,
        db: &Connection,
        shown: &BTreeSet<i64>,
        extent: &Extent,
    ) -> Result<(), Error> {
        if self.app.is_some() {
            return Ok(());
        }
        let mut named = shown.clone();
        if let Extent::CompleteFor(apps) = extent {
            for app in apps {
                named.insert(self.words.word(db, app)?);
            }
        }
        for app in named {
            db.prepare_cached("INSERT OR IGNORE INTO archive_app VALUES (:app)")
                .and_then(|mut statement| statement.execute(named_params! { ":app": app }))
                .doing("record which apps an archive shows")?;
        }
        Ok(())
    }

    pub fn begin_snapshot(&mut self, db: &Connection, at_ms: i64) -> Result<(), Error> {
        let data_version: i64 = db
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .doing("look for other writers")?;
        if self.in_snapshot || self.data_version != Some(data_version) {
            self.data_version = Some(data_version);
            self.reload(db)?;
        }
        self.in_snapshot = true;
        self.snapshot_written = false;
        self.at_ms = at_ms;
        if self.stream.is_some_and(|stream| stream.last_ms >= at_ms) {
            // Time does not rise: what follows is a stream of its own.
            self.close_stream(db)?;
            self.stream = None;
        }
        Ok(())
    }

    /// The id of the stream, with the snapshot's own row in it.
    pub(super) fn stream_of_snapshot(&mut self, db: &Connection) -> Result<i64, Error> {
        let at_ms = self.at_ms;
        let stream = match self.stream {
            Some(stream) => stream,
            None => {
                let app = self.app_id(db)?;
                let id = db
                    .prepare_cached(
                        "INSERT INTO stream (source, app, last_ms) VALUES (:source, :app, :at)",
                    )
                    .and_then(|mut statement| {
                        statement.insert(named_params! {
                            ":source": self.source, ":app": app, ":at": at_ms,
                        })
                    })
                    .doing("begin a stream")?;
                let stream = Stream { id, last_ms: at_ms };
                self.stream = Some(stream);
                stream
            }
        };
        if !self.snapshot_written {
            db.prepare_cached(
                "INSERT INTO snapshot (stream_id, observed_at_ms, run_id)
                 VALUES (:stream, :at, :run)",
            )
            .and_then(|mut statement| {
                statement.execute(named_params! {
                    ":stream": stream.id, ":at": at_ms, ":run": self.run_id,
                })
            })
            .doing("record a snapshot")?;
            self.snapshot_written = true;
        }
        Ok(stream.id)
    }

    /// Closes the sightings of processes that the snapshot did not show, and forgets those.
    pub fn end_snapshot(&mut self, db: &Connection) -> Result<(), Error> {
        let at_ms = self.at_ms;
        if !self.snapshot_written && !self.moment_is_known(db)? {
            // Nothing new was said, but that it was looked at is.
            self.stream_of_snapshot(db)?;
        }
        if let Some(stream) = self.stream {
            for process in self.tracked.values() {
                if process.seen_here_ms < at_ms {
                    close_sighting(db, stream.id, process)?;
                }
            }
            if self.snapshot_written {
                set_stream_end(db, stream.id, at_ms)?;
            }
        }
        self.tracked
            .retain(|_, process| process.seen_here_ms >= at_ms);
        Ok(())
    }

    /// The snapshot is in the file.
    pub fn committed(&mut self, at_ms: i64) {
        if let Some(stream) = &mut self.stream
            && self.snapshot_written
        {
            stream.last_ms = at_ms;
        }
        self.committed = self.stream;
        self.in_snapshot = false;
    }

    /// Ends the stream for good: its open sightings end with what they last showed.
    pub fn close_stream(&mut self, db: &Connection) -> Result<(), Error> {
        let Some(stream) = self.stream else {
            return Ok(());
        };
        let open: Vec<(i64, i64)> = db
            .prepare_cached(
                "SELECT process_key, first_ms FROM sighting
                 WHERE stream_id = :stream AND last_ms IS NULL",
            )
            .and_then(|mut statement| {
                statement
                    .query_map(named_params! { ":stream": stream.id }, |row| {
                        Ok((row.get("process_key")?, row.get("first_ms")?))
                    })?
                    .collect()
            })
            .doing("end a stream")?;
        for (process_key, first_ms) in open {
            end_sighting(db, stream.id, process_key, first_ms, stream.last_ms)?;
        }
        for process in self.tracked.values_mut() {
            process.sighting_ms = None;
            process.seen_here_ms = i64::MIN;
        }
        Ok(())
    }

    pub(super) fn stream_id(&self) -> Option<i64> {
        self.stream.map(|stream| stream.id)
    }

    /// Whether the source is looked at again and again.
    pub(super) fn continues(&self) -> bool {
        self.continues
    }

    pub(super) fn others_open(&self) -> bool {
        self.others_open
    }

    /// Forgets everything and reads it anew from the file.
    fn reload(&mut self, db: &Connection) -> Result<(), Error> {
        self.words.forget();
        self.tracked.clear();
        self.stream = self.committed;
        if self.continues {
            self.stream = db
                .prepare_cached(
                    "SELECT stream_id, last_ms FROM stream WHERE source = :source
                     ORDER BY stream_id DESC LIMIT 1",
                )
                .and_then(|mut statement| {
                    statement
                        .query_row(named_params! { ":source": self.source }, |row| {
                            Ok(Stream {
                                id: row.get("stream_id")?,
                                last_ms: row.get("last_ms")?,
                            })
                        })
                        .optional()
                })
                .doing("find the source's stream")?;
        }
        self.latest_absence_ms = latest_absence(db)?;
        self.others_open = db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM sighting
                                WHERE last_ms IS NULL AND stream_id IS NOT :stream)",
            )
            .and_then(|mut statement| {
                statement.query_row(
                    named_params! { ":stream": self.stream.map(|stream| stream.id) },
                    |row| row.get(0),
                )
            })
            .doing("look for other streams")?;
        self.track_open_sightings(db)
    }

    /// Remembers what the stream's latest snapshot showed, so that those that the next one no
    /// longer shows are noticed.
    fn track_open_sightings(&mut self, db: &Connection) -> Result<(), Error> {
        let Some(stream) = self.stream else {
            return Ok(());
        };
        let ids: Vec<String> = db
            .prepare_cached(
                "SELECT p.process_id FROM sighting s JOIN process p USING (process_key)
                 WHERE s.stream_id = :stream AND s.last_ms IS NULL",
            )
            .and_then(|mut statement| {
                statement
                    .query_map(named_params! { ":stream": stream.id }, |row| row.get(0))?
                    .collect()
            })
            .doing("read the latest snapshot")?;
        for process_id in ids {
            self.track(db, &process_id)?;
        }
        Ok(())
    }

    /// Whether a look of the same breadth is on record for the moment.
    fn moment_is_known(&mut self, db: &Connection) -> Result<bool, Error> {
        let app = self.app_id(db)?;
        db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM snapshot n JOIN stream t USING (stream_id)
                            WHERE n.observed_at_ms = :at AND t.app IS :app)",
        )
        .and_then(|mut statement| {
            statement.query_row(named_params! { ":at": self.at_ms, ":app": app }, |row| {
                row.get(0)
            })
        })
        .doing("look up a snapshot")
    }
}

fn set_stream_end(db: &Connection, stream_id: i64, at_ms: i64) -> Result<(), Error> {
    db.prepare_cached("UPDATE stream SET last_ms = :at WHERE stream_id = :stream")
        .and_then(|mut statement| {
            statement.execute(named_params! { ":at": at_ms, ":stream": stream_id })
        })
        .doing("record a snapshot")?;
    Ok(())
}

fn close_sighting(db: &Connection, stream_id: i64, process: &Tracked) -> Result<(), Error> {
    match process.sighting_ms {
        Some(first_ms) => end_sighting(db, stream_id, process.key, first_ms, process.seen_here_ms),
        None => Ok(()),
    }
}

/// Ends one sighting. Once none of the process is open, when it was last seen is written down.
fn end_sighting(
    db: &Connection,
    stream_id: i64,
    process_key: i64,
    first_ms: i64,
    last_ms: i64,
) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE sighting SET last_ms = :last
         WHERE process_key = :process AND stream_id = :stream AND first_ms = :first",
    )
    .and_then(|mut statement| {
        statement.execute(named_params! {
            ":last": last_ms, ":process": process_key, ":stream": stream_id, ":first": first_ms,
        })
    })
    .doing("end a sighting")?;
    db.prepare_cached(
        "UPDATE process
         SET last_seen_ms = (SELECT CASE WHEN count(*) = count(s.last_ms) THEN max(s.last_ms) END
                             FROM sighting s WHERE s.process_key = :process)
         WHERE process_key = :process",
    )
    .and_then(|mut statement| statement.execute(named_params! { ":process": process_key }))
    .doing("end a sighting")?;
    Ok(())
}

fn latest_absence(db: &Connection) -> Result<i64, Error> {
    db.query_row(
        "SELECT max(coalesce((SELECT max(observed_at_ms) FROM complete_look), :never),
                    coalesce((SELECT max(observed_at_ms) FROM unknown_look), :never))",
        named_params! { ":never": i64::MIN },
        |row| row.get(0),
    )
    .doing("look for what was absent")
}
