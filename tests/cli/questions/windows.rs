//! Windows, filters, and what an answer rests on.

use super::*;

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
fn coverage_and_status_of_imports() {
    let place = recorded();
    let coverage = place.json(&["coverage"]);
    assert_eq!(
        coverage["coverage"],
        json!({"from": day("10:30:00"), "to": day("12:45:00"), "runs": 2, "gaps": [],
               "watched": "all", "unwatched": []})
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
        ("schema_version", json!(7)),
        // Seven of app a and five of app b: never ten.
        ("longest_safe_interval_ms", Value::Null),
    ] {
        assert_eq!(status[field], expected, "{field}");
    }
    assert_eq!(status["last_run"]["kind"], "import");
    assert_eq!(status["last_run"]["processes_lost"], 1);
}

/// Looks at 10:30, 11:30, 12:30 and 12:45, of app b the last one too; nothing before and after.
#[test]
fn an_answer_says_whether_anything_was_watched() {
    let place = recorded();
    let watched = |since: &str, until: &str| {
        let [since, until] = [since, until].map(day);
        let window = ["failures", "--since", &since, "--until", &until];
        let coverage = &place.json(&window)["coverage"];
        let rows = coverage["unwatched"].as_array().unwrap();
        json!([coverage["watched"], columns(rows, &["since", "until"])])
    };
    for (since, until, expected) in [
        ("11:00:00", "11:10:00", json!(["all", []])),
        ("10:30:00", "12:46:00", json!(["all", []])),
        // An hour and a minute after the last look is not too long; more is.
        ("12:00:00", "13:46:00", json!(["all", []])),
        (
            "12:00:00",
            "13:46:01",
            json!(["part", [[day("12:45:00"), day("13:46:01")]]]),
        ),
        // What begins after the last look was not watched, however short it is.
        (
            "12:50:00",
            "12:55:00",
            json!(["none", [[day("12:45:00"), day("12:55:00")]]]),
        ),
        // The last look is in it.
        (
            "12:45:00",
            "15:00:00",
            json!(["part", [[day("12:45:00"), day("15:00:00")]]]),
        ),
        // The first look shows what ended in the hour before it, but nothing to a window that ends there.
        ("09:29:00", "11:00:00", json!(["all", []])),
        (
            "09:28:59",
            "11:00:00",
            json!(["part", [[day("09:28:59"), day("10:30:00")]]]),
        ),
        (
            "10:20:00",
            "10:30:00",
            json!(["none", [[day("10:20:00"), day("10:30:00")]]]),
        ),
        (
            "09:00:00",
            "10:30:00",
            json!(["none", [[day("09:00:00"), day("10:30:00")]]]),
        ),
        (
            "14:00:00",
            "15:00:00",
            json!(["none", [[day("12:45:00"), day("15:00:00")]]]),
        ),
    ] {
        assert_eq!(watched(since, until), expected, "{since} to {until}");
    }
    let told = |args: &[&str]| {
        let ran = place.run(&[&["failures"], args].concat()).ok();
        let lines = ran.stderr.lines().skip(1);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&["--since", &day("11:40:00"), "--until", &day("11:50:00")]),
        ["nothing matches: it was watched, and there was nothing"]
    );
    assert_eq!(
        told(&["--since", "2024-05-02"]),
        [
            "nothing matches: nothing was watched then, so nothing can be told",
            "warning: nothing has looked since 2024-05-01T12:45:00.000Z",
        ]
    );
    assert_eq!(
        told(&[
            "--since",
            &day("02:00:00"),
            "--until",
            &day("10:35:00"),
            "--region",
            "Mars"
        ]),
        [
            "nothing matches in that part of the window that was watched",
            "warning: nothing looked from 2024-05-01T02:00:00.000Z to 2024-05-01T10:30:00.000Z \
             (8h 30m); what came and went then may be missing",
        ]
    );
    assert_eq!(
        told(&["--region", "Marz", "--app", "b", "--deployment", "8"]),
        ["warning: no process of region \"Marz\" was ever recorded; there are Mars, London, Tokyo",]
    );
}
