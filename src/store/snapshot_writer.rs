//! One snapshot on its way into the file: all or nothing, in a transaction of its own or in one with
//! others.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, named_params};

#[cfg(feature = "sync")]
use super::filters::set_rejected;
use super::known::set_watermarks;
use super::ledger::{insert_aside, insert_gap};
use super::observe::Seen;
use super::recorder::Recorder;
use super::segments::Sizes;
use crate::Error;
use crate::error::Doing;
use crate::model::{Extent, Gap, Process, SetAside, UtcMillis, Watermark};

/// What recording came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Snapshots committed.
    pub snapshots: u64,
    /// Observations: one a process and snapshot.
    pub processes_seen: u64,
    /// Processes seen for the first time.
    pub processes_new: u64,
    /// Observations that made a further version of a known process.
    pub processes_changed: u64,
    /// Open processes found to be gone.
    pub processes_lost: u64,
}

/// A snapshot being recorded. Dropped without [`SnapshotWriter::commit`], it leaves nothing; nor do those
/// before it that were gathered and are not in the file yet.
#[derive(Debug)]
pub struct SnapshotWriter<'r> {
    db: &'r Connection,
    recorder: &'r mut Recorder,
    recorded: Recorded,
    at_ms: i64,
    apps: BTreeSet<i64>,
    last_app: Option<String>,
    /// How many rows may gather before they are committed.
    gathers: usize,
    sizes: Sizes,
    is_whole: bool,
}

impl<'r> SnapshotWriter<'r> {
    pub(super) fn begin(
        db: &'r Connection,
        recorder: &'r mut Recorder,
        gathers: usize,
        observed_at: UtcMillis,
        sizes: Sizes,
    ) -> Result<Self, Error> {
        let writer = Self {
            db,
            recorder,
            recorded: Recorded {
                snapshots: 1,
                ..Recorded::default()
            },
            at_ms: observed_at.millis(),
            apps: BTreeSet::new(),
            last_app: None,
            gathers,
            sizes,
            is_whole: false,
        };
        if db.is_autocommit() {
            // Immediate, so that waiting for another writer happens here and not halfway.
            db.execute_batch("BEGIN IMMEDIATE")
                .doing("begin a snapshot")?;
            writer.recorder.begin(db)?;
        }
        writer.recorder.begin_snapshot(db, writer.at_ms)?;
        Ok(writer)
    }

    /// Records what the source said of one process.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn observe(&mut self, process: &Process) -> Result<(), Error> {
        self.observe_seen(Seen::Alone(process), process)
    }

    /// The same of a state that is shared, with the snapshot before, for example: where it is the very one
    /// that was recorded last, nothing is compared, and where it is new, nothing is copied.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn observe_shared(&mut self, process: &Arc<Process>) -> Result<(), Error> {
        self.observe_seen(Seen::Shared(process), process)
    }

    fn observe_seen(&mut self, seen: Seen<'_>, process: &Process) -> Result<(), Error> {
        self.recorded.processes_seen += 1;
        self.recorder.observe(self.db, seen, &mut self.recorded)?;
        if self.last_app.as_ref() != Some(&process.app_id) {
            let app = self.recorder.words.word(self.db, &process.app_id)?;
            self.apps.insert(app);
            self.last_app = Some(process.app_id.clone());
        }
        Ok(())
    }

    /// Records that the source, asked for a process, did not know it. An id that was never
    /// recorded says nothing.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn observe_unknown(&mut self, process_id: &str) -> Result<(), Error> {
        self.recorder
            .observe_unknown(self.db, process_id, &mut self.recorded)
    }

    /// Keeps what could not be understood of the snapshot. Whether it is new: of a source that is looked
    /// at again and again, what is on record in the same words is counted, but not kept twice.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_aside(&mut self, aside: &SetAside) -> Result<bool, Error> {
        self.recorder.pending.kept(aside.raw.len());
        insert_aside(
            self.db,
            self.recorder.run_id,
            aside,
            self.recorder.continues(),
        )
    }

    /// Records that the snapshot may have hidden processes.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        insert_gap(self.db, &mut self.recorder.words, self.recorder.run_id, gap)
    }

    /// Records how far the record of an app is whole now, in place of what was known of it before.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn watermarks(&mut self, app_id: &str, marks: &[Watermark]) -> Result<(), Error> {
        set_watermarks(self.db, &mut self.recorder.words, app_id, marks)
    }

    /// Remembers that the source does not accept a filter.
    #[cfg(feature = "sync")]
    pub(crate) fn rejected(
        &mut self,
        app_id: &str,
        filter: &super::RejectedFilter,
    ) -> Result<(), Error> {
        set_rejected(
            self.db,
            &mut self.recorder.words,
            app_id,
            filter,
            self.at_ms,
        )
    }

    /// Ends the snapshot; `extent` says what the absence of a process from it means.
    ///
    /// # Errors
    /// [`Error::Sqlite`]; nothing of the snapshot is then in the file.
    pub fn commit(mut self, extent: &Extent) -> Result<Recorded, Error> {
        self.recorder.end_snapshot(self.db)?;
        self.recorder
            .name_archive_apps(self.db, &self.apps, extent)?;
        self.recorder
            .lose_absent(self.db, extent, &self.apps, &mut self.recorded)?;
        self.count()?;
        let pending = &mut self.recorder.pending;
        pending.observed(self.recorded.processes_seen as usize);
        if pending.rows() >= self.gathers {
            self.recorder.commit(self.db, self.sizes)?;
        }
        self.is_whole = true;
        Ok(self.recorded)
    }

    /// The ledger goes along in the same transaction, so that a killed run shows what it recorded.
    fn count(&mut self) -> Result<(), Error> {
        let recorded = &self.recorded;
        self.db
            .prepare_cached(
                "UPDATE run SET snapshots = snapshots + 1,
                     processes_seen = processes_seen + :seen,
                     processes_new = processes_new + :new,
                     processes_changed = processes_changed + :changed,
                     processes_lost = processes_lost + :lost
                 WHERE run_id = :run",
            )
            .and_then(|mut statement| {
                statement.execute(named_params! {
                    ":seen": recorded.processes_seen.cast_signed(),
                    ":new": recorded.processes_new.cast_signed(),
                    ":changed": recorded.processes_changed.cast_signed(),
                    ":lost": recorded.processes_lost.cast_signed(),
                    ":run": self.recorder.run_id,
                })
            })
            .doing("count what was recorded")?;
        Ok(())
    }
}

impl Drop for SnapshotWriter<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            roll_back(self.db);
        }
    }
}

/// Takes back what is not committed, if anything.
pub(super) fn roll_back(db: &Connection) {
    if !db.is_autocommit() {
        // Where it fails, SQLite has done it itself.
        let _ = db.execute_batch("ROLLBACK");
    }
}

#[cfg(feature = "sync")]
impl Recorded {
    pub(crate) fn add(&mut self, other: Self) {
        self.snapshots += other.snapshots;
        self.processes_seen += other.processes_seen;
        self.processes_new += other.processes_new;
        self.processes_changed += other.processes_changed;
        self.processes_lost += other.processes_lost;
    }
}
