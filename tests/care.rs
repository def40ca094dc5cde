//! Taking care of the file: what is pruned and what stays, copies, and that damage of every kind is found.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{answers, at, dump, one, open, port, process};
use prochist::model::{Extent, Process, Snapshot, UtcMillis, Watermark};
use prochist::{Check, Ending, Error, History, Question, RunKind, RunResult, Store, Window};
use rusqlite::Connection;
use tempfile::TempDir;

/// Enough that what is pruned fills pages.
const LOOKS: i64 = 400;

/// Process `n` is created at `n` seconds, seen running then and ended a second later.
fn life(n: i64, has_ended: bool) -> Process {
    let mut p = process(&format!("p{n}"), 1000 * n);
    p.app_id = format!("app-{}", n % 2);
    p.status = if has_ended { "stopped" } else { "running" }.to_owned();
    p.started_at = Some(at(1000 * n + 100));
    p.terminated_at = has_ended.then(|| at(1000 * n + 500));
    p.exposed_port = Some(port(&format!("host-{n}"), 31_000, "udp"));
    p.extra = serde_json::from_str(&format!("{{\"serial\": \"s{n}\"}}")).unwrap();
    p
}

/// A look a second; and one process that is open for ever, one that was last seen long ago and is open as
/// far as anybody knows, and one that was found lost at two seconds.
fn looks(n: i64) -> Vec<Snapshot> {
    (0..n)
        .map(|n| {
            let mut processes = vec![life(n, false), process("alive", 0)];
            if n > 0 {
                processes.push(life(n - 1, true));
            }
            if n == 0 {
                processes.extend([process("forgotten", 0), process("lost", 0)]);
            }
            Snapshot {
                observed_at: at(1000 * n),
                processes,
                unknown: (n == 2).then(|| "lost".to_owned()).into_iter().collect(),
                extent: Extent::Partial,
            }
        })
        .collect()
}

fn record(path: &Path, snapshots: &[Snapshot]) {
    let mut store = Store::open(path).unwrap();
    store.force_commits(false).unwrap();
    let mut run = store.begin(RunKind::Library, "test", at(0)).unwrap();
    for snapshot in snapshots {
        run.record(snapshot).unwrap();
    }
    run.finish(&Ending::new(at(1000 * LOOKS), RunResult::Complete))
        .unwrap();
}

fn recorded(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("history.db");
    record(&path, &looks(40));
    path
}

fn broken(path: &Path) -> Vec<Check> {
    let mut checks = prochist::verify(path, |_| ()).unwrap();
    checks.retain(|check| check.broken > 0);
    checks
}

fn ids(path: &Path) -> BTreeSet<String> {
    let text = dump(&open(path), "SELECT process_id FROM processes");
    let ids = text.split_whitespace();
    ids.map(|id| id.replace("process_id=", "")).collect()
}

/// What is known of processes that another set of them does not have.
fn answers_but(path: &Path, gone: &BTreeSet<String>) -> String {
    let all = answers(path);
    let lines = all.lines().filter(|line| {
        let id = line
            .split_whitespace()
            .find_map(|w| w.strip_prefix("process_id="));
        !gone.contains(id.unwrap())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn pruned_then(path: &Path, since: i64, until: i64) -> u64 {
    let question = Question {
        window: Window {
            since: Some(at(since)),
            until: Some(at(until)),
        },
        ..Question::default()
    };
    let coverage = History::open(path).unwrap().coverage(&question).unwrap();
    let pruned = coverage.answer.coverage.pruned;
    pruned.iter().map(|then| then.processes).sum()
}

#[test]
fn whole_processes_that_ended_before_are_pruned_and_told_of() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    record(&path, &looks(LOOKS));
    let ledger = |path: &Path| {
        let db = open(path);
        dump(&db, "SELECT * FROM sync_runs") + &dump(&db, "SELECT * FROM snapshots")
    };
    let (before, ledger_before, size) = (
        answers(&path),
        ledger(&path),
        fs::metadata(&path).unwrap().len(),
    );
    // Process n ends at n.5 s and is last seen at n + 1 s.
    let mut gone: BTreeSet<String> = (0..)
        .take_while(|n| n + 1 < 200)
        .map(|n| format!("p{n}"))
        .collect();
    gone.insert("lost".to_owned());
    let cutoff = at(200_000);

    let mut store = Store::open(&path).unwrap();
    let would = store.prunable(cutoff, |_| ()).unwrap();
    assert_eq!(answers(&path), before);
    let mut told = Vec::new();
    let done = store.prune(cutoff, at(999_000), |p| told.push(p)).unwrap();
    assert_eq!((&done.apps, done.open_kept), (&would.apps, would.open_kept));
    assert_eq!(told.last().unwrap().done, told.last().unwrap().of);
    drop(store);

    // By hand: even ones are of app-0, odd ones of app-1, and the lost one is of that, too.
    let told: Vec<_> = done
        .apps
        .iter()
        .map(|a| {
            (
                a.app_id.as_str(),
                a.processes,
                a.versions,
                a.since.millis(),
                a.until.millis(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("app-0", 100, 200, 0, 199_000),
            ("app-1", 100, 199, 0, 198_000)
        ]
    );
    assert_eq!(done.open_kept, 1, "the forgotten one");
    assert!(done.bytes_returned > 0);
    assert!(fs::metadata(&path).unwrap().len() < size);

    assert_eq!(broken(&path), Vec::new());
    assert_eq!(ledger(&path), ledger_before);
    let stayed = answers(&path);
    let all = folder.path().join("all.db");
    record(&all, &looks(LOOKS));
    assert_eq!(
        stayed.lines().count(),
        answers_but(&all, &gone).lines().count()
    );
    for (stays, of_all) in stayed.lines().zip(answers_but(&all, &gone).lines()) {
        assert_eq!(stays, of_all);
    }
    // What nothing refers to any more is gone, too.
    let db = open(&path);
    for (table, of_which) in [
        ("word", "text LIKE '{\"serial\"%' OR text LIKE 'host-%'"),
        ("endpoint", "TRUE"),
        ("exposed_port", "TRUE"),
    ] {
        let left: i64 = one(
            &db,
            &format!("SELECT count(*) FROM {table} WHERE {of_which}"),
        );
        let each = if table == "word" { 2 } else { 1 };
        assert_eq!(left, each * (LOOKS - 199), "{table}");
    }

    // Whoever asks about that time is told how many are missing, and nobody else is.
    assert_eq!(pruned_then(&path, 0, 1000), 200);
    assert_eq!(pruned_then(&path, 198_001, 199_000), 100, "of app-0");
    assert_eq!(pruned_then(&path, 199_001, 400_000), 0);
    let prunings = dump(
        &db,
        "SELECT pruned_at_ms, ended_before_ms, processes FROM prunings",
    );
    let each = "pruned_at_ms=999000 ended_before_ms=200000 processes=100 \n";
    assert_eq!(prunings, each.repeat(2));

    // Again there is nothing to do; and what the archive still has comes back.
    let mut store = Store::open(&path).unwrap();
    assert!(
        store
            .prune(cutoff, at(999_000), |_| ())
            .unwrap()
            .apps
            .is_empty()
    );
    drop(store);
    let first = looks(LOOKS).into_iter().take(250).collect::<Vec<_>>();
    record(&path, &first);
    assert_eq!(ids(&path), ids(&all));
    assert_eq!(broken(&path), Vec::new());
}

#[test]
fn what_was_pruned_comes_back_from_a_backup() {
    let folder = TempDir::new().unwrap();
    let path = recorded(&folder);
    let (backup, before) = (folder.path().join("backup.db"), answers(&path));
    prochist::back_up(&path, &backup, |_| ()).unwrap();
    let mut store = Store::open(&path).unwrap();
    store.prune(at(20_000), now(), |_| ()).unwrap();
    let merged = store.merge(&backup, "backup.db", now, |_| ()).unwrap();
    drop(store);
    // Nineteen lives, each seen twice, and the lost one.
    assert_eq!((merged.processes_new, merged.processes_seen), (20, 39));
    assert_eq!(answers(&path), before);
    assert_eq!(broken(&path), Vec::new());
}

#[test]
fn a_history_of_which_all_is_pruned_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    let lives: Vec<Process> = (0..9).map(|n| life(n, true)).collect();
    record(&path, &[Snapshot::new(at(9000), lives)]);
    let mut store = Store::open(&path).unwrap();
    store.prune(at(10_000), at(999_000), |_| ()).unwrap();
    drop(store);
    assert_eq!(ids(&path).len(), 0);
    assert_eq!(broken(&path), Vec::new());
    record(&path, &[Snapshot::new(at(12_000), vec![life(11, true)])]);
    assert_eq!(ids(&path), ["p11".to_owned()].into());
    assert_eq!(broken(&path), Vec::new());
}

/// Each rule, and what breaks it. Derived data that breaks along with the rows is not looked at.
#[test]
fn every_kind_of_damage_is_found() {
    let folder = TempDir::new().unwrap();
    let whole = recorded(&folder);
    assert_eq!(broken(&whole), Vec::new());
    let p3 = "(SELECT process_key FROM process WHERE process_id = 'p3')";
    for (rule, damage) in [
        (
            "references",
            format!("UPDATE process SET region = 9999 WHERE process_key = {p3}"),
        ),
        (
            "references",
            format!("DELETE FROM process WHERE process_key = {p3}"),
        ),
        (
            "version_numbers",
            format!("UPDATE version SET version = 7 WHERE version = 1 AND process_key = {p3}"),
        ),
        (
            "ports",
            format!("UPDATE version SET additional_ports = '[1,' WHERE process_key = {p3}"),
        ),
        (
            "ports",
            format!("UPDATE version SET additional_ports = '[9999]' WHERE process_key = {p3}"),
        ),
        ("filters", "DELETE FROM seen_filter".to_owned()),
        ("schema", "DROP INDEX hold_process".to_owned()),
        ("schema", "DROP TRIGGER run_ends".to_owned()),
        (
            "version_numbers",
            format!("DELETE FROM version WHERE process_key = {p3}"),
        ),
        (
            "version_times",
            format!(
                "UPDATE version SET last_seen_ms = first_seen_ms - 1 WHERE version = 1 AND process_key = {p3}"
            ),
        ),
        (
            "version_times",
            format!("UPDATE version SET last_seen_ms = 1 WHERE version = 2 AND process_key = {p3}"),
        ),
        (
            "version_times",
            format!(
                "UPDATE process SET first_seen_ms = first_seen_ms - 1 WHERE process_key = {p3}"
            ),
        ),
        (
            "version_changes",
            format!("UPDATE version SET changed = 0 WHERE version = 2 AND process_key = {p3}"),
        ),
        (
            "version_changes",
            format!(
                "UPDATE version SET rooms_allocated = 9 WHERE version = 1 AND process_key = {p3}"
            ),
        ),
        (
            "latest_state",
            format!("UPDATE process SET stopping_ms = 3000 WHERE process_key = {p3}"),
        ),
        (
            "outcomes",
            format!("UPDATE process SET outcome = 'failed' WHERE process_key = {p3}"),
        ),
        (
            "outcomes",
            format!("UPDATE process SET ended_ms = ended_ms + 1 WHERE process_key = {p3}"),
        ),
        (
            "outcomes",
            "UPDATE process SET lost_ms = lost_ms + 1 WHERE process_id = 'lost'".to_owned(),
        ),
        ("outcomes", "DELETE FROM unknown_look".to_owned()),
        (
            "holds",
            format!("UPDATE hold SET held_until_ms = NULL WHERE process_key = {p3}"),
        ),
        (
            "holds",
            format!("DELETE FROM hold WHERE process_key = {p3}"),
        ),
        (
            "holds",
            format!("UPDATE hold SET process_key = process_key + 1 WHERE process_key = {p3}"),
        ),
        (
            "sightings",
            format!("UPDATE sighting SET last_ms = last_ms + 1 WHERE process_key = {p3}"),
        ),
        (
            "sightings",
            format!(
                "INSERT INTO sighting SELECT process_key, stream_id, last_ms, last_ms FROM sighting WHERE process_key = {p3}"
            ),
        ),
        (
            "last_sightings",
            format!("UPDATE process SET last_seen_ms = 1 WHERE process_key = {p3}"),
        ),
        (
            "last_sightings",
            format!("DELETE FROM sighting WHERE process_key = {p3}"),
        ),
        (
            "observations",
            format!("DELETE FROM sighting WHERE process_key = {p3}"),
        ),
        (
            "observations",
            format!(
                "UPDATE version SET first_seen_ms = first_seen_ms + 1 WHERE version = 2 AND process_key = {p3}"
            ),
        ),
        (
            "streams",
            "UPDATE stream SET last_ms = last_ms + 1".to_owned(),
        ),
        ("ledger", "UPDATE run SET snapshots = 1".to_owned()),
        (
            "looks",
            "UPDATE look_stretch SET looks = looks + 1".to_owned(),
        ),
        (
            "looks",
            "UPDATE version_count SET versions = versions + 1".to_owned(),
        ),
        (
            "looks",
            "UPDATE place SET processes = processes + 1".to_owned(),
        ),
    ] {
        let path = folder.path().join("damaged.db");
        fs::copy(&whole, &path).unwrap();
        let db = Connection::open(&path).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        let hit = db.execute(&damage, []).unwrap();
        assert!(hit > 0 || rule == "schema", "{damage}");
        drop(db);
        let found = broken(&path);
        let check = found.iter().find(|check| check.name == rule);
        let example = check.and_then(|check| check.example.as_deref());
        assert!(
            example.is_some_and(|e| !e.is_empty()),
            "{damage}: {found:?}"
        );
    }
}

/// A byte of a table's page is changed, so that its cells are no longer in order.
fn spoil(path: &Path) {
    let root: i64 = one(
        &open(path),
        "SELECT rootpage FROM sqlite_schema WHERE name = 'hold'",
    );
    let mut bytes = fs::read(path).unwrap();
    let size: usize = one::<i64>(&open(path), "PRAGMA page_size")
        .try_into()
        .unwrap();
    let page = usize::try_from(root - 1).unwrap() * size;
    for byte in &mut bytes[page + 8..page + size] {
        *byte ^= 0x5a;
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_page_that_is_spoilt_is_found_and_never_backed_up() {
    let folder = TempDir::new().unwrap();
    let path = recorded(&folder);
    let backup = folder.path().join("backup.db");
    prochist::back_up(&path, &backup, |_| ()).unwrap();
    let good = answers(&backup);
    spoil(&path);
    let found = broken(&path);
    assert_eq!(found[0].name, "integrity", "{found:?}");
    let refused = prochist::back_up(&path, &backup, |_| ()).unwrap_err();
    assert!(matches!(refused, Error::NotWhole { .. }), "{refused:?}");
    assert_eq!(answers(&backup), good);
    assert_eq!(left_over(&folder), Vec::<String>::new());
}

/// Files that are neither a database nor what belongs to one.
fn left_over(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".new-")).collect()
}

#[test]
fn a_backup_is_of_one_moment_while_others_record() {
    let folder = TempDir::new().unwrap();
    let path = recorded(&folder);
    let (backup, whole) = (folder.path().join("backup.db"), answers(&path));
    let mut store = Store::open(&path).unwrap();
    let mut run = store.begin(RunKind::Library, "test", at(500_000)).unwrap();
    let mut next = 1000;
    let mut told = Vec::new();
    // Between any two pages that are copied, something is recorded.
    let made = prochist::back_up(&path, &backup, |progress| {
        told.push(progress);
        let look = Snapshot::new(at(1000 * next), vec![life(next, true)]);
        run.record(&look).unwrap();
        next += 1;
    });
    run.finish(&Ending::new(at(600_000), RunResult::Complete))
        .unwrap();
    let made = made.unwrap();
    assert!(told.len() > 2 && next > 1002, "{told:?}");
    assert_eq!(answers(&backup), whole);
    assert_ne!(answers(&path), whole);
    assert_eq!(made.bytes, fs::metadata(&backup).unwrap().len());
    assert_eq!(broken(&backup), Vec::new());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&backup).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // The next one takes its place.
    drop(store);
    prochist::back_up(&path, &backup, |_| ()).unwrap();
    assert_eq!(answers(&backup), answers(&path));
    assert_eq!(left_over(&folder), Vec::<String>::new());
}

#[test]
fn a_backup_replaces_nothing_that_is_no_backup() {
    let folder = TempDir::new().unwrap();
    let path = recorded(&folder);
    let other = folder.path().join("other");
    let refused = |what: &str| {
        let bytes = fs::read(&other).unwrap();
        let error = prochist::back_up(&path, &other, |_| ()).unwrap_err();
        assert_eq!(fs::read(&other).unwrap(), bytes, "{what}");
        error
    };
    fs::write(&other, "a letter, long enough to be anything ".repeat(40)).unwrap();
    assert!(matches!(refused("a letter"), Error::NotSqlite { .. }));
    fs::remove_file(&other).unwrap();
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    assert!(matches!(refused("another's"), Error::NotOurs { .. }));
    fs::remove_file(&other).unwrap();
    // A history that somebody records in has a WAL, which would be taken for the copy's.
    let mut store = Store::open(&other).unwrap();
    let run = store.begin(RunKind::Library, "test", at(0)).unwrap();
    assert!(matches!(refused("in use"), Error::InUse { .. }));
    run.finish(&Ending::new(at(0), RunResult::Complete))
        .unwrap();

    drop(store);
    // So is one that somebody only has open, whose WAL is empty yet.
    for write in [false, true] {
        let somebody = Connection::open(&other).unwrap();
        one::<i64>(&somebody, "SELECT count(*) FROM process");
        assert!(matches!(refused("open"), Error::InUse { .. }));
        if write {
            somebody
                .execute_batch("CREATE TABLE note (x); DROP TABLE note")
                .unwrap();
        }
        drop(somebody);
        assert_eq!(broken(&other), Vec::new());
    }
    prochist::back_up(&path, &other, |_| ()).unwrap();
    assert_eq!(answers(&other), answers(&path));
    fs::remove_file(&other).unwrap();

    let itself = prochist::back_up(&path, &path, |_| ()).unwrap_err();
    assert!(matches!(itself, Error::InUse { .. }));
    let nowhere = prochist::back_up(&path, &folder.path().join("no/x.db"), |_| ()).unwrap_err();
    assert!(matches!(nowhere, Error::NoFolder { .. }));
    let nothing = prochist::back_up(&folder.path().join("no.db"), &other, |_| ()).unwrap_err();
    assert!(matches!(nothing, Error::NotFound { .. }));
    assert_eq!(left_over(&folder), Vec::<String>::new());
}

fn now() -> UtcMillis {
    at(999_000)
}

/// Syncs of a source go on with the stream that they had, also when another collector's of the same source
/// were merged; and what belongs to runs comes along once.
#[test]
fn a_collector_goes_on_after_another_was_merged() {
    let folder = TempDir::new().unwrap();
    let [ours, theirs, all] =
        ["ours.db", "theirs.db", "all.db"].map(|name| folder.path().join(name));
    let looks = looks(40);
    let (early, late) = looks.split_at(10);
    record(&all, early);
    record(&all, late);
    record(&ours, early);
    let odd: Vec<Snapshot> = looks.iter().skip(1).step_by(2).cloned().collect();
    record(&theirs, &odd);
    let mut store = Store::open(&ours).unwrap();
    let merged = store.merge(&theirs, "theirs.db", now, |_| ()).unwrap();
    assert!(merged.processes_new > 0);
    drop(store);
    record(&ours, late);
    // The odd looks asked for nobody who was lost, and were the same looks.
    assert_eq!(answers(&ours), answers(&all));
    assert_eq!(broken(&ours), Vec::new());
    let db = open(&ours);
    assert_eq!(one::<i64>(&db, "SELECT count(*) FROM sync_runs"), 4);
    let streams = "SELECT count(*) FROM stream WHERE stream_id > 0";
    assert_eq!(one::<i64>(&db, streams), 1, "its own goes on");
}

/// A sync that looked at so many seconds and proved that the record of an app is whole from one to another.
fn sync(path: &Path, started: i64, whole: [i64; 2]) {
    let mut store = Store::open(path).unwrap();
    let run = store.begin(RunKind::Sync, "api app-1", at(1000 * started));
    let mut run = run.unwrap().about_app("app-1");
    let mut writer = run.snapshot(at(1000 * started)).unwrap();
    let mark = Watermark {
        region: None,
        since: at(1000 * whole[0]),
        until: at(1000 * whole[1]),
        looked_at: at(1000 * started),
        server_time: None,
        unaccounted: None,
    };
    writer.watermarks("app-1", &[mark]).unwrap();
    writer.commit(&Extent::Partial).unwrap();
    let ending = Ending::new(at(1000 * started + 1), RunResult::Complete);
    run.finish(&ending).unwrap();
}

/// Two recorders one after the other leave a hole, until a third is merged that was there; the last sync is
/// the last by time. All of it whoever is merged first.
#[test]
fn between_two_recorders_there_is_a_gap_unless_a_third_was_there() {
    let folder = TempDir::new().unwrap();
    let histories = [
        ("early", 50, [0, 50]),
        ("late", 190, [100, 190]),
        ("third", 120, [40, 120]),
    ];
    let merged = |order: &[usize]| {
        let name: String = order.iter().map(usize::to_string).collect();
        let path = folder.path().join(format!("{name}.db"));
        let (_, started, whole) = histories[order[0]];
        sync(&path, started, whole);
        let mut store = Store::open(&path).unwrap();
        for other in &order[1..] {
            let (name, ..) = histories[*other];
            let other = folder.path().join(name);
            store.merge(&other, name, now, |_| ()).unwrap();
            // Again it changes nothing.
            store.merge(&other, name, now, |_| ()).unwrap();
        }
        drop(store);
        assert_eq!(broken(&path), Vec::new(), "{order:?}");
        let db = open(&path);
        let told = dump(&db, "SELECT filter, since_ms, until_ms, reason FROM gaps")
            + &dump(&db, "SELECT app_id, since_ms, until_ms FROM watermarks");
        let last = History::open(&path).unwrap().last_complete_sync().unwrap();
        (told, last.unwrap().started_at.millis())
    };
    for (name, started, whole) in histories {
        sync(&folder.path().join(name), started, whole);
    }
    let hole = "filter=app=app-1 since_ms=50000 until_ms=100000 reason=forgotten \n";
    let whole = "app_id=app-1 since_ms=0 until_ms=190000 \n";
    for order in [[0, 1], [1, 0]] {
        assert_eq!(
            merged(&order),
            (format!("{hole}{whole}"), 190_000),
            "{order:?}"
        );
    }
    for order in [
        [0, 1, 2],
        [1, 0, 2],
        [0, 2, 1],
        [2, 1, 0],
        [2, 0, 1],
        [1, 2, 0],
    ] {
        assert_eq!(merged(&order), (whole.to_owned(), 190_000), "{order:?}");
    }
}

/// An import whose times go back has streams that share moments; it is merged while it goes on, and again.
#[test]
fn a_run_that_is_merged_while_it_goes_on_is_merged_whole_in_the_end() {
    let folder = TempDir::new().unwrap();
    let [path, other, all] = ["m.db", "o.db", "all.db"].map(|name| folder.path().join(name));
    let q = |has_ended| life(900, has_ended);
    let early = [
        Snapshot::new(at(1000), vec![q(false)]),
        Snapshot::new(at(2000), vec![q(false), life(1, false)]),
        Snapshot::new(at(3000), vec![q(false)]),
        Snapshot::new(at(4000), vec![q(false)]),
    ];
    let late = [
        Snapshot::new(at(1000), vec![process("p1", 1000)]),
        Snapshot::new(at(3000), vec![life(1, true), q(true)]),
    ];
    drop(Store::open(&path).unwrap());
    let merge = || {
        let mut store = Store::open(&path).unwrap();
        store.merge(&other, "other", now, |_| ()).unwrap();
        drop(store);
        assert_eq!(broken(&path), Vec::new());
    };
    let mut store = Store::open(&other).unwrap();
    let mut run = store.begin(RunKind::Import, "test", at(0)).unwrap();
    for snapshot in &early {
        run.record(snapshot).unwrap();
    }
    merge();
    for snapshot in &late {
        run.record(snapshot).unwrap();
        merge();
    }
    run.finish(&Ending::new(at(9), RunResult::Complete))
        .unwrap();
    merge();
    record(&all, &[&early[..], &late].concat());
    assert_eq!(answers(&path), answers(&all));
    let runs = "SELECT count(*) FROM sync_runs WHERE source = 'test' AND result = 'complete'";
    assert_eq!(one::<i64>(&open(&path), runs), 1);
}

/// Two tellings of the same moments, as of archives one after another, each a stream: what was pruned comes
/// back to the one that it was seen in, and to no moment at which it was not.
#[test]
fn what_was_pruned_comes_back_at_the_moments_at_which_it_was_seen() {
    let folder = TempDir::new().unwrap();
    let [path, backup] = ["h.db", "b.db"].map(|name| folder.path().join(name));
    let look = |second: i64, states: &[Process]| Snapshot::new(at(1000 * second), states.to_vec());
    record(
        &path,
        &[
            look(1, &[life(900, false), life(0, false)]),
            look(2, &[life(900, false)]),
            look(3, &[life(900, false), life(0, true)]),
            look(1, &[process("p0", 0), life(1, false)]),
            look(3, &[life(0, true), life(1, true)]),
        ],
    );
    let before = answers(&path);
    prochist::back_up(&path, &backup, |_| ()).unwrap();
    let mut store = Store::open(&path).unwrap();
    store.prune(at(20_000), now(), |_| ()).unwrap();
    store.merge(&backup, "backup", now, |_| ()).unwrap();
    assert_eq!(answers(&path), before);
    assert_eq!(broken(&path), Vec::new());
    let seen = dump(
        &open(&path),
        "SELECT p.process_id, n.observed_at_ms FROM process p JOIN sighting s USING (process_key)
         JOIN stream t USING (stream_id)
         JOIN snapshot n ON n.stream_id = s.stream_id
             AND n.observed_at_ms BETWEEN s.first_ms AND coalesce(s.last_ms, t.last_ms)
         WHERE p.process_id = 'p1' ORDER BY 2",
    );
    assert_eq!(
        seen,
        "process_id=p1 observed_at_ms=1000 \nprocess_id=p1 observed_at_ms=3000 \n"
    );
}

/// Whether the part of it that an archive still has comes back before the rest or after.
#[test]
fn what_has_come_back_in_part_comes_back_whole() {
    let folder = TempDir::new().unwrap();
    let [path, backup] = ["h.db", "b.db"].map(|name| folder.path().join(name));
    let start = Snapshot::new(at(1000), vec![process("p1", 1000)]);
    let run = Snapshot::new(at(2000), vec![life(1, false)]);
    let end = Snapshot::new(at(3000), vec![life(1, true)]);
    record(&path, &[start, run]);
    record(&path, std::slice::from_ref(&end));
    let before = answers(&path);
    prochist::back_up(&path, &backup, |_| ()).unwrap();
    let mut store = Store::open(&path).unwrap();
    store.prune(at(20_000), now(), |_| ()).unwrap();
    record(&path, &[end]);
    store.merge(&backup, "backup", now, |_| ()).unwrap();
    assert_eq!(answers(&path), before);
    assert_eq!(broken(&path), Vec::new());
}

#[test]
fn what_cannot_be_merged_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = recorded(&folder);
    let before = answers(&path);
    let mut store = Store::open(&path).unwrap();
    let itself = store.merge(&path, "x", now, |_| ()).unwrap_err();
    assert!(matches!(itself, Error::SameFile { .. }), "{itself:?}");
    let letter = folder.path().join("letter");
    fs::write(&letter, "a letter, long enough to be anything ".repeat(40)).unwrap();
    let foreign = store.merge(&letter, "x", now, |_| ()).unwrap_err();
    assert!(matches!(foreign, Error::NotSqlite { .. }), "{foreign:?}");
    let none = store
        .merge(&folder.path().join("none.db"), "x", now, |_| ())
        .unwrap_err();
    assert!(matches!(none, Error::NotFound { .. }), "{none:?}");
    // One that breaks off in the middle takes back what came before.
    let damaged = folder.path().join("damaged.db");
    record(
        &damaged,
        &[Snapshot::new(
            at(1_077_000),
            vec![life(1077, true), life(1078, false)],
        )],
    );
    let db = Connection::open(&damaged).unwrap();
    db.execute("DELETE FROM version WHERE process_key = 2", [])
        .unwrap();
    drop(db);
    store.merge(&damaged, "x", now, |_| ()).unwrap_err();
    drop(store);
    assert_eq!(answers(&path), before);
    assert_eq!(one::<i64>(&open(&path), "SELECT count(*) FROM run"), 1);
}
