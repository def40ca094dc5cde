//! Recorders that are killed, at any call by which they change the file.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use prochist::simulator::FleetConfig;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::check::whole;
use crate::common::{answers, one, open};
use crate::scale::{each, row, times};
use crate::scene::{Scene, archive, prochist, start};
use crate::shim::{ALL, Fault, SYNCS, Shim};

/// So many different kills of a scene, drawn by a seed from all of its calls, and every third from its syncs
/// alone, between what is committed and what comes next. How many came in time.
fn kill(scene: &Scene<'_>, seed: u64, tries: usize) -> usize {
    let (calls, syncs) = (scene.calls(ALL), scene.calls(SYNCS));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut of_all: Vec<u64> = (1..=calls).collect();
    let mut of_syncs: Vec<u64> = (1..=syncs).collect();
    random.shuffle(&mut of_all);
    random.shuffle(&mut of_syncs);
    of_syncs.truncate(tries.div_ceil(3));
    of_all.truncate(tries - of_syncs.len());
    let of_syncs = of_syncs.into_iter().map(|at| (SYNCS, Fault::KillAfter(at)));
    let of_all = of_all.into_iter().map(|at| {
        let fault = match random.u8(0..4) {
            0 => Fault::KillAfter(at),
            1 => Fault::Tear(at, 512 * random.u64(0..8)),
            2 => Fault::Tear(at, random.u64(1..4096)),
            _ => Fault::KillBefore(at),
        };
        (ALL, fault)
    });
    let drawn: Vec<_> = of_syncs.chain(of_all).collect();
    let tried = drawn.len();
    let killed = AtomicUsize::new(0);
    each(drawn, |(kinds, fault)| {
        let copy = scene.copy();
        let in_time = scene.killed(&copy, kinds, fault);
        killed.fetch_add(in_time.into(), Ordering::Relaxed);
        scene.goes_on(&copy.path(), &format!("{} {kinds} {fault:?}", scene.name));
    });
    let killed = killed.into_inner();
    assert!(killed * 10 >= tried * 9, "{killed} of {tried} in time");
    killed
}

/// All of it for some scenes of one command.
fn killed(fault: &str, scenes: &[Scene<'_>], tries: usize, test: &str) {
    let killed: usize = scenes
        .iter()
        .enumerate()
        .map(|(n, scene)| kill(scene, n as u64, tries))
        .sum();
    row(
        fault,
        "SIGKILL before, after or within a call that changes a file, drawn by a seed",
        &killed.to_string(),
        "nothing that was committed; the next run ends as if there had been none",
        test,
    );
}

#[test]
fn a_killed_import_leaves_whole_snapshots_and_the_next_one_completes_it() {
    let Some(shim) = Shim::make() else { return };
    killed(
        "`import` is killed",
        &[Scene::import(&shim)],
        times(12, 320),
        "a_killed_import_leaves_whole_snapshots_and_the_next_one_completes_it",
    );
}

#[test]
fn a_killed_sync_leaves_its_snapshot_or_none_and_the_next_one_makes_it() {
    let Some(shim) = Shim::make() else { return };
    killed(
        "`sync` is killed",
        &[Scene::sync(&shim, 0), Scene::sync(&shim, 4)],
        times(5, 160),
        "a_killed_sync_leaves_its_snapshot_or_none_and_the_next_one_makes_it",
    );
}

#[test]
fn a_killed_upgrade_is_gone_on_with() {
    let Some(shim) = Shim::make() else { return };
    let scenes: Vec<_> = (1..=5)
        .map(|version| Scene::upgrade(&shim, version, 40))
        .collect();
    killed(
        "the upgrade of an old file is killed",
        &scenes,
        times(2, 65),
        "a_killed_upgrade_is_gone_on_with",
    );
}

#[test]
fn a_killed_rebuild_leaves_the_rows_and_can_be_made_again() {
    let Some(shim) = Shim::make() else { return };
    killed(
        "`rebuild` is killed",
        &[Scene::rebuild(&shim)],
        times(4, 320),
        "a_killed_rebuild_leaves_the_rows_and_can_be_made_again",
    );
}

#[test]
fn a_killed_merge_leaves_the_file_as_it_was_or_merged() {
    let Some(shim) = Shim::make() else { return };
    killed(
        "`merge` is killed",
        &[Scene::merge(&shim)],
        times(4, 320),
        "a_killed_merge_leaves_the_file_as_it_was_or_merged",
    );
}

#[test]
fn a_killed_pruning_leaves_whole_processes_and_counts_those_that_went() {
    let Some(shim) = Shim::make() else { return };
    killed(
        "`prune` is killed",
        &[Scene::prune(&shim)],
        times(4, 320),
        "a_killed_pruning_leaves_whole_processes_and_counts_those_that_went",
    );
}

#[test]
fn a_killed_backup_leaves_the_file_and_the_earlier_backup() {
    let Some(shim) = Shim::make() else { return };
    killed(
        "`backup` is killed",
        &[Scene::backup(&shim)],
        times(4, 320),
        "a_killed_backup_leaves_the_file_and_the_earlier_backup",
    );
}

/// By a signal from outside, at whatever it is doing when so much is recorded.
#[test]
fn an_import_that_somebody_kills_leaves_whole_snapshots() {
    let folder = TempDir::new().unwrap();
    let (archive, truth) = archive(FleetConfig::new(3, 20, start()), 50, 1);
    let import = |path: &std::path::Path| {
        let mut command = prochist(path, &["import", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(Stdio::null()).spawn().unwrap()
    };
    let all = |path: &std::path::Path| {
        let mut child = import(path);
        child.stdin.take().unwrap().write_all(&archive).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
    };
    let undisturbed = folder.path().join("whole.db");
    all(&undisturbed);
    assert_eq!(whole(&undisturbed, &truth, "undisturbed"), truth);

    let mut random = fastrand::Rng::with_seed(1);
    let mut reached = BTreeSet::from([1, 7, 20, 33, 45]);
    while reached.len() < times(5, 45) {
        reached.insert(random.i64(1..48));
    }
    for &reached in &reached {
        let path = folder.path().join(format!("killed-at-{reached}.db"));
        let mut child = import(&path);
        let mut stdin = child.stdin.take().unwrap();
        // Everything is fed but the end of the input, so that it is killed at work, or at the latest
        // while it waits for more; the other end may be gone before the last of it is written.
        let feed = archive.clone();
        let feeder = std::thread::spawn(move || {
            let _ = stdin.write_all(&feed);
            stdin
        });
        let snapshots = || {
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let db = Connection::open_with_flags(&path, flags).ok()?;
            db.query_row("SELECT count(*) FROM snapshot", [], |row| {
                row.get::<_, i64>(0)
            })
            .ok()
        };
        while snapshots().unwrap_or(0) < reached && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        drop(feeder.join().unwrap());
        let of = format!("killed at {reached}");
        assert!(whole(&path, &truth, &of).len() as i64 >= reached, "{of}");
        let result = one::<String>(&open(&path), "SELECT result FROM sync_runs");
        assert_eq!(result, "unfinished");
        all(&path);
        assert_eq!(whole(&path, &truth, &of), truth);
        assert!(answers(&path) == answers(&undisturbed), "{of}");
    }
    row(
        "`import` is killed from outside",
        "SIGKILL once so many snapshots are in the file, while it reads a stream",
        &reached.len().to_string(),
        "nothing that was committed",
        "an_import_that_somebody_kills_leaves_whole_snapshots",
    );
}
