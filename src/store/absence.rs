//! What the absence of a process says: nothing, unless the look would have shown it.
//!
//! An open process is lost at the earliest look, later than its last sighting, that would have
//! shown it and did not. That is a function of the looks and the last sighting alone, whatever the
//! order in which they were recorded.

use std::collections::BTreeSet;

use rusqlite::{Connection, named_params};

use super::pending::write_process;
use super::recorder::Recorder;
use super::snapshot_writer::Recorded;
use super::tracked::{Tracked, Unwritten};
use super::words::{NO_WORD, Words};
use crate::Error;
use crate::error::Doing;
use crate::model::{Extent, Outcome};

impl Recorder {
    pub fn observe_unknown(
        &mut self,
        db: &Connection,
        process_id: &str,
        recorded: &mut Recorded,
    ) -> Result<(), Error> {
        let at_ms = self.at_ms;
        let place = match self.roster.find(process_id) {
            Some(place) => place,
            None => match self.load(db, process_id)? {
                Some(tracked) => self.roster.add(tracked),
                None => return Ok(()),
            },
        };
        let Some(tracked) = self.roster.get(place) else {
            return Ok(());
        };
        // Whom it is about must be there.
        if tracked.unwritten == Unwritten::All {
            self.write_pending(db)?;
        }
        let Some(tracked) = self.roster.get(place) else {
            return Ok(());
        };
        db.prepare_cached("INSERT OR IGNORE INTO unknown_look VALUES (:process, :at)")
            .and_then(|mut statement| {
                statement.execute(named_params! { ":process": tracked.key, ":at": at_ms })
            })
            .doing("record that a process is unknown")?;
        self.latest_absence_ms = self.latest_absence_ms.max(at_ms);
        if at_ms > tracked.last_seen_ms {
            if tracked.outcome == Outcome::Open {
                recorded.processes_lost += 1;
            }
            find_again(db, &mut self.words, tracked)?;
        }
        Ok(())
    }

    /// Marks as lost what a complete snapshot does not show, though it was open before.
    pub fn lose_absent(
        &mut self,
        db: &Connection,
        extent: &Extent,
        named: &BTreeSet<i64>,
        recorded: &mut Recorded,
    ) -> Result<(), Error> {
        if *extent == Extent::Partial {
            return Ok(());
        }
        // What is absent is found in the file.
        self.write_pending(db)?;
        self.roster.forget_the_gone();
        let apps: Vec<i64> = match extent {
            Extent::Partial => Vec::new(),
            Extent::Complete => {
                record_look(db, NO_WORD, self.at_ms)?;
                self.name_complete_apps(db, named, recorded)?
            }
            Extent::CompleteFor(apps) => {
                let mut ids = Vec::with_capacity(apps.len());
                for app in apps {
                    let id = self.words.word(db, app)?;
                    record_look(db, id, self.at_ms)?;
                    ids.push(id);
                }
                ids
            }
        };
        let late = self.at_ms < self.latest_absence_ms;
        self.latest_absence_ms = self.latest_absence_ms.max(self.at_ms);
        for app in apps {
            // A null last_seen_ms is a process in this very snapshot, unless another stream has
            // an open sighting of it.
            let lost = db
                .prepare_cached(
                    "UPDATE process SET outcome = 'lost', lost_ms = :at
                     WHERE outcome = 'open' AND app = :app AND last_seen_ms < :at",
                )
                .and_then(|mut statement| {
                    statement.execute(named_params! { ":at": self.at_ms, ":app": app })
                })
                .doing("record what is absent")?;
            recorded.processes_lost += lost as u64;
            if self.others_open() {
                let lost = db
                    .prepare_cached(
                        "UPDATE process SET outcome = 'lost', lost_ms = :at
                         WHERE process_key IN (
                             SELECT process_key FROM process_seen
                             WHERE outcome = 'open' AND app = :app AND last_seen_ms IS NULL
                               AND seen_until_ms < :at)",
                    )
                    .and_then(|mut statement| {
                        statement.execute(named_params! { ":at": self.at_ms, ":app": app })
                    })
                    .doing("record what is absent")?;
                recorded.processes_lost += lost as u64;
            }
            if late {
                db.prepare_cached(
                    "UPDATE process SET lost_ms = :at
                     WHERE process_key IN (
                         SELECT process_key FROM process_seen
                         WHERE outcome = 'lost' AND app = :app AND lost_ms > :at
                           AND seen_until_ms < :at)",
                )
                .and_then(|mut statement| {
                    statement.execute(named_params! { ":at": self.at_ms, ":app": app })
                })
                .doing("record what is absent")?;
            }
        }
        Ok(())
    }

    /// The apps that snapshots known to be complete have named, these ones included. Processes of
    /// a newly named one may have been absent from earlier such snapshots.
    fn name_complete_apps(
        &mut self,
        db: &Connection,
        named: &BTreeSet<i64>,
        recorded: &mut Recorded,
    ) -> Result<Vec<i64>, Error> {
        for app in named {
            let new = db
                .prepare_cached("INSERT OR IGNORE INTO complete_app VALUES (:app, :at)")
                .and_then(|mut statement| {
                    statement.execute(named_params! { ":app": app, ":at": self.at_ms })
                })
                .doing("record what is absent")?;
            if new == 0 {
                db.prepare_cached(
                    "UPDATE complete_app SET named_ms = :at WHERE app = :app AND named_ms > :at",
                )
                .and_then(|mut statement| {
                    statement.execute(named_params! { ":app": app, ":at": self.at_ms })
                })
                .doing("record what is absent")?;
                continue;
            }
            let not_ended: Vec<String> = db
                .prepare_cached(
                    "SELECT process_id FROM process
                     WHERE outcome IN ('open', 'lost') AND app = :app",
                )
                .and_then(|mut statement| {
                    statement
                        .query_map(named_params! { ":app": app }, |row| row.get(0))?
                        .collect()
                })
                .doing("record what is absent")?;
            for process_id in not_ended {
                // From the file and not from memory: the stream's end is by now this snapshot.
                let Some(mut tracked) = self.load(db, &process_id)? else {
                    continue;
                };
                let was = tracked.outcome;
                find_again(db, &mut self.words, &mut tracked)?;
                recorded.processes_lost += u64::from(tracked.outcome != was);
                if let Some(ids) = &tracked.ids {
                    write_process(db, &tracked, ids, self.others_open())?;
                }
                if let Some(place) = self.roster.find(&process_id)
                    && let Some(known) = self.roster.get(place)
                {
                    known.outcome = tracked.outcome;
                    known.lost_ms = tracked.lost_ms;
                }
            }
        }
        db.prepare_cached("SELECT app FROM complete_app")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .doing("record what is absent")
    }
}

/// Works out anew whether an open process is lost: whether anything that would have shown it
/// did not, after it was last seen.
pub(super) fn find_again(
    db: &Connection,
    words: &mut Words,
    tracked: &mut Tracked,
) -> Result<(), Error> {
    if Outcome::of(&tracked.latest) != Outcome::Open {
        return Ok(());
    }
    let app = match &tracked.ids {
        Some(ids) => ids.app,
        None => words.word(db, &tracked.latest.app_id)?,
    };
    tracked.lost_ms = absent_since(db, app, tracked)?;
    tracked.outcome = tracked.outcome_now();
    tracked.has_changed();
    Ok(())
}

/// The earliest look after the last sighting that would have shown the process, which is of this app.
pub(super) fn absent_since(
    db: &Connection,
    app: i64,
    tracked: &Tracked,
) -> Result<Option<i64>, Error> {
    db.prepare_cached(
        "SELECT min(at) FROM (
             SELECT min(observed_at_ms) AS at FROM unknown_look
             WHERE process_key = :process AND observed_at_ms > :seen
             UNION ALL
             SELECT min(observed_at_ms) FROM complete_look
             WHERE app = :app AND observed_at_ms > :seen
             UNION ALL
             SELECT min(observed_at_ms) FROM complete_look
             WHERE app = :any AND observed_at_ms > :seen
               AND EXISTS (SELECT 1 FROM complete_app c WHERE c.app = :app))",
    )
    .and_then(|mut statement| {
        statement.query_row(
            named_params! {
                ":process": tracked.key, ":seen": tracked.last_seen_ms, ":app": app,
                ":any": NO_WORD,
            },
            |row| row.get(0),
        )
    })
    .doing("look for what was absent")
}

fn record_look(db: &Connection, app: i64, at_ms: i64) -> Result<(), Error> {
    db.prepare_cached("INSERT OR IGNORE INTO complete_look VALUES (:app, :at)")
        .and_then(|mut statement| statement.execute(named_params! { ":app": app, ":at": at_ms }))
        .doing("record what is absent")?;
    Ok(())
}
