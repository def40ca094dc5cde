//! How long did processes last, phase by phase?

use std::collections::BTreeMap;

use rusqlite::Row as SqlRow;
use serde::Serialize;

use super::answer::Exclusions;
use super::question::FILTER;
use super::{
    Answer, Duration, GroupKey, History, Question, Reading, Row, percentile, survival_percentile,
};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Lifecycle, Outcome, Phase, PhaseLength, UtcMillis};
use crate::store::{deployment, optional_time, time, to_time};

/// The lengths of one phase in one group; all lengths in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LifetimeRow {
    /// The group, by when the processes were created.
    #[serde(flatten)]
    pub key: GroupKey,
    /// Which phase of life.
    pub phase: Phase,
    /// How many have ended the phase.
    pub n: u64,
    /// How many were still in it when last seen.
    pub censored: u64,
    /// Mean of the ended.
    pub mean_ms: Option<i64>,
    /// Median of the ended, interpolated.
    pub p50_ms: Option<i64>,
    /// 90th percentile of the ended, interpolated.
    pub p90_ms: Option<i64>,
    /// 99th percentile of the ended, interpolated.
    pub p99_ms: Option<i64>,
    /// Longest of the ended.
    pub max_ms: Option<i64>,
    /// Kaplan–Meier median, which counts the censored.
    pub survival_p50_ms: Option<i64>,
    /// Kaplan–Meier 90th percentile, which counts the censored.
    pub survival_p90_ms: Option<i64>,
}

impl Row for LifetimeRow {
    const FIELDS: &'static [&'static str] = &[
        "phase",
        "n",
        "censored",
        "mean_ms",
        "p50_ms",
        "p90_ms",
        "p99_ms",
        "max_ms",
        "survival_p50_ms",
        "survival_p90_ms",
    ];
}

impl History {
    /// How long the processes that were created in the window spent in each phase.
    ///
    /// Percentiles and survival estimates are those of [`percentile`] and [`survival_percentile`],
    /// rounded to whole milliseconds. A process without a length for a phase is counted as excluded
    /// there, under `PHASE.REASON`.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn lifetimes(&self, question: &Question) -> Result<Answer<LifetimeRow>, Error> {
        self.read(|reading| reading.lifetimes(question))
    }
}

impl Reading<'_> {
    fn lifetimes(&self, question: &Question) -> Result<Answer<LifetimeRow>, Error> {
        let mut excluded = Exclusions::default();
        let mut groups: BTreeMap<(GroupKey, Phase), Vec<Duration>> = BTreeMap::new();
        self.each_life("created_at_ms", question, |life| {
            let key = question.key(
                &life.app_id,
                &life.region,
                &life.deployment_id,
                life.times.created_at,
            );
            for phase in Phase::ALL {
                let durations = groups.entry((key.clone(), phase)).or_default();
                match life.times.phase(phase) {
                    PhaseLength::Ended(millis) => durations.push(Duration {
                        millis,
                        censored: false,
                    }),
                    PhaseLength::Censored(millis) => durations.push(Duration {
                        millis,
                        censored: true,
                    }),
                    PhaseLength::NotReached => {}
                    PhaseLength::Excluded(reason) => excluded.count_in(phase, reason),
                }
            }
            Ok(())
        })?;
        let rows = groups
            .into_iter()
            .map(|((key, phase), durations)| row(key, phase, durations))
            .collect();
        self.answer("lifetimes", question, excluded, rows)
    }

    /// Calls `each` for every process that passes the filter and whose `reckoned_by` (a column or
    /// an expression over the columns of `processes`) lies inside the window.
    pub(super) fn each_life(
        &self,
        reckoned_by: &str,
        question: &Question,
        mut each: impl FnMut(Life) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let filter = question.filter();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT app_id, region, deployment_id, outcome, created_at_ms, started_at_ms,
                        stopping_at_ms, terminated_at_ms, last_seen_at_ms,
                        {reckoned_by} AS reckoned_ms
                 FROM processes
                 WHERE reckoned_ms >= :since AND reckoned_ms < :until AND {FILTER}"
            ))
            .doing("read processes")?;
        let mut rows = statement
            .query(&filter.and(&[(":since", &since), (":until", &until)])[..])
            .doing("read processes")?;
        while let Some(row) = rows.next().doing("read processes")? {
            each(Life::from_row(row)?)?;
        }
        Ok(())
    }
}

/// A process as most questions need it.
pub(super) struct Life {
    pub app_id: String,
    pub region: String,
    pub deployment_id: Deployment,
    pub times: Lifecycle,
    /// The moment by which the question reckons it.
    pub reckoned_at: UtcMillis,
}

impl Life {
    fn from_row(row: &SqlRow<'_>) -> Result<Self, Error> {
        Ok(Self {
            app_id: row.get(0).doing("read processes")?,
            region: row.get(1).doing("read processes")?,
            deployment_id: deployment(row, 2)?,
            times: Lifecycle {
                outcome: outcome(row, 3)?,
                created_at: time(row, 4)?,
                started_at: optional_time(row, 5)?,
                stopping_at: optional_time(row, 6)?,
                terminated_at: optional_time(row, 7)?,
                last_seen_at: time(row, 8)?,
            },
            reckoned_at: to_time(row.get(9).doing("read processes")?)?,
        })
    }
}

pub(super) fn outcome(row: &SqlRow<'_>, index: usize) -> Result<Outcome, Error> {
    let name: String = row.get(index).doing("read an outcome")?;
    Outcome::from_name(&name).ok_or_else(|| Error::Damaged {
        what: format!("the outcome {name:?}"),
    })
}

fn row(key: GroupKey, phase: Phase, mut durations: Vec<Duration>) -> LifetimeRow {
    let survival_p50_ms = survival_percentile(&mut durations, 0.5);
    let survival_p90_ms = survival_percentile(&mut durations, 0.9);
    // In order by now, so the ended are too.
    let ended: Vec<i64> = durations
        .iter()
        .filter(|d| !d.censored)
        .map(|d| d.millis)
        .collect();
    let quantile = |q| percentile(&ended, q).map(|millis| millis.round() as i64);
    let sum: i128 = ended.iter().map(|&millis| i128::from(millis)).sum();
    LifetimeRow {
        key,
        phase,
        n: ended.len() as u64,
        censored: (durations.len() - ended.len()) as u64,
        mean_ms: (!ended.is_empty()).then(|| (sum as f64 / ended.len() as f64).round() as i64),
        p50_ms: quantile(0.5),
        p90_ms: quantile(0.9),
        p99_ms: quantile(0.99),
        max_ms: ended.last().copied(),
        survival_p50_ms,
        survival_p90_ms,
    }
}
