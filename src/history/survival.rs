//! Percentiles that count those who have not ended yet. Pure.

/// How long one process lasted, or at least lasted; milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    /// Milliseconds, not negative.
    pub millis: i64,
    /// Still going on when last seen: the true length is this or more.
    pub censored: bool,
}

/// The time by which the share `q` (0 to 1) has ended: the earliest one at which the estimated
/// survival is `1 − q` or less. None where so many have not ended that the estimate never falls so
/// far.
///
/// Source: the product-limit estimator of E. L. Kaplan and P. Meier, "Nonparametric estimation from
/// incomplete observations", Journal of the American Statistical Association 53 (1958), 457–481. At
/// equal times, ends come before censorings.
///
/// ```
/// use prochist::history::{Duration, survival_percentile};
///
/// let ended = |millis| Duration { millis, censored: false };
/// let open = |millis| Duration { millis, censored: true };
/// let mut durations = [ended(10), open(15), ended(20), open(30)];
/// // S = 3/4 from 10, 3/4 · 1/2 = 3/8 from 20
/// assert_eq!(survival_percentile(&mut durations, 0.5), Some(20));
/// assert_eq!(survival_percentile(&mut durations, 0.9), None);
/// ```
pub fn survival_percentile(durations: &mut [Duration], q: f64) -> Option<i64> {
    durations.sort_unstable(); // ends before censorings, since false < true
    let mut survival = 1.0;
    let mut at_risk = durations.len();
    let mut i = 0;
    while i < durations.len() {
        let millis = durations[i].millis;
        let mut ends = 0;
        let mut leaving = 0;
        while let Some(duration) = durations.get(i).filter(|d| d.millis == millis) {
            ends += usize::from(!duration.censored);
            leaving += 1;
            i += 1;
        }
        if ends > 0 {
            survival *= 1.0 - ends as f64 / at_risk as f64;
            // The product of exact fractions such as 1/2 must not miss the mark by rounding.
            if survival <= 1.0 - q + 1e-12 {
                return Some(millis);
            }
        }
        at_risk -= leaving;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 6-MP group of the leukaemia trial of E. J. Freireich et al., Blood 21 (1963), 699–716, in
    /// weeks of remission, + censored; its median of 23 weeks and its survival of 0.448 from week
    /// 23 on are in the textbooks (D. R. Cox and D. Oakes, "Analysis of Survival Data", 1984).
    #[test]
    fn remission_times_as_published() {
        let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23];
        let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
        let mut durations: Vec<Duration> = ended
            .iter()
            .map(|&millis| (millis, false))
            .chain(censored.iter().map(|&millis| (millis, true)))
            .map(|(millis, censored)| Duration { millis, censored })
            .collect();
        assert_eq!(survival_percentile(&mut durations, 0.5), Some(23));
        assert_eq!(survival_percentile(&mut durations, 0.551), Some(23));
        assert_eq!(survival_percentile(&mut durations, 0.552), None);
        // S(6) = 18/21 = 0.857
        assert_eq!(survival_percentile(&mut durations, 0.142), Some(6));
        assert_eq!(survival_percentile(&mut durations, 0.143), Some(7));
    }

    #[test]
    fn edges() {
        let of = |values: &[(i64, bool)], q| {
            let mut durations: Vec<Duration> = values
                .iter()
                .map(|&(millis, censored)| Duration { millis, censored })
                .collect();
            survival_percentile(&mut durations, q)
        };
        assert_eq!(of(&[], 0.5), None);
        assert_eq!(of(&[(5, true), (9, true)], 0.5), None);
        assert_eq!(of(&[(5, false)], 0.5), Some(5));
        assert_eq!(of(&[(5, false), (5, false)], 0.9), Some(5));
        // An end and a censoring at once: the censored one was still at risk.
        assert_eq!(of(&[(5, true), (5, false)], 0.5), Some(5));
        assert_eq!(of(&[(0, false), (4, false)], 0.5), Some(0));
        // No censoring: 10 of 10 ended, nine tenths by the ninth.
        let all: Vec<(i64, bool)> = (1..=10).map(|i| (i, false)).collect();
        assert_eq!(of(&all, 0.9), Some(9));
    }
}
