//! The order of what comes out, its times, and the files behind it.

use super::*;

#[test]
fn bare_processes_come_in_pieces_of_bounded_size() {
    let lines: String = (0..2500).map(|i| process(&i.to_string()) + "\n").collect();
    let array = format!("[{}]", lines.trim_end().replace('\n', ","));
    for text in [lines, array] {
        let options = Options {
            observed_at: Some(at(9)),
        };
        let input = Input::Stdin(Box::new(Cursor::new(text.into_bytes())));
        let pieces = Archive::open(vec![input], options).expect("readable");
        let lengths: Vec<usize> = pieces.map(|piece| piece.processes.len()).collect();
        assert_eq!(lengths, [1000, 1000, 500]);
    }
}

#[test]
fn files_are_merged_by_time_and_folders_walked() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path();
    let interleaved = |from: u32| {
        let lines: Vec<String> = (0..4).map(|i| snapshot(from + 2 * i, &["x"])).collect();
        lines.join("\n")
    };
    write(root, "b/odd.json", interleaved(1), 0);
    write(root, "a.gz", gzip(interleaved(0).as_bytes()), 0);
    write(root, "a.bare", format!("[{}]", process("m")), 3);
    write(
        root,
        "late.ndjson",
        format!("oops\n{}", snapshot(4, &["l"])),
        0,
    );
    write(root, "rubbish.json", "rubbish", 0);
    write(root, ".hidden", snapshot(5, &["hidden"]), 0);
    write(root, ".git/x", snapshot(5, &["hidden"]), 0);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root, root.join("b/loop")).expect("a link");
        std::os::unix::fs::symlink(root.join("nowhere"), root.join("dangling")).expect("a link");
    }
    let archive = open(vec![Input::Path(root.to_owned())]);
    let found = told(archive);
    let (aside, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|t| t.starts_with('-'));
    let expected = [
        "0 x", "1 x", "2 x", "*3 m", "3 x", "4 x", "4 l", "5 x", "6 x", "7 x",
    ];
    assert_eq!(rest, expected);
    assert_eq!(aside.len(), if cfg!(unix) { 3 } else { 2 }, "{aside:?}");
}

#[test]
fn a_time_is_the_content_s_own_else_the_given_else_the_file_s() {
    let folder = TempDir::new().expect("a folder");
    let text = format!("{}\n{}", process("a"), snapshot(1, &["b"]));
    let path = || write(folder.path(), "x", &text, 5);
    assert_eq!(told(open(vec![path()])), ["*5 a", "1 b"]);
    let options = Options {
        observed_at: Some(at(7)),
    };
    let given: Vec<Piece> = Archive::open(vec![path()], options).expect("ok").collect();
    let from: Vec<_> = given
        .iter()
        .map(|p| p.observed_at.map(|o| o.from))
        .collect();
    assert_eq!(from, [Some(TimeFrom::Given), Some(TimeFrom::Content)]);

    let stdin = |text: &str| {
        let input = Input::Stdin(Box::new(Cursor::new(text.to_owned().into_bytes())));
        Archive::open(vec![input], Options::default())
    };
    assert!(matches!(stdin(&text), Err(ArchiveError::NoTime { name }) if name == "-"));
    assert!(matches!(stdin("[]"), Err(ArchiveError::NoTime { .. })));
    assert_eq!(
        told(stdin(&snapshot(1, &["b"])).expect("has a time")),
        ["1 b"]
    );
    let late = format!("{}\n{}\n", snapshot(1, &["b"]), process("a"));
    let found: Vec<Piece> = stdin(&late).expect("begins with a time").collect();
    assert_eq!(
        found[1].set_aside[0].reason,
        "no observation time is known for it"
    );
    assert_eq!(found[1].set_aside[0].raw, process("a").into_bytes());
}

#[test]
fn what_is_missing_is_told_before_anything_is_read() {
    let folder = TempDir::new().expect("a folder");
    let good = write(folder.path(), "x", snapshot(1, &["b"]), 0);
    let missing = folder.path().join("missing");
    let error = Archive::open(vec![good, Input::Path(missing.clone())], Options::default());
    let error = error.err().expect("a missing file");
    assert_eq!(error.to_string(), format!("could not read {missing:?}"));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn thousands_of_files_are_read_without_as_many_handles() {
    let folder = TempDir::new().expect("a folder");
    let count = 3000;
    for i in 0..count {
        // Names in the opposite order of times.
        write(
            folder.path(),
            &format!("{:05}", count - i),
            snapshot(i, &["p"]),
            0,
        );
    }
    let mut archive = open(vec![Input::Path(folder.path().to_owned())]);
    let total = archive.total_bytes().expect("all files");
    for i in 0..count {
        let piece = archive.next().expect("a piece");
        assert_eq!(tell(&piece), format!("{i} p"));
        assert!(archive.open.len() <= 1, "{} open", archive.open.len());
        assert!(archive.bytes_read() <= total);
    }
    assert!(archive.next().is_none());
    assert_eq!(archive.bytes_read(), total);
    assert_eq!(archive.file_count(), 3000);
    assert!(archive.file_name(0).ends_with("00001"));
}

#[test]
fn a_file_that_vanishes_or_is_a_folder_by_now_is_set_aside() {
    let folder = TempDir::new().expect("a folder");
    let inputs = vec![
        write(folder.path(), "a", snapshot(1, &["a"]), 0),
        write(folder.path(), "b", snapshot(2, &["b"]), 0),
    ];
    let archive = open(inputs);
    fs::remove_file(folder.path().join("b")).expect("removed");
    let found = told(archive);
    assert_eq!(found[0], "1 a");
    assert!(
        found[1].starts_with("- | ?: could not be read: "),
        "{found:?}"
    );
}
