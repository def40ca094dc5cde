//! Percentiles, and an interval for a rate. Pure.

/// A 95% interval for a proportion; both ends between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WilsonInterval {
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
pub fn wilson_95(hits: u64, n: u64) -> Option<WilsonInterval> {
    if n == 0 {
        return None;
    }
    let (hits, n) = (hits as f64, n as f64);
    let p = hits / n;
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some(WilsonInterval {
        low: ((centre - half) / scale).clamp(0.0, 1.0),
        high: ((centre + half) / scale).clamp(0.0, 1.0),
    })
}

/// The value below which the share `q` (0 to 1) of the values lies, by linear interpolation between
/// the two nearest; none of no values. `sorted` is in ascending order.
///
/// Source: definition 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages",
/// The American Statistician 50 (1996), 361–365, which is NumPy's default.
///
/// ```
/// assert_eq!(prochist::history::percentile(&[1, 2, 3, 4], 0.5), Some(2.5));
/// ```
pub fn percentile(sorted: &[i64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = q.clamp(0.0, 1.0) * last as f64;
    let below = rank.floor() as usize;
    let (a, b) = (sorted[below] as f64, sorted[(below + 1).min(last)] as f64);
    Some(a + (b - a) * (rank - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// By hand: rank q·(n − 1), then linear between neighbours.
    #[test]
    fn percentiles_by_hand() {
        for (values, q, expected) in [
            (&[][..], 0.5, None),
            (&[7][..], 0.99, Some(7.0)),
            (&[10, 20][..], 0.5, Some(15.0)),
            (&[10, 20, 30, 40, 50][..], 0.9, Some(46.0)),
            (&[5, 5, 5, 9][..], 0.5, Some(5.0)),
            (&[1, 2, 3][..], 1.0, Some(3.0)),
        ] {
            assert_eq!(percentile(values, q), expected, "{values:?} {q}");
        }
    }
}
