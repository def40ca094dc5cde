//! A flight recorder for fleets of short-lived server processes.

mod error;
pub mod model;
pub mod source;
mod store;

pub use error::Error;
pub use store::*;
