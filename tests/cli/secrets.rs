//! The token and the record are their owner's: files that nobody else may read, a token that is in no
//! list of processes, and a word where its file is open to others.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::place::{Place, Ran};
use crate::stub::stub;

fn nobody(path: &str) -> (u16, String) {
    match path.contains("/list/") {
        true => (200, "[]".to_owned()),
        false => (404, "{}".to_owned()),
    }
}

fn modes(place: &Place) -> BTreeMap<String, u32> {
    let entries = fs::read_dir(place.folder()).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let mode = entry.metadata().unwrap().permissions().mode();
            (entry.file_name().into_string().unwrap(), mode & 0o777)
        })
        .collect()
}

/// Whoever starts it may have said that new files are for everybody. The API holds its second run up, so
/// that all the files are there.
#[test]
fn every_file_of_a_running_recording_is_its_owner_s_alone() {
    let place = Place::new();
    let (asked, requests) = channel();
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let url = stub(move |path| {
        let _ = asked.send(());
        let _ = gate.lock().unwrap().recv();
        nobody(path)
    });
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]);
    shell.arg(assert_cmd::cargo::cargo_bin!("prochist"));
    let args = [
        "sync",
        "--every",
        "1ms",
        "--app-id",
        "a",
        "--base-url",
        &url,
    ];
    let mut command = place.started_by(shell, &args);
    let mut child = command.env("HATHORA_TOKEN", "t0ken").spawn().unwrap();
    requests.recv().unwrap();
    release.send(()).unwrap();
    requests.recv().unwrap();
    let modes = modes(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    let names: Vec<&str> = modes.keys().map(String::as_str).collect();
    let files = [
        "history.db",
        "history.db-shm",
        "history.db-wal",
        "history.db.lock",
    ];
    assert_eq!(names, files);
    assert!(modes.values().all(|mode| *mode == 0o600), "{modes:?}");
}

#[test]
fn a_token_file_that_others_may_read_is_warned_of() {
    let place = Place::new();
    let url = stub(nobody);
    let token = place.write("token", "t0ken\n");
    let args = [
        "sync",
        "--app-id",
        "a",
        "--base-url",
        &url,
        "--token-file",
        "token",
    ];
    for (mode, is_open) in [
        (0o600, false),
        (0o400, false),
        (0o700, false),
        (0o640, true),
        (0o644, true),
        (0o620, true),
        (0o604, true),
    ] {
        fs::set_permissions(&token, Permissions::from_mode(mode)).unwrap();
        let ran = place.run(&args).ok();
        let said = match is_open {
            true => format!(
                "warning: others may read the token file \"token\" (mode {mode:03o}): chmod 600 token\n"
            ),
            false => String::new(),
        };
        assert_eq!(ran.stderr, said, "{mode:o}");
    }
    // Another token is used, or the folder is the service manager's, which guards it.
    fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    let mut command = place.command(&args[..5]);
    let ran = Ran::from(command.env("HATHORA_TOKEN", "t0ken").output().unwrap());
    assert_eq!(ran.ok().stderr, "");
    let token = token.to_str().unwrap();
    let mut command = place.command(&[&args[..5], &["--token-file", token]].concat());
    let ran = command
        .env("CREDENTIALS_DIRECTORY", place.folder())
        .output();
    assert_eq!(Ran::from(ran.unwrap()).ok().stderr, "");
}

/// Arguments are in everybody's list of processes.
#[test]
fn no_argument_takes_a_token() {
    let place = Place::new();
    for args in [["--token", "t0ken-s3cret"], ["--bearer", "t0ken-s3cret"]] {
        let ran = place
            .run(&[&["sync", "--app-id", "a"], &args[..]].concat())
            .ended(2);
        assert!(ran.stderr.contains("unexpected argument"), "{ran:?}");
        assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
    }
}
