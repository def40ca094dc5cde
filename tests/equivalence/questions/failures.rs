//! How often processes failed, a second time. The intervals are found where their equations hold, by
//! halving; Fisher's p is a sum over all tables.

use serde_json::{Value, json};

use crate::answered::{ask, assert_rows, group, grouped, row};
use crate::known::{Known, Record, Span, Stands, records, windows};

/// The 97.5% point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The moment by which a process is reckoned.
pub fn reckoned(process: &Known) -> i64 {
    match process.stands {
        Stands::Open => process.created(),
        Stands::Lost => process.last_seen(),
        _ => process.ended_at().unwrap(),
    }
}

/// Where a function that rises from below zero to above it is zero.
fn root(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if f(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Wilson's interval is of those p from which the rate seen is no more than Z standard errors away,
/// by the error that p itself has.
fn wilson(hits: u64, n: u64) -> Option<(f64, f64)> {
    let (rate, n) = ((n > 0).then(|| hits as f64 / n as f64)?, n as f64);
    let beyond = |p: f64| (p - rate).powi(2) - Z * Z * p * (1.0 - p) / n;
    Some((
        if rate == 0.0 {
            0.0
        } else {
            root(0.0, rate, |p| -beyond(p))
        },
        if rate == 1.0 {
            1.0
        } else {
            root(rate, 1.0, beyond)
        },
    ))
}

/// The likelihood of every table with the same totals, by the logarithms of factorials; the sum of
/// those no likelier than the one seen.
fn fisher((hits, n): (u64, u64), (other_hits, m): (u64, u64)) -> f64 {
    let mut factorials = vec![0.0];
    for k in 1..=n + m {
        factorials.push(factorials[k as usize - 1] + (k as f64).ln());
    }
    let choose = |n: u64, k: u64| {
        factorials[n as usize] - factorials[k as usize] - factorials[(n - k) as usize]
    };
    let all = hits + other_hits;
    let likelihood = |k: u64| (choose(n, k) + choose(m, all - k) - choose(n + m, all)).exp();
    let tables = (0..=n).filter(|k| *k <= all && all - k <= m);
    let seen = likelihood(hits);
    tables
        .map(likelihood)
        .filter(|p| *p <= seen * (1.0 + 1e-7))
        .sum::<f64>()
        .min(1.0)
}

fn rate(hits: u64, n: u64) -> Option<f64> {
    (n > 0).then(|| hits as f64 / n as f64)
}

/// Ended, failed, failed before the start, lost, open.
fn count(processes: &[&Known]) -> [u64; 5] {
    let count = |f: &dyn Fn(&Known) -> bool| processes.iter().filter(|p| f(p)).count() as u64;
    [
        count(&|p| p.has_ended()),
        count(&|p| p.stands == Stands::Failed),
        count(&|p| p.stands == Stands::Failed && p.started().is_none()),
        count(&|p| p.stands == Stands::Lost),
        count(&|p| p.stands == Stands::Open),
    ]
}

fn expected(record: &Record, by: &str, span: Span) -> Vec<Value> {
    let known = record.known();
    let inside = known.iter().filter(|p| span.has(reckoned(p)));
    grouped(inside.map(|p| (group(by, p.latest(), reckoned(p)), p)))
        .into_iter()
        .map(|(key, processes)| {
            let [ended, failed, failed_before_start, lost, open] = count(&processes);
            let interval = wilson(failed, ended);
            let numbers = json!({
                "ended": ended, "failed": failed, "failed_before_start": failed_before_start,
                "lost": lost, "open": open, "rate": rate(failed, ended),
                "rate_low": interval.map(|i| i.0), "rate_high": interval.map(|i| i.1),
            });
            row(&key, numbers)
        })
        .collect()
}

#[test]
fn every_group() {
    for record in records() {
        let place = record.imported();
        for by in ["region", "deployment,day", "app,hour"] {
            for span in windows() {
                let answer = ask(&place, &["failures"], by, span);
                let what = format!("by {by} in {span:?}");
                assert_rows(&answer["rows"], &expected(&record, by, span), &what);
                assert_eq!(answer["excluded"], json!({}), "{what}");
            }
        }
    }
    let broken = &records()[1];
    let all = &expected(broken, "", Span::default())[0];
    for field in ["failed_before_start", "lost", "open"] {
        assert!(all[field].as_u64() > Some(3), "{all}");
    }
}

#[test]
fn two_deployments() {
    let mut surprising = 0;
    for record in records() {
        let place = record.imported();
        for (a, b) in [(42, 43), (43, 42), (40, 43)] {
            for span in windows() {
                let known = record.known();
                let [[n, hits, ..], [m, other_hits, ..]] = [a, b].map(|deployment| {
                    let of_it: Vec<&Known> = known
                        .iter()
                        .filter(|p| {
                            p.latest().deployment_id
                                == prochist::model::Deployment::Number(deployment)
                        })
                        .filter(|p| span.has(reckoned(p)))
                        .collect();
                    count(&of_it)
                });
                let (one, other) = (wilson(hits, n), wilson(other_hits, m));
                let (low, high) = (one.map(|i| i.0), one.map(|i| i.1));
                let (other_low, other_high) = (other.map(|i| i.0), other.map(|i| i.1));
                let rates = rate(hits, n).zip(rate(other_hits, m));
                let difference = rates.map(|(p, q)| q - p);
                // Each side as far as the one's limit and the other's opposite limit are from the rates.
                let away = |p: f64, limit: Option<f64>, q: f64, other: Option<f64>| {
                    (p - limit.unwrap()).hypot(q - other.unwrap())
                };
                let expected = json!({
                    "deployment_id": a, "ended": n, "failed": hits, "rate": rate(hits, n),
                    "rate_low": low, "rate_high": high,
                    "other_deployment_id": b, "other_ended": m, "other_failed": other_hits,
                    "other_rate": rate(other_hits, m),
                    "other_rate_low": other_low, "other_rate_high": other_high,
                    "difference": difference,
                    "difference_low": rates.map(|(p, q)| q - p - away(p, high, q, other_low)),
                    "difference_high": rates.map(|(p, q)| q - p + away(p, low, q, other_high)),
                    "fisher_p": rates.map(|_| fisher((hits, n), (other_hits, m))),
                });
                let compare = format!("{a}..{b}");
                let mut answer = ask(&place, &["failures", "--compare", &compare], "", span);
                let says = answer["rows"][0]
                    .as_object_mut()
                    .unwrap()
                    .shift_remove("says");
                assert!(says.unwrap().as_str().is_some_and(|says| says.len() > 20));
                assert_rows(
                    &answer["rows"],
                    std::slice::from_ref(&expected),
                    &format!("{compare} in {span:?}"),
                );
                surprising += u32::from(expected["fisher_p"].as_f64().is_some_and(|p| p < 0.01));
            }
        }
    }
    assert!(surprising > 2, "the bad deployment is told");
}

/// Against what can be counted by hand: eight cups of tea, four of them with milk in first, can be told
/// in 70 ways, of which 1, 16, 36, 16 and 1 get none to four right.
#[test]
fn the_second_computation_is_right_itself() {
    assert!((fisher((3, 4), (1, 4)) - 34.0 / 70.0).abs() < 1e-12);
    assert!((fisher((4, 4), (0, 4)) - 2.0 / 70.0).abs() < 1e-12);
    let (low, high) = wilson(81, 263).unwrap();
    assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5);
}
