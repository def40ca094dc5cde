//! What may be chosen about a fleet, and the chances it lives by. Pure; draws nothing itself.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::model::{KNOWN_REGIONS, UtcMillis};

/// What may be chosen about a fleet. Two fleets of equal configuration are equal for ever.
///
/// Every value is usable: a share outside 0 to 1 acts as the nearest of the two, and where zero
/// would mean nothing it acts as one.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetConfig {
    /// Where all chance comes from.
    pub seed: u64,
    /// How many processes are open at a time, about: each of so many slots runs one after another,
    /// with seconds in between.
    pub concurrent: usize,
    /// Where they run. The first is the busiest, each next one less so; none means all of
    /// [`KNOWN_REGIONS`], which is the default.
    pub regions: Vec<String>,
    /// The moment at which the fleet is first looked at; it is in full swing by then.
    pub start: UtcMillis,
    /// How long the fleet has run before `start`, in milliseconds. Default: six hours.
    pub warm_up_ms: i64,
    /// Rooms that fit into one process. Default: 4.
    pub rooms_per_process: i64,
    /// The deployment that is up at `start`; the others count up and down from it. Default: 41.
    pub first_deployment: i64,
    /// Milliseconds between two roll-outs, give or take an eighth. The first comes half as long
    /// after `start`. Default: four hours.
    pub deployment_every_ms: i64,
    /// Which roll-out after `start` brings the bad deployment, counted from 1. Default: 3.
    pub bad_rollout: i64,
    /// The share of processes that fail. Half of them before they start. Default: 0.02.
    pub failure_share: f64,
    /// The same share under the bad deployment. Default: 0.28.
    pub bad_failure_share: f64,
    /// How many times longer the bad deployment takes to boot. Default: 2.5.
    pub bad_boot_factor: f64,
    /// Ports that one host offers, up to 20000. A region opens another host when it has none left.
    /// Default: 24.
    pub ports_per_host: u16,
    /// How long an ended process can still be asked for, in milliseconds. Default: one hour.
    pub retention_ms: i64,
    /// Whether every story is kept for [`super::Fleet::truth`]. Memory then grows without bound.
    /// Default: no.
    pub keep_history: bool,
}

impl FleetConfig {
    /// A fleet of about `concurrent` processes that is first looked at at `start`; all else is the
    /// default.
    ///
    /// ```
    /// use prochist::simulator::{Fleet, FleetConfig};
    ///
    /// let start = "2026-01-05T00:00:00Z".parse()?;
    /// let mut fleet = Fleet::new(FleetConfig { keep_history: true, ..FleetConfig::new(7, 10, start) });
    /// fleet.advance(start.plus_millis(3_600_000));
    /// assert!(fleet.truth().len() > 10);
    /// # Ok::<(), prochist::model::TimeError>(())
    /// ```
    pub fn new(seed: u64, concurrent: usize, start: UtcMillis) -> Self {
        Self {
            seed,
            concurrent,
            regions: KNOWN_REGIONS.map(str::to_owned).to_vec(),
            start,
            warm_up_ms: 6 * HOUR_MS,
            rooms_per_process: 4,
            first_deployment: 41,
            deployment_every_ms: 4 * HOUR_MS,
            bad_rollout: 3,
            failure_share: 0.02,
            bad_failure_share: 0.28,
            bad_boot_factor: 2.5,
            ports_per_host: 24,
            retention_ms: HOUR_MS,
            keep_history: false,
        }
    }

    /// The one bad deployment.
    pub fn bad_deployment(&self) -> i64 {
        self.first_deployment.saturating_add(self.bad_rollout)
    }
}

pub(super) const SECOND_MS: i64 = 1_000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What a stream of chance is for. Each process, roll-out, region and request draws from its own, so
/// that none can shift what another one gets.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    App,
    WarmUp,
    Rollout(i64),
    Region(usize),
    Process(u64),
    Fault(u64),
}

/// The stream of chance for one purpose. ChaCha, because its output is the same in every release.
pub(super) fn rng(seed: u64, stream: Stream) -> ChaCha8Rng {
    const PURPOSE: u64 = 1 << 56;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(match stream {
        Stream::App => 0,
        Stream::WarmUp => PURPOSE,
        Stream::Rollout(n) => 2 * PURPOSE + (n as u64) % PURPOSE,
        Stream::Region(n) => 3 * PURPOSE + n as u64,
        Stream::Process(n) => 4 * PURPOSE + n,
        Stream::Fault(n) => 5 * PURPOSE + n % PURPOSE,
    });
    rng
}
