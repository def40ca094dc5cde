//! How long did processes last, phase by phase, and which lasted longest?

use std::collections::HashMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::lengths::{Estimate, Lengths};
use super::lives::{Life, Reckoned};
use super::places::Places;
use super::slots::Slots;
use super::spread::Sorted;
use super::two::in_two;
use super::{Answer, GroupKey, History, Question, Reading, Row};
use crate::Error;
use crate::model::{Deployment, Outcome, Phase, PhaseLength, UtcMillis};
use crate::store::Column;

/// The lengths of one phase in one group; all lengths in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LifetimeRow {
    /// The group, by when the processes were created.
    #[serde(flatten)]
    pub key: GroupKey,
    /// Which phase of life.
    pub phase: Phase,
    /// How many have ended the phase.
    pub n: u64,
    /// How many were still in it when last seen.
    pub censored: u64,
    /// Of these, how many are lost: they ended soon after, and nobody knows when.
    pub lost: u64,
    /// How many of both the record did not watch from the beginning of the phase. The survival
    /// estimates count them only from the age at which it did, and those that were over by then not
    /// at all.
    pub delayed: u64,
    /// Mean of the ended.
    pub mean_ms: Option<i64>,
    /// Median of the ended, interpolated.
    pub p50_ms: Option<i64>,
    /// 90th percentile of the ended, interpolated.
    pub p90_ms: Option<i64>,
    /// 99th percentile of the ended, interpolated.
    pub p99_ms: Option<i64>,
    /// Longest of the ended.
    pub max_ms: Option<i64>,
    /// Kaplan–Meier median, which counts the censored.
    pub survival_p50_ms: Option<i64>,
    /// Kaplan–Meier 90th percentile, which counts the censored.
    pub survival_p90_ms: Option<i64>,
    /// The survival estimates are known up to this length; none where there are no lengths.
    pub survival_until_ms: Option<i64>,
    /// Whether others are known to last longer than that; in no JSON, since it is there to be told.
    #[serde(skip)]
    pub survival_is_cut_short: bool,
    /// How the lengths of the ended are spread; in no JSON, since it is there to be drawn.
    #[serde(skip)]
    pub histogram: Histogram,
}

impl Row for LifetimeRow {
    const FIELDS: &'static [&'static str] = &[
        "phase",
        "n",
        "censored",
        "lost",
        "delayed",
        "mean_ms",
        "p50_ms",
        "p90_ms",
        "p99_ms",
        "max_ms",
        "survival_p50_ms",
        "survival_p90_ms",
        "survival_until_ms",
    ];
}

/// How many lengths lie in each of a number of bins, each so many times as wide as the one before.
/// All rows of an answer have the same bins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Where the first bin begins, in milliseconds.
    pub from_ms: i64,
    /// Where the last one ends; itself inside.
    pub until_ms: i64,
    /// The lengths in each.
    pub counts: Vec<u64>,
}

/// The bins of a histogram.
struct Bins {
    range_ms: [i64; 2],
    /// The last length in each. A logarithm for each length would take longer than all the rest.
    last_ms: [i64; BINS],
}

const BINS: usize = 16;

impl Bins {
    fn of(range_ms: [i64; 2]) -> Self {
        let [from_ms, until_ms] = range_ms;
        // What took no time at all is in the first bin.
        let log = |millis: i64| (millis.max(1) as f64).ln();
        let (low, high) = (log(from_ms), log(until_ms));
        let bin = |millis: i64| {
            let share = (log(millis) - low) / (high - low).max(f64::MIN_POSITIVE);
            ((share * BINS as f64) as usize).min(BINS - 1)
        };
        let last_ms = std::array::from_fn(|number| {
            let (mut last, mut after) = (from_ms - 1, until_ms.saturating_add(1));
            while last + 1 < after {
                let middle = last.midpoint(after);
                match bin(middle) <= number {
                    true => last = middle,
                    false => after = middle,
                }
            }
            last
        });
        Self { range_ms, last_ms }
    }

    fn count(&self, lengths: &Sorted) -> Histogram {
        let mut before = 0;
        let counts = self.last_ms.map(|last| {
            let up_to = lengths.partition_point(|millis| millis <= last);
            (up_to - std::mem::replace(&mut before, up_to)) as u64
        });
        let [from_ms, until_ms] = self.range_ms;
        Histogram {
            from_ms,
            until_ms,
            counts: counts.to_vec(),
        }
    }
}

/// A process that lasted long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LongLivedRow {
    /// The process.
    pub process_id: String,
    /// Its app.
    pub app_id: String,
    /// Its region.
    pub region: String,
    /// Its deployment.
    pub deployment_id: Deployment,
    /// How it stands.
    pub outcome: Outcome,
    /// When it was created.
    pub created_at: UtcMillis,
    /// When it was last seen.
    pub last_seen_at: UtcMillis,
    /// Its lifetime, in milliseconds; none where it is not known to have ended.
    pub lifetime_ms: Option<i64>,
    /// How old it was when last seen, in milliseconds; none where it has a lifetime.
    pub age_so_far_ms: Option<i64>,
}

impl Row for LongLivedRow {
    const FIELDS: &'static [&'static str] = &[
        "process_id",
        "app_id",
        "region",
        "deployment_id",
        "outcome",
        "created_at",
        "last_seen_at",
        "lifetime_ms",
        "age_so_far_ms",
    ];
}

impl History {
    /// How long the processes that were created in the window spent in each phase.
    ///
    /// Percentiles and survival estimates are those of [`percentile`](super::percentile) and [`Survival`](super::Survival), rounded to
    /// whole milliseconds. A process without a length for a phase is counted as excluded there, under
    /// `PHASE.REASON`.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn lifetimes(&self, question: &Question) -> Result<Answer<LifetimeRow>, Error> {
        self.read(|reading| reading.lifetimes(question))
    }

    /// The processes created in the window that lived, or had lived when last seen, longer than
    /// `length_ms` milliseconds; those that lasted longest first. The grouping is not used.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn longer_than(
        &self,
        length_ms: i64,
        question: &Question,
    ) -> Result<Answer<LongLivedRow>, Error> {
        self.read(|reading| reading.longer_than(length_ms, question))
    }
}

impl Reading<'_> {
    fn lifetimes(&self, question: &Question) -> Result<Answer<LifetimeRow>, Error> {
        let sights = self.sights(question)?;
        let mut places = Places::new(*self, question)?;
        let make = || Lengths {
            slots: Slots::new(question),
            by_slot: Vec::new(),
            sights: &sights,
            excluded: HashMap::new(),
        };
        let needed = [
            Column::Kind,
            Column::Created,
            Column::Started,
            Column::Stopping,
            Column::Ended,
        ];
        let lengths = self.tally(Reckoned::ByCreation, question, &needed, &mut places, make)?;
        let mut phases = Vec::with_capacity(Phase::ALL.len() * lengths.by_slot.len());
        for ((group, begin_ms), by_phase) in lengths.slots.in_order.into_iter().zip(lengths.by_slot)
        {
            let key = places.key_from(group, begin_ms)?;
            for (phase, lengths) in Phase::ALL.into_iter().zip(by_phase) {
                phases.push((key.clone(), phase, lengths));
            }
        }
        phases.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let ranges = phases
            .iter_mut()
            .filter_map(|(.., lengths)| lengths.range());
        let range_ms =
            ranges.reduce(|[from, until], range| [from.min(range[0]), until.max(range[1])]);
        let bins = Bins::of(range_ms.unwrap_or_default());
        let rows = in_two(phases, |(key, phase, lengths)| {
            row(key, phase, &lengths.estimate(), &bins)
        });
        let mut answer = self.answer("lifetimes", question, Exclusions::default(), rows)?;
        for ((phase, reason), n) in lengths.excluded {
            answer.excluded.insert(format!("{phase}.{reason}"), n);
        }
        Ok(answer)
    }

    fn longer_than(
        &self,
        length_ms: i64,
        question: &Question,
    ) -> Result<Answer<LongLivedRow>, Error> {
        let mut excluded = Exclusions::default();
        let mut rows = Vec::new();
        self.each_life(Reckoned::ByCreation, question, |life| {
            match life.times.phase(Phase::Lifetime) {
                PhaseLength::Ended(millis) if millis > length_ms => {
                    rows.push((millis, long_lived(life, Some(millis), None)));
                }
                PhaseLength::Censored(millis) if millis > length_ms => {
                    rows.push((millis, long_lived(life, None, Some(millis))));
                }
                PhaseLength::Excluded(reason) => excluded.count(reason),
                _ => {}
            }
            Ok(())
        })?;
        rows.sort_by(|(a_ms, a), (b_ms, b)| {
            (b_ms, &a.process_id).cmp(&(a_ms, &b.process_id)) // the longest first
        });
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        self.answer("lifetimes", question, excluded, rows)
    }
}

fn long_lived(life: Life, lifetime_ms: Option<i64>, age_so_far_ms: Option<i64>) -> LongLivedRow {
    LongLivedRow {
        process_id: life.process_id,
        app_id: life.app_id,
        region: life.region,
        deployment_id: life.deployment_id,
        outcome: life.times.outcome,
        created_at: life.times.created_at,
        last_seen_at: life.times.last_seen_at,
        lifetime_ms,
        age_so_far_ms,
    }
}

fn row(key: GroupKey, phase: Phase, estimate: &Estimate, bins: &Bins) -> LifetimeRow {
    let Estimate {
        ended, survival, ..
    } = estimate;
    let is_anybody = !ended.is_empty() || estimate.censored > 0;
    let [survival_p50_ms, survival_p90_ms] = survival.percentiles;
    LifetimeRow {
        key,
        phase,
        n: ended.len() as u64,
        censored: estimate.censored,
        lost: estimate.lost,
        delayed: estimate.delayed,
        mean_ms: ended.mean(),
        p50_ms: ended.percentile(50),
        p90_ms: ended.percentile(90),
        p99_ms: ended.percentile(99),
        max_ms: ended.max(),
        survival_p50_ms,
        survival_p90_ms,
        // Nobody that was watched is as good as nobody that was watched from the beginning.
        survival_until_ms: survival.until_millis.or(is_anybody.then_some(0)),
        survival_is_cut_short: survival.is_cut_short || (is_anybody && !estimate.is_any_watched),
        histogram: bins.count(ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::spread::Spread;

    #[test]
    fn bins_double_where_the_range_is_two_to_the_sixteenth() {
        let within = |range_ms: [i64; 2], lengths: &[i64]| {
            let mut spread = Spread::default();
            lengths.iter().for_each(|&millis| spread.push(millis));
            Bins::of(range_ms).count(&spread.sorted()).counts
        };
        let of = |lengths: &[i64]| within([1, 65_536], lengths);
        let in_bin = |bin: usize| {
            let mut counts = vec![0; 16];
            counts[bin] = 1;
            counts
        };
        for (length, bin) in [
            (0, 0),
            (1, 0),
            (3, 1),
            (1000, 9),
            (40_000, 15),
            (65_536, 15),
        ] {
            assert_eq!(of(&[length]), in_bin(bin), "{length}");
        }
        assert_eq!(of(&[]), vec![0; 16]);
        assert_eq!(within([7, 7], &[7, 7]).iter().sum::<u64>(), 2);
        assert_eq!(of(&[1, 3, 3, 40_000])[..2], [1, 2]);
    }
}
