//! The lives that a question is about, read one by one.

use rusqlite::Row as SqlRow;

use super::question::FILTER;
use super::{Question, Reading};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Lifecycle, Outcome, UtcMillis};
use crate::store::{deployment, optional_time, time};

/// A process as most questions need it.
pub(super) struct Life {
    pub process_id: String,
    pub app_id: String,
    pub region: String,
    pub deployment_id: Deployment,
    pub times: Lifecycle,
    /// When it ended, where that is known in some way: terminated, else stopping, else first seen
    /// ended.
    pub ended_at: Option<UtcMillis>,
}

/// Which lives belong to a window. Each is a search by time, in which no process is found twice.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reckoned {
    /// Those created in it.
    ByCreation,
    /// Those that ended in it; the lost by when they were last seen, the open by when they were
    /// created.
    ByEnd,
    /// Those that may have been alive in it, and those whose times are out of order, so that they can
    /// be counted as such.
    Alive,
}

impl Reckoned {
    fn conditions(self) -> &'static [&'static str] {
        match self {
            Self::ByCreation => &["created_at_ms >= :since AND created_at_ms < :until"],
            Self::ByEnd => &[
                "ended_at_ms >= :since AND ended_at_ms < :until",
                "outcome = 'open' AND created_at_ms >= :since AND created_at_ms < :until",
                "outcome = 'lost' AND last_seen_at_ms >= :since AND last_seen_at_ms < :until",
            ],
            Self::Alive => &[
                "ended_at_ms >= :since AND created_at_ms < :until",
                "ended_at_ms IS NULL AND created_at_ms < :until",
                "created_at_ms >= :since AND created_at_ms < :until AND ended_at_ms < :since",
            ],
        }
    }
}

impl Reckoned {
    /// The same conditions over `process_seen`, whose times have other names.
    pub fn conditions_of_rows(self) -> &'static [&'static str] {
        match self {
            Self::ByCreation => &["created_ms >= :since AND created_ms < :until"],
            Self::ByEnd => &[
                "ended_ms >= :since AND ended_ms < :until",
                "outcome = 'open' AND created_ms >= :since AND created_ms < :until",
                "outcome = 'lost' AND seen_until_ms >= :since AND seen_until_ms < :until",
            ],
            Self::Alive => &[
                "ended_ms >= :since AND created_ms < :until",
                "ended_ms IS NULL AND created_ms < :until",
                "created_ms >= :since AND created_ms < :until AND ended_ms < :since",
            ],
        }
    }
}

impl Reading<'_> {
    /// Calls `each` for every process that passes the filter and belongs to the window.
    pub fn each_life(
        &self,
        reckoned: Reckoned,
        question: &Question,
        mut each: impl FnMut(Life) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let filter = question.filter();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        for condition in reckoned.conditions() {
            let mut statement = self
                .db
                .prepare_cached(&format!(
                    "SELECT process_id, app_id, region, deployment_id, outcome, created_at_ms,
                            started_at_ms, stopping_at_ms, terminated_at_ms, last_seen_at_ms,
                            ended_at_ms
                     FROM processes
                     WHERE {condition} AND :since < :until AND {FILTER}"
                ))
                .doing("read processes")?;
            let mut rows = statement
                .query(&filter.and(&[(":since", &since), (":until", &until)])[..])
                .doing("read processes")?;
            while let Some(row) = rows.next().doing("read processes")? {
                each(Life::from_row(row)?)?;
            }
        }
        Ok(())
    }
}

impl Life {
    fn from_row(row: &SqlRow<'_>) -> Result<Self, Error> {
        Ok(Self {
            process_id: row.get(0).doing("read processes")?,
            app_id: row.get(1).doing("read processes")?,
            region: row.get(2).doing("read processes")?,
            deployment_id: deployment(row, 3)?,
            times: Lifecycle {
                outcome: outcome(row, 4)?,
                created_at: time(row, 5)?,
                started_at: optional_time(row, 6)?,
                stopping_at: optional_time(row, 7)?,
                terminated_at: optional_time(row, 8)?,
                last_seen_at: time(row, 9)?,
            },
            ended_at: optional_time(row, 10)?,
        })
    }
}

pub(super) fn outcome(row: &SqlRow<'_>, index: usize) -> Result<Outcome, Error> {
    let name: String = row.get(index).doing("read an outcome")?;
    Outcome::from_name(&name).ok_or_else(|| Error::Damaged {
        what: format!("the outcome {name:?}"),
    })
}
