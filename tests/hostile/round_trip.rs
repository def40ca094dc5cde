//! Whatever the wire format takes is recorded and comes back: JSON in is compared with JSON out, by a
//! path that shares no code with the reader, after what is documented to change (times to UTC and the
//! millisecond, what may be left out to null or an empty list).

use std::collections::{BTreeMap, BTreeSet};

use prochist::model::{Extent, Snapshot, UtcMillis};
use prochist::source::wire::parse_process;
use prochist::{Ending, History, RunKind, RunResult, Store};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Any JSON as another version of the API might send it, numbers of any size among it.
fn any_json() -> impl Strategy<Value = Value> {
    let number = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        // In a text, marked: what JSON readers do with such numbers differs.
        number.prop_map(|digits| Value::from(format!("@{digits}@"))),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn extras(known: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(any::<String>(), any_json(), 0..3).prop_map(|fields| {
        let unknown = |(name, _): &(String, Value)| !known.contains(&name.as_str());
        fields.into_iter().filter(unknown).collect()
    })
}

fn time() -> impl Strategy<Value = Value> {
    let text = (-62_000_000_000_000_i64..250_000_000_000_000).prop_map(|ms| {
        UtcMillis::from_millis(ms)
            .expect("within the years 1 to 9999")
            .to_string()
            .into()
    });
    prop_oneof![1 => Just(Value::Null), 3 => text]
}

fn port() -> impl Strategy<Value = Value> {
    let known = (
        any::<String>(),
        any::<i64>(),
        any::<String>(),
        any::<String>(),
    );
    (known, extras(&["host", "port", "name", "transportType"])).prop_map(
        |((host, port, name, transport), unknown)| {
            let mut port =
                json!({"host": host, "port": port, "name": name, "transportType": transport});
            port.as_object_mut().unwrap().extend(unknown);
            port
        },
    )
}

/// A record without anything left out.
fn record() -> impl Strategy<Value = Value> {
    let texts = (
        any::<String>(),
        any::<String>(),
        any::<String>(),
        any::<String>(),
    );
    let deployment = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    let numbers = (deployment, any::<i64>(), any::<i64>());
    let times = (time(), time(), time(), time());
    let ports = (
        prop::option::of(port()),
        prop::collection::vec(port(), 0..3),
    );
    (texts, numbers, times, ports, extras(KNOWN)).prop_map(
        |((id, app, region, status), (deployment, rooms, most), times, (port, ports), unknown)| {
            let created = match times.0 {
                Value::Null => json!("2024-05-01T00:00:00.000Z"),
                time => time,
            };
            let mut record = json!({
                "processId": id, "appId": app, "deploymentId": deployment, "region": region,
                "status": status, "roomsAllocated": rooms, "roomsPerProcess": most,
                "createdAt": created, "startedAt": times.1, "stoppingAt": times.2,
                "terminatedAt": times.3, "exposedPort": port, "additionalExposedPorts": ports,
            });
            record.as_object_mut().unwrap().extend(unknown);
            record
        },
    )
}

const KNOWN: &[&str] = &[
    "processId",
    "appId",
    "deploymentId",
    "region",
    "status",
    "roomsAllocated",
    "roomsPerProcess",
    "createdAt",
    "startedAt",
    "stoppingAt",
    "terminatedAt",
    "exposedPort",
    "additionalExposedPorts",
];

/// The text of the record with its marked numbers as numbers.
fn sent(record: &Value) -> String {
    let text = record.to_string();
    let mut out = String::new();
    let mut parts = text.split("\"@");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let number = part.split_once("@\"").filter(|(digits, _)| {
            !digits.is_empty()
                && digits
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        });
        match number {
            Some((digits, rest)) => out.extend([digits, rest]),
            None => out.extend(["\"@", part]),
        }
    }
    out
}

/// A field's name in answers.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_recorded_comes_back_as_it_was_sent(mut records in prop::collection::vec(record(), 8)) {
        // Each a process of its own.
        let mut ids = BTreeSet::new();
        records.retain(|record| ids.insert(record["processId"].to_string()));
        let mut processes = Vec::new();
        for record in &records {
            let text = sent(record);
            let process = parse_process(&text);
            processes.push(process.map_err(|e| TestCaseError::fail(format!("{e}: {text}")))?);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let mut store = Store::open(&path).unwrap();
        store.force_commits(false).unwrap();
        let at: UtcMillis = "2024-05-01T00:00:00Z".parse().unwrap();
        let mut run = store.begin(RunKind::Library, "test", at).unwrap();
        run.record(&Snapshot {
            observed_at: at,
            processes,
            unknown: Vec::new(),
            extent: Extent::Partial,
        }).unwrap();
        run.finish(&Ending::new(at, RunResult::Complete)).unwrap();
        let history = History::open(&path).unwrap();
        for record in &records {
            let id = record["processId"].as_str().unwrap();
            let history = history.process_history(id).unwrap();
            prop_assert_eq!(&history.process_id, id);
            let row = serde_json::to_string(&history.answer.rows[0]).unwrap();
            // As text, field by field: a JSON reader would round the numbers.
            let row: BTreeMap<String, &RawValue> = serde_json::from_str(&row).unwrap();
            let mut unknown = Map::new();
            for (name, value) in record.as_object().unwrap() {
                match name.as_str() {
                    "processId" => {}
                    name if KNOWN.contains(&name) => {
                        prop_assert_eq!(row[&snake(name)].get(), sent(value), "{}", name);
                    }
                    _ => {
                        unknown.insert(name.clone(), value.clone());
                    }
                }
            }
            let extra = match unknown.is_empty() {
                true => "null".to_owned(),
                false => sent(&Value::Object(unknown)),
            };
            prop_assert_eq!(row["extra"].get(), extra);
        }
    }
}
