//! What the file knows of an app before it is looked at, and what a look proves of the record.

use std::collections::BTreeSet;

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
    /// When it was last seen; none if the latest look at the app showed it.
    pub last_seen_at: Option<UtcMillis>,
}

/// A region or a status that the API did not accept as a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RejectedFilter {
    Region(String),
    Status(String),
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
                "SELECT p.process_id, p.last_seen_ms FROM process p
                 WHERE p.outcome = 'open'
                   AND p.app = (SELECT word_id FROM word WHERE text = :app)
                 ORDER BY p.last_seen_ms IS NULL, p.last_seen_ms, p.process_id",
            )
            .doing("read which processes are open")?;
        let mut rows = statement
            .query(named_params! { ":app": app_id })
            .doing("read which processes are open")?;
        let mut open = Vec::new();
        while let Some(row) = rows.next().doing("read which processes are open")? {
            open.push(OpenProcess {
                process_id: row
                    .get("process_id")
                    .doing("read which processes are open")?,
                last_seen_at: super::optional_time(row, 1)?,
            });
        }
        Ok(open)
    }

    /// How far the record of an app is known to be whole. None of an app that no sync has looked at.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn watermarks(&self, app_id: &str) -> Result<Vec<Watermark>, Error> {
        watermarks(&self.connection, app_id)
    }

    /// The regions, and the statuses, that processes of the app were ever seen in.
    pub(crate) fn seen_filters(
        &self,
        app_id: &str,
    ) -> Result<(BTreeSet<String>, BTreeSet<String>), Error> {
        let seen = |column: &str| {
            self.connection
                .prepare_cached(&format!(
                    "SELECT DISTINCT w.text FROM seen_filter f JOIN word w ON w.word_id = f.{column}
                     WHERE f.app = (SELECT word_id FROM word WHERE text = :app) AND w.text <> ''
                     ORDER BY w.text"
                ))
                .and_then(|mut statement| {
                    statement
                        .query_map(named_params! { ":app": app_id }, |row| row.get(0))?
                        .collect()
                })
                .doing("read what was seen")
        };
        Ok((seen("region")?, seen("status")?))
    }

    /// Filters that the API has rejected since a moment.
    pub(crate) fn rejected_filters(
        &self,
        app_id: &str,
        since: UtcMillis,
    ) -> Result<Vec<RejectedFilter>, Error> {
        self.connection
            .prepare_cached(
                "SELECT r.text AS region, s.text AS status
                 FROM rejected_filter f
                 JOIN word r ON r.word_id = f.region
                 JOIN word s ON s.word_id = f.status
                 WHERE f.app = (SELECT word_id FROM word WHERE text = :app)
                   AND f.rejected_ms >= :since
                 ORDER BY region, status",
            )
            .and_then(|mut statement| {
                statement
                    .query_map(
                        named_params! { ":app": app_id, ":since": since.millis() },
                        |row| {
                            let (region, status): (String, String) =
                                (row.get("region")?, row.get("status")?);
                            Ok(if region.is_empty() {
                                RejectedFilter::Status(status)
                            } else {
                                RejectedFilter::Region(region)
                            })
                        },
                    )?
                    .collect()
            })
            .doing("read what was rejected")
    }
}

pub(crate) fn watermarks(db: &Connection, app_id: &str) -> Result<Vec<Watermark>, Error> {
    let mut statement = db
        .prepare_cached(
            "SELECT region, since_ms, until_ms, looked_at_ms, unaccounted FROM watermarks
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
            "INSERT INTO watermark (app, region, since_ms, until_ms, looked_ms, unaccounted)
             VALUES (:app, :region, :since, :until, :looked, :unaccounted)",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":app": app,
                ":region": region,
                ":since": mark.since.millis(),
                ":until": mark.until.millis(),
                ":looked": mark.looked_at.millis(),
                ":unaccounted": mark.unaccounted.map(u64::cast_signed),
            })
        })
        .doing("record watermarks")?;
    }
    Ok(())
}

/// Remembers that the API did not accept a filter at that moment.
pub(super) fn set_rejected(
    db: &Connection,
    words: &mut Words,
    app_id: &str,
    filter: &RejectedFilter,
    at_ms: i64,
) -> Result<(), Error> {
    let app = words.word(db, app_id)?;
    let (region, status) = match filter {
        RejectedFilter::Region(region) => (words.word(db, region)?, NO_WORD),
        RejectedFilter::Status(status) => (NO_WORD, words.word(db, status)?),
    };
    db.prepare_cached(
        "INSERT OR REPLACE INTO rejected_filter (app, region, status, rejected_ms)
         VALUES (:app, :region, :status, :at)",
    )
    .and_then(|mut statement| {
        statement.execute(named_params! {
            ":app": app, ":region": region, ":status": status, ":at": at_ms,
        })
    })
    .doing("record what was rejected")?;
    Ok(())
}
