//! How long processes lasted.

use super::*;
use crate::fleet::{ndjson, process, with};
use crate::place::Place;

/// In seconds, ended + censored, in brackets the age at which those came under observation that were
/// created before 10:30, when the record of both apps begins:
/// provisioning 5[38100] 5 5 10[1800] 10 10 20 30 40 + 1500;
/// serving 595[38095] 880 1795 2390[1790] 2420 + 890 5090 5370;
/// stopping 4 5 10;
/// lifetime 60[1500] 600[38100] 900 1810 2405[1800] 2464 + 900 1500 5100 5400.
/// Of the censored p08 is lost.
#[test]
fn lifetimes_of_all() {
    let answer = recorded().json(&["lifetimes"]);
    let row = |phase: &str,
               [n, censored, lost, delayed]: [u64; 4],
               [mean, p50, p90, p99, max]: [i64; 5],
               survival: Value| {
        json!({
            "phase": phase, "n": n, "censored": censored, "lost": lost, "delayed": delayed,
            "mean_ms": mean,
            "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "max_ms": max,
            "survival_p50_ms": survival[0], "survival_p90_ms": survival[1],
            "survival_until_ms": survival[2],
        })
    };
    assert_eq!(
        answer["rows"],
        json!([
            // At risk 8 at 5: 6/8; 6 at 10: 4/6, so 1/2; then 3/4, 2/3, 1/2 of that: 1/8 at 40.
            row(
                "provisioning",
                [9, 1, 0, 2],
                [15 * S, 10 * S, 32 * S, 39_200, 40 * S],
                json!([10 * S, null, 1_500 * S])
            ),
            // At risk 6 at 880 (p01 comes later): 5/6; 5 at 1795: 4/5; 4 at 2390: 3/4, so 1/2; 2/3.
            row(
                "serving",
                [5, 3, 1, 2],
                [1_616 * S, 1_795 * S, 2_408 * S, 2_418_800, 2_420 * S],
                json!([2_390 * S, null, 5_370 * S])
            ),
            row(
                "stopping",
                [3, 0, 0, 0],
                [6_333, 5 * S, 9 * S, 9_900, 10 * S],
                json!([5 * S, 10 * S, 10 * S])
            ),
            // At risk 7 at 900: 6/7; 5 at 1810 (p01 among them): 4/5; 3/4 at 2405: .514; 2/3 at 2464.
            row(
                "lifetime",
                [6, 4, 1, 3],
                [1_373_167, 1_355 * S, 2_434_500, 2_461_050, 2_464 * S],
                json!([2_464 * S, null, 5_400 * S])
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

#[test]
fn those_that_lasted_longer() {
    let place = recorded();
    let answer = place.json(&["lifetimes", "--longer-than", "30m"]);
    let rows = answer["rows"].as_array().unwrap();
    assert_columns(
        rows,
        &["process_id", "outcome", "lifetime_ms", "age_so_far_ms"],
        json!([
            ["p04", "open", null, 5_400 * S],
            ["p07", "open", null, 5_100 * S],
            ["p10", "stopped", 2_464 * S, null],
            ["p01", "stopped", 2_405 * S, null],
            ["p09", "stopped", 1_810 * S, null],
        ]),
    );
    assert_eq!(
        answer["excluded"],
        json!({"times_out_of_order": 1, "no_end_time": 1})
    );
    // Longer than, not as long as.
    for (length, n) in [("1810s", 4), ("1809999ms", 5), ("90m", 0)] {
        let rows = place.rows(&["lifetimes", "--longer-than", length]);
        assert_eq!(rows.len(), n, "{length}");
    }
}

/// None ended, one, two alike, and all still going on.
#[test]
fn groups_of_hardly_any() {
    let place = recorded();
    let lifetime = |more: &[&str]| {
        let rows = place.rows(&[&["lifetimes"], more].concat());
        let row = rows.into_iter().find(|row| row["phase"] == "lifetime");
        let fields = ["n", "censored", "mean_ms", "p90_ms", "survival_p50_ms"];
        row.map(|row| json!(columns(&[row], &fields)[0]))
    };
    assert_eq!(lifetime(&["--app", "nobody"]), None);
    // p11 alone, open.
    let of_p11 = ["--since", "2024-05-01T12:20:00Z"];
    assert_eq!(lifetime(&of_p11), Some(json!([0, 1, null, null, null])));
    // p03 alone.
    let of_p03 = [
        "--since",
        "2024-05-01T10:45:00Z",
        "--until",
        "2024-05-01T10:50:00Z",
    ];
    assert_eq!(
        lifetime(&of_p03),
        Some(json!([1, 0, 900 * S, 900 * S, 900 * S]))
    );
    // p01 and p02, both met on the way, the latter when it was over: nobody was watched while young.
    let met = ["--until", "2024-05-01T10:30:00Z", "--app", "a"];
    assert_eq!(
        lifetime(&met),
        Some(json!([2, 0, 1_232_500, 2_170_500, null]))
    );
}

/// At 10:00 an old one is met at the age of 7200 s, which ends at 8400. All that come after it and end
/// are younger than that by far, so nobody was watched at the ages between.
#[test]
fn survival_is_known_only_as_long_as_somebody_was_watched() {
    let ran = |id: &str, created: &str, terminated: &str| {
        let status = if terminated.is_empty() {
            "running"
        } else {
            "stopped"
        };
        let record = process(
            id,
            "a",
            json!(1),
            "Tokyo",
            [created, created, "", terminated],
        );
        with(record, json!({"status": status}))
    };
    let place = Place::new();
    let look = |time: &str, processes: &[Value]| {
        let look = json!({"observedAt": day(time), "processes": processes});
        place.write("look.ndjson", ndjson(&[look]));
        place.run(&["import", "look.ndjson"]).ok();
    };
    let lifetime = || {
        let rows = place.rows(&["lifetimes"]);
        let row = rows.into_iter().find(|row| row["phase"] == "lifetime");
        let fields = [
            "n",
            "censored",
            "delayed",
            "p50_ms",
            "survival_p50_ms",
            "survival_p90_ms",
            "survival_until_ms",
        ];
        json!(columns(&[row.unwrap()], &fields)[0])
    };
    let told = || place.run(&["lifetimes"]).ok().stderr;
    let delayed = "delayed: not watched from its beginning, so in survival only from the age at which \
                   they were met\n";
    look("10:00:00", &[ran("old", "08:00:00", "")]);
    look("10:30:00", &[ran("old", "08:00:00", "10:20:00")]);
    assert_eq!(
        lifetime(),
        json!([1, 0, 1, 8_400 * S, null, null, 0]),
        "only one that was met on the way"
    );
    let unwatched = "no survival percentile (–) where nobody was watched at some age, as where all ended \
         before anything looked, or in a pause\n";
    assert!(
        told().ends_with(&format!("\n{delayed}{unwatched}")),
        "{}",
        told()
    );

    look("10:31:00", &[ran("short", "10:01:00", "10:05:00")]);
    assert_eq!(
        lifetime(),
        json!([2, 0, 1, 4_320 * S, null, null, 239_999]),
        "all that were watched end, and the old one comes later"
    );
    // Two are open, seen for 1500 s: of three a third has ended at 240 s.
    let open = [ran("b", "10:06:00", ""), ran("c", "10:06:00", "")];
    look("10:31:00", &open);
    assert_eq!(
        lifetime(),
        json!([2, 2, 1, 4_320 * S, null, null, 1_500 * S]),
        "the last that are watched are censored, and the old one comes later"
    );
    let censored = "censored: still in the phase when last seen; ";
    let ending = format!("\n{censored}{delayed}{unwatched}");
    assert!(told().ends_with(&ending), "{}", told());

    // One of them is seen until it is older than the old one was when it was met, and both end.
    for hour in 11..13 {
        look(&format!("{hour}:30:00"), &open);
    }
    look(
        "12:40:00",
        &[
            ran("b", "10:06:00", "10:11:00"),
            ran("c", "10:06:00", "12:36:00"),
        ],
    );
    // At 240 s 2/3 are left, at 300 s 1/3, at 8400 s one of two of these, at 9000 s none.
    assert_eq!(
        lifetime(),
        json!([4, 0, 1, 4_350 * S, 300 * S, 9_000 * S, 9_000 * S])
    );
    assert!(told().ends_with(&format!("\n{delayed}")), "{}", told());

    // Where it is only that many are open, that is what is said.
    let ran = recorded().run(&["lifetimes"]).ok();
    let lost = "lost: 1 of the censored; such ended soon after they were last seen, so that survival may be \
                overestimated where they are many\n";
    let open = format!(
        "{censored}{delayed}{lost}no survival percentile (–) where too many were not seen to end\n"
    );
    assert!(ran.stderr.ends_with(&open), "{ran:?}");

    // In the table nobody needs the end; other formats have it.
    assert!(!place.run(&["lifetimes"]).ok().stdout.contains("until"));
    let csv = place.run(&["lifetimes", "--format", "csv"]).ok();
    assert!(
        csv.stdout
            .lines()
            .next()
            .unwrap()
            .ends_with("survival_p90_ms,survival_until_ms")
    );
    assert!(!csv.stderr.contains("delayed"), "{csv:?}");
    let markdown = place.run(&["lifetimes", "--format", "markdown"]).ok();
    assert!(
        markdown.stdout.trim_end().ends_with("| 2h 30m |"),
        "{markdown:?}"
    );
}

/// p08 is lost. p04 was last seen at 12:30, a quarter of an hour before the last look; with one more look
/// an hour after p04's last, that shows nobody of its app, nothing changes, and a millisecond later it
/// does.
#[test]
fn those_that_nobody_reports_any_more() {
    let place = recorded();
    let fields = ["process_id", "outcome", "last_seen_at", "lost_at"];
    let lost = json!(["p08", "lost", day("11:30:00"), day("12:45:00")]);
    let zombies = |more: &[&str]| {
        let rows = place.rows(&[&["lifetimes", "--zombies"], more].concat());
        json!(columns(&rows, &fields))
    };
    assert_eq!(zombies(&[]), json!([lost]));
    assert_eq!(zombies(&["--app", "a"]), json!([]));
    let look = |at: &str| {
        let look = json!({"observedAt": at, "processes": []});
        place.write("look.ndjson", format!("{look}\n"));
        place.run(&["import", "look.ndjson"]).ok();
    };
    look(&day("13:31:00"));
    assert_eq!(zombies(&[]), json!([lost]));
    look("2024-05-01T13:31:00.001Z");
    assert_eq!(
        zombies(&[]),
        json!([lost, ["p04", "open", day("12:30:00"), null]])
    );
}
