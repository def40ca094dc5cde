//! A recorder that is killed leaves whole snapshots, and importing again ends as if it had not been.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{answers, dump, one, open};
use prochist::simulator::{FleetConfig, write_archive};
use rusqlite::Connection;
use tempfile::TempDir;

fn prochist(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prochist"));
    command.arg("--db").arg(database).args(["import", "-"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn import(database: &Path, archive: &[u8]) {
    let mut child = prochist(database).spawn().unwrap();
    child.stdin.take().unwrap().write_all(archive).unwrap();
    assert!(child.wait().unwrap().success());
}

/// How many processes each snapshot showed, by its time.
fn shown(db: &Connection) -> BTreeMap<String, i64> {
    let mut statement = db
        .prepare(
            "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', n.observed_at_ms / 1000.0, 'unixepoch'), count(*)
             FROM snapshot n
             JOIN stream t USING (stream_id)
             JOIN sighting s ON s.stream_id = n.stream_id
                 AND n.observed_at_ms BETWEEN s.first_ms AND coalesce(s.last_ms, t.last_ms)
             GROUP BY 1",
        )
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_killed_import_leaves_whole_snapshots_and_the_next_one_completes_it() {
    let folder = TempDir::new().unwrap();
    let start = "2026-01-05T00:00:00Z".parse().unwrap();
    let mut archive = Vec::new();
    let (span, interval) = (Duration::from_secs(3600), Duration::from_secs(60));
    write_archive(
        FleetConfig::new(3, 30, start),
        span,
        interval,
        &mut archive,
        |_| (),
    )
    .unwrap();
    let text = String::from_utf8(archive.clone()).unwrap();
    let truth: BTreeMap<String, i64> = text
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let shown = line["processes"].as_array().unwrap().len();
            (
                line["observedAt"].as_str().unwrap().to_owned(),
                shown as i64,
            )
        })
        .collect();
    let whole = folder.path().join("whole.db");
    import(&whole, &archive);
    assert_eq!(shown(&open(&whole)), truth);

    for reached in [1, 7, 20, 33, 50] {
        let path = folder.path().join(format!("killed-at-{reached}.db"));
        let mut child = prochist(&path).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Everything is fed but the end of the input, so that it is killed at work, or at the latest
        // while it waits for more; the other end may be gone before the last of it is written.
        let feed = archive.clone();
        let feeder = std::thread::spawn(move || {
            let _ = stdin.write_all(&feed);
            stdin
        });
        let snapshots = || {
            let db = Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
                .ok()?;
            db.query_row("SELECT count(*) FROM snapshot", [], |row| {
                row.get::<_, i64>(0)
            })
            .ok()
        };
        while snapshots().unwrap_or(0) < reached && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        drop(feeder.join().unwrap());

        let db = Connection::open(&path).unwrap();
        assert_eq!(
            one::<String>(&db, "SELECT result FROM sync_runs"),
            "unfinished"
        );
        assert_eq!(one::<String>(&db, "PRAGMA integrity_check"), "ok");
        assert_eq!(dump(&db, "PRAGMA foreign_key_check"), "");
        let kept = shown(&db);
        assert!(kept.len() as i64 >= reached);
        assert!(kept.iter().all(|(time, n)| truth[time] == *n), "{kept:?}");
        drop(db);
        import(&path, &archive);
        assert_eq!(shown(&open(&path)), truth);
        assert_eq!(answers(&path), answers(&whole));
    }
}
