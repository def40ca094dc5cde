//! Is the file whole, and does it say the same everywhere? Reads all of it and changes nothing.
//!
//! Limits: what is stored can be found inconsistent, not untrue. A value that was changed everywhere alike
//! passes.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::Connection;

use super::file::{empty, open_to_read, open_unchanging};
use super::rules::RULES;
use super::segments::first_difference;
use super::{Progress, Store};
use crate::Error;
use crate::error::Doing;

/// One thing that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// A short name for it.
    pub name: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// In how many places it does not.
    pub broken: u64,
    /// One of these places.
    pub example: Option<String>,
}

/// How many checks there are: SQLite's own two, the schema, those between the rows, what is derived of them.
const CHECKS: u64 = 3 + RULES.len() as u64 + 2;

/// Checks the whole file: SQLite's structure, references between rows, each process's versions, sightings
/// and holds against their rules, and what is derived from the rows. `progress` is told how many checks are
/// done with.
///
/// It reads the file as it stands at one moment. Only one check, of what is kept about looks and places,
/// keeps other recorders waiting, for a second or so; of a file that may not be written it is left out.
///
/// ```
/// use prochist::Store;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("history.db");
/// Store::open(&path)?;
/// assert!(prochist::verify(&path, |_| ())?.iter().all(|check| check.broken == 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of opening the file, and [`Error::Sqlite`] where it cannot be read to its end; what cannot be read
/// because the file is damaged is a broken check.
pub fn verify(path: &Path, mut progress: impl FnMut(Progress)) -> Result<Vec<Check>, Error> {
    let mut checks = verify_rows(&open_to_read(path)?, &mut progress)?;
    // Worked out anew in a transaction that is rolled back, so by a writer.
    match Store::open(path) {
        Ok(store) => checks.push(looks(&store)?),
        Err(Error::ReadOnly { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(checks)
}

/// The same of a copy that nobody else has open, all of it. What is made beside it meanwhile is no part of it:
/// nothing is committed.
pub(super) fn verify_copy(
    path: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Check>, Error> {
    let mut checks = verify_rows(&open_unchanging(path)?, progress)?;
    checks.push(looks(&Store::open(path)?)?);
    Ok(checks)
}

fn verify_rows(db: &Connection, progress: &mut dyn FnMut(Progress)) -> Result<Vec<Check>, Error> {
    // All of it as of one moment.
    let db = db.unchecked_transaction().doing("begin to verify")?;
    let mut checks = Vec::new();
    let mut add = |check: Check| {
        checks.push(check);
        progress(Progress {
            done: checks.len() as u64,
            of: CHECKS,
        });
    };
    add(ask(
        &db,
        "integrity",
        "SQLite finds its pages, indexes and constraints in order",
        "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    )?);
    add(ask(
        &db,
        "references",
        "each row that another refers to is there",
        "SELECT 'a row of ' || \"table\" || ' refers to ' || parent FROM pragma_foreign_key_check",
    )?);
    add(Check {
        name: "schema",
        rule: "the tables, indexes, triggers and views are those that prochist makes",
        ..missing(&db)?
    });
    for rule in &RULES {
        add(ask(&db, rule.name, rule.says, rule.broken)?);
    }
    let segments = or_damaged(first_difference(&db))?;
    add(Check {
        name: "segments",
        rule: "the columns of ended processes tell what their rows tell",
        broken: u64::from(segments.is_some()),
        example: segments,
    });
    Ok(checks)
}

/// What of the schema is not there, or otherwise. More may be there: an operator's own index, for example.
fn missing(db: &Connection) -> Result<Check, Error> {
    let mut check = Check::default();
    let there: HashSet<(String, String)> = schema_of(db)?.into_iter().collect();
    for (name, sql) in schema_of(&empty()?)? {
        if !there.contains(&(name.clone(), sql)) {
            check.broken += 1;
            check.example.get_or_insert(name);
        }
    }
    Ok(check)
}

fn schema_of(db: &Connection) -> Result<Vec<(String, String)>, Error> {
    db.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            statement.query_map([], read)?.collect()
        })
        .doing("read the schema")
}

fn looks(store: &Store) -> Result<Check, Error> {
    let difference = or_damaged(store.check_looks())?;
    Ok(Check {
        name: "looks",
        rule: "what is kept about looks, runs and places is what the rows tell",
        broken: u64::from(difference.is_some()),
        example: difference,
    })
}

fn ask(
    db: &Connection,
    name: &'static str,
    rule: &'static str,
    broken: &str,
) -> Result<Check, Error> {
    let mut check = Check {
        name,
        rule,
        broken: 0,
        example: None,
    };
    let mut all = || -> Result<(), rusqlite::Error> {
        let mut statement = db.prepare(broken)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            check.broken += 1;
            if check.example.is_none() {
                check.example = row.get(0)?;
            }
        }
        Ok(())
    };
    or_damaged(all().doing("verify").map(|()| None)).map(|damage| {
        if let Some(damage) = damage {
            check.broken += 1;
            check.example.get_or_insert(damage);
        }
        check
    })
}

/// That a damaged file cannot be read is what a check is to find, and no failure of it.
fn or_damaged(found: Result<Option<String>, Error>) -> Result<Option<String>, Error> {
    match found {
        Err(Error::Damaged { what }) => Ok(Some(what)),
        Err(Error::Sqlite { source, .. })
            if matches!(
                source.sqlite_error_code(),
                // The last is what SQLite's functions say of a value that is no JSON, for example.
                Some(
                    rusqlite::ErrorCode::DatabaseCorrupt
                        | rusqlite::ErrorCode::NotADatabase
                        | rusqlite::ErrorCode::Unknown
                )
            ) =>
        {
            Ok(Some(source.to_string()))
        }
        found => found,
    }
}
