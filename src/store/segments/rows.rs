//! What segments are made of: rows of processes and their holds.

use rusqlite::{Connection, Row, named_params};

use crate::Error;
use crate::error::Doing;
use crate::model::Outcome;
use crate::store::columns::{EndedProcess, Kind};
use crate::store::rows::deployment;

const COLUMNS: &str = "p.process_key, p.app, p.deployment, p.region, p.created_ms, p.started_ms, \
     p.stopping_ms, p.terminated_ms, p.outcome, p.ended_ms";

/// The loose ones of a range.
pub(super) fn loose_keys(db: &Connection, first: i64, last: i64) -> Result<Vec<i64>, Error> {
    db.prepare_cached(
        "SELECT process_key FROM loose WHERE process_key >= :first AND process_key <= :last",
    )
    .and_then(|mut statement| {
        let params = named_params! { ":first": first, ":last": last };
        statement.query_map(params, |row| row.get(0))?.collect()
    })
    .doing("read which processes are loose")
}

/// Adds all rows of a range that have ended, and makes the others loose.
pub(super) fn take_in_rows(
    db: &Connection,
    first: i64,
    last: i64,
    processes: &mut Vec<EndedProcess>,
) -> Result<(), Error> {
    let within = "process_key >= :first AND process_key <= :last";
    take_in(db, within, [first, last], processes)
}

/// Adds the loose ones of a range that have ended; they are loose no more.
pub(super) fn take_in_loose(
    db: &Connection,
    first: i64,
    last: i64,
    processes: &mut Vec<EndedProcess>,
) -> Result<(), Error> {
    let those = "process_key IN (SELECT process_key FROM loose INDEXED BY loose_ended
                                 WHERE ended = 1
                                   AND process_key >= :first AND process_key <= :last)";
    take_in(db, those, [first, last], processes)?;
    db.prepare_cached(
        "DELETE FROM loose
         WHERE ended = 1 AND process_key >= :first AND process_key <= :last",
    )
    .and_then(|mut statement| statement.execute(named_params! { ":first": first, ":last": last }))
    .doing("take in loose processes")?;
    Ok(())
}

fn take_in(
    db: &Connection,
    which: &str,
    [first, last]: [i64; 2],
    processes: &mut Vec<EndedProcess>,
) -> Result<(), Error> {
    let range = &[(":first", &first), (":last", &last)];
    // Their index alone has all that is needed of holds; until when follows from the process.
    let mut statement = db
        .prepare_cached(&format!(
            "SELECT process_key, endpoint_id, held_from_ms FROM hold WHERE {which}
             ORDER BY process_key, endpoint_id"
        ))
        .doing("read holds")?;
    let mut holds: Vec<(i64, (i64, i64))> = Vec::new();
    let mut rows = statement.query(range).doing("read holds")?;
    while let Some(row) = rows.next().doing("read holds")? {
        let get = |i| row.get(i).doing("read holds");
        holds.push((get(0)?, (get(1)?, get(2)?)));
    }
    let mut holds = holds.into_iter().peekable();
    let mut statement = db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM process p WHERE {which} ORDER BY process_key"
        ))
        .doing("read processes")?;
    let mut rows = statement.query(range).doing("read processes")?;
    let mut stay_loose = Vec::new();
    while let Some(row) = rows.next().doing("read processes")? {
        let key = row.get(0).doing("read processes")?;
        let mut of_it = Vec::new();
        while let Some((of, hold)) = holds.next_if(|(of, _)| *of <= key) {
            if of == key {
                of_it.push(hold);
            }
        }
        match from_row(row, of_it)?.filter(EndedProcess::fits) {
            Some(process) => processes.push(process),
            None => stay_loose.push(key),
        }
    }
    for key in stay_loose {
        loosen(db, key)?;
    }
    Ok(())
}

/// Leaves a process to be read from its row: one that has not ended, or that no segment can tell of.
fn loosen(db: &Connection, key: i64) -> Result<(), Error> {
    db.prepare_cached("INSERT OR REPLACE INTO loose (process_key, ended) VALUES (:key, 0)")
        .and_then(|mut statement| statement.execute(named_params! { ":key": key }))
        .doing("leave a process loose")?;
    Ok(())
}

/// The process of a row of [`COLUMNS`]; none that has not ended.
fn from_row(row: &Row<'_>, holds: Vec<(i64, i64)>) -> Result<Option<EndedProcess>, Error> {
    let outcome = row.get_ref(8).doing("read processes")?;
    let has_failed = match outcome.as_str() {
        Ok(name) if name == Outcome::Failed.as_str() => true,
        Ok(name) if name == Outcome::Stopped.as_str() => false,
        _ => return Ok(None),
    };
    let time = |i| row.get::<_, Option<i64>>(i).doing("read processes");
    let (started_ms, stopping_ms, terminated_ms) = (time(5)?, time(6)?, time(7)?);
    let Some(ended_ms) = time(9)? else {
        return Ok(None);
    };
    Ok(Some(EndedProcess {
        key: row.get(0).doing("read processes")?,
        kind: Kind {
            app: row.get(1).doing("read processes")?,
            region: row.get(3).doing("read processes")?,
            deployment: deployment(row, 2)?,
            has_failed,
            has_started: started_ms.is_some(),
            has_stopping: stopping_ms.is_some(),
            has_terminated: terminated_ms.is_some(),
            holds: holds.len() as u32,
        },
        created_ms: row.get(4).doing("read processes")?,
        started_ms,
        stopping_ms,
        terminated_ms,
        ended_ms,
        holds,
    }))
}

/// All processes of a range that have ended, and whether they fit; for comparison.
pub(super) fn ended_in(
    db: &Connection,
    first: i64,
    last: i64,
) -> Result<Vec<(i64, Option<EndedProcess>)>, Error> {
    let mut statement = db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM process p
             WHERE process_key >= :first AND process_key <= :last ORDER BY process_key"
        ))
        .doing("read processes")?;
    let params = named_params! { ":first": first, ":last": last };
    let mut rows = statement.query(params).doing("read processes")?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().doing("read processes")? {
        let key: i64 = row.get(0).doing("read processes")?;
        let holds = holds_of(db, key)?;
        let from = holds.iter().map(|(endpoint, from, _)| (*endpoint, *from));
        let process = from_row(row, from.collect())?.filter(EndedProcess::fits);
        // Until when it held them follows from its times, and is in no column.
        let until = process
            .as_ref()
            .and_then(|p| p.terminated_ms.or(p.stopping_ms));
        if process.is_some() && holds.iter().any(|hold| hold.2 != until) {
            return Err(Error::Damaged {
                what: format!("a hold of process {key} that does not end with it"),
            });
        }
        all.push((key, process));
    }
    Ok(all)
}

type Hold = (i64, i64, Option<i64>);

fn holds_of(db: &Connection, key: i64) -> Result<Vec<Hold>, Error> {
    db.prepare_cached(
        "SELECT endpoint_id, held_from_ms, held_until_ms FROM hold WHERE process_key = :key
         ORDER BY endpoint_id",
    )
    .and_then(|mut statement| {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        statement
            .query_map(named_params! { ":key": key }, read)?
            .collect()
    })
    .doing("read holds")
}
