//! When deployments come up, and which one a process created at a moment runs. Pure.

use rand::RngExt;

use super::config::{FleetConfig, Stream, rng};
use crate::model::UtcMillis;

/// The plan of all roll-outs, past and to come. Known up front, so that a life can be drawn whole.
#[derive(Clone, Debug)]
pub(super) struct Deployments {
    seed: u64,
    first: i64,
    every_ms: i64,
    origin: UtcMillis,
}

impl Deployments {
    pub(super) fn new(config: &FleetConfig) -> Self {
        let every_ms = config.deployment_every_ms.max(1);
        Self {
            seed: config.seed,
            first: config.first_deployment,
            every_ms,
            origin: config.start.plus_millis(every_ms / 2),
        }
    }

    /// The deployment that new processes run at `time`.
    pub(super) fn newest_at(&self, time: UtcMillis) -> i64 {
        // The jitter is far less than the distance, so the right roll-out is this one or a neighbour.
        let about = time.millis_since(self.origin).div_euclid(self.every_ms) + 1;
        let rollout = [about + 1, about]
            .into_iter()
            .find(|n| self.rolled_out_at(*n) <= time)
            .unwrap_or(about - 1);
        self.first.saturating_add(rollout)
    }

    /// When the deployment came up.
    pub(super) fn up_at(&self, deployment: i64) -> UtcMillis {
        self.rolled_out_at(deployment.saturating_sub(self.first))
    }

    /// Roll-out 1 is the first after the start; 0 and below lie before it.
    fn rolled_out_at(&self, rollout: i64) -> UtcMillis {
        let most = self.every_ms / 8;
        let jitter = rng(self.seed, Stream::Rollout(rollout)).random_range(-most..=most);
        self.origin
            .plus_millis((rollout - 1).saturating_mul(self.every_ms))
            .plus_millis(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::config::HOUR_MS;

    #[test]
    fn deployments_count_up_and_the_first_is_up_at_the_start() {
        let start: UtcMillis = "2026-01-05T00:00:00Z".parse().expect("a time");
        for seed in 0..20 {
            let config = FleetConfig::new(seed, 1, start);
            let plan = Deployments::new(&config);
            assert_eq!(plan.newest_at(start), config.first_deployment);
            for deployment in 30..60 {
                let up_at = plan.up_at(deployment);
                assert_eq!(plan.newest_at(up_at), deployment);
                assert_eq!(plan.newest_at(up_at.plus_millis(-1)), deployment - 1);
                let lasted = plan.up_at(deployment + 1).millis_since(up_at);
                assert!((3 * HOUR_MS..=5 * HOUR_MS).contains(&lasted), "{lasted}");
            }
            let bad_from = plan.up_at(config.bad_deployment()).millis_since(start);
            assert!((0..20 * HOUR_MS).contains(&bad_from), "a day shows it");
        }
    }
}
