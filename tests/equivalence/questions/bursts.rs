//! Ends that came together, a second time: every stretch from every end on, all lives looked through
//! for each, the time around it walked moment by moment, and the likelihood summed up term by term.

use std::collections::BTreeSet;

use prochist::simulator::{FleetConfig, Story};
use serde_json::{Value, json};

use crate::answered::{ask, assert_rows, group, grouped, reasons, row};
use crate::known::{
    Known, Record, Span, Stands, config, minute, paused, records, stories, time, windows,
};
use crate::truth::{HOUR_MS, MINUTE_MS};

/// A process that was under observation while it lived.
struct Watched<'a> {
    known: &'a Known,
    /// Its life around the window, as far as it was watched, part by part.
    life: Vec<(i64, i64)>,
    /// When it ended, if that was around the window and in sight.
    end: Option<i64>,
}

/// A day more on either side, of which the record tells what is usual.
fn around(span: Span) -> Span {
    Span {
        since: span.since.map(|since| since - 24 * HOUR_MS),
        until: span.until.map(|until| until + 24 * HOUR_MS),
    }
}

/// What is known of it around the window, or why it does not count; nothing where it does not touch it.
fn watched<'a>(
    record: &Record,
    known: &'a Known,
    span: Span,
) -> Option<Result<Watched<'a>, &'static str>> {
    let over = match known.has_ended() {
        true => known.end(),
        false => Some(known.last_seen()),
    };
    let created = known.created();
    let Some(over) = over else {
        let before = span
            .since
            .filter(|since| known.ended_at().is_some_and(|end| end < *since));
        let is_there = span.until.is_none_or(|until| created < until)
            && before.is_none_or(|since| created >= since);
        return is_there.then_some(Err("no_end_time"));
    };
    assert!(created <= over, "none of these is out of order");
    let wide = around(span);
    if known.stands == Stands::Lost && wide.until.is_none_or(|until| over < until) {
        // It ended, and nobody knows when.
        return span.has(over).then_some(Err("lost"));
    }
    // What is left of its life when each stretch without a look is taken out.
    let mut parts = vec![(created, over)];
    for (from, to) in record.unwatched() {
        parts = parts
            .into_iter()
            .flat_map(|(a, b)| [(a, b.min(from)), (a.max(to), b)])
            .filter(|(a, b)| a < b)
            .collect();
    }
    let life = parts.into_iter().filter_map(|(a, b)| wide.clip(a, b));
    let is_end = known.has_ended() && wide.has(over) && record.sees(over);
    Some(Ok(Watched {
        known,
        life: life.collect(),
        end: is_end.then_some(over),
    }))
}

/// The logarithms of 0!, 1!, 2! and so on.
fn ln_factorials(most: usize) -> Vec<f64> {
    let mut all = vec![0.0];
    all.extend((1..=most).scan(0.0, |sum, n| {
        *sum += (n as f64).ln();
        Some(*sum)
    }));
    all
}

/// How likely at least `k` of `n` are, each with the likelihood `q`.
fn at_least(ln_factorials: &[f64], k: usize, n: usize, q: f64) -> f64 {
    let term = |k: usize| {
        let choose = ln_factorials[n] - ln_factorials[k] - ln_factorials[n - k];
        (choose + k as f64 * q.ln() + (n - k) as f64 * (-q).ln_1p()).exp()
    };
    (k..=n).map(term).sum::<f64>().min(1.0)
}

/// What all lived between two moments.
fn lived(lives: &[(i64, i64)], from: i64, until: i64) -> i64 {
    let there = lives.iter().map(|(a, b)| b.min(&until) - a.max(&from));
    there.filter(|length| *length > 0).sum()
}

/// From a moment on, away from it, until so much was lived; `None` where it never was. Walks from one
/// birth or end to the next, between which always the same number live.
fn so_far(lives: &[(i64, i64)], at: i64, mut much: i64, sign: i64) -> Option<i64> {
    let mut steps: Vec<i64> = lives.iter().flat_map(|(a, b)| [*a, *b]).collect();
    steps.retain(|step| (step - at) * sign > 0);
    steps.sort_by_key(|step| (step - at) * sign);
    let mut here = at;
    for step in steps {
        let (from, until) = (here.min(step), here.max(step));
        let alive = lives
            .iter()
            .filter(|(a, b)| *a <= from && until <= *b)
            .count() as i64;
        if alive > 0 && alive * (until - from) >= much {
            let rounded_up = (much + alive - 1) / alive;
            return Some(here + sign * rounded_up);
        }
        much -= alive * (until - from);
        here = step;
    }
    None
}

struct Burst<'a> {
    ends: Vec<&'a Watched<'a>>,
    expected: f64,
    alive: usize,
    p: f64,
}

/// The bursts among these ends, which are all of one kind of the group's.
fn bursts<'a>(lives: &[(i64, i64)], ends: &[&'a Watched<'a>]) -> Vec<Burst<'a>> {
    let factorials = ln_factorials(ends.len());
    let at = |p: &&Watched| p.end.unwrap();
    let count = |from: i64, until: i64| {
        ends.iter()
            .filter(|p| (from..until).contains(&at(p)))
            .count()
    };
    let (first, last) = (
        lives.iter().map(|(a, _)| *a).min().unwrap_or(0),
        lives.iter().map(|(_, b)| *b).max().unwrap_or(0),
    );
    let all = lived(lives, first, last);
    let mut found = Vec::new();
    for since in ends.iter().map(at).collect::<BTreeSet<_>>() {
        let alive = lives
            .iter()
            .filter(|(a, b)| *a < since && since <= *b)
            .count();
        for width in [1_000, 10_000, MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS] {
            let until = since + width;
            let n = count(since, until);
            if n < 5 {
                continue;
            }
            let least = (alive as i64 * width) as f64;
            if (n as f64) < 3.0 * ends.len() as f64 * least / (least + all as f64) {
                continue; // far too few, so spare the walk
            }
            // The time lived there, or that of those alive at its beginning, had none of them ended.
            let held = lived(lives, since, until).max(alive as i64 * width).max(1);
            let from =
                so_far(lives, since, held * (HOUR_MS / width), -1).unwrap_or(first.min(since));
            let to = so_far(lives, until, held * (HOUR_MS / width), 1).unwrap_or(last.max(until));
            // Pieces of time that it is held against, each alone.
            let mut rests = vec![
                vec![(i64::MIN / 4, since), (until, i64::MAX / 4)],
                vec![(from, since), (until, to)],
            ];
            for side in [(from, since), (until, to)] {
                if lived(lives, side.0, side.1) >= 4 * held {
                    rests.push(vec![side]);
                }
            }
            let mut burst = Burst {
                ends: Vec::new(),
                expected: 0.0,
                alive,
                p: 0.0,
            };
            for rest in rests {
                let others: usize = rest.iter().map(|(a, b)| count(*a, *b)).sum();
                let there: i64 = rest.iter().map(|(a, b)| lived(lives, *a, *b)).sum();
                let q = held as f64 / (held + there) as f64;
                let p = match there {
                    0 => 1.0,
                    _ => at_least(&factorials, n - 1, n - 1 + others, q),
                };
                burst.expected = burst.expected.max(q * (n + others) as f64);
                burst.p = burst.p.max(p * (5 * ends.len()) as f64);
            }
            if n as f64 >= 3.0 * burst.expected && burst.p < 0.001 {
                let inside = |p: &&&Watched| (since..until).contains(&at(p));
                burst.ends = ends.iter().filter(inside).copied().collect();
                found.push(burst);
            }
        }
    }
    // Of those that share an end, the least likely.
    found.sort_by(|a, b| a.p.total_cmp(&b.p));
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    found.retain(|burst| {
        let is_new = burst.ends.iter().all(|p| !taken.contains(p.known.id()));
        if is_new {
            taken.extend(burst.ends.iter().map(|p| p.known.id()));
        }
        is_new
    });
    found
}

fn expected(record: &Record, by: &str, span: Span) -> (Vec<Value>, Value) {
    let known = record.known();
    let (counted, excluded): (Vec<_>, Vec<_>) = known
        .iter()
        .filter_map(|p| watched(record, p, span))
        .partition(Result::is_ok);
    let counted = counted.into_iter().flatten();
    let mut rows = Vec::new();
    for (key, all) in grouped(counted.map(|p| (group(by, p.known.latest(), 0), p))) {
        let lives: Vec<(i64, i64)> = all.iter().flat_map(|p| p.life.clone()).collect();
        for of in ["failed", "ended"] {
            let mut ends: Vec<&Watched> = all
                .iter()
                .filter(|p| p.end.is_some())
                .filter(|p| of == "ended" || p.known.stands == Stands::Failed)
                .collect();
            ends.sort_by_key(|p| p.end);
            for burst in bursts(&lives, &ends) {
                let times = || burst.ends.iter().filter_map(|p| p.end);
                let (first, last) = (times().min().unwrap(), times().max().unwrap());
                if span.until.is_some_and(|until| until <= first)
                    || span.since.is_some_and(|since| last < since)
                {
                    continue;
                }
                let deployments: BTreeSet<i64> = burst
                    .ends
                    .iter()
                    .map(|p| p.known.latest().deployment_id.to_string().parse().unwrap())
                    .collect();
                let told = burst.ends.iter().filter(|p| p.known.stopping().is_some());
                let numbers = json!({
                    "of": of,
                    "since": time(first),
                    "until": time(last),
                    "n": burst.ends.len(), "expected": burst.expected, "alive": burst.alive,
                    "told_to_stop": told.count(), "deployment_ids": deployments, "p": burst.p,
                });
                rows.push(row(&key, numbers));
            }
        }
    }
    let mut excluded: Vec<&str> = excluded.into_iter().filter_map(Result::err).collect();
    let ended = known.iter().filter(|p| p.has_ended());
    let unseen = ended.filter_map(|p| p.end().filter(|end| span.has(*end) && !record.sees(*end)));
    excluded.extend(unseen.map(|_| "ended_unwatched"));
    (rows, reasons(excluded))
}

/// Of those alive at a moment every so many-th fails within so long after it.
fn crash(stories: &mut [Story], at: i64, every: usize, within: i64) {
    let alive = stories
        .iter_mut()
        .filter(|p| p.created_at.millis() < at && at < p.terminated_at.millis());
    for (n, story) in alive.step_by(every).enumerate() {
        let end = story
            .created_at
            .plus_millis(at - story.created_at.millis() + n as i64 * 389 % within);
        (story.draining_at, story.stopping_at) = (None, None);
        (story.terminated_at, story.failed) = (end, true);
        story.started_at = story.started_at.filter(|started| *started < end);
        story.rooms.retain(|change| change.at < end);
    }
}

/// The records that everything is asked of, and one in which a bad deployment fails far more often than
/// the fleet does otherwise, and many crash at once.
#[test]
fn ends_that_came_together() {
    let worse = FleetConfig {
        bad_failure_share: 0.8,
        failure_share: 0.01,
        ..config()
    };
    let mut worse = stories(worse, 8);
    crash(&mut worse, minute(37), 3, 900);
    crash(&mut worse, minute(205), 2, 50_000);
    crash(&mut worse, minute(302), 2, 8_000);
    crash(&mut worse, minute(470), 1, 240_000);
    let worse = Record::of(&worse, (0..=480).map(minute));
    let mut found = [0, 0];
    for record in records().into_iter().chain([paused(), worse]) {
        let place = record.imported();
        for by in ["", "app,region,deployment"] {
            for span in windows() {
                let (rows, excluded) = expected(&record, by, span);
                for row in &rows {
                    found[usize::from(row["of"] == "ended")] += 1;
                }
                let answer = ask(&place, &["failures", "--bursts"], by, span);
                let what = format!("by {by} in {span:?}");
                assert_rows(&answer["rows"], &rows, &what);
                assert_eq!(answer["excluded"], excluded, "{what}");
            }
        }
    }
    assert!(found.iter().all(|n| *n > 10), "{found:?}");
}

/// Without a roll-out nothing comes together.
#[test]
fn a_steady_fleet_has_none() {
    let steady = FleetConfig {
        deployment_every_ms: 1_000 * HOUR_MS,
        ..config()
    };
    let record = Record::of(&stories(steady, 5), (0..=300).map(minute));
    let all = Span::default();
    assert!(expected(&record, "", all).0.is_empty());
    let answer = ask(&record.imported(), &["failures", "--bursts"], "", all);
    assert_rows(&answer["rows"], &[], "a steady fleet");
}
