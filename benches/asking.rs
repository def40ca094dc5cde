//! How long answers take in a history of about 10,000 processes: looking up one process, looking up who
//! held an endpoint at a moment, and one of the standing questions over all of them.
//!
//! `cargo bench --bench asking`. Small on purpose, as `recording` is. How it goes on millions of them:
//! `cargo run --release --example compare`.

#![allow(missing_docs, clippy::unwrap_used)] // a bench fails by panicking

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use prochist::model::UtcMillis;
use prochist::simulator::{Fleet, FleetConfig};
use prochist::{Group, History, Question, RunKind, Store};
use tempfile::TempDir;

/// Processes that are open at a time; in each hour nearly twice as many end.
const CONCURRENT: usize = 500;
const HOURS: i64 = 11;
const HOUR_MS: i64 = 3_600_000;

/// A history that has seen each process about once.
fn history() -> (TempDir, History) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let start: UtcMillis = "2026-01-05T00:00:00Z".parse().unwrap();
    let mut fleet = Fleet::new(FleetConfig::new(7, CONCURRENT, start));
    let mut store = Store::open(&path).unwrap();
    store.force_commits(false).unwrap();
    let mut run = store.begin(RunKind::Library, "bench", start).unwrap();
    for hour in 1..=HOURS {
        fleet.advance(start.plus_millis(hour * HOUR_MS));
        run.record(&fleet.snapshot(HOUR_MS)).unwrap();
    }
    drop(run);
    (folder, History::open(&path).unwrap())
}

fn ask(criterion: &mut Criterion) {
    let (_folder, history) = history();
    let everything = Question::default();
    let moment = "2026-01-05T06:00:00Z".parse().unwrap();
    let fleet = history.fleet_at(moment, None, &everything).unwrap().rows;
    assert!(fleet.len() > CONCURRENT / 2);

    let mut ids = fleet.iter().map(|row| row.process_id.as_str()).cycle();
    criterion.bench_function("look one process up", |bench| {
        bench.iter(|| history.process(ids.next().unwrap()).unwrap().unwrap());
    });

    let endpoint = |id: &str| {
        let known = history.process_history(id).unwrap();
        let held = known.endpoints.into_iter().next()?;
        (held.held_from <= moment).then_some((held.host, held.port))
    };
    let endpoints: Vec<(String, i64)> = fleet
        .iter()
        .filter_map(|row| endpoint(&row.process_id))
        .collect();
    let mut endpoints = endpoints.iter().cycle();
    criterion.bench_function("look up who held an endpoint", |bench| {
        bench.iter(|| {
            let (host, port) = endpoints.next().unwrap();
            let holders = history.holders(host, *port, Some(moment), &everything);
            let holders = holders.unwrap().rows;
            assert_eq!(holders.len(), 1);
            holders
        });
    });

    let by = [Group::Region, Group::Deployment];
    let question = everything.by(by);
    criterion.bench_function("how long did 10,000 processes live", |bench| {
        bench.iter(|| {
            let rows = history.lifetimes(black_box(&question)).unwrap().rows;
            let lived: u64 = rows.iter().map(|row| row.n).sum();
            assert!(lived > 20_000, "{lived} phases ended");
            rows
        });
    });
}

criterion_group!(benches, ask);
criterion_main!(benches);
