//! A fleet that lives by a seed, and the API it is seen through. Nothing here asks the clock.

mod config;
mod deployments;
mod fleet;
mod index;
mod life;
mod ports;
mod story;

pub use config::FleetConfig;
pub use fleet::Fleet;
pub use index::Filter;
pub use story::{RoomChange, Stage, Story};
