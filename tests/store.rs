//! The file: what it must be, how it is made, what it refuses, and that it is then untouched.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::fs;
use std::path::Path;

use common::{at, one, open, process};
use prochist::model::Snapshot;
use prochist::{APPLICATION_ID, Ending, Error, History, RunKind, RunResult, SCHEMA_VERSION, Store};
use rusqlite::Connection;
use tempfile::TempDir;

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

fn record_one(path: &Path) {
    let mut store = Store::open(path).unwrap();
    let mut run = store.begin(RunKind::Library, "test", at(0)).unwrap();
    run.record(&Snapshot::new(at(5), vec![process("p", 1)]))
        .unwrap();
    run.finish(&Ending::new(at(6), RunResult::Complete))
        .unwrap();
}

#[test]
fn a_new_file_is_ours_private_and_readable_while_written() {
    let folder = folder();
    let path = folder.path().join("history.db");
    record_one(&path);
    let db = open(&path);
    assert_eq!(
        one::<i64>(&db, "PRAGMA application_id"),
        i64::from(APPLICATION_ID)
    );
    assert_eq!(one::<String>(&db, "PRAGMA journal_mode"), "wal");
    assert_eq!(one::<i64>(&db, "PRAGMA auto_vacuum"), 2);
    assert_eq!(
        one::<i64>(&db, "SELECT max(version) FROM refinery_schema_history"),
        SCHEMA_VERSION
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let store = Store::open(&path).unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let file = format!("{}{suffix}", path.display());
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        drop(store);
    }
}

/// The number of migrations and the schema that the code knows cannot drift apart.
#[test]
fn every_migration_is_known() {
    let migrations = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    assert_eq!(migrations.count() as i64, SCHEMA_VERSION);
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(
        path("text.db"),
        "hello, this is a text and not a database\n".repeat(10),
    )
    .unwrap();
    fs::write(path("short.db"), "SQLite format 3\0").unwrap();
    Connection::open(path("other.db"))
        .unwrap()
        .execute_batch("CREATE TABLE t (x); PRAGMA application_id = 7;")
        .unwrap();
    Connection::open(path("plain.db"))
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    record_one(&path("newer.db"));
    Connection::open(path("newer.db"))
        .unwrap()
        .execute_batch(
            "INSERT INTO refinery_schema_history VALUES (99, 'later', '2030-01-01T00:00:00Z', '0');
             PRAGMA wal_checkpoint(TRUNCATE);",
        )
        .unwrap();
    for (name, expected) in [
        ("text.db", "is not a SQLite database"),
        ("short.db", "is not a SQLite database"),
        ("other.db", "is a SQLite database of another application"),
        ("plain.db", "is a SQLite database of another application"),
        ("newer.db", "has schema 99, and this prochist knows up to"),
    ] {
        let before = fs::read(path(name)).unwrap();
        for error in [
            Store::open(&path(name)).unwrap_err(),
            History::open(&path(name)).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.contains(expected) && text.contains(name), "{text}");
        }
        assert_eq!(fs::read(path(name)).unwrap(), before, "{name}");
    }
    assert!(matches!(
        Store::open(folder.path()),
        Err(Error::Unreadable { .. })
    ));
}

#[test]
fn reading_never_makes_a_file() {
    let folder = folder();
    let path = folder.path().join("history.db");
    assert!(matches!(History::open(&path), Err(Error::NotFound { .. })));
    assert!(!path.exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = Store::open(&folder.path().join("file/history.db")).unwrap_err();
    assert!(
        matches!(error, Error::NoFolder { .. } | Error::Unreadable { .. }),
        "{error:?}"
    );
}

/// A process killed between making the file and making its tables leaves an empty file, or one
/// with nothing but our mark; the next run goes on from there.
#[test]
fn a_file_that_was_only_begun_is_gone_on_with() {
    let folder = folder();
    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    record_one(&empty);

    let marked = folder.path().join("marked.db");
    Connection::open(&marked)
        .unwrap()
        .pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    record_one(&marked);
    assert_eq!(
        History::open(&marked).unwrap().versions("p").unwrap().len(),
        1
    );
}

/// A database of every schema that was ever released opens, is upgraded, and answers as it did.
/// Each fixture was recorded by the release of its name from the same two snapshots.
#[test]
fn a_file_of_every_earlier_schema_is_upgraded_and_answers_the_same() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema");
    for version in 1..=SCHEMA_VERSION {
        let folder = folder();
        let path = folder.path().join("history.db");
        fs::copy(fixtures.join(format!("v{version}.db")), &path).unwrap();
        drop(Store::open(&path).unwrap());
        let history = History::open(&path).unwrap();
        let failed = history
            .process_history("cbfcddd2-0006-43ae-996c-995fff7bed2e")
            .unwrap();
        assert!(failed.endpoints.iter().any(|held| held.port == 72941));
        let running = history.versions("p-1").unwrap();
        assert_eq!(running.len(), 2);
        assert_eq!(
            running[1].changed,
            [
                "status",
                "rooms_allocated",
                "started_at",
                "exposed_port",
                "fleetId"
            ]
        );
        assert_eq!(running[1].state.extra.get("fleetId"), Some("\"fleet-9\""));
        // And it can be recorded in again.
        record_one(&path);
        assert_eq!(
            History::open(&path).unwrap().versions("p").unwrap().len(),
            1
        );
    }
}

/// What syncs of the first schema had seen is covered: they left a gap wherever a list did not reach
/// back, so that the record is whole up to the newest creation.
#[test]
fn the_coverage_of_earlier_syncs_is_kept() {
    let folder = folder();
    let path = folder.path().join("history.db");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema/v1.db");
    fs::copy(fixture, &path).unwrap();
    // The fixture's archive, as if a sync of its one app had looked twice.
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "UPDATE run SET kind = 'sync';
             UPDATE stream SET app = (SELECT app FROM process WHERE process_id = 'p-1');
             UPDATE process SET app = (SELECT app FROM stream)",
        )
        .unwrap();
    let store = Store::open(&path).unwrap();
    let app = "app-af469a92-5b45-4565-b3c4-b79878de67d2";
    let [mark] = &store.watermarks(app).unwrap()[..] else {
        panic!("one watermark");
    };
    assert_eq!(mark.region, None);
    assert_eq!(mark.since.to_string(), "2024-05-01T00:00:05.000Z");
    assert_eq!(mark.looked_at.to_string(), "2024-05-01T00:01:05.000Z");
    // A process that is said to be created months later proves nothing; there is the other one.
    assert_eq!(mark.until.to_string(), "2024-05-01T00:00:00.000Z");
    assert_eq!(mark.unaccounted, None);
    let db = open(&path);
    assert_eq!(one::<i64>(&db, "SELECT count(*) FROM seen_filter"), 3);
}

/// Before the fourth schema nothing told which apps archives were about, and what never started could hold
/// a port from after its end.
#[test]
fn what_the_fourth_schema_added_is_worked_out_for_earlier_files() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema/v3.db");
    let upgraded = |change: &str| {
        let folder = folder();
        let path = folder.path().join("history.db");
        fs::copy(&fixture, &path).unwrap();
        Connection::open(&path)
            .unwrap()
            .execute_batch(change)
            .unwrap();
        drop(Store::open(&path).unwrap());
        (open(&path), folder)
    };
    let apps = |db: &Connection| {
        let known = "SELECT group_concat(text) FROM archive_app JOIN word ON word_id = app";
        one::<Option<String>>(db, known)
    };
    let (db, _folder) = upgraded("UPDATE process SET started_ms = NULL");
    assert_eq!(
        apps(&db).as_deref(),
        Some("app-af469a92-5b45-4565-b3c4-b79878de67d2")
    );
    let backward = "SELECT count(*) FROM hold WHERE held_until_ms < held_from_ms";
    assert_eq!(one::<i64>(&db, backward), 0);
    // One that had started has its times out of order, and stays so; a sync's app is no archive's.
    let (db, _folder) = upgraded("UPDATE stream SET app = (SELECT app FROM process)");
    assert_eq!(one::<i64>(&db, backward), 2);
    assert_eq!(apps(&db), None);
}

#[test]
fn a_file_of_an_older_schema_is_not_read_before_it_is_upgraded() {
    let folder = folder();
    let path = folder.path().join("history.db");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema/v1.db");
    fs::copy(fixture, &path).unwrap();
    let error = History::open(&path).unwrap_err();
    assert!(
        matches!(error, Error::OlderSchema { found: 1, .. }),
        "{error:?}"
    );
}

/// Two writers take turns: what one has in memory is dropped when the other has written.
#[test]
fn two_recorders_on_one_file_see_each_other() {
    let folder = folder();
    let path = folder.path().join("history.db");
    let mut one = Store::open(&path).unwrap();
    let mut two = Store::open(&path).unwrap();
    let mut first = one.begin(RunKind::Library, "one", at(0)).unwrap();
    let mut second = two.begin(RunKind::Library, "two", at(0)).unwrap();
    let running = |rooms| {
        let mut p = process("p", 1);
        p.rooms_allocated = rooms;
        p
    };
    first
        .record(&Snapshot::new(at(10), vec![running(1)]))
        .unwrap();
    second
        .record(&Snapshot::new(at(20), vec![running(2)]))
        .unwrap();
    first
        .record(&Snapshot::new(at(30), vec![running(1)]))
        .unwrap();
    second
        .record(&Snapshot::new(at(40), vec![running(1)]))
        .unwrap();
    first
        .finish(&Ending::new(at(50), RunResult::Complete))
        .unwrap();
    second
        .finish(&Ending::new(at(50), RunResult::Complete))
        .unwrap();
    let versions: Vec<_> = History::open(&path)
        .unwrap()
        .versions("p")
        .unwrap()
        .iter()
        .map(|v| {
            (
                v.first_seen_at.millis(),
                v.last_seen_at.millis(),
                v.state.rooms_allocated,
            )
        })
        .collect();
    assert_eq!(versions, [(10, 10, 1), (20, 20, 2), (30, 40, 1)]);
}

/// A snapshot that is dropped halfway leaves nothing, and the next one is not misled by it.
#[test]
fn a_snapshot_is_whole_or_not_there() {
    let folder = folder();
    let path = folder.path().join("history.db");
    let mut store = Store::open(&path).unwrap();
    let mut run = store.begin(RunKind::Library, "test", at(0)).unwrap();
    run.record(&Snapshot::new(at(10), vec![process("a", 1)]))
        .unwrap();
    let mut snapshot = run.snapshot(at(20)).unwrap();
    snapshot.observe(&process("a", 1)).unwrap();
    snapshot.observe(&process("b", 2)).unwrap();
    drop(snapshot);
    run.record(&Snapshot::new(at(30), vec![process("b", 2)]))
        .unwrap();
    run.finish(&Ending::new(at(40), RunResult::Complete))
        .unwrap();
    let history = History::open(&path).unwrap();
    let seen = |id: &str| {
        let versions = history.versions(id).unwrap();
        (
            versions[0].first_seen_at.millis(),
            versions[0].last_seen_at.millis(),
        )
    };
    assert_eq!(seen("a"), (10, 10));
    assert_eq!(seen("b"), (30, 30));
    assert_eq!(
        one::<i64>(&open(&path), "SELECT snapshots FROM sync_runs"),
        2
    );
}

/// A history on a medium that cannot be written, as one who may not write it: root may, so there
/// the reading is done as somebody else.
#[cfg(all(unix, feature = "cli"))]
#[test]
fn a_file_in_a_folder_that_cannot_be_written_is_read_all_the_same() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    let folder = folder();
    let inner = folder.path().join("100% sealed?");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("history #1.db");
    record_one(&path);
    let wal = fs::metadata(inner.join("history #1.db-wal"));
    assert!(
        wal.is_ok_and(|wal| wal.len() == 0),
        "emptied, not taken away"
    );
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o555)).unwrap();
    let binary = folder.path().join("prochist");
    fs::copy(env!("CARGO_BIN_EXE_prochist"), &binary).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = if fs::write(inner.join("probe"), "").is_ok() {
            fs::remove_file(inner.join("probe")).unwrap();
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command.arg(&binary);
            command
        } else {
            Command::new(&binary)
        };
        command.arg("--db").arg(&path).args(arguments).output()
    };
    let Ok(read) = run(&["status", "--format", "csv"]) else {
        println!("skipped: no setpriv to become somebody who may not write");
        return;
    };
    assert!(read.status.success(), "{read:?}");
    let archive = folder.path().join("a.ndjson");
    fs::write(&archive, "").unwrap();
    fs::set_permissions(&archive, fs::Permissions::from_mode(0o644)).unwrap();
    let written = run(&["import", archive.to_str().unwrap()]).unwrap();
    let message = String::from_utf8_lossy(&written.stderr).into_owned();
    assert_eq!(written.status.code(), Some(1), "{message}");
    assert!(message.contains("is read-only"), "{message}");
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Two cron lines start on a new file in the same second.
#[test]
fn many_may_open_a_new_file_at_once() {
    for _ in 0..10 {
        let folder = folder();
        let path = folder.path().join("history.db");
        let opened: Vec<_> = (0..6)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || Store::open(&path).map(drop))
            })
            .collect();
        for thread in opened {
            thread.join().unwrap().unwrap();
        }
    }
}

/// POSIX has a process give up its locks on a file when it closes any handle on it; a look at the
/// file must not be such a handle, or a writer elsewhere in the process would lose its own.
#[cfg(target_os = "linux")]
#[test]
fn opening_a_history_leaves_the_locks_of_others_in_this_process_alone() {
    let folder = folder();
    let path = folder.path().join("history.db");
    record_one(&path);
    let store = Store::open(&path).unwrap();
    let holds_a_lock = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let pid = format!(" {} ", std::process::id());
        use std::os::unix::fs::MetadataExt;
        let inode = format!(":{} ", fs::metadata(&path).unwrap().ino());
        let mine = |line: &str| line.contains(&pid) && line.contains(&inode);
        locks.lines().any(mine)
    };
    // The list is read in pieces while others come and go, so that a reading may miss a line or have
    // it twice; but a process that gives up its locks on a file gives up all, so one is enough.
    let holds_a_lock = || (0..50).any(|_| holds_a_lock());
    assert!(
        holds_a_lock(),
        "a connection in WAL mode holds a shared lock"
    );
    drop(History::open(&path).unwrap());
    drop(Store::open(&path).unwrap());
    assert!(holds_a_lock());
    drop(store);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_may_have_any_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = folder();
    let double = format!("/{}/history.db", folder.path().display());
    let names = [
        Path::new(&double).to_owned(),
        folder.path().join("ä %41?mode=ro#&=+.db"),
        folder.path().join(OsStr::from_bytes(b"\xff\xfe.db")),
    ];
    for path in names {
        record_one(&path);
        record_one(&path);
        assert!(path.exists(), "{path:?}");
        assert_eq!(
            History::open(&path).unwrap().versions("p").unwrap().len(),
            1
        );
    }
}
