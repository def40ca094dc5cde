//! How long they last, counting those who have not ended yet and those who were met on the way. Pure.

use super::risk::{mark, sweep};
use super::spread::Sorted;

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
    pub(super) fn was_at_risk(&self) -> bool {
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
/// With delayed entry nobody may be at risk at some length, or all who are may end there, though others
/// are met later and last longer. What becomes of a group between is then unknown, and a curve that
/// went on would say nothing, or that nobody is left. So it stops before such a length.
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
    /// The estimate is known up to this length, in milliseconds: the greatest at which anybody was at
    /// risk, or, where it is cut short, the last before it stops being determined. 0 where nobody was
    /// watched from the beginning, none where there is nobody at all.
    pub until_millis: Option<i64>,
    /// Whether others are known to last longer than it is known for.
    pub is_cut_short: bool,
}

impl Survival {
    /// The curve of these; they are put in order of length, ends before censorings.
    pub fn estimate(durations: &mut [Duration]) -> Self {
        let mut steps = Vec::new();
        let survival = sweep(&Sorted::default(), durations, |ends| {
            steps.push((ends.lengths.at(ends.count - 1), ends.left_after(ends.count)));
        });
        Self { steps, ..survival }
    }

    /// From this length on it is not determined.
    pub(super) fn stop_before(&mut self, millis: i64) {
        self.until_millis = Some((millis - 1).max(0));
        self.is_cut_short = true;
    }

    /// The length by which the share `q` (0 to 1) has ended: the earliest one at which the survival is
    /// `1 − q` or less. None where it never falls so far, as far as it is known.
    pub fn percentile(&self, q: f64) -> Option<i64> {
        let mark = mark(q);
        let first = self.steps.partition_point(|(_, left)| *left > mark);
        self.steps.get(first).map(|(millis, _)| *millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::risk::survival_percentiles;
    use crate::history::spread::Spread;

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
        assert_eq!(
            (survival.until_millis, survival.is_cut_short),
            (Some(35), false)
        );
    }

    /// The men of Channing House, ages in months, those who entered youngest: J. Hyde, "Survival
    /// analysis with incomplete observations", in R. G. Miller et al., "Biostatistics Casebook" (1980),
    /// 31–46. Klein and Moeschberger, section 4.6, use them for an estimate that falls to 0 while most
    /// live on: of the two who were there at 777 one died, at 781 the other, and the next came at 782.
    #[test]
    fn two_men_who_die_young_do_not_end_the_curve_of_those_who_come_later() {
        let men = [
            (751, 777, true),
            (759, 781, true),
            (782, 909, true),
            (806, 943, false),
            (817, 843, false),
            (820, 957, false),
        ];
        // Counted from an age: whoever had entered by then was watched from there.
        let from =
            |age: i64| {
                estimate(men.iter().filter(|(_, exit, _)| *exit > age).map(
                    |(entry, exit, died)| Duration {
                        millis: exit - age,
                        censored: !died,
                        met_at_millis: (*entry > age).then_some(entry - age),
                    },
                ))
            };
        let from_youngest = from(751);
        assert_steps(&from_youngest, &[(26, 0.5)]);
        assert_eq!(from_youngest.until_millis, Some(780 - 751));
        assert_eq!(from_youngest.percentile(0.5), Some(26));
        assert_eq!(from_youngest.percentile(0.51), None);
        // From birth there is no estimate, for nobody was watched.
        assert_eq!((from(0).steps, from(0).until_millis), (vec![], Some(0)));
        // Of those who live to be 782 months old it is known as long as any was seen.
        assert_steps(&from(782), &[(909 - 782, 2.0 / 3.0)]);
        assert_eq!(
            (from(782).until_millis, from(782).is_cut_short),
            (Some(175), false)
        );
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
        // there are 8 and 9, at 9 only 9, after whom nobody comes.
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
        assert_eq!(estimate(over).until_millis, Some(0));
    }

    /// One case a line, with what is left to know of it.
    #[test]
    fn the_curve_stops_where_it_is_no_longer_determined() {
        let (ended, censored) = (Duration::ended, Duration::censored);
        for (what, durations, steps, until) in [
            (
                "all at risk end, and others come later",
                vec![ended(4), ended(5), ended(20).met_at(10)],
                &[(4, 0.5)][..],
                4,
            ),
            (
                "the last at risk is censored, and others come later",
                vec![ended(4), censored(6), ended(20).met_at(10)],
                &[(4, 0.5)],
                6,
            ),
            (
                "the others come as all end",
                vec![ended(4), ended(6), ended(20).met_at(6)],
                &[(4, 0.5)],
                5,
            ),
            (
                "the others come as the last is censored, and none is missed",
                vec![ended(4), censored(6), ended(20).met_at(6)],
                &[(4, 0.5), (20, 0.0)],
                20,
            ),
            (
                "the others come a moment before",
                vec![ended(4), ended(6), ended(20).met_at(5)],
                &[(4, 0.5), (6, 0.25), (20, 0.0)],
                20,
            ),
            (
                "a hole in the midst, twice",
                vec![
                    censored(3),
                    ended(9).met_at(5),
                    censored(12).met_at(5),
                    ended(30).met_at(20),
                ],
                &[],
                3,
            ),
            (
                "only such as were met on the way",
                vec![
                    ended(9).met_at(5),
                    ended(12).met_at(6),
                    censored(8).met_at(1),
                ],
                &[],
                0,
            ),
            (
                "all there is ends at once",
                vec![ended(0), ended(9).met_at(5)],
                &[],
                0,
            ),
            (
                "one who had ended by then is no other",
                vec![ended(4), ended(9).met_at(9)],
                &[(4, 0.0)],
                4,
            ),
            (
                "the longest are censored",
                vec![ended(4), censored(7), censored(9).met_at(2)],
                &[(4, 2.0 / 3.0)],
                9,
            ),
        ] {
            let found = estimate(durations);
            assert_steps(&found, steps);
            assert_eq!(found.until_millis, Some(until), "{what}");
            let fell_to = found.steps.last().map_or(1.0, |(_, left)| *left);
            assert_eq!(found.percentile(1.0).is_some(), fell_to == 0.0, "{what}");
        }
    }

    /// The definition itself, length by length, over all small cases of three: at risk at `t` is who
    /// was met younger and lasts so long, and up to a length the curve is known if at it, and at each
    /// before, somebody is at risk and somebody goes on, or nobody comes later.
    #[test]
    fn the_sweep_counts_as_the_definition_does() {
        let kinds: Vec<Duration> = (0..4)
            .flat_map(|millis| [Duration::ended(millis), Duration::censored(millis)])
            .flat_map(|d| [d, d.met_at(0), d.met_at(1), d.met_at(2)])
            .collect();
        let is_at_risk =
            |d: &Duration, t: i64| d.met_at_millis.is_none_or(|met| met < t) && d.millis >= t;
        let ends_at = |d: &Duration, t: i64| is_at_risk(d, t) && d.millis == t && !d.censored;
        for (a, b, c) in kinds.iter().flat_map(|a| {
            let kinds = &kinds;
            kinds
                .iter()
                .flat_map(move |b| kinds.iter().map(move |c| (a, b, c)))
        }) {
            let all = [*a, *b, *c];
            let count = |is: &dyn Fn(&Duration) -> bool| all.iter().filter(|d| is(d)).count();
            let at_risk = |t: i64| count(&|d| is_at_risk(d, t));
            let survive = |t: i64| at_risk(t) > count(&|d| ends_at(d, t));
            let come_later = |t: i64| (t + 1..5).any(|later| at_risk(later) > 0);
            let is_known = |t: i64| (0..=t).all(|t| survive(t) || !come_later(t));
            let last = (0..4).rev().find(|t| at_risk(*t) > 0);
            let until = (0..4).rev().find(|t| is_known(*t) && Some(*t) <= last);
            let mut expected = Vec::new();
            let mut left = 1.0;
            for t in (0..4).filter(|t| is_known(*t)) {
                let ends = count(&|d| ends_at(d, t));
                if ends > 0 {
                    left *= 1.0 - ends as f64 / at_risk(t) as f64;
                    expected.push((t, left));
                }
            }
            let found = estimate(all);
            let (whole, mut others): (Vec<Duration>, Vec<Duration>) =
                all.into_iter().partition(|d| *d == ended_alike(d));
            let mut ended = Spread::default();
            whole.iter().for_each(|d| ended.push(d.millis));
            let few = survival_percentiles(&ended.sorted(), &mut others, [0.3, 0.5, 0.9]);
            assert_eq!(
                few.percentiles,
                [0.3, 0.5, 0.9].map(|q| found.percentile(q)),
                "{all:?}"
            );
            assert_eq!(
                (few.until_millis, few.is_cut_short),
                (found.until_millis, found.is_cut_short),
                "{all:?}"
            );
            assert_steps(&found, &expected);
            assert_eq!(found.until_millis, Some(until.unwrap_or(0)), "{all:?}");
            assert_eq!(
                found.is_cut_short,
                until.is_none() || until < last,
                "{all:?}"
            );
        }
    }

    fn ended_alike(duration: &Duration) -> Duration {
        Duration::ended(duration.millis)
    }

    #[test]
    fn edges() {
        let median = |durations: &[Duration]| estimate(durations.iter().copied()).percentile(0.5);
        let (ended, censored) = (Duration::ended, Duration::censored);
        assert_eq!(median(&[]), None);
        assert_eq!(estimate([]), Survival::default());
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
