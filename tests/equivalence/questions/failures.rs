//! How often processes failed, a second time. The intervals are found where their equations hold, by
//! halving; Fisher's p is a sum over all tables.

use prochist::model::Deployment;
use serde_json::{Value, json};

use crate::answered::{ask, assert_rows, group, grouped, row};
use crate::known::{Known, Record, Span, Stands, records, whole, windows};

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

/// The whole fleet as if it were of two apps, and as if some of its deployment 42 had been told of as
/// a text.
fn two_apps() -> Record {
    let mut record = whole();
    for process in record.looks.iter_mut().flat_map(|look| &mut look.shown) {
        let id = process.process_id.as_bytes();
        if id[0] >= b'8' {
            process.app_id = "another".to_owned();
        }
        if process.deployment_id == Deployment::Number(42) && id[1] >= b'8' {
            process.deployment_id = Deployment::Name("42".to_owned());
        }
    }
    record
}

/// Two deployments by their names, app by app.
fn compared(known: &[Known], names: [i64; 2], span: Span) -> Vec<Value> {
    let named = names.map(|name| name.to_string());
    let mut apps: Vec<&str> = known.iter().map(|p| p.latest().app_id.as_str()).collect();
    apps.sort_unstable();
    apps.dedup();
    apps.into_iter()
        .filter_map(|app| {
            let all = named.each_ref().map(|name| -> Vec<&Known> {
                let of_it = |p: &&Known| {
                    let latest = p.latest();
                    latest.app_id == app && latest.deployment_id.to_string() == *name
                };
                known.iter().filter(of_it).collect()
            });
            let inside = all.each_ref().map(|all| -> Vec<&Known> {
                let inside = all.iter().filter(|p| span.has(reckoned(p)));
                inside.copied().collect()
            });
            if inside.iter().all(Vec::is_empty) {
                return None;
            }
            let [id, other_id] = [0, 1].map(|n| shown_id(&all[n], names[n]));
            let [[n, hits, ..], [m, other_hits, ..]] = inside.each_ref().map(|i| count(i));
            let mut row = beside((hits, n), (other_hits, m));
            row["app_id"] = json!(app);
            row["deployment_id"] = id;
            row["other_deployment_id"] = other_id;
            Some(row)
        })
        .collect()
}

/// The number or the text, whichever came last.
fn shown_id(all: &[&Known], number: i64) -> Value {
    let first = |is_text: bool| {
        let is_it = |p: &&&Known| json!(p.latest().deployment_id).is_string() == is_text;
        all.iter().filter(is_it).map(|p| p.created()).min()
    };
    match first(true) > first(false) {
        true => json!(number.to_string()),
        false => json!(number),
    }
}

fn beside((hits, n): (u64, u64), (other_hits, m): (u64, u64)) -> Value {
    let (one, other) = (wilson(hits, n), wilson(other_hits, m));
    let (low, high) = (one.map(|i| i.0), one.map(|i| i.1));
    let (other_low, other_high) = (other.map(|i| i.0), other.map(|i| i.1));
    let rates = rate(hits, n).zip(rate(other_hits, m));
    let difference = rates.map(|(p, q)| q - p);
    // Each side as far as the one's limit and the other's opposite limit are from the rates.
    let away = |p: f64, limit: Option<f64>, q: f64, other: Option<f64>| {
        (p - limit.unwrap()).hypot(q - other.unwrap())
    };
    json!({
        "ended": n, "failed": hits, "rate": rate(hits, n), "rate_low": low, "rate_high": high,
        "other_ended": m, "other_failed": other_hits, "other_rate": rate(other_hits, m),
        "other_rate_low": other_low, "other_rate_high": other_high,
        "difference": difference,
        "difference_low": rates.map(|(p, q)| q - p - away(p, high, q, other_low)),
        "difference_high": rates.map(|(p, q)| q - p + away(p, low, q, other_high)),
        "fisher_p": rates.map(|_| fisher((hits, n), (other_hits, m))),
    })
}

#[test]
fn two_deployments() {
    let mut surprising = 0;
    let mut rows_of_two = 0;
    let [whole, broken, odd] = records();
    for record in [whole, broken, odd, two_apps()] {
        let place = record.imported();
        let known = record.known();
        for (a, b) in [(42, 43), (43, 42), (40, 43)] {
            for span in windows() {
                let expected = compared(&known, [a, b], span);
                let compare = format!("{a}..{b}");
                let mut answer = ask(&place, &["failures", "--compare", &compare], "", span);
                for row in answer["rows"].as_array_mut().unwrap() {
                    let says = row.as_object_mut().unwrap().shift_remove("says");
                    assert!(says.unwrap().as_str().is_some_and(|says| says.len() > 20));
                }
                let what = format!("{compare} in {span:?}");
                assert_rows(&answer["rows"], &expected, &what);
                let p = |row: &Value| row["fisher_p"].as_f64().is_some_and(|p| p < 0.01);
                surprising += expected.iter().filter(|row| p(row)).count();
                rows_of_two += usize::from(expected.len() == 2);
            }
        }
    }
    assert!(surprising > 2, "the bad deployment is told");
    assert!(rows_of_two > 4);
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
