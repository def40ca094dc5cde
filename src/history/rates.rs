//! Rates, how sure they are, and how two of them compare; percentiles. Pure.

/// A 95% interval: of a proportion between 0 and 1, of the difference of two between −1 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The standard normal's 97.5% point.
const Z: f64 = 1.959_963_984_540_054;

/// The 95% interval for a proportion of which `hits` of `n` were seen; none where `n` is 0.
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
/// Journal of the American Statistical Association 22 (1927), 209–212; no continuity correction.
///
/// ```
/// let interval = prochist::history::wilson_95(81, 263).unwrap();
/// assert!((interval.low - 0.2553).abs() < 5e-5 && (interval.high - 0.3662).abs() < 5e-5);
/// ```
pub fn wilson_95(hits: u64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (none, all) = (hits == 0, hits >= n);
    let (hits, n) = (hits as f64, n as f64);
    let p = hits / n;
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // At its ends the interval is 0 or 1 exactly, which rounding would miss by a hair.
    Some(Interval {
        low: if none {
            0.0
        } else {
            ((centre - half) / scale).clamp(0.0, 1.0)
        },
        high: if all {
            1.0
        } else {
            ((centre + half) / scale).clamp(0.0, 1.0)
        },
    })
}

/// The 95% interval for the difference of two proportions, the first less the second, each given as how
/// many of how many; none where either is of none.
///
/// Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions:
/// comparison of eleven methods", Statistics in Medicine 17 (1998), 873–890, method 10 (hybrid score);
/// no continuity correction.
///
/// ```
/// let interval = prochist::history::newcombe_95((56, 70), (48, 80)).unwrap();
/// assert!((interval.low - 0.0524).abs() < 5e-5 && (interval.high - 0.3339).abs() < 5e-5);
/// ```
pub fn newcombe_95(first: (u64, u64), second: (u64, u64)) -> Option<Interval> {
    let (one, other) = (wilson_95(first.0, first.1)?, wilson_95(second.0, second.1)?);
    let p = first.0 as f64 / first.1 as f64;
    let q = second.0 as f64 / second.1 as f64;
    Some(Interval {
        low: (p - q - (p - one.low).hypot(other.high - q)).clamp(-1.0, 1.0),
        high: (p - q + (one.high - p).hypot(q - other.low)).clamp(-1.0, 1.0),
    })
}

/// How likely two proportions, each given as how many of how many, lie at least as far apart by chance
/// alone: Fisher's exact test, two-sided. 1 where they cannot differ.
///
/// It sums up the likelihoods, given both totals, of all tables that are no likelier than the one seen:
/// R. A. Fisher, "The logic of inductive inference", Journal of the Royal Statistical Society 98
/// (1935), 39–82; two-sided as in A. Agresti, "A survey of exact inference for contingency tables",
/// Statistical Science 7 (1992), 131–153.
///
/// ```
/// // A lady who tells three of four cups of tea with milk in first
/// let p = prochist::history::fisher_exact((3, 4), (1, 4));
/// assert!((p - 0.4857).abs() < 5e-5);
/// ```
pub fn fisher_exact(first: (u64, u64), second: (u64, u64)) -> f64 {
    let (n, m) = (first.1 as f64, second.1 as f64);
    let hits = first.0.saturating_add(second.0);
    let total = first.1.saturating_add(second.1);
    // How many of all hits may fall to the first.
    let (least, most) = (hits.saturating_sub(second.1), hits.min(first.1));
    let seen = first.0.clamp(least, most);
    // How much likelier one hit more is than so many.
    let step = |k: f64| {
        let hits = hits as f64;
        (n - k) * (hits - k) / ((k + 1.0) * (m - hits + k + 1.0))
    };
    // Likelihoods relative to about the likeliest, so that none is too large and those too small for
    // a number do not matter.
    let more = |count: u64| u128::from(count) + 1;
    let mode = more(first.1) * more(hits) / (more(total) + 1);
    let mode = u64::try_from(mode).unwrap_or(most).clamp(least, most);
    let above = std::iter::successors(Some((mode, 1.0)), |&(k, weight)| {
        (k < most).then(|| (k + 1, weight * step(k as f64)))
    });
    let below = std::iter::successors(Some((mode, 1.0)), |&(k, weight)| {
        (k > least).then(|| (k - 1, weight / step((k - 1) as f64)))
    });
    let seen = above.clone().chain(below.clone()).find(|(k, _)| *k == seen);
    // Equal likelihoods must not be told apart by rounding.
    let mark = seen.map_or(1.0, |(_, weight)| weight) * (1.0 + 1e-7);
    let (mut sum, mut rare) = (0.0, 0.0);
    for (_, weight) in above.clone().chain(below.clone().skip(1)) {
        sum += weight;
        if weight <= mark {
            rare += weight;
        }
    }
    (rare / sum).clamp(f64::MIN_POSITIVE, 1.0)
}

/// The value below which so many percent of the values lie, by linear interpolation between the two
/// nearest, rounded half up to a whole; none of no values. `sorted` is in ascending order. Reckoned in
/// whole numbers, so that a half is one.
///
/// Source: definition 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages",
/// The American Statistician 50 (1996), 361–365, which is NumPy's default.
///
/// ```
/// assert_eq!(prochist::history::percentile(&[10, 20, 30, 40], 50), Some(25));
/// ```
pub fn percentile(sorted: &[i64], percent: u8) -> Option<i64> {
    percentile_of(sorted.len(), |index| sorted[index], percent)
}

/// The same of so many values, each of which is asked for by its number.
pub(super) fn percentile_of(len: usize, at: impl Fn(usize) -> i64, percent: u8) -> Option<i64> {
    let last = len.checked_sub(1)?;
    let rank = last as u128 * u128::from(percent.min(100));
    let below = usize::try_from(rank / 100).unwrap_or(last).min(last);
    let part = i128::try_from(rank % 100).unwrap_or_default();
    let (a, b) = (at(below), at((below + 1).min(last)));
    let hundredfold = 100 * i128::from(a) + (i128::from(b) - i128::from(a)) * part;
    i64::try_from((hundredfold + 50).div_euclid(100)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_reaches_its_ends() {
        for n in 1..2_000 {
            assert_eq!(wilson_95(0, n).map(|i| i.low), Some(0.0), "0/{n}");
            assert_eq!(wilson_95(n, n).map(|i| i.high), Some(1.0), "{n}/{n}");
        }
    }

    /// The 95% intervals, method 3 (Wilson without correction), of table I in R. G. Newcombe,
    /// "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
    /// (1998), 857–872.
    #[test]
    fn wilson_as_published() {
        for (hits, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let interval = wilson_95(hits, n).expect("n > 0");
            assert!(
                (interval.low - low).abs() < 5e-5,
                "{hits}/{n}: {interval:?}"
            );
            assert!(
                (interval.high - high).abs() < 5e-5,
                "{hits}/{n}: {interval:?}"
            );
        }
        assert_eq!(wilson_95(0, 0), None);
    }

    /// Table II of R. G. Newcombe, Statistics in Medicine 17 (1998), 873–890, method 10.
    #[test]
    fn newcombe_as_published() {
        for (first, second, low, high) in [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((6, 7), (2, 7), 0.0582, 0.8062),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 20), -0.1611, 0.2775),
            ((0, 10), (0, 10), -0.2775, 0.2775),
            ((10, 10), (0, 20), 0.6791, 1.0),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ] {
            let found = newcombe_95(first, second).expect("both of some");
            assert!(
                (found.low - low).abs() < 5e-5,
                "{first:?} {second:?}: {found:?}"
            );
            assert!(
                (found.high - high).abs() < 5e-5,
                "{first:?} {second:?}: {found:?}"
            );
        }
        assert_eq!(newcombe_95((0, 0), (1, 2)), None);
        assert_eq!(newcombe_95((1, 2), (0, 0)), None);
    }

    /// Fisher's tea (1935) as in A. Agresti, "Categorical Data Analysis", 2nd edition, section 3.5.1;
    /// his twins of convicts, "Statistical Methods for Research Workers", table 21, one-sided 0.000465
    /// there and two-sided 0.000537 in the manual of R; job satisfaction has none.
    #[test]
    fn fisher_as_published() {
        for (first, second, p) in [
            ((3, 4), (1, 4), 0.485_714),
            ((10, 13), (2, 17), 0.000_536_7),
            ((4, 4), (0, 4), 2.0 / 70.0),
        ] {
            let found = fisher_exact(first, second);
            assert!((found - p).abs() < 5e-7, "{first:?} {second:?}: {found}");
            // Whichever comes first, hits or misses.
            let misses = |(hits, n): (u64, u64)| (n - hits, n);
            for other in [
                fisher_exact(second, first),
                fisher_exact(misses(first), misses(second)),
            ] {
                assert!((found - other).abs() < 1e-12, "{first:?} {second:?}");
            }
        }
        for certain in [
            ((0, 5), (0, 9)),
            ((5, 5), (9, 9)),
            ((0, 0), (3, 9)),
            ((2, 4), (2, 4)),
        ] {
            assert!(
                (fisher_exact(certain.0, certain.1) - 1.0).abs() < 1e-12,
                "{certain:?}"
            );
        }
    }

    /// The definition with whole numbers: all tables with these totals, counted.
    #[test]
    fn fisher_counts_as_the_definition_does() {
        fn choose(n: u64, k: u64) -> u128 {
            (0..k).fold(1, |c, i| c * u128::from(n - i) / u128::from(i + 1))
        }
        for n in 0..7_u64 {
            for m in 0..8_u64 {
                for a in 0..=n {
                    for b in 0..=m {
                        let hits = a + b;
                        let ways = |k: u64| choose(n, k) * choose(m, hits - k);
                        let tables = hits.saturating_sub(m)..=hits.min(n);
                        let all: u128 = tables.clone().map(ways).sum();
                        let rare: u128 = tables.map(ways).filter(|w| *w <= ways(a)).sum();
                        let expected = rare as f64 / all as f64;
                        let found = fisher_exact((a, n), (b, m));
                        assert!((found - expected).abs() < 1e-12, "{a}/{n} {b}/{m}: {found}");
                    }
                }
            }
        }
    }

    /// Millions of processes, and a likelihood that no number can hold.
    #[test]
    fn fisher_of_many() {
        let p = fisher_exact((10_200, 1_000_000), (10_000, 1_000_000));
        // The normal approximation, with half a process off at each end:
        // z = (200 − 1) ÷ √(20 200 · 0.9899) = 1.407.
        assert!((p - 0.1594).abs() < 0.000_5, "{p}");
        assert!(fisher_exact((0, 1_000_000), (1_000_000, 1_000_000)) > 0.0);
    }

    /// By hand: rank q·(n − 1), then linear between neighbours.
    #[test]
    fn percentiles_by_hand() {
        for (values, percent, expected) in [
            (&[][..], 50, None),
            (&[7][..], 99, Some(7)),
            (&[10, 20][..], 50, Some(15)),
            (&[10, 20, 30, 40, 50][..], 90, Some(46)),
            (&[5, 5, 5, 9][..], 50, Some(5)),
            (&[1, 2, 3][..], 100, Some(3)),
            // 1.5 and −1.5, half up.
            (&[1, 2][..], 50, Some(2)),
            (&[-2, -1][..], 50, Some(-1)),
            (&[i64::MIN, i64::MAX][..], 50, Some(0)),
        ] {
            assert_eq!(
                percentile(values, percent),
                expected,
                "{values:?} {percent}"
            );
        }
        // Rank 64.35 between 0 and 10: 3.5, which no binary fraction is.
        let values: Vec<i64> = (0..66).map(|i| if i == 65 { 10 } else { 0 }).collect();
        assert_eq!(percentile(&values, 99), Some(4));
    }
}
