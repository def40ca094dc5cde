//! Every question, with answers worked out by hand from the table in `fleet.rs`.

use serde_json::{Value, json};

use crate::fleet::recorded;

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

/// In seconds, ended + censored:
/// provisioning 5 5 5 10 10 10 20 30 40 + 1500;
/// serving 595 880 1795 2390 2420 + 890 5090 5370;
/// stopping 4 5 10;
/// lifetime 60 600 900 1810 2405 2464 + 900 1500 5100 5400.
#[test]
fn lifetimes_of_all() {
    let answer = recorded().json(&["lifetimes"]);
    let row = |phase: &str, n, censored, [mean, p50, p90, p99, max]: [i64; 5], survival: Value| {
        json!({
            "phase": phase, "n": n, "censored": censored, "mean_ms": mean, "p50_ms": p50,
            "p90_ms": p90, "p99_ms": p99, "max_ms": max,
            "survival_p50_ms": survival[0], "survival_p90_ms": survival[1],
        })
    };
    assert_eq!(
        answer["rows"],
        json!([
            // Survival: 1, .7, .4, .3, .2, .1.
            row(
                "provisioning",
                9,
                1,
                [15 * S, 10 * S, 32 * S, 39_200, 40 * S],
                json!([10 * S, 40 * S])
            ),
            // Survival: 1, 7/8, 3/4, (890 censored) 3/4·4/5 = .6, .6·3/4 = .45, .45·2/3 = .3.
            row(
                "serving",
                5,
                3,
                [1_616 * S, 1_795 * S, 2_408 * S, 2_418_800, 2_420 * S],
                json!([2_390 * S, null])
            ),
            row(
                "stopping",
                3,
                0,
                [6_333, 5 * S, 9 * S, 9_900, 10 * S],
                json!([5 * S, 10 * S])
            ),
            // Survival: 1, .9, .8, .7, (900 and 1500 censored) .56, .42, .28.
            row(
                "lifetime",
                6,
                4,
                [1_373_167, 1_355 * S, 2_434_500, 2_461_050, 2_464 * S],
                json!([2_405 * S, null])
            ),
        ])
    );
    assert_eq!(
        answer["excluded"],
        json!({
            "provisioning.never_started": 1,
            "provisioning.times_out_of_order": 1,
            "serving.never_started": 1,
            "serving.times_out_of_order": 1,
            "serving.no_end_time": 1,
            "stopping.never_told_to_stop": 5,
            "lifetime.times_out_of_order": 1,
            "lifetime.no_end_time": 1,
        })
    );
}

#[test]
fn lifetimes_by_every_key() {
    let place = recorded();
    let of_lifetime = |by: &str| -> Vec<Value> {
        let rows = place.rows(&["lifetimes", "--by", by]);
        let is_whole = |row: &Value| row["phase"] == "lifetime";
        rows.into_iter().filter(is_whole).collect()
    };
    for (by, fields, expected) in [
        ("app", &["app_id"][..], json!([["a", 5, 1], ["b", 1, 3]])),
        (
            "region",
            &["region"],
            json!([["London", 1, 2], ["Mars", 0, 1], ["Tokyo", 5, 1]]),
        ),
        (
            // Numbers by size, then names.
            "deployment",
            &["deployment_id"],
            json!([[7, 2, 0], [8, 3, 1], [9, 0, 1], ["dep-blue", 1, 2]]),
        ),
        // By creation: p06 on the day before.
        (
            "day",
            &["day"],
            json!([["2024-04-30", 1, 0], ["2024-05-01", 5, 4]]),
        ),
        (
            "hour",
            &["hour"],
            json!([
                ["2024-04-30T23:00:00.000Z", 1, 0],
                [day("10:00:00"), 4, 0],
                [day("11:00:00"), 1, 3],
                [day("12:00:00"), 0, 1],
            ]),
        ),
        (
            "deployment,app",
            &["app_id", "deployment_id"],
            json!([
                ["a", 7, 2, 0],
                ["a", 8, 3, 1],
                ["b", 9, 0, 1],
                ["b", "dep-blue", 1, 2]
            ]),
        ),
    ] {
        let fields = [fields, &["n", "censored"]].concat();
        assert_columns(&of_lifetime(by), &fields, expected);
    }
}

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

#[test]
fn filters_and_half_open_windows() {
    let place = recorded();
    let ended = |more: &[&str]| {
        let rows = place.rows(&[&["failures"], more].concat());
        rows.first().map_or(0, |row| row["ended"].as_u64().unwrap())
    };
    for (more, expected) in [
        (&["--app", "a"][..], 6),
        (&["--app", "a", "--app", "b"], 8),
        (&["--app", "a", "--region", "London"], 1),
        (&["--region", "Mars", "--region", "London"], 3),
        (&["--deployment", "7"], 3),
        (&["--deployment", "dep-blue"], 1),
        (&["--deployment", "9", "--deployment", "dep-blue"], 2),
        (&["--app", "nobody"], 0),
        // p03 and p05 ended at 11:00:00 sharp: in what begins then, not in what ends then.
        (&["--since", "2024-05-01T11:00:00Z"], 5),
        (&["--until", "2024-05-01T11:00:00Z"], 3),
        (&["--since", "2024-05-01T11:00:00.001Z"], 3),
        (&["--until", "2024-05-01T11:00:00.001Z"], 5),
        (
            &[
                "--since",
                "2024-05-01T13:00:00+02:00",
                "--until",
                "2024-05-01T11:00:00.001Z",
            ],
            2,
        ),
        (&["--since", "2024-05-01", "--until", "2024-05-02"], 8),
        (&["--since", "1d"], 0),
        (&["--until", "now"], 8),
    ] {
        assert_eq!(ended(more), expected, "{more:?}");
    }
    let window = place.json(&["failures", "--since", "2024-05-01"])["window"].clone();
    assert_eq!(
        window,
        json!({"since": "2024-05-01T00:00:00.000Z", "until": null})
    );
    // Lifetimes go by creation: p04 was created at 11:00:00 sharp.
    let n = |more: &[&str]| place.rows(&[&["lifetimes"], more].concat())[0]["n"].clone();
    assert_eq!(n(&["--until", "2024-05-01T11:00:00Z"]), 4); // p01 p03 p06 p09
    assert_eq!(n(&["--since", "2024-05-01T11:00:00Z"]), 5); // p04 p07 p08 p10 p12
}

#[test]
fn ports_of_all_and_by_host() {
    let place = recorded();
    let answer = place.json(&["ports"]);
    let rows = answer["rows"].as_array().unwrap().clone();
    assert_columns(
        &rows,
        &[
            "host",
            "port",
            "transport",
            "holds",
            "reuses",
            "overlaps",
            "min_gap_ms",
            "median_gap_ms",
        ],
        json!([
            ["h1", 31000, "udp", 3, 2, 0, 30 * S, 172_500],
            ["h1", 31002, "tcp", 2, 0, 1, null, null],
            ["h2", 31001, "udp", 1, 0, 0, null, null],
            ["h2", 72941, "tcp", 2, 0, 0, null, null],
            ["h3", 1, "udp", 1, 0, 0, null, null],
            ["h3", 2, "tcp", 1, 0, 0, null, null],
        ]),
    );
    // p05 left before it came, so of p07, who came after, no gap can be told.
    assert_eq!(
        answer["excluded"],
        json!({"times_out_of_order": 1, "previous_end_unknown": 1})
    );
    let rows = place.rows(&["ports", "--by", "host"]);
    assert_eq!(
        json!(rows),
        json!([
            {"host": "h1", "holds": 5, "reuses": 2, "overlaps": 1, "min_gap_ms": 30 * S,
             "median_gap_ms": 172_500},
            {"host": "h2", "holds": 3, "reuses": 0, "overlaps": 0, "min_gap_ms": null,
             "median_gap_ms": null},
            {"host": "h3", "holds": 2, "reuses": 0, "overlaps": 0, "min_gap_ms": null,
             "median_gap_ms": null},
        ])
    );
    // Of those that came from 11:00:30 on, p04 follows one that came before.
    let rows = place.rows(&[
        "ports",
        "--since",
        "2024-05-01T11:00:30Z",
        "--deployment",
        "8",
    ]);
    assert_columns(
        &rows,
        &["host", "port", "holds", "reuses", "overlaps"],
        json!([["h1", 31000, 1, 1, 0], ["h1", 31002, 1, 0, 1]]),
    );
}

#[test]
fn holders_of_an_endpoint() {
    let place = recorded();
    let fields = ["process_id", "held_from", "held_until", "gap_ms", "outcome"];
    let rows = place.rows(&["ports", "--endpoint", "h1:31000"]);
    assert_columns(
        &rows,
        &fields,
        json!([
            ["p01", day("10:00:10"), day("10:40:05"), null, "stopped"],
            ["p03", day("10:45:20"), day("11:00:00"), 315 * S, "failed"],
            ["p04", day("11:00:30"), null, 30 * S, "open"],
        ]),
    );
    let rows = place.rows(&["ports", "--endpoint", "h1:31002"]);
    assert_columns(
        &rows,
        &fields,
        json!([
            ["p09", day("10:50:05"), day("11:20:10"), null, "stopped"],
            ["p10", day("11:19:40"), day("12:00:04"), -30 * S, "stopped"],
        ]),
    );
    // tls and tcp are one transport, and a port above 65535 is a port.
    let rows = place.rows(&["ports", "--endpoint", "h2:72941"]);
    assert_columns(
        &rows,
        &["process_id", "transport", "held_until", "gap_ms"],
        json!([
            ["p06", "tcp", day("00:05:00"), null],
            ["p05", "tcp", day("11:00:00"), null],
            ["p07", "tcp", null, null],
        ]),
    );
}

#[test]
fn the_holder_of_an_endpoint_at_a_moment() {
    let place = recorded();
    let at = |endpoint: &str, time: &str| {
        let time = format!("2024-05-01T{time}Z");
        let answer = place.json(&["ports", "--endpoint", endpoint, "--at", &time]);
        let ids: Vec<Value> = answer["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["process_id"].clone())
            .collect();
        (json!(ids), answer["excluded"].clone())
    };
    for (endpoint, time, holders, excluded) in [
        ("h1:31000", "10:00:09.999", json!([]), json!({})),
        ("h1:31000", "10:00:10", json!(["p01"]), json!({})),
        ("h1:31000", "10:40:04.999", json!(["p01"]), json!({})),
        ("h1:31000", "10:40:05", json!([]), json!({})),
        ("h1:31000", "10:50:00", json!(["p03"]), json!({})),
        ("h1:31000", "23:00:00", json!(["p04"]), json!({})),
        ("h1:31002", "11:20:00", json!(["p09", "p10"]), json!({})),
        // p08 was last seen at 11:30, so of later nothing can be told.
        ("h2:31001", "11:30:00", json!(["p08"]), json!({})),
        ("h2:31001", "11:30:00.001", json!([]), json!({"lost": 1})),
        ("h3:2", "12:31:00", json!([]), json!({"no_end_time": 1})),
    ] {
        assert_eq!(
            at(endpoint, time),
            (holders, excluded),
            "{endpoint} at {time}"
        );
    }
}

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
fn coverage_and_status_of_imports() {
    let place = recorded();
    let coverage = place.json(&["coverage"]);
    assert_eq!(
        coverage["coverage"],
        json!({"from": day("10:30:00"), "to": day("12:45:00"), "runs": 2, "gaps": []})
    );
    assert_eq!(
        coverage["run_results"],
        json!({"complete": 2, "partial": 0, "failed": 0, "unfinished": 0})
    );
    // Runs with a look inside the window.
    let runs = |since: &str| {
        let since = day(since);
        place.json(&["failures", "--since", &since])["coverage"]["runs"].clone()
    };
    assert_eq!((runs("12:30:00"), runs("12:30:01")), (json!(2), json!(1)));

    let rows = place.rows(&["status"]);
    let status = rows.first().unwrap();
    for (field, expected) in [
        ("processes", json!(12)),
        // p01, p04 and p10 were seen in two states, the others in one.
        ("versions", json!(15)),
        ("snapshots", json!(4)),
        ("open", json!(3)),
        ("lost", json!(1)),
        ("set_aside", json!(0)),
        ("gaps", json!(0)),
        ("failed_syncs_in_a_row", json!(0)),
        ("schema_version", json!(3)),
        // Seven of app a and five of app b: never ten.
        ("longest_safe_interval_ms", Value::Null),
    ] {
        assert_eq!(status[field], expected, "{field}");
    }
    assert_eq!(status["last_run"]["kind"], "import");
    assert_eq!(status["last_run"]["processes_lost"], 1);
}
