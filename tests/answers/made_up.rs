//! Snapshots that no API would send on a good day, and every question about them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prochist::history::{Group, Takeover, Window};
use prochist::model::{Deployment, Extent, Process, Snapshot, UtcMillis};
use prochist::{Ending, Error, History, Question, RunKind, RunResult, Store};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{at, port, process};

pub const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// A moment so many minutes into a day, of which the made-up hours are the last and the next's first.
pub fn minute(n: i64) -> UtcMillis {
    at(20 * DAY_MS - 300 * MINUTE_MS + n * MINUTE_MS)
}

/// What never changes about a process, and the times it may show; minutes after its creation.
#[derive(Clone, Debug)]
struct Plan {
    created: i64,
    started: i64,
    stopping: i64,
    terminated: i64,
}

fn plan() -> impl Strategy<Value = Plan> {
    // Mostly in order; a few go back.
    (0..500_i64, -3..40_i64, -5..200_i64, -10..90_i64).prop_map(
        |(created, started, stopping, terminated)| Plan {
            created,
            started,
            stopping: started + stopping,
            terminated: started + stopping + terminated,
        },
    )
}

/// A process in one of ten states, each a possible observation at any time.
fn state(id: usize, plan: &Plan, stage: u8) -> Process {
    let created = minute(plan.created).millis();
    let mut p = process(&format!("p{id}"), created);
    p.app_id = format!("app-{}", id % 2);
    p.region = ["Tokyo", "London"][id / 2 % 2].to_owned();
    // The number 1 and the text "1" among them, which a filter takes for one.
    p.deployment_id = match id {
        7 => Deployment::Name("1".into()),
        8 => Deployment::Name("dep-blue".into()),
        _ => Deployment::Number(1 + (id % 3) as i64),
    };
    let time = |minutes: i64| Some(minute(plan.created + minutes));
    let host = format!("h{}", id % 2);
    if stage > 0 && stage != 7 {
        p.started_at = time(plan.started);
        p.exposed_port = Some(port(&host, 80 + (id % 3) as i64, "tls"));
        p.additional_exposed_ports = vec![port(&host, 90, "udp"), port(&host, 80, "tcp")];
    }
    p.status = match stage {
        0 => "starting",
        1..=3 => "running",
        4 => "stopping",
        5 | 6 => "stopped",
        7 | 8 => "failed",
        _ => "unheard-of",
    }
    .to_owned();
    if (1..=4).contains(&stage) {
        p.rooms_allocated = i64::from(stage - 1);
    }
    if matches!(stage, 4 | 5) {
        p.stopping_at = time(plan.stopping);
    }
    // 6 and 7 end and do not say when.
    if matches!(stage, 5 | 8 | 9) {
        p.terminated_at = time(plan.terminated);
    }
    p
}

/// Snapshots of up to ten processes over ten hours, some of one and the same moment.
pub fn snapshots() -> impl Strategy<Value = Vec<Snapshot>> {
    let looks = prop::collection::vec(
        (
            0..40_i64,
            prop::collection::vec((0..10_usize, 0..10_u8), 1..7),
            0..8_u8,
        ),
        2..14,
    );
    (prop::collection::vec(plan(), 10), looks).prop_map(|(plans, looks)| {
        looks
            .into_iter()
            .map(|(time, states, extent)| Snapshot {
                observed_at: minute(15 * time),
                processes: states
                    .into_iter()
                    .map(|(id, stage)| state(id, &plans[id], stage))
                    .collect(),
                unknown: Vec::new(),
                extent: match extent {
                    0 => Extent::Complete,
                    1 => Extent::CompleteFor(vec!["app-1".into()]),
                    _ => Extent::Partial,
                },
            })
            .collect()
    })
}

/// Two moments in order, and two more around them.
pub fn windows() -> impl Strategy<Value = (Window, Window)> {
    (0..600_i64, 1..300_i64, 0..200_i64, 0..200_i64, 0..3_u8).prop_map(
        |(since, length, before, after, open)| {
            let window = |since, until| Window {
                since: Some(minute(since)),
                until: Some(minute(until)),
            };
            let wide = window(since - before, since + length + after);
            let narrow = window(since, since + length);
            match open {
                0 => (narrow, Window::default()),
                _ => (narrow, wide),
            }
        },
    )
}

pub fn by() -> impl Strategy<Value = Vec<Group>> {
    use Group::{App, Day, Deployment, Hour, Region};
    prop::sample::select(vec![
        vec![App],
        vec![Region],
        vec![Deployment],
        vec![Day],
        vec![Hour],
        vec![Region, Deployment],
        vec![App, Hour],
        vec![App, Region, Deployment, Day],
    ])
}

/// A file of its own for each run of snapshots, one after another.
pub fn record(folder: &TempDir, name: &str, runs: &[&[Snapshot]]) -> PathBuf {
    let path = folder.path().join(name);
    let mut store = Store::open(&path).unwrap();
    store.force_commits(false).unwrap();
    for snapshots in runs {
        let mut run = store.begin(RunKind::Import, "test", at(0)).unwrap();
        for snapshot in *snapshots {
            run.record(snapshot).unwrap();
        }
        run.finish(&Ending::new(at(1), RunResult::Complete))
            .unwrap();
    }
    path
}

pub fn history(snapshots: &[Snapshot]) -> (TempDir, History) {
    let folder = TempDir::new().unwrap();
    let path = record(&folder, "history.db", &[snapshots]);
    let history = History::open(&path).unwrap();
    (folder, history)
}

/// An answer as JSON, or why there is none.
pub fn json<A: Serialize>(answer: Result<A, Error>) -> Value {
    match answer {
        Ok(answer) => serde_json::to_value(answer).unwrap(),
        Err(
            error @ (Error::UnknownDeployment { .. }
            | Error::FirstDeployment { .. }
            | Error::UnknownEndpoint { .. }),
        ) => json!({"error": error.to_string(), "rows": [], "excluded": {}}),
        Err(error) => panic!("{error}"),
    }
}

/// Every question about this, by name.
pub fn every_answer(history: &History, question: &Question) -> BTreeMap<String, Value> {
    let q = question;
    let moment = q.window.since.unwrap_or(minute(300));
    let known = moment.plus_millis(-45 * MINUTE_MS);
    let takeover = |from: Option<&str>, to: Option<&str>| Takeover {
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    };
    let by_app = Question {
        by: vec![Group::App, Group::Region],
        ..q.clone()
    };
    let mut of_places = q.clone();
    of_places
        .by
        .retain(|group| !matches!(group, Group::Day | Group::Hour));
    let (latest, named) = (takeover(None, None), takeover(Some("1"), Some("2")));
    let step = Some(20 * MINUTE_MS);
    let mut all: BTreeMap<String, Value> = [
        ("lifetimes", json(history.lifetimes(q))),
        ("longer than", json(history.longer_than(30 * MINUTE_MS, q))),
        ("zombies", json(history.zombies(q))),
        ("failures", json(history.failures(q))),
        ("compare", json(history.compare_failures("1", "2", q))),
        ("bursts", json(history.bursts(&of_places))),
        ("ports", json(history.ports(q, false))),
        ("ports by host", json(history.ports(q, true))),
        ("too soon", json(history.too_soon(60 * MINUTE_MS, q))),
        ("conflicts", json(history.conflicts(q))),
        ("concurrency", json(history.concurrency(q))),
        ("usage", json(history.usage(q))),
        ("rooms", json(history.rooms(q))),
        ("rollout", json(history.rollout(&latest, &by_app))),
        ("rollout 1..2", json(history.rollout(&named, &by_app))),
        (
            "shares",
            json(history.rollout_shares(&named, step, &by_app)),
        ),
        ("at", json(history.fleet_at(moment, None, q))),
        ("at, known", json(history.fleet_at(moment, Some(known), q))),
        ("at, counted", json(history.fleet_counts(moment, None, q))),
    ]
    .map(|(name, answer)| (name.to_owned(), answer))
    .into();
    for (host, port) in [("h0", 80), ("h1", 80), ("h0", 90)] {
        for at in [None, Some(moment)] {
            let name = format!("{host}:{port} at {at:?}");
            all.insert(name, json(history.holders(host, port, at, q)));
        }
    }
    all
}

/// The file at this path, asked everything.
pub fn everything(path: &Path, questions: &[Question]) -> Vec<BTreeMap<String, Value>> {
    let history = History::open(path).unwrap();
    questions
        .iter()
        .map(|question| {
            let mut all = every_answer(&history, question);
            for answer in all.values_mut().filter_map(Value::as_object_mut) {
                // How many runs there were is the one thing that may differ.
                if let Some(coverage) = answer.get_mut("coverage") {
                    coverage.as_object_mut().unwrap().remove("runs");
                }
            }
            all
        })
        .collect()
}
