//! How often did processes fail, and before or after they had started?

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::lives::{Life, Reckoned};
use super::{Answer, GroupKey, History, Question, Reading, Row, wilson_95};
use crate::Error;
use crate::model::{Outcome, UtcMillis};

/// The failures of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FailureRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// Failed and stopped together.
    pub ended: u64,
    /// Failed.
    pub failed: u64,
    /// Of the failed, those that had never started.
    pub failed_before_start: u64,
    /// Lost: beside the ended, never among them.
    pub lost: u64,
    /// Open: beside the ended, never among them.
    pub open: u64,
    /// `failed` ÷ `ended`, between 0 and 1.
    pub rate: Option<f64>,
    /// Lower end of the rate's Wilson 95% interval.
    pub rate_low: Option<f64>,
    /// Upper end of the rate's Wilson 95% interval.
    pub rate_high: Option<f64>,
}

impl Row for FailureRow {
    const FIELDS: &'static [&'static str] = &[
        "ended",
        "failed",
        "failed_before_start",
        "lost",
        "open",
        "rate",
        "rate_low",
        "rate_high",
    ];
}

impl History {
    /// How many of the processes that ended in the window failed.
    ///
    /// Lost processes are counted beside them by when they were last seen, open ones by when they
    /// were created. The interval is that of [`wilson_95`].
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn failures(&self, question: &Question) -> Result<Answer<FailureRow>, Error> {
        self.read(|reading| reading.failures(question))
    }
}

impl Reading<'_> {
    pub(super) fn failures(&self, question: &Question) -> Result<Answer<FailureRow>, Error> {
        let mut groups: BTreeMap<GroupKey, FailureRow> = BTreeMap::new();
        self.each_life(Reckoned::ByEnd, question, |life| {
            let belongs_to = match life.times.outcome {
                Outcome::Open => life.times.created_at,
                Outcome::Lost => life.times.last_seen_at,
                Outcome::Stopped | Outcome::Failed => ended_at(&life)?,
            };
            let key = question.key(&life.app_id, &life.region, &life.deployment_id, belongs_to);
            let row = groups.entry(key).or_default();
            match life.times.outcome {
                Outcome::Open => row.open += 1,
                Outcome::Lost => row.lost += 1,
                Outcome::Stopped => row.ended += 1,
                Outcome::Failed => {
                    row.ended += 1;
                    row.failed += 1;
                    row.failed_before_start += u64::from(life.times.started_at.is_none());
                }
            }
            Ok(())
        })?;
        let rows = groups
            .into_iter()
            .map(|(key, row)| with_rate(FailureRow { key, ..row }))
            .collect();
        self.answer("failures", question, Exclusions::default(), rows)
    }
}

/// When an ended one ended, which is always known in some way.
pub(super) fn ended_at(life: &Life) -> Result<UtcMillis, Error> {
    life.ended_at.ok_or_else(|| Error::Damaged {
        what: format!("no end of the process {:?}", life.process_id),
    })
}

pub(super) fn with_rate(mut row: FailureRow) -> FailureRow {
    if let Some(interval) = wilson_95(row.failed, row.ended) {
        row.rate = Some(row.failed as f64 / row.ended as f64);
        row.rate_low = Some(interval.low);
        row.rate_high = Some(interval.high);
    }
    row
}
