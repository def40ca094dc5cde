//! Input that somebody made to do harm: what it costs is bounded, nothing panics, and whatever stands
//! beside it is recorded.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "cli/place.rs"]
#[allow(dead_code)] // each test file uses some of it
mod place;
#[path = "hostile/records.rs"]
mod records;
#[path = "hostile/round_trip.rs"]
mod round_trip;
#[path = "hostile/strange_text.rs"]
mod strange_text;

use serde_json::{Value, json};

/// A process that nothing is wrong with.
fn process(id: &str) -> Value {
    json!({
        "processId": id, "appId": "a", "deploymentId": 1, "region": "Tokyo", "status": "running",
        "roomsAllocated": 1, "roomsPerProcess": 2, "createdAt": "2024-05-01T00:00:00.000Z",
        "startedAt": null, "stoppingAt": null, "terminatedAt": null, "exposedPort": null,
        "additionalExposedPorts": [],
    })
}

/// The same with other values, or further fields.
fn with(mut record: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}
