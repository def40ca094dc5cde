//! What a run of `sync` came to, in numbers: one row, or one line.

use prochist::sync::Ran;
use serde::Serialize;
use tracing::info;

use super::human::{self, count};

/// The numbers of a run.
#[derive(Serialize)]
pub struct Report {
    run_id: i64,
    result: &'static str,
    requests: u64,
    retries: u64,
    bytes: u64,
    processes_seen: u64,
    processes_new: u64,
    processes_changed: u64,
    processes_lost: u64,
    set_aside: u64,
    deferred: u64,
    gaps: u64,
}

impl Report {
    pub const FIELDS: &'static [&'static str] = &[
        "run_id",
        "result",
        "requests",
        "retries",
        "bytes",
        "processes_seen",
        "processes_new",
        "processes_changed",
        "processes_lost",
        "set_aside",
        "deferred",
        "gaps",
    ];

    /// Says them in one line to those who want to hear it.
    pub fn tell(&self) {
        info!(
            run_id = self.run_id,
            result = self.result,
            requests = self.requests,
            retries = self.retries,
            bytes = self.bytes,
            processes_seen = self.processes_seen,
            processes_new = self.processes_new,
            processes_changed = self.processes_changed,
            processes_lost = self.processes_lost,
            set_aside = self.set_aside,
            deferred = self.deferred,
            gaps = self.gaps,
            "run {} {}: {} ({} made again), {}; {} seen, {} new, {} changed, {} lost; {} deferred; {}",
            self.run_id,
            self.result,
            count(self.requests, "request", "requests"),
            self.retries,
            human::bytes(self.bytes),
            count(self.processes_seen, "process", "processes"),
            self.processes_new,
            self.processes_changed,
            self.processes_lost,
            count(self.deferred, "question", "questions"),
            count(self.gaps, "gap", "gaps"),
        );
    }
}

impl From<&Ran> for Report {
    fn from(ran: &Ran) -> Self {
        let recorded = ran.recorded();
        Self {
            run_id: ran.run_id,
            result: ran.result.as_str(),
            requests: ran.requests,
            retries: ran.retries,
            bytes: ran.bytes,
            processes_seen: recorded.processes_seen,
            processes_new: recorded.processes_new,
            processes_changed: recorded.processes_changed,
            processes_lost: recorded.processes_lost,
            set_aside: ran.set_aside(),
            deferred: ran.deferred(),
            gaps: ran.gaps().count() as u64,
        }
    }
}
