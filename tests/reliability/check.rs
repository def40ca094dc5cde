//! What must hold of the file after every fault.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prochist::SCHEMA_VERSION;
use rusqlite::Connection;

use crate::common::{dump, one};

/// How many processes each snapshot showed, by its time.
pub type Shown = BTreeMap<i64, i64>;

/// What the file says of it, in one statement.
pub const SHOWN: &str = "
    SELECT n.observed_at_ms AS time, count(DISTINCT s.process_key) AS processes
    FROM snapshot n
    JOIN stream t USING (stream_id)
    JOIN sighting s ON s.stream_id = n.stream_id
        AND n.observed_at_ms BETWEEN s.first_ms AND coalesce(s.last_ms, t.last_ms)
    GROUP BY 1";

pub fn shown(db: &Connection) -> Shown {
    let mut statement = db.prepare(SHOWN).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// The file is sound, has whole snapshots and no others, and what is derived agrees with the rows. What
/// a fault left is looked at in a copy, so that whoever comes next still meets all of it.
#[track_caller]
pub fn whole(path: &Path, truth: &Shown, of: &str) -> Shown {
    if !path.exists() {
        return Shown::new();
    }
    let copy = copied(path);
    let db = Connection::open(&copy).unwrap();
    assert_eq!(one::<String>(&db, "PRAGMA integrity_check"), "ok", "{of}");
    assert_eq!(dump(&db, "PRAGMA foreign_key_check"), "", "{of}");
    let kept = shown(&db);
    for (time, processes) in &kept {
        assert_eq!(truth.get(time), Some(processes), "snapshot {time} {of}");
    }
    let schema = one::<i64>(&db, "SELECT max(version) FROM refinery_schema_history");
    drop(db);
    if schema == SCHEMA_VERSION {
        verified(&copy, of);
    }
    fs::remove_dir_all(copy.parent().unwrap()).unwrap();
    kept
}

/// Every process has the versions, sightings and holds that it must have, and what is derived agrees.
#[track_caller]
pub fn verified(path: &Path, of: &str) {
    let mut checks = prochist::verify(path, |_| ()).unwrap();
    checks.retain(|check| check.broken > 0);
    assert_eq!(checks, [], "{of}");
}

/// The file and its WAL in a folder beside it, without the shared memory: as after a new start.
fn copied(path: &Path) -> PathBuf {
    let folder = path.with_extension("copy");
    fs::create_dir(&folder).unwrap();
    let copy = folder.join("history.db");
    fs::copy(path, &copy).unwrap();
    let wal = beside(path, "-wal");
    if wal.exists() {
        fs::copy(wal, beside(&copy, "-wal")).unwrap();
    }
    copy
}

pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
