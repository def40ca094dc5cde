//! A fleet that lives by a seed, and the API it is seen through. Nothing here asks the clock.
//!
//! [`Fleet`] is the truth, [`Server`] and [`write_archive`] are two ways to look at it, and neither
//! shows more than the real thing would: ten rows a list, and an ended process only for so long.

mod archive;
mod clock;
mod config;
mod deployments;
mod faults;
mod faulty;
mod fleet;
mod index;
mod life;
mod ports;
mod routes;
mod server;
mod story;

pub use archive::{ArchiveProgress, ArchiveSummary, write_archive};
pub use clock::{Clock, ManualClock};
pub use config::FleetConfig;
pub use faults::{Fault, Faults, FaultsError};
pub use fleet::Fleet;
pub use index::Filter;
pub use server::{ServeError, Server, ServerConfig};
pub use story::{RoomChange, Stage, Story};
