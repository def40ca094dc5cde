//! How many ran at once at the most, and when? Swept exactly, not sampled.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::lives::Reckoned;
use super::looks::is_unseen;
use super::question::buckets;
use super::{Answer, GroupKey, History, Question, Reading, Row};
use crate::Error;
use crate::model::UtcMillis;
use crate::store::to_time;

/// The most processes of one group that ran at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConcurrencyRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// The first moment at which so many ran.
    pub at: UtcMillis,
    /// The peak.
    pub running: u64,
}

impl Row for ConcurrencyRow {
    const FIELDS: &'static [&'static str] = &["at", "running"];
}

impl History {
    /// The most processes that ran at once in the window, in each group, and the first moment at which
    /// they did. Groups, days and hours in which none ran have no row.
    ///
    /// A process runs from when it started until its end, as [`History::fleet_at`] has it; days and
    /// hours go as far as the record does.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn concurrency(&self, question: &Question) -> Result<Answer<ConcurrencyRow>, Error> {
        self.read(|reading| reading.concurrency(question))
    }
}

impl Reading<'_> {
    fn concurrency(&self, question: &Question) -> Result<Answer<ConcurrencyRow>, Error> {
        let mut excluded = Exclusions::default();
        let mut places: BTreeMap<GroupKey, Edges> = BTreeMap::new();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        // The record goes as far as anything looked, or is known to have happened.
        let last_look = self.last_look(question, UtcMillis::MAX)?;
        let last_look = last_look.unwrap_or(i64::MIN);
        let (mut last_known, mut unseen) = (last_look, 0);
        self.each_life(Reckoned::Alive, question, |life| {
            match life.times.run() {
                Err(reason) => excluded.count(reason),
                Ok(None) => {}
                Ok(Some((from, end))) => {
                    let end = end.map(UtcMillis::millis);
                    last_known = last_known.max(end.unwrap_or_else(|| from.millis()));
                    let from = from.millis().max(since);
                    if from < end.unwrap_or(i64::MAX).min(until) {
                        let place = question.place(&life.app_id, &life.region, &life.deployment_id);
                        places.entry(place).or_default().add(from, end, 1);
                        let last_seen = life.times.last_seen_at;
                        if end.is_none() && is_unseen(last_seen, last_look.min(until)) {
                            unseen += 1;
                        }
                    }
                }
            }
            Ok(())
        })?;
        let mut rows = Vec::new();
        let end = until.min(last_known.saturating_add(1));
        for (place, mut edges) in places {
            for peak in edges.peaks(end, question.bucket_ms())? {
                rows.push(ConcurrencyRow {
                    key: question.key_at(place.clone(), to_time(peak.at_ms)?),
                    at: to_time(peak.at_ms)?,
                    running: peak.level.unsigned_abs(),
                });
            }
        }
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Answer {
            unseen,
            ..self.answer("concurrency", question, excluded, rows)?
        })
    }
}

/// The moments at which a number changes, and by how much.
#[derive(Debug, Default)]
pub(super) struct Edges(Vec<(i64, i64)>);

/// The highest that a number stood in a stretch of time, and the first moment at which it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peak {
    pub at_ms: i64,
    pub level: i64,
}

impl Edges {
    /// It is higher by so much from `from` until before `until`, or from then on.
    pub fn add(&mut self, from_ms: i64, until_ms: Option<i64>, by: i64) {
        self.0.push((from_ms, by));
        if let Some(until_ms) = until_ms {
            self.0.push((until_ms, -by));
        }
    }

    /// The number from moment to moment.
    pub fn levels(&self) -> Levels {
        let mut levels = self.0.clone();
        levels.sort_unstable_by_key(|(at, _)| *at);
        let mut level = 0;
        for (_, by) in &mut levels {
            level += *by;
            *by = level;
        }
        Levels(levels)
    }

    /// The last of these moments.
    pub fn last_ms(&self) -> i64 {
        self.0.iter().map(|(at, _)| *at).max().unwrap_or(i64::MIN)
    }

    /// The peak of each day or hour until before `end_ms`, or of all of it; only of those in which the
    /// number was ever above zero.
    pub fn peaks(&mut self, end_ms: i64, bucket_ms: Option<i64>) -> Result<Vec<Peak>, Error> {
        self.0.sort_unstable_by_key(|(at, _)| *at);
        let Some((begin_ms, _)) = self.0.first().copied() else {
            return Ok(Vec::new());
        };
        let mut edges = self.0.chunk_by(|a, b| a.0 == b.0).peekable();
        let (mut level, mut peaks) = (0, Vec::new());
        for (from, until) in buckets(begin_ms, end_ms, bucket_ms)? {
            let mut peak = Peak { at_ms: from, level };
            while let Some(at_once) = edges.next_if(|edges| edges[0].0 < until) {
                // All that happens at a moment has happened then.
                level += at_once.iter().map(|(_, by)| by).sum::<i64>();
                if at_once[0].0 == from || level > peak.level {
                    peak = Peak {
                        at_ms: at_once[0].0,
                        level,
                    };
                }
            }
            if peak.level > 0 {
                peaks.push(peak);
            }
        }
        Ok(peaks)
    }
}

/// How high a number stands from each of a series of moments on.
#[derive(Debug, Default)]
pub(super) struct Levels(Vec<(i64, i64)>);

impl Levels {
    /// How high it stands at a moment, all that happens at it included.
    pub fn at(&self, at_ms: i64) -> i64 {
        let so_far = self.0.partition_point(|(at, _)| *at <= at_ms);
        so_far.checked_sub(1).map_or(0, |last| self.0[last].1)
    }

    /// The moments, in order.
    pub fn moments(&self) -> impl Iterator<Item = i64> {
        self.0.iter().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peaks(runs: &[(i64, Option<i64>)], end: i64, bucket: Option<i64>) -> Vec<(i64, i64)> {
        let mut edges = Edges::default();
        for (from, until) in runs {
            edges.add(*from, *until, 1);
        }
        let peaks = edges.peaks(end, bucket).expect("not too many");
        peaks.iter().map(|peak| (peak.at_ms, peak.level)).collect()
    }

    #[test]
    fn peaks_by_hand() {
        // One takes over from another at 5: never two.
        assert_eq!(peaks(&[(0, Some(5)), (5, Some(9))], 9, None), [(0, 1)]);
        assert_eq!(peaks(&[(0, Some(6)), (5, Some(9))], 9, None), [(5, 2)]);
        // What is of no length is never there.
        assert_eq!(peaks(&[(3, Some(3))], 9, None), []);
        // Twice as high: the first time counts.
        let twice = [(0, None), (2, Some(3)), (6, Some(7))];
        assert_eq!(peaks(&twice, 100, None), [(2, 2)]);
        // By tens: carried over into the second, where it is two from the first moment on; one in
        // the third, though nothing happens in it; the window ends there.
        let carried = [(8, Some(15)), (9, None)];
        assert_eq!(peaks(&carried, 30, Some(10)), [(9, 2), (10, 2), (20, 1)]);
        assert_eq!(peaks(&carried, 10, Some(10)), [(9, 2)]);
        // It ends just as the bucket begins.
        assert_eq!(
            peaks(&[(8, Some(10)), (12, Some(13))], 20, Some(10)),
            [(8, 1), (12, 1)]
        );
        assert_eq!(peaks(&[(8, Some(10))], 20, Some(10)), [(8, 1)]);
        assert_eq!(peaks(&[], 20, Some(10)), []);
    }
}
