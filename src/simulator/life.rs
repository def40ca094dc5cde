//! How the life of a process is drawn: when it starts, what it does, how it ends.
//!
//! A life is drawn whole at creation. A roll-out that will end it is known by then, because all
//! roll-outs are; so a process told to stop by one simply has the shorter life.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, StandardNormal};

use super::config::{FleetConfig, HOUR_MS, MINUTE_MS, SECOND_MS};
use super::story::RoomChange;
use crate::model::UtcMillis;

/// When a process does what; everything of a story that chance decides, but names and ports.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) started_at: Option<UtcMillis>,
    pub(super) draining_at: Option<UtcMillis>,
    pub(super) stopping_at: Option<UtcMillis>,
    pub(super) terminated_at: UtcMillis,
    pub(super) failed: bool,
    pub(super) rooms: Vec<RoomChange>,
}

/// How it goes with the deployment that the process runs.
pub(super) struct Fate {
    /// Whether it is the bad one.
    pub(super) bad: bool,
    /// When the next one comes up.
    pub(super) replaced_at: UtcMillis,
}

impl Life {
    /// Draws the life of a process created at `created_at`.
    pub(super) fn draw(
        config: &FleetConfig,
        rng: &mut ChaCha8Rng,
        created_at: UtcMillis,
        fate: &Fate,
    ) -> Self {
        let (failure_share, boot_factor) = if fate.bad {
            (config.bad_failure_share, config.bad_boot_factor)
        } else {
            (config.failure_share, 1.0)
        };
        let fails = happens(rng, failure_share);
        if fails && happens(rng, 0.5) {
            let gave_up_after =
                log_normal_ms(rng, MINUTE_MS, 0.4).clamp(5 * SECOND_MS, 3 * MINUTE_MS);
            return Self {
                started_at: None,
                draining_at: None,
                stopping_at: None,
                terminated_at: created_at.plus_millis(gave_up_after),
                failed: true,
                rooms: Vec::new(),
            };
        }

        let boot_ms = (log_normal_ms(rng, 12 * SECOND_MS, 0.45) as f64 * boot_factor) as i64;
        let started_at = created_at.plus_millis(boot_ms.clamp(2 * SECOND_MS, 5 * MINUTE_MS));
        let mut told_at = started_at.plus_millis(natural_serving_ms(rng));
        let mut drain_share = 0.25;
        // One in ten outlives the roll-out: someone is always still playing.
        if told_at > fate.replaced_at && happens(rng, 0.9) {
            let patience_ms = exponential_ms(rng, 4 * MINUTE_MS).min(20 * MINUTE_MS);
            let rolled_at = fate.replaced_at.plus_millis(patience_ms);
            told_at = told_at
                .min(rolled_at)
                .max(started_at.plus_millis(SECOND_MS));
            drain_share = 0.6;
        }

        if fails {
            let crash_ms = exponential_ms(rng, 5 * MINUTE_MS).max(SECOND_MS);
            let terminated_at = started_at.plus_millis(crash_ms).min(told_at);
            let rooms = draw_rooms(config, rng, started_at, None, terminated_at);
            return Self {
                started_at: Some(started_at),
                draining_at: None,
                stopping_at: None,
                terminated_at,
                failed: true,
                rooms,
            };
        }

        let drains = happens(rng, drain_share);
        let by_itself = happens(rng, 0.1);
        let drain_ms = exponential_ms(rng, 2 * MINUTE_MS).clamp(SECOND_MS, 10 * MINUTE_MS);
        let draining_at = drains.then_some(told_at);
        let over_at = told_at.plus_millis(if drains { drain_ms } else { 0 });
        let stop_ms = log_normal_ms(rng, 6 * SECOND_MS, 0.6).clamp(200, 30 * SECOND_MS);
        let (stopping_at, terminated_at) = if by_itself {
            (None, over_at)
        } else {
            (Some(over_at), over_at.plus_millis(stop_ms))
        };
        let rooms = draw_rooms(config, rng, started_at, draining_at, terminated_at);
        Self {
            started_at: Some(started_at),
            draining_at,
            stopping_at,
            terminated_at,
            failed: false,
            rooms,
        }
    }
}

/// How long a slot stays empty between two processes, in milliseconds.
pub(super) fn vacancy_ms(rng: &mut ChaCha8Rng) -> i64 {
    exponential_ms(rng, 10 * SECOND_MS).clamp(50, 2 * MINUTE_MS)
}

/// Mostly matches of twenty minutes or so; a few worlds that stay up for hours.
fn natural_serving_ms(rng: &mut ChaCha8Rng) -> i64 {
    let drawn = if happens(rng, 0.04) {
        log_normal_ms(rng, 3 * HOUR_MS, 0.6)
    } else {
        log_normal_ms(rng, 20 * MINUTE_MS, 0.7)
    };
    drawn.clamp(20 * SECOND_MS, 24 * HOUR_MS)
}

/// Rooms come and go one at a time, and only go once the process drains.
fn draw_rooms(
    config: &FleetConfig,
    rng: &mut ChaCha8Rng,
    started_at: UtcMillis,
    draining_at: Option<UtcMillis>,
    terminated_at: UtcMillis,
) -> Vec<RoomChange> {
    let most = config.rooms_per_process.max(1);
    let mut changes = Vec::new();
    let mut allocated = 0;
    let mut at = started_at.plus_millis(exponential_ms(rng, 20 * SECOND_MS));
    while at < terminated_at {
        let draining = draining_at.is_some_and(|from| from <= at);
        let comes = match allocated {
            _ if draining => false,
            0 => true,
            n if n >= most => false,
            _ => happens(rng, 0.55),
        };
        if comes {
            allocated += 1;
        } else if allocated > 0 {
            allocated -= 1;
        } else {
            break;
        }
        changes.push(RoomChange { at, allocated });
        let pace_ms = if draining {
            30 * SECOND_MS
        } else {
            3 * MINUTE_MS
        };
        at = at.plus_millis(exponential_ms(rng, pace_ms).max(1));
    }
    changes
}

fn happens(rng: &mut ChaCha8Rng, share: f64) -> bool {
    rng.random::<f64>() < share
}

fn exponential_ms(rng: &mut ChaCha8Rng, mean_ms: i64) -> i64 {
    (rng.sample::<f64, _>(Exp1) * mean_ms as f64) as i64
}

fn log_normal_ms(rng: &mut ChaCha8Rng, median_ms: i64, sigma: f64) -> i64 {
    let z: f64 = rng.sample(StandardNormal);
    ((sigma * z).exp() * median_ms as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::super::config::{Stream, rng};
    use super::*;

    #[test]
    fn a_life_is_in_order_and_its_rooms_fit() {
        let start: UtcMillis = "2026-01-05T00:00:00Z".parse().expect("a time");
        let config = FleetConfig::new(3, 1, start);
        for n in 0..5_000 {
            let mut rng = rng(config.seed, Stream::Process(n));
            let fate = Fate {
                bad: n % 2 == 0,
                replaced_at: start.plus_millis((n as i64 % 40 - 10) * MINUTE_MS),
            };
            let life = Life::draw(&config, &mut rng, start, &fate);
            let times: Vec<UtcMillis> = [
                Some(start),
                life.started_at,
                life.draining_at,
                life.stopping_at,
                Some(life.terminated_at),
            ]
            .into_iter()
            .flatten()
            .collect();
            assert!(times.is_sorted() && times[0] < times[times.len() - 1]);
            assert!(!life.failed || life.stopping_at.is_none());
            assert!(life.rooms.is_sorted_by(|a, b| a.at < b.at));
            for change in &life.rooms {
                assert!((0..=config.rooms_per_process).contains(&change.allocated));
                assert!(Some(change.at) >= life.started_at && change.at < life.terminated_at);
            }
        }
    }
}
