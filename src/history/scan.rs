//! Where do moments lie far closer together than the time that was lived explains? Pure: no clock, SQL
//! or network.
//!
//! The null hypothesis is that the moments of a group fall evenly on the time that it lived: twice as
//! many that run, twice as many that end. Given how many fall into a stretch and into the rest that it is
//! held against, the number in the stretch is then binomial, with the share of the time lived that the
//! stretch holds. A stretch is tried at each moment, in each of a few widths, so a likelihood is
//! multiplied by the number of trials (Bonferroni): the scan statistic of J. I. Naus, "The distribution of
//! the size of the maximum cluster of points on a line", Journal of the American Statistical Association
//! 60 (1965), 532–538, with the union bound for its tail.
//!
//! A rate that is higher for hours is no cluster. So a stretch is held against all else, and against the
//! time around it as well; where the rate takes a step, one of its two sides has that of the stretch.

use std::ops::Range;

use statrs::function::factorial::ln_binomial;

/// How long a stretch may be, in milliseconds.
const WIDTHS_MS: [i64; 5] = [1_000, 10_000, 60_000, 5 * 60_000, 15 * 60_000];

/// How far the time around reaches on either side, in milliseconds: as much time lived as whoever the
/// stretch holds would live in so long.
const AROUND_MS: i64 = 3_600_000;

/// A side that holds less, in times of what the stretch does, only counts together with the other.
const LEAST_AROUND: i128 = 4;

/// What makes a stretch a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Fewer are none, however unlikely.
    pub least: usize,
    /// So many times as many as expected, at least: what is merely a little more is none, however sure.
    pub times: f64,
    /// Less likely than that, or it is none.
    pub most_p: f64,
}

/// What makes it a burst.
pub(super) const BURST: Limits = Limits {
    least: 5,
    times: 3.0,
    most_p: 0.001,
};

/// Moments that lie too close together.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// Which of all.
    pub moments: Range<usize>,
    /// How many there would be, were they and those that it was held against spread evenly; the most of
    /// these numbers.
    pub expected: f64,
    /// How many were alive just before.
    pub alive: usize,
    /// The logarithm of its likelihood; the likelihood itself may be too small for a number.
    ln_p: f64,
}

impl Cluster {
    /// How likely such a one is anywhere; at the most.
    pub fn p(&self) -> f64 {
        self.ln_p.exp().min(1.0)
    }
}

/// The clusters among these moments, which are in order; the least likely first, and no two share one.
pub(super) fn clusters(lived: &Lived, moments: &[i64], limits: Limits) -> Vec<Cluster> {
    let trials = (moments.len() * WIDTHS_MS.len()) as f64;
    let mut found: Vec<Cluster> = Vec::new();
    for first in 0..moments.len() {
        if first > 0 && moments[first - 1] == moments[first] {
            continue; // part of what begins with the first of them
        }
        for width_ms in WIDTHS_MS {
            let tried = stretch(lived, moments, first, width_ms, limits).map(|tried| Cluster {
                ln_p: tried.ln_p + trials.ln(),
                ..tried
            });
            found.extend(tried.filter(|tried| tried.p() < limits.most_p));
        }
    }
    found.sort_by(|a, b| {
        let more = b.moments.len().cmp(&a.moments.len());
        (a.ln_p.total_cmp(&b.ln_p).then(more)).then(a.moments.start.cmp(&b.moments.start))
    });
    let mut told: Vec<Cluster> = Vec::new();
    for cluster in found {
        let apart = |other: &Cluster| {
            let (a, b) = (&cluster.moments, &other.moments);
            a.end <= b.start || b.end <= a.start
        };
        if told.iter().all(apart) {
            told.push(cluster);
        }
    }
    told
}

/// What a stretch is held against: how many moments it has, and the time lived in it.
struct Rest {
    moments: usize,
    lived: i128,
}

/// The stretch that begins with a moment and is so long; none if there are too few in it.
fn stretch(
    lived: &Lived,
    moments: &[i64],
    first: usize,
    width_ms: i64,
    limits: Limits,
) -> Option<Cluster> {
    let (since, until) = (moments[first], moments[first] + width_ms);
    let before = |at: i64| moments.partition_point(|moment| *moment < at);
    let last = before(until);
    let n = last - first;
    if n < limits.least {
        return None;
    }
    let alive = lived.alive_before(since);
    // Whoever ends no longer lives, and must not make the stretch seem to hold little.
    let there = lived.between(since, until);
    let held = there.max(alive as i128 * i128::from(width_ms)).max(1);

    let against = |rest: Rest| {
        let share = held as f64 / (held + rest.lived) as f64;
        let all = n + rest.moments;
        let expected = share * all as f64;
        // Given the first, which is there because the stretch begins with it.
        let likely = || ln_at_least(n - 1, all - 1, share);
        (n as f64 >= limits.times * expected).then(|| (expected, likely()))
    };
    let all_else = Rest {
        moments: moments.len() - n,
        lived: lived.all() - there,
    };
    let (mut expected, mut ln_p) = against(all_else)?;

    let around = held * i128::from(AROUND_MS / width_ms);
    let (from, to) = (lived.back(since, around), lived.forth(until, around));
    let one = Rest {
        moments: first - before(from),
        lived: lived.between(from, since),
    };
    let other = Rest {
        moments: before(to) - last,
        lived: lived.between(until, to),
    };
    let both = Rest {
        moments: one.moments + other.moments,
        lived: one.lived + other.lived,
    };
    // At the edge of what is known one side may be next to nothing.
    let enough = |side: &Rest| side.lived >= held * LEAST_AROUND;
    for rest in [one, other].into_iter().filter(enough).chain([both]) {
        let (more, likelier) = against(rest)?;
        (expected, ln_p) = (expected.max(more), ln_p.max(likelier));
    }
    Some(Cluster {
        moments: first..last,
        expected,
        alive,
        ln_p,
    })
}

/// The logarithm of how likely at least `k` of `n` are, each with the likelihood `p`: the binomial tail,
/// from its first term on.
fn ln_at_least(k: usize, n: usize, p: f64) -> f64 {
    if k == 0 || p >= 1.0 {
        return 0.0;
    }
    if p <= 0.0 || k > n {
        return f64::NEG_INFINITY;
    }
    let first = ln_binomial(n as u64, k as u64) + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p();
    let (mut term, mut sum) = (1.0, 1.0);
    for k in k..n {
        let ratio = (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        term *= ratio;
        sum += term;
        // What is left is less than a series that falls by the same ratio each time.
        if ratio < 1.0 && term * ratio < sum * (1.0 - ratio) * f64::EPSILON {
            break;
        }
    }
    (first + f64::ln(sum)).min(0.0)
}

/// When the processes of a group lived.
pub(super) struct Lived {
    begins: Vec<i64>,
    overs: Vec<i64>,
    /// Sums of `begins` and `overs` up to each, so that time lived is one subtraction.
    begins_sum: Vec<i128>,
    overs_sum: Vec<i128>,
}

impl Lived {
    /// Each from when until when; none ends before it begins.
    pub fn of(lives: Vec<(i64, i64)>) -> Self {
        let (mut begins, mut overs): (Vec<_>, Vec<_>) = lives.into_iter().unzip();
        let sums = |moments: &mut Vec<i64>| {
            moments.sort_unstable();
            let sums = moments.iter().scan(0, |sum, at| {
                *sum += i128::from(*at);
                Some(*sum)
            });
            std::iter::once(0).chain(sums).collect()
        };
        Self {
            begins_sum: sums(&mut begins),
            overs_sum: sums(&mut overs),
            begins,
            overs,
        }
    }

    /// Milliseconds that all together lived before a moment.
    fn before(&self, at_ms: i64) -> i128 {
        let before = |moments: &[i64], sums: &[i128]| {
            let n = moments.partition_point(|moment| *moment < at_ms);
            (n as i128) * i128::from(at_ms) - sums[n]
        };
        before(&self.begins, &self.begins_sum) - before(&self.overs, &self.overs_sum)
    }

    fn all(&self) -> i128 {
        self.before(i64::MAX)
    }

    fn between(&self, from_ms: i64, until_ms: i64) -> i128 {
        self.before(until_ms) - self.before(from_ms)
    }

    /// How many were alive just before a moment.
    fn alive_before(&self, at_ms: i64) -> usize {
        let before = |moments: &[i64]| moments.partition_point(|moment| *moment < at_ms);
        before(&self.begins) - before(&self.overs)
    }

    /// The latest moment such that from it until `until_ms` at least so much was lived; the first of all
    /// if there was less in all the time before.
    fn back(&self, until_ms: i64, lived: i128) -> i64 {
        let enough = |at: i64| self.between(at, until_ms) >= lived;
        let first = self
            .begins
            .first()
            .map_or(until_ms, |first| *first.min(&until_ms));
        (first_without(first, until_ms, enough) - 1).max(first)
    }

    /// The earliest moment such that from `from_ms` until it at least so much was lived; the last of all
    /// if there was less in all the time after.
    fn forth(&self, from_ms: i64, lived: i128) -> i64 {
        let too_little = |at: i64| self.between(from_ms, at) < lived;
        let last = self
            .overs
            .last()
            .map_or(from_ms, |last| *last.max(&from_ms));
        first_without(from_ms, last, too_little)
    }
}

/// The first moment at which something that stops once no longer holds.
fn first_without(mut from_ms: i64, mut until_ms: i64, holds: impl Fn(i64) -> bool) -> i64 {
    while from_ms < until_ms {
        let middle = from_ms + (until_ms - from_ms) / 2;
        if holds(middle) {
            from_ms = middle + 1;
        } else {
            until_ms = middle;
        }
    }
    from_ms
}

#[cfg(test)]
mod tests;
