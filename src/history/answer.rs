//! The form of every answer: what it is about, what it rests on, what it leaves out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::deployments::PLACES;
use super::{Question, Reading, Unwatched, Watched, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::{Excluded, Phase, UtcMillis};
use crate::store::{time, to_time};

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
    /// What was named in the filter, and is in no record: most likely misspelt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never_recorded: Vec<NeverRecorded>,
    /// Of the open processes that are counted on, so many were last seen over an hour before, and may
    /// have ended: see [`History::zombies`](super::History::zombies).
    #[serde(skip_serializing_if = "is_zero")]
    pub unseen: u64,
    /// The answer itself.
    pub rows: Vec<R>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A name in a filter that no process on record has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeverRecorded {
    /// The field: `app_id`, `region` or `deployment_id`.
    pub field: &'static str,
    /// The name.
    pub name: String,
    /// Names that are on record, at most [`NeverRecorded::MOST`], those of the latest first.
    pub known: Vec<String>,
}

impl NeverRecorded {
    /// How many names are given instead.
    pub const MOST: usize = 20;
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
    /// How much of the window was watched: tells an answer that is empty because there was nothing
    /// from one that is because nothing looked.
    pub watched: Watched,
    /// Stretches of the window in which nothing looked.
    pub unwatched: Vec<Unwatched>,
    /// Of what had been on record, what was pruned, and touches the window and the filter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<PrunedThen>,
}

/// Processes of an app that were on record and have been removed from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrunedThen {
    /// When the first of them was created.
    pub since: UtcMillis,
    /// When the last of them was gone.
    pub until: UtcMillis,
    /// The app.
    pub app_id: String,
    /// How many.
    pub processes: u64,
    /// When they were removed.
    pub pruned_at: UtcMillis,
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
        self.answer_by(UtcMillis::MAX, question, about, excluded, rows)
    }

    /// The same from what had been looked at by `then`.
    pub(super) fn answer_by<R>(
        &self,
        then: UtcMillis,
        question: &'static str,
        about: &Question,
        excluded: Exclusions,
        rows: Vec<R>,
    ) -> Result<Answer<R>, Error> {
        Ok(Answer {
            question,
            window: about.window,
            coverage: self.coverage_of(about, then)?,
            excluded: excluded.0,
            never_recorded: self.never_recorded(about)?,
            unseen: 0,
            rows,
        })
    }

    /// What an answer to `about` rests on, of what had been looked at by `then`. Gaps are those known
    /// now: what they hide is hidden from every moment.
    fn coverage_of(&self, about: &Question, then: UtcMillis) -> Result<Coverage, Error> {
        let looks = self.looks(about.filter().apps.as_deref(), then)?;
        let period = looks.period()?;
        let (watched, unwatched) = match period {
            Some(period) => self.watched(about, then, period)?,
            None => (Watched::None, Vec::new()),
        };
        Ok(Coverage {
            from: period.map(|(from, _)| to_time(from)).transpose()?,
            to: period.map(|(_, to)| to_time(to)).transpose()?,
            runs: looks.runs(about.window)?,
            gaps: self.gaps_touching(about)?,
            watched,
            unwatched,
            pruned: self.pruned_touching(about)?,
        })
    }

    fn never_recorded(&self, about: &Question) -> Result<Vec<NeverRecorded>, Error> {
        let mut never = Vec::new();
        for (field, names) in [
            ("app_id", &about.apps),
            ("region", &about.regions),
            ("deployment_id", &about.deployments),
        ] {
            for name in names {
                if !self.is_recorded(field, name)? {
                    never.push(NeverRecorded {
                        field,
                        name: name.clone(),
                        known: self.known_names(field)?,
                    });
                }
            }
        }
        Ok(never)
    }

    fn is_recorded(&self, field: &str, name: &str) -> Result<bool, Error> {
        let condition = match field {
            "app_id" => "app = (SELECT word_id FROM word WHERE text = :name)",
            "region" => "region = (SELECT word_id FROM word WHERE text = :name)",
            // On record as a number or as a text.
            _ => "CAST(deployment AS TEXT) = :name",
        };
        self.db
            .prepare_cached(&format!(
                "SELECT EXISTS (SELECT 1 FROM ({PLACES}) WHERE {condition})"
            ))
            .and_then(|mut statement| statement.query_row(&[(":name", name)], |row| row.get(0)))
            .doing("read what is on record")
    }

    /// Those of the latest processes first.
    fn known_names(&self, field: &str) -> Result<Vec<String>, Error> {
        let column = match field {
            "app_id" => "(SELECT text FROM word WHERE word_id = app)",
            "region" => "(SELECT text FROM word WHERE word_id = region)",
            _ => "CAST(deployment AS TEXT)",
        };
        self.db
            .prepare_cached(&format!(
                "SELECT {column} AS name FROM ({PLACES})
                 GROUP BY name ORDER BY max(last_created_ms) DESC, name LIMIT {}",
                NeverRecorded::MOST
            ))
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .doing("read what is on record")
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
                   AND since_ms > :since - (SELECT max(g.until_ms - g.since_ms) FROM gap g)
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

    /// In which regions they were, and of which deployments, is not known any more.
    fn pruned_touching(&self, about: &Question) -> Result<Vec<PrunedThen>, Error> {
        let filter = about.filter();
        let (since, until) = (about.window.since_ms(), about.window.until_ms());
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT since_ms, until_ms, app_id, processes, pruned_at_ms FROM prunings
                 WHERE since_ms < :until AND until_ms >= :since
                   AND (:apps IS NULL OR app_id IN (SELECT value FROM json_each(:apps)))
                   AND (:regions IS NULL OR TRUE) AND (:deployments IS NULL OR TRUE)
                 ORDER BY since_ms, app_id, pruned_at_ms",
            )
            .doing("read what was pruned")?;
        let mut rows = statement
            .query(&filter.and(&[(":since", &since), (":until", &until)])[..])
            .doing("read what was pruned")?;
        let mut pruned = Vec::new();
        while let Some(row) = rows.next().doing("read what was pruned")? {
            pruned.push(PrunedThen {
                since: time(row, 0)?,
                until: time(row, 1)?,
                app_id: row.get(2).doing("read what was pruned")?,
                processes: row
                    .get::<_, i64>(3)
                    .doing("read what was pruned")?
                    .cast_unsigned(),
                pruned_at: time(row, 4)?,
            });
        }
        Ok(pruned)
    }
}
