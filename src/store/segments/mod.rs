//! Segments: the ended processes in columns, made from their rows.
//!
//! Keys are given in the order in which processes were first seen, so that those of a range end at about
//! the same time. Once most of a range have, a segment of it is made; those that have not are loose, and
//! join it later, some at a time. Small segments are made as soon as may be, so that few rows are in
//! none, and those of a whole range become one.
//!
//! Nobody has to remember to tell: triggers make loose whatever is changed (see the migration). All is
//! done within the caller's transaction, so that a segment is never of another moment than the rows.

mod check;
mod rows;

use rusqlite::{Connection, OptionalExtension, named_params};

pub(crate) use check::first_difference;

use super::columns::{Column, Packed, Unpacked, pack_segment};
use crate::Error;
use crate::error::Doing;

/// How many keys a segment is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The smallest.
    pub unit: i64,
    /// The largest: a multiple of it.
    pub full: i64,
    /// So many loose ones that have ended are worth making a segment anew.
    pub enough: i64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            unit: 1024,
            full: 8192,
            enough: 16,
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Segments made.
    pub segments: u64,
    /// Ended processes in them.
    pub processes: u64,
}

impl Sealed {
    pub(super) fn add(&mut self, other: Self) {
        self.segments += other.segments;
        self.processes += other.processes;
    }
}

/// While recording goes on: one whole range, if it is so far back that most of it will have ended. Costs
/// two look-ups where there is none.
pub(super) fn seal_what_is_far_back(db: &Connection, sizes: Sizes) -> Result<Sealed, Error> {
    let sealed = sealed_until(db)?;
    if last_key(db)? < sealed + 8 * sizes.full {
        return Ok(Sealed::default());
    }
    let last = end_of_range(sealed, sizes.full);
    make(db, last - sizes.full + 1, last)
}

/// At the end of a run: at most so many segments, the new ones first. None are made where there is nothing
/// left to do.
pub(super) fn seal_some(db: &Connection, sizes: Sizes, most: u64) -> Result<Sealed, Error> {
    let mut done = Sealed::default();
    while done.segments < most {
        let Some([first, last]) = next_range(db, sizes)? else {
            break;
        };
        done.add(make(db, first, last)?);
    }
    if done.segments < most {
        for part in ranges_to_renew(db, sizes, most - done.segments)? {
            let last = ((part + 1) * sizes.full).min(sealed_until(db)?);
            done.add(make(db, part * sizes.full + 1, last)?);
        }
    }
    Ok(done)
}

/// Drops all segments; rows are read until they are made again.
pub(super) fn drop_all(db: &Connection) -> Result<(), Error> {
    db.execute_batch("DELETE FROM segment_column; DELETE FROM segment; DELETE FROM loose;")
        .doing("drop the segments")
}

/// The last key that is in the range of a segment.
pub(crate) fn sealed_until(db: &Connection) -> Result<i64, Error> {
    one(db, "SELECT coalesce(max(last_key), 0) FROM segment", [])
}

/// The last key there is.
pub(crate) fn last_key(db: &Connection) -> Result<i64, Error> {
    one(db, "SELECT coalesce(max(process_key), 0) FROM process", [])
}

fn one(db: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<i64, Error> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(params, |row| row.get(0)))
        .doing("read which processes are in a segment")
}

fn end_of_range(sealed: i64, size: i64) -> i64 {
    (sealed / size + 1) * size
}

/// The next range of which a segment is to be made: a whole one where it is far back, else the next few
/// keys, once most of them have ended or others have come after them for long; with those small ones
/// before, where they make it whole.
fn next_range(db: &Connection, sizes: Sizes) -> Result<Option<[i64; 2]>, Error> {
    let (sealed, top) = (sealed_until(db)?, last_key(db)?);
    let full = end_of_range(sealed, sizes.full);
    let whole = [full - sizes.full + 1, full];
    if top >= full + 4 * sizes.unit {
        return Ok(Some(whole));
    }
    let last = end_of_range(sealed, sizes.unit);
    if top < last {
        return Ok(None);
    }
    if top < last + 4 * sizes.unit {
        let open = one(
            db,
            "SELECT count(*) FROM process
             WHERE process_key > :sealed AND process_key <= :last
               AND outcome IN ('open', 'lost')",
            named_params! { ":sealed": sealed, ":last": last },
        )?;
        if open > sizes.unit / 8 {
            return Ok(None);
        }
    }
    Ok(Some(if last == full {
        whole
    } else {
        [sealed + 1, last]
    }))
}

/// Ranges in which enough of the loose ones have ended, by number.
fn ranges_to_renew(db: &Connection, sizes: Sizes, most: u64) -> Result<Vec<i64>, Error> {
    db.prepare_cached(
        "SELECT (process_key - 1) / :full AS part FROM loose
         WHERE ended = 1
         GROUP BY part HAVING count(*) >= :enough
         ORDER BY part LIMIT :most",
    )
    .and_then(|mut statement| {
        let params = named_params! {
            ":full": sizes.full, ":enough": sizes.enough,
            ":most": i64::try_from(most).unwrap_or(i64::MAX),
        };
        statement.query_map(params, |row| row.get(0))?.collect()
    })
    .doing("read which processes are loose")
}

/// Makes one segment of a range, in place of those that are there: of what they tell that still stands, of
/// the loose ones that have ended, and of all rows in no segment yet.
fn make(db: &Connection, first: i64, last: i64) -> Result<Sealed, Error> {
    let old = stored(db, first, last)?;
    // A segment is taken in whole.
    let first = old.first().map_or(first, |old| old.first_key.min(first));
    let last = old.last().map_or(last, |old| old.last_key.max(last));
    let told_until = old.last().map_or(first - 1, |old| old.last_key);

    let mut loose = rows::loose_keys(db, first, told_until)?;
    loose.sort_unstable();
    let mut processes = Vec::new();
    let mut unpacked = Unpacked::default();
    for segment in &old {
        unpack(segment, &mut unpacked)?;
        let stands = unpacked
            .processes()
            .filter(|p| loose.binary_search(&p.key).is_err());
        processes.extend(stands);
    }
    rows::take_in_loose(db, first, told_until, &mut processes)?;
    rows::take_in_rows(db, told_until + 1, last, &mut processes)?;
    processes.sort_unstable_by_key(|process| process.key);

    for segment in &old {
        remove(db, segment.last_key)?;
    }
    store(db, &pack_segment(first, last, &processes))?;
    Ok(Sealed {
        segments: 1,
        processes: processes.len() as u64,
    })
}

/// Reads all columns of a segment.
pub(super) fn unpack(segment: &Packed, into: &mut Unpacked) -> Result<(), Error> {
    into.begin(
        [segment.first_key, segment.last_key],
        segment.processes,
        &segment.present,
        &segment.kinds,
    )?;
    for (column, data) in Column::ALL.into_iter().zip(&segment.columns) {
        into.read(column, data)?;
    }
    Ok(())
}

/// The segments that have some key from `first` to `last`, in order.
pub(super) fn stored(db: &Connection, first: i64, last: i64) -> Result<Vec<Packed>, Error> {
    let mut segments: Vec<Packed> = db
        .prepare_cached(
            "SELECT first_key, last_key, processes, created_first_ms, created_last_ms,
                    ended_first_ms, ended_last_ms, present, kinds
             FROM segment WHERE last_key >= :first AND first_key <= :last ORDER BY last_key",
        )
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| {
                let times = |from, to| -> Result<_, rusqlite::Error> {
                    Ok(row.get::<_, Option<i64>>(from)?.zip(row.get(to)?))
                };
                Ok(Packed {
                    first_key: row.get(0)?,
                    last_key: row.get(1)?,
                    processes: row.get(2)?,
                    created: times(3, 4)?,
                    ended: times(5, 6)?,
                    present: row.get(7)?,
                    kinds: row.get(8)?,
                    columns: Default::default(),
                })
            };
            let params = named_params! { ":first": first, ":last": last };
            statement.query_map(params, read)?.collect()
        })
        .doing("read segments")?;
    for segment in &mut segments {
        for (column, data) in Column::ALL.into_iter().zip(&mut segment.columns) {
            *data = db
                .prepare_cached(
                    "SELECT data FROM segment_column WHERE name = :name AND last_key = :last",
                )
                .and_then(|mut statement| {
                    let params =
                        named_params! { ":name": column.name(), ":last": segment.last_key };
                    statement.query_row(params, |row| row.get(0)).optional()
                })
                .doing("read segments")?
                .ok_or_else(|| Error::Damaged {
                    what: format!("a segment without its column {:?}", column.name()),
                })?;
        }
    }
    Ok(segments)
}

fn remove(db: &Connection, last_key: i64) -> Result<(), Error> {
    for column in Column::ALL {
        db.prepare_cached("DELETE FROM segment_column WHERE name = :name AND last_key = :last")
            .and_then(|mut statement| {
                statement.execute(named_params! { ":name": column.name(), ":last": last_key })
            })
            .doing("remove a segment")?;
    }
    db.prepare_cached("DELETE FROM segment WHERE last_key = :last")
        .and_then(|mut statement| statement.execute(named_params! { ":last": last_key }))
        .doing("remove a segment")?;
    Ok(())
}

fn store(db: &Connection, segment: &Packed) -> Result<(), Error> {
    let (created, ended) = (segment.created.unzip(), segment.ended.unzip());
    db.prepare_cached(
        "INSERT INTO segment (last_key, first_key, processes, created_first_ms, created_last_ms,
             ended_first_ms, ended_last_ms, present, kinds)
         VALUES (:last, :first, :processes, :created_first, :created_last, :ended_first,
             :ended_last, :present, :kinds)",
    )
    .and_then(|mut statement| {
        statement.execute(named_params! {
            ":last": segment.last_key,
            ":first": segment.first_key,
            ":processes": segment.processes,
            ":created_first": created.0,
            ":created_last": created.1,
            ":ended_first": ended.0,
            ":ended_last": ended.1,
            ":present": segment.present,
            ":kinds": segment.kinds,
        })
    })
    .doing("store a segment")?;
    for (column, data) in Column::ALL.into_iter().zip(&segment.columns) {
        db.prepare_cached(
            "INSERT INTO segment_column (name, last_key, data) VALUES (:name, :last, :data)",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":name": column.name(), ":last": segment.last_key, ":data": data,
            })
        })
        .doing("store a segment")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
