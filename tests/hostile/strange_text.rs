//! Text that would steer a terminal, turn the direction of writing, hide, or end a cell: it is stored
//! whole, comes out of JSON as it went in, and is nowhere shown to people as it is.

use serde_json::{Value, json};

use crate::place::{Place, Ran};
use crate::{process, with};

/// Colours and a cleared screen, C1 controls, directions, what is invisible, HTML, cells and lines.
const STRANGE: &str = "\u{1b}[31m\u{1b}[2J\u{9b}1m\u{7f}\u{8}\r\n\t\u{202e}\u{2066}\u{200b}\u{200d}\u{2060}\
    \u{feff}\u{ad}\u{2028}\u{e0041}|<b>`\"'\\\u{1f600}";

fn strange(name: &str) -> String {
    format!("{name}{STRANGE}")
}

fn record() -> Value {
    let port = json!({
        "host": strange("host"), "port": 1, "name": strange("name"),
        "transportType": strange("udp"), strange("more"): strange("x"),
    });
    with(
        process(&strange("p")),
        json!({
            "appId": strange("app"), "deploymentId": strange("dep"), "region": strange("region"),
            "status": strange("status"), "startedAt": "2024-05-01T00:00:05.000Z",
            "exposedPort": port, "additionalExposedPorts": [port], strange("field"): strange("y"),
        }),
    )
}

#[track_caller]
fn is_safe(text: &str, of: &[&str]) {
    let bad = text.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    });
    assert_eq!(bad, None, "{of:?}: {text}");
}

#[test]
fn nothing_that_is_shown_to_people_steers_a_terminal() {
    let place = Place::new();
    let id = strange("p");
    let other = with(record(), json!({"processId": "other", "status": "failed"}));
    let bad = json!({"processId": STRANGE, "why": STRANGE});
    // The file has such a name, too, as far as a file may.
    let file = format!("{}.ndjson", STRANGE.replace(['\n', '\\'], ""));
    let looks = format!(
        "{}\n{bad}\n{}\n",
        json!({"observedAt": "2024-05-01T00:01:00Z", "processes": [record(), other]}),
        json!({"observedAt": "2024-05-01T00:02:00Z", "processes": []}),
    );
    place.write(&file, looks);
    let imported = place.run(&["import", &file, "--complete"]).ended(3);
    is_safe(&imported.stderr, &["import"]);
    is_safe(&imported.stdout, &["import"]);
    assert!(imported.stderr.contains("set aside: "), "{imported:?}");
    let (app, dep, host) = (strange("app"), strange("dep"), strange("host:1"));
    let endpoint = strange("host") + ":1";
    let commands: &[&[&str]] = &[
        &["history", &id],
        &["history", "other"],
        &["at", "2024-05-01T00:01:00Z"],
        &[
            "at",
            "2024-05-01T00:01:00Z",
            "--by",
            "app,region,deployment",
        ],
        &["lifetimes", "--by", "app,region,deployment"],
        &["lifetimes", "--longer-than", "1ms"],
        &["lifetimes", "--zombies"],
        &["failures", "--by", "app,region,deployment"],
        &["failures", "--bursts", "--by", "app,region,deployment"],
        &["failures", "--region", "nowhere"],
        &["failures", "--app", &app, "--deployment", &dep],
        &["failures", "--app", STRANGE],
        &["ports"],
        &["ports", "--by", "host"],
        &["ports", "--conflicts"],
        &["ports", "--within", "1h"],
        &["ports", "--endpoint", &endpoint],
        &["ports", "--endpoint", &host],
        &["concurrency", "--by", "app,region,deployment"],
        &["usage", "--by", "app,region,deployment"],
        &["rooms", "--by", "app,region,deployment"],
        &["rollout"],
        &["rollout", "--over-time"],
        &["coverage"],
        &["status"],
        &["sql", "SELECT * FROM processes"],
        &["sql", "SELECT * FROM port_holds"],
        &["sql", "SELECT * FROM set_aside"],
        &["sql", "SELECT * FROM sync_runs"],
        &["sql", "SELECT raw AS \"\u{1b}[31m\u{202e}\" FROM set_aside"],
        &["sql", "SELECT nothing\u{1b}[31m FROM processes"],
    ];
    for args in commands {
        for format in ["table", "markdown"] {
            let ran: Ran = place.run(&[*args, &["--format", format]].concat());
            assert!(ran.code.is_some_and(|code| code <= 3), "{args:?}: {ran:?}");
            assert!(!ran.stderr.contains("panicked"), "{args:?}: {ran:?}");
            is_safe(&ran.stdout, args);
            is_safe(&ran.stderr, args);
            if format == "markdown" {
                assert!(!ran.stdout.contains("<b>"), "{args:?}: {ran:?}");
            }
        }
    }
    // Several of these show something of it, or nothing was shown.
    let shown = place.run(&["history", &id]).ok().stdout;
    assert!(
        shown.contains("\\u{1b}[31m") && shown.contains("\\u{202e}"),
        "{shown}"
    );
}

#[test]
fn json_gives_back_what_came() {
    let place = Place::new();
    place.write("one.json", record().to_string());
    place
        .run(&["import", "one.json", "--observed-at", "2024-05-01"])
        .ok();
    let history = place.json(&["history", &strange("p")]);
    let row = &history["rows"][0];
    let came = record();
    for (key, name) in [
        ("app_id", "appId"),
        ("deployment_id", "deploymentId"),
        ("region", "region"),
        ("status", "status"),
        ("exposed_port", "exposedPort"),
        ("additional_exposed_ports", "additionalExposedPorts"),
    ] {
        assert_eq!(row[key], came[name], "{key}");
    }
    assert_eq!(history["process_id"], came["processId"]);
    assert_eq!(row["extra"][strange("field")], strange("y"));
}
