//! Many lengths of time and how they are spread. Nearly all are shorter than seven weeks, and take half the
//! room. Pure.
//!
//! A few of them are asked for, such as the median, so they are not sorted: they are dealt into buckets by
//! their leading digits, and a bucket is sorted once one of its lengths is asked for.

use std::cell::{Cell, RefCell};

use super::radix;
use super::rates::percentile_of;

/// Lengths in milliseconds, none of them negative, as they come.
#[derive(Debug)]
pub(super) struct Spread {
    /// Lists that are full, so that none is copied to grow.
    full: Vec<Vec<u32>>,
    short: Vec<u32>,
    /// Of all the short ones.
    least: u32,
    greatest: u32,
    long: Vec<i64>,
}

/// A list is as long as this at the most.
const LIST: usize = 4096;

impl Default for Spread {
    fn default() -> Self {
        Self {
            full: Vec::new(),
            short: Vec::new(),
            least: u32::MAX,
            greatest: 0,
            long: Vec::new(),
        }
    }
}

impl Spread {
    #[inline]
    pub fn push(&mut self, millis: i64) {
        match u32::try_from(millis) {
            Ok(millis) => {
                if self.short.len() >= LIST {
                    self.begin_list();
                }
                self.short.push(millis);
                self.least = self.least.min(millis);
                self.greatest = self.greatest.max(millis);
            }
            Err(_) => self.long.push(millis),
        }
    }

    #[cold]
    fn begin_list(&mut self) {
        let next = Vec::with_capacity(LIST);
        self.full.push(std::mem::replace(&mut self.short, next));
    }

    pub fn extend(&mut self, other: Self) {
        self.full.extend(other.full);
        self.full.push(other.short);
        self.long.extend(other.long);
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    /// The least and the greatest.
    pub fn range(&self) -> Option<[i64; 2]> {
        let long = || self.long.iter().copied();
        match self.least <= self.greatest {
            true => {
                let greatest = long().max().unwrap_or(self.greatest.into());
                Some([self.least.into(), greatest])
            }
            false => Some([long().min()?, long().max()?]),
        }
    }

    /// The same, so far in order that any of them can be asked for.
    pub fn sorted(mut self) -> Sorted {
        self.full.push(std::mem::take(&mut self.short));
        self.long.sort_unstable();
        Sorted::new(self)
    }
}

/// Lengths in milliseconds, each to be asked for by its place in their order.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Bucket by bucket; a bucket is in order if it `is_sorted`.
    short: RefCell<Vec<u32>>,
    is_sorted: Vec<Cell<bool>>,
    /// Where each bucket begins, and where the last one ends.
    starts: Vec<usize>,
    /// The least of the first bucket, and how many bits of what is above it the buckets leave to tell.
    least: u32,
    bits: u32,
    long: Vec<i64>,
}

/// So many buckets, as a power of two: a table of them fits the processor's nearest memory.
const BUCKET_BITS: u32 = 11;

impl Sorted {
    fn new(lengths: Spread) -> Self {
        let Spread {
            full: lists,
            least,
            greatest,
            long,
            ..
        } = lengths;
        if least > greatest {
            return Self {
                long,
                ..Self::default()
            };
        }
        let range = greatest - least;
        let bits = (u32::BITS - range.leading_zeros()).saturating_sub(BUCKET_BITS);
        let bucket = |millis: u32| ((millis - least) >> bits) as usize;
        let mut starts = vec![0; bucket(greatest) + 2];
        for list in &lists {
            for &millis in list {
                starts[bucket(millis) + 1] += 1;
            }
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut next = starts.clone();
        let mut short = vec![0; next.last().copied().unwrap_or_default()];
        for list in &lists {
            for &millis in list {
                let place = &mut next[bucket(millis)];
                short[*place] = millis;
                *place += 1;
            }
        }
        Self {
            short: RefCell::new(short),
            // Where a bucket is of one length, it is in order.
            is_sorted: vec![Cell::new(bits == 0); starts.len() - 1],
            starts,
            least,
            bits,
            long,
        }
    }

    pub fn len(&self) -> usize {
        self.short_len() + self.long.len()
    }

    fn short_len(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `ask` with a bucket, put in order.
    fn bucket<T>(&self, bucket: usize, ask: impl FnOnce(&[u32]) -> T) -> T {
        let range = self.starts[bucket]..self.starts[bucket + 1];
        if !self.is_sorted[bucket].replace(true) {
            radix::sort(&mut self.short.borrow_mut()[range.clone()]);
        }
        ask(&self.short.borrow()[range])
    }

    /// The one of that number.
    pub fn at(&self, index: usize) -> Option<i64> {
        if index >= self.short_len() {
            return self.long.get(index - self.short_len()).copied();
        }
        let bucket = self.starts.partition_point(|start| *start <= index) - 1;
        let within = index - self.starts[bucket];
        Some(self.bucket(bucket, |lengths| lengths[within].into()))
    }

    pub fn min(&self) -> Option<i64> {
        self.at(0)
    }

    pub fn max(&self) -> Option<i64> {
        self.at(self.len().checked_sub(1)?)
    }

    /// As [`super::percentile`] has it.
    pub fn percentile(&self, percent: u8) -> Option<i64> {
        percentile_of(
            self.len(),
            |index| self.at(index).unwrap_or_default(),
            percent,
        )
    }

    /// Rounded half up, in whole numbers; none of none.
    pub fn mean(&self) -> Option<i64> {
        let n = self.len() as i128;
        let short = self.short.borrow();
        let short: u64 = short.iter().map(|&millis| u64::from(millis)).sum();
        let long: i128 = self.long.iter().map(|&millis| i128::from(millis)).sum();
        let sum = i128::from(short) + long;
        i64::try_from((2 * sum + n).checked_div_euclid(2 * n)?).ok()
    }

    /// How many are in the first of them for which this holds: of none after one of which it does not.
    pub fn partition_point(&self, holds: impl Fn(i64) -> bool) -> usize {
        let buckets = self.is_sorted.len();
        let first_of = |bucket: usize| i64::from(self.least) + ((bucket as i64) << self.bits);
        // Of the first bucket that it does not hold all through.
        let (mut bucket, mut after) = (0, buckets);
        while bucket < after {
            let middle = bucket.midpoint(after);
            match holds(first_of(middle + 1) - 1) {
                true => bucket = middle + 1,
                false => after = middle,
            }
        }
        if bucket == buckets {
            return self.short_len() + self.long.partition_point(|&millis| holds(millis));
        }
        let before = self.starts[bucket];
        match holds(first_of(bucket)) {
            true => {
                let of = |lengths: &[u32]| lengths.partition_point(|&millis| holds(millis.into()));
                before + self.bucket(bucket, of)
            }
            false => before,
        }
    }

    /// Those that are not among others, which are all among them.
    pub fn without(&self, others: &Self) -> Self {
        let mut rest = Spread::default();
        let mut other = 0;
        for index in 0..self.len() {
            let millis = self.at(index).unwrap_or_default();
            match others.at(other) == Some(millis) {
                true => other += 1,
                false => rest.push(millis),
            }
        }
        rest.sorted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::percentile;

    #[test]
    fn counts_as_a_sorted_list_does() {
        let long = i64::from(u32::MAX);
        // A generator of Lehmer's, for many lengths in no order, some of them equal.
        let mut seed = 1_u64;
        let many: Vec<i64> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(0xda94_2042_e4dd_58b5).wrapping_add(1);
            (seed >> 40).cast_signed() / (1 + (seed & 0xfff).cast_signed())
        })
        .take(3 * LIST)
        .collect();
        for lengths in [
            &[][..],
            &[7],
            &[long + 1],
            &[3, 1, 2, 2],
            &[long, long + 1, 0, long + 9, 5, long - 1],
            &many[..LIST],
            &many[..LIST + 1],
            &many,
        ] {
            let mut in_order = lengths.to_vec();
            in_order.sort_unstable();
            let spread = |lengths: &[i64]| {
                let mut spread = Spread::default();
                lengths.iter().for_each(|&millis| spread.push(millis));
                spread
            };
            let sorted = || {
                let (some, others) = lengths.split_at(lengths.len() / 3);
                let mut some = spread(some);
                some.extend(spread(others));
                some.sorted()
            };
            let found = sorted();
            assert_eq!(
                (found.len(), found.is_empty()),
                (lengths.len(), lengths.is_empty())
            );
            assert_eq!(all(&found), in_order);
            for percent in [0, 10, 50, 90, 99, 100] {
                assert_eq!(sorted().percentile(percent), percentile(&in_order, percent));
            }
            assert_eq!(
                (sorted().min(), sorted().max()),
                (in_order.first().copied(), in_order.last().copied())
            );
            let middle = in_order
                .get(in_order.len() / 2)
                .copied()
                .unwrap_or_default();
            for mark in [-1, 0, 2, middle, middle + 1, long, long + 2] {
                let found = sorted().partition_point(|millis| millis <= mark);
                assert_eq!(found, in_order.partition_point(|&millis| millis <= mark));
            }
            let sum: i64 = in_order.iter().sum();
            let mean =
                (!in_order.is_empty()).then(|| (sum as f64 / in_order.len() as f64).round() as i64);
            assert_eq!(sorted().mean(), mean);
            let every_second = |from: usize| {
                in_order
                    .iter()
                    .skip(from)
                    .step_by(2)
                    .copied()
                    .collect::<Vec<_>>()
            };
            let rest = sorted().without(&spread(&every_second(0)).sorted());
            assert_eq!(all(&rest), every_second(1));
        }
    }

    fn all(sorted: &Sorted) -> Vec<i64> {
        (0..).map_while(|index| sorted.at(index)).collect()
    }
}
