//! The questions, each in a file of its own; read-only. The library's door.
//!
//! Every answer says which window it is about, which period the record covers, which gaps touch it
//! and what had to be left out. Nothing here asks the clock: open and lost processes are counted as
//! far as they were last seen.

mod answer;
mod at;
mod coverage;
mod failures;
mod health;
mod lifetimes;
mod ports;
mod process;
mod question;
mod rates;
mod sql;
mod status;
mod survival;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

pub use answer::{Answer, Coverage, CoverageGap, Row};
pub use at::AtRow;
pub use coverage::{CoverageReport, RunCounts, RunRow, WatermarkRow};
pub use failures::FailureRow;
pub use health::Health;
pub use lifetimes::LifetimeRow;
pub use ports::{HolderRow, PortRow};
pub use process::{HeldEndpoint, Phases, ProcessHistory, Version, VersionRow};
pub use question::{Group, GroupKey, Question, Window, parse_when};
pub use rates::{WilsonInterval, percentile, wilson_95};
pub use sql::{SqlCut, SqlLimits, SqlRows, SqlValue};
pub use status::Status;
pub use survival::{Duration, survival_percentile};

use crate::Error;
use crate::error::Doing;
use crate::store::open_to_read;

/// A history database, open for reading. Any number of them, in any number of threads and
/// processes, read one file while a [`crate::Store`] writes it.
///
/// ```
/// use prochist::{History, Question};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("history.db");
/// # prochist::Store::open(&path)?;
///
/// let history = History::open(&path)?;
/// let answer = history.failures(&Question::default())?;
/// assert!(answer.rows.is_empty()); // nothing recorded yet
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct History {
    db: Connection,
    path: PathBuf,
}

impl History {
    /// Opens the file at `path`, which must be there.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotSqlite`], [`Error::NotOurs`], [`Error::NewerSchema`],
    /// [`Error::OlderSchema`] (opening a [`crate::Store`] upgrades it), [`Error::Unreadable`] or
    /// [`Error::Open`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            db: open_to_read(path)?,
            path: path.to_owned(),
        })
    }

    /// Holds the file as it stands, for as long as the value lives: an answer that takes several
    /// statements must not see a snapshot that was recorded between them.
    fn as_of_now(&self) -> Result<rusqlite::Transaction<'_>, Error> {
        self.db.unchecked_transaction().doing("begin to read")
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
