//! How long did processes last, phase by phase, and which lasted longest?

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::lives::{Life, Reckoned};
use super::looks::Watch;
use super::{Answer, Duration, GroupKey, History, Question, Reading, Row, Survival, percentile};
use crate::Error;
use crate::model::{Deployment, Outcome, Phase, PhaseLength, UtcMillis};

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

impl Histogram {
    const BINS: usize = 16;

    fn of(lengths: &[i64], from_ms: i64, until_ms: i64) -> Self {
        // What took no time at all is in the first bin.
        let log = |millis: i64| (millis.max(1) as f64).ln();
        let (low, high) = (log(from_ms), log(until_ms));
        let mut counts = vec![0; Self::BINS];
        for length in lengths {
            let share = (log(*length) - low) / (high - low).max(f64::MIN_POSITIVE);
            counts[((share * Self::BINS as f64) as usize).min(Self::BINS - 1)] += 1;
        }
        Self {
            from_ms,
            until_ms,
            counts,
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
    /// Percentiles and survival estimates are those of [`percentile`] and [`Survival`], rounded to
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
        let watches = self.watches(question)?;
        let mut excluded = Exclusions::default();
        let mut groups: BTreeMap<(GroupKey, Phase), Lengths> = BTreeMap::new();
        self.each_life(Reckoned::ByCreation, question, |life| {
            let created_at = life.times.created_at;
            let key = question.key(&life.app_id, &life.region, &life.deployment_id, created_at);
            let watch = watches.get(&life.app_id);
            for phase in Phase::ALL {
                let lengths = groups.entry((key.clone(), phase)).or_default();
                let (millis, has_ended) = match life.times.phase(phase) {
                    PhaseLength::Ended(millis) => (millis, true),
                    PhaseLength::Censored(millis) => (millis, false),
                    PhaseLength::NotReached => continue,
                    PhaseLength::Excluded(reason) => {
                        excluded.count_in(phase, reason);
                        continue;
                    }
                };
                match has_ended {
                    true => lengths.ended.push(millis),
                    false => lengths.censored += 1,
                }
                if !has_ended && life.times.outcome == Outcome::Lost {
                    lengths.lost += 1;
                }
                let begin = life.times.beginning(phase).unwrap_or(created_at);
                lengths.watch(watch, [begin, created_at], millis, has_ended);
            }
            Ok(())
        })?;
        let ended = || groups.values().flat_map(|lengths| &lengths.ended).copied();
        let (from_ms, until_ms) = (
            ended().min().unwrap_or_default(),
            ended().max().unwrap_or_default(),
        );
        let rows = groups
            .into_iter()
            .map(|((key, phase), lengths)| row(key, phase, lengths, from_ms, until_ms))
            .collect();
        self.answer("lifetimes", question, excluded, rows)
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

/// How long those of a group spent in a phase.
#[derive(Default)]
struct Lengths {
    ended: Vec<i64>,
    censored: u64,
    lost: u64,
    delayed: u64,
    /// The same as far as they were watched; one for each part.
    watched: Vec<Duration>,
}

impl Lengths {
    /// Counts one as far as it was watched.
    fn watch(
        &mut self,
        watch: Option<&Watch>,
        [begin, created]: [UtcMillis; 2],
        millis: i64,
        has_ended: bool,
    ) {
        let begin = begin.millis();
        let over = begin + millis;
        // A phase that is said to begin before the process was created was not missed till then.
        let from = begin.max(created.millis()).min(over);
        let mut is_first_seen = false;
        for (since, until) in watch.into_iter().flat_map(|watch| watch.parts(from, over)) {
            let length = until - begin;
            let duration = match has_ended && until == over {
                true => Duration::ended(length),
                false => Duration::censored(length),
            };
            is_first_seen |= since == from;
            self.watched.push(match since == from {
                true => duration,
                false => duration.met_at(since - begin),
            });
        }
        self.delayed += u64::from(!is_first_seen);
    }
}

fn row(key: GroupKey, phase: Phase, lengths: Lengths, from_ms: i64, until_ms: i64) -> LifetimeRow {
    let Lengths {
        mut ended,
        mut watched,
        censored,
        ..
    } = lengths;
    ended.sort_unstable();
    let survival = Survival::estimate(&mut watched);
    let is_anybody = !ended.is_empty() || censored > 0;
    LifetimeRow {
        key,
        phase,
        n: ended.len() as u64,
        censored,
        lost: lengths.lost,
        delayed: lengths.delayed,
        mean_ms: mean(&ended),
        p50_ms: percentile(&ended, 50),
        p90_ms: percentile(&ended, 90),
        p99_ms: percentile(&ended, 99),
        max_ms: ended.last().copied(),
        survival_p50_ms: survival.percentile(0.5),
        survival_p90_ms: survival.percentile(0.9),
        // Nobody that was watched is as good as nobody that was watched from the beginning.
        survival_until_ms: survival.until_millis.or(is_anybody.then_some(0)),
        survival_is_cut_short: survival.is_cut_short || (is_anybody && watched.is_empty()),
        histogram: Histogram::of(&ended, from_ms, until_ms),
    }
}

/// Rounded half up, in whole numbers; none of none.
fn mean(lengths: &[i64]) -> Option<i64> {
    let n = lengths.len() as i128;
    let sum: i128 = lengths.iter().map(|&millis| i128::from(millis)).sum();
    i64::try_from((2 * sum + n).checked_div_euclid(2 * n)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_double_where_the_range_is_two_to_the_sixteenth() {
        let of = |lengths: &[i64]| Histogram::of(lengths, 1, 65_536).counts;
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
        assert_eq!(Histogram::of(&[7, 7], 7, 7).counts.iter().sum::<u64>(), 2);
    }
}
