//! `sync` against the simulated API, which `simulate` serves in a process of its own; `simulate`
//! itself; and what `demo` must not touch.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use prochist::model::{Gap, GapReason};
use prochist::simulator::{Fault, Faults};
use prochist::{Ending, RunKind, RunResult, Store};
use serde_json::{Value, json};

use crate::fleet::{looks, ndjson, recorded};
use crate::place::Place;
use crate::stub::stub;

/// A simulated API; ended when dropped.
struct Api {
    child: Child,
    base_url: String,
    app_id: String,
    token: String,
}

impl Api {
    fn serve(place: &Place, args: &[&str]) -> Self {
        let args = [&["simulate", "--listen", "127.0.0.1:0"], args].concat();
        let mut child = place
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        assert_eq!(said.as_object().unwrap().len(), 3, "{said}");
        Self {
            base_url: text("base_url"),
            app_id: text("app_id"),
            token: text("token"),
            child,
        }
    }

    fn sync(&self, place: &Place, more: &[&str]) -> crate::place::Ran {
        let args = [
            &[
                "sync",
                "--app-id",
                &self.app_id,
                "--base-url",
                &self.base_url,
            ],
            more,
        ]
        .concat();
        let mut command = place.command(&args);
        crate::place::Ran::from(command.env("HATHORA_TOKEN", &self.token).output().unwrap())
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sync_records_what_a_served_simulation_shows() {
    let place = Place::new();
    let mut api = Api::serve(&place, &["--concurrent", "30", "--seed", "5"]);
    let first = api.sync(&place, &["--format", "json"]).ok();
    let report = first.json();
    // The first look sweeps all windows: more than one list shows.
    assert!(report["processes_seen"].as_u64() > Some(30), "{report}");
    assert_eq!(report["processes_new"], report["processes_seen"]);
    assert_eq!(
        (&report["gaps"], &report["result"]),
        (&json!(0), &json!("complete"))
    );
    // Where even that leaves some out, it says so once.
    let notes = first.stderr.lines();
    assert!(
        notes
            .into_iter()
            .all(|line| line.starts_with("note: the record of app-")),
        "{first:?}"
    );
    // In a pipe and with nothing wrong, cron hears nothing.
    let second = api.sync(&place, &[]).ok();
    assert_eq!((second.stdout.as_str(), second.stderr.as_str()), ("", ""));

    let status = place.rows(&["status"])[0].clone();
    assert_eq!(status["last_run"]["kind"], "sync");
    assert_eq!(status["last_run"]["result"], "complete");
    assert_eq!(
        status["last_run"]["source"],
        format!("{} {}", api.base_url, api.app_id)
    );
    let ids = place.rows(&["sql", "SELECT process_id, app_id FROM processes"]);
    assert!(ids.len() >= 10);
    assert!(ids.iter().all(|row| row["app_id"] == *api.app_id));

    // The token may come from a file as well, and from the environment nothing else is needed.
    place.write("token", format!("{}\n", api.token));
    let ran = place
        .command(&["sync", "--token-file", "token"])
        .env("HATHORA_APP_ID", &api.app_id)
        .env("PROCHIST_BASE_URL", &api.base_url)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    for suffix in ["", "-wal"] {
        if let Ok(bytes) = std::fs::read(place.path(&format!("history.db{suffix}"))) {
            let token = api.token.as_bytes();
            assert!(
                !bytes.windows(token.len()).any(|w| w == token),
                "the token is in the file"
            );
        }
    }

    // Told to end, it ends well, and has said one line on standard output.
    #[cfg(unix)]
    {
        crate::place::signal(&api.child, "TERM");
        assert_eq!(api.child.wait().unwrap().code(), Some(0));
        let mut said = String::new();
        api.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("30 simulated processes"), "{said}");
        assert!(!said.contains(&api.token), "{said}");
    }
}

/// By the seed, so that what went wrong once does so again.
#[test]
fn simulate_lets_requests_go_wrong_as_asked() {
    let place = Place::new();
    let text = "rate_limit=0.5,unavailable=0.5";
    let faults: Faults = text.parse().unwrap();
    let mut api = Api::serve(&place, &["--seed", "5", "--faults", text]);
    let mut said = String::new();
    BufReader::new(api.child.stderr.as_mut().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert!(said.contains(&format!(" with faults {text};")), "{said}");
    for n in 0..8 {
        let address = api.base_url.replace("http://", "");
        let mut connection = TcpStream::connect(address).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: simulated\r\nConnection: close\r\n\r\n";
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let status = match faults.draw(5, n).unwrap() {
            Fault::RateLimit => "HTTP/1.1 429 ",
            _ => "HTTP/1.1 503 ",
        };
        assert!(answer.starts_with(status), "request {n}: {answer}");
    }
}

#[test]
fn a_simulated_archive_is_the_same_for_the_same_seed_and_can_be_imported() {
    let place = Place::new();
    let simulate = |to: &str, seed: &str| {
        let args = [
            "simulate",
            "--archive",
            to,
            "--hours",
            "1",
            "--interval",
            "5m",
            "--concurrent",
            "5",
            "--seed",
            seed,
        ];
        place.run(&args).ok()
    };
    let on_stdout = simulate("-", "3").stdout;
    simulate("a.ndjson", "3");
    simulate("b.ndjson", "4");
    let file = std::fs::read_to_string(place.path("a.ndjson")).unwrap();
    assert_eq!(file, on_stdout);
    assert_ne!(
        file,
        std::fs::read_to_string(place.path("b.ndjson")).unwrap()
    );
    let times: Vec<Value> = file
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["observedAt"].clone())
        .collect();
    assert_eq!(times.len(), 13);
    assert_eq!(times[0], "2024-05-01T00:00:00.000Z");
    assert_eq!(times[12], "2024-05-01T01:00:00.000Z");
    let report = place
        .run(&["import", "a.ndjson", "--format", "json"])
        .ok()
        .json();
    assert_eq!(report["snapshots"], 13);
    let shown: usize = file.matches("\"processId\"").count();
    assert_eq!(report["processes_seen"], shown);
}

/// Two looks at an API: p1 to p3 open, then what each test says.
fn looked_twice(second: fn(&str) -> (u16, String), more: &[&str]) -> (Place, crate::place::Ran) {
    let place = Place::new();
    let first = |path: &str| {
        assert!(path.starts_with("/processes/v2/a/list/latest"), "{path}");
        (200, page(&["p1", "p2", "p3"], "10:00:00"))
    };
    let sync = |url: String, more: &[&str]| {
        let args = [
            "sync",
            "--app-id",
            "a",
            "--base-url",
            &url,
            "--format",
            "json",
        ];
        let mut command = place.command(&[&args[..], more].concat());
        crate::place::Ran::from(command.env("HATHORA_TOKEN", "t").output().unwrap())
    };
    sync(stub(first), &[]).ok();
    let ran = sync(stub(second), more);
    (place, ran)
}

fn page(ids: &[&str], created: &str) -> String {
    let one = |id: &&str| crate::fleet::process(id, "a", json!(1), "Oslo", [created, "", "", ""]);
    json!(ids.iter().map(one).collect::<Vec<_>>()).to_string()
}

fn outcomes(place: &Place) -> Value {
    let query = "SELECT process_id, outcome FROM processes ORDER BY 1";
    let rows = place.rows(&["sql", query]);
    json!(
        rows.iter()
            .map(|row| (&row["process_id"], &row["outcome"]))
            .collect::<Vec<_>>()
    )
}

/// What was seen is stored, and the exit code tells that it is not all.
#[test]
fn a_process_that_could_not_be_asked_for_makes_a_run_partial_and_loses_nobody() {
    let second = |path: &str| match path {
        "/processes/v2/a/info/p2" => (200, "<html>try later</html>".to_owned()),
        "/processes/v2/a/info/p3" => (404, "{\"message\": \"no such process\"}".to_owned()),
        path if path.contains("/list/") => (200, page(&["p1", "p4"], "10:05:00")),
        path => panic!("{path} was not to be asked for"),
    };
    let (place, ran) = looked_twice(second, &[]);
    let ran = ran.ended(3);
    assert_eq!(
        (&ran.json()["processes_new"], &ran.json()["processes_lost"]),
        (&json!(1), &json!(1))
    );
    // Where one was forgotten, others may have been that were never seen.
    let warnings: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{ran:?}");
    assert!(
        warnings[0].starts_with("warning: 1 question about a got no answer: http"),
        "{ran:?}"
    );
    assert!(
        warnings[1].ends_with(
            " may have gone unseen; the API may have forgotten them since the look before: sync \
             more often; see `prochist coverage`"
        ),
        "{ran:?}"
    );
    assert_eq!(
        outcomes(&place),
        json!([
            ["p1", "open"],
            ["p2", "open"],
            ["p3", "lost"],
            ["p4", "open"]
        ])
    );
    assert_eq!(place.rows(&["status"])[0]["last_run"]["result"], "partial");
}

/// Ten rows and none of them known: others may have come and gone behind them.
#[test]
fn a_full_page_of_strangers_is_a_gap() {
    let second = |path: &str| match path {
        path if path.contains("/list/") => (
            200,
            page(
                &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
                "10:09:00",
            ),
        ),
        path => {
            let id = path.rsplit('/').next().unwrap();
            let row: Value = serde_json::from_str(&page(&[id], "10:00:00")).unwrap();
            (200, row[0].to_string())
        }
    };
    for (more, code) in [(&[][..], 0), (&["--fail-on-gap"], 3)] {
        let (place, ran) = looked_twice(second, more);
        let ran = ran.ended(code);
        assert_eq!(ran.json()["gaps"], 1);
        assert!(ran.stderr.starts_with("warning: processes of a created from 2024-05-01T10:00:00.000Z to 2024-05-01T10:09:00.001Z"), "{ran:?}");
        let gaps = place.rows(&["coverage"]);
        let gap = json!([[
            "2024-05-01T10:00:00.000Z",
            "2024-05-01T10:09:00.001Z",
            "app=a"
        ]]);
        let found: Vec<_> = gaps
            .iter()
            .map(|gap| (&gap["since"], &gap["until"], &gap["filter"]))
            .collect();
        assert_eq!(json!(found), gap);
    }
}

/// A record that a program made with the library, with a gap of two processes in it.
#[test]
fn gaps_are_told_by_every_question_that_they_touch() {
    let place = recorded();
    let at = |text: &str| text.parse().unwrap();
    let mut store = Store::open(&place.database()).unwrap();
    let seen_at = at("2024-05-01T11:45:00Z");
    let mut run = store.begin(RunKind::Library, "test", seen_at).unwrap();
    let mut snapshot = run.snapshot(seen_at).unwrap();
    snapshot
        .gap(&Gap {
            app_id: "a".into(),
            region: Some("Tokyo".into()),
            status: None,
            since: at("2024-05-01T11:30:00Z"),
            until: at("2024-05-01T11:44:00Z"),
            reason: GapReason::Page,
            hidden_at_least: Some(2),
        })
        .unwrap();
    snapshot.commit(&prochist::model::Extent::Partial).unwrap();
    run.finish(&Ending::new(seen_at, RunResult::Complete))
        .unwrap();
    drop(store);

    let gap = json!({"since": "2024-05-01T11:30:00.000Z", "until": "2024-05-01T11:44:00.000Z",
                     "filter": "app=a region=Tokyo", "hidden_at_least": 2, "reason": "page"});
    assert_eq!(json!(place.rows(&["coverage"])), json!([gap]));
    for (args, touched) in [
        (&["failures"][..], true),
        (&["failures", "--app", "a", "--region", "Tokyo"], true),
        (&["failures", "--app", "b"], false),
        (&["failures", "--region", "London"], false),
        // Which deployments are missing is unknown.
        (&["failures", "--deployment", "9"], true),
        // Half-open on both sides.
        (&["failures", "--until", "2024-05-01T11:30:00Z"], false),
        (&["failures", "--until", "2024-05-01T11:30:00.001Z"], true),
        (&["failures", "--since", "2024-05-01T11:43:59.999Z"], true),
        (
            &[
                "failures",
                "--since",
                "2024-05-01T11:44:00Z",
                "--until",
                "2024-05-01T12:45:00Z",
            ],
            false,
        ),
        (&["lifetimes"], true),
        (&["ports"], true),
        (&["ports", "--by", "host"], true),
        (&["ports", "--endpoint", "h1:31000"], true),
        (&["at", "2024-05-01T11:40:00Z"], true),
        (&["at", "2024-05-01T11:45:00Z"], false),
        (&["coverage"], true),
        (&["coverage", "--app", "b"], false),
    ] {
        let expected = if touched { json!([gap]) } else { json!([]) };
        assert_eq!(place.json(args)["coverage"]["gaps"], expected, "{args:?}");
        let ran = place.run(args).ok();
        let warned = ran
            .stderr
            .contains("warning: 1 gap in which processes may have gone unseen");
        assert_eq!(
            warned,
            touched && args[0] != "coverage",
            "{args:?}: {ran:?}"
        );
        place
            .run(&[args, &["--fail-on-gap"]].concat())
            .ended(if touched { 3 } else { 0 });
    }
    let status = place.rows(&["status"])[0].clone();
    assert_eq!(
        (&status["gaps"], &status["hidden_at_least"]),
        (&json!(1), &json!(2))
    );
    let table = place.run(&["coverage"]).ok().stdout;
    assert!(table.starts_with("recorded from 2024-05-01T10:30:00.000Z to 2024-05-01T12:45:00.000Z\nruns: 3 complete, 0 partial, 0 failed, 0 unfinished\n"), "{table}");
}

#[test]
fn a_demo_leaves_every_other_history_alone() {
    let place = Place::new();
    place.write("looks", ndjson(&looks()));
    place
        .run(&["import", "looks", "--db", "prochist-demo.db"])
        .ok();
    let before = std::fs::read(place.path("prochist-demo.db")).unwrap();
    for args in [&["demo"][..], &["demo", "--db", "prochist-demo.db"]] {
        let mut command = place.command(args);
        if args.len() == 1 {
            command.env_remove("PROCHIST_DB");
        }
        let ran = crate::place::Ran::from(command.output().unwrap()).ended(1);
        assert_eq!(ran.stdout, "");
        assert_eq!(
            ran.stderr,
            "error: \"prochist-demo.db\" holds a history that is not a demo's\n\
             hint: name another file with --db PATH\n"
        );
    }
    assert_eq!(
        std::fs::read(place.path("prochist-demo.db")).unwrap(),
        before
    );
    place.write("notes.txt", "dear diary");
    place.run(&["demo", "--db", "notes.txt"]).ended(1);
    assert_eq!(
        std::fs::read(place.path("notes.txt")).unwrap(),
        b"dear diary"
    );
}

/// An hour of the demo, debug build: it records over HTTP, tells of it, and leaves a file that
/// answers; a second one replaces it. A history that the environment names stays out of it.
#[test]
fn a_demo_records_a_fleet_answers_and_can_be_run_again() {
    let place = Place::new();
    for _ in 0..2 {
        let ran = place.run(&["demo", "--hours", "1"]).ok();
        for part in [
            "Recorded 1 simulated hour of app-",
            "60 looks",
            "Did failures rise with a deployment?",
            "Who held ",
            "What may be missing: ",
            "--db prochist-demo.db rollout --by region",
        ] {
            assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
        }
        let runs = place.run(&[
            "sql",
            "--db",
            "prochist-demo.db",
            "--format",
            "csv",
            "SELECT result, count(*) FROM sync_runs GROUP BY 1",
        ]);
        assert_eq!(runs.ok().stdout, "result,count(*)\ncomplete,60\n");
    }
    assert!(!place.database().exists());
}

/// A record dated into the future sorts first on every page and is on record from the first look
/// on. That says nothing of how far back a page reaches.
#[test]
fn a_known_process_dated_wrongly_does_not_prove_a_page() {
    let second = |path: &str| {
        if path.contains("/list/") {
            let mut rows: Vec<Value> = serde_json::from_str(&page(
                &["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"],
                "10:05:00",
            ))
            .unwrap();
            let mut known: Value = serde_json::from_str(&page(&["p1"], "10:00:00")).unwrap();
            known[0]["createdAt"] = json!("2099-01-01T00:00:00Z");
            rows.push(known[0].take());
            (200, json!(rows).to_string())
        } else {
            let id = path.rsplit('/').next().unwrap();
            let row: Value = serde_json::from_str(&page(&[id], "10:00:00")).unwrap();
            (200, row[0].to_string())
        }
    };
    let (_, ran) = looked_twice(second, &[]);
    assert_eq!(ran.ok().json()["gaps"], 1);
}

/// A pipe that says nothing for a while keeps nobody from recording.
#[test]
fn an_import_that_waits_for_input_does_not_hold_the_file() {
    use std::io::Write;
    use std::process::Stdio;

    let place = Place::new();
    let lines = ndjson(&looks());
    // Three lines: the first is recorded once the second is there, which is read one ahead.
    let cut = lines.match_indices('\n').nth(2).unwrap().0 + 1;
    let (first, rest) = lines.split_at(cut);
    let mut waiting = place
        .command(&["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = waiting.stdin.take().unwrap();
    input.write_all(first.as_bytes()).unwrap();
    let recorded = || {
        let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(place.database(), read_only).ok()?;
        db.query_row("SELECT count(*) FROM snapshot", [], |row| {
            row.get::<_, i64>(0)
        })
        .ok()
    };
    while recorded().unwrap_or(0) == 0 {
        assert!(waiting.try_wait().unwrap().is_none());
    }
    place.write("other", &lines);
    place.run(&["import", "other"]).ok();
    input.write_all(rest.as_bytes()).unwrap();
    drop(input);
    assert!(waiting.wait().unwrap().success());
    let results = place.rows(&["sql", "SELECT result FROM sync_runs ORDER BY run_id"]);
    assert_eq!(
        json!(results),
        json!([{"result": "complete"}, {"result": "complete"}])
    );
}
