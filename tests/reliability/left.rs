//! What others leave beside the file: a WAL, shared memory, a lock.

use std::fs;

use prochist::History;
use tempfile::TempDir;

use crate::check::{beside, shown, whole};
use crate::common::{answers, open};
use crate::disk::Archive;
use crate::scale::{row, times};
use crate::scene::{Scene, prochist};
use crate::shim::{ALL, Fault, Shim};

/// A file with a WAL that somebody killed has left, most of the record in it.
fn left(scene: &Scene<'_>, at: u64) -> crate::scene::Copy {
    let copy = scene.copy();
    assert!(scene.killed(&copy, ALL, Fault::KillBefore(at)));
    copy
}

#[test]
fn a_wal_that_was_left_is_read_and_gone_on_with() {
    let Some(shim) = Shim::make() else { return };
    let scene = Scene::import(&shim);
    let calls = scene.calls(ALL);
    let tries = times(3, 30) as u64;
    for n in 0..tries {
        // The last fifth of the calls is the WAL's way into the file.
        let copy = left(&scene, calls - 1 - n * calls / 5 / tries);
        let path = copy.path();
        assert!(fs::metadata(beside(&path, "-wal")).unwrap().len() > 0);
        let seen = shown(&open(&path));
        assert!(!seen.is_empty());
        let status = prochist(&path, &["status"]).output().unwrap();
        assert!(status.status.success(), "{status:?}");
        assert!(History::open(&path).unwrap().status().is_ok());
        assert_eq!(whole(&path, &scene.truth, "left"), seen);
        scene.goes_on(&path, "left");
    }
    row(
        "a WAL was left by a kill",
        "readers open the file first, then a writer",
        &tries.to_string(),
        "nothing",
        "a_wal_that_was_left_is_read_and_gone_on_with",
    );
}

#[test]
fn what_is_no_wal_of_the_file_is_not_taken_for_one() {
    let Some(shim) = Shim::make() else { return };
    let scene = Scene::import(&shim);
    let calls = scene.calls(ALL);
    let copy = left(&scene, calls - calls / 5);
    let path = copy.path();
    let wal = fs::read(beside(&path, "-wal")).unwrap();
    let file = fs::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(13);
    let mut noise = vec![0; 50_000];
    random.fill(&mut noise);
    let mut wals = vec![
        (noise.clone(), "noise"),
        (vec![0; 50_000], "zeros"),
        (wal[..32].to_vec(), "a head alone"),
        (wal[..17].to_vec(), "half a head"),
    ];
    for _ in 0..times(4, 200) {
        wals.push((wal[..random.usize(0..wal.len())].to_vec(), "cut off"));
        let mut flipped = wal.clone();
        flipped[random.usize(0..wal.len())] ^= 1 << random.u8(0..8);
        wals.push((flipped, "one bit is another"));
    }
    for (n, (wal, what)) in wals.iter().enumerate() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("history.db");
        fs::write(&path, &file).unwrap();
        fs::write(beside(&path, "-wal"), wal).unwrap();
        if n % 2 == 0 {
            fs::write(beside(&path, "-shm"), &noise[..32_768]).unwrap();
        }
        scene.goes_on(&path, what);
    }
    row(
        "a WAL is cut off, changed or no WAL, shared memory is noise",
        "such files are put beside the history",
        &wals.len().to_string(),
        "what was in the WAL from there on; no snapshot by half",
        "what_is_no_wal_of_the_file_is_not_taken_for_one",
    );
}

/// SQLite would take the WAL for the new file's, and mix both.
#[test]
fn nothing_is_made_beside_the_wal_of_a_file_that_is_gone() {
    let Some(shim) = Shim::make() else { return };
    let scene = Scene::import(&shim);
    let copy = left(&scene, scene.calls(ALL) - 10);
    let path = copy.path();
    let wal = fs::read(beside(&path, "-wal")).unwrap();
    let away = copy.folder().join("away.db");
    fs::rename(&path, &away).unwrap();
    let ran = scene.command(&path).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).unwrap();
    let expected =
        format!("error: history database {path:?} is gone, but its WAL was left there\nhint: ");
    assert!(
        said.starts_with(&expected) && said.lines().count() == 2,
        "{said}"
    );
    assert!(!path.exists());
    assert!(fs::read(beside(&path, "-wal")).unwrap() == wal);
    fs::rename(&away, &path).unwrap();
    scene.goes_on(&path, "put back");
    row(
        "the file is gone, its WAL is not",
        "it is moved away after a kill",
        "1",
        "nothing; exit code 1 and one clear line",
        "nothing_is_made_beside_the_wal_of_a_file_that_is_gone",
    );
}

#[test]
fn a_lock_that_was_left_keeps_nobody_out() {
    let Some(shim) = Shim::make() else { return };
    let scene = Scene::sync(&shim, 1);
    let living = format!("{}\n", std::process::id());
    let of_all: [&[u8]; 5] = [
        b"",
        b"4000000\n",
        living.as_bytes(),
        b"nonsense",
        &[255; 10_000],
    ];
    for left in of_all {
        let copy = scene.copy();
        fs::write(beside(&copy.path(), ".lock"), left).unwrap();
        scene.goes_on(&copy.path(), "a lock was left");
    }
    row(
        "a lock file was left",
        "empty, of a dead process, of a living one, nonsense",
        &of_all.len().to_string(),
        "nothing; it means nothing by itself",
        "a_lock_that_was_left_keeps_nobody_out",
    );
}

/// Found by [`a_wal_that_was_left_is_read_and_gone_on_with`]: the file is shorter than its first page says
/// while a checkpoint goes on.
#[test]
fn a_file_in_the_middle_of_a_checkpoint_is_known_as_ours() {
    let archive = Archive::new();
    let path = archive.folder.path().join("half.db");
    archive.import(&path);
    let before = answers(&path);
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA wal_autocheckpoint = 0; CREATE TABLE more (x);
         INSERT INTO more VALUES (zeroblob(500000)); DROP TABLE more",
    )
    .unwrap();
    let wal = fs::read(beside(&path, "-wal")).unwrap();
    // The first page of the last commit that tells a longer file than there is.
    let longer = first_pages(&wal)
        .into_iter()
        .max_by_key(|page| page[28..32].to_vec());
    let mut file = fs::read(&path).unwrap();
    let half = archive.folder.path().join("copy");
    fs::create_dir(&half).unwrap();
    let half = half.join("history.db");
    file[..4096].copy_from_slice(longer.unwrap());
    fs::write(&half, file).unwrap();
    fs::write(beside(&half, "-wal"), &wal).unwrap();
    drop(db);
    assert!(answers(&half) == before);
    assert!(History::open(&half).is_ok());
    archive.goes_on(&half, "in the middle of a checkpoint");
}

fn first_pages(wal: &[u8]) -> Vec<&[u8]> {
    let frames = wal[32..].chunks_exact(24 + 4096);
    let first = frames.filter(|frame| frame[..4] == [0, 0, 0, 1]);
    first.map(|frame| &frame[24..]).collect()
}
