//! Which looks were at which app, and what nobody has seen since.

use prochist::model::{Extent, Snapshot, UtcMillis};
use prochist::{Ending, RunKind, RunResult, Store};

use super::*;
use crate::fleet::{at_port, ndjson, process, with};
use crate::place::Place;

/// A sync of one app that found nobody, at each of these times.
fn synced(place: &Place, app: &str, times: &[&str]) {
    let mut store = Store::open(&place.database()).unwrap();
    for time in times {
        let observed_at: UtcMillis = day(time).parse().unwrap();
        let source = format!("https://api.example/{app}");
        let run = store.begin(RunKind::Sync, &source, observed_at).unwrap();
        let mut run = run.about_app(app);
        run.record(&Snapshot {
            observed_at,
            processes: vec![],
            unknown: vec![],
            extent: Extent::Partial,
        })
        .unwrap();
        run.finish(&Ending::new(observed_at, RunResult::Complete))
            .unwrap();
    }
}

fn imported(place: &Place, looks: &[Value]) {
    place.write("looks.ndjson", ndjson(looks));
    place.run(&["import", "looks.ndjson"]).ok();
}

/// App a is looked at from 10:00 to 11:00, b from 10:30 to 14:00; an archive of 06:00 shows c alone.
fn three_apps() -> Place {
    let place = Place::new();
    synced(&place, "a", &["10:00:00", "11:00:00"]);
    let of_b = ["10:30:00", "11:30:00", "12:30:00", "13:30:00", "14:00:00"];
    synced(&place, "b", &of_b);
    let c = process("c1", "c", json!(1), "Tokyo", ["05:50:00", "", "", ""]);
    imported(
        &place,
        &[json!({"observedAt": day("06:00:00"), "processes": [c]})],
    );
    place
}

#[test]
fn a_look_at_one_app_is_none_at_another() {
    let place = three_apps();
    let coverage = |more: &[&str]| {
        let window = ["--since", &day("10:30:00"), "--until", &day("13:00:00")];
        let answer = place.json(&[&["failures"], &window[..], more].concat());
        let coverage = &answer["coverage"];
        let fields = ["from", "to", "watched", "unwatched"];
        json!(fields.map(|field| coverage[field].clone()))
    };
    let until_window = |since: &str, more: Value| {
        let mut stretch = json!({"since": day(since), "until": day("13:00:00")});
        if !more.is_null() {
            stretch["app_ids"] = more;
        }
        stretch
    };
    assert_eq!(
        coverage(&["--app", "b"]),
        json!([day("10:30:00"), day("14:00:00"), "all", []])
    );
    assert_eq!(
        coverage(&["--app", "a"]),
        json!([
            day("10:00:00"),
            day("11:00:00"),
            "part",
            [until_window("11:00:00", json!(null))]
        ])
    );
    assert_eq!(
        coverage(&["--app", "c"]),
        json!([
            day("06:00:00"),
            day("06:00:00"),
            "none",
            [until_window("06:00:00", json!(null))]
        ])
    );
    assert_eq!(
        coverage(&["--app", "a", "--app", "c"]),
        json!([
            day("06:00:00"),
            day("11:00:00"),
            "part",
            [
                until_window("06:00:00", json!(["c"])),
                until_window("11:00:00", json!(["a"])),
            ]
        ])
    );
    // Of all it is some, and none of those that were not looked at at all.
    assert_eq!(coverage(&[])[2], "part");
    assert_eq!(
        coverage(&[])[3],
        coverage(&["--app", "a", "--app", "b", "--app", "c"])[3]
    );
    assert_eq!(coverage(&["--app", "typo"])[2], "none");
    let ran = place.run(&[
        "failures",
        "--since",
        &day("10:30:00"),
        "--until",
        &day("13:00:00"),
    ]);
    assert!(ran.ok().stderr.contains(
        "warning: nothing looked at a from 2024-05-01T11:00:00.000Z to 2024-05-01T13:00:00.000Z"
    ),);
}

/// Archives are about all apps that any of them shows, however they are split into files.
#[test]
fn archives_are_looks_at_what_archives_show() {
    let c = process("c1", "c", json!(1), "Tokyo", ["05:50:00", "", "", ""]);
    let d = process("d1", "d", json!(1), "Tokyo", ["06:50:00", "", "", ""]);
    let looks = [
        json!({"observedAt": day("06:00:00"), "processes": [c]}),
        json!({"observedAt": day("07:00:00"), "processes": [d]}),
    ];
    let (whole, split) = (Place::new(), Place::new());
    imported(&whole, &looks);
    imported(&split, &looks[1..]);
    imported(&split, &looks[..1]);
    for place in [&whole, &split] {
        for app in ["c", "d"] {
            let coverage = &place.json(&["failures", "--app", app])["coverage"];
            assert_eq!(
                (&coverage["from"], &coverage["to"]),
                (&json!(day("06:00:00")), &json!(day("07:00:00"))),
                "{app}"
            );
        }
    }
}

/// Syncs and archives of one app look at it together.
#[test]
fn a_pause_is_one_of_all_that_look() {
    let place = three_apps();
    synced(
        &place,
        "c",
        &["02:00:00", "07:00:00", "08:30:00", "09:00:00"],
    );
    let window = ["--since", &day("01:30:00"), "--until", &day("10:00:00")];
    let answer = place.json(&[&["failures", "--app", "c"], &window[..]].concat());
    let stretches = answer["coverage"]["unwatched"].as_array().unwrap();
    assert_columns(
        stretches,
        &["since", "until"],
        json!([
            [day("02:00:00"), day("06:00:00")],
            [day("07:00:00"), day("08:30:00")]
        ]),
    );
}

/// One app's record begins at 06:00 and another's at 10:00, though of that one a process had been there
/// since 03:00. In a third's there was nobody yet.
#[test]
fn an_app_that_was_looked_at_late() {
    let place = three_apps();
    let old = process(
        "d1",
        "d",
        json!(1),
        "Tokyo",
        ["03:00:00", "03:00:00", "", ""],
    );
    let mut store = Store::open(&place.database()).unwrap();
    for (app, record) in [("d", Some(old)), ("e", None)] {
        let observed_at: UtcMillis = day("10:00:00").parse().unwrap();
        let run = store.begin(RunKind::Sync, app, observed_at).unwrap();
        let mut run = run.about_app(app);
        let processes = record
            .iter()
            .map(|record| serde_json::from_value(record.clone()).unwrap());
        run.record(&Snapshot {
            observed_at,
            processes: processes.collect(),
            unknown: vec![],
            extent: Extent::Partial,
        })
        .unwrap();
        run.finish(&Ending::new(observed_at, RunResult::Complete))
            .unwrap();
    }
    let unwatched = |args: &[&str]| place.json(args)["coverage"]["unwatched"].clone();
    let late = json!({"since": day("06:00:00"), "until": day("10:00:00"), "app_ids": ["d"]});
    let found = unwatched(&["usage"]);
    let stretches = found.as_array().unwrap();
    let before = stretches
        .iter()
        .filter(|stretch| !stretch["until"].is_null());
    assert_eq!(before.collect::<Vec<_>>(), [&late]);
    // Of it alone there is nothing earlier.
    assert_eq!(unwatched(&["usage", "--app", "d"]), json!([]));
}

/// Nothing that was there by then had looked at it.
#[test]
fn an_app_that_nothing_had_looked_at_by_then() {
    let place = three_apps();
    let at = day("10:10:00");
    let known = ["at", &at, "--as-known-at", &at];
    let coverage = place.json(&known)["coverage"].clone();
    assert_eq!(coverage["watched"], "part");
    let nobody = json!({"since": null, "until": "2024-05-01T10:10:00.001Z", "app_ids": ["b"]});
    assert_eq!(coverage["unwatched"][0], nobody);
    assert!(
        place
            .run(&known)
            .ok()
            .stderr
            .starts_with("as it was known at 2024-05-01T10:10:00.000Z:\n")
    );
}

/// The look before a pause is no part of it.
#[test]
fn a_moment_at_a_look_is_watched() {
    let place = three_apps();
    synced(&place, "a", &["14:00:00"]);
    let watched = |args: &[&str]| {
        place.json(&[args, &["--app", "a"]].concat())["coverage"]["watched"].clone()
    };
    assert_eq!(watched(&["at", &day("11:00:00")]), "all");
    assert_eq!(watched(&["at", "2024-05-01T11:00:00.001Z"]), "none");
    assert_eq!(watched(&["at", "2024-05-01T13:59:59.999Z"]), "none");
    assert_eq!(watched(&["at", &day("14:00:00")]), "all");
}

/// An import that is complete for an app looked at it, though it found nobody.
#[test]
fn an_archive_may_say_that_there_was_nobody() {
    let place = Place::new();
    let looks = [
        json!({"observedAt": day("10:00:00"), "processes": []}),
        json!({"observedAt": day("11:00:00"), "processes": []}),
    ];
    place.write("looks.ndjson", ndjson(&looks));
    place
        .run(&["import", "looks.ndjson", "--complete", "--app-id", "a"])
        .ok();
    let coverage = place.json(&["failures", "--app", "a"])["coverage"].clone();
    assert_eq!(
        json!([coverage["from"], coverage["to"], coverage["watched"]]),
        json!([day("10:00:00"), day("11:00:00"), "all"])
    );
    assert_eq!(
        place.json(&["failures", "--app", "b"])["coverage"]["watched"],
        "none"
    );
}

/// In every format: what may be missing, a name that is misspelt, and the exit code.
#[test]
fn coverage_warns_as_the_others_do() {
    let place = three_apps();
    for format in ["table", "json", "csv", "ndjson", "markdown"] {
        let coverage = |more: &[&str]| {
            let args = ["coverage", "--fail-on-gap", "--format", format];
            place.run(&[&args[..], more].concat())
        };
        let window = [
            "--app",
            "b",
            "--since",
            &day("08:00:00"),
            "--until",
            &day("14:00:00"),
        ];
        let ran = coverage(&window).ended(3);
        let told = "nothing looked from 2024-05-01T08:00:00.000Z to 2024-05-01T10:30:00.000Z";
        assert!(
            ran.stdout.contains(told) || ran.stderr.contains(told) || format == "json",
            "{ran:?}"
        );
        let ran = coverage(&["--app", "typo"]).ended(3);
        assert!(
            ran.stderr
                .contains("no process of app \"typo\" was ever recorded"),
            "{ran:?}"
        );
        coverage(&["--app", "b"]).ok();
    }
}

/// A window that begins, and has no end, reaches until it is asked about.
#[test]
fn since_then_and_until_now() {
    let place = three_apps();
    let since = day("10:30:00");
    let args = ["failures", "--app", "b", "--since", &since];
    let answer = place.json(&args);
    assert_eq!(
        answer["coverage"]["unwatched"],
        json!([{"since": day("14:00:00"), "until": null}])
    );
    assert_eq!(answer["window"]["until"], Value::Null);
    assert_eq!(answer["coverage"]["watched"], "part");
    // What looks are missing counts as a gap does, where that is asked for; without a window all that
    // is on record is asked about.
    place
        .run(&[&args[..], &["--fail-on-gap"]].concat())
        .ended(3);
    let all = ["failures", "--app", "b", "--fail-on-gap"];
    place.run(&all).ok();
    let until = day("14:30:00");
    place
        .run(&[&args[..], &["--until", &until, "--fail-on-gap"]].concat())
        .ok();
}

/// What is still to come was not missed; what went before the first look was. A moment soon after a look
/// stands as it was seen.
#[test]
fn the_edges_of_the_record() {
    let place = three_apps();
    let coverage = |args: &[&str]| {
        let coverage = &place.json(&[args, &["--app", "b"]].concat())["coverage"];
        json!([coverage["watched"], coverage["unwatched"]])
    };
    let future = [
        "failures",
        "--since",
        &day("12:00:00"),
        "--until",
        "9999-12-31",
    ];
    let [watched, stretches] = [&coverage(&future)[0], &coverage(&future)[1][0]];
    assert_eq!(
        (watched, &stretches["since"]),
        (&json!("part"), &json!(day("14:00:00")))
    );
    let until: UtcMillis = stretches["until"].as_str().unwrap().parse().unwrap();
    assert!(
        until < "9999-12-31T00:00:00Z".parse().unwrap(),
        "until it was asked"
    );
    let before = ["failures", "--until", &day("10:30:00")];
    assert_eq!(
        coverage(&before),
        json!(["none", [{"since": null, "until": day("10:30:00")}]])
    );
    let ran = place.run(&[&before[..], &["--app", "b", "--fail-on-gap"]].concat());
    let told = "warning: nothing looked before 2024-05-01T10:30:00.000Z";
    assert!(ran.ended(3).stderr.contains(told));
    assert_eq!(coverage(&["at", &day("14:30:00")]), json!(["all", []]));
    assert_eq!(coverage(&["at", &day("15:02:00")])[0], "none");
}

/// Without a window the record is asked about, which of one app may end before that of another.
#[test]
fn an_app_that_is_no_longer_looked_at() {
    let place = three_apps();
    let coverage = &place.json(&["failures"])["coverage"];
    assert_eq!(coverage["watched"], "part");
    assert_eq!(
        coverage["unwatched"],
        json!([
            {"since": day("06:00:00"), "until": null, "app_ids": ["c"]},
            {"since": day("11:00:00"), "until": null, "app_ids": ["a"]},
        ])
    );
    let ran = place.run(&["failures"]).ok();
    assert!(
        ran.stderr
            .contains("warning: nothing has looked at a since 2024-05-01T11:00:00.000Z\n"),
        "{ran:?}"
    );
    let ran = place.run(&["ports"]).ok();
    assert!(
        ran.stderr.contains("nothing matches: none is on record\n"),
        "{ran:?}"
    );
    // Nobody reports its processes any more.
    let zombies = |more: &[&str]| {
        let rows = place.rows(&[&["lifetimes", "--zombies"], more].concat());
        json!(columns(&rows, &["process_id"]))
    };
    assert_eq!(zombies(&[]), json!([["c1"]]));
    assert_eq!(zombies(&["--app", "c"]), json!([["c1"]]));
}

/// Days and hours before the record are told of in words, where nobody asked for them by a window.
#[test]
fn hours_before_the_record() {
    let place = three_apps();
    let said = |more: &[&str]| {
        let ran = place
            .run(&[&["failures", "--app", "c"], more].concat())
            .ok();
        ran.stderr
            .contains("before 2024-05-01T06:00:00.000Z only what was still there")
    };
    assert!(said(&["--by", "hour"]) && said(&["--by", "region,hour"]));
    assert!(!said(&[]) && !said(&["--by", "region"]));
    // The day is that of the first look.
    assert!(!said(&["--by", "day"]));
    assert!(!said(&[
        "--by",
        "hour",
        "--since",
        &day("05:00:00"),
        "--until",
        &day("06:30:00")
    ]));
}

/// A name that is on record does not hide one that is not.
#[test]
fn every_misspelt_name_is_told() {
    let place = three_apps();
    let answer = place.json(&[
        "failures",
        "--app",
        "c",
        "--app",
        "typo",
        "--deployment",
        "1",
        "--deployment",
        "01",
    ]);
    assert_eq!(answer["rows"].as_array().unwrap().len(), 1);
    assert_eq!(
        answer["never_recorded"],
        json!([
            {"field": "app_id", "name": "typo", "known": ["c"]},
            {"field": "deployment_id", "name": "01", "known": ["1"]},
        ])
    );
}

/// Seen at 10:00 and 11:00; at 12:00 the app was looked at, an hour later, and just over a minute after that.
#[test]
fn what_nobody_has_seen_since_is_told() {
    let place = Place::new();
    let seen = |id: &str, status: &str, end: &str| {
        let times = ["09:00:00", "09:00:00", "", end];
        with(
            process(id, "a", json!(1), "Tokyo", times),
            json!({"status": status}),
        )
    };
    let both = json!([seen("gone", "running", ""), seen("over", "running", "")]);
    imported(
        &place,
        &[
            json!({"observedAt": day("10:00:00"), "processes": both}),
            json!({"observedAt": day("11:00:00"), "processes": both}),
            json!({"observedAt": day("12:00:00"), "processes": [seen("over", "stopped", "11:30:00")]}),
        ],
    );
    let unseen = |args: &[&str]| place.json(args)["unseen"].clone();
    let (then, late) = (day("12:30:00"), day("13:00:00"));
    assert_eq!(unseen(&["at", &late]), Value::Null);
    assert_eq!(unseen(&["concurrency"]), Value::Null);
    imported(
        &place,
        &[json!({"observedAt": "2024-05-01T12:01:00.001Z", "processes": []})],
    );
    assert_eq!(unseen(&["at", &then]), 1);
    assert_eq!(unseen(&["at", &then, "--by", "app"]), 1);
    assert_eq!(unseen(&["concurrency"]), 1);
    // By then it had been seen within the hour, or the window ends before, or nobody knew.
    assert_eq!(unseen(&["at", &day("12:00:00")]), Value::Null);
    assert_eq!(
        unseen(&["concurrency", "--until", &day("12:00:00")]),
        Value::Null
    );
    assert_eq!(
        unseen(&["at", &then, "--as-known-at", &day("12:00:00")]),
        Value::Null
    );
    // Of one that has ended nothing more is to be seen.
    imported(
        &place,
        &[json!({"observedAt": day("13:30:00"), "processes": []})],
    );
    assert_eq!(unseen(&["concurrency"]), 1);
    let ran = place.run(&["at", &then]).ok();
    assert!(
        ran.stderr
            .contains("warning: 1 process is counted on that nobody had seen for over an hour"),
        "{ran:?}"
    );
}

/// What was known by a moment rests on the looks until then.
#[test]
fn coverage_as_it_was_known() {
    let place = three_apps();
    let known = |at: &str, by: &str| {
        let (at, by) = (day(at), day(by));
        let answer = place.json(&["at", &at, "--as-known-at", &by, "--app", "b"]);
        let coverage = &answer["coverage"];
        json!([coverage["from"], coverage["to"], coverage["watched"]])
    };
    let from = day("10:30:00");
    assert_eq!(
        known("12:00:00", "14:00:00"),
        json!([from, day("14:00:00"), "all"])
    );
    assert_eq!(
        known("12:00:00", "13:00:00"),
        json!([from, day("12:30:00"), "all"])
    );
    assert_eq!(
        known("13:00:00", "12:29:59"),
        json!([from, day("11:30:00"), "none"])
    );
    assert_eq!(known("13:00:00", "10:00:00"), json!([null, null, "none"]));
    // A pause that was not over then had no end yet.
    synced(&place, "a", &["14:00:00"]);
    let (at, by) = (day("12:30:00"), day("13:00:00"));
    let answer = place.json(&["at", &at, "--as-known-at", &by, "--app", "a"]);
    assert_eq!(
        answer["coverage"]["unwatched"],
        json!([{"since": day("11:00:00"), "until": "2024-05-01T12:30:00.001Z"}])
    );
}

/// It failed at 10:01 before it had started, and was first seen with its port at 10:30; another took the
/// port at 10:02.
#[test]
fn what_never_started_held_its_port_until_its_end() {
    let place = Place::new();
    let port = json!({"exposedPort": at_port("h", 80, "udp")});
    let one = |id: &str, times: [&str; 4], status: &str| {
        let record = with(process(id, "a", json!(1), "Tokyo", times), port.clone());
        with(record, json!({"status": status}))
    };
    imported(
        &place,
        &[json!({"observedAt": day("10:30:00"), "processes": [
            one("first", ["09:00:00", "09:00:00", "", "10:00:00"], "stopped"),
            one("never", ["10:00:30", "", "", "10:01:00"], "failed"),
            one("next", ["10:01:00", "10:02:00", "", ""], "running"),
        ]})],
    );
    let answer = place.json(&["ports"]);
    assert_eq!(answer["excluded"], json!({}));
    assert_columns(
        answer["rows"].as_array().unwrap(),
        &["holds", "reuses", "overlaps", "min_gap_ms", "max_gap_ms"],
        json!([[3, 2, 0, 60 * S, 120 * S]]),
    );
    let rows = place.rows(&["ports", "--endpoint", "h:80"]);
    assert_columns(
        &rows,
        &["process_id", "held_from", "held_until", "gap_ms"],
        json!([
            ["first", day("09:00:00"), day("10:00:00"), null],
            ["never", day("10:01:00"), day("10:01:00"), 60 * S],
            ["next", day("10:02:00"), null, 120 * S],
        ]),
    );
    // Nor is a hold of no length in the midst of another an overlap.
    let inside = [
        one("inside", ["09:30:00", "", "", "09:40:00"], "failed"),
        one("beside", ["10:04:00", "", "", "10:05:00"], "failed"), // where the next one goes on
    ];
    imported(
        &place,
        &[json!({"observedAt": day("10:30:00"), "processes": inside})],
    );
    let rows = place.rows(&["ports", "--within", "2m"]);
    let fields = ["process_id", "previous_process_id", "gap_ms"];
    assert_columns(
        &rows,
        &fields,
        json!([["never", "first", 60 * S], ["next", "first", 120 * S]]),
    );
    assert_columns(
        &place.rows(&["ports"]),
        &["holds", "reuses", "overlaps", "min_gap_ms"],
        json!([[5, 2, 0, 60 * S]]),
    );
    assert_eq!(place.rows(&["ports", "--conflicts"]), Vec::<Value>::new());
}

/// Over time as far as the record of the app goes, not that of another.
#[test]
fn a_roll_out_is_followed_while_its_app_is_looked_at() {
    let place = three_apps();
    let running = |id: &str, deployment: i64, at: &str| {
        let record = process(id, "d", json!(deployment), "Tokyo", [at, at, "", ""]);
        with(record, json!({"status": "running"}))
    };
    let both = [running("old", 1, "08:00:00"), running("new", 2, "08:30:00")];
    imported(
        &place,
        &[
            json!({"observedAt": day("08:45:00"), "processes": both}),
            json!({"observedAt": day("09:00:00"), "processes": both}),
        ],
    );
    let rows = place.rows(&["rollout", "--app", "d", "--over-time", "--step", "15m"]);
    let of_all = place.rows(&["rollout", "--over-time", "--step", "15m"]);
    let times = ["08:30:00", "08:45:00", "09:00:00"].map(|at| json!([day(at), 1, 1]));
    for rows in [rows, of_all] {
        assert_columns(&rows, &["at", "old_running", "new_running"], json!(times));
    }
}
