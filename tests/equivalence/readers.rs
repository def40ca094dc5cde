//! Anybody who opens the file with SQLite while it is written sees whole snapshots only.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use prochist::model::{Extent, Process};
use prochist::{Ending, RunKind, RunResult, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::{at, dump, one, open, port, process};

const PROCESSES: usize = 7;

/// The same processes in every snapshot, each time with one more room.
fn fleet(snapshot: i64) -> Vec<Process> {
    (0..PROCESSES)
        .map(|n| {
            let mut p = process(&format!("p{n}"), 0);
            p.rooms_allocated = snapshot;
            p.exposed_port = Some(port("h", n as i64, "udp"));
            p
        })
        .collect()
}

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("history.db")
}

/// The views that people may rely on, and those that help them.
fn views(db: &Connection) -> Vec<String> {
    let mut statement = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")
        .unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

fn all_views(db: &Connection) -> String {
    views(db)
        .iter()
        .map(|view| format!("{view}:\n{}", dump(db, &format!("SELECT * FROM {view}"))))
        .collect()
}

/// By the `sqlite3` shell; none where it is not installed.
fn shell(path: &Path, query: &str) -> Option<String> {
    let output = Command::new("sqlite3")
        .arg("-readonly")
        .arg(path)
        .arg(query)
        .output()
        .ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_snapshot_under_way_is_not_seen() {
    let folder = TempDir::new().unwrap();
    let path = database(&folder);
    let mut store = Store::open(&path).unwrap();
    let mut run = store.begin(RunKind::Sync, "test", at(0)).unwrap();
    let mut writer = run.snapshot(at(1_000)).unwrap();
    for process in fleet(1) {
        writer.observe(&process).unwrap();
    }
    writer.commit(&Extent::Partial).unwrap();

    let reader = open(&path);
    let names = views(&reader);
    for view in [
        "processes",
        "process_versions",
        "port_holds",
        "sync_runs",
        "gaps",
        "lifetimes",
    ] {
        assert!(names.iter().any(|name| name == view), "{view}");
    }
    let before = all_views(&reader);
    assert!(before.contains("rooms_allocated=1 "));

    let mut writer = run.snapshot(at(2_000)).unwrap();
    for process in fleet(2) {
        writer.observe(&process).unwrap();
        assert_eq!(all_views(&reader), before);
        assert_eq!(all_views(&open(&path)), before, "nor by one who comes now");
    }
    let rooms = "SELECT group_concat(DISTINCT rooms_allocated) FROM processes";
    match shell(&path, rooms) {
        Some(said) => assert_eq!(said, "1\n"),
        None => println!("skipped: there is no sqlite3 to ask as well"),
    }
    writer.commit(&Extent::Partial).unwrap();
    assert_ne!(all_views(&reader), before);
    assert_eq!(one::<String>(&reader, rooms), "2");
    if let Some(said) = shell(&path, rooms) {
        assert_eq!(said, "2\n");
    }
    if let Some(said) = shell(
        &path,
        &names
            .iter()
            .map(|v| format!("SELECT * FROM {v};"))
            .collect::<String>(),
    ) {
        assert!(said.lines().count() > 5 * PROCESSES, "{said}");
    }

    // One that is given up leaves nothing.
    let before = all_views(&reader);
    let mut writer = run.snapshot(at(3_000)).unwrap();
    writer.observe(&fleet(3)[0]).unwrap();
    drop(writer);
    assert_eq!(all_views(&reader), before);
    run.finish(&Ending::new(at(3_000), RunResult::Complete))
        .unwrap();
}

/// The writer goes on until the readers have seen enough, so neither can be too fast.
#[test]
fn readers_beside_a_writer_see_whole_snapshots() {
    const READS: usize = 60;
    let folder = TempDir::new().unwrap();
    let path = database(&folder);
    let mut store = Store::open(&path).unwrap();
    store.force_commits(false).unwrap();
    let mut run = store.begin(RunKind::Sync, "test", at(0)).unwrap();
    let record = |run: &mut prochist::Run<'_>, n: i64| {
        let mut writer = run.snapshot(at(1_000 * n)).unwrap();
        for process in fleet(n) {
            writer.observe(&process).unwrap();
        }
        writer.commit(&Extent::Partial).unwrap();
    };
    record(&mut run, 1);
    let reads = AtomicUsize::new(0);
    let mut written = 1;
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // However it ends, the writer must not wait for it for ever.
            struct Last<'a>(&'a AtomicUsize);
            impl Drop for Last<'_> {
                fn drop(&mut self) {
                    self.0.store(READS, Ordering::SeqCst);
                }
            }
            let _last = Last(&reads);
            let db = open(&path);
            let mut seen = Vec::new();
            for _ in 0..READS {
                // One statement, one moment.
                let row: (i64, i64, i64, i64, i64, i64) = db
                    .query_row(
                        "SELECT count(*), min(rooms_allocated), max(rooms_allocated),
                                (SELECT count(*) FROM process_versions),
                                (SELECT max(last_seen_at_ms) FROM processes),
                                (SELECT snapshots FROM sync_runs)
                         FROM processes",
                        [],
                        |row| {
                            Ok((
                                row.get(0)?,
                                row.get(1)?,
                                row.get(2)?,
                                row.get(3)?,
                                row.get(4)?,
                                row.get(5)?,
                            ))
                        },
                    )
                    .unwrap();
                let n = row.1;
                let count = PROCESSES as i64;
                assert_eq!(
                    row,
                    (count, n, n, count * n, 1_000 * n, n),
                    "half a snapshot"
                );
                seen.push(n);
                reads.fetch_add(1, Ordering::SeqCst);
            }
            seen
        });
        while reads.load(Ordering::SeqCst) < READS {
            written += 1;
            record(&mut run, written);
        }
        let seen = reader.join().unwrap();
        assert!(seen.is_sorted(), "history does not go back: {seen:?}");
        assert!(
            seen[0] < seen[READS - 1],
            "it grew between the first look and the last"
        );
    });
    run.finish(&Ending::new(at(1_000 * written), RunResult::Complete))
        .unwrap();
}
