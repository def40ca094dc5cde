//! How many ran at once, how long they served, and the rooms in them.

use super::*;

/// From 11:15:10 on p04, p08 and p09 ran; p10 from 11:19:40; p07 took over from p09 at 11:20:10; p08 was
/// last seen at 11:30. p05 is out of order, and nobody knows when p12 ended.
#[test]
fn the_most_that_ran_at_once() {
    let place = recorded();
    let answer = place.json(&["concurrency"]);
    assert_eq!(
        answer["rows"],
        json!([{"at": day("11:19:40"), "running": 4}])
    );
    assert_eq!(
        answer["excluded"],
        json!({"times_out_of_order": 1, "no_end_time": 1})
    );
    for (more, fields, expected) in [
        (
            &["--by", "region"][..],
            &["region"][..],
            json!([
                ["London", day("11:20:10"), 2],
                ["Tokyo", day("11:19:40"), 3]
            ]),
        ),
        (
            // p03 ends as 11 o'clock begins; p04, p07 and p10 come into the next hour.
            &["--by", "hour"],
            &["hour"],
            json!([
                ["2024-04-30T23:00:00.000Z", "2024-04-30T23:55:05.000Z", 1],
                [day("00:00:00"), day("00:00:00"), 1],
                [day("10:00:00"), day("10:50:05"), 2],
                [day("11:00:00"), day("11:19:40"), 4],
                [day("12:00:00"), day("12:00:00"), 3],
            ]),
        ),
        (
            &["--by", "day,app"],
            &["app_id", "day"],
            json!([
                ["a", "2024-05-01", day("11:19:40"), 3],
                ["b", "2024-04-30", "2024-04-30T23:55:05.000Z", 1],
                ["b", "2024-05-01", day("11:20:10"), 2],
            ]),
        ),
        // p07 runs on, as far as the record goes.
        (
            &[
                "--by",
                "hour",
                "--deployment",
                "dep-blue",
                "--since",
                "2024-05-01T11:00:00Z",
            ],
            &["hour"],
            json!([
                [day("11:00:00"), day("11:20:10"), 2],
                [day("12:00:00"), day("12:00:00"), 1],
            ]),
        ),
        // p08 was there at 11:30:00.000, and of later nothing is known.
        (
            &["--since", "2024-05-01T11:30:00Z"],
            &[],
            json!([[day("11:30:00"), 4]]),
        ),
        (
            &["--since", "2024-05-01T11:30:00.001Z"],
            &[],
            json!([["2024-05-01T11:30:00.001Z", 3]]),
        ),
        (
            &["--until", "2024-05-01T11:15:10Z"],
            &[],
            json!([[day("10:50:05"), 2]]),
        ),
        (&["--until", "2024-04-30T23:55:05Z"], &[], json!([])),
        (&["--deployment", "9"], &[], json!([])),
        // The last look was at 12:45, and of later nothing is known.
        (
            &["--since", "2024-05-01T12:45:00Z", "--by", "hour"],
            &["hour"],
            json!([[day("12:00:00"), day("12:45:00"), 2]]),
        ),
        (&["--since", "2024-05-01T12:45:00.001Z"], &[], json!([])),
    ] {
        let rows = place.rows(&[&["concurrency"], more].concat());
        assert_columns(&rows, &[fields, &["at", "running"]].concat(), expected);
    }
}

/// p05 was created at 11:10 and ended at 11:00; whoever asks of either is told.
#[test]
fn whose_times_are_out_of_order_is_told_of_either_end() {
    let place = recorded();
    let excluded = |since: &str, until: &str| {
        let [since, until] = [since, until].map(day);
        let answer = place.json(&["concurrency", "--since", &since, "--until", &until]);
        answer["excluded"].clone()
    };
    let told = json!({"times_out_of_order": 1});
    assert_eq!(excluded("11:05:00", "11:30:00"), told);
    assert_eq!(excluded("10:00:00", "11:10:01"), told);
    assert_eq!(excluded("10:00:00", "11:10:00"), json!({}));
    assert_eq!(excluded("11:11:00", "11:30:00"), json!({}));
}

/// In seconds: p01 2390, p03 880, p04 5370 so far, p06 595, p07 5090 so far, p08 890 so far, p09 1795,
/// p10 2420.
#[test]
fn what_was_billed() {
    let place = recorded();
    let answer = place.json(&["usage"]);
    assert_eq!(
        answer["rows"],
        json!([{"processes": 8, "process_ms": 19_430 * S}])
    );
    assert_eq!(
        answer["excluded"],
        json!({"never_started": 1, "times_out_of_order": 1, "no_end_time": 1})
    );
    for (more, fields, expected) in [
        (
            &["--by", "hour"][..],
            &["hour"][..],
            json!([
                ["2024-04-30T23:00:00.000Z", 1, 295 * S],
                [day("00:00:00"), 1, 300 * S],
                [day("10:00:00"), 3, 3_865 * S],
                [day("11:00:00"), 5, 10_470 * S],
                [day("12:00:00"), 2, 4_500 * S],
            ]),
        ),
        (
            &["--by", "day"],
            &["day"],
            json!([["2024-04-30", 1, 295 * S], ["2024-05-01", 8, 19_135 * S]]),
        ),
        (
            &[
                "--by",
                "app",
                "--since",
                "2024-05-01T11:00:00Z",
                "--until",
                "2024-05-01T11:30:00Z",
            ],
            &["app_id"],
            json!([["a", 3, 3_590 * S], ["b", 2, 1_480 * S]]),
        ),
        (
            &["--by", "deployment", "--region", "London"],
            &["deployment_id"],
            json!([["dep-blue", 3, 6_575 * S]]),
        ),
        (&["--region", "Mars"], &[], json!([])),
    ] {
        let rows = place.rows(&[&["usage"], more].concat());
        assert_columns(
            &rows,
            &[fields, &["processes", "process_ms"]].concat(),
            expected,
        );
    }
}

/// Of what was seen: p01 with 2 rooms from 10:30 until it was seen stopped at 11:30; p04 with 1 from
/// 11:30, with 3 at 12:30; p10 with none from 11:30 to 12:30, p07 until 12:45; p08 with none at 11:30. Three
/// rooms fit into each.
#[test]
fn rooms_against_what_fits() {
    let place = recorded();
    let fields = [
        "processes",
        "allocated_ms",
        "capacity_ms",
        "peak_allocated",
        "peak_at",
    ];
    let rows = place.rows(&["rooms"]);
    assert_columns(
        &rows,
        &fields,
        json!([[5, 10_800 * S, 45_900 * S, 3, day("12:30:00")]]),
    );
    let share = rows[0]["utilization"].as_f64().unwrap();
    assert!((share - 10_800.0 / 45_900.0).abs() < 1e-12, "{share}");
    for (more, key, expected) in [
        (
            &["--by", "app"][..],
            &["app_id"][..],
            json!([
                ["a", 3, 10_800 * S, 32_400 * S, 3, day("12:30:00")],
                ["b", 2, 0, 13_500 * S, 0, null],
            ]),
        ),
        (
            &["--by", "hour"],
            &["hour"],
            json!([
                [day("10:00:00"), 1, 3_600 * S, 5_400 * S, 2, day("10:30:00")],
                [
                    day("11:00:00"),
                    5,
                    5_400 * S,
                    21_600 * S,
                    2,
                    day("11:00:00")
                ],
                [
                    day("12:00:00"),
                    3,
                    1_800 * S,
                    18_900 * S,
                    3,
                    day("12:30:00")
                ],
            ]),
        ),
        (
            &[
                "--since",
                "2024-05-01T11:20:00Z",
                "--until",
                "2024-05-01T11:40:00Z",
            ],
            &[],
            json!([[5, 1_800 * S, 7_200 * S, 2, day("11:20:00")]]),
        ),
        (&["--until", "2024-05-01T10:30:00Z"], &[], json!([])),
    ] {
        let rows = place.rows(&[&["rooms"], more].concat());
        assert_columns(&rows, &[key, &fields].concat(), expected);
    }
}
