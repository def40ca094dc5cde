//! How did the fleet stand at a moment, as known now or as known then?

use rusqlite::named_params;
use serde::Serialize;

use super::answer::Exclusions;
use super::lifetimes::outcome;
use super::question::FILTER;
use super::{Answer, History, Question, Reading, Row, Window};
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

impl History {
    /// The fleet as it stood at `time`, by lifecycle times: from all that is known now, or, with
    /// `as_known_at`, only from what had been seen by then.
    ///
    /// The question's window is not used. A process whose standing cannot be told is counted as
    /// excluded.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn fleet_at(
        &self,
        time: UtcMillis,
        as_known_at: Option<UtcMillis>,
        question: &Question,
    ) -> Result<Answer<AtRow>, Error> {
        self.read(|reading| reading.fleet_at(time, as_known_at, question))
    }
}

impl Reading<'_> {
    fn fleet_at(
        &self,
        time: UtcMillis,
        as_known_at: Option<UtcMillis>,
        question: &Question,
    ) -> Result<Answer<AtRow>, Error> {
        let about = question.clone().window(Window {
            since: Some(time),
            until: Some(time.plus_millis(1)),
        });
        let mut excluded = Exclusions::default();
        let mut rows = Vec::new();
        let mut each = |candidate: Candidate| match candidate.times.standing_at(time) {
            Standing::Absent => {}
            Standing::Unknown(reason) => excluded.count(reason),
            Standing::Alive { state, since } => rows.push(AtRow {
                process_id: candidate.process_id,
                app_id: candidate.app_id,
                region: candidate.region,
                deployment_id: candidate.deployment_id,
                state,
                since,
            }),
        };
        match as_known_at {
            None => self.each_now(&about, time, &mut each)?,
            Some(then) => self.each_then(&about, then, &mut each)?,
        }
        rows.sort_by(|a, b| (a.since, &a.process_id).cmp(&(b.since, &b.process_id)));
        self.answer("at", &about, excluded, rows)
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

/// A process that may have been alive.
struct Candidate {
    process_id: String,
    app_id: String,
    region: String,
    deployment_id: Deployment,
    times: Lifecycle,
}
