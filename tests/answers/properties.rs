//! The properties. None needs to know what the right answer is.

use std::collections::BTreeMap;

use prochist::history::{Group, Window};
use prochist::model::{Snapshot, UtcMillis};
use prochist::{History, Question};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::made_up::{
    MINUTE_MS, by, every_answer, everything, history, json, minute, record, snapshots, windows,
};

fn question(window: Window, by: &[Group]) -> Question {
    Question::default().window(window).by(by.iter().copied())
}

fn is_of_time(by: &[Group]) -> bool {
    by.iter().any(|g| matches!(g, Group::Day | Group::Hour))
}

/// The sums of a field over the rows, told apart by a text if one is named.
fn sums(answer: &Value, field: &str, apart: &str) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for row in answer["rows"].as_array().unwrap() {
        let apart = row[apart].as_str().unwrap_or_default().to_owned();
        *sums.entry(apart).or_default() += row[field].as_i64().unwrap_or(0);
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// Numbers that add up, over groups of any kind: question, field, what else tells rows apart.
const ADDITIVE: [(&str, &str, &str); 14] = [
    ("lifetimes", "n", "phase"),
    ("lifetimes", "censored", "phase"),
    ("lifetimes", "delayed", "phase"),
    ("failures", "ended", ""),
    ("failures", "failed", ""),
    ("failures", "failed_before_start", ""),
    ("failures", "lost", ""),
    ("failures", "open", ""),
    ("at, counted", "processes", ""),
    ("at, counted", "starting", ""),
    ("at, counted", "running", ""),
    ("usage", "process_ms", ""),
    ("rooms", "allocated_ms", ""),
    ("rooms", "capacity_ms", ""),
];

/// Numbers that a wider window does not lower. A peak is not a sum, but there is one row of it.
const RISING: [(&str, &str, &str); 20] = [
    ("lifetimes", "n", "phase"),
    ("lifetimes", "censored", "phase"),
    ("failures", "ended", ""),
    ("failures", "failed", ""),
    ("failures", "lost", ""),
    ("failures", "open", ""),
    ("compare", "ended", ""),
    ("compare", "other_failed", ""),
    ("ports", "holds", "host"),
    ("ports", "reuses", "host"),
    ("ports", "overlaps", "host"),
    ("ports by host", "holds", "host"),
    ("usage", "processes", ""),
    ("usage", "process_ms", ""),
    ("rooms", "processes", ""),
    ("rooms", "allocated_ms", ""),
    ("rooms", "capacity_ms", ""),
    ("rooms", "peak_allocated", ""),
    ("concurrency", "running", ""),
    ("lifetimes", "delayed", "phase"),
];

/// By Fisher and Yates, with a small generator.
fn shuffled(snapshots: &[Snapshot], seed: u64) -> Vec<Snapshot> {
    let mut snapshots = snapshots.to_vec();
    let mut state = seed | 1;
    for i in (1..snapshots.len()).rev() {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        snapshots.swap(i, (state >> 33) as usize % (i + 1));
    }
    snapshots
}

/// Calls `check` for every number of an answer, with its field.
fn each_number(value: &Value, field: &str, check: &mut impl FnMut(&str, f64)) {
    match value {
        Value::Number(number) => check(field, number.as_f64().unwrap()),
        Value::Array(all) => all.iter().for_each(|v| each_number(v, field, check)),
        Value::Object(all) => all.iter().for_each(|(name, v)| each_number(v, name, check)),
        _ => {}
    }
}

/// Who ran at a moment, by the rows of `at` and whether they had started.
fn running_at(history: &History, question: &Question, moment: prochist::model::UtcMillis) -> usize {
    let answer = history.fleet_at(moment, None, question).unwrap();
    let ids = answer.rows.iter().map(|row| &row.process_id);
    ids.filter(|id| {
        let process = history.process(id).unwrap().unwrap();
        process.started_at.is_some_and(|started| started <= moment)
    })
    .count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_cuts_of_imports_do_not_matter(
        snapshots in snapshots(),
        (window, _) in windows(),
        by in by(),
        seed in any::<u64>(),
        cut in 0..14_usize,
    ) {
        let folder = TempDir::new().unwrap();
        let questions = [Question::default(), question(window, &by)];
        let straight = record(&folder, "straight.db", &[&snapshots]);
        let expected = everything(&straight, &questions);
        let other = shuffled(&snapshots, seed);
        let (one, two) = other.split_at(cut.min(other.len()));
        let pieces: Vec<&[Snapshot]> = snapshots.chunks(1).rev().collect();
        for (name, runs) in [
            ("shuffled.db", vec![one, two]),
            ("backward, a run each.db", pieces),
            ("twice.db", vec![two, &snapshots[..], one]),
        ] {
            let found = everything(&record(&folder, name, &runs), &questions);
            for (found, expected) in found.iter().zip(&expected) {
                for (question, answer) in expected {
                    prop_assert_eq!(&found[question], answer, "{}: {}", name, question);
                }
            }
        }
    }

    #[test]
    fn a_wider_window_has_no_less((narrow, wide) in windows(), snapshots in snapshots()) {
        let (_folder, history) = history(&snapshots);
        let [less, more] = [narrow, wide].map(|w| every_answer(&history, &question(w, &[])));
        for (name, field, apart) in RISING {
            let more = sums(&more[name], field, apart);
            for (apart, less) in sums(&less[name], field, apart) {
                let more = more.get(&apart).copied().unwrap_or(0);
                prop_assert!(less <= more, "{} {} {}: {} of {}", name, field, apart, less, more);
            }
        }
        for name in ["longer than", "too soon", "conflicts", "h0:80 at None"] {
            let [less, more] = [&less, &more].map(|all| all[name]["rows"].as_array().unwrap().len());
            prop_assert!(less <= more, "{}: {} of {}", name, less, more);
        }
        for name in ["lifetimes", "usage", "concurrency", "ports", "conflicts", "failures"] {
            for (reason, n) in less[name]["excluded"].as_object().unwrap() {
                let of = more[name]["excluded"][reason].as_u64();
                prop_assert!(n.as_u64() <= of, "{} {}: {} of {:?}", name, reason, n, of);
            }
        }
    }

    #[test]
    fn groups_add_up_to_the_whole(
        snapshots in snapshots(),
        (window, _) in windows(),
        by in by(),
    ) {
        let (_folder, history) = history(&snapshots);
        for window in [Window::default(), window] {
            let whole = every_answer(&history, &question(window, &[]));
            let parts = every_answer(&history, &question(window, &by));
            for (name, field, apart) in ADDITIVE {
                prop_assert_eq!(
                    sums(&parts[name], field, apart),
                    sums(&whole[name], field, apart),
                    "{} {} by {:?}", name, field, by
                );
            }
            // A process that served in two hours is in both.
            for name in ["usage", "rooms"] {
                let [parts, whole] = [&parts, &whole].map(|all| sums(&all[name], "processes", ""));
                match is_of_time(&by) {
                    false => prop_assert_eq!(parts, whole, "{} by {:?}", name, by),
                    true => prop_assert!(parts.get("") >= whole.get(""), "{} by {:?}", name, by),
                }
            }
            for field in ["holds", "reuses", "overlaps"] {
                prop_assert_eq!(
                    sums(&parts["ports"], field, "host"),
                    sums(&parts["ports by host"], field, "host")
                );
            }
            for (name, answer) in &whole {
                prop_assert_eq!(&parts[name]["excluded"], &answer["excluded"], "{} by {:?}", name, by);
            }
        }
    }

    #[test]
    fn at_the_peak_there_are_as_many_as_it_says(
        snapshots in snapshots(),
        (window, _) in windows(),
        moments in prop::collection::vec(0..700 * MINUTE_MS, 12),
    ) {
        let (_folder, history) = history(&snapshots);
        for base in [Question::default(), Question::default().region("Tokyo")] {
            for window in [Window::default(), window] {
                let about = base.clone().window(window);
                let peaks = history.concurrency(&about).unwrap().rows;
                prop_assert!(peaks.len() < 2);
                let peak = peaks.first().map_or(0, |peak| peak.running);
                for peak in &peaks {
                    prop_assert!(window.contains(peak.at));
                    prop_assert_eq!(running_at(&history, &about, peak.at) as u64, peak.running);
                    // And not before, for it is the first.
                    let before = peak.at.plus_millis(-1);
                    if window.contains(before) {
                        prop_assert!((running_at(&history, &about, before) as u64) < peak.running);
                    }
                }
                // At no other moment are there more, and before it fewer: whenever one started, too.
                // That is as far as the record goes; later `at` takes the open ones to run on.
                let starts = (0..10).filter_map(|n| {
                    history.process(&format!("p{n}")).unwrap()?.started_at
                });
                let end = snapshots.iter().map(|snapshot| snapshot.observed_at).max();
                let sampled = moments.iter().map(|moment| minute(0).plus_millis(*moment));
                let is_asked = |moment: &UtcMillis| window.contains(*moment) && Some(*moment) <= end;
                for moment in starts.chain(sampled).filter(is_asked) {
                    let running = running_at(&history, &about, moment) as u64;
                    let first = peaks.first().is_none_or(|peak| moment >= peak.at);
                    prop_assert!(
                        running < peak || first && running == peak,
                        "{} ran at {}, of {:?}", running, moment, peaks
                    );
                }
                // Each hour's peak is there too, and none is above that of all.
                let hours = history.concurrency(&about.clone().by([Group::Hour])).unwrap().rows;
                for hour in &hours {
                    prop_assert_eq!(running_at(&history, &about, hour.at) as u64, hour.running);
                    prop_assert_eq!(hour.key.hour.unwrap().to_string()[..13].to_owned(), hour.at.to_string()[..13].to_owned());
                }
                let most = hours.iter().map(|hour| hour.running).max().unwrap_or(0);
                prop_assert!(most <= peak);
            }
        }
    }

    #[test]
    fn no_length_is_negative_and_no_share_beyond_all(
        snapshots in snapshots(),
        (window, _) in windows(),
        by in by(),
    ) {
        let (_folder, history) = history(&snapshots);
        let mut all = every_answer(&history, &Question::default());
        all.extend(every_answer(&history, &question(window, &by)).into_iter().map(|(name, a)| (name + ", cut", a)));
        all.insert("coverage".into(), json(history.coverage(&Question::default())));
        let mut wrong = Vec::new();
        let mut checked = 0;
        for (name, answer) in &all {
            // The holders of an endpoint may overlap, which is told by a gap below zero.
            let holders = name.contains(" at ");
            each_number(answer, "", &mut |field, number| {
                checked += 1;
                let right = match field {
                    "gap_ms" if holders => true,
                    "rate" | "rate_low" | "rate_high" | "share" | "utilization" | "p" | "fisher_p"
                    | "other_rate" | "other_rate_low" | "other_rate_high" => (0.0..=1.0).contains(&number),
                    "difference" | "difference_low" | "difference_high" => (-1.0..=1.0).contains(&number),
                    _ => number >= 0.0,
                };
                if !right {
                    wrong.push(format!("{name}: {field} {number}"));
                }
            });
            for row in answer["rows"].as_array().unwrap() {
                for (low, middle, high) in [
                    ("rate_low", "rate", "rate_high"),
                    ("difference_low", "difference", "difference_high"),
                    ("min_gap_ms", "median_gap_ms", "max_gap_ms"),
                    ("p50_ms", "p90_ms", "p99_ms"),
                    ("survival_p50_ms", "survival_p90_ms", "none"),
                ] {
                    let of = |field: &str| row[field].as_f64();
                    let rises = |a: Option<f64>, b: Option<f64>| a.zip(b).is_none_or(|(a, b)| a <= b);
                    if !rises(of(low), of(middle)) || !rises(of(middle), of(high)) {
                        wrong.push(format!("{name}: {low}, {middle}, {high} of {row}"));
                    }
                }
            }
        }
        prop_assert!(wrong.is_empty(), "{:#?}", wrong);
        prop_assert!(checked > 20);
    }
}
