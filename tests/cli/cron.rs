//! `sync` as cron or a service runs it: one at a time, quiet when all is well, ended by a signal, and
//! with an exit code that says how it went.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use prochist::{Ending, Error, Lock, RunKind, RunResult, Store};
use serde_json::{Value, json};

use crate::place::{Place, Ran};
use crate::stub::stub;

/// What an API says that knows these processes of every app, and of which the list shows those up to
/// `listed`.
fn answer(path: &str, ids: &[&str], listed: usize) -> (u16, String) {
    let app = path.split('/').nth(3).unwrap();
    let one = |id: &str| {
        let id = format!("{app}-{id}");
        crate::fleet::process(&id, app, json!(1), "Oslo", ["10:00:00", "", "", ""])
    };
    let (path, _query) = path.split_once('?').unwrap_or((path, ""));
    if path.ends_with("/list/latest") {
        let rows: Vec<Value> = ids[..listed].iter().map(|id| one(id)).collect();
        return (200, json!(rows).to_string());
    }
    match ids.iter().find(|id| path.ends_with(&format!("-{id}"))) {
        Some(id) => (200, one(id).to_string()),
        None => (404, json!({"message": "not here"}).to_string()),
    }
}

fn well(path: &str) -> (u16, String) {
    answer(path, &["p1", "p2", "p3"], 3)
}

/// An API that knows p2 and p3 and lists p1 only; it says what it is asked for where `held` holds,
/// and does not answer that until `release` is dropped.
fn holding(held: fn(&str) -> bool) -> (String, Receiver<String>, Sender<()>) {
    let (asked, requests) = channel();
    let (release, gate) = channel::<()>();
    let url = stub(move |path| {
        if held(path) {
            let _ = asked.send(path.to_owned());
            let _ = gate.recv();
        }
        answer(path, &["p1", "p2", "p3"], 1)
    });
    (url, requests, release)
}

fn sync(place: &Place, url: &str, more: &[&str]) -> Command {
    let apps: &[&str] = if more.contains(&"--app-id") {
        &[]
    } else {
        &["--app-id", "a"]
    };
    let mut command = place.command(&[&["sync", "--base-url", url], apps, more].concat());
    command.env("HATHORA_TOKEN", "s3cr3t-token");
    command
}

fn synced(place: &Place, url: &str, more: &[&str]) -> Ran {
    Ran::from(sync(place, url, more).output().unwrap())
}

/// A sync that goes on while the test does; killed when dropped.
struct Running {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, said }
    }

    /// The next line on standard error of which this holds, and all before it.
    #[track_caller]
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        for line in &mut self.said {
            let line = line.unwrap();
            lines.push(line);
            if wanted(lines.last().unwrap()) {
                return lines;
            }
        }
        panic!("it ended, and had said {lines:#?}");
    }

    /// The exit code, and what was said and not yet read.
    fn ended(mut self) -> (Option<i32>, Vec<String>) {
        let lines = self.said.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), lines)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn results(place: &Place) -> Vec<Value> {
    let query = "SELECT result FROM sync_runs ORDER BY run_id";
    let rows = place.rows(&["sql", query]);
    rows.into_iter()
        .map(|mut row| row["result"].take())
        .collect()
}

#[test]
fn a_second_sync_ends_at_once_and_says_whom_it_met() {
    let place = Place::new();
    let url = stub(well);
    // The database itself is still to be made.
    let lock = Lock::acquire(&place.database()).unwrap();
    let ran = synced(&place, &url, &[]).ended(4);
    let busy = format!(
        "error: another sync of {:?} is running (process {})\n\
         hint: wait for it with --wait 10s, or leave it to the next run\n",
        place.database(),
        std::process::id()
    );
    assert_eq!((ran.stdout.as_str(), ran.stderr), ("", busy.clone()));
    let waited = synced(&place, &url, &["--wait", "1ms"]).ended(4);
    assert_eq!(waited.stderr, busy);
    assert!(!place.database().exists());

    // An import is no sync: they may take turns.
    place.write("looks", crate::fleet::ndjson(&crate::fleet::looks()));
    place.run(&["import", "looks"]).ok();
    drop(lock);
    synced(&place, &url, &[]).ok();
    assert!(place.path("history.db.lock").exists());
}

#[test]
fn a_sync_that_waits_begins_when_the_other_one_ends() {
    let place = Place::new();
    let lock = Lock::acquire(&place.database()).unwrap();
    let mut waiting = Running::start(sync(&place, &stub(well), &["--wait", "60s", "-v"]));
    let said = waiting.until(|line| line.ends_with("; waiting for up to 1m"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("note: another sync of "), "{said:?}");
    drop(lock);
    let (code, said) = waiting.ended();
    assert_eq!(code, Some(0), "{said:?}");
    assert_eq!(results(&place), ["complete"]);
}

#[cfg(unix)]
#[test]
fn a_sync_that_waits_can_be_told_to_end() {
    let place = Place::new();
    let _lock = Lock::acquire(&place.database()).unwrap();
    for (more, code) in [(&[][..], 1), (&["--every"], 0)] {
        let more = [&["--wait", "60s", "-v"], more].concat();
        let mut waiting = Running::start(sync(&place, "http://127.0.0.1:9", &more));
        waiting.until(|line| line.contains("waiting"));
        crate::place::signal(&waiting.child, "TERM");
        assert_eq!(waiting.ended().0, Some(code), "{more:?}");
    }
    assert!(!place.database().exists());
}

#[test]
fn a_sync_that_was_killed_keeps_nobody_out() {
    let place = Place::new();
    let (url, requests, _release) = holding(|_| true);
    let mut killed = Running::start(sync(&place, &url, &[]));
    requests.recv().unwrap();
    match Lock::acquire(&place.database()) {
        Err(Error::Locked { holder, .. }) if cfg!(unix) => {
            assert_eq!(holder, Some(killed.child.id()));
        }
        Err(Error::Locked { .. }) => {}
        other => panic!("{other:?}"),
    }
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    synced(&place, &stub(well), &[]).ok();
    assert_eq!(results(&place), ["unfinished", "complete"]);
}

#[cfg(unix)]
#[test]
fn every_name_of_a_database_has_the_same_lock() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let place = Place::new();
    let url = stub(well);
    std::fs::create_dir(place.path("real")).unwrap();
    symlink("real", place.path("other")).unwrap();
    let new = Lock::acquire(&place.path("other/history.db")).unwrap();
    let file = std::fs::canonicalize(place.path("real")).unwrap();
    assert_eq!(new.path(), file.join("history.db.lock"));
    let mode = std::fs::metadata(new.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for name in ["real/history.db", "other/../real/history.db"] {
        synced(&place, &url, &["--db", name]).ended(4);
    }
    drop(new);
    synced(&place, &url, &["--db", "real/history.db"]).ok();

    symlink("real/history.db", place.path("link.db")).unwrap();
    let _lock = Lock::acquire(&place.path("link.db")).unwrap();
    for name in ["link.db", "real/history.db", "other/history.db"] {
        synced(&place, &url, &["--db", name]).ended(4);
    }
    synced(&place, &url, &["--db", "another.db"]).ok();
    assert!(!place.path("link.db.lock").exists());
}

#[test]
fn a_lock_that_cannot_be_made_is_said() {
    let place = Place::new();
    let url = stub(well);
    let ran = synced(&place, &url, &["--db", "nowhere/history.db"]).ended(1);
    assert!(
        ran.stderr.starts_with(
            "error: the folder of history database \"nowhere/history.db\" does not exist"
        ),
        "{ran:?}"
    );
    std::fs::create_dir(place.path("history.db.lock")).unwrap();
    let ran = synced(&place, &url, &[]).ended(1);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("error: could not lock \""), "{ran:?}");
    assert!(lines[0].contains("history.db.lock\": "), "{ran:?}");
    assert_eq!(
        lines[1..],
        ["hint: recording needs to write beside the database"]
    );
}

/// Cron sends mail for every line.
#[test]
fn a_sync_is_quiet_when_all_is_well_and_says_more_when_asked() {
    let place = Place::new();
    let url = stub(well);
    for _ in 0..2 {
        let ran = synced(&place, &url, &[]).ok();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    }
    let ran = synced(&place, &url, &["-v"]).ok();
    assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1));
    assert!(ran.stderr.starts_with("note: run 3 complete: "), "{ran:?}");
    assert!(
        ran.stderr.ends_with(
            "; 3 processes seen, 0 new, 0 changed, 0 lost; 0 questions deferred; 0 gaps\n"
        ),
        "{ran:?}"
    );
    let report = synced(&place, &url, &["--format", "json"]).ok().json();
    let fields: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "run_id",
            "result",
            "requests",
            "retries",
            "bytes",
            "processes_seen",
            "processes_new",
            "processes_changed",
            "processes_lost",
            "set_aside",
            "deferred",
            "gaps"
        ]
    );
    assert_eq!(
        (&report["run_id"], &report["result"]),
        (&json!(4), &json!("complete"))
    );
}

/// The lines of a log, each of which must be an object with these.
#[track_caller]
fn logged(stderr: &str) -> Vec<Value> {
    let lines: Vec<Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    for line in &lines {
        for key in ["time", "level", "message"] {
            assert!(line[key].is_string(), "{key} of {line}");
        }
    }
    lines
}

#[test]
fn a_collector_gets_one_object_a_line() {
    let place = Place::new();
    let json_log = &["--log-format", "json"][..];
    let with = |more: &[&'static str]| [json_log, more].concat();
    let ran = synced(&place, &stub(well), &with(&["-v"])).ok();
    let lines = logged(&ran.stderr);
    assert_eq!(lines.len(), 1, "{ran:?}");
    assert_eq!(
        (
            &lines[0]["level"],
            &lines[0]["run_id"],
            &lines[0]["processes_seen"]
        ),
        (&json!("info"), &json!(1), &json!(3))
    );
    assert_eq!(synced(&place, &stub(well), json_log).ok().stderr, "");

    // One try, one try again, and the end.
    let failing = stub(|_| (500, "{\"message\": \"on fire\u{9b}\"}".to_owned()));
    let ran = synced(&place, &failing, &with(&["-vv", "--max-requests", "2"])).ended(1);
    assert!(!ran.stderr.contains('\u{9b}'), "{ran:?}");
    let lines = logged(&ran.stderr);
    let levels: Vec<&Value> = lines.iter().map(|line| &line["level"]).collect();
    assert!(levels.contains(&&json!("debug")), "{levels:?}");
    assert_eq!(levels.last(), Some(&&json!("error")));

    let refusing = stub(|_| (401, "{\"message\": \"who are you\"}".to_owned()));
    let ran = synced(&place, &refusing, json_log).ended(1);
    let lines = logged(&ran.stderr);
    assert_eq!((lines.len(), &lines[0]["level"]), (1, &json!("error")));
    let message = lines[0]["message"].as_str().unwrap();
    assert!(
        message.contains("refused the token (HTTP 401): who are you"),
        "{message}"
    );
    assert!(
        lines[0]["hint"]
            .as_str()
            .unwrap()
            .starts_with("check the token"),
        "{lines:?}"
    );

    let _lock = Lock::acquire(&place.database()).unwrap();
    let lines = logged(&synced(&place, &refusing, json_log).ended(4).stderr);
    assert_eq!((lines.len(), &lines[0]["level"]), (1, &json!("error")));
}

/// A record that cannot be understood is news once, however often it is shown.
#[test]
fn what_was_set_aside_before_is_no_news() {
    let place = Place::new();
    let url = stub(|_| (200, "[{\"processId\": \"p\", \"appId\": 7}]".to_owned()));
    let first = synced(&place, &url, &[]).ended(3);
    assert!(
        first.stderr.starts_with("warning: 1 record of a "),
        "{first:?}"
    );
    for _ in 0..2 {
        let again = synced(&place, &url, &[]).ok();
        assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", ""));
    }
    let runs = place.rows(&[
        "sql",
        "SELECT result, set_aside FROM sync_runs ORDER BY run_id",
    ]);
    let runs: Vec<_> = runs
        .iter()
        .map(|run| (&run["result"], &run["set_aside"]))
        .collect();
    assert_eq!(
        json!(runs),
        json!([["partial", 1], ["complete", 1], ["complete", 1]])
    );
    assert_eq!(place.rows(&["sql", "SELECT * FROM set_aside"]).len(), 1);
}

/// An app that has runs of its own may fail while all others go well.
#[test]
fn status_tells_which_app_was_looked_at_too_long_ago() {
    let place = Place::new();
    let at = |text: &str| text.parse::<prochist::model::UtcMillis>().unwrap();
    let long_ago = at("2024-05-01T12:00:00Z");
    {
        let mut store = prochist::Store::open(&place.database()).unwrap();
        let mut run = store
            .begin(prochist::RunKind::Sync, "x old", long_ago)
            .unwrap();
        let mut snapshot = run.snapshot(long_ago).unwrap();
        let mark = prochist::model::Watermark {
            region: None,
            since: long_ago,
            until: long_ago,
            looked_at: long_ago,
            server_time: None,
            unaccounted: None,
        };
        snapshot.watermarks("old", &[mark]).unwrap();
        snapshot.commit(&prochist::model::Extent::Partial).unwrap();
        let ending = prochist::Ending::new(long_ago, prochist::RunResult::Complete);
        run.finish(&ending).unwrap();
    }
    synced(&place, &stub(well), &[]).ok();
    let ran = place.run(&["status", "--max-age", "1h"]).ended(1);
    assert!(
        ran.stderr
            .starts_with("error: old was last looked at at 2024-05-01T12:00:00.000Z, "),
        "{ran:?}"
    );
    place.run(&["status", "--max-age", "1h", "--app", "a"]).ok();
    let ran = place
        .run(&["status", "--max-age", "1h", "--app", "b"])
        .ended(1);
    assert!(
        ran.stderr.contains("no sync has looked at b yet"),
        "{ran:?}"
    );
    place.run(&["status", "--app", "a"]).ended(2);
}

/// However much is asked for: only our own lines, nothing that steers a terminal, and no token.
#[test]
fn the_most_that_can_be_said_shows_no_secret() {
    let url = stub(|path| match path.contains("/list/") {
        true => (200, "[{\"processId\": \"\u{1b}[2J\"}]".to_owned()),
        false => (500, "\u{1b}[2J s3cr3t-token".to_owned()),
    });
    for more in [&[][..], &["--log-format", "json"]] {
        let place = Place::new();
        let args = [
            &["-vvvv", "--app-id", "a\u{1b}[2J", "--max-requests", "3"],
            more,
        ]
        .concat();
        let ran = synced(&place, &url, &args).ended(3);
        assert!(!ran.stderr.contains("s3cr3t"), "{ran:?}");
        assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
        assert!(
            ran.stderr.contains("a\\u{1b}[2J") || !more.is_empty(),
            "{ran:?}"
        );
        if more.is_empty() {
            let ours = ["warning: ", "note: ", "debug: ", "trace: "];
            for line in ran.stderr.lines() {
                assert!(ours.iter().any(|kind| line.starts_with(kind)), "{line}");
            }
        } else {
            logged(&ran.stderr);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_beat_goes_on_until_it_is_told_to_end() {
    for name in ["TERM", "INT"] {
        let place = Place::new();
        let mut going = Running::start(sync(&place, &stub(well), &["--every", "10ms", "-v"]));
        for _ in 0..3 {
            going.until(|line| line.starts_with("note: run ") && line.contains(" complete: "));
        }
        // For its whole life, also between two runs.
        assert!(matches!(
            Lock::acquire(&place.database()),
            Err(Error::Locked { .. })
        ));
        crate::place::signal(&going.child, name);
        let (code, said) = going.ended();
        assert_eq!(code, Some(0), "{name}: {said:?}");
        let results = results(&place);
        assert!(results.len() >= 3, "{results:?}");
        Lock::acquire(&place.database()).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_beat_survives_runs_that_fail() {
    let place = Place::new();
    let mended = Arc::new(AtomicBool::new(false));
    let url = stub({
        let mended = Arc::clone(&mended);
        move |path| match mended.load(Ordering::SeqCst) {
            true => well(path),
            false => (500, "{\"message\": \"on fire\"}".to_owned()),
        }
    });
    let args = [
        "--every",
        "10ms",
        "--max-requests",
        "1",
        "--format",
        "ndjson",
    ];
    let mut going = Running::start(sync(&place, &url, &args));
    for _ in 0..3 {
        // One line each and no hint.
        let said = going.until(|_| true);
        assert!(said[0].starts_with("error: "), "{said:?}");
    }
    mended.store(true, Ordering::SeqCst);
    let mut row = String::new();
    BufReader::new(going.child.stdout.as_mut().unwrap())
        .read_line(&mut row)
        .unwrap();
    let row: Value = serde_json::from_str(&row).unwrap();
    assert_eq!(row["processes_new"], 3);
    crate::place::signal(&going.child, "TERM");
    assert_eq!(going.ended().0, Some(0));
    let results = results(&place);
    assert_eq!(results[..3], ["failed", "failed", "failed"]);
    assert!(results.contains(&json!("complete")), "{results:?}");
}

/// A file that is replaced, as by a restored backup, is found by the next run; a disk that is gone
/// for a while is waited for.
#[cfg(unix)]
#[test]
fn a_beat_finds_a_database_that_was_replaced() {
    use std::os::unix::fs::symlink;

    let place = Place::new();
    for folder in ["one", "two"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    symlink("one", place.path("current")).unwrap();
    let args = ["--every", "10ms", "-v", "--db", "current/history.db"];
    let mut going = Running::start(sync(&place, &stub(well), &args));
    going.until(|line| line.starts_with("note: run 1 complete: "));
    for (folder, wanted) in [("gone", "error: "), ("two", "note: run 1 complete: ")] {
        symlink(folder, place.path("next")).unwrap();
        std::fs::rename(place.path("next"), place.path("current")).unwrap();
        going.until(|line| line.starts_with(wanted));
    }
    assert!(place.path("two/history.db").exists());
}

/// Told to end while the API is being asked: what was seen is recorded.
#[cfg(unix)]
#[test]
fn a_run_that_is_told_to_end_records_what_it_saw() {
    for (more, code) in [(&[][..], 3), (&["--every", "60s"], 0)] {
        let place = Place::new();
        synced(&place, &stub(well), &[]).ok();
        let (url, requests, _release) = holding(|path| path.contains("/info/"));
        let going = Running::start(sync(&place, &url, more));
        requests.recv().unwrap();
        crate::place::signal(&going.child, "TERM");
        let (ended, said) = going.ended();
        assert_eq!(ended, Some(code), "{more:?}: {said:?}");
        // Whoever told it to end knows.
        assert_eq!(said, [] as [String; 0], "{more:?}");
        assert_eq!(results(&place), ["complete", "partial"]);
        let last = place.rows(&["status"])[0]["last_run"].clone();
        assert_eq!(last["processes_seen"], 1, "{last}");
    }
    for (more, code) in [(&[][..], 1), (&["--every", "60s"], 0)] {
        let place = Place::new();
        let (url, requests, _release) = holding(|_| true);
        let going = Running::start(sync(&place, &url, more));
        requests.recv().unwrap();
        crate::place::signal(&going.child, "INT");
        let (ended, said) = going.ended();
        assert_eq!((ended, said.len()), (Some(code), code as usize), "{said:?}");
        assert_eq!(results(&place), ["failed"]);
    }
}

#[test]
fn limits_of_a_run_leave_the_rest_to_the_next() {
    let place = Place::new();
    synced(&place, &stub(well), &[]).ok();
    let (url, _requests, _release) = holding(|path| path.contains("/info/"));
    let ran = synced(&place, &url, &["--deadline", "2s"]).ended(3);
    assert!(
        ran.stderr
            .starts_with("warning: time ran out (--deadline 2s) before "),
        "{ran:?}"
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    // That there are few requests was asked for, so it is said to those only who want to know.
    let url = stub(|path| answer(path, &["p1", "p2", "p3"], 1));
    let ran = synced(&place, &url, &["--max-requests", "1", "-v"]);
    assert!(
        ran.stderr
            .contains("note: all requests were made (--max-requests 1) before "),
        "{ran:?}"
    );
}

/// 0.0.0.0 leads to this machine, but looks like another.
#[cfg(unix)]
#[test]
fn plain_http_to_another_machine_must_be_allowed() {
    let place = Place::new();
    let url = stub(well).replace("127.0.0.1", "0.0.0.0");
    let ran = synced(&place, &url, &[]).ended(2);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(
        lines[0].contains("is plain http to another machine"),
        "{ran:?}"
    );
    assert!(lines[1].contains("--allow-http"), "{ran:?}");
    synced(&place, &url, &["--allow-http"]).ok();
}

#[test]
fn several_apps_are_one_run_and_each_is_asked_once() {
    let place = Place::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let url = stub({
        let asked = Arc::clone(&asked);
        move |path| {
            asked.lock().unwrap().push(path.to_owned());
            match path.split('/').nth(3) {
                Some("gone") => (404, "{\"message\": \"no such app\"}".to_owned()),
                _ => well(path),
            }
        }
    });
    let lists = |app: &str| {
        let asked = asked.lock().unwrap();
        let of_app = format!("/processes/v2/{app}/list/");
        asked
            .iter()
            .filter(|path| path.starts_with(&of_app))
            .count()
    };
    let both = ["--app-id", "a", "--app-id", "b", "--app-id", "a"];
    let json = ["--format", "json"];
    let report = synced(&place, &url, &[&both[..], &json].concat())
        .ok()
        .json();
    assert_eq!(report["processes_new"], 6);
    assert_eq!((lists("a") > 0, lists("a")), (true, lists("b")));
    let sources = place.rows(&["sql", "SELECT source FROM sync_runs"]);
    assert_eq!(json!(sources), json!([{"source": format!("{url} a b")}]));

    // The same from the environment.
    let ran = place
        .command(&["sync", "--format", "json"])
        .env("HATHORA_APP_ID", "a, b,,a")
        .env("HATHORA_TOKEN", "t")
        .env("PROCHIST_BASE_URL", &url)
        .output();
    let report = Ran::from(ran.unwrap()).ok().json();
    assert_eq!(
        (&report["processes_seen"], &report["processes_new"]),
        (&json!(6), &json!(0))
    );

    // One that fails keeps no other from being recorded, and is named.
    let ran = synced(&place, &url, &["--app-id", "gone", "--app-id", "b"]).ended(3);
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(
        ran.stderr
            .starts_with("warning: nothing was recorded of gone: "),
        "{ran:?}"
    );
    let none = stub(|_| (404, "{\"message\": \"no such app\"}".to_owned()));
    let ran = synced(&place, &none, &["--app-id", "x", "--app-id", "y"]).ended(1);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(
        lines[0].starts_with("warning: nothing was recorded of x: "),
        "{ran:?}"
    );
    assert!(
        lines[1].starts_with("warning: nothing was recorded of y: "),
        "{ran:?}"
    );
    assert_eq!(lines[2], "error: nothing was recorded of any of 2 apps");
}

/// For a monitor that asks whether recording still goes on.
#[test]
fn status_tells_when_the_last_good_sync_is_too_old() {
    let place = Place::new();
    let mut store = Store::open(&place.database()).unwrap();
    let mut ran = |kind, time: &str, result| {
        let time = time.parse().unwrap();
        let run = store.begin(kind, "test", time).unwrap();
        run.finish(&Ending::new(time, result)).unwrap();
    };
    let status = |max_age: &str| {
        let told = place.run(&["status", "--max-age", max_age, "--format", "json"]);
        assert_eq!(
            told.json(),
            place.json(&["status"]),
            "it is shown as always"
        );
        told
    };
    ran(RunKind::Import, "2024-05-01T10:00:00Z", RunResult::Complete);
    ran(RunKind::Sync, "2024-05-01T10:00:00Z", RunResult::Partial);
    ran(RunKind::Sync, "2024-05-01T10:00:00Z", RunResult::Failed);
    let none = status("1000years").ended(1).stderr;
    assert_eq!(none, "error: no sync has ended as complete yet\n");

    ran(RunKind::Sync, "2024-05-01T10:00:00Z", RunResult::Complete);
    ran(RunKind::Sync, "2024-05-02T10:00:00Z", RunResult::Failed);
    assert_eq!(status("1000years").ok().stderr, "");
    let old = status("10m").ended(1).stderr;
    assert!(
        old.starts_with(
            "error: the last sync that ended as complete did so at 2024-05-01T10:00:00.000Z, "
        ) && old.ends_with(" ago, which is more than 10m\n"),
        "{old}"
    );
    assert_eq!(old.lines().count(), 1, "{old}");

    // A clock that was set back, or a machine that is ahead.
    ran(RunKind::Sync, "9999-01-01T00:00:00Z", RunResult::Complete);
    assert_eq!(status("1s").ok().stderr, "");
}
