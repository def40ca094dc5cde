//! How long did processes serve, and so what was billed?

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::lives::Reckoned;
use super::question::buckets;
use super::{Answer, GroupKey, History, Question, Reading, Row};
use crate::Error;
use crate::model::{Phase, PhaseLength};
use crate::store::to_time;

/// The serving time of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// How many processes served.
    pub processes: u64,
    /// Serving time of all of them together, in milliseconds.
    pub process_ms: i64,
}

impl Row for UsageRow {
    const FIELDS: &'static [&'static str] = &["processes", "process_ms"];
}

impl History {
    /// The time that processes spent serving, clipped to the window and to each day or hour. One that
    /// is not known to have stopped serving counts as far as it was last seen.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn usage(&self, question: &Question) -> Result<Answer<UsageRow>, Error> {
        self.read(|reading| reading.usage(question))
    }
}

impl Reading<'_> {
    fn usage(&self, question: &Question) -> Result<Answer<UsageRow>, Error> {
        let mut excluded = Exclusions::default();
        let mut groups: BTreeMap<GroupKey, UsageRow> = BTreeMap::new();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        self.each_life(Reckoned::Alive, question, |life| {
            let length = match life.times.phase(Phase::Serving) {
                PhaseLength::Ended(millis) | PhaseLength::Censored(millis) => millis,
                PhaseLength::NotReached => return Ok(()),
                PhaseLength::Excluded(reason) => {
                    excluded.count(reason);
                    return Ok(());
                }
            };
            let Some(started_at) = life.times.started_at else {
                return Ok(());
            };
            let from = started_at.millis().max(since);
            let to = (started_at.millis() + length).min(until);
            for (from, to) in buckets(from, to, question.bucket_ms())? {
                let (of, at) = (&life.deployment_id, to_time(from)?);
                let key = question.key(&life.app_id, &life.region, of, at);
                let row = groups.entry(key).or_default();
                row.processes += 1;
                row.process_ms += to - from;
            }
            Ok(())
        })?;
        let rows = groups
            .into_iter()
            .map(|(key, row)| UsageRow { key, ..row })
            .collect();
        self.answer("usage", question, excluded, rows)
    }
}
