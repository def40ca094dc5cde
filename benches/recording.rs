//! How long the steps of recording take: reading a record or a line of an archive, and recording a
//! snapshot of 500 processes that is unchanged or of which 5% changed.
//!
//! `cargo bench --bench recording`. Small on purpose: it tells whether a step became slower, on one
//! machine, from one day to the next. Commits are not forced to the disk, so that it measures the
//! program and not the disk.

#![allow(missing_docs, clippy::unwrap_used)] // a bench fails by panicking

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use prochist::model::{Process, Snapshot, UtcMillis};
use prochist::simulator::{Fleet, FleetConfig};
use prochist::source::archive::{Archive, Input, Options};
use prochist::source::wire::{parse_process, write_process};
use prochist::{RunKind, Store};

/// Processes in a snapshot.
const PROCESSES: usize = 500;
/// Of these, how many change where some do: 5%.
const CHANGED: usize = PROCESSES / 20;
/// Time from one snapshot to the next.
const MINUTE_MS: i64 = 60_000;

fn start() -> UtcMillis {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

/// Exactly as many processes as a snapshot is to have, from a simulated fleet.
fn processes() -> Vec<Process> {
    let fleet = Fleet::new(FleetConfig::new(7, 2 * PROCESSES, start()));
    let mut processes = fleet.snapshot(MINUTE_MS).processes;
    assert!(processes.len() >= PROCESSES);
    processes.truncate(PROCESSES);
    processes
}

fn parse(criterion: &mut Criterion) {
    let json = processes()
        .iter()
        .map(write_process)
        .max_by_key(String::len)
        .unwrap();
    criterion.bench_function("parse one record", |bench| {
        bench.iter(|| parse_process(black_box(&json)).unwrap());
    });
}

fn read_line(criterion: &mut Criterion) {
    let records: Vec<String> = processes().iter().map(write_process).collect();
    let line = format!(
        r#"{{"observedAt":"{}","processes":[{}]}}"#,
        start(),
        records.join(",")
    );
    let line: &'static [u8] = line.leak().as_bytes(); // an archive may outlive who opened it
    criterion.bench_function("read an archive line of 500 processes", |bench| {
        bench.iter(|| {
            let input = Input::Stdin(Box::new(black_box(line)));
            let mut archive = Archive::open(vec![input], Options::default()).unwrap();
            let piece = archive.next().unwrap();
            assert_eq!(piece.processes.len(), PROCESSES);
            piece
        });
    });
}

/// Records one snapshot after another, a minute apart, as one run; before each, `change` is called
/// with the processes and the snapshot's number.
fn record(criterion: &mut Criterion, name: &str, mut change: impl FnMut(&mut [Process], i64)) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("history.db")).unwrap();
    store.force_commits(false).unwrap();
    let mut run = store.begin(RunKind::Library, "bench", start()).unwrap();
    let mut snapshot = Snapshot::new(start(), processes());
    run.record(&snapshot).unwrap();
    let mut number = 0;
    criterion.bench_function(name, |bench| {
        bench.iter(|| {
            number += 1;
            snapshot.observed_at = start().plus_millis(number * MINUTE_MS);
            change(&mut snapshot.processes, number);
            let recorded = run.record(&snapshot).unwrap();
            assert_eq!(recorded.processes_seen, PROCESSES as u64);
            recorded
        });
    });
}

fn record_unchanged(criterion: &mut Criterion) {
    record(criterion, "record 500 unchanged processes", |_, _| ());
}

fn record_changed(criterion: &mut Criterion) {
    let name = "record 500 processes, 5% changed";
    record(criterion, name, |processes, number| {
        // Others each time, so that no process collects all the versions.
        let first = number as usize * CHANGED % PROCESSES;
        for process in &mut processes[first..first + CHANGED] {
            process.rooms_allocated = number;
        }
    });
}

criterion_group!(benches, parse, read_line, record_unchanged, record_changed);
criterion_main!(benches);
