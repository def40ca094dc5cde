//! The questions, answered by the program from an archive and a second time from the fleet's own
//! stories. The archive ends at a moment up to which all is known; what came later is not.

use std::collections::BTreeMap;

use prochist::model::UtcMillis;
use prochist::simulator::{FleetConfig, Story};
use serde_json::{Value, json};

use crate::place::Place;
use crate::truth::{Archived, HOUR_MS, MINUTE_MS, start};

const HOURS: i64 = 5;

fn fleet() -> (Archived, Place) {
    // Few ports, so that they are used again, and a bad deployment within the hours.
    let config = FleetConfig {
        regions: vec!["Tokyo".into(), "London".into()],
        ports_per_host: 40,
        deployment_every_ms: 2 * HOUR_MS,
        bad_rollout: 2,
        ..FleetConfig::new(21, 30, start())
    };
    let archived = Archived::new(config, HOURS, MINUTE_MS);
    let place = Place::new();
    place.write("archive.ndjson", archived.lines.concat());
    place.run(&["import", "archive.ndjson"]).ok();
    (archived, place)
}

/// A moment, if it had come when the archive ended.
fn by_then(end: UtcMillis, moment: Option<UtcMillis>) -> Option<i64> {
    moment.filter(|at| *at <= end).map(UtcMillis::millis)
}

/// The share `num / 100`, interpolated between the two nearest, in whole numbers: the rank is
/// num·(n − 1) hundredths. Rounded half up.
fn quantile(sorted: &[i64], num: usize) -> Option<i64> {
    let rank = num * sorted.len().checked_sub(1)?;
    let (below, part) = (rank / 100, (rank % 100) as i64);
    let a = sorted[below];
    let b = sorted.get(below + 1).copied().unwrap_or(a);
    Some((100 * a + (b - a) * part + 50).div_euclid(100))
}

#[test]
fn lifetimes() {
    let (archived, place) = fleet();
    let end = archived.end();
    let (since, until) = (start(), start().plus_millis(4 * HOUR_MS));
    let mut phases: BTreeMap<&str, (Vec<i64>, u64)> = BTreeMap::new();
    for story in archived.shown() {
        if story.created_at < since || story.created_at >= until {
            continue;
        }
        let created = Some(story.created_at.millis());
        let started = by_then(end, story.started_at);
        let stopping = by_then(end, story.stopping_at);
        let terminated = by_then(end, Some(story.terminated_at));
        for (phase, from, to) in [
            ("provisioning", created, started),
            ("serving", started, stopping.or(terminated)),
            ("stopping", stopping, terminated),
            ("lifetime", created, terminated),
        ] {
            let (ended, censored) = phases.entry(phase).or_default();
            match (from, to) {
                (Some(from), Some(to)) => ended.push(to - from),
                (Some(_), None) if terminated.is_none() => *censored += 1,
                _ => {}
            }
        }
    }
    let rows = place.rows(&[
        "lifetimes",
        "--since",
        &since.to_string(),
        "--until",
        &until.to_string(),
    ]);
    assert_eq!(rows.len(), 4);
    for row in rows {
        let (mut ended, censored) = phases[row["phase"].as_str().unwrap()].clone();
        ended.sort_unstable();
        assert!(ended.len() > 100, "{row}");
        let n = ended.len() as i64;
        let mean = (2 * ended.iter().sum::<i64>() + n) / (2 * n);
        for (field, expected) in [
            ("n", Some(n)),
            ("censored", Some(censored as i64)),
            ("mean_ms", Some(mean)),
            ("p50_ms", quantile(&ended, 50)),
            ("p90_ms", quantile(&ended, 90)),
            ("p99_ms", quantile(&ended, 99)),
            ("max_ms", ended.last().copied()),
        ] {
            assert_eq!(row[field].as_i64(), expected, "{field} of {row}");
        }
    }
}

#[test]
fn failures() {
    let (archived, place) = fleet();
    let (since, until) = (
        start().plus_millis(HOUR_MS / 2),
        start().plus_millis(4 * HOUR_MS),
    );
    let inside = |time: UtcMillis| since <= time && time < until;
    // Deployment to ended, failed, failed before the start, open.
    let mut expected: BTreeMap<i64, [u64; 4]> = BTreeMap::new();
    for story in archived.shown() {
        let counts = |ended: bool| {
            let failed = ended && story.failed;
            [
                u64::from(ended),
                u64::from(failed),
                u64::from(failed && story.started_at.is_none()),
                u64::from(!ended),
            ]
        };
        let ended = archived.has_ended(story);
        if inside(if ended {
            story.terminated_at
        } else {
            story.created_at
        }) {
            let row = expected.entry(story.deployment_id).or_default();
            for (sum, n) in row.iter_mut().zip(counts(ended)) {
                *sum += n;
            }
        }
    }
    assert!(
        expected.len() >= 3 && expected.values().any(|row| row[1] > 5),
        "{expected:?}"
    );
    let rows = place.rows(&[
        "failures",
        "--by",
        "deployment",
        "--since",
        &since.to_string(),
        "--until",
        &until.to_string(),
    ]);
    let found: BTreeMap<i64, [u64; 4]> = rows
        .iter()
        .map(|row| {
            let counts = ["ended", "failed", "failed_before_start", "open"]
                .map(|field| row[field].as_u64().unwrap());
            (row["deployment_id"].as_i64().unwrap(), counts)
        })
        .collect();
    assert_eq!(found, expected);
    for row in rows.iter().filter(|row| row["ended"] != 0) {
        let rate = row["failed"].as_f64().unwrap() / row["ended"].as_f64().unwrap();
        assert_eq!(row["rate"].as_f64(), Some(rate), "{row}");
    }
}

/// Host, port and transport.
type Endpoint = (String, i64, String);

/// From when, until when, by which process.
type Hold = (i64, Option<i64>, String);

/// Who showed a port, endpoint by endpoint, in order of time.
fn holds(archived: &Archived) -> BTreeMap<Endpoint, Vec<Hold>> {
    let mut holds: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for story in archived.shown() {
        let mut endpoints = std::collections::BTreeSet::new();
        for (_, state) in archived.observations(story) {
            for port in state
                .exposed_port
                .iter()
                .chain(&state.additional_exposed_ports)
            {
                let transport = match port.transport_type.as_str() {
                    "tls" => "tcp",
                    other => other,
                };
                endpoints.insert((port.host.clone(), port.port, transport.to_owned()));
            }
        }
        let until = by_then(archived.end(), Some(story.terminated_at));
        for endpoint in endpoints {
            let from = story.started_at.unwrap().millis();
            holds
                .entry(endpoint)
                .or_default()
                .push((from, until, story.process_id.clone()));
        }
    }
    for holds in holds.values_mut() {
        holds.sort();
    }
    holds
}

#[test]
fn ports() {
    let (archived, place) = fleet();
    let holds = holds(&archived);
    let gaps = |holds: &[Hold]| -> Vec<i64> {
        holds
            .windows(2)
            .map(|pair| pair[1].0 - pair[0].1.unwrap())
            .collect()
    };
    let expected: Vec<Value> = holds
        .iter()
        .map(|((host, port, transport), holds)| {
            let mut gaps = gaps(holds);
            gaps.sort_unstable();
            json!({
                "host": host, "port": port, "transport": transport, "holds": holds.len(),
                "reuses": gaps.len(), "overlaps": 0, "min_gap_ms": gaps.first(),
                "median_gap_ms": quantile(&gaps, 50),
            })
        })
        .collect();
    assert!(
        expected
            .iter()
            .filter(|row| row["reuses"].as_u64() > Some(1))
            .count()
            > 10
    );
    assert_eq!(json!(place.rows(&["ports"])), json!(expected));

    let ((host, port, transport), busiest) = holds.iter().max_by_key(|(_, h)| h.len()).unwrap();
    assert!(busiest.len() > 3);
    let endpoint = format!("{host}:{port}");
    let time = |millis: i64| UtcMillis::from_millis(millis).unwrap().to_string();
    let gap_before: Vec<Option<i64>> = std::iter::once(None)
        .chain(gaps(busiest).into_iter().map(Some))
        .collect();
    let expected: Vec<Value> = busiest
        .iter()
        .zip(gap_before)
        .map(|((from, until, id), gap)| json!([id, time(*from), until.map(time), gap]))
        .collect();
    let of_transport = |rows: Vec<Value>| -> Vec<Value> {
        rows.iter()
            .filter(|row| row["transport"] == **transport)
            .map(|row| {
                json!([
                    row["process_id"],
                    row["held_from"],
                    row["held_until"],
                    row["gap_ms"]
                ])
            })
            .collect()
    };
    let rows = place.rows(&["ports", "--endpoint", &endpoint]);
    assert_eq!(of_transport(rows), expected);

    // Who held it at every edge of every hold, and a millisecond before.
    let edges = busiest
        .iter()
        .flat_map(|(from, until, _)| [Some(*from), *until])
        .flatten();
    for moment in edges.flat_map(|edge| [edge - 1, edge]) {
        let holding =
            |(from, until, _): &Hold| *from <= moment && until.is_none_or(|until| moment < until);
        let expected: Vec<&String> = busiest
            .iter()
            .filter(|hold| holding(hold))
            .map(|(_, _, id)| id)
            .collect();
        let rows = place.rows(&["ports", "--endpoint", &endpoint, "--at", &time(moment)]);
        let found: Vec<Value> = of_transport(rows)
            .iter()
            .map(|row| row[0].clone())
            .collect();
        assert_eq!(json!(found), json!(expected), "{}", time(moment));
    }
}

/// What a process was doing at `time`, as far as anybody knew at `known_at`.
fn standing(story: &Story, time: UtcMillis, known_at: UtcMillis) -> Option<(UtcMillis, &str)> {
    let then = |moment: Option<UtcMillis>| moment.filter(|at| *at <= time && *at <= known_at);
    if story.created_at > time || then(Some(story.terminated_at)).is_some() {
        return None;
    }
    [
        (then(story.stopping_at), "stopping"),
        (then(story.started_at), "running"),
        (Some(story.created_at), "starting"),
    ]
    .into_iter()
    .find_map(|(since, state)| Some((since?, state)))
}

#[test]
fn the_fleet_at_a_moment() {
    let (archived, place) = fleet();
    for minutes in [0, 17, 60, 121, 240, 60 * HOURS] {
        // Between two looks.
        let time = start().plus_millis(minutes * MINUTE_MS + 12_345);
        for ago_minutes in [None, Some(0), Some(1), Some(30)] {
            let known_at = match ago_minutes {
                None => archived.end(),
                Some(ago) => start().plus_millis((minutes - ago) * MINUTE_MS),
            };
            if known_at < start() {
                continue;
            }
            let mut expected: Vec<(UtcMillis, String, &str)> = archived
                .shown()
                .filter(|story| story.created_at <= known_at)
                .filter_map(|story| {
                    let (since, state) = standing(story, time, known_at)?;
                    Some((since, story.process_id.clone(), state))
                })
                .collect();
            expected.sort();
            assert!(expected.len() > 10, "{}", expected.len());
            let time = time.to_string();
            let known_at = known_at.to_string();
            let mut args = vec!["at", time.as_str()];
            if ago_minutes.is_some() {
                args.extend(["--as-known-at", &known_at]);
            }
            let found: Vec<Value> = place
                .rows(&args)
                .iter()
                .map(|row| json!([row["since"], row["process_id"], row["state"]]))
                .collect();
            assert_eq!(json!(found), json!(expected), "{args:?}");
        }
    }
}
