//! How one deployment took over from another.

use super::*;
use crate::fleet::{ndjson, process, with};
use crate::place::Place;

const FIELDS: [&str; 10] = [
    "app_id",
    "old_deployment_id",
    "new_deployment_id",
    "old_processes",
    "new_processes",
    "new_first_started_at",
    "half_at",
    "old_last_ended_at",
    "old_open",
    "old_lost",
];

/// In app a, 8 came after 7, whose last process in order, p01, had ended by then. In app b, 9 came after
/// dep-blue, which still runs; p12 of it started at 12:00:05, and nobody knows how long it ran.
#[test]
fn the_latest_of_each_app() {
    let place = recorded();
    let answer = place.json(&["rollout"]);
    let rows = answer["rows"].as_array().unwrap();
    assert_columns(
        rows,
        &FIELDS,
        json!([
            [
                "a",
                7,
                8,
                3,
                4,
                day("10:45:20"),
                day("10:45:20"),
                day("10:40:05"),
                0,
                0
            ],
            ["b", "dep-blue", 9, 3, 2, day("12:00:05"), null, null, 1, 1],
        ]),
    );
    assert_columns(rows, &["old_survived_ms"], json!([[0], [null]]));
    assert_eq!(
        answer["excluded"],
        json!({"times_out_of_order": 1, "no_end_time": 1})
    );
    let regions = ["--by", "region", "--app", "a"];
    let rows = place.rows(&[&["rollout"], &regions[..]].concat());
    assert_columns(
        &rows,
        &[
            "region",
            "old_processes",
            "new_processes",
            "new_first_started_at",
        ],
        json!([["London", 1, 0, null], ["Tokyo", 2, 4, day("10:45:20")]]),
    );
}

/// 8 beside 7, from the last quarter before 8 began until the first after 7 had ended; 7 beside 8 the
/// other way round: 8 still runs, so as far as the record goes.
#[test]
fn step_by_step() {
    let place = recorded();
    let shares = |pair: &str, step: &str| {
        let rows = place.rows(&["rollout", pair, "--over-time", "--step", step, "--app", "a"]);
        json!(columns(
            &rows,
            &["at", "old_running", "new_running", "share"]
        ))
    };
    assert_eq!(
        shares("7..8", "15m"),
        json!([[day("10:45:00"), 0, 0, null], [day("11:00:00"), 0, 1, 1.0]])
    );
    assert_eq!(
        shares("8..7", "1h"),
        json!([
            [day("10:00:00"), 0, 0, null],
            [day("11:00:00"), 1, 0, 0.0],
            [day("12:00:00"), 2, 0, 0.0],
            [day("13:00:00"), 1, 0, 0.0],
        ])
    );
}

#[test]
fn which_one_is_meant() {
    let place = recorded();
    let pair = |args: &[&str]| {
        let rows = place.rows(&[&["rollout"], args].concat());
        json!(columns(&rows, &["old_deployment_id", "new_deployment_id"]))
    };
    assert_eq!(pair(&["8"]), json!([[7, 8]]));
    assert_eq!(pair(&["9"]), json!([["dep-blue", 9]]));
    assert_eq!(pair(&["--app", "b"]), json!([["dep-blue", 9]]));
    assert_eq!(pair(&["--until", "2024-05-01T12:00:00Z"]), json!([[7, 8]]));
    assert_eq!(
        pair(&["--since", "2024-05-01T12:00:00Z"]),
        json!([["dep-blue", 9]])
    );
    // Of two apps no pair.
    assert_eq!(pair(&["7..9"]), json!([]));
    for (args, error) in [
        (
            &["rollout", "7"][..],
            "error: no deployment of the app came before 7\n\
             hint: name both with two dots between, such as 43..44\n",
        ),
        (
            &["rollout", "42"],
            "error: no process of deployment 42 was ever recorded (there are 9, 8, 7, dep-blue)\n",
        ),
    ] {
        assert_eq!(place.run(args).ended(1).stderr, error, "{args:?}");
    }
    for args in [
        &["rollout", "7..7"][..],
        &["rollout", "7.."],
        &["failures", "--compare", "7..7"],
        &["failures", "--compare", "7"],
        &["ports", "--conflicts", "--by", "host"],
        &["lifetimes", "--zombies", "--longer-than", "1h"],
    ] {
        let ran = place.run(args).ended(2);
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    }
}

/// A roll-back is asked for in that order, and so is a roll-out by mistake.
#[test]
fn the_newer_before_the_older() {
    let place = recorded();
    let warned = |args: &[&str]| {
        let ran = place.run(&[&["rollout"], args].concat()).ok();
        let warnings = ran
            .stderr
            .lines()
            .filter(|line| line.starts_with("warning:"));
        warnings.map(str::to_owned).collect::<Vec<_>>()
    };
    for args in [&["8..7"][..], &["8..7", "--over-time"]] {
        assert_eq!(
            warned(args),
            [
                "warning: 7 began before 8 in a, so this shows a way back; how 8 took over is \
              `prochist rollout 7..8`"
            ]
        );
    }
    assert_eq!(warned(&["9..dep-blue"]).len(), 1);
    assert_eq!(warned(&["9..dep-blue", "--app", "a"]), [] as [&str; 0]);
    assert_eq!(warned(&["7..8"]), [] as [&str; 0]);
    assert_eq!(warned(&["8"]), [] as [&str; 0]);
}

/// One of the old is lost, and none is open; one of each runs from 10:10 on, which is half.
#[test]
fn a_lost_one_has_no_last_end() {
    let place = Place::new();
    let at = |id: &str, deployment: i64, created: &str| {
        let record = process(
            id,
            "a",
            json!(deployment),
            "Tokyo",
            [created, created, "", ""],
        );
        with(record, json!({"status": "running"}))
    };
    let (old, new) = (at("old", 1, "10:00:00"), at("new", 2, "10:10:00"));
    let ended = with(
        at("ended", 1, "10:00:00"),
        json!({"status": "stopped", "terminatedAt": day("10:05:00")}),
    );
    place.write(
        "looks.ndjson",
        ndjson(&[
            json!({"observedAt": day("10:15:00"), "processes": [old, new, ended]}),
            json!({"observedAt": day("10:20:00"), "processes": [new]}),
        ]),
    );
    place.run(&["import", "--complete", "looks.ndjson"]).ok();
    assert_columns(
        &place.rows(&["rollout"]),
        &[
            "half_at",
            "old_open",
            "old_lost",
            "old_last_ended_at",
            "old_survived_ms",
        ],
        json!([[day("10:10:00"), 0, 1, null, null]]),
    );
}
