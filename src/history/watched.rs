//! How much of a window was watched? What came and went in the rest is hidden, gap or no gap.

use rusqlite::OptionalExtension;
use serde::Serialize;

use super::looks::PAUSE_MS;
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
    /// The look before; the beginning of the window where there is none.
    pub since: UtcMillis,
    /// The look after; the end of the window where there is none, or none where it has no end.
    pub until: Option<UtcMillis>,
    /// The apps that nothing looked at; all that the answer is about where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_ids: Vec<String>,
}

/// From one look to another, or on without an end.
type Stretch = (i64, Option<i64>);

impl Reading<'_> {
    /// The unwatched stretches that touch the window, and how much of it that is, as it stood `then`.
    pub fn watched(
        &self,
        about: &Question,
        then: UtcMillis,
    ) -> Result<(Watched, Vec<Unwatched>), Error> {
        let mut kinds = Vec::new();
        let mut all = Vec::new();
        let alike = self.looked_at_alike(about)?;
        for apps in &alike {
            let only = about.clone().only_apps(apps.iter().cloned());
            let (watched, stretches) = self.stretches(&only, then)?;
            kinds.push(watched);
            let app_ids = match alike.len() {
                1 => &[][..],
                _ => apps,
            };
            for (since, until) in stretches {
                all.push(Unwatched {
                    since: to_time(since)?,
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
        then: UtcMillis,
    ) -> Result<(Watched, Vec<Stretch>), Error> {
        let looks = self.looks(about.filter().apps, then);
        let Some((first, last)) = looks.period()? else {
            return Ok((Watched::None, Vec::new()));
        };
        let (since_ms, until_ms) = (about.window.since_ms(), about.window.until_ms());
        let mut stretches: Vec<Stretch> = Vec::new();
        if let Some(begin) = self.beginning(about)?.filter(|begin| *begin < first) {
            stretches.push((begin, Some(first)));
        }
        for (since, until) in looks.pauses(since_ms, until_ms)? {
            stretches.push((since, Some(until)));
        }
        let since = about.window.since.map(UtcMillis::millis);
        let until = about.window.until.map(UtcMillis::millis);
        // What begins after the last look was not looked at, however soon it ends.
        let begins_after = since.is_some_and(|since| since > last);
        let asked_at = about.asked_at.filter(|_| since.is_some());
        let reaches = until.or(asked_at.map(UtcMillis::millis));
        if begins_after || reaches.is_some_and(|reaches| reaches - last > PAUSE_MS) {
            stretches.push((last, until));
        }
        // A stretch between two looks holds neither of them.
        let covers = |(from, to): &Stretch| *from < since_ms && to.is_none_or(|to| to >= until_ms);
        let none = until_ms <= first || stretches.iter().any(covers);
        let watched = match (none, stretches.is_empty()) {
            (true, _) => Watched::None,
            (false, true) => Watched::All,
            (false, false) => Watched::Part,
        };
        Ok((watched, stretches))
    }

    /// Where the window begins; in an answer by days or hours, where the first of them may.
    fn beginning(&self, about: &Question) -> Result<Option<i64>, Error> {
        match about.window.since {
            Some(since) => Ok(Some(since.millis())),
            None if about.by.iter().any(|group| group.is_time()) => self
                .db
                .prepare_cached(
                    "SELECT created_ms FROM process
                     WHERE :apps IS NULL OR app IN (SELECT w.word_id FROM word w
                         WHERE w.text IN (SELECT value FROM json_each(:apps)))
                     ORDER BY created_ms LIMIT 1",
                )
                .and_then(|mut statement| {
                    let params = &[(":apps", &about.filter().apps)];
                    statement.query_row(params, |row| row.get(0)).optional()
                })
                .doing("read when the first process was created"),
            None => Ok(None),
        }
    }
}
