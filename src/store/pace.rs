//! How fast processes come: for each app and region the shortest stretch in which ten were created. Kept
//! of the processes up to a key, so that nobody reads all of them to learn it; those after it are few.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, named_params};

use crate::Error;
use crate::error::Doing;

/// As many as fit on a page of an API.
const TEN: usize = 10;

/// How many processes are taken along at once, so that memory is bounded.
const AT_ONCE: i64 = 500_000;

/// The words of an app and a region.
type Place = (i64, i64);

/// What is known of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The shortest stretch in which ten were created; none while there are fewer.
    pub shortest_ms: Option<i64>,
    /// When the latest nine were created, in order.
    latest: Vec<i64>,
}

impl Pace {
    /// Takes along when further ones were created. Those before the latest nine need to be seen among their
    /// neighbours, for which these are given.
    fn add(&mut self, created: &[i64], neighbours: Option<&Vec<i64>>) {
        for times in [Some(&sorted(&self.latest, created)), neighbours]
            .into_iter()
            .flatten()
        {
            let stretches = times.windows(TEN).map(|ten| ten[TEN - 1] - ten[0]);
            self.shortest_ms = self.shortest_ms.into_iter().chain(stretches).min();
        }
        self.latest = sorted(&self.latest, created);
        self.latest
            .drain(..self.latest.len().saturating_sub(TEN - 1));
    }

    /// Around which of these one has to look, since others may have been created there that are not among
    /// the latest: as far as a stretch may reach that would be shorter than what is known.
    fn unclear(&self, created: &[i64]) -> Vec<(i64, i64)> {
        // Fewer than ten are all among the latest.
        let Some((shortest, first)) = self.shortest_ms.zip(self.latest.first()) else {
            return Vec::new();
        };
        let late = created.iter().filter(|at| *at < first);
        late.map(|at| (at - shortest, at + shortest)).collect()
    }
}

fn sorted(some: &[i64], others: &[i64]) -> Vec<i64> {
    let mut all = [some, others].concat();
    all.sort_unstable();
    all
}

/// The pace of every place, of all processes on record.
pub(crate) fn paces(db: &Connection) -> Result<BTreeMap<Place, Pace>, Error> {
    let mut kept = load(db)?;
    take_along(db, &mut kept, |_, _| Ok(()))?;
    Ok(kept)
}

/// Keeps it, up to the last process that there is.
pub(super) fn keep_paces(db: &Connection) -> Result<(), Error> {
    let mut kept = load(db)?;
    let mut changed = BTreeSet::new();
    let mut until = None;
    take_along(db, &mut kept, |key, places| {
        until = Some(key);
        changed.extend(places);
        Ok(())
    })?;
    for place in changed {
        let pace = kept.get(&place).cloned().unwrap_or_default();
        db.prepare_cached("INSERT OR REPLACE INTO pace VALUES (:app, :region, :shortest, :latest)")
            .and_then(|mut statement| {
                statement.execute(named_params! {
                    ":app": place.0, ":region": place.1, ":shortest": pace.shortest_ms,
                    ":latest": serde_json::json!(pace.latest).to_string(),
                })
            })
            .doing("record how fast processes come")?;
    }
    if let Some(key) = until {
        db.prepare_cached("UPDATE paced SET process_key = :key")
            .and_then(|mut statement| statement.execute(named_params! { ":key": key }))
            .doing("record how fast processes come")?;
    }
    Ok(())
}

/// As if nothing of it had been kept.
pub(super) fn forget_paces(db: &Connection) -> Result<(), Error> {
    db.execute_batch("DELETE FROM pace; UPDATE paced SET process_key = 0")
        .doing("forget how fast processes come")
}

fn load(db: &Connection) -> Result<BTreeMap<Place, Pace>, Error> {
    let mut statement = db
        .prepare_cached("SELECT app, region, shortest_ms, latest FROM pace")
        .doing("read how fast processes come")?;
    let mut rows = statement.query([]).doing("read how fast processes come")?;
    let mut paces = BTreeMap::new();
    while let Some(row) = rows.next().doing("read how fast processes come")? {
        let read = |i| row.get::<_, i64>(i).doing("read how fast processes come");
        let latest: String = row.get(3).doing("read how fast processes come")?;
        let latest = serde_json::from_str(&latest).map_err(|_| Error::Damaged {
            what: format!("the latest processes {latest:?}"),
        })?;
        let shortest_ms = row.get(2).doing("read how fast processes come")?;
        paces.insert(
            (read(0)?, read(1)?),
            Pace {
                shortest_ms,
                latest,
            },
        );
    }
    Ok(paces)
}

/// Takes along the processes that came since, some at once; `each` is told up to which key, and which
/// places these were in.
fn take_along(
    db: &Connection,
    paces: &mut BTreeMap<Place, Pace>,
    mut each: impl FnMut(i64, Vec<Place>) -> Result<(), Error>,
) -> Result<(), Error> {
    let one = |query: &str| {
        db.prepare_cached(query)
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
            .doing("read how fast processes come")
    };
    let mut from = one("SELECT process_key FROM paced")?;
    let last = one("SELECT coalesce(max(process_key), 0) FROM process")?;
    while from < last {
        let until = last.min(from + AT_ONCE);
        let came = read(
            db,
            "SELECT app, region, created_ms FROM process WHERE process_key > :from AND process_key <= :until",
            (from, until),
            |_| true,
        )?;
        let mut neighbours: BTreeMap<Place, Vec<i64>> = BTreeMap::new();
        let mut unclear = Vec::new();
        for (place, created) in &came {
            let around = paces.entry(*place).or_default().unclear(created);
            if !around.is_empty() {
                neighbours.insert(*place, Vec::new());
                unclear.extend(around);
            }
        }
        for part in joined(unclear) {
            let around = read(
                db,
                "SELECT app, region, created_ms FROM process INDEXED BY process_created
                 WHERE created_ms >= :from AND created_ms <= :until",
                part,
                |place| neighbours.contains_key(&place),
            )?;
            for (place, created) in around {
                neighbours.entry(place).or_default().extend(created);
            }
        }
        for times in neighbours.values_mut() {
            times.sort_unstable();
        }
        for (place, created) in &came {
            let pace = paces.entry(*place).or_default();
            pace.add(created, neighbours.get(place));
        }
        each(until, came.into_keys().collect())?;
        from = until;
    }
    Ok(())
}

/// Stretches that touch become one.
fn joined(mut parts: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    parts.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, until) in parts {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => joined.push((from, until)),
        }
    }
    joined
}

/// When processes were created, by place.
fn read(
    db: &Connection,
    query: &str,
    (from, until): (i64, i64),
    is_meant: impl Fn(Place) -> bool,
) -> Result<BTreeMap<Place, Vec<i64>>, Error> {
    let mut statement = db
        .prepare_cached(query)
        .doing("read how fast processes come")?;
    let mut rows = statement
        .query(named_params! { ":from": from, ":until": until })
        .doing("read how fast processes come")?;
    let mut created: BTreeMap<Place, Vec<i64>> = BTreeMap::new();
    while let Some(row) = rows.next().doing("read how fast processes come")? {
        let read = |i| row.get::<_, i64>(i).doing("read how fast processes come");
        let place = (read(0)?, read(1)?);
        if is_meant(place) {
            created.entry(place).or_default().push(read(2)?);
        }
    }
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_are_too_few_and_ten_will_do() {
        let mut pace = Pace::default();
        pace.add(&[50, 10, 20, 30, 40, 60, 70, 80], None);
        assert_eq!(pace.shortest_ms, None);
        assert_eq!(pace.unclear(&[5]), []);
        pace.add(&[5], None);
        assert_eq!(pace.shortest_ms, None);
        pace.add(&[90], None);
        assert_eq!(pace.shortest_ms, Some(85));
        pace.add(&[100, 101], None);
        assert_eq!(pace.shortest_ms, Some(81)); // from 20 to 101
        assert_eq!(pace.latest, [30, 40, 50, 60, 70, 80, 90, 100, 101]);
        assert_eq!(pace.unclear(&[29, 30, 40]), [(-52, 110)]);
    }

    #[test]
    fn stretches_that_touch_are_one() {
        assert_eq!(
            joined(vec![(8, 9), (0, 3), (3, 5), (1, 2)]),
            [(0, 5), (8, 9)]
        );
    }
}
