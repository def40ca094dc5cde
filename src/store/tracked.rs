//! A process as the file has it, or will have it once what is pending is written.

use std::sync::Arc;

use super::weave::VersionRun;
use super::words::StateIds;
use crate::model::{Outcome, Process};

#[derive(Debug)]
pub(super) struct Tracked {
    pub key: i64,
    pub latest: Arc<Process>,
    /// The numbers of the latest state, once they were needed.
    pub ids: Option<StateIds>,
    pub versions: i64,
    pub outcome: Outcome,
    pub first_seen_ms: i64,
    /// When it was last seen by any source.
    pub last_seen_ms: i64,
    /// When it was last seen in the stream being written; earlier than all time if it was not.
    pub seen_here_ms: i64,
    /// Its open sighting in the stream being written.
    pub sighting: Option<Sighting>,
    pub lost_ms: Option<i64>,
    /// When it was first seen ended, of those that are; none where only the versions tell.
    pub seen_ended_ms: Option<i64>,
    /// Its holds, once they were needed.
    pub holds: Option<Vec<Hold>>,
    /// The version among which its latest late observation fell.
    pub late: Option<VersionRun>,
    pub unwritten: Unwritten,
    /// Which of the pending versions is its latest, if that is among them.
    pub pending_version: Option<usize>,
}

/// What of a process's own row and its holds is yet to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unwritten {
    Nothing,
    /// They have changed.
    Changes,
    /// There is no row yet.
    All,
}

/// A sighting that goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub first_ms: i64,
    pub is_written: bool,
}

/// One endpoint that a process holds, or held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub endpoint: i64,
    pub from_ms: i64,
    pub until_ms: Option<i64>,
    /// When it was first seen with the endpoint; none where only the versions tell.
    pub seen_ms: Option<i64>,
    /// From when until when the file has it.
    pub written: Option<(i64, Option<i64>)>,
}

impl Tracked {
    /// How it stands, with what is known of its absence.
    pub fn outcome_now(&self) -> Outcome {
        match Outcome::of(&self.latest) {
            Outcome::Open if self.lost_ms.is_some() => Outcome::Lost,
            shown => shown,
        }
    }

    /// When it ended, as far as its state says it.
    pub fn said_to_end_ms(&self) -> Option<i64> {
        let at = self.latest.terminated_at.or(self.latest.stopping_at);
        at.map(|at| at.millis())
    }

    /// Its row or its holds differ from what the file has.
    pub fn has_changed(&mut self) {
        self.unwritten = self.unwritten.max(Unwritten::Changes);
    }
}
