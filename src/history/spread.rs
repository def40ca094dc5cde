//! Many lengths of time and how they are spread. Nearly all are shorter than seven weeks, and take half the
//! room. Pure.

use super::radix;
use super::rates::percentile_of;

/// Lengths in milliseconds, none of them negative.
#[derive(Debug, Default)]
pub(super) struct Spread {
    short: Vec<u32>,
    long: Vec<i64>,
}

impl Spread {
    #[inline]
    pub fn push(&mut self, millis: i64) {
        match u32::try_from(millis) {
            Ok(millis) => self.short.push(millis),
            Err(_) => self.long.push(millis),
        }
    }

    pub fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn extend(&mut self, other: Self) {
        self.short.extend(other.short);
        self.long.extend(other.long);
    }

    /// Puts them in order; what follows takes them to be.
    pub fn sort(&mut self) {
        radix::sort(&mut self.short);
        self.long.sort_unstable();
    }

    /// The one of that number.
    pub fn at(&self, index: usize) -> Option<i64> {
        match self.short.get(index) {
            Some(&millis) => Some(millis.into()),
            None => self.long.get(index - self.short.len()).copied(),
        }
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
        let short: u64 = self.short.iter().map(|&millis| u64::from(millis)).sum();
        let long: i128 = self.long.iter().map(|&millis| i128::from(millis)).sum();
        let sum = i128::from(short) + long;
        i64::try_from((2 * sum + n).checked_div_euclid(2 * n)?).ok()
    }

    /// Each length, in order, with how many are so long.
    pub fn counts(&self) -> impl Iterator<Item = (i64, usize)> {
        runs(&self.short).chain(runs(&self.long))
    }

    /// How many are in the first of them for which this holds: of none after one of which it does not.
    pub fn partition_point(&self, holds: impl Fn(i64) -> bool) -> usize {
        let short = self.short.partition_point(|&millis| holds(millis.into()));
        match short == self.short.len() {
            true => short + self.long.partition_point(|&millis| holds(millis)),
            false => short,
        }
    }
}

/// The numbers of a list in order, each with how many there are.
fn runs<T: Copy + PartialEq + Into<i64>>(mut sorted: &[T]) -> impl Iterator<Item = (i64, usize)> {
    std::iter::from_fn(move || {
        let (&first, mut rest) = sorted.split_first()?;
        let mut count = 1;
        while let [next, after @ ..] = rest
            && *next == first
        {
            rest = after;
            count += 1;
        }
        sorted = rest;
        Some((first.into(), count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::percentile;

    #[test]
    fn counts_as_a_sorted_list_does() {
        let long = i64::from(u32::MAX);
        for lengths in [
            &[][..],
            &[7],
            &[long + 1],
            &[3, 1, 2, 2],
            &[long, long + 1, 0, long + 9, 5, long - 1],
        ] {
            let mut sorted = lengths.to_vec();
            sorted.sort_unstable();
            let mut spread = Spread::default();
            lengths.iter().for_each(|&millis| spread.push(millis));
            spread.sort();
            let equal = sorted.chunk_by(|a, b| a == b);
            let counts: Vec<(i64, usize)> = equal.map(|equal| (equal[0], equal.len())).collect();
            assert_eq!(spread.counts().collect::<Vec<_>>(), counts);
            assert_eq!(
                (spread.min(), spread.max()),
                (sorted.first().copied(), sorted.last().copied())
            );
            for percent in [0, 10, 50, 90, 99, 100] {
                assert_eq!(spread.percentile(percent), percentile(&sorted, percent));
            }
            for mark in [0, 2, long, long + 2] {
                let holds = |millis| millis <= mark;
                assert_eq!(
                    spread.partition_point(holds),
                    sorted.iter().filter(|&&millis| holds(millis)).count()
                );
            }
            let sum: i64 = sorted.iter().sum();
            let mean =
                (!sorted.is_empty()).then(|| (sum as f64 / sorted.len() as f64).round() as i64);
            assert_eq!(spread.mean(), mean);
        }
    }
}
