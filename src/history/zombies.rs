//! Which processes are open in the record, and no longer reported by anyone?

use serde::Serialize;

use super::answer::Exclusions;
use super::lives::outcome;
use super::looks::is_unseen;
use super::question::FILTER;
use super::{Answer, History, Question, Reading, Row};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Outcome, UtcMillis};
use crate::store::{deployment, optional_time, time};

/// A process that was last seen open, and that nobody reports any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ZombieRow {
    /// The process.
    pub process_id: String,
    /// Its app.
    pub app_id: String,
    /// Its region.
    pub region: String,
    /// Its deployment.
    pub deployment_id: Deployment,
    /// `lost`, or `open` where nothing that would have to show it has looked.
    pub outcome: Outcome,
    /// When it was created.
    pub created_at: UtcMillis,
    /// When it was last seen.
    pub last_seen_at: UtcMillis,
    /// When it was found lost.
    pub lost_at: Option<UtcMillis>,
}

impl Row for ZombieRow {
    const FIELDS: &'static [&'static str] = &[
        "process_id",
        "app_id",
        "region",
        "deployment_id",
        "outcome",
        "created_at",
        "last_seen_at",
        "lost_at",
    ];
}

impl History {
    /// The processes created in the window that are lost, and those that are open and were not seen for
    /// over an hour before the last look of the record; those unseen for longest first.
    /// The grouping is not used.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn zombies(&self, question: &Question) -> Result<Answer<ZombieRow>, Error> {
        self.read(|reading| reading.zombies(question))
    }
}

impl Reading<'_> {
    fn zombies(&self, question: &Question) -> Result<Answer<ZombieRow>, Error> {
        let mut rows = Vec::new();
        let last_look = self.last_look(&Question::default(), UtcMillis::MAX)?;
        let last_look = last_look.unwrap_or(i64::MIN);
        for which in ["lost", "open"] {
            self.each_of(which, question, |row| {
                if row.outcome == Outcome::Open && !is_unseen(row.last_seen_at, last_look) {
                    return Ok(());
                }
                rows.push(row);
                Ok(())
            })?;
        }
        rows.sort_by(|a, b| (a.last_seen_at, &a.process_id).cmp(&(b.last_seen_at, &b.process_id)));
        self.answer("lifetimes", question, Exclusions::default(), rows)
    }

    fn each_of(
        &self,
        which: &str,
        question: &Question,
        mut each: impl FnMut(ZombieRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let filter = question.filter();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        // The outcome as a literal, or the index of the few that have it is not used.
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT process_id, app_id, region, deployment_id, outcome, created_at_ms,
                        last_seen_at_ms, lost_at_ms
                 FROM processes
                 WHERE outcome = '{which}'
                   AND created_at_ms >= :since AND created_at_ms < :until AND {FILTER}"
            ))
            .doing("read processes")?;
        let mut rows = statement
            .query(&filter.and(&[(":since", &since), (":until", &until)])[..])
            .doing("read processes")?;
        while let Some(row) = rows.next().doing("read processes")? {
            each(ZombieRow {
                process_id: row.get(0).doing("read processes")?,
                app_id: row.get(1).doing("read processes")?,
                region: row.get(2).doing("read processes")?,
                deployment_id: deployment(row, 3)?,
                outcome: outcome(row, 4)?,
                created_at: time(row, 5)?,
                last_seen_at: time(row, 6)?,
                lost_at: optional_time(row, 7)?,
            })?;
        }
        Ok(())
    }
}
