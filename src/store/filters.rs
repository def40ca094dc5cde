//! Which filters a look may ask for: those behind which something was ever seen, and those that the
//! API has rejected lately.

use std::collections::BTreeSet;

use rusqlite::{Connection, named_params};

use super::Store;
use super::words::{NO_WORD, Words};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;

/// A region or a status that the API did not accept as a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RejectedFilter {
    Region(String),
    Status(String),
}

impl Store {
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
