//! The observations of one moment, from one source.

use super::{Process, UtcMillis};

/// What one source said at one moment.
///
/// That a process is absent says nothing, unless its [`Extent`] says that it is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When the source said it.
    pub observed_at: UtcMillis,
    /// The processes that it described.
    pub processes: Vec<Process>,
    /// Ids that it was asked for and did not know (404): such a process, if open, is lost.
    pub unknown: Vec<String>,
    /// What the absence of a process says.
    pub extent: Extent,
}

/// What a snapshot's silence about a process means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Nothing: the source shows a part of what it knows.
    #[default]
    Partial,
    /// The snapshot lists every live process of every app that a snapshot like it has named. An
    /// open one that is absent is lost.
    Complete,
    /// The snapshot lists every live process of these apps.
    CompleteFor(Vec<String>),
}

impl Snapshot {
    /// A snapshot of these processes, whose silence about others says nothing.
    pub fn new(observed_at: UtcMillis, processes: Vec<Process>) -> Self {
        Self {
            observed_at,
            processes,
            unknown: Vec::new(),
            extent: Extent::Partial,
        }
    }
}
