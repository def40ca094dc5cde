//! Takes another history into this one: what two collectors recorded becomes one record.
//!
//! The other's runs, streams and looks come along as they are, and the versions of each process are worked
//! out anew from all observations of both. So the answers are those of a file that was told everything
//! itself, in whatever order files are merged. It is one transaction: all of it or nothing.
//! Limits: other writers wait, or end as busy, until it is done.

mod ledger;
mod looks;
mod processes;
mod whole;

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, Row, named_params, params_from_iter, types::Value};

use super::file::{is_same_file, open_to_read};
use super::ledger::recorded_by;
use super::recorder::Recorder;
use super::snapshot_writer::Recorded;
use super::words::Words;
use super::{NO_WORD, Progress, Store};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;
use crate::store::derived::rebuild_looks;

const DOING: &str = "merge histories";

impl Store {
    /// Takes all that the history database at `other` holds into this one, by the rules of an import, and
    /// enters that in the ledger as one, of `source`. What is here already is left as it is, so that the
    /// same file may be merged again, also after it has grown. `other` is not changed; somebody may be
    /// recording in it. `now` tells the time; `progress` is told how many processes are done with.
    ///
    /// Both need to be of the schema that this library writes.
    ///
    /// ```
    /// use prochist::{Store, model::UtcMillis};
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, other) = (folder.path().join("a.db"), folder.path().join("b.db"));
    /// # Store::open(&other)?;
    /// let now: UtcMillis = "2024-05-01T20:15:00Z".parse()?;
    /// let merged = Store::open(&path)?.merge(&other, "b.db", || now, |_| ())?;
    /// assert_eq!(merged.processes_new, 0); // nothing was recorded in either
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::SameFile`]; those of [`crate::History::open`] for `other`; [`Error::Sqlite`] or
    /// [`Error::Damaged`]. Nothing is then merged.
    pub fn merge(
        &mut self,
        other: &Path,
        source: &str,
        now: impl Fn() -> UtcMillis,
        progress: impl FnMut(Progress),
    ) -> Result<Recorded, Error> {
        let theirs = open_to_read(other)?;
        if is_same_file(other, self.path()) {
            return Err(Error::SameFile {
                path: other.to_owned(),
            });
        }
        // As it stands at one moment.
        let theirs = theirs.unchecked_transaction().doing(DOING)?;
        let merged = self.in_transaction(|ours| {
            let run_id = begin_run(ours, source, now())?;
            let mut merge = Merge::new(ours, &theirs, run_id)?;
            let streams = merge.ledger()?;
            merge.looks()?;
            merge.processes(&streams, progress)?;
            merge.what_is_absent()?;
            merge.finish(now())?;
            rebuild_looks(ours)?;
            recorded_by(ours, run_id)
        })?;
        self.seal_all(|_| ())?;
        Ok(merged)
    }
}

/// A merge in progress.
struct Merge<'m> {
    ours: &'m Connection,
    theirs: &'m Connection,
    recorder: Recorder,
    recorded: Recorded,
    /// Our numbers of their texts.
    words: HashMap<i64, i64>,
    /// When the first of their runs began that were not here.
    first_new_run_ms: i64,
    /// The last gap that was here before.
    gaps_before: i64,
}

impl<'m> Merge<'m> {
    fn new(ours: &'m Connection, theirs: &'m Connection, run_id: i64) -> Result<Self, Error> {
        let mut recorder = Recorder::new(run_id, "", false, Words::default());
        recorder.begin(ours)?;
        Ok(Self {
            ours,
            theirs,
            recorder,
            recorded: Recorded::default(),
            words: HashMap::from([(NO_WORD, NO_WORD)]),
            first_new_run_ms: i64::MAX,
            gaps_before: ours
                .query_row("SELECT coalesce(max(gap_id), 0) FROM gap", [], |row| {
                    row.get(0)
                })
                .doing(DOING)?,
        })
    }

    /// Our number of one of their texts.
    fn word(&mut self, theirs: i64) -> Result<i64, Error> {
        if let Some(ours) = self.words.get(&theirs) {
            return Ok(*ours);
        }
        let text = self.recorder_text(theirs)?;
        let ours = self.recorder.words.word(self.ours, &text)?;
        self.words.insert(theirs, ours);
        Ok(ours)
    }

    fn recorder_text(&self, theirs: i64) -> Result<String, Error> {
        self.theirs
            .prepare_cached("SELECT text FROM word WHERE word_id = ?1")
            .and_then(|mut statement| statement.query_row([theirs], |row| row.get(0)))
            .doing(DOING)
    }

    /// Reads their rows, has each changed into one of ours, or passed over, and writes those.
    fn copy(
        &mut self,
        select: &str,
        insert: &str,
        mut change: impl FnMut(&mut Self, &mut Vec<Value>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let (ours, theirs) = (self.ours, self.theirs);
        let mut select = theirs.prepare(select).doing(DOING)?;
        let mut insert = ours.prepare(insert).doing(DOING)?;
        let width = select.column_count();
        let mut rows = select.query([]).doing(DOING)?;
        while let Some(row) = rows.next().doing(DOING)? {
            let mut values = values(row, width).doing(DOING)?;
            if change(self, &mut values)? {
                insert.execute(params_from_iter(&values)).doing(DOING)?;
            }
        }
        Ok(())
    }

    /// Puts our number in place of theirs of a text, if there is one.
    fn reword(&mut self, value: &mut Value) -> Result<(), Error> {
        if let Value::Integer(theirs) = *value {
            *value = Value::Integer(self.word(theirs)?);
        }
        Ok(())
    }

    fn finish(&mut self, finished_at: UtcMillis) -> Result<(), Error> {
        let recorded = self.recorded;
        self.ours
            .execute(
                "UPDATE run SET finished_ms = :finished, result = 'complete',
                     processes_seen = :seen, processes_new = :new, processes_changed = :changed,
                     processes_lost = :lost
                 WHERE run_id = :run",
                named_params! {
                    ":finished": finished_at.millis(), ":run": self.recorder.run_id,
                    ":seen": recorded.processes_seen.cast_signed(),
                    ":new": recorded.processes_new.cast_signed(),
                    ":changed": recorded.processes_changed.cast_signed(),
                    ":lost": recorded.processes_lost.cast_signed(),
                },
            )
            .doing(DOING)?;
        Ok(())
    }
}

fn values(row: &Row<'_>, width: usize) -> Result<Vec<Value>, rusqlite::Error> {
    (0..width).map(|i| row.get(i)).collect()
}

fn begin_run(db: &Connection, source: &str, started_at: UtcMillis) -> Result<i64, Error> {
    db.prepare_cached(
        "INSERT INTO run (kind, source, started_ms, uid)
         VALUES ('import', :source, :started, random())",
    )
    .and_then(|mut statement| {
        statement.insert(named_params! { ":source": source, ":started": started_at.millis() })
    })
    .doing("begin a run")
}
