//! Removes what is older than anybody needs: whole processes, a bounded number in a transaction.
//!
//! What is kept: the ledger, and with it when anything looked; gaps; and how many were removed, of which
//! stretch of time, so that answers about it say so. A kill leaves whole processes, and as many of them
//! counted as removed as were.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, named_params};

use super::Store;
use super::derived::{count_versions, forget_places, rebuild_places};
use super::rebuild::Progress;
use super::rows::to_time;
use super::segments::{drop_all, last_key};
use crate::Error;
use crate::error::Doing;
use crate::model::UtcMillis;

/// So many keys are gone through in one transaction, a tenth of a second's work.
const KEYS_AT_ONCE: i64 = 5000;

/// So many free pages are given back in one transaction.
const PAGES_AT_ONCE: i64 = 2000;

const DOING: &str = "prune";

/// A process is as old as the latest that is known of it, and goes only once it has ended or is lost.
const OLD: &str = "SELECT p.process_key, p.app, p.versions, p.created_ms,
        max(coalesce(p.ended_ms, p.lost_ms), p.seen_until_ms) AS gone_ms
     FROM process_seen p
     WHERE p.process_key > :after AND p.process_key <= :until AND p.outcome <> 'open'
       AND p.seen_until_ms < :before AND coalesce(p.ended_ms, p.lost_ms) < :before";

/// What was pruned, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// App by app, in order of name.
    pub apps: Vec<PrunedApp>,
    /// Older ones that were kept, since they are not known to have ended.
    pub open_kept: u64,
    /// By how much the file is smaller, in bytes; once no reader needs what was in it.
    pub bytes_returned: u64,
}

/// What was pruned of one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedApp {
    /// The app.
    pub app_id: String,
    /// Processes.
    pub processes: u64,
    /// Their versions.
    pub versions: u64,
    /// When the first of them was created.
    pub since: UtcMillis,
    /// When the last of them had ended, or was last seen if that was later.
    pub until: UtcMillis,
}

impl Store {
    /// What [`Store::prune`] would remove now.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn prunable(
        &self,
        before: UtcMillis,
        progress: impl FnMut(Progress),
    ) -> Result<Pruned, Error> {
        let mut removed = BTreeMap::new();
        self.go_through(progress, |keys| {
            for old in old_ones(&self.connection, before, keys)? {
                add(&mut removed, &old);
            }
            Ok(())
        })?;
        self.told(removed, before)
    }

    /// Removes all processes that had ended, or were lost, and were last seen before a moment, with all
    /// their versions and holds; and returns the space to the file system. `now` is when it is done, for
    /// the record. Others may ask and record meanwhile.
    ///
    /// ```
    /// use prochist::Store;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("history.db");
    /// # let (a_year_ago, now) = ("2025-05-01T00:00:00Z".parse()?, "2026-05-01T00:00:00Z".parse()?);
    /// let pruned = Store::open(&path)?.prune(a_year_ago, now, |_| ())?;
    /// assert!(pruned.apps.is_empty()); // nothing recorded yet
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`]; what was removed until then is removed and recorded as
    /// such, and the same again goes on with the rest.
    pub fn prune(
        &mut self,
        before: UtcMillis,
        now: UtcMillis,
        progress: impl FnMut(Progress),
    ) -> Result<Pruned, Error> {
        let mut removed = BTreeMap::new();
        self.go_through(progress, |keys| {
            self.in_transaction(|db| {
                let old = old_ones(db, before, keys)?;
                if old.is_empty() {
                    return Ok(());
                }
                // Until all are gone, the rows tell what is kept of them beside.
                forget_places(db)?;
                for old in &old {
                    remove(db, old)?;
                    record(db, old, before, now)?;
                    add(&mut removed, old);
                }
                count_versions(db, -old.iter().map(|old| old.versions).sum::<i64>())
            })
        })?;
        // That of one that was killed, too.
        if self.is_unswept()? {
            self.in_transaction(|db| {
                drop_all(db)?;
                rebuild_places(db)?;
                remove_unused(db)?;
                db.execute("UPDATE pruned SET is_swept = 1 WHERE NOT is_swept", [])
                    .doing(DOING)
            })?;
            self.seal_all(|_| ())?;
        }
        let mut pruned = self.told(removed, before)?;
        pruned.bytes_returned = self.return_space()?;
        Ok(pruned)
    }

    fn is_unswept(&self) -> Result<bool, Error> {
        self.connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM pruned WHERE NOT is_swept)",
                [],
                |row| row.get(0),
            )
            .doing(DOING)
    }

    /// Does something with all keys, some at a time.
    fn go_through(
        &self,
        mut progress: impl FnMut(Progress),
        mut what: impl FnMut([i64; 2]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let last = last_key(&self.connection)?;
        let mut after = 0;
        while after < last {
            let until = (after + KEYS_AT_ONCE).min(last);
            what([after, until])?;
            after = until;
            progress(Progress {
                done: after.cast_unsigned(),
                of: last.cast_unsigned(),
            });
        }
        Ok(())
    }

    fn told(&self, removed: BTreeMap<i64, Removed>, before: UtcMillis) -> Result<Pruned, Error> {
        let db = &self.connection;
        let mut apps = Vec::new();
        for (app, of_app) in removed {
            apps.push(PrunedApp {
                app_id: db
                    .query_row("SELECT text FROM word WHERE word_id = ?1", [app], |row| {
                        row.get(0)
                    })
                    .doing(DOING)?,
                processes: of_app.processes,
                versions: of_app.versions.cast_unsigned(),
                since: to_time(of_app.first_created_ms)?,
                until: to_time(of_app.last_gone_ms)?,
            });
        }
        apps.sort_unstable_by(|a, b| a.app_id.cmp(&b.app_id));
        let open_kept: i64 = db
            .query_row(
                "SELECT count(*) FROM process_seen WHERE outcome = 'open' AND seen_until_ms < :before",
                named_params! { ":before": before.millis() },
                |row| row.get(0),
            )
            .doing(DOING)?;
        Ok(Pruned {
            apps,
            open_kept: open_kept.cast_unsigned(),
            bytes_returned: 0,
        })
    }

    /// Gives free pages back, so that the file shrinks. (A file whose pages cannot be moved keeps them for
    /// what is recorded next.)
    fn return_space(&self) -> Result<u64, Error> {
        let db = &self.connection;
        let number = |pragma: &str| -> Result<i64, Error> {
            db.pragma_query_value(None, pragma, |row| row.get(0))
                .doing("return space")
        };
        let (page_size, before) = (number("page_size")?, number("page_count")?);
        let mut pages = before;
        loop {
            let mut statement = db
                .prepare(&format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))
                .doing("return space")?;
            let mut rows = statement.query([]).doing("return space")?;
            // Each step returns a page.
            while rows.next().doing("return space")?.is_some() {}
            let left = number("page_count")?;
            if left == pages {
                return Ok(((before - left) * page_size).cast_unsigned());
            }
            pages = left;
        }
    }
}

/// One that is to go.
struct Old {
    key: i64,
    app: i64,
    versions: i64,
    created_ms: i64,
    gone_ms: i64,
}

impl Old {
    // What is dated before its own creation is found by both of its times.
    fn first_ms(&self) -> i64 {
        self.created_ms.min(self.gone_ms)
    }

    fn last_ms(&self) -> i64 {
        self.created_ms.max(self.gone_ms)
    }
}

/// What went of one app.
struct Removed {
    processes: u64,
    versions: i64,
    first_created_ms: i64,
    last_gone_ms: i64,
}

fn add(removed: &mut BTreeMap<i64, Removed>, old: &Old) {
    let of_app = removed.entry(old.app).or_insert(Removed {
        processes: 0,
        versions: 0,
        first_created_ms: i64::MAX,
        last_gone_ms: i64::MIN,
    });
    of_app.processes += 1;
    of_app.versions += old.versions;
    of_app.first_created_ms = of_app.first_created_ms.min(old.first_ms());
    of_app.last_gone_ms = of_app.last_gone_ms.max(old.last_ms());
}

fn old_ones(
    db: &Connection,
    before: UtcMillis,
    [after, until]: [i64; 2],
) -> Result<Vec<Old>, Error> {
    db.prepare_cached(OLD)
        .and_then(|mut statement| {
            let params = named_params! {
                ":after": after, ":until": until, ":before": before.millis(),
            };
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Old {
                    key: row.get("process_key")?,
                    app: row.get("app")?,
                    versions: row.get("versions")?,
                    created_ms: row.get("created_ms")?,
                    gone_ms: row.get("gone_ms")?,
                })
            };
            statement.query_map(params, read)?.collect()
        })
        .doing(DOING)
}

fn remove(db: &Connection, old: &Old) -> Result<(), Error> {
    for sql in [
        "DELETE FROM version WHERE process_key = ?1",
        "DELETE FROM sighting WHERE process_key = ?1",
        "DELETE FROM hold WHERE process_key = ?1",
        "DELETE FROM unknown_look WHERE process_key = ?1",
        "DELETE FROM process WHERE process_key = ?1",
    ] {
        db.prepare_cached(sql)
            .and_then(|mut statement| statement.execute([old.key]))
            .doing(DOING)?;
    }
    Ok(())
}

fn record(db: &Connection, old: &Old, before: UtcMillis, now: UtcMillis) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO pruned (pruned_ms, app, before_ms, processes, versions, first_created_ms,
             last_gone_ms)
         VALUES (:now, :app, :before, 1, :versions, :created, :gone)
         ON CONFLICT DO UPDATE SET
             before_ms = max(before_ms, excluded.before_ms),
             is_swept = 0,
             processes = processes + 1,
             versions = versions + excluded.versions,
             first_created_ms = min(first_created_ms, excluded.first_created_ms),
             last_gone_ms = max(last_gone_ms, excluded.last_gone_ms)",
    )
    .and_then(|mut statement| {
        statement.execute(named_params! {
            ":now": now.millis(), ":app": old.app, ":before": before.millis(),
            ":versions": old.versions, ":created": old.first_ms(), ":gone": old.last_ms(),
        })
    })
    .doing(DOING)?;
    Ok(())
}

/// Removes ports, endpoints and texts that nothing refers to any more. Which columns refer to one, the
/// schema's own foreign keys tell.
fn remove_unused(db: &Connection) -> Result<(), Error> {
    db.execute_batch(
        "DELETE FROM exposed_port WHERE exposed_port_id NOT IN (
             SELECT exposed_port FROM version WHERE exposed_port IS NOT NULL
             UNION
             SELECT j.value FROM version v JOIN json_each(v.additional_ports) j);
         DELETE FROM endpoint WHERE endpoint_id NOT IN (
             SELECT endpoint_id FROM exposed_port UNION SELECT endpoint_id FROM hold);",
    )
    .doing(DOING)?;
    let used: Option<String> = db
        .query_row(
            "SELECT group_concat(
                 printf('SELECT \"%w\" FROM \"%w\" WHERE \"%w\" IS NOT NULL', f.\"from\", t.name, f.\"from\"),
                 ' UNION ')
             FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) f
             WHERE t.type = 'table' AND f.\"table\" = 'word'",
            [],
            |row| row.get(0),
        )
        .optional()
        .doing(DOING)?
        .flatten();
    if let Some(used) = used {
        db.execute_batch(&format!(
            "DELETE FROM word WHERE word_id <> 0 AND word_id NOT IN ({used})"
        ))
        .doing(DOING)?;
    }
    Ok(())
}
