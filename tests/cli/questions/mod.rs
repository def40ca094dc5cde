//! Every question, with answers worked out by hand from the table in `fleet.rs`.

use serde_json::{Value, json};

use crate::fleet::recorded;

mod bursts;
mod edges;
mod failures;
mod fleet;
mod lifetimes;
mod looks;
mod ports;
mod rollout;
mod running;
mod windows;

const S: i64 = 1_000;

fn day(time: &str) -> String {
    format!("2024-05-01T{time}.000Z")
}

/// The values of some fields, row by row.
fn columns(rows: &[Value], fields: &[&str]) -> Vec<Vec<Value>> {
    rows.iter()
        .map(|row| fields.iter().map(|field| row[field].clone()).collect())
        .collect()
}

#[track_caller]
fn assert_columns(rows: &[Value], fields: &[&str], expected: Value) {
    assert_eq!(json!(columns(rows, fields)), expected, "{rows:#?}");
}
