//! Ends that came together, by hand: of a day of looks at processes that live by the table.

use super::*;
use crate::fleet::{ndjson, process, with};
use crate::place::Place;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A life on the first of May, in seconds after midnight.
struct Life {
    deployment: i64,
    region: &'static str,
    created: i64,
    /// None is not over by the last look.
    ended: Option<i64>,
    status: &'static str,
    told_to_stop: bool,
    tells_its_end: bool,
}

fn life(created: i64, ended: impl Into<Option<i64>>) -> Life {
    Life {
        deployment: 1,
        region: "Tokyo",
        created,
        ended: ended.into(),
        status: "failed",
        told_to_stop: false,
        tells_its_end: true,
    }
}

fn at(seconds: i64) -> String {
    let midnight: prochist::model::UtcMillis = day("00:00:00").parse().unwrap();
    midnight.plus_millis(seconds * S).to_string()
}

/// Looks at these moments show whoever is alive, or ended in the hour before.
fn seen(lives: &[Life], looks: impl IntoIterator<Item = i64>) -> Place {
    let shown = |n: usize, life: &Life, now: i64| {
        let over = life.ended.filter(|ended| *ended <= now);
        if life.created > now || over.is_some_and(|ended| ended < now - HOUR) {
            return None;
        }
        let id = format!("p{n:03}");
        let record = process(&id, "a", json!(life.deployment), life.region, [""; 4]);
        let told = over.filter(|_| life.told_to_stop);
        let end = over.filter(|_| life.tells_its_end);
        Some(with(
            record,
            json!({
                "status": over.map_or("running", |_| life.status),
                "createdAt": at(life.created), "startedAt": at(life.created),
                "stoppingAt": told.map(at), "terminatedAt": end.map(at),
            }),
        ))
    };
    let looks: Vec<Value> = looks
        .into_iter()
        .map(|now| {
            let processes = lives.iter().enumerate();
            let processes: Vec<Value> = processes.filter_map(|(n, l)| shown(n, l, now)).collect();
            json!({"observedAt": at(now), "processes": processes})
        })
        .collect();
    let place = Place::new();
    place.write("looks.ndjson", ndjson(&looks));
    place.run(&["import", "looks.ndjson"]).ok();
    place
}

fn hourly(hours: std::ops::RangeInclusive<i64>) -> impl Iterator<Item = i64> {
    hours.map(|hour| hour * HOUR)
}

/// Twelve processes that live for a day, and one an hour that ends; of the twelve, ten are told to stop
/// within a minute, five seconds apart. In that minute (p is the least there) 13 are alive of 24 h · 13
/// less 10 · 12 h in all: of the 32 ends 0.03 would be there. The hour before is a share of 1 in 61, and
/// so are the 4 h 20 min after, in which only three live; there four more end, one by one. So 14 ÷ 61.
#[test]
fn a_restart_of_all_is_a_burst() {
    let mut lives: Vec<Life> = (0..12)
        .map(|n| Life {
            deployment: n % 2,
            status: "stopped",
            told_to_stop: true,
            ..life(0, (n < 10).then_some(12 * HOUR + 5 * n))
        })
        .collect();
    lives.extend((0..23).map(|hour| Life {
        region: "London",
        ..life(hour * HOUR + HOUR / 2, (hour + 1) * HOUR + HOUR / 2)
    }));
    let place = seen(&lives, hourly(0..=24));
    let rows = place.rows(&["failures", "--bursts"]);
    let fields = [
        "of",
        "since",
        "until",
        "n",
        "alive",
        "told_to_stop",
        "deployment_ids",
    ];
    let all = json!([
        "ended",
        day("12:00:00"),
        day("12:00:45"),
        10,
        13,
        10,
        [0, 1]
    ]);
    assert_columns(&rows, &fields, json!([all]));
    let expected = rows[0]["expected"].as_f64().unwrap();
    assert!((expected * 61.0 - 14.0).abs() < 0.1, "{expected}");
    let p = rows[0]["p"].as_f64().unwrap();
    assert!(p < 1e-9, "{p}");
    // It is one however closely somebody looks at it, if any of it is there to see.
    for (since, until, is_there) in [
        ("12:00:00", "12:00:01", true),
        ("12:00:20", "13:00:00", true),
        ("12:00:45", "12:00:46", true),
        ("11:00:00", "12:00:00", false),
        ("12:00:46", "12:30:00", false),
    ] {
        let window = ["--since", &day(since), "--until", &day(until)];
        let answer = place.json(&[&["failures", "--bursts"], &window[..]].concat());
        let expected = if is_there { json!(rows) } else { json!([]) };
        assert_eq!(answer["rows"], expected, "{since} to {until}");
    }
    // In London nothing of it, and those that failed there one by one are none.
    let rows = place.rows(&["failures", "--bursts", "--by", "region"]);
    assert_columns(
        &rows,
        &["region", "of", "n"],
        json!([["Tokyo", "ended", 10]]),
    );
    let ran = place
        .run(&["failures", "--bursts", "--region", "London"])
        .ok();
    assert_eq!(
        ran.stderr.lines().skip(1).collect::<Vec<_>>(),
        [
            "no burst: in no stretch of up to a quarter of an hour did far more fail or end \
             together than their group's rate explains"
        ]
    );
}

/// A hundred processes are ten days old when the record begins; every ten seconds one fails, for as long
/// as it lasts. Nobody saw how many had before.
#[test]
fn ten_minutes_beside_old_processes_are_no_burst() {
    let lives: Vec<Life> = (0..100)
        .map(|n| life(-240 * HOUR, (n < 60).then_some(12 * HOUR + 5 + 10 * n)))
        .collect();
    let place = seen(&lives, (0..=10).map(|n| 12 * HOUR + n * MINUTE));
    let answer = place.json(&["failures", "--bursts"]);
    assert_eq!(json!([answer["rows"], answer["excluded"]]), json!([[], {}]));
}

/// Twelve that had ended together an hour before the first look, and as many that came and went in a
/// pause: on record are only those that ended shortly before a look.
#[test]
fn what_ended_while_nothing_looked_is_no_burst() {
    let mut lives: Vec<Life> = (0..20).map(|_| life(0, None)).collect();
    lives.extend((0..12).map(|n| life(HOUR, 9 * HOUR + 30 * MINUTE + n)));
    lives.extend((0..12).map(|n| life(13 * HOUR, 15 * HOUR + n)));
    let place = seen(&lives, hourly(10..=12).chain([16 * HOUR, 17 * HOUR]));
    let answer = place.json(&["failures", "--bursts"]);
    let excluded = json!({"ended_unwatched": 24});
    assert_eq!(
        json!([answer["rows"], answer["excluded"]]),
        json!([[], excluded])
    );
    let ran = place.run(&["failures", "--bursts"]).ok();
    let said = "no burst among those that are not excluded in that part of the window that was \
                watched: ";
    assert!(ran.stderr.contains(said), "{ran:?}");
    assert!(!ran.stderr.contains("nothing matches"), "{ran:?}");
    // One that was met before it ended is among them, with eleven more.
    lives.extend((0..12).map(|n| life(13 * HOUR, 16 * HOUR + 30 * MINUTE + n / 3)));
    let place = seen(&lives, hourly(10..=12).chain([16 * HOUR, 17 * HOUR]));
    let rows = place.rows(&["failures", "--bursts"]);
    let fields = ["of", "since", "n", "alive"];
    let since = day("16:30:00");
    let expected = json!([["failed", since, 12, 32], ["ended", since, 12, 32]]);
    assert_columns(&rows, &fields, expected);
}

/// Eight fail in the course of an hour and do not say when: all are first seen failed at one look.
#[test]
fn what_does_not_say_when_it_ended_is_no_burst() {
    let mut lives: Vec<Life> = (0..20).map(|_| life(0, None)).collect();
    lives.extend((0..8).map(|n| Life {
        tells_its_end: false,
        ..life(0, 5 * HOUR + n * 7 * MINUTE)
    }));
    let place = seen(&lives, hourly(0..=24));
    let answer = place.json(&["failures", "--bursts"]);
    let excluded = json!({"no_end_time": 8});
    assert_eq!(
        json!([answer["rows"], answer["excluded"]]),
        json!([[], excluded])
    );
}

#[test]
fn bursts_have_no_groups_of_time() {
    for by in ["day", "region,hour"] {
        let ran = recorded()
            .run(&["failures", "--bursts", "--by", by])
            .ended(2);
        let field = by.trim_start_matches("region,");
        let expected = format!(
            "error: bursts are stretches of time themselves, and cannot be grouped by {field}\n\
             hint: group by app, region or deployment, and narrow the time with --since and --until\n"
        );
        assert_eq!(ran.stderr, expected);
    }
}

/// Five are there at one look and none at the next, which shows all that live.
#[test]
fn what_is_lost_together_is_said_to_be_left_out() {
    let place = Place::new();
    let running = |n: usize| {
        let times = ["09:00:00", "09:00:00", "", ""];
        let record = process(&format!("p{n}"), "a", json!(1), "Tokyo", times);
        with(record, json!({"status": "running"}))
    };
    let five: Vec<Value> = (0..5).map(running).collect();
    let looks = [
        json!({"observedAt": day("10:00:00"), "processes": five}),
        json!({"observedAt": day("10:05:00"), "processes": [running(5)]}),
    ];
    place.write("looks.ndjson", ndjson(&looks));
    place.run(&["import", "--complete", "looks.ndjson"]).ok();
    let answer = place.json(&["failures", "--bursts"]);
    assert_eq!(
        (&answer["excluded"], &answer["rows"]),
        (&json!({"lost": 5}), &json!([]))
    );
    let told = place.run(&["failures", "--bursts"]).ok().stderr;
    assert!(
        told.contains("; 5 lost ones may have ended together, for when they did nobody knows"),
        "{told}"
    );
    // They had lived until the window ended, and were lost after it.
    let until = ["failures", "--bursts", "--until", &day("10:00:00")];
    assert_eq!(place.json(&until)["excluded"], json!({}));
}
