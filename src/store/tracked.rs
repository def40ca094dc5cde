//! A process as the file has it, remembered while the stream shows it.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, named_params};

use super::recorder::{Recorder, Tracked};
use super::rows::{STATE_COLUMNS, STATE_WIDTH, process_from_row};
use crate::Error;
use crate::error::Doing;
use crate::model::Outcome;

impl Recorder {
    /// Remembers a process that is in the file.
    pub(super) fn track(&mut self, db: &Connection, process_id: &str) -> Result<(), Error> {
        if let Some(tracked) = self.load(db, process_id)? {
            self.tracked.insert(process_id.to_owned(), tracked);
        }
        Ok(())
    }

    pub(super) fn load(&self, db: &Connection, process_id: &str) -> Result<Option<Tracked>, Error> {
        let mut statement = db
            .prepare_cached(&format!(
                "SELECT {STATE_COLUMNS}, (SELECT p.process_key FROM process p
                                          WHERE p.process_id = v.process_id),
                        version, outcome, last_seen_at_ms, lost_at_ms
                 FROM processes v WHERE process_id = :process_id"
            ))
            .doing("look up a process")?;
        let mut rows = statement
            .query(named_params! { ":process_id": process_id })
            .doing("look up a process")?;
        let Some(row) = rows.next().doing("look up a process")? else {
            return Ok(None);
        };
        let outcome: String = row.get(STATE_WIDTH + 2).doing("look up a process")?;
        let mut tracked = Tracked {
            latest: process_from_row(row)?,
            key: row.get(STATE_WIDTH).doing("look up a process")?,
            versions: row.get(STATE_WIDTH + 1).doing("look up a process")?,
            outcome: Outcome::from_name(&outcome).ok_or_else(|| Error::Damaged {
                what: format!("the outcome {outcome:?}"),
            })?,
            last_seen_ms: row.get(STATE_WIDTH + 3).doing("look up a process")?,
            lost_ms: row.get(STATE_WIDTH + 4).doing("look up a process")?,
            seen_here_ms: i64::MIN,
            sighting_ms: None,
            holds: BTreeMap::new(),
            late: None,
        };
        let sighting: Option<(i64, i64)> = db
            .prepare_cached(
                "SELECT s.first_ms, t.last_ms FROM sighting s JOIN stream t USING (stream_id)
                 WHERE s.process_key = :process AND s.stream_id = :stream AND s.last_ms IS NULL",
            )
            .and_then(|mut statement| {
                statement
                    .query_row(
                        named_params! { ":process": tracked.key, ":stream": self.stream_id() },
                        |row| Ok((row.get("first_ms")?, row.get("last_ms")?)),
                    )
                    .optional()
            })
            .doing("look up a process")?;
        if let Some((first_ms, last_ms)) = sighting {
            tracked.sighting_ms = Some(first_ms);
            tracked.seen_here_ms = last_ms;
        }
        tracked.holds = db
            .prepare_cached(
                "SELECT endpoint_id, held_from_ms, held_until_ms FROM hold
                 WHERE process_key = :process",
            )
            .and_then(|mut statement| {
                statement
                    .query_map(named_params! { ":process": tracked.key }, |row| {
                        Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
                    })?
                    .collect()
            })
            .doing("look up a process")?;
        Ok(Some(tracked))
    }
}
