//! When did anything look that may have shown an app?

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, named_params};

use super::deployments::PLACES;
use super::{Question, Reading};
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

/// What archives look at, where looks are told apart by app.
pub(super) const ARCHIVES: i64 = -1;

/// The looks that may have shown some apps, or any.
pub(super) struct Looks<'r> {
    pub reading: Reading<'r>,
    /// The apps, and [`ARCHIVES`] if those look at one of them; no others.
    pub apps: Vec<i64>,
    /// Whether these are all that there are.
    pub all: bool,
    /// None later than this.
    pub then_ms: i64,
}

/// Apps that were looked at together.
pub(super) struct Alike {
    /// Their names.
    pub apps: Vec<String>,
    /// As looks are told apart: a word, or [`ARCHIVES`], or both.
    looked_at: Vec<i64>,
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
        let looked_at = match apps {
            Some(apps) => self
                .db
                .prepare_cached(
                    "WITH asked AS (
                         SELECT word_id FROM word WHERE text IN (SELECT value FROM json_each(:apps)))
                     SELECT word_id FROM asked
                     UNION ALL SELECT :archives
                     WHERE EXISTS (SELECT 1 FROM archive_app x WHERE x.app IN asked)",
                )
                .and_then(|mut statement| {
                    let params = named_params! { ":apps": apps, ":archives": ARCHIVES };
                    let apps = statement.query_map(params, |row| row.get(0))?;
                    apps.collect()
                }),
            None => self
                .db
                .prepare_cached(ALL_LOOKED_AT)
                .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect()),
        };
        Ok(Looks {
            reading: *self,
            apps: looked_at.doing("read what looked")?,
            all: apps.is_none(),
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
    pub fn looked_at_alike(&self, about: &Question) -> Result<Vec<Alike>, Error> {
        let apps: Vec<(String, i64, bool, bool)> = self
            .db
            .prepare_cached(&format!(
                "WITH looked AS MATERIALIZED ({ALL_LOOKED_AT})
                 SELECT text, word_id, word_id IN (SELECT app FROM looked) AS synced,
                        word_id IN (SELECT app FROM archive_app) AS archived
                 FROM word
                 WHERE word_id IN (SELECT app FROM looked UNION SELECT app FROM archive_app)
                   AND (:apps IS NULL OR text IN (SELECT value FROM json_each(:apps)))
                 ORDER BY text"
            ))
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                };
                statement
                    .query_map(&[(":apps", &about.filter().apps)], read)?
                    .collect()
            })
            .doing("read which apps are on record")?;
        let mut alike = Vec::new();
        let mut archived = Alike {
            apps: Vec::new(),
            looked_at: vec![ARCHIVES],
        };
        for (app, word, is_synced, is_archived) in apps {
            if is_synced {
                alike.push(Alike {
                    apps: vec![app],
                    looked_at: [word]
                        .into_iter()
                        .chain(is_archived.then_some(ARCHIVES))
                        .collect(),
                });
            } else {
                archived.apps.push(app);
            }
        }
        if !archived.apps.is_empty() {
            alike.push(archived);
        } else if alike.is_empty() {
            alike.push(Alike {
                apps: about.apps.clone(),
                looked_at: Vec::new(),
            });
        }
        Ok(alike)
    }

    /// The looks by `then` at apps that were looked at together.
    pub fn looks_at(&self, alike: &Alike, then: UtcMillis) -> Looks<'r> {
        Looks {
            reading: *self,
            apps: alike.looked_at.clone(),
            all: false,
            then_ms: then.millis(),
        }
    }

    /// When each of the apps asked about came under observation: with the first look of a sync, else
    /// when the first of its processes was seen, since an archive need not be about it.
    pub fn watches(&self, about: &Question) -> Result<BTreeMap<String, Watch>, Error> {
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT a.text AS app_id,
                        min(p.first_ms,
                            coalesce((SELECT min(s.from_ms) FROM look_stretch s WHERE s.app = p.app),
                                     p.first_ms)) AS begin_ms
                 FROM (SELECT app, min(first_seen_ms) AS first_ms FROM ({PLACES}) GROUP BY app) p
                 JOIN word a ON a.word_id = p.app
                 WHERE :apps IS NULL OR a.text IN (SELECT value FROM json_each(:apps))"
            ))
            .doing("read when apps were first seen")?;
        let begins: BTreeMap<String, i64> = statement
            .query_map(named_params! { ":apps": about.filter().apps }, |row| {
                Ok((row.get("app_id")?, row.get("begin_ms")?))
            })
            .and_then(Iterator::collect)
            .doing("read when apps were first seen")?;
        let mut watches = BTreeMap::new();
        for alike in self.looked_at_alike(about)? {
            let looks = self.looks_at(&alike, UtcMillis::MAX);
            let pauses = looks.pauses(i64::MIN, i64::MAX)?;
            for app_id in alike.apps {
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

/// What is looked at, app by app, each found from the one before.
const ALL_LOOKED_AT: &str = "WITH RECURSIVE looked_at (app) AS (
         SELECT min(app) FROM look_stretch
         UNION ALL
         SELECT (SELECT min(s.app) FROM look_stretch s WHERE s.app > l.app)
         FROM looked_at l WHERE l.app IS NOT NULL)
     SELECT app FROM looked_at WHERE app IS NOT NULL";

impl Looks<'_> {
    /// The first and the last.
    pub fn period(&self) -> Result<Option<(i64, i64)>, Error> {
        let mut period: Option<(i64, i64)> = None;
        for app in &self.apps {
            let Some(first) = self.first(*app)?.filter(|first| *first <= self.then_ms) else {
                continue;
            };
            let last = self.from(*app, self.then_ms)?.map_or(first, |(_, to)| to);
            period =
                Some(period.map_or((first, last), |(from, to)| (from.min(first), to.max(last))));
        }
        Ok(period)
    }

    /// The last.
    pub fn last(&self) -> Result<Option<i64>, Error> {
        Ok(self.period()?.map(|(_, last)| last))
    }

    /// The pauses between two that touch a stretch of time.
    pub fn pauses(&self, since_ms: i64, until_ms: i64) -> Result<Vec<(i64, i64)>, Error> {
        let mut stretches = Vec::new();
        for app in &self.apps {
            self.stretches(*app, since_ms, until_ms, &mut stretches)?;
        }
        let touches = |(from, to): &(i64, i64)| {
            // What lies between two looks begins a millisecond after the one.
            *to > since_ms && from.saturating_add(1) < until_ms
        };
        Ok(between(stretches).into_iter().filter(touches).collect())
    }

    /// The stretches of looks at an app from the last that begins by `since_ms` to the first that does not
    /// begin before `until_ms`: no look that bounds a pause in between is in any other.
    fn stretches(
        &self,
        app: i64,
        since_ms: i64,
        until_ms: i64,
        all: &mut Vec<(i64, i64)>,
    ) -> Result<(), Error> {
        let mut statement = self
            .reading
            .db
            .prepare_cached(
                "SELECT from_ms, to_ms FROM look_stretch
                 WHERE app = :app AND from_ms <= :then
                   AND from_ms >= coalesce((SELECT max(s.from_ms) FROM look_stretch s
                                            WHERE s.app = :app AND s.from_ms <= :since), :since)
                   AND from_ms <= coalesce((SELECT min(s.from_ms) FROM look_stretch s
                                            WHERE s.app = :app AND s.from_ms >= :until), :until)
                 ORDER BY from_ms",
            )
            .doing("read when anything looked")?;
        let params = named_params! {
            ":app": app, ":since": since_ms, ":until": until_ms, ":then": self.then_ms,
        };
        let mut rows = statement.query(params).doing("read when anything looked")?;
        while let Some(row) = rows.next().doing("read when anything looked")? {
            let read = |i| row.get(i).doing("read when anything looked");
            all.push((read(0)?, self.by_then(app, read(1)?)?));
        }
        Ok(())
    }

    /// The first look at an app, whenever that was.
    fn first(&self, app: i64) -> Result<Option<i64>, Error> {
        self.reading
            .db
            .prepare_cached("SELECT min(from_ms) FROM look_stretch WHERE app = :app")
            .and_then(|mut statement| {
                statement.query_row(named_params! { ":app": app }, |row| row.get(0))
            })
            .doing("read when anything looked")
    }

    /// The last stretch of looks at an app that begins by then.
    fn from(&self, app: i64, by_ms: i64) -> Result<Option<(i64, i64)>, Error> {
        let found: Option<(i64, i64)> = self
            .reading
            .db
            .prepare_cached(
                "SELECT from_ms, to_ms FROM look_stretch WHERE app = :app AND from_ms <= :by
                 ORDER BY from_ms DESC LIMIT 1",
            )
            .and_then(|mut statement| {
                let params = named_params! { ":app": app, ":by": by_ms };
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                statement.query_row(params, read).optional()
            })
            .doing("read when anything looked")?;
        found
            .map(|(from, to)| Ok((from, self.by_then(app, to)?)))
            .transpose()
    }

    /// Where a stretch of looks at an app ends, of which only those by `then` count.
    fn by_then(&self, app: i64, to_ms: i64) -> Result<i64, Error> {
        if to_ms <= self.then_ms {
            return Ok(to_ms);
        }
        self.reading
            .db
            .prepare_cached(
                "SELECT max((SELECT max(n.observed_at_ms) FROM snapshot n
                             WHERE n.stream_id = t.stream_id AND n.observed_at_ms <= :then))
                 FROM stream t WHERE t.app IS :app",
            )
            .and_then(|mut statement| {
                let app = Some(app).filter(|app| *app != ARCHIVES);
                let params = named_params! { ":app": app, ":then": self.then_ms };
                statement.query_row(params, |row| row.get(0))
            })
            .doing("read when anything looked")
    }
}

/// The pauses between stretches of looks, in whatever order these are.
fn between(mut stretches: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    stretches.sort_unstable();
    let mut pauses = Vec::new();
    let mut looked_until: Option<i64> = None;
    for (from, to) in stretches {
        match looked_until {
            Some(until) if from.saturating_sub(until) > PAUSE_MS => pauses.push((until, from)),
            _ => {}
        }
        looked_until = looked_until.max(Some(to));
    }
    pauses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_what_no_stretch_of_looks_fills() {
        let pause = PAUSE_MS + 1;
        for (stretches, pauses) in [
            (&[][..], &[][..]),
            (&[(5, 9)], &[]),
            (&[(0, 3), (3 + PAUSE_MS, 3 + PAUSE_MS)], &[]),
            (&[(0, 3), (3 + pause, 3 + pause)], &[(3, 3 + pause)]),
            // In any order; one that another one holds ends nothing.
            (
                &[(20 * pause, 20 * pause), (2, 3), (0, 10 * pause)],
                &[(10 * pause, 20 * pause)],
            ),
            (
                &[(0, 1), (4 * pause, 5 * pause), (2 * pause, 2 * pause)],
                &[(1, 2 * pause), (2 * pause, 4 * pause)],
            ),
        ] {
            assert_eq!(between(stretches.to_vec()), pauses, "{stretches:?}");
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
