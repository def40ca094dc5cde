//! Whatever goes wrong: one clear line that names the thing, at most a hint, nothing on standard
//! output, the right exit code, and a history that is as it was.

use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use prochist::model::UtcMillis;
use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig};
use rusqlite::Connection;

use crate::fleet::{looks, ndjson, recorded};
use crate::place::{Place, Ran};
use crate::stub::stub;

/// One command that must fail, and how.
struct Case {
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    code: i32,
    /// What the first line must name.
    names: Vec<String>,
}

fn case(args: &[&str], code: i32, names: &[&str]) -> Case {
    Case {
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: Vec::new(),
        code,
        names: names.iter().map(|&name| name.to_owned()).collect(),
    }
}

impl Case {
    fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    #[track_caller]
    fn check(&self, place: &Place) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let mut command = place.command(&args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, Some(self.code), "{args:?}: {ran:#?}");
        assert_eq!(ran.stdout, "", "{args:?}");
        is_one_clear_line(&ran, &args);
        let first = ran.stderr.lines().next().unwrap();
        for name in &self.names {
            assert!(
                first.contains(name),
                "{name:?} is not in {first:?} of {args:?}"
            );
        }
    }
}

#[track_caller]
fn is_one_clear_line(ran: &Ran, args: &[&str]) {
    let mut lines = ran.stderr.lines();
    let first = lines.next().unwrap_or_default();
    assert!(first.starts_with("error: "), "{args:?}: {ran:#?}");
    assert!(first.len() < 400, "{args:?}: {first}");
    assert!(
        !ran.stderr.contains("panicked") && !ran.stderr.contains("src/"),
        "{args:?}: {ran:#?}"
    );
    // The argument parser shows the usage after its first line; we give a hint at most.
    if !ran.stderr.contains("For more information, try '--help'.") {
        let rest: Vec<&str> = lines.collect();
        assert!(rest.len() <= 1, "{args:?}: {ran:#?}");
        assert!(
            rest.iter().all(|line| line.starts_with("hint: ")),
            "{args:?}: {ran:#?}"
        );
    }
}

/// The history still answers, and as before.
#[track_caller]
fn is_unharmed(place: &Place) {
    let rows = place.rows(&["failures"]);
    assert_eq!(
        (&rows[0]["ended"], &rows[0]["open"]),
        (&8.into(), &3.into())
    );
}

#[test]
fn questions_that_cannot_be_asked() {
    let place = recorded();
    place.run(&["sql", "SELECT 1"]).ok(); // whatever a first reader leaves behind is there now
    let before = std::fs::read(place.database()).unwrap();
    let sql = |query: &str, names: &[&str]| case(&["sql", query], 1, names);
    let faults = |text: &str, names: &[&str]| case(&["simulate", "--faults", text], 2, names);
    let cases = [
        case(
            &["lifetimes", "--since", "yesterday"],
            2,
            &["--since", "yesterday"],
        ),
        case(
            &["failures", "--until", "2024-02-30"],
            2,
            &["--until", "2024-02-30"],
        ),
        case(
            &["failures", "--until", "99999999y"],
            2,
            &["--until", "99999999y"],
        ),
        case(&["at", "noon"], 2, &["noon"]),
        case(&["at", "now", "--as-known-at", ""], 2, &["--as-known-at"]),
        case(&["at"], 2, &["required"]),
        case(
            &[
                "lifetimes",
                "--since",
                "2024-05-02",
                "--until",
                "2024-05-01",
            ],
            2,
            &["2024-05-01T00:00:00.000Z", "2024-05-02T00:00:00.000Z"],
        ),
        case(
            &["ports", "--since", "now", "--until", "1d"],
            2,
            &["window"],
        ),
        case(
            &["coverage", "--since", "2024-05-01", "--until", "2024-05-01"],
            2,
            &["window"],
        ),
        case(&["history", "p99"], 1, &["p99"]),
        case(&["history", ""], 1, &["\"\""]),
        case(&["history"], 2, &["required"]),
        case(&["lifetimes", "--by", "planet"], 2, &["--by", "planet"]),
        case(&["failures", "--by", "app,,day"], 2, &["--by"]),
        case(&["ports", "--by", "day"], 2, &["--by", "day"]),
        case(
            &["ports", "--endpoint", "h1"],
            2,
            &["--endpoint", "h1", "HOST:PORT"],
        ),
        case(
            &["ports", "--endpoint", "h1:http"],
            2,
            &["--endpoint", "h1:http"],
        ),
        case(&["ports", "--endpoint", "h9:31000"], 1, &["h9:31000"]),
        case(
            &["ports", "--endpoint", "h1:31000", "--by", "host"],
            2,
            &["--by"],
        ),
        case(&["ports", "--at", "now"], 2, &["required"]),
        case(
            &["rollout", "--deployment", "8"],
            2,
            &["--deployment", "roll-out"],
        ),
        case(&["failurs"], 2, &["failurs"]),
        case(&["failures", "--form", "json"], 2, &["--form"]),
        case(&["failures", "--format", "yaml"], 2, &["--format", "yaml"]),
        case(&["failures", "--db", ""], 2, &["--db"]),
        sql("SELEC 1", &["SELEC", "character 1"]),
        sql("SELECT nothing FROM processes", &["nothing"]),
        sql("SELECT * FROM nowhere", &["nowhere"]),
        sql("SELECT 1; SELECT 2", &["one statement"]),
        sql("SELECT 1; DELETE FROM process", &["read"]),
        case(&["sql", " "], 2, &["query is empty"]),
        sql("-- all of it", &["no statement"]),
        case(&["sql", "SELECT ?1"], 2, &["?1", "no value"]),
        sql("DELETE FROM process", &["read"]),
        sql("INSERT INTO word (text) VALUES ('x')", &["read"]),
        sql("UPDATE process SET outcome = 'open'", &["read"]),
        sql("DROP VIEW processes", &["read"]),
        sql("CREATE TABLE x (y)", &["read"]),
        sql("CREATE TEMP TABLE x (y)", &["read"]),
        sql("VACUUM", &["read"]),
        sql("VACUUM INTO 'copy.db'", &["read"]),
        sql("ATTACH 'other.db' AS other", &["read"]),
        sql("BEGIN IMMEDIATE", &["read"]),
        sql("PRAGMA user_version = 7", &["read"]),
        sql("PRAGMA journal_mode = DELETE", &["read"]),
        sql("PRAGMA query_only = 0", &["read"]),
        sql("PRAGMA wal_checkpoint(TRUNCATE)", &["read"]),
        sql("SELECT load_extension('x')", &["SQL"]),
        sql("SELECT writefile('x', 'y')", &["writefile"]),
        case(&["sql", "SELECT 1", "--timeout", "0s"], 2, &["--timeout"]),
        case(&["sql", "SELECT 1", "--max-rows", "-1"], 2, &["-1"]),
        case(
            &["import", "nowhere.json"],
            1,
            &["nowhere.json", "No such file"],
        ),
        case(&["import"], 2, &["required"]),
        case(
            &["import", "looks.ndjson", "--app-id", "a"],
            2,
            &["required"],
        ),
        case(
            &["import", "looks.ndjson", "--observed-at", "then"],
            2,
            &["--observed-at", "then"],
        ),
        case(&["simulate", "--concurrent", "0"], 2, &["--concurrent"]),
        case(&["simulate", "--speed", "0"], 2, &["--speed"]),
        case(&["simulate", "--speed", "-1"], 2, &["-"]),
        case(
            &["simulate", "--archive", "a", "--hours", "NaN"],
            2,
            &["--hours"],
        ),
        case(
            &["simulate", "--archive", "a", "--interval", "0s"],
            2,
            &["--interval"],
        ),
        case(
            &["simulate", "--archive", "no/folder/a"],
            1,
            &["no/folder/a"],
        ),
        case(&["simulate", "--listen", "0.0.0.0:0"], 2, &["0.0.0.0"]),
        case(&["simulate", "--listen", "here"], 2, &["--listen", "here"]),
        case(&["simulate", "--hours", "1"], 2, &["required"]),
        faults("hung=0.1", &["\"hung\"", "truncate, garbage, hang"]),
        faults("hang", &["NAME=SHARE", "truncate, garbage, hang"]),
        faults("", &["--faults", "NAME=SHARE"]),
        faults("hang=0.1,", &["NAME=SHARE"]),
        faults("hang=1.5", &["hang", "\"1.5\"", "from 0 to 1"]),
        faults("hang=-0.5", &["hang", "\"-0.5\""]),
        faults("garbage=NaN", &["garbage", "\"NaN\""]),
        faults("hang=0.1,garbage=0.1,hang=0.1", &["hang is named twice"]),
        faults("hang=0.75,garbage=0.5", &["1.25"]),
        case(
            &["simulate", "--archive", "a", "--faults", "hang=0.1"],
            2,
            &["--archive", "--faults"],
        ),
        case(&["sync", "--every", "soon"], 2, &["--every", "soon"]),
        case(&["sync", "--every", "0s"], 2, &["--every", "0s"]),
        case(&["sync", "--every", "--fail-on-gap"], 2, &["--every"]),
        case(&["sync", "--wait", "forever"], 2, &["--wait", "forever"]),
        case(&["sync", "--deadline", "0s"], 2, &["--deadline"]),
        case(&["sync", "--max-requests", "0"], 2, &["--max-requests"]),
        case(
            &["sync", "--concurrency", "0"],
            2,
            &["--concurrency", "256"],
        ),
        case(&["sync", "--concurrency", "257"], 2, &["--concurrency"]),
        case(
            &["sync", "--log-format", "xml"],
            2,
            &["--log-format", "xml"],
        ),
        case(&["sync", "--token-file", ""], 2, &["--token-file"]),
        case(&["config", "--every", "soon"], 2, &["--every", "soon"]),
        case(
            &["config", "--config", "nowhere.toml"],
            2,
            &["nowhere.toml"],
        ),
        case(
            &["failures", "--config", "nowhere.toml"],
            2,
            &["nowhere.toml"],
        ),
        case(&["failures", "--config", ""], 2, &["--config"]),
        case(&["status", "--max-age", "soon"], 2, &["--max-age", "soon"]),
    ];
    for case in &cases {
        case.check(&place);
        // `import` of a missing path included: nothing was written, not even to the ledger.
        assert_eq!(
            std::fs::read(place.database()).unwrap(),
            before,
            "{:?}",
            case.args
        );
    }
    is_unharmed(&place);
    for made in ["copy.db", "other.db", "x", "a"] {
        assert!(!place.path(made).exists(), "{made}");
    }
}

/// Whichever option takes a length of time, one that is none is refused in the same words.
#[test]
fn lengths_of_time() {
    let place = recorded();
    let options: [&[&str]; 7] = [
        &["ports", "--within"],
        &["lifetimes", "--longer-than"],
        &["rollout", "--over-time", "--step"],
        &["status", "--max-age"],
        &["sql", "SELECT 1", "--timeout"],
        &["sync", "--deadline"],
        &["sync", "--wait"],
    ];
    for option in options {
        for (text, wrong) in [
            ("-5s", "too short: give "),
            ("999us", "too short: give "),
            ("10000000y", "too long: give less than 10000y"),
            ("99999999999999y", "too long: give less than 10000y"),
            ("5", "not a length of time: give a number with a unit"),
            (
                "5 parsecs",
                "not a length of time: give a number with a unit",
            ),
            ("-x", "not a length of time: give a number with a unit"),
            ("", "not a length of time: give a number with a unit"),
        ] {
            let name = option[option.len() - 1];
            let args = [option, &[text]].concat();
            case(&args, 2, &[name, wrong, ", such as 60s, 5m or 24h"]).check(&place);
        }
        let args = [option, &["0s"]].concat();
        match option[0] {
            // No gap at all is a gap.
            "ports" => assert_eq!(place.rows(&args), [] as [serde_json::Value; 0]),
            _ => case(&args, 2, &["too short: give 1ms or more"]).check(&place),
        }
    }
    is_unharmed(&place);
}

/// What is asked for by its own name is on record or not found; a filter that matches nothing has an
/// answer.
#[test]
fn what_was_never_recorded() {
    let place = recorded();
    for args in [
        &["history", "p99"][..],
        &["ports", "--endpoint", "h9:1"],
        &["rollout", "99"],
        &["rollout", "7..99"],
        &["failures", "--compare", "7..99"],
    ] {
        case(args, 1, &["was ever recorded"]).check(&place);
    }
    for option in ["--app", "--region", "--deployment"] {
        let ran = place.run(&["failures", option, "99"]).ok();
        let last = ran.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("warning: no process of "), "{ran:?}");
        assert!(
            last.contains("\"99\" was ever recorded; there are "),
            "{ran:?}"
        );
    }
}

/// An empty file is not missing, and a folder is no file.
#[test]
fn paths_that_hold_no_history() {
    let place = Place::new();
    place.write("empty.db", "");
    place.write("folder/looks", ndjson(&looks()));
    for args in [&["failures"][..], &["status"], &["history", "p01"]] {
        let ran = place.run(&[args, &["--db", "empty.db"]].concat()).ended(1);
        assert_eq!(
            ran.stderr,
            "error: history database \"empty.db\" is empty: nothing was ever recorded in it\n\
             hint: record into it with `prochist sync` or `prochist import`, or name another with \
             --db PATH\n"
        );
    }
    assert_eq!(std::fs::read(place.path("empty.db")).unwrap(), b"");
    for args in [&["failures"][..], &["import", "folder/looks"]] {
        let ran = place.run(&[args, &["--db", "folder"]].concat()).ended(1);
        assert_eq!(
            ran.stderr,
            "error: could not read \"folder\": is a directory\n\
             hint: --db takes a file, such as folder/history.db\n"
        );
    }
    place
        .run(&["import", "folder/looks", "--db", "empty.db"])
        .ok();
    let rows = place.rows(&["failures", "--db", "empty.db"]);
    assert_eq!(rows[0]["ended"], 8);
}

/// A typo gets the word that was meant.
#[test]
fn a_typo_is_helped() {
    let place = Place::new();
    let ran = place.run(&["lifetime"]).ended(2);
    assert!(ran.stderr.contains("'lifetimes'"), "{ran:?}");
    let ran = place.run(&["ports", "--endpont", "h:1"]).ended(2);
    assert!(ran.stderr.contains("'--endpoint'"), "{ran:?}");
    let ran = place.run(&["lifetimes", "--by", "regio"]).ended(2);
    assert!(ran.stderr.contains("region"), "{ran:?}");
}

/// Every question refuses a file that is not its own, and leaves it byte for byte; so do those that
/// record. None makes a file by asking.
#[test]
fn files_that_are_no_history_of_ours() {
    let place = Place::new();
    place.write("looks", ndjson(&looks()));
    let asking: &[&[&str]] = &[
        &["lifetimes"],
        &["failures"],
        &["ports"],
        &["ports", "--endpoint", "h:1"],
        &["at", "now"],
        &["history", "p01"],
        &["coverage"],
        &["status"],
        &["sql", "SELECT 1"],
    ];
    let recording: &[&[&str]] = &[
        &["import", "looks"],
        &["sync", "--app-id", "a", "--base-url", "http://127.0.0.1:9"],
        &["demo", "--db", "history.db"],
    ];

    for args in asking {
        case(args, 1, &["history.db"]).check(&place);
    }
    assert!(!place.database().exists(), "asking made a database");

    let foreign = {
        let path = place.path("foreign");
        let db = Connection::open(&path).unwrap();
        db.execute_batch("CREATE TABLE customers (name); INSERT INTO customers VALUES ('Ada')")
            .unwrap();
        drop(db);
        std::fs::read(path).unwrap()
    };
    let newer = {
        let path = place.path("newer");
        place.run(&["import", "looks", "--db", "newer"]).ok();
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "INSERT INTO refinery_schema_history SELECT 99, 'later', applied_on, checksum
             FROM refinery_schema_history LIMIT 1;
             PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .unwrap();
        drop(db);
        std::fs::read(path).unwrap()
    };
    let cut = newer[..50].to_vec();
    for (name, bytes, says) in [
        (
            "text",
            b"{\"processId\": 1}".to_vec(),
            "is not a SQLite database",
        ),
        ("cut off", cut, "is not a SQLite database"),
        (
            "another application's",
            foreign,
            "is a SQLite database of another application",
        ),
        (
            "newer",
            newer,
            "has schema 99, and this prochist knows up to 7",
        ),
    ] {
        std::fs::write(place.database(), &bytes).unwrap();
        for args in asking.iter().chain(recording) {
            case(args, 1, &["history.db", says])
                .env("HATHORA_TOKEN", "secret")
                .check(&place);
            assert_eq!(
                std::fs::read(place.database()).unwrap(),
                bytes,
                "{name}: {args:?}"
            );
        }
        for suffix in ["-wal", "-shm", "-journal", ".lock"] {
            let left = place.path(&format!("history.db{suffix}"));
            // SQLite makes them to read a database in WAL mode at all; they must go again.
            assert!(!left.exists() || name == "newer", "{name} left {left:?}");
        }
    }
}

#[test]
fn archives_that_are_broken_cost_only_themselves() {
    let place = recorded();
    let import =
        |place: &Place, file: &str| place.run(&["import", file, "--format", "json"]).ended(3);
    place.write("empty.json", "");
    let ran = import(&place, "empty.json");
    assert_eq!(
        (&ran.json()["set_aside"], &ran.json()["snapshots"]),
        (&1.into(), &0.into())
    );
    assert!(
        ran.stderr.starts_with("set aside: empty.json:1: "),
        "{ran:?}"
    );
    is_unharmed(&place);

    place.write("page.json", "<!doctype html><title>Sign in</title>");
    let ran = import(&place, "page.json");
    assert_eq!(ran.json()["processes_seen"], 0);
    assert!(ran.stderr.starts_with("set aside: page.json"), "{ran:?}");
    is_unharmed(&place);

    // What came before the cut is kept. The first look's line is whole after 80% of the bytes,
    // since random ids do not compress.
    let lines: Vec<String> = (0..40_u64)
        .map(|i| {
            let time = UtcMillis::from_millis(1_714_600_000_000 + 1_000 * i as i64).unwrap();
            let id = format!("{:016x}", (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let one = crate::fleet::process(&id, "c", 1.into(), "Oslo", ["00:00:00", "", "", ""]);
            format!(
                "{}\n",
                serde_json::json!({"observedAt": time, "processes": [one]})
            )
        })
        .collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for line in &lines {
        gzip.write_all(line.as_bytes()).unwrap();
        gzip.flush().unwrap(); // so that the cut costs the last lines only
    }
    let bytes = gzip.finish().unwrap();
    place.write("cut.gz", &bytes[..bytes.len() / 2]);
    let ran = import(&place, "cut.gz");
    let seen = ran.json()["processes_seen"].as_u64().unwrap();
    assert!((15..=25).contains(&seen), "{seen}");
    assert!(ran.stderr.starts_with("set aside: cut.gz"), "{ran:?}");
    let kept = place.rows(&[
        "sql",
        "SELECT count(*) AS n FROM processes WHERE app_id = 'c'",
    ]);
    assert_eq!(kept[0]["n"], seen);

    // The table for people says the same in words, and no import that failed in part is complete.
    assert_eq!(place.rows(&["status"])[0]["last_run"]["result"], "partial");
    assert_eq!(place.rows(&["status"])[0]["failed_syncs_in_a_row"], 0);
}

#[test]
fn an_api_that_does_not_answer_as_one() {
    let place = recorded();
    let start: UtcMillis = "2026-01-05T00:00:00Z".parse().unwrap();
    let fleet = Fleet::new(FleetConfig::new(1, 5, start));
    let server = Server::start(
        ServerConfig::local("right-token"),
        Arc::new(Mutex::new(fleet)),
        ManualClock::new(start).clock(),
    )
    .unwrap();
    let (url, app) = (server.base_url(), server.app_id().to_owned());
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let html = stub(|_| (200, "<!doctype html><title>Sign in</title>".to_owned()));
    let object = stub(|_| (200, "{\"message\": \"moved\"}".to_owned()));
    let cut = stub(|_| (200, "[{\"processId\": \"p01\"".to_owned()));
    let sync = |url: &str, app: &str, names: &[&str]| {
        // What may pass is asked for again: not for longer than this.
        let args = [
            "sync",
            "--app-id",
            app,
            "--base-url",
            url,
            "--deadline",
            "2s",
        ];
        case(&args, 1, names)
    };
    place.write("no-token", " \n");
    place.write("two-tokens", "one two");
    let runs =
        |place: &Place| place.rows(&["sql", "SELECT count(*) AS n FROM sync_runs"])[0]["n"].clone();

    // Asked and failed: in the ledger, as failed.
    let asked = [
        sync(&url, &app, &["refused the token", "401", &url]).env("HATHORA_TOKEN", "wrong-token"),
        sync(&url, "app-unknown", &["does not know the app app-unknown"])
            .env("HATHORA_TOKEN", "right-token"),
        sync(&closed, "a", &["could not reach", &closed]).env("HATHORA_TOKEN", "right-token"),
        sync(&html, "a", &[&html, "web page"]).env("HATHORA_TOKEN", "right-token"),
        sync(
            &object,
            "a",
            &[&object, "did not answer as a ProcessV2 API"],
        )
        .env("HATHORA_TOKEN", "right-token"),
        sync(&cut, "a", &[&cut, "cut off"]).env("HATHORA_TOKEN", "right-token"),
    ];
    for (n, case) in asked.iter().enumerate() {
        case.check(&place);
        assert_eq!(runs(&place), 3 + n, "{:?}", case.args);
        let last = place.rows(&["status"])[0]["last_run"].clone();
        assert_eq!(last["result"], "failed", "{:?}", case.args);
        assert!(!last["error"].to_string().contains("token\":"), "{last}");
        is_unharmed(&place);
    }
    let coverage = place.json(&["coverage"]);
    assert_eq!(coverage["run_results"]["failed"], 6);
    assert_eq!(coverage["troubled_runs"].as_array().unwrap().len(), 6);
    assert_eq!(place.rows(&["status"])[0]["failed_syncs_in_a_row"], 6);

    // Could not be asked: not a run.
    let usage = |case: Case| Case { code: 2, ..case };
    let with_token_file = |file: &str, code: i32, names: &[&str]| {
        let args = [
            "sync",
            "--app-id",
            "a",
            "--base-url",
            &closed,
            "--token-file",
            file,
        ];
        case(&args, code, names)
    };
    for case in [
        usage(sync(&url, "", &["--app-id"])).env("HATHORA_TOKEN", "t"),
        case(&["sync", "--base-url", &url], 2, &["no app"]).env("HATHORA_TOKEN", "t"),
        Case {
            code: 2,
            ..sync(&url, &app, &["no token"])
        },
        usage(sync(&url, &app, &["no token"])).env("HATHORA_TOKEN", ""),
        usage(sync(&url, &app, &["token is empty"])).env("HATHORA_TOKEN", " \n"),
        usage(sync(&url, &app, &["token holds characters"])).env("HATHORA_TOKEN", "one two"),
        with_token_file("no-token", 2, &["token is empty"]),
        with_token_file("two-tokens", 2, &["token holds characters"]),
        with_token_file("nowhere", 2, &["token file", "nowhere", "No such file"]),
        usage(sync("api.example", &app, &["api.example is no base URL"])).env("HATHORA_TOKEN", "t"),
        usage(sync("http://192.0.2.1", &app, &["plain http"])).env("HATHORA_TOKEN", "t"),
        usage(sync("ftp://x", &app, &["neither http nor https"])).env("HATHORA_TOKEN", "t"),
        usage(sync("http://u:hunter2@x", &app, &["credentials"])).env("HATHORA_TOKEN", "t"),
    ] {
        case.check(&place);
        // An app without an id is only found out by asking for it.
        let extra = i32::from(runs(&place) == 9);
        assert_eq!(runs(&place), 8 + extra, "{:?}", case.args);
    }
    is_unharmed(&place);
}

/// Nothing that failed shows the token or a password.
#[test]
fn secrets_are_in_no_message() {
    let place = Place::new();
    let url = stub(|_| (200, "nonsense".to_owned()));
    for (base_url, code) in [
        (url.as_str(), 1),
        ("http://127.0.0.1:9", 1),
        ("http://user:s3cr3t@127.0.0.1:9", 2),
    ] {
        let mut command = place.command(&["sync", "--app-id", "a", "--base-url", base_url]);
        let ran = Ran::from(command.env("HATHORA_TOKEN", "s3cr3t").output().unwrap()).ended(code);
        assert!(!ran.stderr.contains("s3cr3t"), "{ran:?}");
    }
    let help = Ran::from(
        place
            .command(&["sync", "--help"])
            .env("HATHORA_TOKEN", "s3cr3t")
            .output()
            .unwrap(),
    );
    assert!(!help.ok().stdout.contains("s3cr3t"));
}

/// Recording needs to write, asking does not. The superuser may write everything, so where the test
/// is run by one, the program is run as somebody else.
#[cfg(unix)]
#[test]
fn a_history_that_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    let place = recorded();
    let superuser = std::fs::metadata(place.folder())
        .map(|folder| std::os::unix::fs::MetadataExt::uid(&folder) == 0)
        .unwrap();
    if superuser && Command::new("setpriv").arg("--version").output().is_err() {
        println!("skipped: run by the superuser, and there is no setpriv to become another");
        return;
    }
    let program = assert_cmd::cargo::cargo_bin!("prochist");
    let copy = place.path("prochist");
    std::fs::copy(program, &copy).unwrap(); // the original may lie where another cannot go
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&copy, 0o755);
    mode(&place.path("looks.ndjson"), 0o644);
    mode(&place.database(), 0o444);
    mode(place.folder(), 0o555);
    let run = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        if superuser {
            command
                .args(["--reuid=65534", "--clear-groups", "--"])
                .arg(&copy);
        } else {
            command = Command::new(&copy);
        }
        Ran::from(place.started_by(command, args).output().unwrap())
    };
    let ran = run(&["import", "looks.ndjson"]).ended(1);
    assert_eq!(
        ran.stderr,
        format!(
            "error: history database {:?} is read-only\n\
             hint: recording needs to write the file and its folder\n",
            place.database()
        )
    );
    let missing = run(&["import", "looks.ndjson", "--db", "new.db"]).ended(1);
    assert!(missing.stderr.contains("new.db"), "{missing:?}");
    assert_eq!(missing.stdout, "");
    let asks = || {
        run(&["failures", "--format", "csv"])
            .ok()
            .stdout
            .lines()
            .count()
    };
    assert_eq!(asks(), 2, "in a folder that nothing can be written to");
    mode(place.folder(), 0o777);
    assert_eq!(asks(), 2, "in a folder that a WAL can be written to");
    run(&["import", "looks.ndjson"]).ended(1);
    mode(&place.database(), 0o200);
    for args in [&["failures"][..], &["import", "looks.ndjson"]] {
        assert_eq!(
            run(args).ended(1).stderr,
            format!(
                "error: could not read {:?}: Permission denied (os error 13)\n\
                 hint: run it as a user who may read the file and enter its folder, or name \
                 another file with --db PATH\n",
                place.database()
            )
        );
    }
    mode(&place.database(), 0o644);
    is_unharmed(&place);
}
