//! Disks that refuse: a write or a sync fails, once or from then on. What is said, and what is left.

use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::check::whole;
use crate::common::answers;
use crate::scale::{each, row, times};
use crate::scene::Scene;
use crate::shim::{EIO, ENOSPC, Fault, OF_DISK, Shim};

pub const REFUSED: &str = "disk I/O error";
pub const FULL: &str = "database or disk is full";

/// One line says what could not be done and why, and one more at the most what to do; beside them only
/// what a run that goes well may say.
#[track_caller]
pub fn is_clear(output: &Output, why: &str, of: &str) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{of}: {said}");
    let lines = |begin: &str| said.lines().filter(|line| line.starts_with(begin)).count();
    assert_eq!(lines("error: "), 1, "{of}: {said}");
    // A full disk and a broken one are for somebody to mend: they are told how.
    let is_of_disk = why == FULL || why == REFUSED;
    assert!(
        lines("hint: ") == 1 || !is_of_disk && lines("hint: ") == 0,
        "{of}: {said}"
    );
    let others = lines("note: ") + lines("warning: ");
    assert_eq!(
        said.lines().count(),
        lines("error: ") + lines("hint: ") + others,
        "{of}: {said}"
    );
    let error = said.lines().find(|line| line.starts_with("error: "));
    let error = error.unwrap();
    assert!(error.contains("could not "), "{of}: {said}");
    // Where it is not a write that fails for want of room, SQLite does not say so.
    let is_hinted = error.contains(REFUSED) && why == FULL && said.contains("full disk");
    // What the system says where it is not SQLite that writes or syncs.
    let by_system = match why {
        FULL => "No space left on device",
        REFUSED => "Input/output error",
        _ => why,
    };
    let is_told = error.contains(why) || error.contains(by_system);
    assert!(is_told || is_hinted, "{of}: {said}");
}

/// So many failures of each sort in a scene. How many there were, and how many the run ended by.
fn refuse(scene: &Scene<'_>, tries: usize) -> (usize, usize) {
    let calls = scene.calls(OF_DISK);
    let mut random = fastrand::Rng::with_seed(7);
    let mut faults = Vec::new();
    for (error, why) in [(EIO, REFUSED), (ENOSPC, FULL)] {
        for _ in 0..tries {
            faults.push((Fault::Fail(random.u64(1..=calls), error), why));
            faults.push((Fault::FailFrom(random.u64(1..=calls), error), why));
        }
    }
    let (tried, ended) = (faults.len(), AtomicUsize::new(0));
    each(faults, |(fault, why)| {
        let of = format!("{} {fault:?}", scene.name);
        let copy = scene.copy();
        let output = scene.harmed(&copy, OF_DISK, fault);
        if scene.is_done(output.status) {
            // Nothing came of it, as where the WAL could not be emptied at the end.
            whole(&copy.path(), &scene.truth, &of);
            assert!(answers(&copy.path()) == scene.answers, "{of}");
        } else {
            ended.fetch_add(1, Ordering::Relaxed);
            is_clear(&output, why, &of);
        }
        scene.goes_on(&copy.path(), &of);
    });
    (tried, ended.into_inner())
}

fn refused(fault: &str, scenes: &[Scene<'_>], tries: usize, test: &str) {
    let (mut tried, mut ended) = (0, 0);
    for scene in scenes {
        let (of_scene, by_it) = refuse(scene, tries);
        tried += of_scene;
        ended += by_it;
    }
    // An upgrade is tried again, so that it outlives most failures that pass.
    assert!(ended * 3 > tried, "{ended} of {tried} were ended by it");
    row(
        fault,
        "EIO or ENOSPC, at one call or from then on, drawn by a seed",
        &tried.to_string(),
        "nothing that was committed; exit code 1 and one clear line",
        test,
    );
}

#[test]
fn an_import_that_cannot_write_says_so_and_leaves_the_file_whole() {
    let Some(shim) = Shim::make() else { return };
    refused(
        "a write or sync fails in `import`",
        &[Scene::import(&shim)],
        times(2, 50),
        "an_import_that_cannot_write_says_so_and_leaves_the_file_whole",
    );
}

#[test]
fn a_sync_that_cannot_write_says_so_and_leaves_the_file_whole() {
    let Some(shim) = Shim::make() else { return };
    refused(
        "a write or sync fails in `sync`",
        &[Scene::sync(&shim, 0), Scene::sync(&shim, 3)],
        times(1, 25),
        "a_sync_that_cannot_write_says_so_and_leaves_the_file_whole",
    );
}

#[test]
fn an_upgrade_that_cannot_write_says_so_and_leaves_the_file_whole() {
    let Some(shim) = Shim::make() else { return };
    refused(
        "a write or sync fails in the upgrade of an old file",
        &[
            Scene::upgrade(&shim, 1, 40),
            Scene::upgrade(&shim, 4, 40),
            Scene::upgrade(&shim, 5, 40),
        ],
        times(1, 15),
        "an_upgrade_that_cannot_write_says_so_and_leaves_the_file_whole",
    );
}

#[test]
fn a_rebuild_that_cannot_write_says_so_and_leaves_the_file_whole() {
    let Some(shim) = Shim::make() else { return };
    refused(
        "a write or sync fails in `rebuild`",
        &[Scene::rebuild(&shim)],
        times(1, 50),
        "a_rebuild_that_cannot_write_says_so_and_leaves_the_file_whole",
    );
}

#[test]
fn taking_care_of_a_file_that_cannot_be_written_says_so_and_leaves_it_whole() {
    let Some(shim) = Shim::make() else { return };
    refused(
        "a write or sync fails in `merge`, `prune` or `backup`",
        &[
            Scene::merge(&shim),
            Scene::prune(&shim),
            Scene::backup(&shim),
        ],
        times(1, 25),
        "taking_care_of_a_file_that_cannot_be_written_says_so_and_leaves_it_whole",
    );
}
