//! How many ran at once at the most, and when? Swept exactly, not sampled.

use std::collections::HashMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::lives::Reckoned;
use super::looks::is_unseen;
use super::parts::Part;
use super::places::Places;
use super::question::buckets;
use super::radix;
use super::tally::{RowLife, Tally, TallyParts};
use super::two::in_two;
use super::{Answer, GroupKey, History, Question, Reading, Row};
use crate::Error;
use crate::model::{Excluded, Lifecycle, UtcMillis};
use crate::store::{Column, to_time};

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
        let window = (question.window.since_ms(), question.window.until_ms());
        // The record goes as far as anything looked, or is known to have happened.
        let last_look = self.last_look(question, UtcMillis::MAX)?;
        let last_look = last_look.unwrap_or(i64::MIN);
        let mut places = Places::new(*self, question)?;
        let make = || Running {
            window,
            last_look,
            last_known: last_look,
            unseen: 0,
            by_group: Vec::new(),
            excluded: HashMap::new(),
        };
        let needed = [
            Column::Kind,
            Column::Created,
            Column::Started,
            Column::Stopping,
            Column::Ended,
        ];
        let mut running = self.tally(Reckoned::Alive, question, &needed, &mut places, make)?;
        let edges = running
            .by_group
            .iter_mut()
            .flat_map(|runs| [&mut runs.starts, &mut runs.ends]);
        in_two(edges.collect(), |edges| radix::sort_millis(edges));
        let mut rows = Vec::new();
        let end = window.1.min(running.last_known.saturating_add(1));
        for (runs, group) in running.by_group.iter().zip(0..) {
            for peak in runs.peaks(end, question.bucket_ms())? {
                let at = to_time(peak.at_ms)?;
                rows.push(ConcurrencyRow {
                    key: places.key(group, at)?,
                    at,
                    running: peak.level.unsigned_abs(),
                });
            }
        }
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        let answer = self.answer("concurrency", question, Exclusions::default(), rows)?;
        let excluded = running.excluded.into_iter();
        Ok(Answer {
            unseen: running.unseen,
            excluded: excluded
                .map(|(reason, n)| (reason.to_string(), n))
                .collect(),
            ..answer
        })
    }
}

/// Who ran when, in each group.
struct Running {
    window: (i64, i64),
    last_look: i64,
    last_known: i64,
    unseen: u64,
    by_group: Vec<Runs>,
    excluded: HashMap<Excluded, u64>,
}

/// When runs began and when they ended; in order once they are sorted.
#[derive(Debug, Default)]
struct Runs {
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Running {
    #[inline]
    fn add(&mut self, group: u32, times: &Lifecycle) {
        let (since, until) = self.window;
        let (from, end) = match times.run() {
            Err(reason) => {
                *self.excluded.entry(reason).or_default() += 1;
                return;
            }
            Ok(None) => return,
            Ok(Some((from, end))) => (from.millis(), end.map(UtcMillis::millis)),
        };
        self.last_known = self.last_known.max(end.unwrap_or(from));
        let from = from.max(since);
        if from >= end.unwrap_or(i64::MAX).min(until) {
            return;
        }
        let runs = self.of(group);
        runs.starts.push(from);
        runs.ends.extend(end);
        if end.is_none() && is_unseen(times.last_seen_at, self.last_look.min(until)) {
            self.unseen += 1;
        }
    }

    #[inline]
    fn of(&mut self, group: u32) -> &mut Runs {
        let group = group as usize;
        if group >= self.by_group.len() {
            self.by_group.resize_with(group + 1, Runs::default);
        }
        &mut self.by_group[group]
    }
}

impl TallyParts for Running {
    fn part(&mut self, part: &Part) -> Result<(), Error> {
        part.each(|i, kind| {
            if let Some(group) = part.group(kind) {
                self.add(group, &part.times(i, &part.kinds()[kind]));
            }
        });
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.last_known = self.last_known.max(other.last_known);
        self.unseen += other.unseen;
        for (more, group) in other.by_group.into_iter().zip(0..) {
            let runs = self.of(group);
            runs.starts.extend(more.starts);
            runs.ends.extend(more.ends);
        }
        for (reason, n) in other.excluded {
            *self.excluded.entry(reason).or_default() += n;
        }
    }
}

impl Tally for Running {
    fn life(&mut self, life: &RowLife) -> Result<(), Error> {
        self.add(life.group, &life.times);
        Ok(())
    }
}

impl Runs {
    /// The peak of each day or hour until before `end_ms`, or of all of it; only of those in which any ran.
    fn peaks(&self, end_ms: i64, bucket_ms: Option<i64>) -> Result<Vec<Peak>, Error> {
        let Some(&begin_ms) = self.starts.first() else {
            return Ok(Vec::new());
        };
        let (mut starts, mut ends) = (&self.starts[..], &self.ends[..]);
        let (mut level, mut peaks) = (0, Vec::new());
        for (from, until) in buckets(begin_ms, end_ms, bucket_ms)? {
            let mut peak = Peak { at_ms: from, level };
            loop {
                let next = |times: &[i64]| times.first().copied().unwrap_or(i64::MAX);
                let at = next(starts).min(next(ends));
                if at >= until {
                    break;
                }
                // All that happens at a moment has happened then.
                while let [first, rest @ ..] = starts
                    && *first == at
                {
                    starts = rest;
                    level += 1;
                }
                while let [first, rest @ ..] = ends
                    && *first == at
                {
                    ends = rest;
                    level -= 1;
                }
                if at == from || level > peak.level {
                    peak = Peak { at_ms: at, level };
                }
            }
            if peak.level > 0 {
                peaks.push(peak);
            }
        }
        Ok(peaks)
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
        let mut sorted = Runs {
            starts: runs.iter().map(|(from, _)| *from).collect(),
            ends: runs.iter().filter_map(|(_, until)| *until).collect(),
        };
        radix::sort_millis(&mut sorted.starts);
        radix::sort_millis(&mut sorted.ends);
        assert_eq!(sorted.peaks(end, bucket).expect("not too many"), peaks);
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
