//! The JSON of `ProcessV2`: what goes in comes back out, and what cannot be kept is refused by name.

use prochist::model::{Deployment, Outcome};
use prochist::source::wire::{parse_process, write_process};
use serde_json::{Value, json};

const EXAMPLE: &str = include_str!("fixtures/processv2-example.json");

fn example() -> Value {
    serde_json::from_str(EXAMPLE).expect("the example is JSON")
}

fn example_with(name: &str, value: Value) -> String {
    let mut record = example();
    record[name] = value;
    record.to_string()
}

fn example_without(name: &str) -> String {
    let mut record = example();
    record.as_object_mut().expect("an object").remove(name);
    record.to_string()
}

#[test]
fn the_documented_example_survives_a_round_trip() {
    let process = parse_process(EXAMPLE).expect("the documented example is valid");
    assert_eq!(
        process.exposed_port.as_ref().map(|port| port.port),
        Some(72941)
    );
    assert_eq!(Outcome::of(&process), Outcome::Failed);
    // Its times run backwards; it is kept as it came.
    assert!(process.terminated_at < process.started_at);
    assert!(process.started_at < Some(process.created_at));
    let written: Value = serde_json::from_str(&write_process(&process)).expect("JSON");
    assert_eq!(written, example());
}

#[test]
fn times_come_back_in_utc_cut_to_the_millisecond() {
    for (sent, written) in [
        ("2024-05-01T00:00:00Z", "2024-05-01T00:00:00.000Z"),
        ("2024-05-01T00:00:00.1239999Z", "2024-05-01T00:00:00.123Z"),
        ("2024-05-01T02:00:00+02:00", "2024-05-01T00:00:00.000Z"),
    ] {
        let process = parse_process(&example_with("createdAt", json!(sent))).expect("valid");
        let value: Value = serde_json::from_str(&write_process(&process)).expect("JSON");
        assert_eq!(value["createdAt"], written, "{sent}");
    }
}

#[test]
fn what_is_not_understood_comes_back_out() {
    let cases = [
        ("fleetId", r#"{"b":[1,{"c":null}],"a":"é\n"}"#),
        ("seq", "123456789012345678901234567890.10"),
        ("huge", "1e400"),
        ("ratio", "0.1000"),
        ("hosting", r#""bare \"metal\"""#),
        ("summaryExitReason", "null"),
        ("", "true"),
    ];
    for (name, json) in cases {
        let record = EXAMPLE.replacen('{', &format!("{{{}:{json},", json!(name)), 1);
        let process = parse_process(&record).expect(name);
        let written = write_process(&process);
        let again = parse_process(&written).expect(name);
        assert_eq!(again, process, "{name}");
        assert_eq!(again.extra.get(name), process.extra.get(name));
        if !json.starts_with('{') {
            assert!(
                written.contains(&format!("{}:{json}", json!(name))),
                "{written}"
            );
        }
    }
}

#[test]
fn unknown_fields_of_ports_come_back_out() {
    let port = json!({"host": "h", "port": 1, "name": "n", "transportType": "quic", "v6": [true]});
    let process = parse_process(&example_with("exposedPort", port.clone())).expect("valid");
    let written: Value = serde_json::from_str(&write_process(&process)).expect("JSON");
    assert_eq!(written["exposedPort"], port);
}

#[test]
fn open_enums_and_wide_numbers_are_kept() {
    for (name, value) in [
        ("region", json!("Atlantis")),
        ("status", json!("hibernating")),
        ("deploymentId", json!("dep-17")),
        ("deploymentId", json!(i64::MAX)),
        ("roomsAllocated", json!(-1)),
        ("startedAt", Value::Null),
        ("exposedPort", Value::Null),
        ("additionalExposedPorts", json!([])),
    ] {
        let process = parse_process(&example_with(name, value.clone())).expect(name);
        let written: Value = serde_json::from_str(&write_process(&process)).expect("JSON");
        assert_eq!(written[name], value, "{name}");
    }
    let text = parse_process(&example_with("deploymentId", json!("42"))).expect("valid");
    assert_eq!(text.deployment_id, Deployment::Name("42".into()));
}

#[test]
fn what_encoders_leave_out_when_it_is_empty_may_be_missing() {
    for name in [
        "startedAt",
        "stoppingAt",
        "terminatedAt",
        "exposedPort",
        "additionalExposedPorts",
    ] {
        parse_process(&example_without(name)).expect(name);
        parse_process(&example_with(name, Value::Null)).expect(name);
    }
}

#[test]
fn errors_name_the_field() {
    let mut cases: Vec<(&str, String)> = Vec::new();
    for name in [
        "processId",
        "appId",
        "deploymentId",
        "region",
        "status",
        "roomsAllocated",
        "roomsPerProcess",
        "createdAt",
    ] {
        cases.push((name, example_without(name)));
        cases.push((name, example_with(name, Value::Null)));
        cases.push((name, example_with(name, json!([{}]))));
        let twice = format!("{{{}:{},", json!(name), example()[name]);
        cases.push((name, EXAMPLE.replacen('{', &twice, 1)));
    }
    for (name, value) in [
        ("startedAt", json!("soon")),
        ("startedAt", json!(1_714_521_600)),
        ("roomsAllocated", json!("1")),
        ("roomsPerProcess", json!(1.5)),
        ("deploymentId", json!(u64::MAX)),
        ("exposedPort", json!([])),
        ("additionalExposedPorts", json!({})),
    ] {
        cases.push((name, example_with(name, value)));
    }
    let port = json!({"host": "h", "port": "80", "name": "n", "transportType": "tcp"});
    cases.push(("exposedPort: port", example_with("exposedPort", port)));
    cases.push((
        "fleet",
        EXAMPLE.replacen('{', r#"{"fleet":1,"fleet":2,"#, 1),
    ));
    for (name, record) in cases {
        let error = parse_process(&record).expect_err(&record).to_string();
        assert!(error.contains(name), "{name}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn no_text_panics() {
    let whole = EXAMPLE.trim();
    for end in 0..whole.len() {
        if let Some(cut) = whole.get(..end) {
            assert!(parse_process(cut).is_err(), "{cut}");
        }
    }
    let deep = format!(r#"{{"x":{}"#, "[".repeat(200_000));
    assert!(parse_process(&deep).is_err());
    for text in ["", "null", "[]", "{}", "\"\"", "1", "{\"processId\"", "\0"] {
        assert!(parse_process(text).is_err(), "{text}");
    }
}
