//! How long lives spent in each phase, added up group by group.

use std::collections::HashMap;

use super::looks::Watch;
use super::parts::Part;
use super::risk::{SurvivalPercentiles, survival_percentiles};
use super::slots::Slots;
use super::spread::{Sorted, Spread};
use super::survival::Duration;
use super::tally::{RowLife, Tally, TallyParts};
use super::{Question, Reading};
use crate::Error;
use crate::model::{Excluded, Lifecycle, Outcome, Phase, PhaseLength};

/// When an app was in sight.
pub(super) struct Sight {
    watch: Watch,
    /// Each from when until when, in order of time.
    stretches: Vec<(i64, i64)>,
}

impl Sight {
    fn new(watch: Watch) -> Self {
        // Of a life as long as all time it is the parts; the first is before the record, and of no length.
        let stretches = watch.parts(i64::MIN, i64::MAX).skip(1).collect();
        Self { watch, stretches }
    }

    /// Whether all of a life lies in one stretch, so that it has one part; and most do. `near` is the
    /// number of the stretch that the one before began in, and those of one segment are neighbours.
    #[inline]
    fn is_whole(&self, from: i64, over: i64, near: &mut usize) -> bool {
        let begins_in = |(since, _): &(i64, i64)| *since <= from;
        let stretches = &self.stretches[..];
        let is_near = stretches.get(*near).is_some_and(begins_in)
            && !stretches.get(*near + 1).is_some_and(begins_in);
        if !is_near {
            match stretches.partition_point(begins_in).checked_sub(1) {
                Some(number) => *near = number,
                None => return false,
            }
        }
        over <= stretches[*near].1
    }

    /// Whether all of a life lies before the record: it has no part.
    fn is_before(&self, from: i64, over: i64) -> bool {
        let begin = self.stretches.first().map_or(i64::MAX, |(since, _)| *since);
        from < begin && over <= begin
    }
}

impl Reading<'_> {
    /// When each of the apps asked about was in sight, by word.
    pub fn sights(&self, question: &Question) -> Result<HashMap<i64, Sight>, Error> {
        let mut sights = HashMap::new();
        for (app_id, watch) in self.watches(question)? {
            if let Some(word) = self.word_of(&app_id)? {
                sights.insert(word, Sight::new(watch));
            }
        }
        Ok(sights)
    }
}

/// The lengths of all phases, by group.
pub(super) struct Lengths<'s> {
    pub slots: Slots,
    pub by_slot: Vec<[PhaseLengths; Phase::ALL.len()]>,
    pub sights: &'s HashMap<i64, Sight>,
    pub excluded: HashMap<(Phase, Excluded), u64>,
}

impl Lengths<'_> {
    fn at(&mut self, slot: usize) -> &mut [PhaseLengths; Phase::ALL.len()] {
        if slot >= self.by_slot.len() {
            self.by_slot.resize_with(slot + 1, Default::default);
        }
        &mut self.by_slot[slot]
    }

    #[inline]
    fn add(&mut self, slot: usize, times: &Lifecycle, sight: Option<&Sight>, near: &mut usize) {
        let created = times.created_at.millis();
        let is_in_sight = sight.is_some_and(|sight| {
            let (mut from, mut over) = (created, created);
            let others = [times.started_at, times.stopping_at, times.terminated_at];
            for at in others
                .into_iter()
                .chain([Some(times.last_seen_at)])
                .flatten()
            {
                from = from.min(at.millis());
                over = over.max(at.millis());
            }
            sight.is_whole(from, over, near)
        });
        // Whoever is in a group has rows in it, even if all its lengths are excluded.
        self.at(slot);
        for (number, phase) in Phase::ALL.into_iter().enumerate() {
            let (millis, has_ended) = match times.phase(phase) {
                PhaseLength::Ended(millis) => (millis, true),
                PhaseLength::Censored(millis) => (millis, false),
                PhaseLength::NotReached => continue,
                PhaseLength::Excluded(reason) => {
                    *self.excluded.entry((phase, reason)).or_default() += 1;
                    continue;
                }
            };
            let begin = times
                .beginning(phase)
                .map_or(created, |begin| begin.millis());
            let lengths = &mut self.at(slot)[number];
            match has_ended {
                true => lengths.ended.push(millis),
                false => lengths.censored += 1,
            }
            if !has_ended && times.outcome == Outcome::Lost {
                lengths.lost += 1;
            }
            match (is_in_sight, has_ended) {
                (true, true) => {}
                (true, false) => lengths.watched.push(Duration::censored(millis)),
                (false, _) => lengths.watch(sight, [begin, created], millis, has_ended, near),
            }
        }
    }
}

impl TallyParts for Lengths<'_> {
    fn part(&mut self, part: &Part) -> Result<(), Error> {
        self.slots.begin(part, part.created);
        let sights: Vec<_> = part
            .kinds()
            .iter()
            .map(|kind| self.sights.get(&kind.app))
            .collect();
        let mut near = 0;
        part.each(|i, kind| {
            let times = part.times(i, &part.kinds()[kind]);
            if let Some(slot) = self.slots.of(part, kind, times.created_at.millis()) {
                self.add(slot, &times, sights[kind], &mut near);
            }
        });
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        for ((group, begin_ms), lengths) in other.slots.in_order.into_iter().zip(other.by_slot) {
            let slot = self.slots.number(group, begin_ms);
            for (own, more) in self.at(slot).iter_mut().zip(lengths) {
                own.extend(more);
            }
        }
        for (what, n) in other.excluded {
            *self.excluded.entry(what).or_default() += n;
        }
    }
}

impl Tally for Lengths<'_> {
    fn life(&mut self, life: &RowLife) -> Result<(), Error> {
        let slot = self
            .slots
            .number(life.group, life.times.created_at.millis());
        self.add(slot, &life.times, self.sights.get(&life.app), &mut 0);
        Ok(())
    }
}

/// How long those of a group spent in a phase; lengths in milliseconds.
#[derive(Debug, Default)]
pub(super) struct PhaseLengths {
    /// All that ended.
    ended: Spread,
    censored: u64,
    lost: u64,
    delayed: u64,
    /// Of those that ended, the ones that were not watched from beginning to end.
    not_whole: Spread,
    /// These, as far as they were watched, and the censored; one for each part.
    watched: Vec<Duration>,
}

impl PhaseLengths {
    /// Counts one as far as it was watched.
    #[inline]
    fn watch(
        &mut self,
        sight: Option<&Sight>,
        [begin, created]: [i64; 2],
        millis: i64,
        has_ended: bool,
        near: &mut usize,
    ) {
        let over = begin + millis;
        // A phase that is said to begin before the process was created was not missed till then.
        let from = begin.max(created).min(over);
        let is_whole = sight.is_some_and(|sight| sight.is_whole(from, over, near));
        match (is_whole, has_ended) {
            (true, true) => {}
            (true, false) => self.watched.push(Duration::censored(millis)),
            (false, _) => self.watch_parts(sight, begin, [from, over], has_ended),
        }
    }

    fn watch_parts(
        &mut self,
        sight: Option<&Sight>,
        begin: i64,
        [from, over]: [i64; 2],
        has_ended: bool,
    ) {
        if has_ended {
            self.not_whole.push(over - begin);
        }
        let mut is_first_seen = false;
        let sight = sight.filter(|sight| !sight.is_before(from, over));
        for (since, until) in sight
            .into_iter()
            .flat_map(|sight| sight.watch.parts(from, over))
        {
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

    fn extend(&mut self, other: Self) {
        self.ended.extend(other.ended);
        self.censored += other.censored;
        self.lost += other.lost;
        self.delayed += other.delayed;
        self.not_whole.extend(other.not_whole);
        self.watched.extend(other.watched);
    }

    /// The least and the greatest of those that ended.
    pub fn range(&self) -> Option<[i64; 2]> {
        self.ended.range()
    }

    /// Puts the lengths in order and estimates how long they last.
    pub fn estimate(mut self) -> Estimate {
        let ended = self.ended.sorted();
        let not_whole = self.not_whole.sorted();
        let whole = (!not_whole.is_empty()).then(|| ended.without(&not_whole));
        let whole = whole.as_ref().unwrap_or(&ended);
        let survival = survival_percentiles(whole, &mut self.watched, [0.5, 0.9]);
        Estimate {
            is_any_watched: !whole.is_empty() || !self.watched.is_empty(),
            ended,
            censored: self.censored,
            lost: self.lost,
            delayed: self.delayed,
            survival,
        }
    }
}

/// What is known of the lengths of a phase.
#[derive(Debug)]
pub(super) struct Estimate {
    pub ended: Sorted,
    pub censored: u64,
    pub lost: u64,
    pub delayed: u64,
    pub is_any_watched: bool,
    pub survival: SurvivalPercentiles<2>,
}
