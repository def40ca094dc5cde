//! What their looks prove: which were complete, how far the record is whole, what the API refuses; and what
//! was pruned.

use rusqlite::{named_params, types::Value};

use super::{DOING, Merge};
use crate::Error;
use crate::error::Doing;

/// How far the record of an app and region is whole, as far as it is put together here.
struct Whole {
    region: i64,
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
        self.copy(
            "SELECT pruned_ms, app, before_ms, processes, versions, first_created_ms, last_gone_ms
             FROM pruned ORDER BY pruned_ms, app",
            "INSERT OR IGNORE INTO pruned VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)",
            |merge, row| merge.reword(&mut row[1]).map(|()| true),
        )?;
        self.watermarks()
    }

    /// Of an app that both have looked at, what the later look proved counts, since all that it rests on is
    /// on record here by now. Where the other's record reaches up to it, it begins as early as that.
    fn watermarks(&mut self) -> Result<(), Error> {
        let apps: Vec<(i64, i64)> = self
            .theirs
            .prepare("SELECT app, max(looked_ms) FROM watermark GROUP BY app ORDER BY app")
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                statement.query_map([], read)?.collect()
            })
            .doing(DOING)?;
        for (their_app, their_look) in apps {
            let app = self.word(their_app)?;
            let our_look: Option<i64> = self
                .ours
                .query_row(
                    "SELECT max(looked_ms) FROM watermark WHERE app = ?1",
                    [app],
                    |row| row.get(0),
                )
                .doing(DOING)?;
            let theirs = self.whole(false, their_app)?;
            let ours = self.whole(true, app)?;
            if our_look.is_some_and(|ours| ours >= their_look) {
                for mark in theirs {
                    let region = self.word(mark.region)?;
                    self.begin_earlier(app, &Whole { region, ..mark })?;
                }
                continue;
            }
            self.ours
                .execute("DELETE FROM watermark WHERE app = ?1", [app])
                .doing(DOING)?;
            self.copy(
                &format!(
                    "SELECT app, region, since_ms, until_ms, looked_ms, server_ms, unaccounted
                     FROM watermark WHERE app = {their_app} ORDER BY region"
                ),
                "INSERT INTO watermark VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                |merge, row| {
                    merge.reword(&mut row[0])?;
                    merge.reword(&mut row[1]).map(|()| true)
                },
            )?;
            for mark in ours {
                self.begin_earlier(app, &mark)?;
            }
        }
        Ok(())
    }

    fn whole(&self, ours: bool, app: i64) -> Result<Vec<Whole>, Error> {
        let db = if ours { self.ours } else { self.theirs };
        db.prepare_cached(
            "SELECT region, since_ms, until_ms FROM watermark WHERE app = ?1 ORDER BY region",
        )
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Whole {
                    region: row.get(0)?,
                    since_ms: row.get(1)?,
                    until_ms: row.get(2)?,
                })
            };
            statement.query_map([app], read)?.collect()
        })
        .doing(DOING)
    }

    fn begin_earlier(&self, app: i64, before: &Whole) -> Result<(), Error> {
        self.ours
            .prepare_cached(
                "UPDATE watermark SET since_ms = :since
                 WHERE app = :app AND region = :region AND since_ms > :since AND since_ms <= :until",
            )
            .and_then(|mut statement| {
                statement.execute(named_params! {
                    ":app": app, ":region": before.region,
                    ":since": before.since_ms, ":until": before.until_ms,
                })
            })
            .doing(DOING)?;
        Ok(())
    }
}
