//! The simulated fleet against its own truth, and its API as a client sees it. Loopback only; the
//! clock is set by hand.

#[path = "simulator/api.rs"]
mod api;
#[path = "simulator/archive.rs"]
mod archive;
#[path = "simulator/faults.rs"]
mod faults;
#[path = "simulator/fleet.rs"]
mod fleet;
#[path = "simulator/sdk.rs"]
mod sdk;

use prochist::model::UtcMillis;
use prochist::simulator::{Fleet, FleetConfig};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

fn start() -> UtcMillis {
    "2026-01-05T00:00:00Z".parse().expect("a time")
}

/// A fleet that keeps its history, some hours after the start.
fn lived(seed: u64, concurrent: usize, hours: i64) -> Fleet {
    let mut fleet = Fleet::new(FleetConfig {
        keep_history: true,
        ..FleetConfig::new(seed, concurrent, start())
    });
    fleet.advance(start().plus_millis(hours * HOUR_MS));
    fleet
}
