//! The fleet at a moment, and one process.

use super::*;

#[test]
fn the_fleet_at_a_moment() {
    let place = recorded();
    let at = |time: &str, more: &[&str]| {
        let time = day(time);
        let answer = place.json(&[&["at", time.as_str()], more].concat());
        let rows = answer["rows"].as_array().unwrap().clone();
        (
            json!(columns(&rows, &["process_id", "state", "since"])),
            answer["excluded"].clone(),
        )
    };
    let skewed = json!({"times_out_of_order": 1});
    for (time, more, rows, excluded) in [
        (
            "10:00:00",
            &[][..],
            json!([["p01", "starting", day("10:00:00")]]),
            &skewed,
        ),
        (
            "10:40:02",
            &[],
            json!([["p01", "stopping", day("10:40:00")]]),
            &skewed,
        ),
        ("10:40:05", &[], json!([]), &skewed),
        (
            "11:00:00",
            &[],
            json!([
                ["p09", "running", day("10:50:05")],
                ["p04", "starting", day("11:00:00")]
            ]),
            &skewed,
        ),
        // As known then: p01 had been seen running, and the others had not been seen at all.
        (
            "11:00:00",
            &["--as-known-at", "2024-05-01T10:30:00Z"],
            json!([["p01", "running", day("10:00:10")]]),
            &json!({}),
        ),
        (
            "11:00:00",
            &["--as-known-at", "2024-05-01T10:29:59Z"],
            json!([]),
            &json!({}),
        ),
        // p08 lost and p12 ended, nobody knows when.
        (
            "12:25:00",
            &[],
            json!([
                ["p04", "running", day("11:00:30")],
                ["p07", "running", day("11:20:10")],
                ["p11", "starting", day("12:20:00")],
            ]),
            &json!({"times_out_of_order": 1, "lost": 1, "no_end_time": 1}),
        ),
        (
            "12:25:00",
            &["--region", "London", "--app", "b"],
            json!([["p07", "running", day("11:20:10")]]),
            &json!({"lost": 1}),
        ),
        (
            "12:25:00",
            &["--deployment", "8"],
            json!([["p04", "running", day("11:00:30")]]),
            &json!({}),
        ),
        // Not yet found lost at 12:30, so taken to stand as it was last seen.
        (
            "12:25:00",
            &[
                "--region",
                "London",
                "--app",
                "b",
                "--as-known-at",
                "2024-05-01T12:30:00Z",
            ],
            json!([
                ["p08", "running", day("11:15:10")],
                ["p07", "running", day("11:20:10")]
            ]),
            &json!({}),
        ),
    ] {
        assert_eq!(at(time, more), (rows, excluded.clone()), "{time} {more:?}");
    }
}

#[test]
fn the_history_of_one() {
    let place = recorded();
    let p01 = place.json(&["history", "p01"]);
    assert_eq!(p01["process_id"], "p01");
    assert_eq!(p01["outcome"], "stopped");
    assert_eq!(
        p01["phases"],
        json!({"provisioning_ms": 10 * S, "serving_ms": 2_390 * S, "stopping_ms": 5 * S,
               "lifetime_ms": 2_405 * S, "age_so_far_ms": null})
    );
    assert_eq!(
        p01["endpoints"],
        json!([{"host": "h1", "port": 31000, "transport": "udp", "held_from": day("10:00:10"),
                "held_until": day("10:40:05")}])
    );
    let rows = p01["rows"].as_array().unwrap();
    assert_columns(
        rows,
        &[
            "version",
            "first_seen_at",
            "last_seen_at",
            "status",
            "rooms_allocated",
            "changed",
        ],
        json!([
            [1, day("10:30:00"), day("10:30:00"), "running", 2, []],
            [
                2,
                day("11:30:00"),
                day("11:30:00"),
                "stopped",
                0,
                [
                    "status",
                    "rooms_allocated",
                    "stopping_at",
                    "terminated_at",
                    "exposed_port"
                ]
            ],
        ]),
    );

    // What is not understood is kept, a null too; what a run of looks agreed on is one version.
    let p11 = place.json(&["history", "p11"]);
    assert_eq!(p11["outcome"], "open");
    assert_eq!(p11["phases"]["age_so_far_ms"], 1_500 * S);
    assert_columns(
        p11["rows"].as_array().unwrap(),
        &["first_seen_at", "last_seen_at", "status", "region", "extra"],
        json!([[
            day("12:30:00"),
            day("12:45:00"),
            "hatching",
            "Mars",
            {"hosting": {"kind": "bare"}, "fleetId": null}
        ]]),
    );

    let p08 = place.json(&["history", "p08"]);
    assert_eq!(p08["outcome"], "lost");
    assert_eq!(p08["endpoints"][0]["held_until"], Value::Null);
    let p05 = place.json(&["history", "p05"]);
    assert_eq!(p05["rows"][0]["exposed_port"]["port"], 72941);
    assert_eq!(p05["phases"]["lifetime_ms"], Value::Null);
    assert_eq!(p05["excluded"]["lifetime.times_out_of_order"], 1);
    let p06 = place.json(&["history", "p06"]);
    assert_eq!(p06["rows"][0]["deployment_id"], "dep-blue");
}

#[test]
fn how_many_of_the_fleet_stood_how() {
    let place = recorded();
    let fields = ["processes", "starting", "running", "stopping"];
    for (time, by, key, expected) in [
        (
            "12:25:00",
            "app",
            "app_id",
            json!([["a", 1, 0, 1, 0], ["b", 2, 1, 1, 0]]),
        ),
        (
            "12:25:00",
            "hour",
            "hour",
            json!([[day("11:00:00"), 2, 0, 2, 0], [day("12:00:00"), 1, 1, 0, 0]]),
        ),
        (
            "10:40:02",
            "region",
            "region",
            json!([["Tokyo", 1, 0, 0, 1]]),
        ),
        ("10:40:05", "region", "region", json!([])),
    ] {
        let time = day(time);
        let rows = place.rows(&["at", &time, "--by", by]);
        assert_columns(&rows, &[&[key], &fields[..]].concat(), expected);
    }
    // As known then: p01 had been seen running.
    let rows = place.rows(&[
        "at",
        &day("11:00:00"),
        "--as-known-at",
        &day("10:30:00"),
        "--by",
        "deployment",
    ]);
    assert_columns(&rows, &["deployment_id", "running"], json!([[7, 1]]));
}
