//! When did nothing look? Such stretches hide what came and went in them, gap or no gap.

use rusqlite::{OptionalExtension, named_params};
use serde::Serialize;

use super::question::{LOOKS, Window};
use super::{Question, Reading};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;
use crate::store::to_time;

/// Platforms show what has ended for about an hour, so a pause between two looks that is longer than
/// that may hide whole lives.
pub(super) const PAUSE_MS: i64 = 3_600_000;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Unwatched {
    /// The look before; the beginning of the window where there is none.
    pub since: UtcMillis,
    /// The look after; the end of the window where there is none, or none where it has no end.
    pub until: Option<UtcMillis>,
}

/// When an app came under observation, and when it was out of sight.
#[derive(Debug)]
pub(super) struct Watch {
    begin_ms: i64,
    /// In order of time.
    pauses: Vec<(i64, i64)>,
}

impl Watch {
    /// When a process that was created then came under observation; none if it was from the first.
    pub fn met_ms(&self, created_ms: i64) -> Option<i64> {
        if created_ms < self.begin_ms {
            return Some(self.begin_ms);
        }
        let before = self
            .pauses
            .partition_point(|(since, _)| *since < created_ms);
        let (_, until) = *self.pauses.get(before.checked_sub(1)?)?;
        (created_ms < until).then_some(until)
    }
}

impl Reading<'_> {
    /// The unwatched stretches that touch the window, and how much of it that is. `period` is from the
    /// first to the last look.
    pub fn watched(
        &self,
        about: &Question,
        period: Option<(i64, i64)>,
    ) -> Result<(Watched, Vec<Unwatched>), Error> {
        let Some((first, last)) = period else {
            return Ok((Watched::None, Vec::new()));
        };
        let Window { since, until } = about.window;
        let (since_ms, until_ms) = (about.window.since_ms(), about.window.until_ms());
        let mut stretches: Vec<(i64, Option<i64>)> = Vec::new();
        if let Some(since) = since
            && since.millis() < first
        {
            stretches.push((since.millis(), Some(first)));
        }
        for (since, until) in self.pauses(about.filter().apps.as_deref(), since_ms, until_ms)? {
            stretches.push((since, Some(until)));
        }
        match (since, until) {
            // What begins after the last look was not looked at, however soon it ends.
            (Some(since), Some(until)) if since.millis() > last => {
                stretches.push((last, Some(until.millis())));
            }
            (_, Some(until)) if until.millis() - last > PAUSE_MS => {
                stretches.push((last, Some(until.millis())));
            }
            (Some(since), None) if since.millis() > last => stretches.push((last, None)),
            _ => {}
        }
        // A stretch between two looks holds neither of them.
        let covers = |(from, to): &(i64, Option<i64>)| {
            *from < since_ms && to.is_none_or(|to| to >= until_ms)
        };
        let none = until_ms <= first || stretches.iter().any(covers);
        let watched = match (none, stretches.is_empty()) {
            (true, _) => Watched::None,
            (false, true) => Watched::All,
            (false, false) => Watched::Part,
        };
        let stretches = stretches.into_iter().map(|(from, to)| {
            Ok(Unwatched {
                since: to_time(from)?,
                until: to.map(to_time).transpose()?,
            })
        });
        Ok((watched, stretches.collect::<Result<_, Error>>()?))
    }

    /// When each of the apps asked about came under observation: with the first look of a sync, else
    /// when the first of its processes was seen, since an archive need not be about it.
    pub fn watches(&self, about: &Question) -> Result<Vec<(String, Watch)>, Error> {
        let apps = about.filter().apps;
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
            .query_map(named_params! { ":apps": apps }, |row| {
                Ok((row.get("app_id")?, row.get("begin_ms")?))
            })
            .and_then(Iterator::collect)
            .doing("read when apps were first seen")?;
        let mut watches = Vec::new();
        for (app_id, begin_ms) in begins {
            let only = Question::default().app(&app_id).filter().apps;
            let pauses = self.pauses(only.as_deref(), begin_ms, i64::MAX)?;
            watches.push((app_id, Watch { begin_ms, pauses }));
        }
        Ok(watches)
    }

    /// The pauses between two looks that touch a stretch of time, by leaps of as much as is no pause:
    /// a year of looks by the minute takes one step an hour.
    fn pauses(
        &self,
        apps: Option<&str>,
        since_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<(i64, i64)>, Error> {
        let look = |which: &str, from: i64, to: i64| -> Result<Option<i64>, Error> {
            self.db
                .prepare_cached(&format!(
                    "SELECT observed_at_ms FROM snapshot n
                     WHERE observed_at_ms > :from AND observed_at_ms <= :to AND {LOOKS}
                     ORDER BY observed_at_ms {which} LIMIT 1"
                ))
                .and_then(|mut statement| {
                    let params = named_params! { ":from": from, ":to": to, ":apps": apps };
                    statement.query_row(params, |row| row.get(0)).optional()
                })
                .doing("read when anything looked")
        };
        let latest = |from, to| look("DESC", from, to);
        let next = |from| look("ASC", from, i64::MAX);
        let mut pauses = Vec::new();
        let begin = match latest(i64::MIN, since_ms)? {
            Some(begin) => Some(begin),
            None => next(since_ms)?,
        };
        let Some(mut at) = begin else {
            return Ok(pauses);
        };
        while at < until_ms {
            if let Some(later) = latest(at, at.saturating_add(PAUSE_MS))? {
                at = later;
            } else if let Some(later) = next(at)? {
                pauses.push((at, later));
                at = later;
            } else {
                break;
            }
        }
        Ok(pauses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_met_at_the_end_of_the_stretch_in_which_it_came() {
        let watch = Watch {
            begin_ms: 100,
            pauses: vec![(200, 300), (500, 600)],
        };
        for (created, met) in [
            (0, Some(100)),
            (99, Some(100)),
            (100, None),
            (200, None), // that look showed it
            (201, Some(300)),
            (299, Some(300)),
            (300, None),
            (450, None),
            (599, Some(600)),
            (900, None),
        ] {
            assert_eq!(watch.met_ms(created), met, "{created}");
        }
    }
}
