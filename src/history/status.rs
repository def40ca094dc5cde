//! How does the recorder stand? One screen.

use std::path::Path;

use serde::Serialize;

use super::deployments::PLACES;
use super::{Answer, Health, History, Question, Reading, Row, RunRow};
use crate::Error;
use crate::error::Doing;
use crate::history::answer::Exclusions;
use crate::store::SCHEMA_VERSION;

/// The state of the file and of the recording. As JSON, the one row of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Where the file is.
    pub database: String,
    /// Its size in bytes, without its WAL.
    pub size_bytes: u64,
    /// The version of its schema.
    pub schema_version: i64,
    /// Processes recorded.
    pub processes: u64,
    /// Versions recorded.
    pub versions: u64,
    /// Snapshots recorded.
    pub snapshots: u64,
    /// Processes open now, as far as is known.
    pub open: u64,
    /// Processes lost.
    pub lost: u64,
    /// Records that could not be understood.
    pub set_aside: u64,
    /// Gaps recorded.
    pub gaps: u64,
    /// The latest run, of any kind.
    pub last_run: Option<RunRow>,
    /// How the recording fares.
    #[serde(flatten)]
    pub health: Health,
}

impl Row for Status {
    const FIELDS: &'static [&'static str] = &[
        "database",
        "size_bytes",
        "schema_version",
        "processes",
        "versions",
        "snapshots",
        "open",
        "lost",
        "set_aside",
        "gaps",
        "last_run",
        "last_complete_sync",
        "failed_syncs_in_a_row",
        "hidden_at_least",
        "longest_safe_interval_ms",
    ];
}

impl History {
    /// The state of the file and of the recording.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn status(&self) -> Result<Answer<Status>, Error> {
        self.read(|reading| reading.status(&self.path))
    }
}

impl Reading<'_> {
    fn status(&self, path: &Path) -> Result<Answer<Status>, Error> {
        let count = |sql: &str| {
            self.db
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
                .doing("count what is recorded")
        };
        let gaps = self.gaps_touching(&Question::default())?;
        let status = Status {
            database: path.display().to_string(),
            size_bytes: count(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            )?,
            schema_version: SCHEMA_VERSION,
            processes: count(&format!(
                "SELECT coalesce(sum(processes), 0) FROM ({PLACES})"
            ))?,
            versions: count("SELECT versions FROM version_count")?,
            snapshots: count("SELECT coalesce(sum(looks), 0) FROM look_stretch")?,
            open: count("SELECT count(*) FROM process WHERE outcome = 'open'")?,
            lost: count(&format!("SELECT coalesce(sum(lost), 0) FROM ({PLACES})"))?,
            set_aside: count("SELECT count(*) FROM aside")?,
            gaps: gaps.len() as u64,
            last_run: self
                .runs(
                    "run_id = (SELECT run_id FROM run ORDER BY started_ms DESC, run_id DESC LIMIT 1)",
                    &[],
                    1,
                )?
                .pop(),
            health: self.health(&Question::default(), &gaps)?,
        };
        self.answer(
            "status",
            &Question::default(),
            Exclusions::default(),
            vec![status],
        )
    }
}
