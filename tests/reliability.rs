//! What happens to the file, the only copy of the record, when things go wrong: kills, power cuts, writes
//! and syncs that fail, full disks, many at once. docs/reliability.md has what a long run came to.
//!
//! Each test does a short version; `PROCHIST_RELIABILITY=long cargo test --release --test reliability --
//! --nocapture --test-threads 1` does the long ones. Each prints the row of the page's table that it is.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]
#![allow(clippy::print_stdout)] // what was tried is said, and what is passed by

mod common;

#[path = "reliability/check.rs"]
mod check;
#[path = "reliability/disk.rs"]
mod disk;
#[path = "reliability/errors.rs"]
mod errors;
#[path = "reliability/kills.rs"]
mod kills;
#[path = "reliability/left.rs"]
mod left;
#[path = "reliability/many.rs"]
mod many;
#[path = "reliability/power_cuts.rs"]
mod power_cuts;
#[path = "reliability/scale.rs"]
mod scale;
#[path = "reliability/scene.rs"]
mod scene;
#[path = "reliability/shim.rs"]
mod shim;
#[path = "reliability/trace.rs"]
mod trace;
