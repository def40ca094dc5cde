//! What their looks prove: which were complete, how far the record is whole, what the API refuses; and what
//! was pruned.

use rusqlite::{Connection, named_params, types::Value};

use super::whole::{Mark, Marks, joined, of};
use super::{DOING, Merge};
use crate::Error;
use crate::error::Doing;

/// A gap between two recorders, which a third may have watched.
struct Hole {
    id: i64,
    region: Option<i64>,
    since_ms: i64,
    until_ms: i64,
}

impl Merge<'_> {
    pub(super) fn looks(&mut self) -> Result<(), Error> {
        self.copy(
            "SELECT app, observed_at_ms FROM complete_look ORDER BY app, observed_at_ms",
            "INSERT OR IGNORE INTO complete_look VALUES (?1, ?2)",
            |merge, row| merge.reword(&mut row[0]).map(|()| true),
        )?;
        self.copy(
            "SELECT app, named_ms FROM complete_app ORDER BY app",
            "INSERT INTO complete_app VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET named_ms = min(named_ms, excluded.named_ms)",
            |merge, row| merge.reword(&mut row[0]).map(|()| true),
        )?;
        self.copy(
            "SELECT app FROM archive_app ORDER BY app",
            "INSERT OR IGNORE INTO archive_app VALUES (?1)",
            |merge, row| merge.reword(&mut row[0]).map(|()| true),
        )?;
        let reword_three = |merge: &mut Self, row: &mut Vec<Value>| {
            for word in &mut row[..3] {
                merge.reword(word)?;
            }
            Ok(true)
        };
        self.copy(
            "SELECT app, region, status FROM seen_filter ORDER BY app, region, status",
            "INSERT OR IGNORE INTO seen_filter VALUES (?1, ?2, ?3)",
            reword_three,
        )?;
        self.copy(
            "SELECT app, region, status, rejected_ms FROM rejected_filter
             ORDER BY app, region, status",
            "INSERT INTO rejected_filter VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET rejected_ms = max(rejected_ms, excluded.rejected_ms)",
            reword_three,
        )?;
        // Where all runs before it are here, so is what they saw, or that it was pruned here is on record.
        let newest_before = self.first_new_run_ms;
        self.copy(
            "SELECT pruned_ms, app, before_ms, processes, versions, first_created_ms, last_gone_ms
             FROM pruned ORDER BY pruned_ms, app",
            "INSERT OR IGNORE INTO pruned VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)",
            |merge, row| {
                let is_new = matches!(row[0], Value::Integer(at) if newest_before <= at);
                merge.reword(&mut row[1]).map(|()| is_new)
            },
        )?;
        let apps: Vec<i64> = self
            .theirs
            .prepare("SELECT DISTINCT app FROM watermark ORDER BY app")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .doing(DOING)?;
        apps.into_iter().try_for_each(|app| self.watermarks(app))
    }

    /// Puts together how far the record of an app is whole. A hole between both is a gap of this merge, until
    /// a history is merged that is whole there.
    fn watermarks(&mut self, their_app: i64) -> Result<(), Error> {
        let app = self.word(their_app)?;
        let ours = marks(self.ours, app)?;
        let mut theirs = Marks::new();
        for (region, mark) in marks(self.theirs, their_app)? {
            theirs.insert(self.word(region)?, mark);
        }
        let (both, holes) = match ours.is_empty() {
            true => (theirs.clone(), Vec::new()),
            false => joined(&ours, &theirs),
        };
        self.ours
            .execute("DELETE FROM watermark WHERE app = ?1", [app])
            .doing(DOING)?;
        for (region, mark) in &both {
            self.ours
                .prepare_cached("INSERT INTO watermark VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
                .and_then(|mut statement| {
                    statement.execute(rusqlite::params![
                        app,
                        region,
                        mark.since_ms,
                        mark.until_ms,
                        mark.looked_ms,
                        mark.server_ms,
                        mark.unaccounted
                    ])
                })
                .doing(DOING)?;
        }
        for hole in holes {
            self.write_hole(app, hole)?;
        }
        for hole in self.holes_of(app)? {
            let is_whole = |marks: &Marks| {
                of(marks, hole.region.unwrap_or(0)).is_some_and(|mark| {
                    mark.since_ms <= hole.since_ms && mark.whole_until_ms() >= hole.until_ms
                })
            };
            if is_whole(&ours) && !self.is_gap(self.ours, app, &hole)?
                || is_whole(&theirs) && !self.is_gap(self.theirs, app, &hole)?
            {
                self.ours
                    .execute("DELETE FROM gap WHERE gap_id = ?1", [hole.id])
                    .doing(DOING)?;
            }
        }
        Ok(())
    }

    fn write_hole(&self, app: i64, (region, since, until): (i64, i64, i64)) -> Result<(), Error> {
        self.ours
            .prepare_cached(
                "INSERT INTO gap (run_id, app, region, since_ms, until_ms, reason)
                 SELECT :run, :app, nullif(:region, 0), :since, :until, 'forgotten'
                 WHERE NOT EXISTS (
                     SELECT 1 FROM gap
                     WHERE app = :app AND region IS nullif(:region, 0) AND status IS NULL
                       AND since_ms <= :since AND until_ms >= :until)",
            )
            .and_then(|mut statement| {
                statement.execute(named_params! {
                    ":run": self.recorder.run_id, ":app": app, ":region": region,
                    ":since": since, ":until": until,
                })
            })
            .doing(DOING)?;
        Ok(())
    }

    /// The gaps that merges left, here and there: only they give an import one.
    fn holes_of(&self, app: i64) -> Result<Vec<Hole>, Error> {
        self.ours
            .prepare_cached(
                "SELECT gap_id, region, since_ms, until_ms FROM gap JOIN run USING (run_id)
                 WHERE run.kind = 'import' AND app = ?1 ORDER BY gap_id",
            )
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| {
                    Ok(Hole {
                        id: row.get(0)?,
                        region: row.get(1)?,
                        since_ms: row.get(2)?,
                        until_ms: row.get(3)?,
                    })
                };
                statement.query_map([app], read)?.collect()
            })
            .doing(DOING)
    }

    /// Whether one side had a gap there before they were merged.
    fn is_gap(&self, side: &Connection, app: i64, hole: &Hole) -> Result<bool, Error> {
        let text = |word: Option<i64>| -> Result<Option<String>, Error> {
            let Some(word) = word else { return Ok(None) };
            self.ours
                .prepare_cached("SELECT text FROM word WHERE word_id = ?1")
                .and_then(|mut statement| statement.query_row([word], |row| row.get(0)))
                .doing(DOING)
        };
        let last_before = match std::ptr::eq(side, self.ours) {
            true => self.gaps_before,
            false => i64::MAX,
        };
        side.prepare_cached(
            "SELECT EXISTS (
                 SELECT 1 FROM gaps
                 WHERE app_id = :app AND (region IS NULL OR :region IS NULL OR region = :region)
                   AND since_ms < :until AND until_ms > :since AND gap_id <= :last)",
        )
        .and_then(|mut statement| {
            statement.query_row(
                named_params! {
                    ":app": text(Some(app)).unwrap_or_default(),
                    ":region": text(hole.region).unwrap_or_default(),
                    ":since": hole.since_ms, ":until": hole.until_ms, ":last": last_before,
                },
                |row| row.get(0),
            )
        })
        .doing(DOING)
    }
}

/// How far the record of an app is whole, by region.
fn marks(db: &Connection, app: i64) -> Result<Marks, Error> {
    db.prepare_cached(
        "SELECT region, since_ms, until_ms, looked_ms, server_ms, unaccounted FROM watermark
         WHERE app = ?1 ORDER BY region",
    )
    .and_then(|mut statement| {
        let read = |row: &rusqlite::Row<'_>| {
            Ok((
                row.get(0)?,
                Mark {
                    since_ms: row.get(1)?,
                    until_ms: row.get(2)?,
                    looked_ms: row.get(3)?,
                    server_ms: row.get(4)?,
                    unaccounted: row.get(5)?,
                },
            ))
        };
        statement.query_map([app], read)?.collect()
    })
    .doing(DOING)
}
