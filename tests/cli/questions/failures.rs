//! How often they failed.

use super::*;
use crate::fleet::{ndjson, process, with};
use crate::place::Place;

/// Failed: p02 before its start, p03, p05, p12. Stopped: p01, p06, p09, p10. The interval of 4 of 8
/// by Wilson's formula with a pencil: (0.5 + 0.24009 ± 1.95996·√0.0462557) ÷ 1.48018.
#[test]
fn failures_of_all() {
    let rows = recorded().rows(&["failures"]);
    assert_columns(
        &rows,
        &[
            "ended",
            "failed",
            "failed_before_start",
            "lost",
            "open",
            "rate",
        ],
        json!([[8, 4, 1, 1, 3, 0.5]]),
    );
    for (field, expected) in [("rate_low", 0.215_216), ("rate_high", 0.784_784)] {
        let found = rows[0][field].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-6, "{field} {found}");
    }
}

#[test]
fn failures_by_every_key() {
    let place = recorded();
    for (by, fields, expected) in [
        (
            "app",
            &["app_id"][..],
            json!([["a", 6, 3, 1, 0, 1], ["b", 2, 1, 0, 1, 2]]),
        ),
        (
            "region",
            &["region"],
            json!([
                ["London", 2, 1, 0, 1, 1],
                ["Mars", 1, 1, 0, 0, 1],
                ["Tokyo", 5, 2, 1, 0, 1]
            ]),
        ),
        (
            "deployment",
            &["deployment_id"],
            json!([
                [7, 3, 2, 1, 0, 0],
                [8, 3, 1, 0, 0, 1],
                [9, 1, 1, 0, 0, 1],
                ["dep-blue", 1, 0, 0, 1, 1],
            ]),
        ),
        // By the end: p06 on the day itself.
        ("day", &["day"], json!([["2024-05-01", 8, 4, 1, 1, 3]])),
        (
            // p03 and p05 ended as 11 o'clock began; p12 when it was first seen ended, at 12:30;
            // the lost one by when it was last seen, the open ones by creation.
            "hour",
            &["hour"],
            json!([
                [day("00:00:00"), 1, 0, 0, 0, 0],
                [day("10:00:00"), 2, 1, 1, 0, 0],
                [day("11:00:00"), 3, 2, 0, 1, 2],
                [day("12:00:00"), 2, 1, 0, 0, 1],
            ]),
        ),
    ] {
        let fields = [
            fields,
            &["ended", "failed", "failed_before_start", "lost", "open"],
        ]
        .concat();
        assert_columns(&place.rows(&["failures", "--by", by]), &fields, expected);
    }
    // With none that ended there is no rate, and none is made up.
    let rows = place.rows(&[
        "failures",
        "--app",
        "b",
        "--region",
        "Mars",
        "--until",
        "2024-05-01T12:30:00Z",
    ]);
    assert_columns(
        &rows,
        &["ended", "open", "rate", "rate_low"],
        json!([[0, 1, null, null]]),
    );
}

const BESIDE: &[&str] = &[
    "app_id",
    "deployment_id",
    "ended",
    "failed",
    "other_deployment_id",
    "other_ended",
    "other_failed",
];

/// Of 7 two failed of three, of 8 one. Wilson by Newcombe's method 3 for 2 of 3 and 1 of 3: 0.2077 to
/// 0.9385, 0.0615 to 0.7923; so −1/3 ± √(0.2718² + 0.2718²), ± √(0.4590² + 0.4590²). Of the four tables
/// with these totals none is likelier than the one seen.
#[test]
fn two_deployments_side_by_side() {
    let place = recorded();
    let answer = place.json(&["failures", "--compare", "7..8"]);
    assert_eq!(answer["question"], "failures");
    let rows = answer["rows"].as_array().unwrap();
    assert_columns(rows, BESIDE, json!([["a", 7, 3, 2, 8, 3, 1]]));
    for (field, expected) in [
        ("rate", 0.666_667),
        ("rate_low", 0.207_66),
        ("rate_high", 0.938_51),
        ("other_rate", 0.333_333),
        ("other_rate_low", 0.061_49),
        ("other_rate_high", 0.792_34),
        ("difference", -0.333_333),
        ("difference_low", -0.717_8),
        ("difference_high", 0.315_8),
        ("fisher_p", 1.0),
    ] {
        let found = rows[0][field].as_f64().unwrap();
        assert!((found - expected).abs() < 5e-5, "{field} {found}");
    }
    let says = rows[0]["says"].as_str().unwrap();
    assert!(says.contains("chance alone may well do"), "{says}");
    assert!(
        says.contains("1 open or lost process is not counted"),
        "{says}"
    );
    assert!(
        says.contains("a crash that took 20 at once counts as 20") && says.contains("--bursts"),
        "{says}"
    );
    // Each app has but one of these: nothing is made up.
    let rows = place.rows(&[
        "failures",
        "--compare",
        "8..dep-blue",
        "--since",
        "2024-05-01T10:00:00Z",
    ]);
    let nothing =
        |of: &str| format!("There is nothing to compare: no process of {of} ended in the window.");
    assert_columns(
        &rows,
        &[
            "app_id",
            "ended",
            "other_ended",
            "other_rate",
            "difference",
            "fisher_p",
            "says",
        ],
        json!([
            ["a", 3, 0, null, null, null, nothing("dep-blue")],
            ["b", 0, 0, null, null, null, nothing("8 or dep-blue")],
        ]),
    );
    let ran = place.run(&["failures", "--compare", "7..11"]).ended(1);
    assert_eq!(
        ran.stderr,
        "error: no process of deployment 11 was ever recorded (there are 9, 8, 7, dep-blue)\n"
    );
}

/// Apps count their deployments each for itself, so that 42 of one is not 42 of the other. In app a it
/// was a number at first and a text from 10:03 on. App c has none of it, and app d none of either.
#[test]
fn two_deployments_app_by_app() {
    let place = Place::new();
    let processes: Vec<Value> = [
        ("a1", json!(42), "10:01:00", "failed"),
        ("a2", json!(42), "10:01:00", "stopped"),
        ("b1", json!(42), "10:02:00", "stopped"),
        ("a3", json!("42"), "10:03:00", "stopped"),
        ("a4", json!("42"), "10:03:00", "stopped"),
        ("a5", json!(43), "10:04:00", "failed"),
        ("a6", json!(43), "10:04:00", "failed"),
        ("a7", json!(43), "10:04:00", "stopped"),
        ("b2", json!(43), "10:04:00", "failed"),
        ("c1", json!(43), "10:05:00", "stopped"),
        ("d1", json!(44), "10:06:00", "failed"),
    ]
    .into_iter()
    .map(|(id, deployment, created, status)| {
        let times = [created, created, "", "10:10:00"];
        let record = process(id, &id[..1], deployment, "Tokyo", times);
        with(record, json!({"status": status}))
    })
    .collect();
    let look = json!({"observedAt": day("10:30:00"), "processes": processes});
    place.write("look.ndjson", ndjson(&[look]));
    place.run(&["import", "look.ndjson"]).ok();
    fn compare(more: &[&'static str]) -> Vec<&'static str> {
        [&["failures", "--compare", "42..43"], more].concat()
    }
    assert_columns(
        &place.rows(&compare(&[])),
        BESIDE,
        json!([
            ["a", "42", 4, 1, 43, 3, 2],
            ["b", 42, 1, 0, 43, 1, 1],
            ["c", "42", 0, 0, 43, 1, 0]
        ]),
    );
    let of_b = compare(&["--app", "b"]);
    assert_columns(
        &place.rows(&of_b),
        BESIDE,
        json!([["b", 42, 1, 0, 43, 1, 1]]),
    );

    let table = place.run(&compare(&[])).ok().stdout;
    let heads = |table: &str| -> Vec<String> {
        let words = table
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        words.map(str::to_owned).collect()
    };
    assert_eq!(
        heads(&table),
        ["app", "a", "a", "b", "b", "c", "c", "In", "In", "In"],
        "{table}"
    );
    assert!(
        table.contains("\nIn a: Of 43 66.7% failed, of 42 25.0%: +41.7 points"),
        "{table}"
    );
    assert!(
        table.ends_with(
            "\nIn c: There is nothing to compare: no process of 42 ended in the window.\n"
        ),
        "{table}"
    );
    // Of one alone the words are enough.
    let table = place.run(&of_b).ok().stdout;
    assert_eq!(heads(&table), ["deployment", "42", "43", "In"], "{table}");
    let csv = place.run(&compare(&["--format", "csv"])).ok().stdout;
    assert!(csv.starts_with("app_id,deployment_id,ended,"), "{csv}");
    // None of either ended in the window, though both are known.
    let ran = place
        .run(&compare(&["--until", "2024-05-01T10:00:00Z"]))
        .ok();
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("nothing"),
        "{ran:?}"
    );
}
