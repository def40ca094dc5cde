//! `sync` against servers that mean it ill: how it ends, what the next run finds, and where the token
//! is not.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::place::{Place, Ran};
use crate::script::{Reply, Script, error, ok, process};

const TOKEN: &str = "a-Secret.of_the-tests+0123/45=";

fn sync(place: &Place, base_url: &str, more: &[&str]) -> Command {
    let args = [&["sync", "--app-id", "a", "--base-url", base_url], more].concat();
    let mut command = place.command(&args);
    command.env("HATHORA_TOKEN", TOKEN);
    command
}

fn synced(place: &Place, base_url: &str, more: &[&str]) -> Ran {
    Ran::from(sync(place, base_url, more).output().unwrap())
}

fn well(path: &str) -> Reply {
    let running = process("p", "Tokyo", "running", 10);
    if path.contains("/list/") {
        ok(&json!([running]))
    } else {
        ok(&running)
    }
}

/// What the record says, but for when it was said.
fn record(place: &Place) -> Vec<Value> {
    place.rows(&[
        "sql",
        "SELECT process_id, outcome, version, created_at FROM processes",
    ])
}

#[test]
fn however_ill_a_server_means_it_a_run_ends_and_the_next_goes_on() {
    type Bad = fn(&str) -> Reply;
    let cases: [(&str, Bad, &str, &str); 6] = [
        (
            "hung",
            |_| Reply::Hang,
            "the run was over before a could be looked at",
            "500ms",
        ),
        (
            "dripping",
            |_| Reply::Drip,
            "the run was over before a could be looked at",
            "500ms",
        ),
        (
            "endless",
            |_| Reply::Endless,
            "answered more than 16777216 bytes",
            "1m",
        ),
        (
            "refusing",
            |_| error(401),
            "refused the token (HTTP 401)",
            "1m",
        ),
        ("busy", |_| error(503), "HTTP 503", "2s"),
        // A wait that is longer than the run is not begun.
        (
            "limiting",
            |_| {
                Reply::With(
                    429,
                    vec!["retry-after: 86400".to_owned()],
                    "later".to_owned(),
                )
            },
            "answered HTTP 429: later",
            "1m",
        ),
    ];
    for (name, bad, says, deadline) in cases {
        let script = Script::new(well);
        let place = Place::new();
        synced(&place, &script.base_url, &[]).ok();
        let before = record(&place);
        script.becomes(bad);
        let ran = synced(&place, &script.base_url, &["--deadline", deadline]).ended(1);
        assert!(ran.stderr.contains(says), "{name}: {ran:?}");
        let status = place.rows(&["status"])[0].clone();
        assert_eq!(status["last_run"]["result"], "failed", "{name}");
        assert_eq!(status["failed_syncs_in_a_row"], 1, "{name}");
        assert_eq!(status["last_complete_sync"]["run_id"], 1, "{name}");
        script.becomes(well);
        let after = synced(&place, &script.base_url, &[]).ok();
        assert_eq!(
            (after.stdout.as_str(), after.stderr.as_str()),
            ("", ""),
            "{name}"
        );
        assert_eq!(record(&place), before, "{name}");
        assert_eq!(
            place.rows(&["status"])[0]["failed_syncs_in_a_row"],
            0,
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_killed_sync_is_in_the_ledger_and_the_next_one_goes_on() {
    let script = Script::new(well);
    let place = Place::new();
    synced(&place, &script.base_url, &[]).ok();
    let before = record(&place);
    script.becomes(|_| Reply::Hang);
    script.asked();
    let mut child = sync(&place, &script.base_url, &[])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while script.asked().is_empty() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it asked"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let status = place.rows(&["status"])[0].clone();
    assert_eq!(status["last_run"]["result"], "unfinished");
    script.becomes(well);
    synced(&place, &script.base_url, &[]).ok();
    assert_eq!(record(&place), before);
    let runs = place.rows(&["sql", "SELECT result FROM sync_runs ORDER BY run_id"]);
    let results: Vec<_> = runs.iter().map(|run| &run["result"]).collect();
    assert_eq!(results, ["complete", "unfinished", "complete"]);
}

/// Every file of a folder that holds the token.
fn holding_token(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            if bytes
                .windows(TOKEN.len())
                .any(|window| window == TOKEN.as_bytes())
            {
                found.push(path);
            }
        }
    }
    found
}

/// A server may send the token back wherever it likes.
#[test]
fn the_token_is_found_nowhere() {
    let elsewhere = format!("location: http://elsewhere.example/?token={TOKEN}");
    type Answer = Box<dyn Fn(&str) -> Reply + Send>;
    let replies: Vec<(&str, Answer, i32)> = vec![
        (
            "an error",
            Box::new(|_| {
                let message = json!({"message": format!("{TOKEN} is no good")});
                Reply::With(401, vec![], message.to_string())
            }),
            1,
        ),
        (
            "an error by somebody who escapes slashes",
            Box::new(|_| {
                let message = json!({"message": format!("{TOKEN} is no good")}).to_string();
                Reply::With(403, vec![], message.replace('/', "\\/"))
            }),
            1,
        ),
        (
            "a link",
            Box::new(|_| {
                Reply::With(
                    500,
                    vec![],
                    "see ?t=a-Secret.of_the-tests%2B0123%2F45%3D".into(),
                )
            }),
            1,
        ),
        (
            "a page",
            Box::new(|_| Reply::With(500, vec![], format!("Authorization: Bearer {TOKEN}"))),
            1,
        ),
        (
            "a redirect",
            Box::new(move |_| Reply::With(302, vec![elsewhere.clone()], TOKEN.to_owned())),
            1,
        ),
        (
            "records, good and bad",
            Box::new(|path| {
                if !path.contains("/list/") {
                    return error(404);
                }
                let mut good = process(TOKEN, "Tokyo", "running", 10);
                good["debug"] = json!({"headers": [TOKEN], TOKEN: 1});
                let bad = json!({"processId": "bad", "token": TOKEN});
                ok(&json!([good, bad]))
            }),
            3,
        ),
        (
            "records in escapes",
            Box::new(|path| {
                if !path.contains("/list/") {
                    return error(404);
                }
                let mut good = process("p", "Tokyo", "running", 10);
                good["debug"] = json!({"headers": [TOKEN]});
                let bad = json!({"processId": "bad", "token": TOKEN});
                let body = json!([good, bad]).to_string();
                Reply::With(
                    200,
                    vec![],
                    body.replace('/', "\\/").replace("-S", "\\u002dS"),
                )
            }),
            3,
        ),
    ];
    for (what, reply, code) in replies {
        let script = Script::new(reply);
        for format in ["text", "json"] {
            let place = Place::new();
            let more = ["-vvv", "--log-format", format, "--deadline", "2s"];
            let ran = synced(&place, &script.base_url, &more).ended(code);
            assert!(ran.stderr.lines().count() > 1, "{what}: {ran:?}");
            let said = ran.stdout + &ran.stderr;
            assert!(!said.contains("a-Secret.of_the"), "{what}: {said}");
            assert!(!said.to_lowercase().contains("bearer a-"), "{what}: {said}");
            assert_eq!(holding_token(place.folder()), [] as [&Path; 0], "{what}");
        }
    }
}

/// The same of the WAL, which a run that ends as it should leaves empty: one app is recorded, and the
/// run is killed while it waits for the other.
#[cfg(unix)]
#[test]
fn the_token_is_not_in_the_wal() {
    let script = Script::new(|path| match path {
        path if path.contains("/v2/a/list/") => {
            let mut good = process("p", "Tokyo", "running", 10);
            good["debug"] = json!(TOKEN);
            ok(&json!([good]))
        }
        _ => Reply::Hang,
    });
    let place = Place::new();
    let mut child = sync(&place, &script.base_url, &["--app-id", "b"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !script.asked().iter().any(|path| path.contains("/v2/b/")) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it asked"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let wal = std::fs::read(place.path("history.db-wal")).unwrap();
    assert!(
        wal.windows(5).any(|window| window == b"debug"),
        "the record is not in the WAL"
    );
    assert_eq!(holding_token(place.folder()), [] as [&Path; 0]);
}

/// Proxies come from the usual variables; the server of the test is the proxy.
#[test]
fn a_proxy_is_used_where_the_environment_names_one() {
    let script = Script::new(well);
    let place = Place::new();
    let ran = sync(&place, "http://fleet.example", &["--allow-http"])
        .env("http_proxy", &script.base_url)
        .output()
        .unwrap();
    Ran::from(ran).ok();
    assert_eq!(
        script.asked(),
        ["http://fleet.example/processes/v2/a/list/latest"]
    );
    // Not for the machine itself, whose proxy would look on its own.
    let direct = Script::new(well);
    let ran = sync(&place, &direct.base_url, &[])
        .env("http_proxy", &script.base_url)
        .env("HTTP_PROXY", &script.base_url)
        .output()
        .unwrap();
    Ran::from(ran).ok();
    assert_eq!((script.asked().len(), direct.asked().len()), (0, 1));
}
