//! `sync` over HTTP: what it proves, what it follows, and what a bad network does to it. What to
//! expect is worked out from the simulator's stories alone.

#![allow(missing_docs, clippy::unwrap_used)]
#![allow(clippy::print_stdout)] // what a run costs is said

mod common;

#[path = "sync/coverage.rs"]
mod coverage;
#[path = "sync/faults.rs"]
mod faults;
#[path = "sync/fleet.rs"]
mod fleet;
#[path = "sync/network.rs"]
mod network;
#[path = "sync/script.rs"]
mod script;
#[path = "common/truth.rs"]
#[allow(dead_code)] // each test file uses some of it
mod truth;
