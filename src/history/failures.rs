//! How often did processes fail, and before or after they had started?

use serde::Serialize;

use super::answer::Exclusions;
use super::lives::Reckoned;
use super::parts::Part;
use super::places::Places;
use super::slots::Slots;
use super::tally::{RowLife, Tally, TallyParts};
use super::{Answer, GroupKey, History, Question, Reading, Row, wilson_95};
use crate::Error;
use crate::model::Outcome;
use crate::store::{Column, Kind};

/// The failures of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FailureRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// Failed and stopped together.
    pub ended: u64,
    /// Failed.
    pub failed: u64,
    /// Of the failed, those that had never started.
    pub failed_before_start: u64,
    /// Lost: beside the ended, never among them.
    pub lost: u64,
    /// Open: beside the ended, never among them.
    pub open: u64,
    /// `failed` ÷ `ended`, between 0 and 1.
    pub rate: Option<f64>,
    /// Lower end of the rate's Wilson 95% interval.
    pub rate_low: Option<f64>,
    /// Upper end of the rate's Wilson 95% interval.
    pub rate_high: Option<f64>,
}

impl Row for FailureRow {
    const FIELDS: &'static [&'static str] = &[
        "ended",
        "failed",
        "failed_before_start",
        "lost",
        "open",
        "rate",
        "rate_low",
        "rate_high",
    ];
}

impl History {
    /// How many of the processes that ended in the window failed.
    ///
    /// Lost processes are counted beside them by when they were last seen, open ones by when they
    /// were created. The interval is that of [`wilson_95`].
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn failures(&self, question: &Question) -> Result<Answer<FailureRow>, Error> {
        self.read(|reading| reading.failures(question))
    }
}

impl Reading<'_> {
    pub(super) fn failures(&self, question: &Question) -> Result<Answer<FailureRow>, Error> {
        let mut places = Places::new(*self, question)?;
        let make = || Counts {
            slots: Slots::new(question),
            by_slot: Vec::new(),
        };
        let needed = [Column::Kind, Column::Ended];
        let counts = self.tally(Reckoned::ByEnd, question, &needed, &mut places, make)?;
        let mut rows = Vec::with_capacity(counts.by_slot.len());
        for ((group, begin_ms), n) in counts.slots.in_order.into_iter().zip(counts.by_slot) {
            rows.push(with_rate(FailureRow {
                key: places.key_from(group, begin_ms)?,
                ended: n[STOPPED] + n[FAILED] + n[FAILED_BEFORE_START],
                failed: n[FAILED] + n[FAILED_BEFORE_START],
                failed_before_start: n[FAILED_BEFORE_START],
                lost: n[LOST],
                open: n[OPEN],
                ..FailureRow::default()
            }));
        }
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        self.answer("failures", question, Exclusions::default(), rows)
    }
}

/// How many ended how, in each group.
struct Counts {
    slots: Slots,
    by_slot: Vec<[u64; OUTCOMES]>,
}

const OUTCOMES: usize = 5;
const STOPPED: usize = 0;
const FAILED: usize = 1;
const FAILED_BEFORE_START: usize = 2;
const LOST: usize = 3;
const OPEN: usize = 4;

fn how(outcome: Outcome, has_started: bool) -> usize {
    match (outcome, has_started) {
        (Outcome::Open, _) => OPEN,
        (Outcome::Lost, _) => LOST,
        (Outcome::Stopped, _) => STOPPED,
        (Outcome::Failed, true) => FAILED,
        (Outcome::Failed, false) => FAILED_BEFORE_START,
    }
}

impl Counts {
    fn at(&mut self, slot: usize) -> &mut [u64; OUTCOMES] {
        if slot >= self.by_slot.len() {
            self.by_slot.resize(slot + 1, [0; OUTCOMES]);
        }
        &mut self.by_slot[slot]
    }
}

impl TallyParts for Counts {
    fn part(&mut self, part: &Part) -> Result<(), Error> {
        self.slots.begin(part, part.ended);
        let of_kind = |kind: &Kind| how(kind.outcome(), kind.has_started);
        let hows: Vec<usize> = part.kinds().iter().map(of_kind).collect();
        let ended_ms = &part.columns.ended_ms[..];
        part.each(|i, kind| {
            if let Some(slot) = self.slots.of(part, kind, ended_ms[i]) {
                self.at(slot)[hows[kind]] += 1;
            }
        });
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        for ((group, begin_ms), counts) in other.slots.in_order.into_iter().zip(other.by_slot) {
            let slot = self.slots.number(group, begin_ms);
            for (own, more) in self.at(slot).iter_mut().zip(counts) {
                *own += more;
            }
        }
    }
}

impl Tally for Counts {
    fn life(&mut self, life: &RowLife) -> Result<(), Error> {
        let belongs_to = match life.times.outcome {
            Outcome::Open => life.times.created_at.millis(),
            Outcome::Lost => life.times.last_seen_at.millis(),
            Outcome::Stopped | Outcome::Failed => life.ended_ms()?,
        };
        let slot = self.slots.number(life.group, belongs_to);
        self.at(slot)[how(life.times.outcome, life.times.started_at.is_some())] += 1;
        Ok(())
    }
}

pub(super) fn with_rate(mut row: FailureRow) -> FailureRow {
    if let Some(interval) = wilson_95(row.failed, row.ended) {
        row.rate = Some(row.failed as f64 / row.ended as f64);
        row.rate_low = Some(interval.low);
        row.rate_high = Some(interval.high);
    }
    row
}
