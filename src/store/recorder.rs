//! What a run remembers between snapshots, and how a snapshot begins and ends.
//!
//! The memory holds the processes of the stream's latest snapshot and some others, and is only ever a copy
//! of what the file says, or will say once what is pending is written, which is before each commit: it is dropped
//! when snapshots are rolled back or another connection has written.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, named_params};

use super::pending::{ClosedSighting, Pending};
use super::roster::Roster;
use super::segments::{Sizes, seal_what_is_far_back};
use super::tracked::Unwritten;
use super::words::Words;
use crate::Error;
use crate::error::Doing;
use crate::model::Extent;

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
    pub(super) roster: Roster,
    pub(super) pending: Pending,
    /// The key of the next process that is new.
    pub(super) next_key: i64,
    /// The snapshot in progress; its row exists only once something new was in it.
    pub(super) at_ms: i64,
    pub(super) snapshot_written: bool,
    /// Something that is not committed has been remembered.
    in_doubt: bool,
    data_version: Option<i64>,
    /// The latest moment at which anything was known to be absent: no look is later.
    pub(super) latest_absence_ms: i64,
    /// Whether sightings of other streams are open, so that a null `last_seen_ms` may not be ours.
    others_open: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub id: i64,
    pub last_ms: i64,
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
            roster: Roster::default(),
            pending: Pending::default(),
            next_key: i64::MAX,
            at_ms: i64::MIN,
            snapshot_written: false,
            in_doubt: false,
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

    /// At the beginning of a transaction: forgets what others have changed since, or was rolled back.
    pub fn begin(&mut self, db: &Connection) -> Result<(), Error> {
        let data_version: i64 = db
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .doing("look for other writers")?;
        if self.in_doubt || self.data_version != Some(data_version) {
            // Where reading fails halfway, the next attempt must not take it for done.
            self.in_doubt = true;
            self.data_version = Some(data_version);
            self.reload(db)?;
        }
        self.in_doubt = true;
        Ok(())
    }

    pub fn begin_snapshot(&mut self, db: &Connection, at_ms: i64) -> Result<(), Error> {
        self.snapshot_written = false;
        // The snapshot before this one may have said nothing new, so that its stream ends before it.
        let before_ms = self
            .stream
            .map_or(self.at_ms, |s| s.last_ms.max(self.at_ms));
        self.at_ms = at_ms;
        if before_ms >= at_ms {
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
                        "INSERT INTO stream (source, app, last_ms, uid)
                         VALUES (:source, :app, :at, random())",
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
        for place in self.roster.shown_before() {
            self.close_sighting(place, |seen_here_ms| seen_here_ms < at_ms);
        }
        self.roster.turn();
        if let Some(stream) = &mut self.stream
            && self.snapshot_written
        {
            stream.last_ms = at_ms;
            set_stream_end(db, stream.id, at_ms)?;
        }
        Ok(())
    }

    /// Ends the transaction: all snapshots so far are in the file.
    pub fn commit(&mut self, db: &Connection, sizes: Sizes) -> Result<(), Error> {
        self.write_pending(db)?;
        while seal_what_is_far_back(db, sizes)?.segments > 0 {}
        db.execute_batch("COMMIT").doing("commit a snapshot")?;
        self.roster.forget_the_gone();
        self.pending.committed();
        self.committed = self.stream;
        self.in_doubt = false;
        Ok(())
    }

    /// Ends the stream for good: its open sightings end with what they last showed.
    pub fn close_stream(&mut self, db: &Connection) -> Result<(), Error> {
        for place in self.roster.shown_before() {
            self.close_sighting(place, |_| true);
        }
        self.write_pending(db)?;
        self.roster.turn();
        for tracked in self.roster.iter_mut() {
            tracked.seen_here_ms = i64::MIN;
        }
        Ok(())
    }

    /// Ends the sighting of a process that was last seen in the stream so long ago.
    fn close_sighting(&mut self, place: usize, is_over: impl FnOnce(i64) -> bool) {
        let Some(tracked) = self.roster.get(place) else {
            return;
        };
        if is_over(tracked.seen_here_ms)
            && let Some(sighting) = tracked.sighting.take()
        {
            tracked.differs_in(Unwritten::Seen);
            self.pending.closed.push(ClosedSighting {
                process_key: tracked.key,
                first_ms: sighting.first_ms,
                last_ms: tracked.seen_here_ms,
                is_written: sighting.is_written,
            });
        }
    }

    pub(super) fn stream(&self) -> Option<Stream> {
        self.stream
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
        self.at_ms = i64::MIN;
        self.roster.clear();
        self.pending = Pending::default();
        self.next_key = db
            .prepare_cached("SELECT coalesce(max(process_key), 0) + 1 FROM process")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .doing("read the latest process")?;
        self.stream = self.committed;
        if self.continues {
            let app = self.app_id(db)?;
            self.stream = db
                .prepare_cached(
                    "SELECT stream_id, last_ms FROM stream
                     WHERE source = :source AND app IS :app AND stream_id > 0
                     ORDER BY stream_id DESC LIMIT 1",
                )
                .and_then(|mut statement| {
                    statement
                        .query_row(
                            named_params! { ":source": self.source, ":app": app },
                            |row| {
                                Ok(Stream {
                                    id: row.get("stream_id")?,
                                    last_ms: row.get("last_ms")?,
                                })
                            },
                        )
                        .optional()
                })
                .doing("find the source's stream")?;
        }
        self.latest_absence_ms = latest_absence(db)?;
        self.others_open = db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM sighting INDEXED BY sighting_open
                                WHERE last_ms IS NULL AND stream_id IS NOT :stream)",
            )
            .and_then(|mut statement| {
                statement.query_row(
                    named_params! { ":stream": self.stream.map(|stream| stream.id) },
                    |row| row.get(0),
                )
            })
            .doing("look for other streams")?;
        self.load_latest_snapshot(db)
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

fn latest_absence(db: &Connection) -> Result<i64, Error> {
    db.query_row(
        "SELECT max(coalesce((SELECT max(observed_at_ms) FROM complete_look), :never),
                    coalesce((SELECT max(observed_at_ms) FROM unknown_look), :never))",
        named_params! { ":never": i64::MIN },
        |row| row.get(0),
    )
    .doing("look for what was absent")
}
