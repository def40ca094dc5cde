//! How does the recording itself fare, and how often should it look?

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, named_params};
use serde::Serialize;

use super::question::FILTER;
use super::run_count::SHORT;
use super::{CoverageGap, History, Question, Reading, RunRow, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;
use crate::store::{paces, time};

/// The fare of the recording. Runs are those of the whole file, since a run may be about several
/// apps; the rest is what the question is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The latest sync that recorded all that it asked for; none if there was none yet.
    pub last_complete_sync: Option<RunRow>,
    /// Syncs since the latest one that recorded anything: failed, or killed. One that may still be
    /// going on does not count.
    pub failed_syncs_in_a_row: u64,
    /// At least so many processes are hidden in gaps, where the source could tell.
    pub hidden_at_least: u64,
    /// The longest interval between syncs, in milliseconds, that would have left no gap: the shortest
    /// stretch in which ten processes of one app and region were created, for fewer than ten fit on a
    /// page with something known behind them. As far as they are on record; none with fewer.
    pub longest_safe_interval_ms: Option<i64>,
}

impl History {
    /// The latest sync that ended as complete; none if there was none yet.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn last_complete_sync(&self) -> Result<Option<RunRow>, Error> {
        self.read(|reading| reading.last_complete_sync())
    }

    /// When each app was last looked at so that something of it was proved; a partial look will do.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn last_looks(&self) -> Result<BTreeMap<String, UtcMillis>, Error> {
        self.read(|reading| reading.last_looks())
    }
}

impl Reading<'_> {
    fn last_complete_sync(&self) -> Result<Option<RunRow>, Error> {
        match self.last_run(&["complete"])? {
            Some((_, run)) => Ok(self.runs("run_id = :run", &[(":run", &run)], 1)?.pop()),
            None => Ok(None),
        }
    }

    /// The latest sync that ended so: when it began, and its number. Numbers alone do not tell, for those of
    /// another history are given as they are merged.
    fn last_run(&self, results: &[&str]) -> Result<Option<(i64, i64)>, Error> {
        let results = serde_json::json!(results).to_string();
        let stretch: Option<i64> = self
            .db
            .prepare_cached(
                "SELECT max(stretch) FROM run_count
                 WHERE kind = 'sync' AND result IN (SELECT value FROM json_each(:results)) AND size = :size",
            )
            .and_then(|mut statement| {
                let params = named_params! { ":results": results, ":size": SHORT };
                statement.query_row(params, |row| row.get(0))
            })
            .doing("read the last runs")?;
        let Some(stretch) = stretch else {
            return Ok(None);
        };
        self.db
            .prepare_cached(
                "SELECT started_ms, run_id FROM run INDEXED BY run_started
                 WHERE started_ms >= :from AND started_ms < :until
                   AND kind = 'sync' AND result IN (SELECT value FROM json_each(:results))
                 ORDER BY started_ms DESC, run_id DESC LIMIT 1",
            )
            .and_then(|mut statement| {
                let params = named_params! {
                    ":results": results, ":from": stretch << SHORT, ":until": (stretch + 1) << SHORT,
                };
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                statement.query_row(params, read).optional()
            })
            .doing("read the last runs")
    }

    fn last_looks(&self) -> Result<BTreeMap<String, UtcMillis>, Error> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT app_id, max(looked_at_ms) FROM watermarks GROUP BY app_id ORDER BY app_id",
            )
            .doing("read the last looks")?;
        let mut rows = statement.query([]).doing("read the last looks")?;
        let mut looks = BTreeMap::new();
        while let Some(row) = rows.next().doing("read the last looks")? {
            looks.insert(row.get(0).doing("read the last looks")?, time(row, 1)?);
        }
        Ok(looks)
    }

    /// The fare of the recording, where these gaps touch what is asked about.
    pub(super) fn health(
        &self,
        question: &Question,
        gaps: &[CoverageGap],
    ) -> Result<Health, Error> {
        Ok(Health {
            last_complete_sync: self.last_complete_sync()?,
            failed_syncs_in_a_row: self.failed_syncs_in_a_row()?,
            hidden_at_least: gaps.iter().filter_map(|gap| gap.hidden_at_least).sum(),
            longest_safe_interval_ms: self.longest_safe_interval(question)?,
        })
    }

    fn failed_syncs_in_a_row(&self) -> Result<u64, Error> {
        let recorded = self.last_run(&["complete", "partial"])?;
        let failed = self.last_run(&["failed"])?;
        let never = (i64::MIN, i64::MIN);
        self.db
            .prepare_cached(
                "SELECT count(*) FROM run r INDEXED BY run_started
                 WHERE started_ms >= :recorded AND (started_ms, run_id) > (:recorded, :recorded_id)
                   AND kind = 'sync' AND result <> 'complete'
                   AND (result = 'failed' OR (started_ms, run_id) < (:failed, :failed_id)
                        OR EXISTS (SELECT 1 FROM run u INDEXED BY run_unfinished
                                   WHERE u.kind = 'sync' AND u.result = 'unfinished'
                                     AND u.started_ms >= r.started_ms
                                     AND (u.started_ms, u.run_id) > (r.started_ms, r.run_id)))",
            )
            .and_then(|mut statement| {
                let (recorded, failed) = (recorded.unwrap_or(never), failed.unwrap_or(never));
                let params = named_params! {
                    ":recorded": recorded.0, ":recorded_id": recorded.1,
                    ":failed": failed.0, ":failed_id": failed.1,
                };
                statement.query_row(params, |row| row.get::<_, i64>(0))
            })
            .map(i64::cast_unsigned)
            .doing("count failed runs")
    }

    fn longest_safe_interval(&self, question: &Question) -> Result<Option<i64>, Error> {
        if question.window == Window::default() && question.deployments.is_empty() {
            return self.shortest_stretch(question);
        }
        let filter = question.filter();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        self.db
            .prepare_cached(&format!(
                "SELECT min(created_ms - ninth_before) FROM (
                     SELECT created_ms,
                            lag(created_ms, 9) OVER (PARTITION BY app, region ORDER BY created_ms)
                                AS ninth_before
                     FROM (SELECT p.app, p.created_ms, a.text AS app_id, r.text AS region,
                                  p.deployment AS deployment_id
                           FROM process p
                           JOIN word a ON a.word_id = p.app
                           JOIN word r ON r.word_id = p.region)
                     WHERE created_ms >= :since AND created_ms < :until AND {FILTER})"
            ))
            .and_then(|mut statement| {
                statement.query_row(
                    &filter.and(&[(":since", &since), (":until", &until)])[..],
                    |row| row.get(0),
                )
            })
            .doing("read the rate of creation")
    }

    /// The same of all processes of the apps and regions asked about, as it is kept.
    fn shortest_stretch(&self, question: &Question) -> Result<Option<i64>, Error> {
        let words = |names: &[String]| {
            let names = serde_json::Value::from(names.to_vec()).to_string();
            self.db
                .prepare_cached(
                    "SELECT word_id FROM word WHERE text IN (SELECT value FROM json_each(:names))",
                )
                .and_then(|mut statement| {
                    statement
                        .query_map(named_params! { ":names": names }, |row| row.get(0))?
                        .collect::<Result<Vec<i64>, _>>()
                })
                .doing("read the rate of creation")
        };
        let (apps, regions) = (words(&question.apps)?, words(&question.regions)?);
        let is_asked = |(app, region): &(i64, i64)| {
            (question.apps.is_empty() || apps.contains(app))
                && (question.regions.is_empty() || regions.contains(region))
        };
        let paces = paces(self.db)?
            .into_iter()
            .filter(|(place, _)| is_asked(place));
        Ok(paces.filter_map(|(_, pace)| pace.shortest_ms).min())
    }
}
