//! What one observation does to the file: nothing, a new version, or a place among older ones.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::Connection;

use super::absence::{absent_since, find_again};
use super::holds::update_holds;
use super::recorder::Recorder;
use super::snapshot_writer::Recorded;
use super::tracked::{Sighting, Tracked, Unwritten};
use super::versions::{
    EndedVersion, VersionRow, delete_versions, insert_versions, is_moment, load_versions, moments,
};
use super::weave::{VersionRun, Woven, weave};
use super::words::NO_WORD;
use crate::Error;
use crate::model::{Difference, Outcome, Process};

/// A state on its way into the file; one that is remembered elsewhere, too, is not copied.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    Alone(&'a Process),
    Shared(&'a Arc<Process>),
}

impl Seen<'_> {
    fn state(&self) -> &Process {
        match self {
            Self::Alone(process) => process,
            Self::Shared(process) => process,
        }
    }

    fn to_arc(self) -> Arc<Process> {
        match self {
            Self::Alone(process) => Arc::new(process.clone()),
            Self::Shared(process) => Arc::clone(process),
        }
    }

    /// In what it differs from the latest state; none where it is that state.
    fn differs(&self, latest: &Arc<Process>) -> Option<Difference> {
        if matches!(self, Self::Shared(process) if Arc::ptr_eq(process, latest)) {
            return None;
        }
        let difference = self.state().difference(latest);
        (!difference.is_none()).then_some(difference)
    }
}

impl Recorder {
    pub fn observe(
        &mut self,
        db: &Connection,
        seen: Seen<'_>,
        recorded: &mut Recorded,
    ) -> Result<(), Error> {
        let at_ms = self.at_ms;
        let process_id = &seen.state().process_id;
        let place = match self.roster.find(process_id) {
            Some(place) => place,
            None => match self.load(db, process_id)? {
                Some(tracked) => self.roster.add(tracked),
                None => {
                    recorded.processes_new += 1;
                    let tracked = self.create(db, seen)?;
                    let place = self.roster.add(tracked);
                    self.roster.show(place);
                    return Ok(());
                }
            },
        };
        let snapshot_written = self.snapshot_written;
        let Some(tracked) = self.roster.get(place) else {
            return Err(forgotten(process_id));
        };
        let differs = seen.differs(&tracked.latest);
        if snapshot_written
            && tracked.sighting.is_some()
            && at_ms > tracked.last_seen_ms
            && tracked.outcome != Outcome::Lost
            && differs.is_none()
        {
            // By far the most: it goes on as the snapshot before showed it, and that is no news.
            tracked.last_seen_ms = at_ms;
            tracked.seen_here_ms = at_ms;
            self.roster.show(place);
            return Ok(());
        }
        let is_late =
            at_ms < tracked.last_seen_ms || (at_ms == tracked.last_seen_ms && differs.is_some());
        if is_late && tracked.unwritten != Unwritten::Nothing {
            // What is on record of it is read from the file, so all of that must be there.
            self.write_pending(db)?;
        }
        let Some(mut tracked) = self.roster.take(place) else {
            return Err(forgotten(process_id));
        };
        let observed = match is_late {
            true => self.observe_late(db, &mut tracked, seen.state(), recorded),
            false => self.observe_next(db, &mut tracked, seen, differs, recorded),
        };
        // Shown twice in one snapshot, it is shown once.
        let is_new_here = tracked.seen_here_ms != at_ms;
        tracked.seen_here_ms = at_ms;
        self.roster.put(place, tracked);
        if is_new_here {
            self.roster.show(place);
        }
        observed
    }

    /// An observation that is not before the latest one; at the same moment it says the same.
    fn observe_next(
        &mut self,
        db: &Connection,
        tracked: &mut Tracked,
        seen: Seen<'_>,
        differs: Option<Difference>,
        recorded: &mut Recorded,
    ) -> Result<(), Error> {
        let at_ms = self.at_ms;
        if at_ms == tracked.last_seen_ms {
            return self.see_known(db, tracked);
        }
        if let Some(difference) = differs {
            recorded.processes_changed += 1;
            self.append_version(db, tracked, seen.to_arc(), difference)?;
        }
        tracked.last_seen_ms = at_ms;
        self.sight(db, tracked)?;
        if tracked.outcome == Outcome::Lost || at_ms < self.latest_absence_ms {
            find_again(db, &mut self.words, tracked)?;
        }
        Ok(())
    }

    fn create(&mut self, db: &Connection, seen: Seen<'_>) -> Result<Box<Tracked>, Error> {
        let at_ms = self.at_ms;
        let latest = seen.to_arc();
        let ids = self.words.state(db, &latest)?;
        let key = self.next_key;
        self.next_key += 1;
        let outcome = Outcome::of(&latest);
        let mut tracked = Box::new(Tracked {
            key,
            latest,
            ids: Some(ids.clone()),
            versions: 0,
            outcome,
            first_seen_ms: at_ms,
            last_seen_ms: at_ms,
            seen_here_ms: at_ms,
            sighting: None,
            lost_ms: None,
            seen_ended_ms: outcome.has_ended().then_some(at_ms),
            holds: Some(Vec::new()),
            late: None,
            unwritten: Unwritten::All,
            pending_version: None,
        });
        self.add_version(&mut tracked, NO_WORD);
        self.sight(db, &mut tracked)?;
        if at_ms < self.latest_absence_ms {
            tracked.lost_ms = absent_since(db, ids.app, &tracked)?;
        }
        summarize(db, &mut tracked, &ids.ports.endpoints, Some(at_ms))?;
        Ok(tracked)
    }

    fn append_version(
        &mut self,
        db: &Connection,
        tracked: &mut Tracked,
        state: Arc<Process>,
        difference: Difference,
    ) -> Result<(), Error> {
        let at_ms = self.at_ms;
        let earlier = std::mem::replace(&mut tracked.latest, state);
        let latest = &tracked.latest;
        let ids = match tracked.ids.take() {
            Some(ids) => self.words.state_after(db, latest, ids, difference)?,
            None => self.words.state(db, latest)?,
        };
        let changed = self.words.changed(db, latest, &earlier, difference)?;
        match tracked.pending_version {
            Some(row) => self.pending.versions[row].last_ms = Some(tracked.last_seen_ms),
            None => self.pending.ended_versions.push(EndedVersion {
                process_key: tracked.key,
                version: tracked.versions,
                last_ms: tracked.last_seen_ms,
            }),
        }
        tracked.ids = Some(ids.clone());
        self.add_version(tracked, changed);
        let was_lost = tracked.lost_ms.take().is_some();
        tracked.differs_in(match was_lost || difference.touches(Difference::IDENTITY) {
            true => Unwritten::Anything,
            false => Unwritten::Life,
        });
        let (was, is) = (Outcome::of(&earlier), Outcome::of(&tracked.latest));
        if !was.has_ended() {
            tracked.seen_ended_ms = is.has_ended().then_some(at_ms);
        }
        let touches = Difference::TIMES | Difference::PORTS;
        if was.has_ended() == is.has_ended() && !difference.touches(touches) {
            // By far the most: its rooms, or a status on the way.
            tracked.outcome = tracked.outcome_now();
            return Ok(());
        }
        summarize(db, tracked, &ids.ports.endpoints, Some(at_ms))
    }

    /// The latest state is a version of its own.
    fn add_version(&mut self, tracked: &mut Tracked, changed: i64) {
        let Some(ids) = tracked.ids.clone() else {
            return;
        };
        tracked.versions += 1;
        tracked.pending_version = Some(self.pending.versions.len());
        let key = (tracked.key, tracked.versions);
        let row = VersionRow::new(key, self.at_ms, changed, &tracked.latest, ids);
        self.pending.versions.push(row);
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
            _ => {
                let mut runs = load_versions(db, &tracked.latest.process_id)?;
                if let Some(latest) = runs.last_mut() {
                    // The file learns only at the snapshot's end how late the stream has seen it.
                    latest.last_ms = tracked.last_seen_ms;
                }
                runs
            }
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
        let before = runs.len();
        let runs = match &woven {
            Woven::Versions(versions) => versions.clone(),
            Woven::Known | Woven::Within => runs,
        };
        self.pending.woven(before + runs.len());
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

    /// Replaces all versions of a process, after late observations have changed their order.
    pub(super) fn rewrite(
        &mut self,
        db: &Connection,
        tracked: &mut Tracked,
        versions: &[VersionRun],
    ) -> Result<(), Error> {
        let Some(latest) = versions.last() else {
            return Ok(());
        };
        let mut rows: Vec<VersionRow> = Vec::with_capacity(versions.len());
        let mut endpoints = BTreeSet::new();
        let mut earlier: Option<&VersionRun> = None;
        for (version, run) in (1..).zip(versions) {
            let ids = self.words.state(db, &run.state)?;
            endpoints.extend(ids.ports.endpoints.iter().copied());
            let changed = match earlier {
                Some(VersionRun { state, .. }) => {
                    let difference = run.state.difference(state);
                    self.words.changed(db, &run.state, state, difference)?
                }
                None => NO_WORD,
            };
            if let Some(row) = rows.last_mut() {
                row.last_ms = earlier.map(|earlier| earlier.last_ms);
            }
            tracked.ids = Some(ids.clone());
            let key = (tracked.key, version);
            rows.push(VersionRow::new(key, run.first_ms, changed, &run.state, ids));
            tracked.versions = version;
            earlier = Some(run);
        }
        tracked.first_seen_ms = versions[0].first_ms;
        tracked.latest = Arc::new(latest.state.clone());
        tracked.differs_in(Unwritten::Anything);
        // What was known of the versions is known of others.
        tracked.seen_ended_ms = None;
        for hold in tracked.holds.iter_mut().flatten() {
            hold.seen_ms = None;
        }
        delete_versions(db, tracked.key)?;
        insert_versions(db, &rows)?;
        let endpoints: Vec<i64> = endpoints.into_iter().collect();
        summarize(db, tracked, &endpoints, None)?;
        // The latest state may have become an open one, of which an absence says something.
        find_again(db, &mut self.words, tracked)
    }

    /// An observation that another stream has made already says nothing new; but an open sighting
    /// goes on only over snapshots that its own stream has.
    fn see_known(&mut self, db: &Connection, tracked: &mut Tracked) -> Result<(), Error> {
        if tracked.sighting.is_some() {
            self.sight(db, tracked)?;
        }
        Ok(())
    }

    /// Notes that the process was seen in the stream's snapshot.
    fn sight(&mut self, db: &Connection, tracked: &mut Tracked) -> Result<(), Error> {
        self.stream_of_snapshot(db)?;
        if tracked.sighting.is_none() {
            tracked.sighting = Some(Sighting {
                first_ms: self.at_ms,
                is_written: false,
            });
            tracked.differs_in(Unwritten::Seen);
        }
        Ok(())
    }
}

/// It was there a moment ago.
fn forgotten(process_id: &str) -> Error {
    Error::Damaged {
        what: format!("what is remembered of the process {process_id:?}"),
    }
}

/// Works out what the process's own row and its holds say, from its latest state; `shown` and `at_ms` are
/// those of [`update_holds`].
fn summarize(
    db: &Connection,
    tracked: &mut Tracked,
    shown: &[i64],
    at_ms: Option<i64>,
) -> Result<(), Error> {
    if Outcome::of(&tracked.latest).has_ended() {
        tracked.lost_ms = None;
    }
    tracked.outcome = tracked.outcome_now();
    tracked.differs_in(Unwritten::Life);
    update_holds(db, tracked, shown, at_ms)
}
