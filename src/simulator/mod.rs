//!
//! [`Fleet`] is the truth, and [`write_archive`] is a way to look at it, which shows
//! no more than the real thing would: an ended process only for so long.

mod archive;
mod config;
mod deployments;
mod fleet;
mod index;
mod life;
mod ports;
mod story;

pub use archive::{ArchiveProgress, ArchiveSummary, write_archive};
pub use config::FleetConfig;
pub use fleet::Fleet;
pub use index::Filter;
pub use story::{RoomChange, Stage, Story};
