//! What one observation does to the file: nothing, a new version, or a place among older ones.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, named_params};

use super::absence::{absent_since, find_again};
use super::holds::update_holds;
use super::recorder::{Recorder, Tracked};
use super::snapshot_writer::Recorded;
use super::versions::{
    end_version, first_seen_ended, insert_version, is_moment, load_versions, moments,
};
use super::weave::{VersionRun, Woven, weave};
use super::words::{NO_WORD, StateIds};
use crate::Error;
use crate::error::Doing;
use crate::model::{Outcome, Process};

impl Recorder {
    pub fn observe(
        &mut self,
        db: &Connection,
        process: &Process,
        recorded: &mut Recorded,
    ) -> Result<(), Error> {
        let at_ms = self.at_ms;
        match self.tracked.get_mut(&process.process_id) {
            // By far the most: it goes on as the snapshot before showed it, and that is no news.
            Some(tracked)
                if self.snapshot_written
                    && tracked.sighting_ms.is_some()
                    && at_ms > tracked.last_seen_ms
                    && tracked.outcome != Outcome::Lost
                    && tracked.latest == *process =>
            {
                tracked.last_seen_ms = at_ms;
                tracked.seen_here_ms = at_ms;
                return Ok(());
            }
            Some(_) => {}
            None => self.track(db, &process.process_id)?,
        }
        let Some(mut tracked) = self.tracked.remove(&process.process_id) else {
            recorded.processes_new += 1;
            let tracked = self.create(db, process)?;
            self.tracked.insert(process.process_id.clone(), tracked);
            return Ok(());
        };
        if at_ms > tracked.last_seen_ms {
            if tracked.latest != *process {
                recorded.processes_changed += 1;
                self.append_version(db, &mut tracked, process)?;
            }
            tracked.last_seen_ms = at_ms;
            self.sight(db, &mut tracked)?;
            if tracked.outcome == Outcome::Lost || at_ms < self.latest_absence_ms {
                find_again(db, &mut tracked)?;
            }
        } else if at_ms < tracked.last_seen_ms || tracked.latest != *process {
            self.observe_late(db, &mut tracked, process, recorded)?;
        } else {
            self.see_known(db, &mut tracked)?;
        }
        tracked.seen_here_ms = at_ms;
        self.tracked.insert(process.process_id.clone(), tracked);
        Ok(())
    }

    fn create(&mut self, db: &Connection, process: &Process) -> Result<Tracked, Error> {
        let at_ms = self.at_ms;
        let ids = self.words.state(db, process)?;
        let key = db
            .prepare_cached(
                "INSERT INTO process (process_id, app, deployment, region, status, created_ms,
                     outcome, first_seen_ms, versions)
                 VALUES (:process_id, :app, :deployment, :region, :status, :created,
                     :outcome, :at, 1)",
            )
            .and_then(|mut statement| {
                statement.insert(named_params! {
                    ":process_id": process.process_id,
                    ":app": ids.app,
                    ":deployment": process.deployment_id,
                    ":region": ids.region,
                    ":status": ids.status,
                    ":created": process.created_at.millis(),
                    ":outcome": Outcome::of(process).as_str(),
                    ":at": at_ms,
                })
            })
            .doing("record a process")?;
        let mut tracked = Tracked {
            key,
            latest: process.clone(),
            versions: 1,
            outcome: Outcome::of(process),
            last_seen_ms: at_ms,
            seen_here_ms: at_ms,
            sighting_ms: None,
            lost_ms: None,
            holds: BTreeMap::new(),
            late: None,
        };
        insert_version(db, key, 1, at_ms, NO_WORD, process, &ids)?;
        self.sight(db, &mut tracked)?;
        if at_ms < self.latest_absence_ms {
            tracked.lost_ms = absent_since(db, &tracked)?;
        }
        self.summarize(db, &mut tracked, &ids)?;
        Ok(tracked)
    }

    fn append_version(
        &mut self,
        db: &Connection,
        tracked: &mut Tracked,
        process: &Process,
    ) -> Result<(), Error> {
        let ids = self.words.state(db, process)?;
        let changed = self.changed(db, process, &tracked.latest)?;
        end_version(db, tracked.key, tracked.versions, tracked.last_seen_ms)?;
        tracked.versions += 1;
        tracked.latest = process.clone();
        tracked.lost_ms = None;
        insert_version(
            db,
            tracked.key,
            tracked.versions,
            self.at_ms,
            changed,
            process,
            &ids,
        )?;
        self.summarize(db, tracked, &ids)
    }

    fn observe_late(
        &mut self,
        db: &Connection,
        tracked: &mut Tracked,
        process: &Process,
        recorded: &mut Recorded,
    ) -> Result<(), Error> {
        let at_ms = self.at_ms;
        let seen_now = tracked.seen_here_ms == at_ms;
        // Whoever comes late once mostly comes late again, within the same version.
        let runs = match tracked.late.take() {
            Some(run) if run.says(at_ms, process) => vec![run],
            _ => load_versions(db, tracked)?,
        };
        let key = tracked.key;
        let woven = weave(
            &runs,
            at_ms,
            process,
            || Ok::<_, Error>(seen_now || is_moment(db, key, at_ms)?),
            || {
                let mut moments = moments(db, key)?;
                if seen_now {
                    moments.insert(at_ms);
                }
                Ok(moments.into_iter().collect())
            },
        )?;
        let runs = match &woven {
            Woven::Versions(versions) => versions.clone(),
            Woven::Known | Woven::Within => runs,
        };
        tracked.late = runs.into_iter().find(|run| run.says(at_ms, process));
        match woven {
            Woven::Known => self.see_known(db, tracked),
            Woven::Within => self.sight(db, tracked),
            Woven::Versions(versions) => {
                recorded.processes_changed += 1;
                self.sight(db, tracked)?;
                self.rewrite(db, tracked, &versions)
            }
        }
    }

    /// Replaces all versions of a process, after a late observation has changed their order.
    fn rewrite(
        &mut self,
        db: &Connection,
        tracked: &mut Tracked,
        versions: &[VersionRun],
    ) -> Result<(), Error> {
        db.prepare_cached("DELETE FROM version WHERE process_key = :process")
            .and_then(|mut statement| statement.execute(named_params! { ":process": tracked.key }))
            .doing("rewrite versions")?;
        let mut earlier: Option<&VersionRun> = None;
        let mut latest_ids = None;
        let mut endpoints = BTreeSet::new();
        for (version, run) in (1..).zip(versions) {
            let ids = self.words.state(db, &run.state)?;
            endpoints.extend(ids.endpoints.iter().copied());
            let changed = match earlier {
                Some(earlier) => self.changed(db, &run.state, &earlier.state)?,
                None => NO_WORD,
            };
            insert_version(
                db,
                tracked.key,
                version,
                run.first_ms,
                changed,
                &run.state,
                &ids,
            )?;
            if let Some(earlier) = earlier {
                end_version(db, tracked.key, version - 1, earlier.last_ms)?;
            }
            tracked.versions = version;
            tracked.latest = run.state.clone();
            latest_ids = Some(ids);
            earlier = Some(run);
        }
        if let Some(mut ids) = latest_ids {
            ids.endpoints = endpoints.into_iter().collect();
            self.summarize(db, tracked, &ids)?;
            // The latest state may have become an open one, of which an absence says something.
            find_again(db, tracked)?;
        }
        Ok(())
    }

    fn changed(
        &mut self,
        db: &Connection,
        process: &Process,
        earlier: &Process,
    ) -> Result<i64, Error> {
        let names = process.changed_since(earlier).join(",");
        self.words.word(db, &names)
    }

    /// An observation that another stream has made already says nothing new; but an open sighting
    /// goes on only over snapshots that its own stream has.
    fn see_known(&mut self, db: &Connection, tracked: &mut Tracked) -> Result<(), Error> {
        if tracked.sighting_ms.is_some() {
            self.sight(db, tracked)?;
        }
        Ok(())
    }

    /// Notes that the process was seen in the stream's snapshot.
    fn sight(&mut self, db: &Connection, tracked: &mut Tracked) -> Result<(), Error> {
        let stream = self.stream_of_snapshot(db)?;
        if tracked.sighting_ms.is_some() {
            return Ok(());
        }
        db.prepare_cached(
            "INSERT INTO sighting (process_key, stream_id, first_ms)
             VALUES (:process, :stream, :at)",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":process": tracked.key, ":stream": stream, ":at": self.at_ms,
            })
        })
        .doing("record a sighting")?;
        db.prepare_cached("UPDATE process SET last_seen_ms = NULL WHERE process_key = :process")
            .and_then(|mut statement| statement.execute(named_params! { ":process": tracked.key }))
            .doing("record a sighting")?;
        tracked.sighting_ms = Some(self.at_ms);
        Ok(())
    }

    /// Writes the latest state into the process's own row and its holds.
    fn summarize(
        &mut self,
        db: &Connection,
        tracked: &mut Tracked,
        ids: &StateIds,
    ) -> Result<(), Error> {
        let process = &tracked.latest;
        if Outcome::of(process).has_ended() {
            tracked.lost_ms = None;
        }
        tracked.outcome = outcome(tracked);
        let ended_ms = match (
            process.terminated_at.or(process.stopping_at),
            tracked.outcome,
        ) {
            (_, Outcome::Open | Outcome::Lost) => None,
            (Some(at), _) => Some(at.millis()),
            (None, _) => Some(first_seen_ended(db, tracked.key)?),
        };
        db.prepare_cached(
            "UPDATE process SET app = :app, deployment = :deployment, region = :region,
                 status = :status, created_ms = :created, started_ms = :started,
                 stopping_ms = :stopping, terminated_ms = :terminated, outcome = :outcome,
                 ended_ms = :ended, lost_ms = :lost, versions = :versions,
                 first_seen_ms = (SELECT first_seen_ms FROM version
                                  WHERE process_key = :process AND version = 1)
             WHERE process_key = :process",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":app": ids.app,
                ":deployment": process.deployment_id,
                ":region": ids.region,
                ":status": ids.status,
                ":created": process.created_at.millis(),
                ":started": process.started_at.map(|t| t.millis()),
                ":stopping": process.stopping_at.map(|t| t.millis()),
                ":terminated": process.terminated_at.map(|t| t.millis()),
                ":outcome": tracked.outcome.as_str(),
                ":ended": ended_ms,
                ":lost": tracked.lost_ms,
                ":versions": tracked.versions,
                ":process": tracked.key,
            })
        })
        .doing("record a process")?;
        update_holds(db, tracked, &ids.endpoints)
    }
}

/// How a process stands, with what is known of its absence.
pub(super) fn outcome(tracked: &Tracked) -> Outcome {
    match Outcome::of(&tracked.latest) {
        Outcome::Open if tracked.lost_ms.is_some() => Outcome::Lost,
        shown => shown,
    }
}
