//! Threads that share a history, beside a recorder: each answer is of whole snapshots. Nobody waits
//! for a clock; the writer goes on until the readers have asked as often as they are to.

use std::sync::atomic::{AtomicUsize, Ordering};

use prochist::model::{Extent, Process, Snapshot};
use prochist::{Ending, Group, History, Question, RunKind, RunResult, Store};
use tempfile::TempDir;

use crate::common::{at, port, process};

const PROCESSES: usize = 9;
const READERS: usize = 3;
const READS: usize = 12;
const SECOND_MS: i64 = 1_000;

/// With the n-th snapshot, all processes of the one before have stopped at once, and as many new ones
/// of a deployment of their own run on the same ports; each with n rooms allocated.
fn snapshot(n: i64) -> Snapshot {
    let now = n * SECOND_MS;
    let fleet = |generation: i64| {
        (0..PROCESSES).map(move |i| {
            let mut p: Process = process(&format!("p{generation}-{i}"), generation * SECOND_MS);
            p.deployment_id = prochist::model::Deployment::Number(generation);
            p.status = "running".into();
            p.started_at = Some(p.created_at);
            p.rooms_per_process = 1_000_000;
            p.rooms_allocated = generation;
            p.exposed_port = Some(port("h", i as i64, "udp"));
            p
        })
    };
    let stopped = fleet(n - 1).filter(|_| n > 1).map(|mut p| {
        p.status = "stopped".into();
        p.rooms_allocated = 0;
        p.terminated_at = Some(at(now));
        p
    });
    Snapshot {
        extent: Extent::Complete,
        ..Snapshot::new(at(now), stopped.chain(fleet(n)).collect())
    }
}

/// Asks everything once, and says how many snapshots there were by each answer.
fn ask(history: &History) -> Vec<u64> {
    let all = Question::default();
    let of = PROCESSES as u64;
    let mut seen = Vec::new();

    // Whoever ended, did so together; the rest are of one deployment.
    let failures = history.failures(&all).unwrap();
    let row = &failures.rows[0];
    assert_eq!((row.open, row.ended % of, row.lost), (of, 0, 0), "{row:?}");
    seen.push(row.ended / of + 1);
    let until = failures.coverage.to.unwrap().millis() / SECOND_MS;
    assert_eq!(
        until.unsigned_abs(),
        row.ended / of + 1,
        "rows and coverage are of one moment"
    );

    let lifetimes = history
        .lifetimes(&all.clone().by([Group::Deployment]))
        .unwrap();
    let generations = lifetimes.rows.chunk_by(|a, b| a.key == b.key);
    for generation in generations.clone() {
        let lifetime = generation
            .iter()
            .find(|row| row.phase == prochist::model::Phase::Lifetime);
        let lifetime = lifetime.unwrap();
        assert!(
            [(of, 0), (0, of)].contains(&(lifetime.n, lifetime.censored)),
            "{lifetime:?}"
        );
    }
    seen.push(generations.count() as u64);

    let ports = history.ports(&all, false).unwrap().rows;
    assert_eq!(ports.len(), PROCESSES);
    assert!(
        ports
            .iter()
            .all(|row| row.holds == ports[0].holds && row.overlaps == 0),
        "{ports:?}"
    );
    seen.push(ports[0].holds);

    // Later than any snapshot: who is open now.
    let fleet = history
        .fleet_at(at(SECOND_MS * 1_000_000), None, &all)
        .unwrap()
        .rows;
    assert_eq!(fleet.len(), PROCESSES);
    let deployment = &fleet[0].deployment_id;
    assert!(
        fleet.iter().all(|row| row.deployment_id == *deployment),
        "{fleet:?}"
    );
    seen.push(deployment.to_string().parse().unwrap());

    let rooms = history.rooms(&all).unwrap().rows;
    let peak = rooms[0].peak_allocated;
    assert_eq!((rooms[0].processes % of, peak % of), (0, 0), "{rooms:?}");
    seen.push(peak / of);

    let peak = history.concurrency(&all).unwrap().rows;
    assert_eq!(
        (peak.len(), peak[0].running),
        (1, of),
        "as many end as begin"
    );
    let usage = history.usage(&all).unwrap().rows;
    // After the first snapshot none has served for any time yet.
    let served = usage.first().map_or(0, |row| row.process_ms / SECOND_MS);
    let served = u64::try_from(served).unwrap();
    assert_eq!(served % of, 0);
    seen.push(served / of + 1);
    seen
}

#[test]
fn threads_that_share_a_history_see_whole_snapshots_while_it_is_written() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    let mut store = Store::open(&path).unwrap();
    store.force_commits(false).unwrap();
    let mut run = store.begin(RunKind::Sync, "test", at(0)).unwrap();
    // When there is but one, nobody has served for any time yet, and usage has no row.
    run.record(&snapshot(1)).unwrap();
    run.record(&snapshot(2)).unwrap();
    let history = History::open(&path).unwrap();
    let asked = AtomicUsize::new(0);
    let mut written = 2;
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    // However it ends, the writer must not go on for ever.
                    struct Last<'a>(&'a AtomicUsize);
                    impl Drop for Last<'_> {
                        fn drop(&mut self) {
                            if std::thread::panicking() {
                                self.0.store(READERS * READS, Ordering::SeqCst);
                            }
                        }
                    }
                    let _last = Last(&asked);
                    let mut all = Vec::new();
                    for _ in 0..READS {
                        all.extend(ask(&history));
                        asked.fetch_add(1, Ordering::SeqCst);
                    }
                    all
                })
            })
            .collect();
        while asked.load(Ordering::SeqCst) < READERS * READS {
            written += 1;
            run.record(&snapshot(written)).unwrap();
        }
        for reader in readers {
            let seen = reader.join().unwrap();
            assert!(seen.is_sorted(), "history does not go back: {seen:?}");
            assert!(
                seen.first() < seen.last(),
                "nothing was written meanwhile: {seen:?}"
            );
        }
    });
    assert_eq!(
        ask(&history),
        vec![written.unsigned_abs(); 6],
        "and all of it at last"
    );
    run.finish(&Ending::new(at(SECOND_MS * written), RunResult::Complete))
        .unwrap();
}
