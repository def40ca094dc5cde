//! What the file knows of an app before it is looked at, and what a look proves of the record.

use rusqlite::{Connection, named_params};

use super::words::{NO_WORD, Words};
use super::{Store, to_time};
use crate::Error;
use crate::error::Doing;
use crate::model::{UtcMillis, Watermark};

/// A process that was open when last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenProcess {
    /// Its id.
    pub process_id: String,
    /// Where it runs.
    pub region: String,
    /// When it was last seen.
    pub last_seen_at: UtcMillis,
}

impl Store {
    /// The processes of an app that were open when last seen, those first that were seen longest ago.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn open_processes(&self, app_id: &str) -> Result<Vec<OpenProcess>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT p.process_id, r.text AS region, p.seen_until_ms
                 FROM process_seen p JOIN word r ON r.word_id = p.region
                 WHERE p.outcome = 'open'
                   AND p.app = (SELECT word_id FROM word WHERE text = :app)
                 ORDER BY p.seen_until_ms, p.process_id",
            )
            .doing("read which processes are open")?;
        let mut rows = statement
            .query(named_params! { ":app": app_id })
            .doing("read which processes are open")?;
        let mut open = Vec::new();
        while let Some(row) = rows.next().doing("read which processes are open")? {
            open.push(OpenProcess {
                process_id: row.get(0).doing("read which processes are open")?,
                region: row.get(1).doing("read which processes are open")?,
                last_seen_at: super::time(row, 2)?,
            });
        }
        Ok(open)
    }

    /// The processes of an app that were found to be lost since a moment.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn lost_since(&self, app_id: &str, since: UtcMillis) -> Result<Vec<String>, Error> {
        self.connection
            .prepare_cached(
                "SELECT process_id FROM process
                 WHERE outcome = 'lost' AND lost_ms >= :since
                   AND app = (SELECT word_id FROM word WHERE text = :app)
                 ORDER BY process_id",
            )
            .and_then(|mut statement| {
                statement
                    .query_map(
                        named_params! { ":app": app_id, ":since": since.millis() },
                        |row| row.get(0),
                    )?
                    .collect()
            })
            .doing("read which processes were lost")
    }

    /// How far the record of an app is known to be whole. None of an app that no sync has looked at.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn watermarks(&self, app_id: &str) -> Result<Vec<Watermark>, Error> {
        watermarks(&self.connection, app_id)
    }
}

pub(crate) fn watermarks(db: &Connection, app_id: &str) -> Result<Vec<Watermark>, Error> {
    let mut statement = db
        .prepare_cached(
            "SELECT region, since_ms, until_ms, looked_at_ms, unaccounted, server_time_ms
             FROM watermarks
             WHERE app_id = :app ORDER BY region",
        )
        .doing("read watermarks")?;
    let mut rows = statement
        .query(named_params! { ":app": app_id })
        .doing("read watermarks")?;
    let mut marks = Vec::new();
    while let Some(row) = rows.next().doing("read watermarks")? {
        let time = |column: &str| to_time(row.get(column).doing("read watermarks")?);
        marks.push(Watermark {
            region: row.get("region").doing("read watermarks")?,
            since: time("since_ms")?,
            until: time("until_ms")?,
            looked_at: time("looked_at_ms")?,
            server_time: super::optional_time(row, 5)?,
            unaccounted: row
                .get::<_, Option<i64>>("unaccounted")
                .doing("read watermarks")?
                .map(i64::cast_unsigned),
        });
    }
    Ok(marks)
}

/// Replaces all watermarks of an app.
pub(super) fn set_watermarks(
    db: &Connection,
    words: &mut Words,
    app_id: &str,
    marks: &[Watermark],
) -> Result<(), Error> {
    let app = words.word(db, app_id)?;
    db.prepare_cached("DELETE FROM watermark WHERE app = :app")
        .and_then(|mut statement| statement.execute(named_params! { ":app": app }))
        .doing("record watermarks")?;
    for mark in marks {
        let region = match &mark.region {
            Some(region) => words.word(db, region)?,
            None => NO_WORD,
        };
        db.prepare_cached(
            "INSERT INTO watermark (app, region, since_ms, until_ms, looked_ms, server_ms,
                 unaccounted)
             VALUES (:app, :region, :since, :until, :looked, :server, :unaccounted)",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":app": app,
                ":region": region,
                ":since": mark.since.millis(),
                ":until": mark.until.millis(),
                ":looked": mark.looked_at.millis(),
                ":server": mark.server_time.map(UtcMillis::millis),
                ":unaccounted": mark.unaccounted.map(u64::cast_signed),
            })
        })
        .doing("record watermarks")?;
    }
    Ok(())
}
