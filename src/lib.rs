//! A flight recorder for fleets of short-lived server processes.

pub mod model;
pub mod source;
