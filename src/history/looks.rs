//! When did anything look that may have shown an app?

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, named_params};

use super::{Question, Reading, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;

/// Platforms show what has ended for about an hour, so a pause between two looks that is longer than
/// that may hide whole lives.
pub(super) const PAUSE_MS: i64 = 3_600_000;

/// Whether a process that was last seen then had gone unseen for long by a moment.
pub(super) fn is_unseen(last_seen: UtcMillis, by_ms: i64) -> bool {
    by_ms - last_seen.millis() > PAUSE_MS
}

/// The condition that a snapshot may have shown the apps asked about, over the column `stream_id`. What
/// is about no app in particular is an archive.
const LOOKS: &str = "(:apps IS NULL OR stream_id IN (
         SELECT t.stream_id FROM stream t
         WHERE t.app IN (SELECT w.word_id FROM word w
                         WHERE w.text IN (SELECT value FROM json_each(:apps)))
            OR (t.app IS NULL
                AND EXISTS (SELECT 1 FROM archive_app x JOIN word w ON w.word_id = x.app
                            WHERE w.text IN (SELECT value FROM json_each(:apps))))))";

/// The looks that may have shown some apps, or any.
pub(super) struct Looks<'r> {
    reading: Reading<'r>,
    apps: Option<String>,
    /// None later than this.
    then_ms: i64,
}

/// When an app was out of sight.
#[derive(Debug)]
pub(super) struct Watch {
    /// Before the record of it began, and between two looks that are far apart; the looks themselves are
    /// not in them. In order of time.
    unwatched: Vec<(i64, i64)>,
}

impl Watch {
    fn new(begin_ms: i64, pauses: Vec<(i64, i64)>) -> Self {
        let before = (i64::MIN, begin_ms);
        Self {
            unwatched: std::iter::once(before).chain(pauses).collect(),
        }
    }

    /// The parts of a life in which its end would have been seen, each from when until when, that
    /// included. The first one begins with the life if that was watched from its beginning, and the last
    /// one ends with it if its end was; none ends when it begins but a life of no length.
    pub fn parts(&self, begin_ms: i64, over_ms: i64) -> impl Iterator<Item = (i64, i64)> {
        let next = self
            .unwatched
            .partition_point(|(_, until)| *until <= begin_ms);
        let mut unwatched = self.unwatched[next..].iter();
        let mut at = Some(begin_ms);
        std::iter::from_fn(move || {
            loop {
                let from = at.filter(|at| *at < over_ms || *at == begin_ms)?;
                let Some((since, until)) = unwatched.next().filter(|(since, _)| *since < over_ms)
                else {
                    at = None;
                    return Some((from, over_ms));
                };
                at = Some(*until);
                if *since >= from {
                    return Some((from, *since));
                }
            }
        })
    }
}

impl<'r> Reading<'r> {
    /// The looks by `then` that may have shown these apps, a list as JSON; any where there is none.
    pub fn looks(&self, apps: Option<String>, then: UtcMillis) -> Looks<'r> {
        Looks {
            reading: *self,
            apps,
            then_ms: then.millis(),
        }
    }

    /// The looks that may have shown this app.
    pub fn looks_at(&self, app_id: &str) -> Looks<'r> {
        let apps = Question::default().app(app_id).filter().apps;
        self.looks(apps, UtcMillis::MAX)
    }

    /// The apps asked about that are on record, those together that were looked at by the same looks:
    /// archives show all that they show at once, a sync one. Those asked about, or all, where none is
    /// on record.
    pub fn looked_at_alike(&self, about: &Question) -> Result<Vec<Vec<String>>, Error> {
        let apps: Vec<(String, bool)> = self
            .db
            .prepare_cached(
                "SELECT text, EXISTS (SELECT 1 FROM stream t WHERE t.app = word_id) AS synced
                 FROM word
                 WHERE word_id IN (SELECT app FROM stream WHERE app IS NOT NULL
                                   UNION SELECT app FROM archive_app)
                   AND (:apps IS NULL OR text IN (SELECT value FROM json_each(:apps)))
                 ORDER BY text",
            )
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get("text")?, row.get("synced")?));
                statement
                    .query_map(&[(":apps", &about.filter().apps)], read)?
                    .collect()
            })
            .doing("read which apps are on record")?;
        let (synced, archived): (Vec<_>, Vec<_>) =
            apps.into_iter().partition(|(_, synced)| *synced);
        let mut alike: Vec<Vec<String>> = synced.into_iter().map(|(app, _)| vec![app]).collect();
        let archived: Vec<String> = archived.into_iter().map(|(app, _)| app).collect();
        if !archived.is_empty() || alike.is_empty() {
            alike.push(match archived.is_empty() {
                true => about.apps.clone(),
                false => archived,
            });
        }
        Ok(alike)
    }

    /// When each of the apps asked about came under observation: with the first look of a sync, else
    /// when the first of its processes was seen, since an archive need not be about it.
    pub fn watches(&self, about: &Question) -> Result<BTreeMap<String, Watch>, Error> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT a.text AS app_id,
                        min(p.first_ms,
                            coalesce((SELECT min((SELECT min(n.observed_at_ms) FROM snapshot n
                                                  WHERE n.stream_id = t.stream_id))
                                      FROM stream t WHERE t.app = p.app),
                                     p.first_ms)) AS begin_ms
                 FROM (SELECT app, min(first_seen_ms) AS first_ms FROM process GROUP BY app) p
                 JOIN word a ON a.word_id = p.app
                 WHERE :apps IS NULL OR a.text IN (SELECT value FROM json_each(:apps))",
            )
            .doing("read when apps were first seen")?;
        let begins: Vec<(String, i64)> = statement
            .query_map(named_params! { ":apps": about.filter().apps }, |row| {
                Ok((row.get("app_id")?, row.get("begin_ms")?))
            })
            .and_then(Iterator::collect)
            .doing("read when apps were first seen")?;
        let mut watches = BTreeMap::new();
        for (app_id, begin_ms) in begins {
            let pauses = self.looks_at(&app_id).pauses(begin_ms, i64::MAX)?;
            watches.insert(app_id, Watch::new(begin_ms, pauses));
        }
        Ok(watches)
    }
}

impl Looks<'_> {
    /// The first and the last.
    pub fn period(&self) -> Result<Option<(i64, i64)>, Error> {
        let (first, last): (Option<i64>, Option<i64>) = self
            .reading
            .db
            .prepare_cached(&format!(
                "SELECT min((SELECT min(observed_at_ms) FROM snapshot n
                             WHERE n.stream_id = s.stream_id AND observed_at_ms <= :then)) AS first,
                        max((SELECT max(observed_at_ms) FROM snapshot n
                             WHERE n.stream_id = s.stream_id AND observed_at_ms <= :then)) AS last
                 FROM stream s WHERE {LOOKS}"
            ))
            .and_then(|mut statement| {
                let params = named_params! { ":apps": self.apps, ":then": self.then_ms };
                statement.query_row(params, |row| Ok((row.get("first")?, row.get("last")?)))
            })
            .doing("read the period covered")?;
        Ok(first.zip(last))
    }

    /// The last.
    pub fn last(&self) -> Result<Option<i64>, Error> {
        Ok(self.period()?.map(|(_, last)| last))
    }

    /// How many runs had one in a window.
    pub fn runs(&self, window: Window) -> Result<u64, Error> {
        let runs: i64 = self
            .reading
            .db
            .prepare_cached(&format!(
                "SELECT count(DISTINCT run_id) FROM snapshot n
                 WHERE observed_at_ms >= :since AND observed_at_ms < :until
                   AND observed_at_ms <= :then AND {LOOKS}"
            ))
            .and_then(|mut statement| {
                let params = named_params! {
                    ":since": window.since_ms(),
                    ":until": window.until_ms(),
                    ":then": self.then_ms,
                    ":apps": self.apps,
                };
                statement.query_row(params, |row| row.get(0))
            })
            .doing("count runs")?;
        Ok(runs.cast_unsigned())
    }

    /// The pauses between two that touch a stretch of time, by leaps of as much as is no pause: a year
    /// of looks by the minute takes one step an hour.
    pub fn pauses(&self, since_ms: i64, until_ms: i64) -> Result<Vec<(i64, i64)>, Error> {
        let mut pauses = Vec::new();
        let begin = match self.latest(i64::MIN, since_ms)? {
            Some(begin) => Some(begin),
            None => self.next(since_ms)?,
        };
        let Some(mut at) = begin else {
            return Ok(pauses);
        };
        while at < until_ms {
            if let Some(later) = self.latest(at, at.saturating_add(PAUSE_MS))? {
                at = later;
            } else if let Some(later) = self.next(at)? {
                pauses.push((at, later));
                at = later;
            } else {
                break;
            }
        }
        Ok(pauses)
    }

    /// The last one after `from` and not after `to`.
    fn latest(&self, from: i64, to: i64) -> Result<Option<i64>, Error> {
        self.one("DESC", from, to)
    }

    /// The first one after `from`.
    fn next(&self, from: i64) -> Result<Option<i64>, Error> {
        self.one("ASC", from, i64::MAX)
    }

    fn one(&self, order: &str, from: i64, to: i64) -> Result<Option<i64>, Error> {
        let to = to.min(self.then_ms);
        self.reading
            .db
            .prepare_cached(&format!(
                "SELECT observed_at_ms FROM snapshot n
                 WHERE observed_at_ms > :from AND observed_at_ms <= :to AND {LOOKS}
                 ORDER BY observed_at_ms {order} LIMIT 1"
            ))
            .and_then(|mut statement| {
                let params = named_params! { ":from": from, ":to": to, ":apps": self.apps };
                statement.query_row(params, |row| row.get(0)).optional()
            })
            .doing("read when anything looked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_watched_but_for_the_pauses_in_it() {
        let watch = Watch::new(100, vec![(200, 300), (500, 600)]);
        for (begin, over, parts) in [
            (110, 190, &[(110, 190)][..]),
            // Before the record.
            (0, 90, &[]),
            (0, 100, &[]),
            (0, 150, &[(100, 150)]),
            (100, 150, &[(100, 150)]),
            // The look before a pause showed who came and who went at that very moment, the look after it
            // who came.
            (150, 200, &[(150, 200)]),
            (200, 200, &[(200, 200)]),
            (200, 250, &[(200, 200)]),
            (201, 250, &[]),
            (201, 300, &[]),
            (201, 301, &[(300, 301)]),
            (300, 300, &[(300, 300)]),
            (150, 250, &[(150, 200)]),
            (150, 300, &[(150, 200)]),
            (0, 900, &[(100, 200), (300, 500), (600, 900)]),
            (550, 590, &[]),
            (700, 900, &[(700, 900)]),
            (110, 110, &[(110, 110)]),
        ] {
            let found: Vec<_> = watch.parts(begin, over).collect();
            assert_eq!(found, parts, "{begin} to {over}");
        }
    }
}
