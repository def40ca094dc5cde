//! Do two programs give the same answer? Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The rows of an answer.
pub type Rows = Vec<Map<String, Value>>;

/// How far two numbers of one meaning may lie apart.
const MILLIS: f64 = 1.0;
const RATE: f64 = 1e-9;

/// Says where `theirs` is not what `ours` is, in the fields that `theirs` has; nothing if all is the
/// same. Rows are told apart by `keys`. Counts must be the same, lengths within a millisecond.
pub fn difference(keys: &[&str], ours: &Rows, theirs: &Rows) -> Option<String> {
    let key = |row: &Map<String, Value>| -> Vec<String> {
        keys.iter()
            .map(|key| row.get(*key).unwrap_or(&Value::Null).to_string())
            .collect()
    };
    let by_key: BTreeMap<_, _> = ours.iter().map(|row| (key(row), row)).collect();
    if ours.len() != theirs.len() || by_key.len() != ours.len() {
        return Some(format!("{} rows beside {}", ours.len(), theirs.len()));
    }
    for row in theirs {
        let Some(same) = by_key.get(&key(row)) else {
            return Some(format!("only one of the two has {:?}", key(row)));
        };
        for (field, value) in row {
            let other = same.get(field).unwrap_or(&Value::Null);
            if !is_same(field, other, value) {
                return Some(format!("{field} of {:?}: {other} beside {value}", key(row)));
            }
        }
    }
    None
}

fn is_same(field: &str, a: &Value, b: &Value) -> bool {
    let within = match field {
        "rate" => RATE,
        _ if field.ends_with("_ms") => MILLIS,
        _ => return a == b,
    };
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= within,
        _ => a == b,
    }
}
