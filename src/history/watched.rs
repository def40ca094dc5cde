//! How much of a window was watched? What came and went in the rest is hidden, gap or no gap.

use rusqlite::named_params;
use serde::Serialize;

use super::deployments::PLACES;
use super::looks::{Alike, PAUSE_MS};
use super::{Question, Reading};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;
use crate::store::to_time;

/// How much of a window was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Watched {
    /// No stretch of it is unwatched.
    All,
    /// Some of it is.
    Part,
    /// Nothing looked in all of it: an empty answer then says nothing.
    None,
}

/// A stretch of time in which nothing looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unwatched {
    /// The look before; the beginning of the window where there is none, or none where it has none.
    pub since: Option<UtcMillis>,
    /// The look after; where there is none, the end of the window or the moment of asking, whichever is
    /// earlier; or none where the window has no end.
    pub until: Option<UtcMillis>,
    /// The apps that nothing looked at; all that the answer is about where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_ids: Vec<String>,
}

/// From one look to another; an end is missing where there is none.
type Stretch = (Option<i64>, Option<i64>);

impl Reading<'_> {
    /// The unwatched stretches that touch the window, and how much of it that is, as it stood `then`, when
    /// these were the first and the last look at any of the apps asked about.
    pub fn watched(
        &self,
        about: &Question,
        then: UtcMillis,
        looked_at_any: (i64, i64),
    ) -> Result<(Watched, Vec<Unwatched>), Error> {
        let mut kinds = Vec::new();
        let mut all = Vec::new();
        let alike = self.looked_at_alike(about)?;
        for one in &alike {
            let (watched, stretches) = self.stretches(about, one, then, looked_at_any)?;
            kinds.push(watched);
            let app_ids = match alike.len() {
                1 => &[][..],
                _ => &one.apps,
            };
            for (since, until) in stretches {
                all.push(Unwatched {
                    since: since.map(to_time).transpose()?,
                    until: until.map(to_time).transpose()?,
                    app_ids: app_ids.to_vec(),
                });
            }
        }
        all.sort_by(|a, b| (a.since, &a.app_ids).cmp(&(b.since, &b.app_ids)));
        let every = |one| kinds.iter().all(|kind| *kind == one);
        let watched = match (every(Watched::All), every(Watched::None)) {
            (true, _) => Watched::All,
            (_, true) => Watched::None,
            _ => Watched::Part,
        };
        Ok((watched, all))
    }

    /// The same of apps that were looked at together.
    fn stretches(
        &self,
        about: &Question,
        alike: &Alike,
        then: UtcMillis,
        looked_at_any: (i64, i64),
    ) -> Result<(Watched, Vec<Stretch>), Error> {
        let looks = self.looks_at(alike, then);
        let until = about.window.until.map(UtcMillis::millis);
        let Some(looked) = looks.period()? else {
            return Ok((Watched::None, vec![(None, until)]));
        };
        let ends = Ends {
            since: about.window.since.map(UtcMillis::millis),
            until,
            asked_at: about.asked_at.map(UtcMillis::millis),
            looked,
            looked_at_any,
        };
        let before = ends.before(|at_ms| self.were_there(&alike.apps, at_ms))?;
        let pauses = looks.pauses(about.window.since_ms(), about.window.until_ms())?;
        let pauses = pauses
            .into_iter()
            .map(|(since, until)| (Some(since), Some(until)));
        let stretches: Vec<Stretch> = before
            .into_iter()
            .chain(pauses)
            .chain(ends.after())
            .collect();
        Ok((ends.watched(&stretches), stretches))
    }

    /// Whether any process of these apps that is on record had been created by then.
    fn were_there(&self, apps: &[String], at_ms: i64) -> Result<bool, Error> {
        self.db
            .prepare_cached(&format!(
                "SELECT EXISTS (
                     SELECT 1 FROM ({PLACES})
                     WHERE first_created_ms < :at AND app IN (SELECT w.word_id FROM word w
                         WHERE w.text IN (SELECT value FROM json_each(:apps))))"
            ))
            .and_then(|mut statement| {
                let apps = serde_json::Value::from(apps.to_vec()).to_string();
                let params = named_params! { ":at": at_ms, ":apps": apps };
                statement.query_row(params, |row| row.get(0))
            })
            .doing("read when the first process was created")
    }
}

/// The moments that decide what is unwatched of a window, for apps that were looked at together.
struct Ends {
    since: Option<i64>,
    until: Option<i64>,
    asked_at: Option<i64>,
    /// The first and the last look at these apps.
    looked: (i64, i64),
    /// The same at any of those that are asked about.
    looked_at_any: (i64, i64),
}

impl Ends {
    /// What is unwatched before the first look; `were_there` tells whether processes on record were there
    /// at a moment.
    fn before(
        &self,
        were_there: impl FnOnce(i64) -> Result<bool, Error>,
    ) -> Result<Option<Stretch>, Error> {
        let ((first, _), (of_any, _)) = (self.looked, self.looked_at_any);
        let is_early = |since: i64| first - since > PAUSE_MS;
        Ok(match (self.since, self.until) {
            // The first look shows what ended in the hour before it, but nothing to a window that ends there.
            (since, Some(until)) if until <= first => Some((since, Some(first))),
            (Some(since), _) if is_early(since) => Some((Some(since), Some(first))),
            // The record is asked about, and that of these apps begins later than they did.
            (None, None) if is_early(of_any) && were_there(first - PAUSE_MS)? => {
                Some((Some(of_any), Some(first)))
            }
            _ => None,
        })
    }

    /// What is unwatched after the last look.
    fn after(&self) -> Option<Stretch> {
        let ((_, last), (_, of_any)) = (self.looked, self.looked_at_any);
        // What is still to come was not missed.
        let until = self
            .until
            .map(|until| self.asked_at.map_or(until, |now| now.min(until)));
        let reaches = match (self.since, until) {
            (_, Some(until)) => Some(until),
            (Some(_), None) => self.asked_at,
            // The record is asked about, and that of these apps ends earlier than others'.
            (None, None) => Some(of_any),
        };
        let is_late =
            self.begins_after() || reaches.is_some_and(|reaches| reaches - last > PAUSE_MS);
        is_late.then(|| {
            (
                Some(last),
                until.filter(|until| *until > last).or(self.until),
            )
        })
    }

    /// A window that begins after the last look was not looked at, however soon it ends; a moment stands as
    /// it was last seen.
    fn begins_after(&self) -> bool {
        let is_moment = |since| self.until.is_some_and(|until| until - since <= 1);
        let (_, last) = self.looked;
        self.since
            .is_some_and(|since| since > last && !is_moment(since))
    }

    /// How much is watched, where these stretches are not.
    fn watched(&self, unwatched: &[Stretch]) -> Watched {
        let (since, until) = (
            self.since.unwrap_or(i64::MIN),
            self.until.unwrap_or(i64::MAX),
        );
        // A stretch between two looks holds neither of them.
        let covers = |(from, to): &Stretch| {
            from.is_none_or(|from| from < since) && to.is_none_or(|to| to >= until)
        };
        let (first, _) = self.looked;
        if until <= first || self.begins_after() || unwatched.iter().any(covers) {
            Watched::None
        } else if unwatched.is_empty() {
            Watched::All
        } else {
            Watched::Part
        }
    }
}
