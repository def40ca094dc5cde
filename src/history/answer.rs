//! The form of every answer: what it is about, what it rests on, what it leaves out.

use std::collections::BTreeMap;

use rusqlite::named_params;
use serde::Serialize;

use super::{Question, Reading, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::{Excluded, Phase, UtcMillis};
use crate::store::to_time;

/// An answer; as JSON, one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer<R> {
    /// The question's name, which is its command's.
    pub question: &'static str,
    /// The stretch of time it is about.
    pub window: Window,
    /// What it rests on.
    pub coverage: Coverage,
    /// How many could not be counted, by reason.
    pub excluded: BTreeMap<String, u64>,
    /// The answer itself.
    pub rows: Vec<R>,
}

/// A row of an answer, which knows its fields even when there is none of it.
pub trait Row: Serialize {
    /// The fields of the row in order, those that it is grouped by aside.
    const FIELDS: &'static [&'static str];
}

/// The period that the record covers, and what is known to be missing from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The first snapshot that may have shown what was asked about; an observation time.
    pub from: Option<UtcMillis>,
    /// The last such snapshot.
    pub to: Option<UtcMillis>,
    /// Runs with such a snapshot inside the window.
    pub runs: u64,
    /// Gaps that touch the window and the filter.
    pub gaps: Vec<CoverageGap>,
}

/// A gap as answers show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoverageGap {
    /// Creation time from which processes may be missing.
    pub since: UtcMillis,
    /// Creation time until which processes may be missing.
    pub until: UtcMillis,
    /// Which processes: `app=… region=… status=…`, as far as it is narrowed.
    pub filter: String,
    /// At least so many are missing, where the source could tell.
    pub hidden_at_least: Option<u64>,
    /// Why: `page`, `forgotten` or `rejected`; none where it was not kept.
    pub reason: Option<String>,
}

impl Row for CoverageGap {
    const FIELDS: &'static [&'static str] =
        &["since", "until", "filter", "hidden_at_least", "reason"];
}

/// Counts what an answer leaves out.
#[derive(Debug, Default)]
pub(super) struct Exclusions(BTreeMap<String, u64>);

impl Exclusions {
    pub fn count(&mut self, reason: Excluded) {
        *self.0.entry(reason.as_str().to_owned()).or_default() += 1;
    }

    pub fn count_in(&mut self, phase: Phase, reason: Excluded) {
        *self.0.entry(format!("{phase}.{reason}")).or_default() += 1;
    }
}

impl Reading<'_> {
    pub(super) fn answer<R>(
        &self,
        question: &'static str,
        about: &Question,
        excluded: Exclusions,
        rows: Vec<R>,
    ) -> Result<Answer<R>, Error> {
        Ok(Answer {
            question,
            window: about.window,
            coverage: self.coverage_of(about)?,
            excluded: excluded.0,
            rows,
        })
    }

    /// What an answer to `about` rests on.
    pub(super) fn coverage_of(&self, about: &Question) -> Result<Coverage, Error> {
        let apps = about.filter().apps;
        let (from, to): (Option<i64>, Option<i64>) = self
            .db
            .prepare_cached(
                "SELECT min(n.first_ms) AS first, max(n.last_ms) AS last
                 FROM (
                     SELECT (SELECT min(observed_at_ms) FROM snapshot n
                             WHERE n.stream_id = t.stream_id) AS first_ms,
                            t.last_ms
                     FROM stream t
                     WHERE :apps IS NULL OR t.app IS NULL
                        OR t.app IN (SELECT w.word_id FROM word w
                                     WHERE w.text IN (SELECT value FROM json_each(:apps)))
                 ) n",
            )
            .and_then(|mut s| {
                s.query_row(named_params! { ":apps": apps }, |row| {
                    Ok((row.get("first")?, row.get("last")?))
                })
            })
            .doing("read the period covered")?;
        let runs: u64 = self
            .db
            .prepare_cached(
                "SELECT count(DISTINCT run_id) FROM snapshot n
                 WHERE observed_at_ms >= :since AND observed_at_ms < :until
                   AND (:apps IS NULL OR stream_id IN (
                       SELECT t.stream_id FROM stream t
                       WHERE t.app IS NULL
                          OR t.app IN (SELECT w.word_id FROM word w
                                       WHERE w.text IN (SELECT value FROM json_each(:apps)))))",
            )
            .and_then(|mut s| {
                s.query_row(
                    named_params! {
                        ":since": about.window.since_ms(),
                        ":until": about.window.until_ms(),
                        ":apps": apps,
                    },
                    |row| row.get::<_, i64>(0),
                )
            })
            .doing("count runs")?
            .cast_unsigned();
        Ok(Coverage {
            from: from.map(to_time).transpose()?,
            to: to.map(to_time).transpose()?,
            runs,
            gaps: self.gaps_touching(about)?,
        })
    }

    pub(super) fn gaps_touching(&self, about: &Question) -> Result<Vec<CoverageGap>, Error> {
        let filter = about.filter();
        let (since, until) = (about.window.since_ms(), about.window.until_ms());
        // A gap that is not narrowed to a region touches every region.
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT since_ms, until_ms, filter, hidden_at_least, reason FROM gaps
                 WHERE since_ms < :until AND until_ms > :since
                   AND (:apps IS NULL OR app_id IN (SELECT value FROM json_each(:apps)))
                   AND (:regions IS NULL OR region IS NULL
                        OR region IN (SELECT value FROM json_each(:regions)))
                   AND (:deployments IS NULL OR TRUE) -- which deployment is missing is unknown
                 ORDER BY since_ms, until_ms, filter",
            )
            .doing("read gaps")?;
        let mut rows = statement
            .query(&filter.and(&[(":since", &since), (":until", &until)])[..])
            .doing("read gaps")?;
        let mut gaps = Vec::new();
        while let Some(row) = rows.next().doing("read gaps")? {
            gaps.push(CoverageGap {
                since: to_time(row.get("since_ms").doing("read gaps")?)?,
                until: to_time(row.get("until_ms").doing("read gaps")?)?,
                filter: row.get("filter").doing("read gaps")?,
                hidden_at_least: row
                    .get::<_, Option<i64>>("hidden_at_least")
                    .doing("read gaps")?
                    .map(i64::cast_unsigned),
                reason: row.get("reason").doing("read gaps")?,
            });
        }
        Ok(gaps)
    }
}
