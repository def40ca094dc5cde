//! The questions, each in a file of its own; read-only. The library's door.
//!
//! Every answer says which window it is about, which period the record covers, which gaps touch it
//! and what had to be left out. Nothing here asks the clock: open and lost processes are counted as
//! far as they were last seen.

mod answer;
mod at;
mod bursts;
mod compare;
mod concurrency;
mod conflicts;
mod coverage;
mod deployments;
mod failures;
#[cfg(test)]
mod flat;
mod health;
mod holders;
mod holds;
mod lengths;
mod lifetimes;
mod lives;
mod looks;
mod parts;
mod places;
mod ports;
mod process;
mod question;
mod radix;
mod rates;
mod reading;
mod reuse;
mod risk;
mod rollout;
mod rooms;
mod run_count;
mod scan;
mod schema;
mod slots;
mod spread;
mod sql;
mod sql_guard;
mod sql_params;
mod status;
mod survival;
mod tally;
mod two;
mod usage;
mod watched;
mod zombies;

use std::path::{Path, PathBuf};

pub use answer::{Answer, Coverage, CoverageGap, NeverRecorded, PrunedThen, Row};
pub use at::{AtCountRow, AtRow};
pub use bursts::{BurstOf, BurstRow};
pub use compare::ComparisonRow;
pub use concurrency::ConcurrencyRow;
pub use conflicts::ConflictRow;
pub use coverage::{CoverageReport, RunCounts, RunRow, WatermarkRow};
pub use deployments::Deployed;
pub use failures::FailureRow;
pub use health::Health;
pub use holders::HolderRow;
pub use lifetimes::{Histogram, LifetimeRow, LongLivedRow};
pub use ports::{PortRow, TooSoonRow};
pub use process::{HeldEndpoint, Phases, ProcessHistory, Version, VersionRow};
pub use question::{Group, GroupKey, Question, Window, parse_when};
pub use rates::{Interval, fisher_exact, newcombe_95, percentile, wilson_95};
pub use rollout::{RolloutRow, ShareRow, Takeover};
pub use rooms::RoomRow;
pub use schema::{View, ViewColumn, views};
pub use sql::{SqlCut, SqlLimits, SqlRows, SqlValue};
pub use sql_params::{SqlParam, SqlQuery, parse_param};
pub use status::Status;
pub use survival::{Duration, Survival};
pub use usage::UsageRow;
pub use watched::{Unwatched, Watched};
pub use zombies::ZombieRow;

use crate::Error;
use crate::store::{first_difference, open_to_read};
use reading::{Idle, Reading};

/// A history database, open for reading, while a [`crate::Store`] writes it or not.
///
/// Several threads may ask one of them at once, each question on a connection of its own. These are
/// kept with what they have prepared, so that a question asked again costs only its answer.
///
/// ```
/// use prochist::{History, Question};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("history.db");
/// # prochist::Store::open(&path)?;
///
/// let history = History::open(&path)?;
/// std::thread::scope(|scope| {
///     let failures = scope.spawn(|| history.failures(&Question::default()));
///     let ports = history.ports(&Question::default(), false);
///     // nothing recorded yet
///     assert!(ports?.rows.is_empty() && failures.join().expect("no panic")?.rows.is_empty());
///     Ok::<(), prochist::Error>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct History {
    idle: Idle,
    path: PathBuf,
}

impl History {
    /// Opens the file at `path`, which must be there.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Empty`], [`Error::NotSqlite`], [`Error::NotOurs`],
    /// [`Error::NewerSchema`], [`Error::OlderSchema`] (opening a [`crate::Store`] upgrades it), [`Error::Unreadable`] or
    /// [`Error::Open`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            idle: Idle::new(open_to_read(path)?),
            path: path.to_owned(),
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Compares the segments, in which the ended processes are kept in columns, with the rows that they
    /// were made from, all of both: the first difference in words, none where there is none. Where there
    /// is one, [`crate::Store::rebuild`] makes the segments anew.
    ///
    /// # Errors
    /// [`Error::Sqlite`], or [`Error::Damaged`] where a segment cannot be read at all.
    pub fn compare_segments(&self) -> Result<Option<String>, Error> {
        self.read(|reading| first_difference(reading.db))
    }
}
