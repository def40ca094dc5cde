//! The fleet at a moment, the most that ran at once, and how long they served, a second time: each
//! by counting at every moment that matters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::answered::{ask, assert_rows, bucket_ms, group, grouped, parts, reasons, row};
use crate::known::{Known, PAUSE_MS, Record, Span, Stands, Went, minute, records, time, windows};

/// What a process was doing, and since when.
fn standing(process: &Known, moment: i64) -> Result<Option<(i64, &'static str)>, &'static str> {
    if !process.is_in_order() {
        return Err("times_out_of_order");
    }
    if process.created() > moment || process.end().is_some_and(|end| end <= moment) {
        return Ok(None);
    }
    if process.has_ended() && process.end().is_none() {
        return Err("no_end_time");
    }
    if process.stands == Stands::Lost && process.last_seen() < moment {
        return Err("lost");
    }
    let then = |at: Option<i64>| at.filter(|at| *at <= moment);
    Ok([
        (then(process.stopping()), "stopping"),
        (then(process.started()), "running"),
        (Some(process.created()), "starting"),
    ]
    .into_iter()
    .find_map(|(since, state)| Some((since?, state))))
}

#[test]
fn the_fleet_at_a_moment() {
    let mut alive = 0;
    let mut left_out = 0;
    let mut all_missed = 0;
    for record in records() {
        let place = record.imported();
        for (minutes, millis) in [
            (17, 12_345),
            (60, 0),
            (140, 12_345),
            (235, 30_000),
            (376, 7),
        ] {
            // Between two looks, and at one.
            let moment = minute(minutes) + millis;
            for known_at in [None, Some(moment - 90_000), Some(minute(150))] {
                let record = match known_at {
                    Some(then) => record.by(then),
                    None => record.clone(),
                };
                let known = record.known();
                let mut rows = Vec::new();
                let mut counted = Vec::new();
                let mut excluded = Vec::new();
                let mut missed = 0;
                for process in &known {
                    match standing(process, moment) {
                        Err(why) => excluded.push(why),
                        Ok(None) => {}
                        Ok(Some((since, state))) => {
                            let unseen = moment.min(record.last_look()) - process.last_seen();
                            missed +=
                                u64::from(process.stands == Stands::Open && unseen > PAUSE_MS);
                            let latest = process.latest();
                            rows.push(json!({
                                "process_id": process.id(), "app_id": latest.app_id,
                                "region": latest.region,
                                "deployment_id": latest.deployment_id,
                                "state": state, "since": time(since),
                            }));
                            counted.push((process, state));
                        }
                    }
                }
                alive += rows.len();
                left_out += excluded.len();
                let excluded = reasons(excluded);
                let moment = time(moment);
                let mut words = vec!["at", &moment];
                let then = known_at.map(time);
                words.extend(then.iter().flat_map(|then| ["--as-known-at", then]));
                let answer = ask(&place, &words, "", Span::default());
                assert_rows(&answer["rows"], &rows, &format!("{words:?}"));
                assert_eq!(answer["excluded"], excluded, "{words:?}");
                let is_said = answer.get("unseen").map_or(0, |n| n.as_u64().unwrap());
                assert_eq!(is_said, missed, "{words:?}");
                assert_eq!(answer["coverage"]["to"], time(record.last_look()));
                all_missed += missed;
                for by in ["region,deployment", "hour"] {
                    let answer = ask(&place, &words, by, Span::default());
                    let what = format!("{words:?} by {by}");
                    assert_rows(&answer["rows"], &counts(&counted, by), &what);
                    assert_eq!(answer["excluded"], excluded, "{what}");
                }
            }
        }
    }
    assert!(
        alive > 500 && left_out > 20 && all_missed > 20,
        "{alive} {left_out} {all_missed}"
    );
}

fn counts(alive: &[(&Known, &str)], by: &str) -> Vec<Value> {
    let keyed = alive
        .iter()
        .map(|(p, state)| (group(by, p.latest(), p.created()), *state));
    grouped(keyed)
        .into_iter()
        .map(|(key, states)| {
            let count = |state| states.iter().filter(|s| **s == state).count();
            let numbers = json!({
                "processes": states.len(), "starting": count("starting"),
                "running": count("running"), "stopping": count("stopping"),
            });
            row(&key, numbers)
        })
        .collect()
}

/// The peaks of a group: at the beginning of each part and whenever one starts, how many run.
fn peaks(runs: &[(i64, Option<i64>)], record: &Record, by: &str, span: Span) -> Vec<(i64, usize)> {
    let first = runs.iter().map(|run| run.0).min().unwrap();
    let last = runs.iter().filter_map(|run| run.1).max().unwrap_or(0);
    let end = match bucket_ms(by) {
        Some(_) => record.last_look() + 1,
        None => last.max(record.last_look()).max(span.since.unwrap_or(0)) + 1,
    };
    let Some((from, until)) = span.clip(first, end) else {
        return Vec::new();
    };
    parts(from, until, bucket_ms(by))
        .into_iter()
        .filter_map(|(from, until)| {
            let starts = runs.iter().map(|run| run.0);
            let moments: BTreeSet<i64> = starts
                .filter(|at| from < *at && *at < until)
                .chain([from])
                .collect();
            let running = |moment: i64| {
                let runs = runs.iter().filter(|run| run.0 <= moment);
                runs.filter(|run| run.1.is_none_or(|end| moment < end))
                    .count()
            };
            let counted = moments.into_iter().map(|at| (at, running(at)));
            // The first of the highest.
            counted
                .fold(None, |best: Option<(i64, usize)>, now| match best {
                    Some(best) if best.1 >= now.1 => Some(best),
                    _ => Some(now),
                })
                .filter(|peak| peak.1 > 0)
        })
        .collect()
}

#[test]
fn the_most_at_once() {
    for record in records() {
        let place = record.imported();
        let known = record.known();
        for by in ["", "deployment", "hour", "region,day"] {
            for span in windows() {
                let place_of = |p: &Known| {
                    let fields: Vec<&str> = by
                        .split(',')
                        .filter(|k| !matches!(*k, "hour" | "day"))
                        .collect();
                    group(&fields.join(","), p.latest(), 0)
                };
                let runs = known
                    .iter()
                    .filter_map(|p| Some((place_of(p), p.ran().ok()??)));
                let mut rows = Vec::new();
                for (key, runs) in grouped(runs) {
                    for (at, running) in peaks(&runs, &record, by, span) {
                        let mut key = key.clone();
                        for name in by.split(',').filter(|k| matches!(*k, "hour" | "day")) {
                            let moment = group(name, known[0].latest(), at);
                            key = row(&key, moment);
                        }
                        rows.push(row(&key, json!({"at": time(at), "running": running})));
                    }
                }
                let answer = ask(&place, &["concurrency"], by, span);
                let what = format!("by {by} in {span:?}");
                assert_rows(&answer["rows"], &rows, &what);
                let excluded = known.iter().filter(|p| {
                    let over = p.ended_at().unwrap_or(i64::MAX - 1);
                    span.clip(p.created(), over + 1).is_some()
                });
                let excluded = reasons(excluded.filter_map(|p| p.ran().err()));
                assert_eq!(answer["excluded"], excluded, "{what}");
            }
        }
    }
}

#[test]
fn time_served() {
    for record in records() {
        let place = record.imported();
        let known = record.known();
        for by in ["", "app,day", "hour", "region,deployment"] {
            for span in windows() {
                let mut served = Vec::new();
                let mut excluded = Vec::new();
                for process in &known {
                    let (from, until) = match process.phase("serving") {
                        Went::Ended(from, until) | Went::Censored(from, until) => (from, until),
                        Went::Excluded(why) => {
                            // Only of those that may have been there in the window at all.
                            let over = process.ended_at().unwrap_or(i64::MAX - 1);
                            if span.clip(process.created(), over + 1).is_some() {
                                excluded.push(why);
                            }
                            continue;
                        }
                        Went::NotReached => continue,
                    };
                    let Some((from, until)) = span.clip(from, until) else {
                        continue;
                    };
                    for (from, until) in parts(from, until, bucket_ms(by)) {
                        served.push((group(by, process.latest(), from), until - from));
                    }
                }
                let rows: Vec<Value> = grouped(served)
                    .into_iter()
                    .map(|(key, lengths)| {
                        let sum: i64 = lengths.iter().sum();
                        row(&key, json!({"processes": lengths.len(), "process_ms": sum}))
                    })
                    .collect();
                let answer = ask(&place, &["usage"], by, span);
                let what = format!("by {by} in {span:?}");
                assert_rows(&answer["rows"], &rows, &what);
                assert_eq!(answer["excluded"], reasons(excluded), "{what}");
            }
        }
    }
}

/// Rooms of one process for a while.
struct Stay {
    process: usize,
    allocated: i64,
    capacity: i64,
    from: i64,
    /// The first moment at which it was no longer so.
    over: i64,
    /// How long that counts: the moment at which it was last seen is one, of no length.
    length: i64,
}

/// What a look shows holds until the next that shows the process, and the last for that moment.
fn stays(known: &[Known], by: &str, span: Span) -> Vec<(Value, Stay)> {
    let mut stays = Vec::new();
    for (n, process) in known.iter().enumerate() {
        for (i, (from, state)) in process.seen.iter().enumerate() {
            if state.started_at.is_none()
                || state.stopping_at.is_some()
                || state.terminated_at.is_some()
                || matches!(state.status.as_str(), "stopped" | "failed")
            {
                continue;
            }
            let next = process.seen.get(i + 1).map(|(at, _)| *at);
            let Some((from, over)) = span.clip(*from, next.unwrap_or(from + 1)) else {
                continue;
            };
            for (from, over) in parts(from, over, bucket_ms(by)) {
                let stay = Stay {
                    process: n,
                    allocated: state.rooms_allocated,
                    capacity: state.rooms_per_process,
                    from,
                    over,
                    length: if next.is_some() { over - from } else { 0 },
                };
                stays.push((group(by, state, from), stay));
            }
        }
    }
    stays
}

fn rooms_of(stays: &[Stay]) -> Value {
    let processes: BTreeSet<usize> = stays.iter().map(|s| s.process).collect();
    let allocated: i64 = stays.iter().map(|s| s.allocated * s.length).sum();
    let capacity: i64 = stays.iter().map(|s| s.capacity * s.length).sum();
    let mut changes: BTreeMap<i64, i64> = BTreeMap::new();
    for stay in stays {
        *changes.entry(stay.from).or_default() += stay.allocated;
        *changes.entry(stay.over).or_default() -= stay.allocated;
    }
    let (mut level, mut peak) = (0, None);
    for (at, by) in changes {
        level += by;
        if level > peak.map_or(0, |(level, _)| level) {
            peak = Some((level, at));
        }
    }
    json!({
        "processes": processes.len(), "allocated_ms": allocated, "capacity_ms": capacity,
        "utilization": (capacity > 0).then(|| allocated as f64 / capacity as f64),
        "peak_allocated": peak.map_or(0, |p| p.0), "peak_at": peak.map(|p| time(p.1)),
    })
}

#[test]
fn rooms() {
    for record in records() {
        let place = record.imported();
        let known = record.known();
        for by in ["", "region,hour", "deployment,day"] {
            for span in windows() {
                let rows: Vec<Value> = grouped(stays(&known, by, span))
                    .into_iter()
                    .map(|(key, stays)| row(&key, rooms_of(&stays)))
                    .collect();
                let answer = ask(&place, &["rooms"], by, span);
                assert_rows(&answer["rows"], &rows, &format!("by {by} in {span:?}"));
            }
        }
    }
}

/// Lost, or open and not seen for a pause's length before the last look.
#[test]
fn those_that_nobody_reports_any_more() {
    let (mut open, mut lost) = (0, 0);
    for record in records() {
        let place = record.imported();
        for span in windows() {
            let mut rows = Vec::new();
            for process in record.known() {
                let seen = process.last_seen();
                let lost_at = match process.stands {
                    Stands::Lost => {
                        // Every look of such a record shows all that live.
                        let mut later = record.looks.iter().filter(|look| look.at > seen);
                        later.next().map(|look| look.at)
                    }
                    Stands::Open if record.last_look() - seen > PAUSE_MS => None,
                    _ => continue,
                };
                if !span.has(process.created()) {
                    continue;
                }
                *if lost_at.is_some() {
                    &mut lost
                } else {
                    &mut open
                } += 1;
                let latest = process.latest();
                rows.push(json!({
                    "process_id": process.id(), "app_id": latest.app_id,
                    "region": latest.region, "deployment_id": latest.deployment_id,
                    "outcome": format!("{:?}", process.stands).to_lowercase(),
                    "created_at": time(process.created()), "last_seen_at": time(seen),
                    "lost_at": lost_at.map(time),
                }));
            }
            let answer = ask(&place, &["lifetimes", "--zombies"], "", span);
            assert_rows(&answer["rows"], &rows, &format!("{span:?}"));
            let rows = answer["rows"].as_array().unwrap();
            let seen = rows.iter().map(|row| row["last_seen_at"].as_str());
            assert!(seen.is_sorted(), "unseen for longest first");
        }
    }
    assert!(open > 20 && lost > 20, "{open} {lost}");
}
