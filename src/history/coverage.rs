//! What period does the record cover, which runs failed, and what is missing?

use serde::Serialize;

use super::answer::Exclusions;
use super::run_count::Cut;
use super::{Answer, CoverageGap, Health, History, Question, Reading, Row};
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
    /// How the recording fares.
    #[serde(flatten)]
    pub health: Health,
    /// How far the record of each app is known to be whole, gaps aside.
    pub watermarks: Vec<WatermarkRow>,
}

/// How far the record of an app and region is known to be whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatermarkRow {
    /// The app.
    pub app_id: String,
    /// The region; none for every region without a watermark of its own.
    pub region: Option<String>,
    /// The creation time at which coverage began.
    pub since: UtcMillis,
    /// The creation time up to which every process is on record.
    pub until: UtcMillis,
    /// When the look was that proved it.
    pub looked_at: UtcMillis,
    /// At most so many open processes are known by count only; none where it cannot be told.
    pub unaccounted: Option<i64>,
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
    /// Requests made, those made again included.
    pub requests: i64,
    /// Requests made again.
    pub retries: i64,
    /// Size of what was received or read, in bytes.
    pub bytes: i64,
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
    /// Questions left for the next run.
    pub deferred: i64,
    /// Gaps found.
    pub gaps: i64,
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
        "requests",
        "retries",
        "bytes",
        "processes_seen",
        "processes_new",
        "processes_changed",
        "processes_lost",
        "set_aside",
        "deferred",
        "gaps",
    ];
}

impl History {
    /// The period covered, the gaps that touch the window and the filter, and the runs begun in the
    /// window that did not go as they should.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn coverage(&self, question: &Question) -> Result<CoverageReport, Error> {
        self.read(|reading| reading.coverage(question))
    }

    /// The sources that history was recorded from, in order of name.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn sources(&self) -> Result<Vec<String>, Error> {
        self.read(|reading| {
            reading
                .db
                .prepare_cached("SELECT DISTINCT source FROM run ORDER BY source")
                .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
                .doing("read sources")
        })
    }
}

impl Reading<'_> {
    fn coverage(&self, question: &Question) -> Result<CoverageReport, Error> {
        let mut answer = self.answer("coverage", question, Exclusions::default(), Vec::new())?;
        let gaps = answer.coverage.gaps.clone();
        answer.rows.clone_from(&gaps);
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        let troubled_runs = self.runs(
            "run_id IN (SELECT run_id FROM run INDEXED BY run_troubled
                        WHERE result <> 'complete' AND started_ms >= :since AND started_ms < :until
                        ORDER BY run_id DESC LIMIT 20)",
            &[(":since", &since), (":until", &until)],
            20,
        )?;
        let run_results = self.run_results(since, until)?;
        Ok(CoverageReport {
            answer,
            run_results,
            troubled_runs,
            health: self.health(question, &gaps)?,
            watermarks: self.watermarks_of(question)?,
        })
    }

    /// How many runs that were begun in a stretch of time ended how.
    fn run_results(&self, since_ms: i64, until_ms: i64) -> Result<RunCounts, Error> {
        let mut counts = RunCounts::default();
        let cut = Cut::of(since_ms, until_ms);
        for (size, (from, until)) in cut.wholes() {
            self.count_runs(
                &mut counts,
                "SELECT result, sum(runs) FROM run_count
                 WHERE kind IN ('sync', 'import', 'library')
                   AND result IN ('complete', 'partial', 'failed')
                   AND size = :size AND stretch >= :from AND stretch < :until
                 GROUP BY result",
                &[(":size", &size), (":from", &from), (":until", &until)],
            )?;
        }
        for (from, until) in cut.edges {
            self.count_runs(
                &mut counts,
                "SELECT result, count(*) FROM run
                 WHERE started_ms >= :from AND started_ms < :until AND result <> 'unfinished'
                 GROUP BY result",
                &[(":from", &from), (":until", &until)],
            )?;
        }
        self.count_runs(
            &mut counts,
            "SELECT result, count(*) FROM run INDEXED BY run_unfinished
             WHERE kind IN ('sync', 'import', 'library') AND result = 'unfinished'
               AND started_ms >= :from AND started_ms < :until
             GROUP BY result",
            &[(":from", &since_ms), (":until", &until_ms)],
        )?;
        Ok(counts)
    }

    /// Adds what a statement counts, by result.
    fn count_runs(
        &self,
        counts: &mut RunCounts,
        query: &str,
        values: &[(&str, &dyn rusqlite::ToSql)],
    ) -> Result<(), Error> {
        let mut statement = self.db.prepare_cached(query).doing("count runs")?;
        let mut rows = statement.query(values).doing("count runs")?;
        while let Some(row) = rows.next().doing("count runs")? {
            let result: String = row.get(0).doing("count runs")?;
            let runs = row.get::<_, i64>(1).doing("count runs")?.cast_unsigned();
            match result.as_str() {
                "complete" => counts.complete += runs,
                "partial" => counts.partial += runs,
                "failed" => counts.failed += runs,
                _ => counts.unfinished += runs,
            }
        }
        Ok(())
    }

    fn watermarks_of(&self, question: &Question) -> Result<Vec<WatermarkRow>, Error> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT app_id, region, since_ms, until_ms, looked_at_ms, unaccounted FROM watermarks
                 WHERE (:apps IS NULL OR app_id IN (SELECT value FROM json_each(:apps)))
                   AND (:regions IS NULL OR region IS NULL
                        OR region IN (SELECT value FROM json_each(:regions)))
                   AND (:deployments IS NULL OR TRUE) -- a watermark knows none
                 ORDER BY app_id, region",
            )
            .doing("read watermarks")?;
        let mut rows = statement
            .query(&question.filter().and(&[])[..])
            .doing("read watermarks")?;
        let mut marks = Vec::new();
        while let Some(row) = rows.next().doing("read watermarks")? {
            marks.push(WatermarkRow {
                app_id: row.get(0).doing("read watermarks")?,
                region: row.get(1).doing("read watermarks")?,
                since: time(row, 2)?,
                until: time(row, 3)?,
                looked_at: time(row, 4)?,
                unaccounted: row.get(5).doing("read watermarks")?,
            });
        }
        Ok(marks)
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
                        snapshots, requests, retries, bytes, processes_seen, processes_new,
                        processes_changed, processes_lost, set_aside, deferred, gaps
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
                requests: count(8)?,
                retries: count(9)?,
                bytes: count(10)?,
                processes_seen: count(11)?,
                processes_new: count(12)?,
                processes_changed: count(13)?,
                processes_lost: count(14)?,
                set_aside: count(15)?,
                deferred: count(16)?,
                gaps: count(17)?,
            });
        }
        Ok(runs)
    }
}
