//! The observations of one moment, from one source.

use super::{Process, UtcMillis};

/// What one source said at one moment.
///
/// That a process is absent says nothing, unless the snapshot is told to be complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When the source said it.
    pub observed_at: UtcMillis,
    /// The processes that it described.
    pub processes: Vec<Process>,
    /// Ids that it was asked for and did not know (404): such a process, if open, is lost.
    pub unknown: Vec<String>,
}

impl Snapshot {
    /// A snapshot of these processes, with nothing known to be gone.
    pub fn new(observed_at: UtcMillis, processes: Vec<Process>) -> Self {
        Self {
            observed_at,
            processes,
            unknown: Vec::new(),
        }
    }
}
