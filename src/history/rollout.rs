//! How did one deployment take over from the one before?

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::concurrency::{Edges, Levels};
use super::deployments::Deployed;
use super::lives::{Life, Reckoned};
use super::question::buckets;
use super::{Answer, Group, GroupKey, History, Question, Reading, Row};
use crate::Error;
use crate::model::{Deployment, Excluded, Outcome, UtcMillis};
use crate::store::to_time;

/// Which deployment takes over from which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Takeover {
    /// The one before; the one whose first process came last before that of the new one, where none is
    /// named.
    pub from: Option<String>,
    /// The new one; the latest whose first process was created in the window, where none is named.
    pub to: Option<String>,
}

/// How the new deployment took over in one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RolloutRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// The deployment before.
    pub old_deployment_id: Deployment,
    /// The new one.
    pub new_deployment_id: Deployment,
    /// Processes of the old one.
    pub old_processes: u64,
    /// Processes of the new one.
    pub new_processes: u64,
    /// When the first process of the new one started; none if none has.
    pub new_first_started_at: Option<UtcMillis>,
    /// The first moment at which some of the new ran, and no fewer than of the old; none if there was none.
    pub half_at: Option<UtcMillis>,
    /// When the last process of the old one ended; none while some have no known end.
    pub old_last_ended_at: Option<UtcMillis>,
    /// Processes of the old one that are still open.
    pub old_open: u64,
    /// Processes of the old one that are lost.
    pub old_lost: u64,
    /// How long the old one outlived the first start of the new one, in milliseconds; 0 where it had
    /// ended by then, none while either is not known.
    pub old_survived_ms: Option<i64>,
    /// The share of the new one among both, step by step from that first start to the last end; in no
    /// JSON, since it is there to be drawn.
    #[serde(skip)]
    pub shares: Vec<Option<f64>>,
}

impl Row for RolloutRow {
    const FIELDS: &'static [&'static str] = &[
        "old_deployment_id",
        "new_deployment_id",
        "old_processes",
        "new_processes",
        "new_first_started_at",
        "half_at",
        "old_last_ended_at",
        "old_open",
        "old_lost",
        "old_survived_ms",
    ];
}

/// How many of the two deployments ran at a moment of a roll-out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShareRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// The moment.
    pub at: UtcMillis,
    /// The deployment before.
    pub old_deployment_id: Deployment,
    /// The new one.
    pub new_deployment_id: Deployment,
    /// Processes of the old one that ran.
    pub old_running: u64,
    /// Processes of the new one that ran.
    pub new_running: u64,
    /// The share of the new one among both, from 0 to 1; none where none ran.
    pub share: Option<f64>,
}

impl Row for ShareRow {
    const FIELDS: &'static [&'static str] = &[
        "at",
        "old_deployment_id",
        "new_deployment_id",
        "old_running",
        "new_running",
        "share",
    ];
}

/// How many steps a drawn share has, and about how many moments [`History::rollout_shares`] gives.
const STEPS: i64 = 24;

impl History {
    /// How a deployment took over from the one before: when its first process started, when the last
    /// of the other ended, and how their shares went meanwhile. One row an app, and for each other
    /// group asked for; days and hours are not used, nor are the question's deployments.
    ///
    /// Processes run as in [`History::concurrency`]. The window only says which roll-out is meant,
    /// where none is named.
    ///
    /// # Errors
    /// [`Error::UnknownDeployment`] or [`Error::FirstDeployment`] if there is no such roll-out;
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn rollout(
        &self,
        takeover: &Takeover,
        question: &Question,
    ) -> Result<Answer<RolloutRow>, Error> {
        self.read(|reading| {
            let (excluded, sides) = reading.sides(takeover, question)?;
            let rows = sides
                .into_iter()
                .map(Sides::row)
                .collect::<Result<_, _>>()?;
            reading.answer("rollout", &about(question), excluded, rows)
        })
    }

    /// The same roll-out step by step: how many of each deployment ran, every `step_ms` milliseconds of
    /// UTC, or about two dozen times where none is given.
    ///
    /// # Errors
    /// As [`History::rollout`].
    pub fn rollout_shares(
        &self,
        takeover: &Takeover,
        step_ms: Option<i64>,
        question: &Question,
    ) -> Result<Answer<ShareRow>, Error> {
        self.read(|reading| {
            let (excluded, sides) = reading.sides(takeover, question)?;
            let mut rows = Vec::new();
            for side in &sides {
                rows.extend(side.share_rows(step_ms)?);
            }
            reading.answer("rollout", &about(question), excluded, rows)
        })
    }
}

/// What the answer is about: a deployment that is missing is never known, so gaps count for any.
fn about(question: &Question) -> Question {
    question.clone().only_deployments([])
}

/// The two deployments of a roll-out in one group.
struct Sides {
    key: GroupKey,
    old: Side,
    new: Side,
    /// When anything last looked.
    last_look_ms: i64,
}

/// One of them.
struct Side {
    deployment_id: Deployment,
    processes: u64,
    open: u64,
    lost: u64,
    first_started_ms: Option<i64>,
    last_ended_ms: Option<i64>,
    edges: Edges,
    /// Of the edges, once all are there.
    running: Levels,
}

impl Side {
    fn new(deployment_id: Deployment) -> Self {
        Self {
            deployment_id,
            processes: 0,
            open: 0,
            lost: 0,
            first_started_ms: None,
            last_ended_ms: None,
            edges: Edges::default(),
            running: Levels::default(),
        }
    }

    /// Takes in when a process ran.
    fn add(&mut self, life: &Life) -> Result<(), Excluded> {
        let earlier = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        if life.times.is_in_order() {
            let started = life.times.started_at.map(UtcMillis::millis);
            self.first_started_ms = earlier(self.first_started_ms, started);
            let ended = life.ended_at.map(UtcMillis::millis);
            self.last_ended_ms = self.last_ended_ms.max(ended);
        }
        if let Some((from, until)) = life.times.run()? {
            self.edges
                .add(from.millis(), until.map(UtcMillis::millis), 1);
        }
        Ok(())
    }
}

impl Reading<'_> {
    fn sides(
        &self,
        takeover: &Takeover,
        question: &Question,
    ) -> Result<(Exclusions, Vec<Sides>), Error> {
        let question = about(question);
        let mut excluded = Exclusions::default();
        let mut all: BTreeMap<GroupKey, Sides> = BTreeMap::new();
        for (old, new) in self.pairs(takeover, &question)? {
            let of_app = Question::default().app(&old.app_id);
            let last_look = self.last_look(&of_app, UtcMillis::MAX)?;
            let last_look_ms = last_look.unwrap_or(i64::MIN);
            let mut groups = question.by.clone();
            groups.push(Group::App);
            let lives = Question::default()
                .app(&old.app_id)
                .only_deployments([&old, &new].map(|d| d.deployment_id.to_string()))
                .only_by(groups);
            let lives = Question {
                regions: question.regions.clone(),
                ..lives
            };
            self.each_life(Reckoned::ByCreation, &lives, |life| {
                let key = lives.place(&life.app_id, &life.region, &life.deployment_id);
                let key = GroupKey {
                    deployment_id: None,
                    ..key
                };
                let sides = all.entry(key.clone()).or_insert_with(|| Sides {
                    key,
                    old: Side::new(old.deployment_id.clone()),
                    new: Side::new(new.deployment_id.clone()),
                    last_look_ms,
                });
                let side = if life.deployment_id == sides.new.deployment_id {
                    &mut sides.new
                } else if life.deployment_id == sides.old.deployment_id {
                    &mut sides.old
                } else {
                    return Ok(()); // the number 42 and the text "42" are two
                };
                side.processes += 1;
                match life.times.outcome {
                    Outcome::Open => side.open += 1,
                    Outcome::Lost => side.lost += 1,
                    Outcome::Stopped | Outcome::Failed => {}
                }
                if let Err(reason) = side.add(&life) {
                    excluded.count(reason);
                }
                Ok(())
            })?;
        }
        for sides in all.values_mut() {
            for side in [&mut sides.old, &mut sides.new] {
                side.running = side.edges.levels();
            }
        }
        Ok((excluded, all.into_values().collect()))
    }

    /// Which deployment takes over from which, app by app.
    fn pairs(
        &self,
        takeover: &Takeover,
        question: &Question,
    ) -> Result<Vec<(Deployed, Deployed)>, Error> {
        for name in takeover.from.iter().chain(&takeover.to) {
            self.deployment_named(name)?;
        }
        let all = self.deployments(question)?;
        let mut pairs = Vec::new();
        let mut first = None;
        for of_app in all.chunk_by(|a, b| a.app_id == b.app_id) {
            let named = |name: &String| {
                let is_it = |d: &Deployed| d.deployment_id.to_string() == *name;
                of_app.iter().position(is_it)
            };
            let new = match &takeover.to {
                Some(name) => named(name),
                None => of_app
                    .iter()
                    .rposition(|d| question.window.contains(d.first_created_at)),
            };
            let old = match &takeover.from {
                Some(name) => named(name),
                None => new.and_then(|new| new.checked_sub(1)),
            };
            match (old, new) {
                (Some(old), Some(new)) => pairs.push((of_app[old].clone(), of_app[new].clone())),
                (None, Some(new)) if takeover.from.is_none() => {
                    first = Some(of_app[new].deployment_id.to_string());
                }
                _ => {}
            }
        }
        match (pairs.is_empty(), first) {
            (true, Some(deployment)) => Err(Error::FirstDeployment { deployment }),
            _ => Ok(pairs),
        }
    }
}

impl Sides {
    fn row(self) -> Result<RolloutRow, Error> {
        let (old, new) = (&self.old, &self.new);
        let time = |millis: Option<i64>| millis.map(to_time).transpose();
        let is_over = old.open == 0 && old.lost == 0;
        let old_last_ended_ms = old.last_ended_ms.filter(|_| is_over);
        let survived = old_last_ended_ms.zip(new.first_started_ms);
        let shares = self.stretch().map_or_else(Vec::new, |(from, until)| {
            let share = |n: i64| self.share_at(from + (until - from) * n / (STEPS - 1));
            let steps = if until > from { STEPS } else { 1 };
            (0..steps).map(share).collect()
        });
        Ok(RolloutRow {
            old_processes: old.processes,
            new_processes: new.processes,
            new_first_started_at: time(new.first_started_ms)?,
            half_at: time(self.half_ms())?,
            old_last_ended_at: time(old_last_ended_ms)?,
            old_open: old.open,
            old_lost: old.lost,
            old_survived_ms: survived.map(|(ended, started)| (ended - started).max(0)),
            shares,
            old_deployment_id: self.old.deployment_id,
            new_deployment_id: self.new.deployment_id,
            key: self.key,
        })
    }

    fn share_rows(&self, step_ms: Option<i64>) -> Result<Vec<ShareRow>, Error> {
        let Some((from, until)) = self.stretch() else {
            return Ok(Vec::new());
        };
        let step = step_ms.unwrap_or_else(|| even_step(until - from)).max(1);
        // From the last step before it to the first one after.
        let from = from - from.rem_euclid(step);
        let until = until + (-until).rem_euclid(step);
        buckets(from, until.saturating_add(1), Some(step))?
            .map(|(at, _)| {
                let count = |side: &Side| side.running.at(at).unsigned_abs();
                Ok(ShareRow {
                    key: self.key.clone(),
                    at: to_time(at)?,
                    old_deployment_id: self.old.deployment_id.clone(),
                    new_deployment_id: self.new.deployment_id.clone(),
                    old_running: count(&self.old),
                    new_running: count(&self.new),
                    share: self.share_at(at),
                })
            })
            .collect()
    }

    /// From the first start of the new one until the old one last ran, or as far as the record goes.
    fn stretch(&self) -> Option<(i64, i64)> {
        let from = self.new.first_started_ms?;
        let known = if self.old.open > 0 {
            Some(self.last_look_ms)
        } else {
            self.old.last_ended_ms
        };
        let until = known.unwrap_or(from).max(self.old.edges.last_ms());
        Some((from, until.max(from)))
    }

    fn share_at(&self, at_ms: i64) -> Option<f64> {
        let (old, new) = (self.old.running.at(at_ms), self.new.running.at(at_ms));
        (old + new > 0).then(|| new as f64 / (old + new) as f64)
    }

    /// The first moment at which some of the new ran, and no fewer than of the old.
    fn half_ms(&self) -> Option<i64> {
        let moments = self.old.running.moments().chain(self.new.running.moments());
        moments
            .filter(|at| {
                let new = self.new.running.at(*at);
                new > 0 && new >= self.old.running.at(*at)
            })
            .min()
    }
}

/// The least even step that cuts a stretch into no more than about two dozen.
fn even_step(length_ms: i64) -> i64 {
    const SECOND_MS: i64 = 1000;
    let steps = [
        1,
        5,
        15,
        30,
        60,
        300,
        900,
        1800,
        3600,
        3 * 3600,
        6 * 3600,
        12 * 3600,
        24 * 3600,
        7 * 24 * 3600,
    ];
    steps
        .map(|seconds| seconds * SECOND_MS)
        .into_iter()
        .find(|step| length_ms / step <= STEPS)
        .unwrap_or(30 * 24 * 3600 * SECOND_MS)
}
