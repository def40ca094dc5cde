//! Who held which port.

use super::*;
use crate::fleet::{at_port, ndjson, process, with};

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
            "p10_gap_ms",
            "median_gap_ms",
            "p90_gap_ms",
            "max_gap_ms",
        ],
        // Gaps of 30 and 315 s.
        json!([
            [
                "h1",
                31000,
                "udp",
                3,
                2,
                0,
                30 * S,
                58_500,
                172_500,
                286_500,
                315 * S
            ],
            ["h1", 31002, "tcp", 2, 0, 1, null, null, null, null, null],
            ["h2", 31001, "udp", 1, 0, 0, null, null, null, null, null],
            ["h2", 72941, "tcp", 2, 0, 0, null, null, null, null, null],
            ["h3", 1, "udp", 1, 0, 0, null, null, null, null, null],
            ["h3", 2, "tcp", 1, 0, 0, null, null, null, null, null],
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
             "p10_gap_ms": 58_500, "median_gap_ms": 172_500, "p90_gap_ms": 286_500,
             "max_gap_ms": 315 * S},
            {"host": "h2", "holds": 3, "reuses": 0, "overlaps": 0, "min_gap_ms": null,
             "p10_gap_ms": null, "median_gap_ms": null, "p90_gap_ms": null, "max_gap_ms": null},
            {"host": "h3", "holds": 2, "reuses": 0, "overlaps": 0, "min_gap_ms": null,
             "p10_gap_ms": null, "median_gap_ms": null, "p90_gap_ms": null, "max_gap_ms": null},
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
fn held_by_two_at_once() {
    let place = recorded();
    let answer = place.json(&["ports", "--conflicts"]);
    assert_eq!(
        answer["rows"],
        json!([{
            "host": "h1", "port": 31002, "transport": "tcp", "since": day("11:19:40"),
            "until": day("11:20:10"), "shared_ms": 30 * S,
            "process_id": "p09", "held_from": day("10:50:05"), "held_until": day("11:20:10"),
            "other_process_id": "p10", "other_held_from": day("11:19:40"),
            "other_held_until": day("12:00:04"),
        }])
    );
    // p08's hold, two of p12's, and that of p05, which ended before it began.
    assert_eq!(
        answer["excluded"],
        json!({"lost": 1, "no_end_time": 2, "times_out_of_order": 1})
    );
    for (more, n) in [
        (&["--since", "2024-05-01T11:20:09.999Z"][..], 1),
        (&["--since", "2024-05-01T11:20:10Z"], 0),
        (&["--until", "2024-05-01T11:19:40Z"], 0),
        (&["--until", "2024-05-01T11:19:40.001Z"], 1),
        (&["--deployment", "8"], 1),
        (&["--deployment", "7"], 0),
    ] {
        let rows = place.rows(&[&["ports", "--conflicts"], more].concat());
        assert_eq!(rows.len(), n, "{more:?}");
    }
}

/// One port, held by one process all along, while two others come and go, one after the other; then one
/// for no time at all, one that is lost, and one that came while the lost one was still seen.
#[test]
fn every_two_that_hold_a_port_at_once_are_told() {
    let place = crate::place::Place::new();
    let at = |id: &str, times: [&str; 4], status: &str| {
        let region = if id == "along" { "London" } else { "Tokyo" };
        let record = process(id, "a", json!(1), region, times);
        with(
            record,
            json!({"status": status, "exposedPort": at_port("h", 1, "udp")}),
        )
    };
    let all = [
        at("along", ["10:00:00", "10:00:00", "", ""], "running"),
        at("b", ["10:05:00", "10:05:00", "", "10:10:00"], "stopped"),
        at("then", ["10:10:00", "10:10:00", "", "10:11:00"], "stopped"),
        at("c", ["10:20:00", "10:20:00", "", "10:30:00"], "stopped"),
        at("none", ["10:25:00", "10:25:00", "", "10:25:00"], "stopped"),
        at("lost", ["10:40:00", "10:40:00", "", ""], "running"),
    ];
    // Began when the lost one was last seen.
    let late = at("late", ["11:00:00", "11:00:00", "", ""], "running");
    let looks = [
        json!({"observedAt": "2024-05-01T11:00:00Z", "processes": all}),
        json!({"observedAt": "2024-05-01T11:01:00Z", "processes": [all[0], late]}),
    ];
    place.write("looks.ndjson", ndjson(&looks));
    place.run(&["import", "--complete", "looks.ndjson"]).ok();
    let answer = place.json(&["ports", "--conflicts"]);
    assert_columns(
        answer["rows"].as_array().unwrap(),
        &[
            "process_id",
            "other_process_id",
            "since",
            "until",
            "shared_ms",
        ],
        json!([
            ["along", "b", day("10:05:00"), day("10:10:00"), 300 * S],
            ["along", "then", day("10:10:00"), day("10:11:00"), 60 * S],
            ["along", "c", day("10:20:00"), day("10:30:00"), 600 * S],
            ["along", "lost", day("10:40:00"), null, null],
            ["along", "late", day("11:00:00"), null, null],
            ["lost", "late", day("11:00:00"), null, null],
        ]),
    );
    assert_eq!(answer["excluded"], json!({"lost": 1}));
    // Whichever of the two is asked about.
    for (region, n) in [("London", 5), ("Tokyo", 6)] {
        let rows = place.rows(&["ports", "--conflicts", "--region", region]);
        assert_eq!(rows.len(), n, "{region}");
    }
    // By the gap to the hold just before, which is another definition, only b overlaps; none lasted no time.
    let rows = place.rows(&["ports"]);
    assert_columns(&rows, &["holds", "reuses", "overlaps"], json!([[7, 3, 1]]));
}

#[test]
fn taken_again_too_soon() {
    let place = recorded();
    let answer = place.json(&["ports", "--within", "30s"]);
    assert_eq!(
        answer["rows"],
        json!([{
            "host": "h1", "port": 31000, "transport": "udp", "gap_ms": 30 * S, "process_id": "p04",
            "held_from": day("11:00:30"), "previous_process_id": "p03",
            "previous_held_until": day("11:00:00"), "app_id": "a", "region": "Tokyo",
            "deployment_id": 8,
        }])
    );
    assert_eq!(
        answer["excluded"],
        json!({"times_out_of_order": 1, "previous_end_unknown": 1})
    );
    for (more, ids) in [
        (&["--within", "29999ms"][..], json!([])),
        (&["--within", "6m"], json!([["p04"], ["p03"]])),
        (
            &["--within", "6m", "--until", "2024-05-01T11:00:30Z"],
            json!([["p03"]]),
        ),
    ] {
        let rows = place.rows(&[&["ports"], more].concat());
        assert_columns(&rows, &["process_id"], ids);
    }
}

/// In order of time, whichever transport was on record first.
#[test]
fn holders_of_two_transports() {
    for order in [["u.ndjson", "t.ndjson"], ["t.ndjson", "u.ndjson"]] {
        let place = crate::place::Place::new();
        for (file, id, transport, from, until) in [
            ("u.ndjson", "u", "udp", "10:00:00", "10:30:00"),
            ("t.ndjson", "t", "tcp", "11:00:00", "11:30:00"),
        ] {
            let record = process(id, "a", json!(1), "Tokyo", [from, from, "", until]);
            let port = json!({"status": "stopped", "exposedPort": at_port("h", 1, transport)});
            let look = json!({"observedAt": day("12:00:00"), "processes": [with(record, port)]});
            place.write(file, ndjson(&[look]));
        }
        for file in order {
            place.run(&["import", file]).ok();
        }
        let rows = place.rows(&["ports", "--endpoint", "h:1"]);
        assert_columns(&rows, &["process_id"], json!([["u"], ["t"]]));
    }
}
