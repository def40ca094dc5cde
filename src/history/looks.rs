//! When did anything look that may have shown an app?

use std::collections::BTreeMap;

use rusqlite::named_params;

use super::{Question, Reading, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;

/// Platforms show what has ended for about an hour, so a pause between two looks that is longer than
/// that may hide whole lives. A minute more, for looks that are to be an hour apart come a little late.
pub(super) const PAUSE_MS: i64 = 61 * 60_000;

/// Whether a process that was last seen then had gone unseen for long by a moment.
pub(super) fn is_unseen(last_seen: UtcMillis, by_ms: i64) -> bool {
    by_ms - last_seen.millis() > PAUSE_MS
}

/// The looks that may have shown some apps, or any.
pub(super) struct Looks<'r> {
    reading: Reading<'r>,
    /// The streams that are about these apps, in which they stand in order of time.
    streams: Vec<i64>,
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
    /// The looks by `then` that may have shown these apps, a list as JSON; any where there is none. What
    /// is about no app in particular is an archive.
    pub fn looks(&self, apps: Option<&str>, then: UtcMillis) -> Result<Looks<'r>, Error> {
        let streams = self
            .db
            .prepare_cached(
                "WITH asked AS (
                     SELECT word_id FROM word WHERE text IN (SELECT value FROM json_each(:apps)))
                 SELECT stream_id FROM stream
                 WHERE :apps IS NULL OR app IN asked
                    OR (app IS NULL AND EXISTS (SELECT 1 FROM archive_app x WHERE x.app IN asked))",
            )
            .and_then(|mut statement| {
                let streams = statement.query_map(&[(":apps", &apps)], |row| row.get(0))?;
                streams.collect()
            })
            .doing("read what looked")?;
        Ok(Looks {
            reading: *self,
            streams,
            then_ms: then.millis(),
        })
    }

    /// The last look that may have shown any of the apps asked about.
    pub fn last_look(&self, about: &Question, then: UtcMillis) -> Result<Option<i64>, Error> {
        self.looks(about.filter().apps.as_deref(), then)?.last()
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
        let begins: BTreeMap<String, i64> = statement
            .query_map(named_params! { ":apps": about.filter().apps }, |row| {
                Ok((row.get("app_id")?, row.get("begin_ms")?))
            })
            .and_then(Iterator::collect)
            .doing("read when apps were first seen")?;
        let mut watches = BTreeMap::new();
        for apps in self.looked_at_alike(about)? {
            let only = Question::default().only_apps(apps.iter().cloned());
            let looks = self.looks(only.filter().apps.as_deref(), UtcMillis::MAX)?;
            let pauses = looks.pauses(i64::MIN, i64::MAX)?;
            for app_id in apps {
                let Some(begin_ms) = begins.get(&app_id) else {
                    continue; // looked at, and nobody was there
                };
                // It begins with a look, so no pause reaches over its beginning.
                let since = pauses.partition_point(|(since, _)| since < begin_ms);
                let watch = Watch::new(*begin_ms, pauses[since..].to_vec());
                watches.insert(app_id, watch);
            }
        }
        Ok(watches)
    }
}

impl Looks<'_> {
    /// The first and the last.
    pub fn period(&self) -> Result<Option<(i64, i64)>, Error> {
        let (mut first, mut last) = (None::<i64>, None::<i64>);
        for stream in &self.streams {
            let one = self.next(*stream, i64::MIN)?;
            first = first.into_iter().chain(one).min();
            last = last.max(self.latest(*stream, i64::MIN, i64::MAX)?);
        }
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
            .prepare_cached(
                "SELECT count(DISTINCT run_id) FROM snapshot
                 WHERE observed_at_ms >= :since AND observed_at_ms < :until
                   AND observed_at_ms <= :then
                   AND stream_id IN (SELECT value FROM json_each(:streams))",
            )
            .and_then(|mut statement| {
                let params = named_params! {
                    ":since": window.since_ms(),
                    ":until": window.until_ms(),
                    ":then": self.then_ms,
                    ":streams": serde_json::Value::from(self.streams.clone()).to_string(),
                };
                statement.query_row(params, |row| row.get(0))
            })
            .doing("count runs")?;
        Ok(runs.cast_unsigned())
    }

    /// The pauses between two that touch a stretch of time.
    pub fn pauses(&self, since_ms: i64, until_ms: i64) -> Result<Vec<(i64, i64)>, Error> {
        // Nothing looked where no stream did.
        let mut all = vec![(i64::MIN, i64::MAX)];
        for stream in &self.streams {
            all = both(&all, &self.breaks(*stream, since_ms, until_ms)?);
        }
        let is_pause = |(from, to): &(i64, i64)| *from > i64::MIN && *to < i64::MAX;
        Ok(all.into_iter().filter(is_pause).collect())
    }

    /// Where one stream has no look for as long as a pause, before its first and after its last ones, too;
    /// those that touch a stretch of time. By leaps of as much as is no pause: a year of looks by the
    /// minute takes one step an hour.
    fn breaks(&self, stream: i64, since_ms: i64, until_ms: i64) -> Result<Vec<(i64, i64)>, Error> {
        let mut breaks = Vec::new();
        let mut at = match self.latest(stream, i64::MIN, since_ms)? {
            Some(before) => before,
            None => {
                let first = self.next(stream, since_ms)?.unwrap_or(i64::MAX);
                breaks.push((i64::MIN, first));
                first
            }
        };
        // What lies between two looks begins a millisecond after the one.
        while at.saturating_add(1) < until_ms {
            at = match self.latest(stream, at, at.saturating_add(PAUSE_MS))? {
                Some(later) => later,
                None => {
                    let next = self.next(stream, at)?.unwrap_or(i64::MAX);
                    breaks.push((at, next));
                    next
                }
            };
        }
        Ok(breaks)
    }

    /// The last one of a stream after `from` and not after `to`.
    fn latest(&self, stream: i64, from: i64, to: i64) -> Result<Option<i64>, Error> {
        self.one("max", stream, from, to)
    }

    /// The first one of a stream after `from`.
    fn next(&self, stream: i64, from: i64) -> Result<Option<i64>, Error> {
        self.one("min", stream, from, i64::MAX)
    }

    fn one(&self, which: &str, stream: i64, from: i64, to: i64) -> Result<Option<i64>, Error> {
        let to = to.min(self.then_ms);
        self.reading
            .db
            .prepare_cached(&format!(
                "SELECT {which}(observed_at_ms) FROM snapshot
                 WHERE stream_id = :stream AND observed_at_ms > :from AND observed_at_ms <= :to"
            ))
            .and_then(|mut statement| {
                let params = named_params! { ":stream": stream, ":from": from, ":to": to };
                statement.query_row(params, |row| row.get(0))
            })
            .doing("read when anything looked")
    }
}

/// Where two lists of stretches have as much as a pause in common; each is in order, and so is this.
fn both(a: &[(i64, i64)], b: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut common = Vec::new();
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        let (from, to) = (one.0.max(other.0), one.1.min(other.1));
        if to.saturating_sub(from) > PAUSE_MS {
            common.push((from, to));
        }
        if one.1 < other.1 {
            a.next();
        } else {
            b.next();
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_streams_leave_what_neither_saw() {
        let pause = PAUSE_MS + 1;
        let (never, ever) = (i64::MIN, i64::MAX);
        let one = [(never, 0), (10 * pause, 14 * pause), (20 * pause, ever)];
        for (other, common) in [
            (&[(never, ever)][..], &one[..]),
            (&[], &[]),
            // It looked at 12, so that there are two.
            (
                &[(never, 12 * pause), (12 * pause, ever)],
                &[
                    (never, 0),
                    (10 * pause, 12 * pause),
                    (12 * pause, 14 * pause),
                    (20 * pause, ever),
                ],
            ),
            // At 11, 13 and 15, with what is left too short but for one.
            (
                &[(11 * pause, 13 * pause - 2), (13 * pause - 2, 15 * pause)],
                &[(11 * pause, 13 * pause - 2), (13 * pause - 2, 14 * pause)],
            ),
            (&[(never, 10 * pause + PAUSE_MS)], &[(never, 0)]),
            (&[(14 * pause, 20 * pause)], &[]),
        ] {
            assert_eq!(both(&one, other), common, "{other:?}");
            assert_eq!(both(other, &one), common, "{other:?}");
        }
    }

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
