//! What recording promises, against the definitions computed a second time from the observations
//! themselves: versions, outcomes and holds, whatever the order in which snapshots arrive.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use common::{answers, at, dump, one, open, port, process, tables};
use prochist::model::{Extent, Outcome, Process, Snapshot};
use prochist::{Ending, RunKind, RunResult, Store};
use proptest::prelude::*;
use tempfile::TempDir;

/// An empty history at this name; each of its own takes longer to make than what is recorded in it.
fn empty(folder: &TempDir, name: &str) -> std::path::PathBuf {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    let empty = EMPTY.get_or_init(|| {
        let path = folder.path().join("empty");
        drop(Store::open(&path).unwrap());
        std::fs::read(path).unwrap()
    });
    let path = folder.path().join(name);
    if !path.exists() {
        std::fs::write(&path, empty).unwrap();
    }
    path
}

/// Records snapshots in a run of this kind, committed once so many rows have gathered.
fn record(
    folder: &TempDir,
    name: &str,
    kind: RunKind,
    snapshots: &[Snapshot],
    gathers: usize,
) -> std::path::PathBuf {
    let path = empty(folder, name);
    let mut store = Store::open(&path).unwrap();
    store.force_commits(false).unwrap();
    let run = store.begin(kind, "test", at(0)).unwrap();
    let mut run = run.gather(gathers);
    for snapshot in snapshots {
        run.record(snapshot).unwrap();
    }
    run.finish(&Ending::new(at(1), RunResult::Complete))
        .unwrap();
    path
}

/// Records snapshots in two runs at once, each in the one or the other.
fn record_by_two(
    folder: &TempDir,
    name: &str,
    kinds: [RunKind; 2],
    snapshots: &[Snapshot],
    mut in_the_first: impl FnMut() -> bool,
) -> std::path::PathBuf {
    let path = empty(folder, name);
    let [mut one, mut other] = [(); 2].map(|()| Store::open(&path).unwrap());
    for store in [&mut one, &mut other] {
        store.force_commits(false).unwrap();
    }
    let mut first = one.begin(kinds[0], "one", at(0)).unwrap();
    let mut second = other.begin(kinds[1], "other", at(0)).unwrap();
    for snapshot in snapshots {
        let run = if in_the_first() {
            &mut first
        } else {
            &mut second
        };
        run.record(snapshot).unwrap();
    }
    for run in [first, second] {
        run.finish(&Ending::new(at(1), RunResult::Complete))
            .unwrap();
    }
    path
}

/// The life of a process in eight states, each a possible observation at any time.
fn state(id: u8, stage: u8) -> Process {
    let mut p = process(&format!("p{id}"), 10 * i64::from(id));
    let name = format!("h{}", id % 2);
    if stage >= 1 && stage != 7 {
        p.exposed_port = Some(port(&name, 80, "tls"));
        p.additional_exposed_ports = vec![port(&name, 81, "udp"), port(&name, 80, "tcp")];
        p.status = "running".into();
    }
    if stage >= 2 {
        p.started_at = Some(at(20 + i64::from(id)));
        p.rooms_allocated = i64::from(stage % 3);
    }
    match stage {
        5 => {
            p.status = "stopping".into();
            p.stopping_at = Some(at(60));
        }
        6 => {
            p.status = "stopped".into();
            p.stopping_at = Some(at(60));
            p.terminated_at = Some(at(70 + i64::from(id)));
            p.exposed_port = None;
        }
        7 => p.status = "failed".into(),
        _ => {}
    }
    p
}

fn kind() -> impl Strategy<Value = RunKind> {
    prop_oneof![Just(RunKind::Import), Just(RunKind::Library)]
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    (
        0..15_i64,
        prop::collection::vec((0..4_u8, 0..8_u8), 0..5),
        prop::collection::vec(0..5_u8, 0..2),
        0..6_u8,
    )
        .prop_map(|(time, states, unknown, extent)| Snapshot {
            observed_at: at(100 * time),
            processes: states
                .into_iter()
                .map(|(id, stage)| state(id, stage))
                .collect(),
            unknown: unknown.into_iter().map(|id| format!("p{id}")).collect(),
            extent: match extent {
                0 => Extent::Complete,
                1 => Extent::CompleteFor(vec!["app-1".into(), "app-2".into()]),
                _ => Extent::Partial,
            },
        })
}

/// The definitions, computed from the bag of snapshots alone.
#[derive(Default, PartialEq)]
struct Expected {
    versions: BTreeMap<String, Vec<(i64, i64, Process)>>,
    outcomes: BTreeMap<String, (Outcome, Option<i64>)>,
    holds: BTreeSet<(String, String, i64, String, i64, Option<i64>)>,
}

/// A line a fact, so that a failure can be read.
impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (id, versions) in &self.versions {
            for (first, last, p) in versions {
                let ports: Vec<_> = p.ports().map(|p| p.endpoint().to_string()).collect();
                write!(
                    f,
                    "\n{id} {first}..{last} {} rooms {} started {:?} terminated {:?} {ports:?}",
                    p.status, p.rooms_allocated, p.started_at, p.terminated_at
                )?;
            }
        }
        write!(f, "\n{:?}", self.outcomes)?;
        for hold in &self.holds {
            write!(f, "\n{hold:?}")?;
        }
        Ok(())
    }
}

fn by_definition(snapshots: &[Snapshot]) -> Expected {
    let mut observations: BTreeMap<String, BTreeSet<(i64, Process)>> = BTreeMap::new();
    for snapshot in snapshots {
        for process in &snapshot.processes {
            observations
                .entry(process.process_id.clone())
                .or_default()
                .insert((snapshot.observed_at.millis(), process.clone()));
        }
    }
    // All processes here are of one app, so an archive's own complete looks count for it as soon
    // as one of them has named it.
    let named = snapshots
        .iter()
        .any(|s| s.extent == Extent::Complete && !s.processes.is_empty());
    let mut expected = Expected::default();
    for (id, seen) in observations {
        let mut versions: Vec<(i64, i64, Process)> = Vec::new();
        for (time, state) in &seen {
            match versions.last_mut() {
                Some(last) if last.2 == *state => last.1 = *time,
                _ => versions.push((*time, *time, state.clone())),
            }
        }
        let (_, last_seen, latest) = versions.last().unwrap().clone();
        let shown = if latest.status == "failed" {
            Outcome::Failed
        } else if latest.status == "stopped" {
            Outcome::Stopped
        } else {
            Outcome::Open
        };
        let lost = snapshots
            .iter()
            .filter(|s| s.observed_at.millis() > last_seen && shown == Outcome::Open)
            .filter(|s| {
                s.unknown.contains(&id) && known_by(&observations_of(snapshots, &id), s)
                    || matches!(s.extent, Extent::CompleteFor(_))
                    || (s.extent == Extent::Complete && named)
            })
            .map(|s| s.observed_at.millis())
            .min();
        let outcome = if lost.is_some() { Outcome::Lost } else { shown };
        expected.outcomes.insert(id.clone(), (outcome, lost));
        let until = latest
            .terminated_at
            .or(latest.stopping_at.filter(|_| shown != Outcome::Open))
            .map(|t| t.millis());
        for (first_seen, _, state) in &versions {
            for port in state.ports() {
                let endpoint = port.endpoint();
                if expected.holds.iter().any(|h| {
                    h.0 == id
                        && h.1 == endpoint.host
                        && h.2 == port.port
                        && h.3 == endpoint.transport
                }) {
                    continue;
                }
                let from = latest.started_at.map_or(*first_seen, |t| t.millis());
                expected.holds.insert((
                    id.clone(),
                    endpoint.host,
                    endpoint.port,
                    endpoint.transport,
                    from,
                    until,
                ));
            }
        }
        expected.versions.insert(id, versions);
    }
    expected
}

fn observations_of<'a>(snapshots: &'a [Snapshot], id: &str) -> Vec<&'a Snapshot> {
    snapshots
        .iter()
        .filter(|s| s.processes.iter().any(|p| p.process_id == id))
        .collect()
}

/// An absence is evidence only of a process that was ever seen; here all of `seen` were.
fn known_by(seen: &[&Snapshot], _look: &Snapshot) -> bool {
    !seen.is_empty()
}

fn as_recorded(path: &std::path::Path) -> Expected {
    let db = open(path);
    let mut expected = Expected::default();
    let history = prochist::History::open(path).unwrap();
    let ids: Vec<String> = db
        .prepare("SELECT process_id FROM processes ORDER BY process_id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for id in ids {
        let versions = history.versions(&id).unwrap();
        expected.versions.insert(
            id.clone(),
            versions
                .into_iter()
                .map(|v| (v.first_seen_at.millis(), v.last_seen_at.millis(), v.state))
                .collect(),
        );
        let (outcome, lost) = db
            .query_row(
                "SELECT outcome, lost_at_ms FROM processes WHERE process_id = ?1",
                [&id],
                |row| Ok((row.get::<_, String>(0)?, row.get(1)?)),
            )
            .unwrap();
        expected
            .outcomes
            .insert(id.clone(), (Outcome::from_name(&outcome).unwrap(), lost));
    }
    let mut statement = db
        .prepare(
            "SELECT process_id, host, port, transport, held_from_ms, held_until_ms FROM port_holds",
        )
        .unwrap();
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })
        .unwrap();
    expected.holds = rows.map(Result::unwrap).collect();
    expected
}

/// What does not hold of a file.
fn broken(path: &std::path::Path) -> Vec<prochist::Check> {
    let mut checks = prochist::verify(path, |_| ()).unwrap();
    checks.retain(|check| check.broken > 0);
    checks
}

/// Merges one file into another, and says how many processes were new.
fn merge(into: &std::path::Path, other: &std::path::Path) -> u64 {
    let mut store = Store::open(into).unwrap();
    store.force_commits(false).unwrap();
    let merged = store.merge(other, "other", || at(2), |_| ()).unwrap();
    merged.processes_new
}

/// Everything but the ledger of merges, in the names of both.
fn known_of(path: &std::path::Path) -> String {
    let db = open(path);
    answers(path)
        + &dump(&db, "SELECT * FROM sync_runs WHERE source <> 'other'")
        + &dump(
            &db,
            "SELECT * FROM snapshots ORDER BY observed_at_ms, run_id, app_id",
        )
        + &dump(&db, "SELECT * FROM gaps")
        + &dump(&db, "SELECT * FROM complete_look")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Two collectors, one of which goes on after it was merged, against one file that was told all.
    #[test]
    fn histories_merged_in_any_order_give_the_answers_of_one_that_was_told_all(
        snapshots in prop::collection::vec(snapshot(), 2..14),
        kinds in [kind(), kind(), kind()],
        turns in any::<u64>(),
        gathers in prop_oneof![Just(0), Just(usize::MAX)],
    ) {
        let mut snapshots = snapshots;
        let known: BTreeSet<String> = snapshots[0].processes.iter().map(|p| p.process_id.clone()).collect();
        for snapshot in &mut snapshots {
            snapshot.unknown.retain(|id| known.contains(id));
        }
        // Both begin with the first, so that both know whom they ask for.
        let (mut ours, mut theirs) = (vec![snapshots[0].clone()], vec![snapshots[0].clone()]);
        for (turn, snapshot) in snapshots[1..].iter().enumerate() {
            let part = if turns >> turn & 1 == 0 { &mut ours } else { &mut theirs };
            part.push(snapshot.clone());
        }
        let folder = TempDir::new().unwrap();
        let straight = record(&folder, "straight.db", RunKind::Import, &snapshots, 0);
        let a = record(&folder, "a.db", kinds[0], &ours, gathers);
        let half = 1 + (turns >> 32) as usize % theirs.len();
        let b = record(&folder, "b.db", kinds[1], &theirs[..half], gathers);

        merge(&a, &b);
        prop_assert_eq!(broken(&a), Vec::new());
        let merged = known_of(&a);
        prop_assert_eq!(merge(&a, &b), 0);
        prop_assert_eq!(known_of(&a), merged);

        record(&folder, "b.db", kinds[2], &theirs[half..], gathers);
        merge(&a, &b);
        prop_assert_eq!(broken(&a), Vec::new());
        prop_assert_eq!(answers(&a), answers(&straight));
        merge(&b, &a);
        prop_assert_eq!(broken(&b), Vec::new());
        prop_assert_eq!(answers(&b), answers(&straight));

        // What was pruned comes back, though all the runs that saw it are known.
        let cut = at(100 * (turns % 15) as i64);
        Store::open(&b).unwrap().prune(cut, at(3), |_| ()).unwrap();
        prop_assert_eq!(broken(&b), Vec::new());
        merge(&b, &a);
        prop_assert_eq!(broken(&b), Vec::new());
        prop_assert_eq!(answers(&b), answers(&straight));
    }

    /// An unknown process that is seen only later, by arrival, is the one case in which a 404 is
    /// not kept: nobody asks for a process never seen. So 404s come after the first sighting here.
    #[test]
    fn any_order_and_any_split_gives_the_answers_of_the_definitions(
        snapshots in prop::collection::vec(snapshot(), 1..14),
        seed in any::<u64>(),
        cuts in [0..14_usize, 0..14_usize],
        kinds in [kind(), kind(), kind()],
        gathers in prop_oneof![Just(0), 1..8_usize, Just(usize::MAX)],
    ) {
        let mut snapshots = snapshots;
        let known: BTreeSet<String> = snapshots[0].processes.iter().map(|p| p.process_id.clone()).collect();
        for snapshot in &mut snapshots {
            snapshot.unknown.retain(|id| known.contains(id));
        }
        let mut shuffled = snapshots.clone();
        // Fisher and Yates with a small generator, from the second on: the first makes them known.
        let mut state = seed | 1;
        for i in (2..shuffled.len()).rev() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            shuffled.swap(i, 1 + (state >> 33) as usize % i);
        }
        let folder = TempDir::new().unwrap();
        let straight = record(&folder, "straight.db", RunKind::Import, &snapshots, 0);
        prop_assert_eq!(as_recorded(&straight), by_definition(&snapshots));

        let mut cuts = cuts.map(|cut| cut.min(shuffled.len()));
        cuts.sort_unstable();
        let parts = [&shuffled[..cuts[0]], &shuffled[cuts[0]..cuts[1]], &shuffled[cuts[1]..]];
        for (kind, part) in kinds.into_iter().zip(parts) {
            record(&folder, "shuffled.db", kind, part, gathers);
        }
        prop_assert_eq!(answers(&folder.path().join("shuffled.db")), answers(&straight));

        let mut turns = seed;
        let by_two = record_by_two(&folder, "two.db", [kinds[0], kinds[1]], &shuffled, || {
            turns = turns.rotate_left(1);
            turns & 1 == 0
        });
        prop_assert_eq!(answers(&by_two), answers(&straight));

        // By rules that were written a second time, in SQL.
        prop_assert_eq!(broken(&by_two), Vec::new());

        // Again: nothing changes but the ledger.
        let before = tables(&straight);
        record(&folder, "straight.db", RunKind::Import, &snapshots, 0);
        prop_assert_eq!(tables(&straight), before);
        let db = open(&straight);
        prop_assert_eq!(one::<String>(&db, "PRAGMA integrity_check"), "ok");
        prop_assert_eq!(dump(&db, "PRAGMA foreign_key_check"), "");
    }
}
