//! How one deployment took over from another, a second time: by counting both at every start.

use serde_json::{Value, json};

use prochist::model::Deployment;

use crate::answered::{ask, assert_rows, grouped, row};
use crate::known::{Known, Record, Span, Stands, minute, records, time};

/// A deployment of the one app, with the creation of its first process, in that order.
fn deployments(known: &[Known]) -> Vec<(i64, i64)> {
    let mut firsts: Vec<(i64, i64)> =
        grouped(known.iter().map(|p| (json!(number(p)), p.created())))
            .into_iter()
            .map(|(deployment, created)| {
                (*created.iter().min().unwrap(), deployment.as_i64().unwrap())
            })
            .collect();
    firsts.sort_unstable();
    firsts
}

fn number(process: &Known) -> i64 {
    match process.latest().deployment_id {
        Deployment::Number(n) => n,
        _ => panic!("the simulator counts them"),
    }
}

/// Which takes over from which.
fn pair(known: &[Known], named: (Option<i64>, Option<i64>), span: Span) -> (i64, i64) {
    let all = deployments(known);
    let new = named.1.unwrap_or_else(|| {
        let inside = all.iter().rev().find(|(created, _)| span.has(*created));
        inside.unwrap().1
    });
    let (first, _) = *all
        .iter()
        .find(|(_, deployment)| *deployment == new)
        .unwrap();
    let old = named.0.unwrap_or_else(|| {
        all.iter()
            .rev()
            .find(|(created, _)| *created < first)
            .unwrap()
            .1
    });
    (old, new)
}

fn running(processes: &[&Known], moment: i64) -> usize {
    let runs = processes.iter().filter_map(|p| p.ran().ok().flatten());
    runs.filter(|(from, until)| *from <= moment && until.is_none_or(|until| moment < until))
        .count()
}

fn first_start(processes: &[&Known]) -> Option<i64> {
    processes.iter().filter_map(|p| p.started()).min()
}

fn count(processes: &[&Known], stands: Stands) -> usize {
    processes.iter().filter(|p| p.stands == stands).count()
}

/// When the last of them ended, if none is open or lost.
fn last_end(processes: &[&Known]) -> Option<i64> {
    let over = processes.iter().all(|p| p.has_ended());
    processes
        .iter()
        .filter_map(|p| p.ended_at())
        .max()
        .filter(|_| over)
}

/// The two deployments, app by app, or app and region by app and region.
fn sides<'a>(
    known: &'a [Known],
    (old, new): (i64, i64),
    by: &str,
) -> Vec<(Value, [Vec<&'a Known>; 2])> {
    let either = known.iter().filter(|p| [old, new].contains(&number(p)));
    let keyed = either.map(|p| {
        let mut key = json!({"app_id": p.latest().app_id});
        if by.contains("region") {
            key["region"] = json!(p.latest().region);
        }
        (key, p)
    });
    grouped(keyed)
        .into_iter()
        .map(|(mut key, processes)| {
            key["old_deployment_id"] = json!(old);
            key["new_deployment_id"] = json!(new);
            let of = |deployment| -> Vec<&Known> {
                processes
                    .iter()
                    .filter(|p| number(p) == deployment)
                    .copied()
                    .collect()
            };
            (key, [of(old), of(new)])
        })
        .collect()
}

/// A roll-out as it is named, the old and the new deployment in numbers, `--by`, and the window.
type Case = (
    Option<&'static str>,
    (Option<i64>, Option<i64>),
    &'static str,
    Span,
);

fn cases() -> Vec<Case> {
    let early = Span {
        since: None,
        until: Some(minute(150)),
    };
    let mut cases = Vec::new();
    for by in ["", "region", "app,region"] {
        for span in [Span::default(), early] {
            cases.push((None, (None, None), by, span));
        }
        cases.push((Some("42"), (None, Some(42)), by, Span::default()));
        cases.push((Some("41..43"), (Some(41), Some(43)), by, Span::default()));
        cases.push((Some("43..42"), (Some(43), Some(42)), by, Span::default()));
    }
    cases
}

#[test]
fn one_takes_over_from_another() {
    let mut halves = 0;
    for record in records() {
        let place = record.imported();
        let known = record.known();
        for (named, takeover, by, span) in cases() {
            let rows: Vec<Value> = sides(&known, pair(&known, takeover, span), by)
                .into_iter()
                .map(|(key, [old, new])| {
                    let first = first_start(&new);
                    let last = last_end(&old);
                    // Things only change when one starts or ends.
                    let runs = old.iter().chain(&new).filter_map(|p| p.ran().ok().flatten());
                    let mut moments: Vec<i64> =
                        runs.flat_map(|(from, until)| [Some(from), until]).flatten().collect();
                    moments.sort_unstable();
                    let half = moments.into_iter().find(|moment| {
                        let n = running(&new, *moment);
                        n > 0 && n >= running(&old, *moment)
                    });
                    halves += usize::from(half.is_some());
                    let numbers = json!({
                        "old_processes": old.len(), "new_processes": new.len(),
                        "new_first_started_at": first.map(time), "half_at": half.map(time),
                        "old_last_ended_at": last.map(time),
                        "old_open": count(&old, Stands::Open), "old_lost": count(&old, Stands::Lost),
                        "old_survived_ms": first.zip(last).map(|(first, last)| (last - first).max(0)),
                    });
                    row(&key, numbers)
                })
                .collect();
            let mut words = vec!["rollout"];
            words.extend(named);
            let answer = ask(&place, &words, by, span);
            assert_rows(
                &answer["rows"],
                &rows,
                &format!("{words:?} by {by} in {span:?}"),
            );
        }
    }
    assert!(halves > 20, "{halves}");
}

/// Both at even moments.
fn over_time(record: &Record, sides: &[(Value, [Vec<&Known>; 2])], step: i64) -> Vec<Value> {
    let mut rows = Vec::new();
    for (key, [old, new]) in sides {
        let Some(first) = first_start(new) else {
            continue;
        };
        // Until the old one runs no more. Where that was before the new one came, the start alone.
        let ends = old
            .iter()
            .filter_map(|p| p.ran().ok().flatten())
            .map(|run| run.1.unwrap_or(i64::MAX));
        let until = ends
            .max()
            .unwrap_or(first)
            .min(record.last_look())
            .max(first);
        let mut moment = first - first.rem_euclid(step);
        loop {
            let (old, new) = (running(old, moment), running(new, moment));
            let share = (old + new > 0).then(|| new as f64 / (old + new) as f64);
            let numbers = json!({
                "at": time(moment), "old_running": old, "new_running": new, "share": share,
            });
            rows.push(row(key, numbers));
            if moment >= until {
                break;
            }
            moment += step;
        }
    }
    rows
}

#[test]
fn step_by_step() {
    for record in records() {
        let place = record.imported();
        let known = record.known();
        for (named, takeover, by, span) in cases() {
            let sides = sides(&known, pair(&known, takeover, span), by);
            for (step, said) in [(5 * 60_000, "5m"), (7 * 60_000, "7m")] {
                let mut words = vec!["rollout", "--over-time", "--step", said];
                words.extend(named);
                let answer = ask(&place, &words, by, span);
                let rows = over_time(&record, &sides, step);
                assert_rows(
                    &answer["rows"],
                    &rows,
                    &format!("{words:?} by {by} in {span:?}"),
                );
            }
        }
    }
}
