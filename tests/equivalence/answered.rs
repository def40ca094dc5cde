//! Questions put to the program, and what it answers held against what is expected.

use std::collections::{BTreeMap, BTreeSet};

use prochist::model::Process;
use serde_json::{Value, json};

use crate::known::{Span, time};
use crate::place::Place;
use crate::truth::HOUR_MS;

/// What `--by` may name, and the field that carries it.
const KEYS: [(&str, &str); 5] = [
    ("app", "app_id"),
    ("region", "region"),
    ("deployment", "deployment_id"),
    ("day", "day"),
    ("hour", "hour"),
];

/// The group of a process that belongs to a moment: field by field, as in a row.
pub fn group(by: &str, process: &Process, moment: i64) -> Value {
    let mut key = json!({});
    for name in by.split(',').filter(|name| !name.is_empty()) {
        key[field(name)] = match name {
            "app" => json!(process.app_id),
            "region" => json!(process.region),
            "deployment" => json!(process.deployment_id),
            "day" => json!(time(moment)[..10]),
            _ => json!(time(moment - moment.rem_euclid(HOUR_MS))),
        };
    }
    key
}

fn field(name: &str) -> &'static str {
    KEYS.iter().find(|(key, _)| *key == name).unwrap().1
}

/// The hours or days of which a group by these has a row each; none where it is by neither.
pub fn bucket_ms(by: &str) -> Option<i64> {
    match by {
        _ if by.contains("hour") => Some(HOUR_MS),
        _ if by.contains("day") => Some(24 * HOUR_MS),
        _ => None,
    }
}

/// The parts of a stretch, hour by hour or day by day.
pub fn parts(from: i64, until: i64, size: Option<i64>) -> Vec<(i64, i64)> {
    let Some(size) = size else {
        return vec![(from, until)];
    };
    (from.div_euclid(size)..=(until - 1).div_euclid(size))
        .map(|n| (from.max(n * size), until.min((n + 1) * size)))
        .collect()
}

/// A question on the command line, its answer in JSON.
pub fn ask(place: &Place, words: &[&str], by: &str, span: Span) -> Value {
    let mut args: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    args.extend(span.args());
    if !by.is_empty() {
        args.extend(["--by".to_owned(), by.to_owned()]);
    }
    place.json(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The same rows, field by field, in whatever order: whole numbers exactly, fractions to a
/// billionth of themselves.
#[track_caller]
pub fn assert_rows(found: &Value, expected: &[Value], what: &str) {
    let mut expected = expected.to_vec();
    let found = found.as_array().unwrap();
    let names = |row: &Value| row.as_object().unwrap().keys().cloned().collect();
    for row in found {
        let Some(n) = expected.iter().position(|other| same(row, other)) else {
            // The one that has most in common tells best what is wrong.
            let alike = |other: &&Value| {
                let fields = row.as_object().unwrap().iter();
                fields
                    .filter(|(name, v)| same(v, &other[name.as_str()]))
                    .count()
            };
            let nearest = expected.iter().max_by_key(alike);
            panic!("{what}: answered {row:#}\nexpected e.g. {nearest:#?}");
        };
        let (a, b): (BTreeSet<String>, BTreeSet<String>) = (names(row), names(&expected[n]));
        assert_eq!(a, b, "{what}");
        expected.swap_remove(n);
    }
    assert!(expected.is_empty(), "{what}: missing {expected:#?}");
}

/// Whether an answer is what is expected: whole numbers exactly, fractions but for the last digits.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, v)| b.get(name).is_some_and(|w| same(v, w)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(v, w)| same(v, w))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) + 1e-300
        }
        _ => a == b,
    }
}

/// A row: the group, and its numbers.
pub fn row(group: &Value, numbers: Value) -> Value {
    let mut row = group.clone();
    row.as_object_mut()
        .unwrap()
        .extend(numbers.as_object().unwrap().clone());
    row
}

/// Counts by reason, as in an answer.
pub fn reasons<T: Into<String>>(reasons: impl IntoIterator<Item = T>) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason.into()).or_default() += 1;
    }
    json!(counts)
}

/// The share `num / 100`, interpolated between the two nearest, in whole numbers: the rank is
/// num·(n − 1) hundredths. Rounded half up.
pub fn quantile(values: &[i64], num: usize) -> Value {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let Some(last) = sorted.len().checked_sub(1) else {
        return Value::Null;
    };
    let rank = num * last;
    let (below, part) = (rank / 100, (rank % 100) as i64);
    let a = sorted[below];
    let b = sorted.get(below + 1).copied().unwrap_or(a);
    let hundredths = 100 * a + (b - a) * part;
    json!((hundredths + 50).div_euclid(100))
}

/// Values by their groups, in the order in which these come up.
pub fn grouped<T>(items: impl IntoIterator<Item = (Value, T)>) -> Vec<(Value, Vec<T>)> {
    let mut groups: BTreeMap<String, (Value, Vec<T>)> = BTreeMap::new();
    for (key, item) in items {
        groups
            .entry(key.to_string())
            .or_insert_with(|| (key, Vec::new()))
            .1
            .push(item);
    }
    groups.into_values().collect()
}
