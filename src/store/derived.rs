//! What is worked out from the rows and kept beside them: when anything looked, how many runs did and
//! how they ended, where there are processes, and how fast these come. Triggers keep it (`migrations/`); this works it out
//! anew, and compares.

use rusqlite::{Connection, named_params, types::Value};

use super::Store;
use super::pace::{forget_paces, keep_paces, paces};
use crate::Error;
use crate::error::Doing;

/// The statements that fill the empty tables.
const DERIVE: &str = include_str!("derive.sql");
const DERIVE_PLACES: &str = include_str!("derive_places.sql");

const EMPTY: &str = "DELETE FROM look_stretch; DELETE FROM look_count; DELETE FROM loose_look;
     DELETE FROM loose_run; DELETE FROM look_group; DELETE FROM run_count; DELETE FROM version_count;";

const DOING_PLACES: &str = "work out where there are processes";

/// Each table, told so that the numbers of groups do not matter: which is met first is chance.
const TABLES: [(&str, &str); 7] = [
    ("version_count", "SELECT versions FROM version_count"),
    (
        "look_stretch",
        "SELECT app, from_ms, to_ms, looks FROM look_stretch ORDER BY app, from_ms",
    ),
    (
        "look_count",
        "SELECT g.apps, c.size, c.stretch, c.runs
         FROM look_count c JOIN look_group g USING (group_id) ORDER BY g.apps, c.size, c.stretch",
    ),
    (
        "loose_run",
        "SELECT l.run_id, g.apps, l.first_ms, l.last_ms
         FROM loose_run l LEFT JOIN look_group g USING (group_id) ORDER BY l.run_id",
    ),
    (
        "loose_look",
        "SELECT run_id, stream_id, first_ms, last_ms FROM loose_look ORDER BY run_id, stream_id",
    ),
    (
        "run_count",
        "SELECT kind, result, size, stretch, runs, last_id
         FROM run_count ORDER BY kind, result, size, stretch",
    ),
    // With those that came since, which a table worked out anew has in it.
    (
        "place",
        "SELECT app, region, deployment, sum(processes), sum(lost), min(first_created_ms),
                max(last_created_ms), min(first_seen_ms)
         FROM (SELECT * FROM place
               UNION ALL
               SELECT app, region, deployment, 1, outcome = 'lost', created_ms, created_ms, first_seen_ms
               FROM process WHERE process_key > (SELECT process_key FROM placed))
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    ),
];

impl Store {
    /// Compares what is kept about looks, runs and places with the rows. Changes nothing, but is let in
    /// only when no other writer is at it. The first difference, if there is one.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn check_looks(&self) -> Result<Option<String>, Error> {
        let db = self.begin_to_derive()?;
        let (kept, paces_kept) = (tell(&db)?, paces(&db)?);
        rebuild_looks(&db)?;
        let (worked_out, paces_worked_out) = (tell(&db)?, paces(&db)?);
        db.rollback().doing("compare what is kept with the rows")?;
        Ok(kept
            .iter()
            .zip(&worked_out)
            .find(|(kept, of_rows)| kept != of_rows)
            .map(|(kept, of_rows)| difference(kept, of_rows))
            .or_else(|| {
                let differs = paces_kept != paces_worked_out;
                differs.then(|| {
                    format!("pace: {paces_kept:?} is kept, and the rows say {paces_worked_out:?}")
                })
            }))
    }

    fn begin_to_derive(&self) -> Result<rusqlite::Transaction<'_>, Error> {
        rusqlite::Transaction::new_unchecked(
            &self.connection,
            rusqlite::TransactionBehavior::Immediate,
        )
        .doing("work out when anything looked")
    }
}

/// The same within a transaction.
pub(crate) fn rebuild_looks(db: &Connection) -> Result<(), Error> {
    db.execute_batch(EMPTY)
        .and_then(|()| db.execute_batch(DERIVE))
        .doing("work out when anything looked")?;
    rebuild_places(db)
}

/// The part of it that processes make: where they are, and how fast they come.
pub(super) fn rebuild_places(db: &Connection) -> Result<(), Error> {
    db.execute_batch("DELETE FROM place; DELETE FROM placed;")
        .and_then(|()| db.execute_batch(DERIVE_PLACES))
        .doing(DOING_PLACES)?;
    forget_paces(db)?;
    keep_paces(db)
}

/// Leaves that to the rows, which tell the same more slowly, until it is worked out again: at the latest
/// when the next run ends. For whoever removes processes in more than one transaction.
pub(super) fn forget_places(db: &Connection) -> Result<(), Error> {
    db.execute_batch("DELETE FROM place; UPDATE placed SET process_key = 0;")
        .doing(DOING_PLACES)?;
    forget_paces(db)
}

/// So many more versions are on record, or fewer.
pub(super) fn count_versions(db: &Connection, more: i64) -> Result<(), Error> {
    if more != 0 {
        db.prepare_cached("UPDATE version_count SET versions = versions + :more")
            .and_then(|mut statement| statement.execute(named_params! { ":more": more }))
            .doing("count versions")?;
    }
    Ok(())
}

/// A table's name and its rows.
type Told = (&'static str, Vec<Vec<Value>>);

fn tell(db: &Connection) -> Result<Vec<Told>, Error> {
    let mut told = Vec::new();
    for (table, query) in TABLES {
        let rows = db
            .prepare(query)
            .and_then(|mut statement| {
                let width = statement.column_count();
                let read = |row: &rusqlite::Row<'_>| (0..width).map(|i| row.get(i)).collect();
                statement.query_map([], read)?.collect()
            })
            .doing("compare what is kept with the rows")?;
        told.push((table, rows));
    }
    Ok(told)
}

fn difference((table, kept): &Told, (_, of_rows): &Told) -> String {
    let same = kept.iter().zip(of_rows).take_while(|(a, b)| a == b).count();
    format!(
        "{table}: {:?} is kept, and the rows say {:?}",
        kept.get(same),
        of_rows.get(same)
    )
}
