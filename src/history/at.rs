//! How did the fleet stand at a moment, as known now or as known then?

use std::collections::BTreeMap;

use rusqlite::named_params;
use serde::Serialize;

use super::answer::Exclusions;
use super::lives::outcome;
use super::looks::is_unseen;
use super::question::FILTER;
use super::{Answer, GroupKey, History, Question, Reading, Row, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, LifeState, Lifecycle, Outcome, Process, Standing, UtcMillis};
use crate::store::{
    NO_WORD, STATE_COLUMNS, deployment, optional_time, process_from_row, time, to_time,
};

/// A process that was alive at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AtRow {
    /// The process.
    pub process_id: String,
    /// Its app.
    pub app_id: String,
    /// Its region.
    pub region: String,
    /// Its deployment.
    pub deployment_id: Deployment,
    /// What it was doing, by its lifecycle times.
    pub state: LifeState,
    /// Since when it was doing that.
    pub since: UtcMillis,
}

impl Row for AtRow {
    const FIELDS: &'static [&'static str] = &[
        "process_id",
        "app_id",
        "region",
        "deployment_id",
        "state",
        "since",
    ];
}

/// How many processes of one group were alive at the moment, and doing what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AtCountRow {
    /// The group; days and hours are those of creation.
    #[serde(flatten)]
    pub key: GroupKey,
    /// Alive.
    pub processes: u64,
    /// Created and not started.
    pub starting: u64,
    /// Started and not told to stop.
    pub running: u64,
    /// Told to stop and not terminated.
    pub stopping: u64,
}

impl Row for AtCountRow {
    const FIELDS: &'static [&'static str] = &["processes", "starting", "running", "stopping"];
}

impl History {
    /// The fleet as it stood at `time`, by lifecycle times: from all that is known now, or, with
    /// `as_known_at`, only from what had been seen by then.
    ///
    /// The question's window and grouping are not used. A process whose standing cannot be told is
    /// counted as excluded.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn fleet_at(
        &self,
        time: UtcMillis,
        as_known_at: Option<UtcMillis>,
        question: &Question,
    ) -> Result<Answer<AtRow>, Error> {
        self.read(|reading| {
            let mut rows = Vec::new();
            let found = reading.alive_at(time, as_known_at, question, |alive| {
                let Alive { who, state, since } = alive;
                rows.push(AtRow {
                    process_id: who.process_id,
                    app_id: who.app_id,
                    region: who.region,
                    deployment_id: who.deployment_id,
                    state,
                    since,
                });
            })?;
            rows.sort_by(|a, b| (a.since, &a.process_id).cmp(&(b.since, &b.process_id)));
            reading.fleet(found, as_known_at, rows)
        })
    }

    /// How many of the fleet stood how at `time`, group by group; else as [`History::fleet_at`].
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn fleet_counts(
        &self,
        time: UtcMillis,
        as_known_at: Option<UtcMillis>,
        question: &Question,
    ) -> Result<Answer<AtCountRow>, Error> {
        self.read(|reading| {
            let mut groups: BTreeMap<GroupKey, AtCountRow> = BTreeMap::new();
            let found = reading.alive_at(time, as_known_at, question, |alive| {
                let who = alive.who;
                let (of, created_at) = (&who.deployment_id, who.times.created_at);
                let key = question.key(&who.app_id, &who.region, of, created_at);
                let row = groups.entry(key).or_default();
                row.processes += 1;
                *match alive.state {
                    LifeState::Starting => &mut row.starting,
                    LifeState::Running => &mut row.running,
                    LifeState::Stopping => &mut row.stopping,
                } += 1;
            })?;
            let rows = groups
                .into_iter()
                .map(|(key, row)| AtCountRow { key, ..row })
                .collect();
            reading.fleet(found, as_known_at, rows)
        })
    }
}

/// What looking for the fleet came to, its processes aside.
struct Found {
    about: Question,
    excluded: Exclusions,
    unseen: u64,
}

impl Reading<'_> {
    fn fleet<R>(
        &self,
        found: Found,
        as_known_at: Option<UtcMillis>,
        rows: Vec<R>,
    ) -> Result<Answer<R>, Error> {
        let then = as_known_at.unwrap_or(UtcMillis::MAX);
        let answer = self.answer_by(then, "at", &found.about, found.excluded, rows)?;
        Ok(Answer {
            unseen: found.unseen,
            ..answer
        })
    }

    /// Calls `each` for every process that was alive.
    fn alive_at(
        &self,
        time: UtcMillis,
        as_known_at: Option<UtcMillis>,
        question: &Question,
        mut each: impl FnMut(Alive),
    ) -> Result<Found, Error> {
        let about = question.clone().window(Window::moment(time));
        let (mut excluded, mut unseen) = (Exclusions::default(), 0);
        let then = as_known_at.unwrap_or(UtcMillis::MAX);
        let last_look = self.last_look(&Question::default(), then)?;
        let by_ms = last_look.unwrap_or(i64::MIN).min(time.millis());
        let mut candidate = |who: Candidate| match who.times.standing_at(time) {
            Standing::Absent => {}
            Standing::Unknown(reason) => excluded.count(reason),
            Standing::Alive { state, since } => {
                if who.times.outcome == Outcome::Open && is_unseen(who.times.last_seen_at, by_ms) {
                    unseen += 1;
                }
                each(Alive { who, state, since });
            }
        };
        match as_known_at {
            None => self.each_now(&about, time, &mut candidate)?,
            Some(then) => self.each_then(&about, then, &mut candidate)?,
        }
        Ok(Found {
            about,
            excluded,
            unseen,
        })
    }

    fn each_now(
        &self,
        question: &Question,
        time: UtcMillis,
        each: &mut impl FnMut(Candidate),
    ) -> Result<(), Error> {
        let filter = question.filter();
        let at = time.millis();
        // Who cannot have been alive is left out here; a record with its times out of order passes,
        // to be counted as excluded.
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT process_id, app_id, region, deployment_id, outcome, created_at_ms,
                        started_at_ms, stopping_at_ms, terminated_at_ms, last_seen_at_ms
                 FROM processes
                 WHERE (created_at_ms <= :at
                        AND (terminated_at_ms IS NULL OR terminated_at_ms > :at)
                        OR terminated_at_ms < created_at_ms OR started_at_ms < created_at_ms
                        OR terminated_at_ms < started_at_ms OR stopping_at_ms < started_at_ms
                        OR stopping_at_ms < created_at_ms OR terminated_at_ms < stopping_at_ms)
                   AND {FILTER}"
            ))
            .doing("read processes")?;
        let mut rows = statement
            .query(&filter.and(&[(":at", &at)])[..])
            .doing("read processes")?;
        while let Some(row) = rows.next().doing("read processes")? {
            each(Candidate {
                process_id: row.get(0).doing("read processes")?,
                app_id: row.get(1).doing("read processes")?,
                region: row.get(2).doing("read processes")?,
                deployment_id: deployment(row, 3)?,
                times: Lifecycle {
                    outcome: outcome(row, 4)?,
                    created_at: self::time(row, 5)?,
                    started_at: optional_time(row, 6)?,
                    stopping_at: optional_time(row, 7)?,
                    terminated_at: optional_time(row, 8)?,
                    last_seen_at: self::time(row, 9)?,
                },
            });
        }
        Ok(())
    }

    /// The state of each process that was the latest one seen by `then`.
    fn each_then(
        &self,
        question: &Question,
        then: UtcMillis,
        each: &mut impl FnMut(Candidate),
    ) -> Result<(), Error> {
        let filter = question.filter();
        let then_ms = then.millis();
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT {STATE_COLUMNS}
                 FROM process_versions v
                 WHERE first_seen_at_ms <= :then
                   AND version = (SELECT max(w.version) FROM process_versions w
                                  WHERE w.process_id = v.process_id AND w.first_seen_at_ms <= :then)
                   AND {FILTER}"
            ))
            .doing("read versions")?;
        let mut rows = statement
            .query(&filter.and(&[(":then", &then_ms)])[..])
            .doing("read versions")?;
        while let Some(row) = rows.next().doing("read versions")? {
            let state: Process = process_from_row(row)?;
            let shown = Outcome::of(&state);
            let (last_seen_at, lost) = match shown {
                Outcome::Open => self.sighting_by(&state.process_id, then)?,
                _ => (then, false),
            };
            let outcome = if lost { Outcome::Lost } else { shown };
            each(Candidate {
                times: Lifecycle {
                    created_at: state.created_at,
                    started_at: state.started_at,
                    stopping_at: state.stopping_at,
                    terminated_at: state.terminated_at,
                    outcome,
                    last_seen_at,
                },
                process_id: state.process_id,
                app_id: state.app_id,
                region: state.region,
                deployment_id: state.deployment_id,
            });
        }
        Ok(())
    }

    /// When the process was last seen by `then`, and whether anything that would have shown it
    /// after that, and by `then`, did not.
    fn sighting_by(&self, process_id: &str, then: UtcMillis) -> Result<(UtcMillis, bool), Error> {
        let (seen_ms, lost): (i64, bool) = self
            .db
            .prepare_cached(
                "WITH p AS (SELECT process_key, app FROM process WHERE process_id = :process_id),
                 seen AS (
                     SELECT max((SELECT max(n.observed_at_ms) FROM snapshot n
                                 WHERE n.stream_id = s.stream_id
                                   AND n.observed_at_ms
                                       <= min(coalesce(s.last_ms, t.last_ms), :then))) AS ms
                     FROM p
                     JOIN sighting s USING (process_key)
                     JOIN stream t USING (stream_id)
                     WHERE s.first_ms <= :then)
                 SELECT seen.ms,
                        EXISTS (SELECT 1 FROM unknown_look u
                                WHERE u.process_key = p.process_key
                                  AND u.observed_at_ms > seen.ms AND u.observed_at_ms <= :then)
                        OR EXISTS (SELECT 1 FROM complete_look l
                                   WHERE l.app = p.app
                                     AND l.observed_at_ms > seen.ms AND l.observed_at_ms <= :then)
                        OR EXISTS (SELECT 1 FROM complete_app c
                                   JOIN complete_look l ON l.app = :any
                                   WHERE c.app = p.app AND c.named_ms <= :then
                                     AND l.observed_at_ms > seen.ms AND l.observed_at_ms <= :then)
                 FROM p, seen",
            )
            .and_then(|mut statement| {
                statement.query_row(
                    named_params! {
                        ":process_id": process_id,
                        ":then": then.millis(),
                        ":any": NO_WORD,
                    },
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
            })
            .doing("read when a process was seen")?;
        Ok((to_time(seen_ms)?, lost))
    }
}

/// A process that was alive.
struct Alive {
    who: Candidate,
    state: LifeState,
    since: UtcMillis,
}

/// A process that may have been alive.
struct Candidate {
    process_id: String,
    app_id: String,
    region: String,
    deployment_id: Deployment,
    times: Lifecycle,
}
