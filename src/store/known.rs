//! What the file knows already, as far as a recorder must ask before it looks.

use rusqlite::named_params;

use super::Store;
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;
use crate::store::to_time;

/// What is on record of an app when it is about to be looked at.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub app_id: String,
    pub open: Vec<String>,
    pub newest: Option<UtcMillis>,
    pub now: UtcMillis,
}

impl Store {
    pub(crate) fn known(&self, app_id: &str, now: UtcMillis) -> Result<Known, Error> {
        Ok(Known {
            app_id: app_id.to_owned(),
            open: self.open_processes(app_id)?,
            newest: self.newest_creation_before(app_id, UtcMillis::MAX)?,
            now,
        })
    }

    /// The processes of an app that were open when last seen, by when they were last seen.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn open_processes(&self, app_id: &str) -> Result<Vec<String>, Error> {
        self.connection
            .prepare_cached(
                "SELECT p.process_id FROM process p
                 WHERE p.outcome = 'open'
                   AND p.app = (SELECT word_id FROM word WHERE text = :app)
                 ORDER BY p.last_seen_ms IS NULL, p.last_seen_ms, p.process_id",
            )
            .and_then(|mut statement| {
                statement
                    .query_map(named_params! { ":app": app_id }, |row| row.get(0))?
                    .collect()
            })
            .doing("read which processes are open")
    }

    /// Whether the process was ever recorded.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn knows(&self, process_id: &str) -> Result<bool, Error> {
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM process WHERE process_id = :process_id)")
            .and_then(|mut statement| {
                statement.query_row(named_params! { ":process_id": process_id }, |row| {
                    row.get(0)
                })
            })
            .doing("look up a process")
    }

    /// The latest `createdAt` before a moment, of the app's recorded processes.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn newest_creation_before(
        &self,
        app_id: &str,
        time: UtcMillis,
    ) -> Result<Option<UtcMillis>, Error> {
        let millis: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT max(created_ms) FROM process
                 WHERE app = (SELECT word_id FROM word WHERE text = :app) AND created_ms < :time",
            )
            .and_then(|mut statement| {
                statement.query_row(
                    named_params! { ":app": app_id, ":time": time.millis() },
                    |row| row.get(0),
                )
            })
            .doing("read the newest creation")?;
        millis.map(to_time).transpose()
    }
}
