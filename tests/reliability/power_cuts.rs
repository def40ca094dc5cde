//! Power that fails at any instant of a run: the disks that it may leave, by the model in trace.rs.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::check::whole;
use crate::common::{one, open};
use crate::scale::{each, row, times};
use crate::scene::Scene;
use crate::shim::Shim;
use crate::trace::{Call, Disk, Traced};

/// A disk's files by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// How many snapshots, runs and finished runs are on record.
type Ledger = (i64, i64, i64);

/// A frame of the WAL: its head and a page.
const WAL_HEAD: u64 = 32;
const FRAME_HEAD: usize = 24;
const FRAME: u64 = 24 + 4096;

fn laid_out(files: &Files) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn ledger(files: &Files) -> Ledger {
    let folder = laid_out(files);
    let path = folder.path().join("history.db");
    if !path.exists() {
        return (0, 0, 0);
    }
    let db = open(&path);
    let is_ours = "SELECT count(*) FROM sqlite_schema WHERE name = 'run'";
    if one::<i64>(&db, is_ours) == 0 {
        return (0, 0, 0);
    }
    let count = |of: &str| one(&db, &format!("SELECT count(*) FROM {of}"));
    (
        count("snapshot"),
        count("run"),
        count("run WHERE result <> 'unfinished'"),
    )
}

/// For each call of a trace, what was promised to be on record before it began: what was committed, as soon
/// as the program went on to write anything else, or ended.
fn promised(before: &Disk, trace: &[Traced]) -> Vec<Ledger> {
    let mut disk = before.clone();
    let mut promised = vec![ledger(&disk.all())];
    // The end of a commit's last frame, and then what it had on record.
    let (mut commit_ends, mut committed) = (None, None);
    for traced in trace {
        let mut now = *promised.last().unwrap();
        if matches!(traced.call, Call::Wrote(..))
            && let Some(committed) = committed.take()
        {
            now = committed;
        }
        disk.after(traced);
        if let Call::Wrote(offset, bytes) = &traced.call
            && traced.path.ends_with("history.db-wal")
            && *offset >= WAL_HEAD
        {
            let end = offset + bytes.len() as u64;
            let is_head = bytes.len() == FRAME_HEAD && (offset - WAL_HEAD).is_multiple_of(FRAME);
            if is_head && bytes[4..8] != [0; 4] {
                commit_ends = Some(offset + FRAME);
            }
            if commit_ends == Some(end) {
                commit_ends = None;
                committed = Some(ledger(&disk.all()));
            }
        }
        promised.push(now);
    }
    // The program ended well: whatever it committed is promised.
    promised.push(committed.unwrap_or(*promised.last().unwrap()));
    promised
}

/// So many cuts of a run, after calls drawn by a seed.
fn cut(scene: &Scene<'_>, tries: usize, forces_commits: bool) -> usize {
    let (before, trace) = scene.traced();
    let promised = promised(&before, &trace);
    let most = promised[promised.len() - 1];
    assert_eq!(
        most.0,
        scene.truth.len() as i64,
        "{most:?} is promised at the end"
    );
    let mut random = fastrand::Rng::with_seed(11);
    let mut instants: Vec<usize> = (0..tries).map(|_| random.usize(0..=trace.len())).collect();
    instants.sort_unstable();
    let mut disk = before;
    let mut cuts = Vec::new();
    let mut instants = instants.into_iter().peekable();
    for done in 0..=trace.len() {
        while instants.next_if_eq(&done).is_some() {
            let share = random.u8(..);
            let promised = if done == trace.len() {
                most
            } else {
                promised[done]
            };
            cuts.push((cuts.len(), done, promised, disk.cut(&mut random, share)));
        }
        if let Some(traced) = trace.get(done) {
            disk.after(traced);
        }
    }
    let tried = AtomicUsize::new(0);
    each(cuts, |(n, done, promised, files)| {
        let of = format!("cut {n} of {} after {done} calls", scene.name);
        let folder = laid_out(&files);
        let path = folder.path().join("history.db");
        whole(&path, &scene.truth, &of);
        if forces_commits {
            let kept = ledger(&files);
            let (snapshots, runs, finished) = promised;
            assert!(
                kept.0 >= snapshots && kept.1 >= runs && kept.2 >= finished,
                "{of}: {kept:?} are left, {promised:?} were promised"
            );
        }
        if n % 3 == 0 {
            scene.goes_on(&path, &of);
        }
        tried.fetch_add(1, Ordering::Relaxed);
    });
    tried.into_inner()
}

/// Else a power cut may leave the WAL alone, and what is in it would be of no use.
#[test]
fn the_name_of_a_new_file_is_sure_before_it_has_a_wal() {
    let Some(shim) = Shim::make() else { return };
    let mut instants = 0;
    for scene in [Scene::sync(&shim, 0), Scene::import(&shim)] {
        let (mut disk, trace) = scene.traced();
        for traced in &trace {
            disk.after(traced);
            let ((has_wal, _), (_, is_sure)) = (disk.has("history.db-wal"), disk.has("history.db"));
            assert!(is_sure || !has_wal, "{}: after {traced:?}", scene.name);
            instants += 1;
        }
        assert_eq!(disk.has("history.db"), (true, true));
    }
    row(
        "the power fails before a new file's name is on the disk",
        "after each call of an `import` and a `sync` that make one",
        &instants.to_string(),
        "nothing; no WAL is ever there without its file",
        "the_name_of_a_new_file_is_sure_before_it_has_a_wal",
    );
}

/// Each commit is forced to the disk: what was committed is there.
#[test]
fn a_power_cut_takes_nothing_that_a_sync_has_committed() {
    let Some(shim) = Shim::make() else { return };
    let tries = times(20, 1000);
    let tried: usize = [Scene::sync(&shim, 0), Scene::sync(&shim, 4)]
        .iter()
        .map(|scene| cut(scene, tries, true))
        .sum();
    row(
        "the power fails in `sync`",
        "the disk after each call, with any part of what was not yet synced, torn at 512 bytes",
        &tried.to_string(),
        "nothing that was committed",
        "a_power_cut_takes_nothing_that_a_sync_has_committed",
    );
}

/// Only checkpoints are forced: the latest snapshots may be missing, and are in the archive.
#[test]
fn a_power_cut_leaves_whole_snapshots_of_an_import() {
    let Some(shim) = Shim::make() else { return };
    let tried = cut(&Scene::import(&shim), times(20, 1500), false);
    row(
        "the power fails in `import`",
        "the same",
        &tried.to_string(),
        "the latest snapshots, which the archive still has; none by half",
        "a_power_cut_leaves_whole_snapshots_of_an_import",
    );
}

#[test]
fn a_power_cut_within_an_upgrade_leaves_the_old_file_or_the_new_one() {
    let Some(shim) = Shim::make() else { return };
    let tries = times(6, 300);
    let tried: usize = [1, 5]
        .iter()
        .map(|&version| cut(&Scene::upgrade(&shim, version, 40), tries, false))
        .sum();
    row(
        "the power fails in an upgrade",
        "the same",
        &tried.to_string(),
        "nothing",
        "a_power_cut_within_an_upgrade_leaves_the_old_file_or_the_new_one",
    );
}
