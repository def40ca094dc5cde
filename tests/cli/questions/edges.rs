//! Days without data, clocks that step, the hour that comes twice, holds across an edge.

use super::*;
use crate::fleet::{at_port, ndjson, process, with};
use crate::place::Place;

fn recording(looks: &[Value]) -> Place {
    let place = Place::new();
    place.write("looks.ndjson", ndjson(looks));
    place.run(&["import", "looks.ndjson"]).ok();
    place
}

/// A record whose times are given in full.
fn lived(id: &str, times: [&str; 4], status: &str) -> Value {
    let mut record = with(
        process(id, "a", json!(1), "Tokyo", [""; 4]),
        json!({"status": status}),
    );
    for (field, time) in ["createdAt", "startedAt", "stoppingAt", "terminatedAt"]
        .iter()
        .zip(times)
    {
        if !time.is_empty() {
            record[*field] = json!(time);
        }
    }
    record
}

/// Looked at on the first and on the third of May. What came on the second and went on the third is on
/// record only because it lived so long: from the look on, at an age of 18 and of 6 hours.
#[test]
fn a_day_without_data() {
    let early = lived(
        "early",
        ["2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z", "", ""],
        "running",
    );
    let met = |id: &str, created: &str| lived(id, [created, created, "", ""], "running");
    let ended = |record: &Value, at: &str| {
        with(
            record.clone(),
            json!({"status": "stopped", "terminatedAt": at}),
        )
    };
    let (morning, evening) = (
        met("morning", "2024-05-02T06:00:00Z"),
        met("evening", "2024-05-02T18:00:00Z"),
    );
    let place = recording(&[
        json!({"observedAt": "2024-05-01T12:00:00Z", "processes": [early]}),
        json!({"observedAt": "2024-05-01T12:30:00Z", "processes": [early]}),
        json!({"observedAt": "2024-05-03T00:00:00Z", "processes": [early, morning, evening]}),
        json!({"observedAt": "2024-05-03T01:00:00Z", "processes": [
            early,
            ended(&morning, "2024-05-03T00:30:00Z"),
            ended(&evening, "2024-05-03T00:45:00Z"),
        ]}),
    ]);
    let of_day = |day: &str| {
        let rows = place.rows(&["lifetimes", "--by", "day"]);
        let is_meant = |row: &Value| row["phase"] == "lifetime" && row["day"] == day;
        let row = rows.into_iter().find(is_meant).unwrap();
        let fields = [
            "n",
            "censored",
            "delayed",
            "survival_p50_ms",
            "survival_until_ms",
        ];
        json!(columns(&[row], &fields)[0])
    };
    // Seen until half an hour old, and again from 36 hours on.
    assert_eq!(of_day("2024-05-01"), json!([0, 1, 0, null, 1_800 * S]));
    // Nobody was watched while younger than 6 hours, so how many get so old is not known.
    assert_eq!(of_day("2024-05-02"), json!([2, 0, 2, null, 0]));
    let coverage = |since: &str, until: &str| {
        let answer = place.json(&["usage", "--since", since, "--until", until]);
        json!([
            answer["coverage"]["watched"],
            answer["coverage"]["unwatched"]
        ])
    };
    let pause = json!([{"since": "2024-05-01T12:30:00.000Z", "until": "2024-05-03T00:00:00.000Z"}]);
    assert_eq!(coverage("2024-05-02", "2024-05-03"), json!(["none", pause]));
    assert_eq!(
        coverage("2024-05-01T12:00:00Z", "2024-05-04T00:00:00Z")[0],
        "part"
    );
    assert_eq!(
        coverage("2024-05-01T12:00:00Z", "2024-05-01T12:30:01Z"),
        json!(["part", pause])
    );
    assert_eq!(
        coverage("2024-05-01T12:00:00Z", "2024-05-01T12:30:00Z"),
        json!(["all", []])
    );
    // It ran all along, as far as is known; a day in which nothing looked has its hours, too.
    let rows = place.rows(&["usage", "--by", "day"]);
    assert_columns(
        &rows,
        &["day", "processes", "process_ms"],
        json!([
            ["2024-05-01", 1, 43_200 * S],
            ["2024-05-02", 3, (86_400 + 64_800 + 21_600) * S],
            ["2024-05-03", 3, (3_600 + 1_800 + 2_700) * S],
        ]),
    );
}

/// In Berlin the hour from two to three comes twice on that day; in UTC none does.
#[test]
fn the_hour_that_comes_twice() {
    let place = recording(
        &[json!({"observedAt": "2024-10-27T04:00:00Z", "processes": [
            lived(
                "summer",
                ["2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+02:00", "", "2024-10-27T02:45:00+02:00"],
                "stopped",
            ),
            lived(
                "winter",
                ["2024-10-27T02:30:00+01:00", "2024-10-27T02:30:00+01:00", "", "2024-10-27T02:50:00+01:00"],
                "stopped",
            ),
            lived(
                "across",
                ["2024-10-27T02:50:00+02:00", "2024-10-27T02:50:00+02:00", "", "2024-10-27T02:10:00+01:00"],
                "failed",
            ),
        ]})],
    );
    let [midnight, one] = ["2024-10-27T00:00:00.000Z", "2024-10-27T01:00:00.000Z"];
    let rows = place.rows(&["usage", "--by", "hour"]);
    assert_columns(
        &rows,
        &["hour", "processes", "process_ms"],
        json!([[midnight, 2, 1_500 * S], [one, 2, 1_800 * S]]),
    );
    let rows = place.rows(&["failures", "--by", "hour"]);
    assert_columns(
        &rows,
        &["hour", "ended", "failed"],
        json!([[midnight, 1, 0], [one, 2, 1]]),
    );
    let rows = place.rows(&["lifetimes", "--longer-than", "19m"]);
    assert_columns(
        &rows,
        &["process_id", "lifetime_ms"],
        json!([["across", 1_200 * S], ["winter", 1_200 * S]]),
    );
}

/// The API's clock runs ahead, so that a process is seen before it was created; then the recorder's is
/// set back, so that a later look has an earlier time.
#[test]
fn clocks_that_step() {
    let ahead = lived(
        "ahead",
        ["2024-05-01T10:00:05Z", "2024-05-01T10:00:06Z", "", ""],
        "running",
    );
    let other = |rooms: i64| {
        let times = ["2024-05-01T09:59:00Z", "2024-05-01T09:59:00Z", "", ""];
        with(
            lived("other", times, "running"),
            json!({"roomsAllocated": rooms}),
        )
    };
    let place = recording(&[
        json!({"observedAt": "2024-05-01T10:00:00Z", "processes": [ahead, other(1)]}),
        json!({"observedAt": "2024-05-01T09:59:30Z", "processes": [other(2)]}),
    ]);
    let answer = place.json(&["lifetimes"]);
    for row in answer["rows"].as_array().unwrap() {
        // Of both provisioning is over at once or in a second, and the other's age is known.
        let expected = match row["phase"].as_str().unwrap() {
            "provisioning" => json!([2, 0]),
            "serving" | "lifetime" => json!([0, 1]),
            _ => json!([0, 0]),
        };
        assert_eq!(json!([row["n"], row["censored"]]), expected, "{row}");
    }
    assert_eq!(
        answer["excluded"],
        json!({"serving.times_out_of_order": 1, "lifetime.times_out_of_order": 1})
    );
    let answer = place.json(&["usage"]);
    assert_eq!(
        answer["rows"],
        json!([{"processes": 1, "process_ms": 60 * S}])
    );
    assert_eq!(answer["excluded"], json!({"times_out_of_order": 1}));
    // By lifecycle time, both.
    let rows = place.rows(&["concurrency"]);
    assert_eq!(json!(rows), json!([{"at": day("10:00:06"), "running": 2}]));
    // Two rooms from 9:59:30 until 10:00, when there was one.
    let rows = place.rows(&["rooms"]);
    assert_columns(
        &rows,
        &["processes", "allocated_ms", "peak_allocated", "peak_at"],
        json!([[2, 60 * S, 2, day("09:59:30")]]),
    );
}

#[test]
fn holds_across_the_edge_of_a_window() {
    let held = |id: &str, from: &str, until: &str| {
        let record = lived(id, [&day(from), &day(from), "", &day(until)], "stopped");
        with(record, json!({"exposedPort": at_port("h", 1, "udp")}))
    };
    let place = recording(&[json!({"observedAt": day("12:00:00"), "processes": [
        held("before", "09:00:00", "10:00:00"),
        held("across", "10:00:10", "10:30:00"),
        held("inside", "10:30:05", "10:40:00"),
        held("after", "11:00:00", "11:10:00"),
    ]})]);
    let window = ["--since", &day("10:15:00"), "--until", &day("11:00:00")];
    let ids = |args: &[&str]| {
        let rows = place.rows(&[args, &window].concat());
        json!(columns(&rows, &["process_id", "gap_ms"]))
    };
    // It touches the window, and is listed whole; its gap is to one that does not.
    assert_eq!(
        ids(&["ports", "--endpoint", "h:1"]),
        json!([["across", 10 * S], ["inside", 5 * S]])
    );
    // It began before, and so is not counted; the gap after it is.
    let rows = place.rows(&[&["ports"], &window[..]].concat());
    assert_columns(
        &rows,
        &["holds", "reuses", "min_gap_ms", "max_gap_ms"],
        json!([[1, 1, 5 * S, 5 * S]]),
    );
    assert_eq!(
        ids(&["ports", "--within", "1m"]),
        json!([["inside", 5 * S]])
    );
    // Clipped to the window.
    let rows = place.rows(&[&["usage"], &window[..]].concat());
    assert_columns(
        &rows,
        &["processes", "process_ms"],
        json!([[2, (900 + 595) * S]]),
    );
}

/// A life of ten thousand years, more rooms than there are, and a roll-out by the millisecond.
#[test]
fn what_would_be_too_much_is_refused_with_a_way_out() {
    let old = lived(
        "old",
        [
            "0000-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "",
            "9999-12-31T23:59:59Z",
        ],
        "stopped",
    );
    let full = with(
        lived(
            "full",
            ["2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z", "", ""],
            "running",
        ),
        json!({"deploymentId": 2, "roomsAllocated": i64::MAX, "roomsPerProcess": i64::MAX}),
    );
    let other = with(full.clone(), json!({"processId": "other"}));
    let place = recording(&[
        json!({"observedAt": day("10:00:00"), "processes": [old, full, other]}),
        json!({"observedAt": day("11:00:00"), "processes": [old, full, other]}),
    ]);
    for args in [
        &["usage", "--by", "hour"][..],
        &["usage", "--by", "day"],
        &["concurrency", "--by", "hour"],
        &["rollout", "1..2", "--over-time", "--step", "1ms"],
    ] {
        let ran = place.run(args).ended(2);
        assert!(
            ran.stderr.starts_with("error: the answer would have "),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("hint: narrow the time"), "{ran:?}");
    }
    let window = ["--since", &day("10:00:00"), "--until", &day("11:00:00")];
    for command in ["usage", "concurrency", "rooms"] {
        let rows = place.rows(&[&[command, "--by", "hour"], &window[..]].concat());
        assert_eq!(rows.len(), 1, "{command}");
    }
    let rooms = &place.rows(&["rooms"])[0];
    assert_eq!(
        (&rooms["peak_allocated"], &rooms["allocated_ms"]),
        (&json!(2_i64 << 40), &json!(i64::MAX))
    );
}

/// The year 10000 has no time, so that the moment before it has no end.
#[test]
fn the_last_moment_there_is() {
    let last = "9999-12-31T23:59:59.999Z";
    let open = lived("open", ["2024-05-01T10:00:00Z", "", "", ""], "starting");
    let open = with(open, json!({"exposedPort": at_port("h1", 31000, "tcp")}));
    let place = recording(&[json!({"observedAt": day("10:00:00"), "processes": [open]})]);
    for args in [
        &["at", last][..],
        &["ports", "--endpoint", "h1:31000", "--at", last],
    ] {
        let answer = place.json(args);
        assert_eq!(
            answer["window"],
            json!({"since": last, "until": null}),
            "{args:?}"
        );
        assert_eq!(answer["rows"][0]["process_id"], "open", "{args:?}");
        assert_eq!(answer["coverage"]["watched"], "none", "{args:?}");
        place.run(args).ok();
    }
    assert_eq!(
        place.rows(&["concurrency", "--since", last]),
        [] as [Value; 0]
    );
}

/// The next one gets the port in the very millisecond in which the one before leaves it.
#[test]
fn a_port_taken_at_once() {
    let held = |id: &str, from: &str, until: &str| {
        let record = lived(id, [from, from, "", until], "stopped");
        with(record, json!({"exposedPort": at_port("h1", 31000, "tcp")}))
    };
    let (noon, later) = (day("12:00:00"), "2024-05-01T12:00:00.001Z");
    let place = recording(&[json!({"observedAt": day("13:00:00"), "processes": [
        held("first", &day("11:00:00"), &noon),
        held("second", &noon, &noon),
        held("third", later, &day("12:30:00")),
    ]})]);
    let rows = place.rows(&["ports", "--within", "0s"]);
    assert_columns(&rows, &["process_id", "gap_ms"], json!([["second", 0]]));
    let rows = place.rows(&["ports", "--within", "1ms"]);
    assert_columns(
        &rows,
        &["process_id", "gap_ms"],
        json!([["second", 0], ["third", 1]]),
    );
    // The second had it for no time at all, so the third came after the first.
    assert_eq!(rows[1]["previous_process_id"], "first");
}
