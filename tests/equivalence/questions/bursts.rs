//! Ends that came together, a second time: every stretch from every end on, all lives looked through
//! for each, and the likelihood summed up term by term.

use std::collections::BTreeSet;

use prochist::simulator::FleetConfig;
use serde_json::{Value, json};

use crate::answered::{ask, assert_rows, group, grouped, row};
use crate::known::{Known, Record, Span, Stands, config, minute, records, stories, windows};
use crate::truth::MINUTE_MS;

/// From its creation until it ended or was last seen.
fn life(process: &Known) -> (i64, i64) {
    let over = process.ended_at().unwrap_or(process.last_seen());
    (process.created(), over)
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

struct Burst<'a> {
    ends: Vec<&'a Known>,
    expected: f64,
    alive: usize,
    p: f64,
}

/// The bursts among these ends, which are all of one kind of the group's in the window.
fn bursts<'a>(group: &[&Known], ends: &[&'a Known], span: Span) -> Vec<Burst<'a>> {
    let lived = |from: i64, until: i64| span.clip(from, until).map_or(0, |(a, b)| b - a);
    let total: i64 = group
        .iter()
        .map(|p| life(p))
        .map(|(a, b)| lived(a, b))
        .sum();
    let factorials = ln_factorials(ends.len());
    let mut found = Vec::new();
    for first in ends {
        let since = life(first).1;
        for width in [1, 5, 15, 60].map(|minutes| minutes * MINUTE_MS) {
            let until = since + width;
            let inside: Vec<&Known> = ends
                .iter()
                .filter(|p| (since..until).contains(&life(p).1))
                .copied()
                .collect();
            if inside.len() < 5 {
                continue;
            }
            let alive = group
                .iter()
                .filter(|p| life(p).0 < since && since <= life(p).1)
                .count();
            let there = group.iter().filter_map(|p| {
                let (from, until) = span.clip(life(p).0.max(since), life(p).1.min(until))?;
                Some(until - from)
            });
            // The time lived there, or that of those alive at its beginning, had none of them ended.
            let held = there.sum::<i64>().max(alive as i64 * width);
            let q = (held as f64 / total as f64).min(1.0);
            let expected = ends.len() as f64 * q;
            let stretches = (4 * ends.len()) as f64;
            let p = stretches * at_least(&factorials, inside.len() - 1, ends.len() - 1, q);
            if inside.len() as f64 >= 3.0 * expected && p < 0.001 {
                found.push(Burst {
                    ends: inside,
                    expected,
                    alive,
                    p,
                });
            }
        }
    }
    // Of those that share an end, the least likely.
    found.sort_by(|a, b| a.p.total_cmp(&b.p));
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    found.retain(|burst| {
        let is_new = burst.ends.iter().all(|p| !taken.contains(p.id()));
        if is_new {
            taken.extend(burst.ends.iter().map(|p| p.id()));
        }
        is_new
    });
    found
}

fn expected(record: &Record, by: &str, span: Span) -> Vec<Value> {
    let known = record.known();
    let mut rows = Vec::new();
    for (key, group) in grouped(known.iter().map(|p| (group(by, p.latest(), 0), p))) {
        for of in ["failed", "ended"] {
            let mut ends: Vec<&Known> = group
                .iter()
                .filter(|p| p.has_ended() && span.has(life(p).1))
                .filter(|p| of == "ended" || p.stands == Stands::Failed)
                .copied()
                .collect();
            ends.sort_by_key(|p| life(p).1);
            for burst in bursts(&group, &ends, span) {
                let times = burst.ends.iter().map(|p| life(p).1);
                let deployments: BTreeSet<String> = burst
                    .ends
                    .iter()
                    .map(|p| p.latest().deployment_id.to_string())
                    .collect();
                let deployments: Vec<i64> =
                    deployments.iter().map(|d| d.parse().unwrap()).collect();
                let told = burst.ends.iter().filter(|p| p.stopping().is_some());
                let numbers = json!({
                    "of": of,
                    "since": crate::known::time(times.clone().min().unwrap()),
                    "until": crate::known::time(times.max().unwrap()),
                    "n": burst.ends.len(), "expected": burst.expected, "alive": burst.alive,
                    "told_to_stop": told.count(), "deployment_ids": deployments, "p": burst.p,
                });
                rows.push(row(&key, numbers));
            }
        }
    }
    rows
}

#[test]
fn ends_that_came_together() {
    // One more, in which a bad deployment fails far more often than the fleet does otherwise.
    let worse = FleetConfig {
        bad_failure_share: 0.8,
        failure_share: 0.01,
        ..config()
    };
    let worse = Record::of(&stories(worse, 8), (0..=480).map(minute));
    let [whole, broken, _] = records();
    let mut found = [0, 0];
    for record in [whole, broken, worse] {
        let place = record.imported();
        for by in ["", "app,region,deployment"] {
            for span in windows() {
                let rows = expected(&record, by, span);
                for row in &rows {
                    found[usize::from(row["of"] == "ended")] += 1;
                }
                let answer = ask(&place, &["failures", "--bursts"], by, span);
                let what = format!("by {by} in {span:?}");
                assert_rows(&answer["rows"], &rows, &what);
                assert_eq!(answer["excluded"], json!({}), "{what}");
            }
        }
    }
    assert!(found.iter().all(|n| *n > 3), "{found:?}");
}

/// Without a roll-out nothing comes together.
#[test]
fn a_steady_fleet_has_none() {
    let steady = FleetConfig {
        deployment_every_ms: 1_000 * 60 * MINUTE_MS,
        ..config()
    };
    let record = Record::of(&stories(steady, 5), (0..=300).map(minute));
    let all = Span::default();
    assert!(expected(&record, "", all).is_empty());
    let answer = ask(&record.imported(), &["failures", "--bursts"], "", all);
    assert_rows(&answer["rows"], &[], "a steady fleet");
}
