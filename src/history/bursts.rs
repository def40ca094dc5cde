//! When did far more processes fail, or end, together than chance would have it?
//!
//! Here is what counts as lived, and as an end; [`super::scan`] finds where ends lie too close together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::answer::Exclusions;
use super::lives::{Life, Reckoned};
use super::scan::{BURST, Cluster, Lived, clusters};
use super::{Answer, GroupKey, History, Question, Reading, Row, Window};
use crate::Error;
use crate::model::{Deployment, Excluded, Outcome, UtcMillis};
use crate::store::to_time;

/// What came together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BurstOf {
    /// Processes that failed.
    Failed,
    /// Processes that ended in any way.
    Ended,
}

/// A stretch of time in which far more of a group came to an end together than its own rate explains,
/// that over the window as well as that around the stretch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BurstRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// Whether they failed, or ended in any way.
    pub of: BurstOf,
    /// The first of these ends.
    pub since: UtcMillis,
    /// The last of them.
    pub until: UtcMillis,
    /// How many there were.
    pub n: u64,
    /// How many the group's own rate would have had there: the highest of those that it is held against.
    pub expected: f64,
    /// How many of the group were alive just before.
    pub alive: u64,
    /// Of these ends, how many were told to stop, and so did not end by themselves.
    pub told_to_stop: u64,
    /// The deployments of those that ended.
    pub deployment_ids: Vec<Deployment>,
    /// How likely so many would come together anywhere in the window by chance, at that rate; at the
    /// most, and after allowing for all stretches that were tried.
    pub p: f64,
}

impl Row for BurstRow {
    const FIELDS: &'static [&'static str] = &[
        "of",
        "since",
        "until",
        "n",
        "expected",
        "alive",
        "told_to_stop",
        "deployment_ids",
        "p",
    ];
}

impl History {
    /// Stretches of time that touch the window, at most a quarter of an hour long, in which far more
    /// processes failed, or ended in any way, than the rate of their own group explains, over the window
    /// with a day before and after it, and in the hour before and after the stretch: at least five, at
    /// least three times as many, and less likely than one in a thousand.
    ///
    /// Ends are lifecycle times. A process counts from when it came under observation.
    ///
    /// # Errors
    /// [`Error::BurstsByTime`] if grouped by day or hour; [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn bursts(&self, question: &Question) -> Result<Answer<BurstRow>, Error> {
        self.read(|reading| reading.bursts(question))
    }
}

impl Reading<'_> {
    fn bursts(&self, question: &Question) -> Result<Answer<BurstRow>, Error> {
        if let Some(group) = question.by.iter().find(|group| group.is_time()) {
            let field = group.field();
            return Err(Error::BurstsByTime { field });
        }
        let watches = self.watches(question)?;
        let about = question.clone().window(question.window.widened(DAY_MS));
        let (since, until) = (about.window.since_ms(), about.window.until_ms());
        let mut excluded = Exclusions::default();
        let mut groups: BTreeMap<GroupKey, Seen> = BTreeMap::new();
        self.each_life(Reckoned::Alive, &about, |life| {
            let created_ms = life.times.created_at.millis();
            let has_ended = life.times.outcome.has_ended();
            let mut leave_out = |is_meant, reason| {
                if is_meant {
                    excluded.count(reason);
                }
                Ok(())
            };
            let Some(over_ms) = over_ms(&life) else {
                return leave_out(is_alive_in(question.window, &life), Excluded::NoEndTime);
            };
            if over_ms < created_ms {
                let is_meant = is_alive_in(question.window, &life);
                return leave_out(is_meant, Excluded::TimesOutOfOrder);
            }
            let is_over_inside = question.window.contains(to_time(over_ms)?);
            if life.times.outcome == Outcome::Lost && over_ms < until {
                // It has ended since, and nobody knows when: perhaps with many others.
                return leave_out(is_over_inside, Excluded::Lost);
            }
            let watch = watches.get(&life.app_id);
            let mut end_was_seen = false;
            let key = question.place(&life.app_id, &life.region, &life.deployment_id);
            let seen = groups.entry(key).or_default();
            for (from, to) in watch
                .into_iter()
                .flat_map(|watch| watch.parts(created_ms, over_ms))
            {
                end_was_seen |= to == over_ms;
                if from.max(since) <= to.min(until) {
                    seen.lives.push((from.max(since), to.min(until)));
                }
            }
            if has_ended && (since..until).contains(&over_ms) {
                match end_was_seen {
                    true => seen.ends.push(End::of(&life, over_ms)),
                    false => return leave_out(is_over_inside, Excluded::EndedUnwatched),
                }
            }
            Ok(())
        })?;
        let mut rows = Vec::new();
        for (key, mut seen) in groups {
            let lived = Lived::of(seen.lives);
            seen.ends.sort_unstable();
            for of in [BurstOf::Failed, BurstOf::Ended] {
                let is_meant = |end: &&End| of == BurstOf::Ended || end.failed;
                let ends: Vec<&End> = seen.ends.iter().filter(is_meant).collect();
                let moments: Vec<i64> = ends.iter().map(|end| end.at_ms).collect();
                for cluster in clusters(&lived, &moments, BURST) {
                    let row = row(key.clone(), of, &cluster, &ends)?;
                    let window = question.window;
                    if window.until.is_none_or(|until| row.since < until)
                        && window.since.is_none_or(|since| row.until >= since)
                    {
                        rows.push(row);
                    }
                }
            }
        }
        rows.sort_by(|a, b| (&a.key, a.since, a.of).cmp(&(&b.key, b.since, b.of)));
        self.answer("failures", question, excluded, rows)
    }
}

/// How much of what was before and after a window tells what is usual, in milliseconds: whether there
/// was a burst must not depend on how closely somebody looks at it.
const DAY_MS: i64 = 24 * 3_600_000;

/// Whether a process may have been alive in a window, or is said to have been created in it.
fn is_alive_in(window: Window, life: &Life) -> bool {
    let created_at = life.times.created_at;
    window.until.is_none_or(|until| created_at < until)
        && window.since.is_none_or(|since| {
            created_at >= since || life.ended_at.is_none_or(|ended_at| ended_at >= since)
        })
}

/// Until when a process is known to have lived; none where it ended and does not say when. When that
/// was seen is no substitute: it is the moment of a look, at which many are seen to have ended at once.
fn over_ms(life: &Life) -> Option<i64> {
    let over = match life.times.outcome {
        Outcome::Open | Outcome::Lost => Some(life.times.last_seen_at),
        Outcome::Stopped | Outcome::Failed => life.times.end(),
    };
    over.map(UtcMillis::millis)
}

/// What was seen of a group in the window, and a day before and after it.
#[derive(Default)]
struct Seen {
    /// From when until when each was alive and under observation.
    lives: Vec<(i64, i64)>,
    ends: Vec<End>,
}

/// How one process came to its end; in order of time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct End {
    at_ms: i64,
    deployment_id: Deployment,
    failed: bool,
    told_to_stop: bool,
}

impl End {
    fn of(life: &Life, at_ms: i64) -> Self {
        Self {
            at_ms,
            deployment_id: life.deployment_id.clone(),
            failed: life.times.outcome == Outcome::Failed,
            told_to_stop: life.times.stopping_at.is_some(),
        }
    }
}

fn row(key: GroupKey, of: BurstOf, cluster: &Cluster, all: &[&End]) -> Result<BurstRow, Error> {
    let ends = &all[cluster.moments.clone()];
    let deployments: BTreeSet<&Deployment> = ends.iter().map(|end| &end.deployment_id).collect();
    let at_ms = |end: Option<&&End>| end.map_or(0, |end| end.at_ms);
    Ok(BurstRow {
        key,
        of,
        since: to_time(at_ms(ends.first()))?,
        until: to_time(at_ms(ends.last()))?,
        n: ends.len() as u64,
        expected: cluster.expected,
        alive: cluster.alive as u64,
        told_to_stop: ends.iter().filter(|end| end.told_to_stop).count() as u64,
        deployment_ids: deployments.into_iter().cloned().collect(),
        p: cluster.p(),
    })
}
