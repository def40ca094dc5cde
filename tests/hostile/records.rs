//! Records that cannot be understood, or only just: each is set aside with its reason, or recorded, and
//! its neighbours are.

use serde_json::json;

use crate::place::Place;
use crate::round_trip::snake;
use crate::{process, with};

/// The record with one value replaced by JSON text of any kind.
fn raw(name: &str, value: &str) -> String {
    let marked = with(process("p"), json!({ name: "@@" })).to_string();
    marked.replace("\"@@\"", value)
}

#[test]
fn what_cannot_be_understood_is_set_aside_with_its_reason_and_its_neighbours_are_not() {
    let twice = |name: &str, value: &str| {
        let whole = process("p").to_string();
        whole.replacen('{', &format!("{{\"{name}\":{value},"), 1)
    };
    let port = json!({"host": "h", "port": 1, "name": "n", "transportType": "tcp"});
    let many = with(
        process("p"),
        json!({"additionalExposedPorts": vec![port; 100_000]}),
    );
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    // A record as bytes, and the words of its reason.
    let cases: Vec<(Vec<u8>, &str)> = vec![
        // Given twice, neither is believed.
        (
            twice("region", "\"London\"").into(),
            "duplicate field `region`",
        ),
        (
            twice("processId", "\"p\"").into(),
            "duplicate field `processId`",
        ),
        (
            twice("zone", "1,\"zone\":1").into(),
            "duplicate key \"zone\"",
        ),
        (
            raw("zone", "{\"a\":1,\"a\":1}").into(),
            "duplicate key \"a\"",
        ),
        (
            raw("roomsAllocated", "18446744073709551616").into(),
            "roomsAllocated",
        ),
        (
            raw("roomsAllocated", "9223372036854775808").into(),
            "roomsAllocated",
        ),
        (raw("roomsAllocated", "1.0").into(), "roomsAllocated"),
        (raw("roomsAllocated", "-0.0").into(), "roomsAllocated"),
        (raw("roomsAllocated", "-0").into(), "roomsAllocated"),
        (raw("roomsAllocated", "1e2").into(), "roomsAllocated"),
        (raw("roomsAllocated", "1e400").into(), "roomsAllocated"),
        (raw("roomsAllocated", "NaN").into(), "not JSON"),
        (raw("deploymentId", "1.5").into(), "deploymentId"),
        (raw("deploymentId", "1e400").into(), "deploymentId"),
        (raw("deploymentId", "true").into(), "deploymentId"),
        (
            raw("createdAt", "\"0000-00-00T00:00:00Z\"").into(),
            "createdAt",
        ),
        (
            raw("createdAt", "\"+999999-01-01T00:00:00Z\"").into(),
            "createdAt",
        ),
        (
            raw("createdAt", "\"2024-05-01T00:00:00\"").into(),
            "createdAt",
        ),
        (raw("createdAt", "1e18").into(), "createdAt"),
        (raw("region", "\"\\ud800\"").into(), "region"),
        (raw("zone", "\"\\ud800\"").into(), "zone"),
        (raw("region", "\"a\u{0}b\"").into(), "not JSON"),
        (
            raw("zone", &deep(65)).into(),
            "nested deeper than 64 levels",
        ),
        (
            raw("zone", &deep(100_000)).into(),
            "nested deeper than 64 levels",
        ),
        (many.to_string().into(), "100000 ports"),
        (
            raw("zone", &format!("\"{}\"", "y".repeat(2_000_000))).into(),
            "a process of 2000",
        ),
        // Bytes that are no UTF-8: cut off inside a character, an overlong one, half of a pair.
        (bytes_in_region(b"T\xc3"), "region"),
        (bytes_in_region(b"\xc0\x80"), "region"),
        (bytes_in_region(b"\xed\xa0\x80"), "region"),
        (b"\x1b[2J".to_vec(), "not JSON"),
        (b"{}".to_vec(), "neither a process nor a snapshot"),
        (b"[[[[]]]]".to_vec(), "record 1"),
    ];
    let place = Place::new();
    let mut archive = b"\xef\xbb\xbf".to_vec(); // a mark of byte order is no harm
    for (i, (record, _)) in cases.iter().enumerate() {
        let neighbour = process(&format!("n{i:02}")).to_string();
        archive.extend([neighbour.as_bytes(), record, b""].join(&b'\n'));
    }
    archive.extend(process("last").to_string().bytes());
    place.write("hostile.ndjson", &archive);
    let args = ["import", "hostile.ndjson", "--observed-at", "2024-05-01"];
    let ran = place.run(&args).ended(3);
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    let rows = place.rows(&["sql", "SELECT line, reason FROM set_aside ORDER BY line"]);
    assert_eq!(rows.len(), cases.len(), "{rows:#?}");
    for (i, (row, (record, reason))) in rows.iter().zip(&cases).enumerate() {
        let begin = String::from_utf8_lossy(&record[..record.len().min(300)]);
        assert_eq!(row["line"], 2 * i + 2, "{row}: {begin}");
        assert!(
            row["reason"].as_str().unwrap().contains(reason),
            "{row}: {begin}"
        );
    }
    let n = place.rows(&["sql", "SELECT count(*) AS n FROM processes"]);
    assert_eq!(n[0]["n"], cases.len() + 1);
    // What is kept is what came.
    let raw = place.rows(&[
        "sql",
        "SELECT hex(raw) AS raw FROM set_aside ORDER BY line LIMIT 1",
    ]);
    let came: String = cases[0].0.iter().map(|b| format!("{b:02X}")).collect();
    assert_eq!(raw[0]["raw"], came);
}

fn bytes_in_region(bytes: &[u8]) -> Vec<u8> {
    let text = raw("region", "\"@@\"");
    let at = text.find("@@").unwrap();
    [&text.as_bytes()[..at], bytes, &text.as_bytes()[at + 2..]].concat()
}

#[test]
fn what_is_strange_but_clear_is_recorded_as_it_is() {
    let place = Place::new();
    let port = json!({"host": "h", "port": 1, "name": "n", "transportType": "tcp"});
    let cases = [
        ("roomsAllocated", i64::MIN.to_string(), json!(i64::MIN)),
        ("deploymentId", i64::MAX.to_string(), json!(i64::MAX)),
        ("deploymentId", "\"1e400\"".to_owned(), json!("1e400")),
        (
            "createdAt",
            "\"0001-01-01T00:00:00Z\"".to_owned(),
            json!("0001-01-01T00:00:00.000Z"),
        ),
        (
            "createdAt",
            "\"9999-12-31T23:59:59.999Z\"".to_owned(),
            json!("9999-12-31T23:59:59.999Z"),
        ),
        ("region", "\"\"".to_owned(), json!("")),
        (
            "region",
            "\"\\u0000\\ud83d\\ude00\"".to_owned(),
            json!("\u{0}\u{1f600}"),
        ),
        (
            "additionalExposedPorts",
            json!(vec![port.clone(); 1024]).to_string(),
            json!(vec![port; 1024]),
        ),
    ];
    for (i, (name, text, value)) in cases.iter().enumerate() {
        let id = format!("p{i}");
        let record = raw(name, text).replace("\"p\"", &json!(id).to_string());
        place.write("one.json", record);
        place
            .run(&["import", "one.json", "--observed-at", "2024-05-01"])
            .ok();
        let row = place.rows(&["history", &id])[0].clone();
        assert_eq!(row[&snake(name)], *value, "{name}: {text}");
    }
    // Numbers that are no integer field's are kept digit for digit.
    let extra = r#"{"a":1e400,"b":-0,"c":123456789012345678901234567890.10,"d":-0.0}"#;
    let record = raw("zone", extra).replace("\"p\"", "\"digits\"");
    place.write("one.json", record);
    place
        .run(&["import", "one.json", "--observed-at", "2024-05-01"])
        .ok();
    let shown = place
        .run(&["history", "digits", "--format", "ndjson"])
        .ok()
        .stdout;
    assert!(shown.contains(extra), "{shown}");
}
