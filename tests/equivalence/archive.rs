//! An archive, imported by the program: nothing lost, nothing invented, whatever its wrapping.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use prochist::History;
use prochist::simulator::FleetConfig;
use serde_json::Value;

use crate::common::{answers, one, open, tables};
use crate::place::Place;
use crate::truth::{
    Archived, HOUR_MS, MINUTE_MS, Run, assert_same, outcomes, recorded, runs, start,
};

#[test]
fn an_archive_is_recorded_as_the_fleet_lived() {
    let archived = Archived::new(FleetConfig::new(11, 60, start()), 6, MINUTE_MS);
    let place = Place::new();
    place.write("archive.ndjson", archived.lines.concat());
    let report = place
        .run(&["import", "archive.ndjson", "--format", "json"])
        .ok()
        .json();

    let expected: BTreeMap<String, Vec<Run>> = archived
        .shown()
        .map(|story| (story.process_id.clone(), runs(archived.observations(story))))
        .collect();
    assert!(expected.len() > 500, "{}", expected.len());
    let counted = |n: usize| Value::from(n);
    let observations = archived
        .shown()
        .map(|story| archived.observations(story).len())
        .sum();
    assert_eq!(report["snapshots"], counted(361));
    assert_eq!(report["processes_new"], counted(expected.len()));
    assert_eq!(report["processes_seen"], counted(observations));
    let versions: usize = expected.values().map(Vec::len).sum();
    assert_eq!(
        report["processes_changed"],
        counted(versions - expected.len())
    );
    assert_eq!(report["processes_lost"], counted(0));
    assert_same(&recorded(&place.database()), &expected);

    let ends: BTreeMap<String, (String, Option<i64>)> = archived
        .shown()
        .map(|story| {
            let outcome = match (archived.has_ended(story), story.failed) {
                (false, _) => "open",
                (true, true) => "failed",
                (true, false) => "stopped",
            };
            (story.process_id.clone(), (outcome.to_owned(), None))
        })
        .collect();
    assert_same(&outcomes(&place.database()), &ends);
    let kinds: BTreeSet<&str> = ends.values().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(kinds.len(), 3, "the fleet shows every outcome");

    // The names of what changed, told by the JSON of the states.
    let history = History::open(&place.database()).unwrap();
    for id in expected.keys().take(100) {
        let versions = history.versions(id).unwrap();
        assert!(versions[0].changed.is_empty());
        for pair in versions.windows(2) {
            let [a, b] = [&pair[0], &pair[1]].map(|v| serde_json::to_value(&v.state).unwrap());
            let differ: BTreeSet<String> = a
                .as_object()
                .unwrap()
                .iter()
                .filter(|(key, value)| b[key.as_str()] != **value)
                .map(|(key, _)| in_snake_case(key))
                .collect();
            assert_eq!(
                pair[1].changed.iter().cloned().collect::<BTreeSet<_>>(),
                differ,
                "{id}"
            );
        }
    }
    let db = open(&place.database());
    assert_eq!(one::<String>(&db, "PRAGMA integrity_check"), "ok");
}

fn in_snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The rows of the questions, and the views, that may not depend on how history came in.
fn everything_said(place: &Place) -> (String, Vec<Vec<Value>>) {
    let half = start().plus_millis(HOUR_MS).to_string();
    let before = start().plus_millis(HOUR_MS - 90_000).to_string();
    let rows = [
        &["lifetimes", "--by", "deployment,region"][..],
        &["failures", "--by", "deployment,hour"],
        &["ports"],
        &["at", &half],
        &["at", &half, "--as-known-at", &before],
    ]
    .iter()
    .map(|question| place.rows(question))
    .collect();
    (answers(&place.database()), rows)
}

#[test]
fn order_wrapping_and_cuts_of_an_archive_do_not_matter() {
    let archived = Archived::new(FleetConfig::new(12, 12, start()), 2, 2 * MINUTE_MS);
    let lines = &archived.lines;
    let import = |files: &[(&str, Vec<u8>)], runs: &[&[&str]]| {
        let place = Place::new();
        for (name, bytes) in files {
            place.write(name, bytes);
        }
        for paths in runs {
            place.run(&[&["import"], *paths].concat()).ok();
        }
        place
    };
    let text = lines.concat().into_bytes();
    let straight = import(&[("a", text.clone())], &[&["a"]]);
    let expected = everything_said(&straight);
    assert!(expected.1.iter().all(|rows| rows.len() > 2), "{expected:?}");

    let before = tables(&straight.database());
    straight.run(&["import", "a"]).ok();
    assert_eq!(tables(&straight.database()), before, "imported twice");
    let runs: i64 = one(
        &open(&straight.database()),
        "SELECT count(*) FROM sync_runs",
    );
    assert_eq!(runs, 2, "but in the ledger it is");

    let every_third = |n: usize| -> Vec<u8> {
        let third = lines.iter().skip(n).step_by(3);
        third.flat_map(|line| line.bytes()).collect()
    };
    let (head, tail) = lines.split_at(lines.len() / 3);
    let thirds = [
        ("0", every_third(0)),
        ("1", every_third(1)),
        ("2", every_third(2)),
    ];
    let halves = [
        ("head", head.concat().into_bytes()),
        ("tail", tail.concat().into_bytes()),
    ];
    let gz = {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&text).unwrap();
        gz.finish().unwrap()
    };
    let names: Vec<String> = (0..lines.len())
        .map(|n| format!("folder/{:03}", 997 * n % 500))
        .collect();
    let each: Vec<(&str, Vec<u8>)> = names
        .iter()
        .zip(lines)
        .map(|(name, line)| (name.as_str(), line.clone().into_bytes()))
        .collect();
    for (how, place) in [
        (
            "shuffled",
            import(&[("a", shuffled(lines).concat().into_bytes())], &[&["a"]]),
        ),
        ("backward", import(&[("a", backward(lines))], &[&["a"]])),
        ("thirds, one run", import(&thirds, &[&["2", "0", "1"]])),
        (
            "thirds, three runs",
            import(&thirds, &[&["2"], &["0"], &["1"]]),
        ),
        ("later half first", import(&halves, &[&["tail"], &["head"]])),
        (
            "twice in a run",
            import(&halves, &[&["head", "tail", "head"]]),
        ),
        ("gzip", import(&[("a", gz)], &[&["a"]])),
        (
            "zstd",
            import(&[("a", zstd::encode_all(&text[..], 3).unwrap())], &[&["a"]]),
        ),
        ("a file each", import(&each, &[&["folder"]])),
        (
            "said to be complete",
            import(&[("a", text.clone())], &[&["--complete", "a"]]),
        ),
    ] {
        let said = everything_said(&place);
        assert_eq!(said.1, expected.1, "{how}");
        if let Some((a, b)) = said.0.lines().zip(expected.0.lines()).find(|(a, b)| a != b) {
            panic!("{how}:\n{a}\n{b}");
        }
        assert_eq!(said.0.len(), expected.0.len(), "{how}");
    }
}

fn backward(lines: &[String]) -> Vec<u8> {
    lines.iter().rev().flat_map(|line| line.bytes()).collect()
}

/// By Fisher and Yates, with a small generator.
fn shuffled(lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    let mut state: u64 = 42;
    for i in (1..lines.len()).rev() {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        lines.swap(i, (state >> 33) as usize % (i + 1));
    }
    lines
}
