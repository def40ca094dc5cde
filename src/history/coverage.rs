//! What period does the record cover, which runs failed, and what is missing?

use rusqlite::named_params;
use serde::Serialize;

use super::answer::Exclusions;
use super::{Answer, CoverageGap, History, Question, Row};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;
use crate::store::{optional_time, time};

/// What the record rests on. As JSON, an answer whose rows are the gaps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoverageReport {
    /// The gaps, with the period covered.
    #[serde(flatten)]
    pub answer: Answer<CoverageGap>,
    /// How many runs ended how, of those begun in the window.
    pub run_results: RunCounts,
    /// Those that did not end as complete, the latest first, at most 20.
    pub troubled_runs: Vec<RunRow>,
}

/// Runs by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunCounts {
    /// Recorded everything they asked for.
    pub complete: u64,
    /// Recorded what they saw; some of it could not be had or understood.
    pub partial: u64,
    /// Recorded nothing.
    pub failed: u64,
    /// Still going on, or killed.
    pub unfinished: u64,
}

/// A run as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// Counts up.
    pub run_id: i64,
    /// `sync`, `import` or `library`.
    pub kind: String,
    /// Where its snapshots came from.
    pub source: String,
    /// When it began.
    pub started_at: UtcMillis,
    /// When it ended; none where it did not.
    pub finished_at: Option<UtcMillis>,
    /// How it ended.
    pub result: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Snapshots recorded.
    pub snapshots: i64,
    /// Observations recorded.
    pub processes_seen: i64,
    /// Processes seen for the first time.
    pub processes_new: i64,
    /// Versions added to known processes.
    pub processes_changed: i64,
    /// Open processes found gone.
    pub processes_lost: i64,
    /// Records that could not be understood.
    pub set_aside: i64,
}

impl Row for RunRow {
    const FIELDS: &'static [&'static str] = &[
        "run_id",
        "kind",
        "source",
        "started_at",
        "finished_at",
        "result",
        "error",
        "snapshots",
        "processes_seen",
        "processes_new",
        "processes_changed",
        "processes_lost",
        "set_aside",
    ];
}

impl History {
    /// The period covered, the gaps that touch the window and the filter, and the runs begun in the
    /// window that did not go as they should.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn coverage(&self, question: &Question) -> Result<CoverageReport, Error> {
        let _as_of_now = self.as_of_now()?;
        let mut answer = self.answer("coverage", question, Exclusions::default(), Vec::new())?;
        answer.rows = answer.coverage.gaps.clone();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        let run_results = self
            .db
            .query_row(
                "SELECT count(*) FILTER (WHERE result = 'complete'),
                        count(*) FILTER (WHERE result = 'partial'),
                        count(*) FILTER (WHERE result = 'failed'),
                        count(*) FILTER (WHERE result = 'unfinished')
                 FROM run WHERE started_ms >= :since AND started_ms < :until",
                named_params! { ":since": since, ":until": until },
                |row| {
                    let count = |i| row.get::<_, i64>(i).map(i64::cast_unsigned);
                    Ok(RunCounts {
                        complete: count(0)?,
                        partial: count(1)?,
                        failed: count(2)?,
                        unfinished: count(3)?,
                    })
                },
            )
            .doing("count runs")?;
        let troubled_runs = self.runs(
            "started_at_ms >= :since AND started_at_ms < :until AND result <> 'complete'",
            &[(":since", &since), (":until", &until)],
            20,
        )?;
        Ok(CoverageReport {
            answer,
            run_results,
            troubled_runs,
        })
    }

    /// The sources that history was recorded from, in order of name.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn sources(&self) -> Result<Vec<String>, Error> {
        self.db
            .prepare_cached("SELECT DISTINCT source FROM run ORDER BY source")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .doing("read sources")
    }

    /// The latest sync that ended as complete; none if there was none yet.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn last_complete_sync(&self) -> Result<Option<RunRow>, Error> {
        let complete = "kind = 'sync' AND result = 'complete'";
        Ok(self.runs(complete, &[], 1)?.pop())
    }

    /// The latest runs that meet a condition over the columns of `sync_runs`.
    pub(super) fn runs(
        &self,
        condition: &str,
        values: &[(&str, &dyn rusqlite::ToSql)],
        limit: u32,
    ) -> Result<Vec<RunRow>, Error> {
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT run_id, kind, source, started_at_ms, finished_at_ms, result, error,
                        snapshots, processes_seen, processes_new, processes_changed,
                        processes_lost, set_aside
                 FROM sync_runs WHERE {condition} ORDER BY run_id DESC LIMIT {limit}"
            ))
            .doing("read runs")?;
        let mut rows = statement.query(values).doing("read runs")?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next().doing("read runs")? {
            let count = |i: usize| row.get(i).doing("read runs");
            runs.push(RunRow {
                run_id: count(0)?,
                kind: row.get(1).doing("read runs")?,
                source: row.get(2).doing("read runs")?,
                started_at: time(row, 3)?,
                finished_at: optional_time(row, 4)?,
                result: row.get(5).doing("read runs")?,
                error: row.get(6).doing("read runs")?,
                snapshots: count(7)?,
                processes_seen: count(8)?,
                processes_new: count(9)?,
                processes_changed: count(10)?,
                processes_lost: count(11)?,
                set_aside: count(12)?,
            });
        }
        Ok(runs)
    }
}
