//! One sync, import or caller of the library, with its row in the ledger.

use rusqlite::{Transaction, TransactionBehavior, named_params};

use super::ledger::{insert_aside, recorded_by};
use super::pace::keep_paces;
use super::recorder::Recorder;
use super::segments::seal_some;
use super::snapshot_writer::{Recorded, SnapshotWriter, roll_back};
use super::{Store, words::Words};
use crate::Error;
use crate::error::Doing;
use crate::model::{SetAside, Snapshot, UtcMillis};

/// At most so many segments are made at the end of a run, some milliseconds each: a file that has none
/// yet gets them run by run.
const SEALED_BY_A_RUN: u64 = 2;

/// What a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// A look at a live API; it continues the stream of the same source.
    Sync,
    /// Archives; each run is a stream of its own.
    Import,
    /// A program that records for itself; it continues the stream of the same source.
    Library,
}

impl RunKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Import => "import",
            Self::Library => "library",
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunResult {
    /// Everything asked for was recorded.
    Complete,
    /// What was seen is recorded; some of what was asked for could not be had.
    Partial,
    /// Nothing could be had.
    Failed,
}

impl RunResult {
    /// The name that the ledger uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// What the ledger keeps of a run's end.
#[derive(Clone, Debug)]
pub struct Ending {
    /// When it ended.
    pub finished_at: UtcMillis,
    /// How.
    pub result: RunResult,
    /// Why it failed, in one line.
    pub error: Option<String>,
    /// Requests made.
    pub requests: u64,
    /// Requests made again.
    pub retries: u64,
    /// Bytes received or read.
    pub bytes: u64,
    /// Processes that were to be asked for and were left for the next run.
    pub deferred: u64,
}

impl Ending {
    /// An end with nothing asked over a network.
    pub fn new(finished_at: UtcMillis, result: RunResult) -> Self {
        Self {
            finished_at,
            result,
            error: None,
            requests: 0,
            retries: 0,
            bytes: 0,
            deferred: 0,
        }
    }
}

/// A run in progress. One that is dropped without [`Run::finish`] stays in the ledger as
/// unfinished, with what it had recorded.
#[derive(Debug)]
pub struct Run<'s> {
    store: &'s mut Store,
    kind: RunKind,
    recorder: Recorder,
    /// How many rows may gather before they are committed.
    gathers: usize,
}

impl Store {
    /// Begins a run and enters it in the ledger. `source` names where its snapshots come from;
    /// later runs of the same source continue its stream.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn begin(
        &mut self,
        kind: RunKind,
        source: &str,
        started_at: UtcMillis,
    ) -> Result<Run<'_>, Error> {
        let run_id = self
            .connection
            .prepare_cached(
                "INSERT INTO run (kind, source, started_ms, uid)
                 VALUES (:kind, :source, :started, random())",
            )
            .and_then(|mut statement| {
                statement.insert(named_params! {
                    ":kind": kind.as_str(),
                    ":source": source,
                    ":started": started_at.millis(),
                })
            })
            .doing("begin a run")?;
        Ok(Run {
            kind,
            recorder: Recorder::new(run_id, source, kind != RunKind::Import, Words::default()),
            gathers: 0,
            store: self,
        })
    }
}

impl Run<'_> {
    /// The run's number in the ledger.
    pub fn id(&self) -> i64 {
        self.recorder.run_id
    }

    /// Says that all snapshots to come are about one app, so that one of them that shows nothing is
    /// known to be about it too.
    #[must_use]
    pub fn about_app(mut self, app_id: &str) -> Self {
        self.recorder.about_app(app_id);
        self
    }

    /// Lets whole snapshots gather until they come to so many rows, or to as much work, and commits them
    /// together: many times faster where they change much. Other writers wait meanwhile, and a snapshot
    /// that fails, like a kill, takes back those that have gathered; see [`Run::commit`].
    #[must_use]
    pub fn gather(mut self, rows: usize) -> Self {
        self.gathers = rows;
        self
    }

    /// Commits the snapshots that have gathered.
    ///
    /// # Errors
    /// [`Error::Sqlite`]; nothing of them is then in the file.
    pub fn commit(&mut self) -> Result<(), Error> {
        let db = &self.store.connection;
        if db.is_autocommit() {
            return Ok(());
        }
        self.recorder
            .commit(db, self.store.sizes)
            .inspect_err(|_| roll_back(db))
    }

    /// Goes on with another stream: snapshots from `source`, all about one app, continue those that
    /// earlier runs recorded from it.
    ///
    /// # Errors
    /// Those of [`Run::commit`].
    pub fn stream_of(&mut self, source: &str, app_id: &str) -> Result<(), Error> {
        self.commit()?;
        let continues = self.kind != RunKind::Import;
        if !continues {
            let db =
                Transaction::new_unchecked(&self.store.connection, TransactionBehavior::Immediate)
                    .doing("end a stream")?;
            self.recorder.begin(&db)?;
            self.recorder.close_stream(&db)?;
            db.commit().doing("end a stream")?;
        }
        self.recorder = Recorder::new(self.id(), source, continues, Words::default());
        self.recorder.about_app(app_id);
        Ok(())
    }

    /// The file that the run is recorded in, as it stands: without what has gathered.
    pub fn store(&self) -> &Store {
        self.store
    }

    /// What the run has recorded so far, and gathered.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn totals(&self) -> Result<Recorded, Error> {
        recorded_by(&self.store.connection, self.recorder.run_id)
    }

    /// Records one snapshot, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Gone`]; nothing of the snapshot is then in the file.
    pub fn record(&mut self, snapshot: &Snapshot) -> Result<Recorded, Error> {
        let mut writer = self.snapshot(snapshot.observed_at)?;
        for process in &snapshot.processes {
            writer.observe(process)?;
        }
        for process_id in &snapshot.unknown {
            writer.observe_unknown(process_id)?;
        }
        writer.commit(&snapshot.extent)
    }

    /// Begins to record a snapshot piece by piece, for one that is not to be held in memory.
    ///
    /// # Errors
    /// [`Error::Sqlite`], or [`Error::Gone`] if the file was taken away.
    pub fn snapshot(&mut self, observed_at: UtcMillis) -> Result<SnapshotWriter<'_>, Error> {
        self.store.is_in_place()?;
        SnapshotWriter::begin(
            &self.store.connection,
            &mut self.recorder,
            self.gathers,
            observed_at,
            self.store.sizes,
        )
    }

    /// Keeps what could not be understood and belongs to no snapshot.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_aside(&mut self, aside: &SetAside) -> Result<(), Error> {
        self.commit()?;
        let db = self
            .store
            .connection
            .unchecked_transaction()
            .doing("set a record aside")?;
        insert_aside(&db, self.recorder.run_id, aside, self.recorder.continues())?;
        db.commit().doing("set a record aside")
    }

    /// Ends the run.
    ///
    /// # Errors
    /// [`Error::Sqlite`], or [`Error::Gone`] if the file was taken away.
    pub fn finish(mut self, ending: &Ending) -> Result<Recorded, Error> {
        self.commit()?;
        let sizes = self.store.sizes;
        if self.kind == RunKind::Import {
            self.store.seal_all(|_| ())?;
        }
        let db = Transaction::new_unchecked(&self.store.connection, TransactionBehavior::Immediate)
            .doing("finish a run")?;
        if self.kind == RunKind::Import {
            self.recorder.begin(&db)?;
            // Nothing will continue this stream, so its sightings are closed.
            self.recorder.close_stream(&db)?;
        }
        db.prepare_cached(
            "UPDATE run SET finished_ms = :finished, result = :result, error = :error,
                 requests = :requests, retries = :retries, bytes = :bytes, deferred = :deferred
             WHERE run_id = :run",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":finished": ending.finished_at.millis(),
                ":result": ending.result.as_str(),
                ":error": ending.error,
                ":requests": ending.requests.cast_signed(),
                ":retries": ending.retries.cast_signed(),
                ":bytes": ending.bytes.cast_signed(),
                ":deferred": ending.deferred.cast_signed(),
                ":run": self.recorder.run_id,
            })
        })
        .doing("finish a run")?;
        seal_some(&db, sizes, SEALED_BY_A_RUN)?;
        keep_paces(&db)?;
        let recorded = recorded_by(&db, self.recorder.run_id)?;
        db.commit().doing("finish a run")?;
        self.store.is_in_place()?;
        Ok(recorded)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        roll_back(&self.store.connection);
    }
}
