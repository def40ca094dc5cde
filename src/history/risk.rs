//! Who is at risk at which length, and what is left: the sums behind a survival estimate. Pure.
//!
//! Most lengths are of those that were watched from beginning to end, and come in order. Where nobody is
//! censored or enters between two of them, they need not be gone through one by one.

use super::spread::Sorted;
use super::survival::{Duration, Survival};

/// The survival at which the share `q` has ended. A product of exact fractions such as 1/2 must not miss
/// it by rounding.
pub(super) fn mark(q: f64) -> f64 {
    1.0 - q + 1e-12
}

/// Some percentiles of an estimate, without all its steps.
#[derive(Debug)]
pub(super) struct SurvivalPercentiles<const N: usize> {
    /// As [`Survival::percentile`] has them.
    pub percentiles: [Option<i64>; N],
    pub until_millis: Option<i64>,
    pub is_cut_short: bool,
}

/// The percentiles `qs` of those that ended and were watched from beginning to end, their lengths in order,
/// and of `others`. The same as if all were durations, to the bit; but most are of that kind, a number is
/// enough to tell of one, and where none of the others comes between, they need not be gone through.
pub(super) fn survival_percentiles<const N: usize>(
    ended: &Sorted,
    others: &mut [Duration],
    qs: [f64; N],
) -> SurvivalPercentiles<N> {
    let marks = qs.map(mark);
    let mut percentiles = [None; N];
    let survival = sweep(ended, others, |ends| {
        for (found, mark) in percentiles.iter_mut().zip(marks) {
            if found.is_none() {
                *found = ends.first_with(mark);
            }
        }
    });
    SurvivalPercentiles {
        percentiles,
        until_millis: survival.until_millis,
        is_cut_short: survival.is_cut_short,
    }
}

/// Ends that follow each other without a censoring or an entry between them.
pub(super) struct Ends<'s> {
    pub lengths: EndLengths<'s>,
    pub count: usize,
    risk: Risk,
}

/// Those of a list in order, from an index on; or all the same.
pub(super) enum EndLengths<'s> {
    From(&'s Sorted, usize),
    Same(i64),
}

impl EndLengths<'_> {
    pub fn at(&self, number: usize) -> i64 {
        match self {
            Self::From(sorted, from) => sorted.at(from + number).unwrap_or_default(),
            Self::Same(millis) => *millis,
        }
    }
}

impl Ends<'_> {
    /// What is left after so many of them.
    pub fn left_after(&self, ends: usize) -> f64 {
        self.risk.left_after(ends)
    }

    /// The first length at which no more is left than this.
    fn first_with(&self, mark: f64) -> Option<i64> {
        if self.left_after(self.count) > mark {
            return None;
        }
        let (mut above, mut within) = (0, self.count);
        while above + 1 < within {
            let middle = above.midpoint(within);
            match self.left_after(middle) > mark {
                true => above = middle,
                false => within = middle,
            }
        }
        Some(self.lengths.at(within - 1))
    }
}

/// Who is at risk, and what is left so far. Between censorings and entries the product telescopes: what is
/// left shrinks as the number at risk does. So it is one division, and not rounded end by end.
#[derive(Clone, Copy)]
struct Risk {
    now: usize,
    /// How many there were, and what was left, at the latest censoring or entry.
    then: usize,
    left_then: f64,
}

impl Risk {
    fn left_after(&self, ends: usize) -> f64 {
        match self.then {
            0 => self.left_then,
            then => self.left_then * (self.now - ends) as f64 / then as f64,
        }
    }

    /// Those at risk become others, without an end.
    fn becomes(&mut self, now: usize) {
        *self = Self {
            now,
            then: now,
            left_then: self.left_after(0),
        };
    }
}

/// Goes through the lengths as they rise and tells each step of the curve. `ended` are those that were
/// watched from beginning to end, in order.
pub(super) fn sweep(
    ended: &Sorted,
    durations: &mut [Duration],
    mut step: impl FnMut(&Ends<'_>),
) -> Survival {
    durations.sort_unstable(); // false < true
    let mut met: Vec<i64> = durations
        .iter()
        .filter(|d| d.was_at_risk())
        .filter_map(|d| d.met_at_millis)
        .collect();
    met.sort_unstable();
    let mut met = met.as_slice();
    let watched = durations.iter().filter(|d| d.met_at_millis.is_none());
    let at_risk = ended.len() + watched.count();
    let mut risk = Risk {
        now: at_risk,
        then: at_risk,
        left_then: 1.0,
    };
    let mut survival = Survival::default();
    if at_risk == 0 && !durations.is_empty() {
        survival.stop_before(0);
        return survival;
    }
    let mut done = 0;
    let mut others = durations.chunk_by(|a, b| a.millis == b.millis).peekable();
    loop {
        // Up to the next length that others leave at, or after which others come, only these end.
        let next = others.peek().map(|equal| equal[0].millis);
        let entry = met.first().copied();
        let from = done;
        done = match (next, entry) {
            (next, Some(entry)) if next.is_none_or(|next| entry < next) => {
                ended.partition_point(|millis| millis <= entry)
            }
            (Some(next), _) => ended.partition_point(|millis| millis < next),
            (None, _) => ended.len(),
        };
        if done > from {
            let last = ended.at(done - 1).unwrap_or_default();
            let all_end = done - from == risk.now && entry.is_some();
            let end = match all_end {
                true => ended.partition_point(|millis| millis < last),
                false => done,
            };
            if end > from {
                step(&Ends {
                    lengths: EndLengths::From(ended, from),
                    count: end - from,
                    risk,
                });
            }
            if all_end {
                survival.stop_before(last);
                return survival;
            }
            risk.now -= done - from;
            survival.until_millis = Some(last);
        }
        if let Some(entry) = entry
            && next.is_none_or(|next| entry < next)
        {
            let come = met.partition_point(|met| *met == entry);
            met = &met[come..];
            risk.becomes(risk.now + come);
            continue;
        }
        let Some(equal) = others.next() else {
            return survival;
        };
        let millis = equal[0].millis;
        let from = done;
        done = ended.partition_point(|at| at <= millis);
        let leaving = || equal.iter().filter(|d| d.was_at_risk());
        let ends = done - from + leaving().filter(|d| !d.censored).count();
        let censored = leaving().filter(|d| d.censored).count();
        if ends > 0 && ends == risk.now && !met.is_empty() {
            survival.stop_before(millis);
            return survival;
        }
        if ends > 0 {
            step(&Ends {
                lengths: EndLengths::Same(millis),
                count: ends,
                risk,
            });
            risk.now -= ends;
        }
        if censored > 0 {
            risk.becomes(risk.now - censored);
        }
        if ends + censored > 0 {
            survival.until_millis = Some(millis);
        }
        // Those met at this very length are at risk from the next on.
        if risk.now == 0 && met.first().is_some_and(|met| *met > millis) {
            survival.stop_before(millis + 1);
            return survival;
        }
    }
}
