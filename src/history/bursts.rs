//! When did far more processes fail, or end, together than chance would have it?
//!
//! The null hypothesis is that the ends of a group fall evenly on the time that its processes lived: twice
//! as many that run, twice as many that end. Under it, the number of the group's ends that fall into a
//! stretch holding the share q of that time is binomial. A stretch is tried at each end, in each of a few
//! widths, so a likelihood is multiplied by the number of trials (Bonferroni): the scan statistic of
//! J. I. Naus, "The distribution of the size of the maximum cluster of points on a line", Journal of the
//! American Statistical Association 60 (1965), 532–538, with the union bound for its tail.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;
use statrs::function::beta::checked_beta_reg;

use super::answer::Exclusions;
use super::failures::ended_at;
use super::lives::{Life, Reckoned};
use super::{Answer, Group, GroupKey, History, Question, Reading, Row};
use crate::Error;
use crate::model::{Deployment, Excluded, Outcome, UtcMillis};
use crate::store::to_time;

/// What came together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BurstOf {
    /// Processes that failed.
    Failed,
    /// Processes that ended in any way.
    Ended,
}

/// A stretch of time in which far more of a group came to an end together than its own rate explains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BurstRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// Whether they failed, or ended in any way.
    pub of: BurstOf,
    /// The first of these ends.
    pub since: UtcMillis,
    /// The last of them.
    pub until: UtcMillis,
    /// How many there were.
    pub n: u64,
    /// How many the group's own rate would have had there.
    pub expected: f64,
    /// How many of the group were alive just before.
    pub alive: u64,
    /// Of these ends, how many were told to stop, and so did not end by themselves.
    pub told_to_stop: u64,
    /// The deployments of those that ended.
    pub deployment_ids: Vec<Deployment>,
    /// How likely so many would come together anywhere in the window by chance; at the most, and after
    /// allowing for all stretches that were tried.
    pub p: f64,
}

impl Row for BurstRow {
    const FIELDS: &'static [&'static str] = &[
        "of",
        "since",
        "until",
        "n",
        "expected",
        "alive",
        "told_to_stop",
        "deployment_ids",
        "p",
    ];
}

/// How long a stretch may be, in milliseconds.
const WIDTHS_MS: [i64; 4] = [60_000, 5 * 60_000, 15 * 60_000, 60 * 60_000];

/// Fewer are no burst, however unlikely.
const LEAST: usize = 5;

/// So many times as many as expected, at least: what is merely a little more is no burst, however
/// sure.
const TIMES: f64 = 3.0;

/// Less likely than that, or it is no burst.
const MOST_P: f64 = 0.001;

impl History {
    /// Stretches of the window, at most an hour long, in which far more processes failed, or ended in
    /// any way, than the rate of their own group over the window explains: at least five, at least three
    /// times as many, and less likely than one in a thousand.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn bursts(&self, question: &Question) -> Result<Answer<BurstRow>, Error> {
        self.read(|reading| reading.bursts(question))
    }
}

impl Reading<'_> {
    fn bursts(&self, question: &Question) -> Result<Answer<BurstRow>, Error> {
        // Within a day or an hour alone there would be nothing to compare with.
        let of_places = question
            .by
            .iter()
            .copied()
            .filter(|group| !matches!(group, Group::Day | Group::Hour));
        let about = question.clone().only_by(of_places);
        let mut excluded = Exclusions::default();
        let mut groups: BTreeMap<GroupKey, Lived> = BTreeMap::new();
        let (since, until) = (about.window.since_ms(), about.window.until_ms());
        self.each_life(Reckoned::Alive, &about, |life| {
            let over_ms = match life.times.outcome {
                Outcome::Open | Outcome::Lost => life.times.last_seen_at,
                Outcome::Stopped | Outcome::Failed => ended_at(&life)?,
            }
            .millis();
            let created_ms = life.times.created_at.millis();
            if over_ms < created_ms {
                excluded.count(Excluded::TimesOutOfOrder);
                return Ok(());
            }
            let key = about.place(&life.app_id, &life.region, &life.deployment_id);
            let lived = groups.entry(key).or_default();
            lived.add(created_ms.max(since), over_ms.min(until));
            if life.times.outcome.has_ended() && (since..until).contains(&over_ms) {
                lived.ends.push(End::of(&life, over_ms));
            }
            Ok(())
        })?;
        let mut rows = Vec::new();
        for (key, mut lived) in groups {
            lived.in_order();
            for of in [BurstOf::Failed, BurstOf::Ended] {
                let ends = lived.ends(of);
                for found in lived.bursts(&ends) {
                    rows.push(found.row(key.clone(), of, &ends)?);
                }
            }
        }
        rows.sort_by(|a, b| (&a.key, a.since, a.of).cmp(&(&b.key, b.since, b.of)));
        self.answer("failures", question, excluded, rows)
    }
}

/// How one process came to its end.
#[derive(Clone, Debug)]
struct End {
    at_ms: i64,
    failed: bool,
    told_to_stop: bool,
    deployment_id: Deployment,
}

impl End {
    fn of(life: &Life, at_ms: i64) -> Self {
        Self {
            at_ms,
            failed: life.times.outcome == Outcome::Failed,
            told_to_stop: life.times.stopping_at.is_some(),
            deployment_id: life.deployment_id.clone(),
        }
    }
}

/// The lives of a group in the window, and their ends.
#[derive(Default)]
struct Lived {
    begins: Vec<i64>,
    overs: Vec<i64>,
    /// Sums of `begins` and `overs` up to each, so that time lived is one subtraction.
    begins_sum: Vec<i128>,
    overs_sum: Vec<i128>,
    ends: Vec<End>,
}

impl Lived {
    fn add(&mut self, begin_ms: i64, over_ms: i64) {
        self.begins.push(begin_ms);
        self.overs.push(over_ms.max(begin_ms));
    }

    fn in_order(&mut self) {
        let sums = |moments: &mut Vec<i64>| {
            moments.sort_unstable();
            let sums = moments.iter().scan(0, |sum, at| {
                *sum += i128::from(*at);
                Some(*sum)
            });
            std::iter::once(0).chain(sums).collect()
        };
        self.begins_sum = sums(&mut self.begins);
        self.overs_sum = sums(&mut self.overs);
        self.ends.sort_by(|a, b| {
            (a.at_ms, &a.deployment_id, a.failed).cmp(&(b.at_ms, &b.deployment_id, b.failed))
        });
    }

    /// Milliseconds that all together lived before a moment.
    fn until(&self, at_ms: i64) -> i128 {
        let before = |moments: &[i64], sums: &[i128]| {
            let n = moments.partition_point(|moment| *moment < at_ms);
            (n as i128) * i128::from(at_ms) - sums[n]
        };
        before(&self.begins, &self.begins_sum) - before(&self.overs, &self.overs_sum)
    }

    /// How many were alive just before a moment.
    fn alive_before(&self, at_ms: i64) -> usize {
        let before = |moments: &[i64]| moments.partition_point(|moment| *moment < at_ms);
        before(&self.begins) - before(&self.overs)
    }

    /// The ends of a kind, in order of time.
    fn ends(&self, of: BurstOf) -> Vec<&End> {
        let is_meant = |end: &&End| of == BurstOf::Ended || end.failed;
        self.ends.iter().filter(is_meant).collect()
    }

    /// The bursts among these ends, the least likely first; no two share one.
    fn bursts(&self, ends: &[&End]) -> Vec<Found> {
        let all_lived = self.until(i64::MAX) as f64;
        let trials = (ends.len() * WIDTHS_MS.len()) as f64;
        let mut found: Vec<Found> = Vec::new();
        for first in 0..ends.len() {
            let since_ms = ends[first].at_ms;
            if first > 0 && ends[first - 1].at_ms == since_ms {
                continue; // part of what begins with the first of them
            }
            let alive = self.alive_before(since_ms);
            for width_ms in WIDTHS_MS {
                let last = ends.partition_point(|end| end.at_ms < since_ms + width_ms);
                let n = last - first;
                // Whoever ends no longer lives, and must not make the stretch seem to hold little.
                let lived = self.until(since_ms + width_ms) - self.until(since_ms);
                let lived = (lived as f64).max(alive as f64 * width_ms as f64);
                let share = (lived / all_lived.max(lived)).clamp(0.0, 1.0);
                let expected = share * ends.len() as f64;
                if n < LEAST || (n as f64) < TIMES * expected {
                    continue;
                }
                let p = (trials * at_least(n - 1, ends.len() - 1, share)).min(1.0);
                if p < MOST_P {
                    found.push(Found {
                        ends: first..last,
                        expected,
                        alive,
                        p,
                    });
                }
            }
        }
        // Of those that share an end the least likely one is told.
        found.sort_by(|a, b| {
            a.p.total_cmp(&b.p)
                .then_with(|| (b.ends.len(), a.ends.start).cmp(&(a.ends.len(), b.ends.start)))
        });
        let mut told: Vec<Found> = Vec::new();
        for burst in found {
            let apart = |other: &Found| {
                burst.ends.end <= other.ends.start || other.ends.end <= burst.ends.start
            };
            if told.iter().all(apart) {
                told.push(burst);
            }
        }
        told
    }
}

/// How likely at least `k` of `n` are, each with the likelihood `p`: the binomial tail as an incomplete
/// beta function.
fn at_least(k: usize, n: usize, p: f64) -> f64 {
    if k == 0 || p >= 1.0 {
        return 1.0;
    }
    if p <= 0.0 || k > n {
        return 0.0;
    }
    checked_beta_reg(k as f64, (n - k + 1) as f64, p).unwrap_or(1.0)
}

/// A burst that was found.
struct Found {
    /// Which of all ends.
    ends: Range<usize>,
    expected: f64,
    alive: usize,
    p: f64,
}

impl Found {
    fn row(self, key: GroupKey, of: BurstOf, all: &[&End]) -> Result<BurstRow, Error> {
        let ends = &all[self.ends];
        let moments = || ends.iter().map(|end| end.at_ms);
        let deployments: BTreeSet<&Deployment> =
            ends.iter().map(|end| &end.deployment_id).collect();
        Ok(BurstRow {
            key,
            of,
            since: to_time(moments().min().unwrap_or_default())?,
            until: to_time(moments().max().unwrap_or_default())?,
            n: ends.len() as u64,
            expected: self.expected,
            alive: self.alive as u64,
            told_to_stop: ends.iter().filter(|end| end.told_to_stop).count() as u64,
            deployment_ids: deployments.into_iter().cloned().collect(),
            p: self.p,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The binomial tail with whole numbers.
    #[test]
    fn the_tail_as_a_sum() {
        let choose =
            |n: u32, k: u32| (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
        for (k, n, p) in [
            (0, 5, 0.3),
            (1, 5, 0.3),
            (5, 5, 0.3),
            (3, 40, 0.01),
            (7, 12, 0.5),
            (6, 5, 0.5),
        ] {
            let expected: f64 = (k..=n)
                .map(|i| choose(n, i) * f64::powi(p, i as i32) * f64::powi(1.0 - p, (n - i) as i32))
                .sum();
            let found = at_least(k as usize, n as usize, p);
            assert!(
                (found - expected).abs() < 1e-12,
                "{k} of {n}: {found} {expected}"
            );
        }
        assert_eq!((at_least(3, 5, 0.0), at_least(3, 5, 1.0)), (0.0, 1.0));
        // Smaller than one less what is likely could tell.
        assert!(at_least(50, 1000, 0.001) > 0.0 && at_least(50, 1000, 0.001) < 1e-60);
    }

    const MINUTE: i64 = 60_000;

    /// One in each slot, ended at these minutes; each lived from the end of the one before.
    fn lived(ends: &[i64], slots: usize) -> Lived {
        let mut lived = Lived::default();
        for slot in 0..slots {
            let mut begin = 0;
            for minute in ends.iter().skip(slot).step_by(slots) {
                lived.add(begin, minute * MINUTE);
                begin = minute * MINUTE;
                lived.ends.push(End {
                    at_ms: begin,
                    failed: false,
                    told_to_stop: slot % 2 == 0,
                    deployment_id: Deployment::Number(slot as i64 % 2),
                });
            }
            lived.add(begin, 1440 * MINUTE);
        }
        lived.in_order();
        lived
    }

    fn spans(lived: &Lived) -> Vec<(i64, i64, usize)> {
        let ends = lived.ends(BurstOf::Ended);
        let mut spans: Vec<_> = lived
            .bursts(&ends)
            .into_iter()
            .map(|found| {
                let at = |index: usize| ends[index].at_ms / MINUTE;
                (
                    at(found.ends.start),
                    at(found.ends.end - 1),
                    found.ends.len(),
                )
            })
            .collect();
        spans.sort_unstable();
        spans
    }

    #[test]
    fn ends_that_are_spread_evenly_are_no_burst() {
        let even: Vec<i64> = (0..144).map(|n| 10 * n + 5).collect();
        assert_eq!(spans(&lived(&even, 12)), []);
        // Nor are four at once, of however many.
        assert_eq!(spans(&lived(&[700, 700, 700, 700], 4)), []);
        assert_eq!(spans(&lived(&[], 3)), []);
    }

    #[test]
    fn a_restart_of_all_is_one_burst() {
        let mut ends: Vec<i64> = (0..144).map(|n| 10 * n + 5).collect();
        ends.extend([722; 12]);
        ends.sort_unstable();
        assert_eq!(spans(&lived(&ends, 12)), [(722, 722, 12)]);
        // Two, hours apart, are two; the wider stretch that holds more of one is that one.
        ends.extend([1200, 1201, 1201, 1202, 1203, 1203, 1203, 1203, 1204, 1204]);
        ends.sort_unstable();
        assert_eq!(spans(&lived(&ends, 12)), [(722, 722, 12), (1200, 1204, 10)]);
    }

    /// Eight hours of ten times as many processes end ten times as many, which is no burst.
    #[test]
    fn a_busy_day_is_no_burst() {
        let mut lived = Lived::default();
        for (from, until, slots) in [(0, 1440, 4), (480, 960, 36)] {
            for slot in 0..slots {
                let mut begin = from + slot * 40 / slots;
                while begin < until {
                    let over = (begin + 40).min(1440);
                    lived.add(begin * MINUTE, over * MINUTE);
                    if over < 1440 {
                        lived.ends.push(End {
                            at_ms: over * MINUTE,
                            failed: false,
                            told_to_stop: false,
                            deployment_id: Deployment::Number(1),
                        });
                    }
                    begin = over;
                }
            }
        }
        lived.in_order();
        assert_eq!(spans(&lived), []);
    }
}
