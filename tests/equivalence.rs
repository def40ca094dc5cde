//! What is recorded and answered of a simulated fleet, against how the fleet lived. What to expect
//! is worked out from the simulator's stories alone; nothing here asks the database what is right.

#![allow(missing_docs, clippy::unwrap_used)]
#![allow(clippy::print_stdout)] // what is skipped for want of a tool is said

mod common;

#[path = "equivalence/answered.rs"]
mod answered;
#[path = "equivalence/archive.rs"]
mod archive;
#[path = "equivalence/known.rs"]
mod known;
#[path = "cli/place.rs"]
#[allow(dead_code)] // each test file uses some of it
mod place;
#[path = "equivalence/questions/mod.rs"]
mod questions;
#[path = "equivalence/readers.rs"]
mod readers;
#[path = "common/truth.rs"]
#[allow(dead_code)] // each test file uses some of it
mod truth;
