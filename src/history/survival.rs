//! How long they last, counting those who have not ended yet and those who were met on the way. Pure.

/// How long one process lasted, or at least lasted; milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    /// Milliseconds, not negative.
    pub millis: i64,
    /// Still going on when last seen: the true length is this or more.
    pub censored: bool,
    /// How old it was when it came under observation; none where it was watched from its beginning.
    /// Had it ended younger than that, nobody would know of it (left truncation, delayed entry).
    pub met_at_millis: Option<i64>,
}

impl Duration {
    /// One that ended, watched from its beginning.
    pub fn ended(millis: i64) -> Self {
        Self {
            millis,
            censored: false,
            met_at_millis: None,
        }
    }

    /// One that was still going on when last seen, watched from its beginning.
    pub fn censored(millis: i64) -> Self {
        Self {
            censored: true,
            ..Self::ended(millis)
        }
    }

    /// The same, met only when it was so old.
    #[must_use]
    pub fn met_at(self, millis: i64) -> Self {
        Self {
            met_at_millis: Some(millis),
            ..self
        }
    }

    /// Whether it was ever watched while it might have ended.
    fn was_at_risk(&self) -> bool {
        self.met_at_millis.is_none_or(|met| met < self.millis)
    }
}

/// The estimated share that lasts longer than a length of time, as a curve of steps.
///
/// Source: the product-limit estimator of E. L. Kaplan and P. Meier, "Nonparametric estimation from
/// incomplete observations", Journal of the American Statistical Association 53 (1958), 457–481. At
/// equal lengths, ends come before censorings. With delayed entry those are at risk at a length who
/// were met younger than that and lasted so long or longer: J. P. Klein and M. L. Moeschberger,
/// "Survival Analysis: Techniques for Censored and Truncated Data", 2nd edition (2003), section 4.6.
///
/// ```
/// use prochist::history::{Duration, Survival};
///
/// let mut durations = [10, 20].map(Duration::ended).to_vec();
/// durations.extend([15, 30].map(Duration::censored));
/// let survival = Survival::estimate(&mut durations);
/// // 3/4 from 10, 3/4 · 1/2 = 3/8 from 20
/// assert_eq!(survival.percentile(0.5), Some(20));
/// assert_eq!(survival.percentile(0.9), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survival {
    /// From this length on, in milliseconds, this share is left; lengths rise, shares fall.
    pub steps: Vec<(i64, f64)>,
}

impl Survival {
    /// The curve of these; they are put in order of length, ends before censorings.
    pub fn estimate(durations: &mut [Duration]) -> Self {
        durations.sort_unstable(); // false < true
        let mut met: Vec<i64> = durations
            .iter()
            .filter(|d| d.was_at_risk())
            .filter_map(|d| d.met_at_millis)
            .collect();
        met.sort_unstable();
        let mut met = met.into_iter().peekable();
        let mut at_risk = durations
            .iter()
            .filter(|d| d.met_at_millis.is_none())
            .count();
        let mut steps = Vec::new();
        let mut left = 1.0;
        for equal in durations.chunk_by(|a, b| a.millis == b.millis) {
            let millis = equal[0].millis;
            while met.next_if(|met| *met < millis).is_some() {
                at_risk += 1;
            }
            let leaving = || equal.iter().filter(|d| d.was_at_risk());
            let ends = leaving().filter(|d| !d.censored).count();
            if ends > 0 {
                left *= 1.0 - ends as f64 / at_risk as f64;
                steps.push((millis, left));
            }
            at_risk -= leaving().count();
        }
        Self { steps }
    }

    /// The length by which the share `q` (0 to 1) has ended: the earliest one at which the survival is
    /// `1 − q` or less. None where so many have not ended that it never falls so far.
    pub fn percentile(&self, q: f64) -> Option<i64> {
        // A product of exact fractions such as 1/2 must not miss the mark by rounding.
        let mark = 1.0 - q + 1e-12;
        let first = self.steps.partition_point(|(_, left)| *left > mark);
        self.steps.get(first).map(|(millis, _)| *millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(durations: impl IntoIterator<Item = Duration>) -> Survival {
        Survival::estimate(&mut durations.into_iter().collect::<Vec<_>>())
    }

    #[track_caller]
    fn assert_steps(found: &Survival, expected: &[(i64, f64)]) {
        assert_eq!(found.steps.len(), expected.len(), "{found:?}");
        for ((millis, left), (at, published)) in found.steps.iter().zip(expected) {
            assert_eq!(millis, at, "{found:?}");
            assert!((left - published).abs() < 5e-5, "{millis}: {left}");
        }
    }

    /// The 6-MP group of the leukaemia trial of E. J. Freireich et al., Blood 21 (1963), 699–716, in
    /// weeks of remission; the curve as in D. R. Cox and D. Oakes, "Analysis of Survival Data" (1984),
    /// and many textbooks since.
    #[test]
    fn remission_times_as_published() {
        let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(Duration::ended);
        let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(Duration::censored);
        let survival = estimate(ended.into_iter().chain(censored));
        assert_steps(
            &survival,
            &[
                (6, 0.8571),
                (7, 0.8067),
                (10, 0.7529),
                (13, 0.6902),
                (16, 0.6275),
                (22, 0.5378),
                (23, 0.4482),
            ],
        );
        assert_eq!(survival.percentile(0.5), Some(23));
        assert_eq!(survival.percentile(0.551), Some(23));
        assert_eq!(survival.percentile(0.552), None);
        assert_eq!(survival.percentile(0.142), Some(6));
        assert_eq!(survival.percentile(0.143), Some(7));
    }

    /// By hand, with a pencil: five ended at 3, 5, 5, 8, 9 and one censored at 6. Met from the
    /// beginning: those of 3, 6 and one of 5. The other of 5 was met at 4, that of 8 at 5 (so not yet
    /// at risk at 5), that of 9 at 2.
    #[test]
    fn whoever_is_met_later_counts_from_then_on() {
        let survival = estimate([
            Duration::ended(3),
            Duration::ended(5),
            Duration::ended(5).met_at(4),
            Duration::censored(6),
            Duration::ended(8).met_at(5),
            Duration::ended(9).met_at(2),
        ]);
        // At 3 there are 3, 5, 6 and 9: 3/4 are left. At 5 there are 5, 5, 6 and 9: half of them. At 8
        // there are 8 and 9, at 9 only 9.
        assert_steps(&survival, &[(3, 0.75), (5, 0.375), (8, 0.1875), (9, 0.0)]);
        // Taken for watched from the beginning, they would seem to last longer.
        let naive = estimate(
            [3, 5, 5, 8, 9]
                .map(Duration::ended)
                .into_iter()
                .chain([Duration::censored(6)]),
        );
        assert_steps(&naive, &[(3, 5.0 / 6.0), (5, 0.5), (8, 0.25), (9, 0.0)]);
    }

    #[test]
    fn whoever_had_ended_before_it_was_met_says_nothing() {
        let known = [Duration::ended(4), Duration::ended(6)];
        let over = [Duration::ended(5).met_at(5), Duration::ended(1).met_at(9)];
        assert_eq!(estimate(known.into_iter().chain(over)), estimate(known));
        assert_eq!(estimate(over).steps, []);
    }

    /// The definition itself, length by length, over all small cases of three.
    #[test]
    fn the_sweep_counts_as_the_definition_does() {
        let kinds: Vec<Duration> = (0..4)
            .flat_map(|millis| [Duration::ended(millis), Duration::censored(millis)])
            .flat_map(|d| [d, d.met_at(0), d.met_at(1), d.met_at(2)])
            .collect();
        for a in &kinds {
            for b in &kinds {
                for c in &kinds {
                    let all = [*a, *b, *c];
                    let (mut left, mut expected) = (1.0, Vec::new());
                    for t in 0..4 {
                        let met = |d: &&Duration| d.met_at_millis.is_none_or(|met| met < t);
                        let at_risk = all.iter().filter(met).filter(|d| d.millis >= t).count();
                        let ends = all
                            .iter()
                            .filter(met)
                            .filter(|d| d.millis == t && !d.censored);
                        let ends = ends.count();
                        if ends > 0 {
                            left *= 1.0 - ends as f64 / at_risk as f64;
                            expected.push((t, left));
                        }
                    }
                    assert_eq!(estimate(all).steps, expected, "{all:?}");
                }
            }
        }
    }

    #[test]
    fn edges() {
        let median = |durations: &[Duration]| estimate(durations.iter().copied()).percentile(0.5);
        let (ended, censored) = (Duration::ended, Duration::censored);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[censored(5), censored(9)]), None);
        assert_eq!(median(&[ended(5)]), Some(5));
        assert_eq!(estimate([ended(5), ended(5)]).percentile(0.9), Some(5));
        // An end and a censoring at once: the censored one was still at risk.
        assert_eq!(median(&[censored(5), ended(5)]), Some(5));
        assert_eq!(median(&[ended(0), ended(4)]), Some(0));
        // No censoring: 10 of 10 ended, nine tenths by the ninth.
        assert_eq!(estimate((1..=10).map(ended)).percentile(0.9), Some(9));
    }
}
