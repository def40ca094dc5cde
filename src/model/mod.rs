//! What a process, a port, a lifecycle and a snapshot are. Pure: no I/O, no SQL, no clock.

mod extra;
mod gap;
mod lifecycle;
mod port;
mod process;
mod set_aside;
mod snapshot;
mod time;
mod watermark;

pub use extra::{Extra, ExtraError};
pub use gap::{Gap, GapReason};
pub use lifecycle::{Excluded, LifeState, Lifecycle, Outcome, Phase, PhaseLength, Standing};
pub use port::{Endpoint, EndpointError, ExposedPort, transport_of};
pub(crate) use process::Difference;
pub use process::{Deployment, KNOWN_REGIONS, KNOWN_STATUSES, Process};
pub use set_aside::SetAside;
pub use snapshot::{Extent, Snapshot};
pub use time::{TimeError, UtcMillis, millis};
pub use watermark::Watermark;
