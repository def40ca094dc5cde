//! A flight recorder for fleets of short-lived server processes.

pub mod model;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod source;
