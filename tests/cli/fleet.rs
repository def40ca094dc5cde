//! A dozen processes written by hand, each for the sake of one case, on 2024-05-01:
//!
//! | id | app, deployment, region | created, started, stopping, terminated | port | what for |
//! | --- | --- | --- | --- | --- |
//! | p01 | a, 7, Tokyo | 10:00:00 10:00:10 10:40:00 10:40:05 | h1:31000/udp | ends as it should |
//! | p02 | a, 7, Tokyo | 10:05:00 – – 10:06:00 | none | fails before its start |
//! | p03 | a, 8, Tokyo | 10:45:00 10:45:20 – 11:00:00 | h1:31000/udp | fails after; port 5m 15s after p01 |
//! | p04 | a, 8, Tokyo | 11:00:00 11:00:30 – – | h1:31000/udp | open; port 30 s after p03, held still |
//! | p05 | a, 7, London | 11:10:00 11:05:00 – 11:00:00 | h2:72941/tcp | times out of order |
//! | p06 | b, dep-blue, London | 23:55:00 23:55:05 (the day before) – 00:05:00 | h2:72941/tls | ends by itself |
//! | p07 | b, dep-blue, London | 11:20:00 11:20:10 – – | h2:72941/tcp | open; port after p05's |
//! | p08 | b, dep-blue, London | 11:15:00 11:15:10 – – | h2:31001/udp | lost, last seen 11:30 |
//! | p09 | a, 8, Tokyo | 10:50:00 10:50:05 11:20:00 11:20:10 | h1:31002/tcp | ends as it should |
//! | p10 | a, 8, Tokyo | 11:19:00 11:19:40 12:00:00 12:00:04 | h1:31002/tcp | port 30 s before p09 left it |
//! | p11 | b, 9, Mars | 12:20:00 – – – | none | unknown region, status and fields |
//! | p12 | b, 9, Mars | 12:00:00 12:00:05 – – | h3:1/udp, h3:2/tls | failed, no end given |

use serde_json::{Value, json};

use crate::place::Place;

/// What three looks saw, at 10:30, 11:30 and 12:30.
pub fn looks() -> Vec<Value> {
    let udp = |host: &str, port: i64| at_port(host, port, "udp");
    let tcp = |host: &str, port: i64| at_port(host, port, "tcp");
    let p01 = process(
        "p01",
        "a",
        json!(7),
        "Tokyo",
        ["10:00:00", "10:00:10", "", ""],
    );
    let p04 = with(
        process(
            "p04",
            "a",
            json!(8),
            "Tokyo",
            ["11:00:00", "11:00:30", "", ""],
        ),
        json!({"status": "running", "exposedPort": udp("h1", 31000)}),
    );
    let p10 = process(
        "p10",
        "a",
        json!(8),
        "Tokyo",
        ["11:19:00", "11:19:40", "", ""],
    );
    let p10 = with(
        p10,
        json!({"status": "running", "exposedPort": tcp("h1", 31002)}),
    );
    vec![
        json!({"observedAt": "2024-05-01T10:30:00Z", "processes": [
            with(p01.clone(), json!({
                "status": "running", "roomsAllocated": 2, "exposedPort": udp("h1", 31000),
            })),
            with(
                process("p02", "a", json!(7), "Tokyo", ["10:05:00", "", "", "10:06:00"]),
                json!({"status": "failed"}),
            ),
            with(
                process("p06", "b", json!("dep-blue"), "London", ["", "", "", "00:05:00"]),
                json!({
                    "status": "stopped", "exposedPort": at_port("h2", 72941, "tls"),
                    "createdAt": "2024-04-30T23:55:00Z", "startedAt": "2024-04-30T23:55:05Z",
                }),
            ),
        ]}),
        json!({"observedAt": "2024-05-01T11:30:00Z", "processes": [
            // Its port is gone from the record; that it held it is not.
            with(p01, json!({
                "status": "stopped", "stoppingAt": "2024-05-01T10:40:00Z",
                "terminatedAt": "2024-05-01T10:40:05Z", "exposedPort": null,
            })),
            with(
                process("p03", "a", json!(8), "Tokyo", ["10:45:00", "10:45:20", "", "11:00:00"]),
                json!({"status": "failed", "exposedPort": udp("h1", 31000)}),
            ),
            with(p04.clone(), json!({"roomsAllocated": 1})),
            with(
                process("p05", "a", json!(7), "London", ["11:10:00", "11:05:00", "", "11:00:00"]),
                json!({"status": "failed", "exposedPort": tcp("h2", 72941)}),
            ),
            p07(),
            with(
                process("p08", "b", json!("dep-blue"), "London", ["11:15:00", "11:15:10", "", ""]),
                json!({"status": "running", "exposedPort": udp("h2", 31001)}),
            ),
            with(
                process("p09", "a", json!(8), "Tokyo",
                        ["10:50:00", "10:50:05", "11:20:00", "11:20:10"]),
                json!({"status": "stopped", "exposedPort": tcp("h1", 31002)}),
            ),
            p10.clone(),
        ]}),
        json!({"observedAt": "2024-05-01T12:30:00Z", "processes": [
            with(p04, json!({"roomsAllocated": 3})),
            p07(),
            with(p10, json!({
                "status": "stopped", "stoppingAt": "2024-05-01T12:00:00Z",
                "terminatedAt": "2024-05-01T12:00:04Z",
            })),
            p11(),
            with(
                process("p12", "b", json!(9), "Mars", ["12:00:00", "12:00:05", "", ""]),
                json!({
                    "status": "failed",
                    "additionalExposedPorts": [udp("h3", 1), at_port("h3", 2, "tls")],
                }),
            ),
        ]}),
    ]
}

/// What was seen at 12:45 of app b, all of which that was alive: p08 is missing.
pub fn complete_look() -> Value {
    json!({"observedAt": "2024-05-01T12:45:00Z", "processes": [p07(), p11()]})
}

fn p07() -> Value {
    with(
        process(
            "p07",
            "b",
            json!("dep-blue"),
            "London",
            ["11:20:00", "11:20:10", "", ""],
        ),
        json!({"status": "running", "exposedPort": at_port("h2", 72941, "tcp")}),
    )
}

fn p11() -> Value {
    with(
        process("p11", "b", json!(9), "Mars", ["12:20:00", "", "", ""]),
        json!({"status": "hatching", "hosting": {"kind": "bare"}, "fleetId": null}),
    )
}

/// A record; its times are those of created, started, stopping and terminated on the day.
pub fn process(id: &str, app: &str, deployment: Value, region: &str, times: [&str; 4]) -> Value {
    let time = |text: &str| match text {
        "" => Value::Null,
        time => json!(format!("2024-05-01T{time}Z")),
    };
    json!({
        "processId": id, "appId": app, "deploymentId": deployment, "region": region,
        "status": "starting", "roomsAllocated": 0, "roomsPerProcess": 3,
        "createdAt": time(times[0]), "startedAt": time(times[1]),
        "stoppingAt": time(times[2]), "terminatedAt": time(times[3]),
        "exposedPort": null, "additionalExposedPorts": [],
    })
}

pub fn at_port(host: &str, port: i64, transport: &str) -> Value {
    json!({"host": host, "port": port, "name": "game", "transportType": transport})
}

/// The record with some of its fields set otherwise.
pub fn with(mut record: Value, changes: Value) -> Value {
    record
        .as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    record
}

/// One value a line.
pub fn ndjson(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// A place whose history holds all of the above.
pub fn recorded() -> Place {
    let place = Place::new();
    place.write("looks.ndjson", ndjson(&looks()));
    place.write("complete.ndjson", ndjson(&[complete_look()]));
    place.run(&["import", "looks.ndjson"]).ok();
    place
        .run(&["import", "--complete", "--app-id", "b", "complete.ndjson"])
        .ok();
    place
}
