//! A few kilobytes that become gigabytes, and what they cost: the memory of the program is measured
//! from outside, and bounded. Alone in its program: a child's memory is counted from that of whoever
//! started it.

#![allow(missing_docs, clippy::unwrap_used)]
#![cfg(unix)]

#[path = "cli/place.rs"]
#[allow(dead_code)] // each test file uses some of it
mod place;

use std::io::Write;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use place::Place;
use wait4::Wait4;

const MIB: usize = 1024 * 1024;

/// What the program takes with nothing much to do, and SQLite's cache.
const BASE: u64 = 64 * MIB as u64;

/// What a value at the limit costs: it is held once (256 MiB), in room that grew by doubling.
const ONE_VALUE: u64 = 640 * MIB as u64;

/// Imports a file and gives the most memory that it took. Exit code 3: something was set aside.
fn import(place: &Place, file: &str) -> u64 {
    let args = ["import", file, "--observed-at", "2024-05-01T00:00:00Z"];
    let mut child = place
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = child.wait4().unwrap();
    assert_eq!(end.status.code(), Some(3), "{file}");
    end.rusage.maxrss
}

/// Writes the same bytes again and again.
fn repeat(out: &mut impl Write, chunk: &[u8], times: usize) {
    for _ in 0..times {
        out.write_all(chunk).unwrap();
    }
}

fn zstd(head: &str, byte: u8, mebibytes: usize, tail: &str) -> Vec<u8> {
    let mut out = zstd::Encoder::new(Vec::new(), 1).unwrap();
    out.write_all(head.as_bytes()).unwrap();
    repeat(&mut out, &vec![byte; MIB], mebibytes);
    out.write_all(tail.as_bytes()).unwrap();
    out.finish().unwrap()
}

fn gzip(head: &str, byte: u8, mebibytes: usize, tail: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(head.as_bytes()).unwrap();
    repeat(&mut out, &vec![byte; MIB], mebibytes);
    out.write_all(tail.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_bomb_costs_no_more_memory_than_a_value_and_spoils_none_of_its_neighbours() {
    let process = |id: &str| {
        format!(
            r#"{{"processId":"{id}","appId":"a","deploymentId":1,"region":"Tokyo","status":"running",
            "roomsAllocated":1,"roomsPerProcess":2,"createdAt":"2024-05-01T00:00:00Z"}}"#
        )
    };
    let before = process("before") + "\n";
    let after = format!("\n{}\n", process("after"));
    // Members follow each other as one stream: a bomb of many small ones.
    let mut members = gzip(&before, b'\0', 0, "");
    let member = gzip("", b'x', 1, "");
    repeat(&mut members, &member, 30);
    members.extend(gzip("", b'x', 0, &after));
    for (name, bytes, bound) in [
        ("zeros.zst", zstd(&before, b'\0', 400, &after), BASE),
        ("line.zst", zstd(&before, b'x', 200, &after), BASE),
        ("zeros.gz", gzip(&before, b'\0', 30, &after), BASE),
        ("members.gz", members, BASE),
        (
            // A text that does not end with its line shows that nothing will close these.
            "nested.zst",
            zstd(&before, b'[', 20, &format!("\"{after}")),
            4 * BASE,
        ),
        (
            "text.zst",
            zstd(&format!("{before}[\""), b'x', 260, &format!("\"]{after}")),
            ONE_VALUE,
        ),
    ] {
        assert!(bytes.len() < 2 * MIB, "{name}: {}", bytes.len());
        let place = Place::new();
        place.write(name, &bytes);
        let peak = import(&place, name);
        assert!(peak < bound, "{name}: {peak} bytes");
        let ids = place.rows(&["sql", "SELECT process_id FROM processes ORDER BY 1 DESC"]);
        assert_eq!(ids.len(), 2, "{name}: {ids:?}");
        let aside = place.rows(&["sql", "SELECT length(raw) AS n, reason FROM set_aside"]);
        assert_eq!(aside.len(), 1, "{name}: {aside:?}");
        assert!(aside[0]["n"].as_u64().unwrap() <= 64 * 1024, "{aside:?}");
        assert!(
            aside[0]["reason"]
                .as_str()
                .unwrap()
                .contains("only its beginning is kept"),
            "{aside:?}"
        );
    }
}

/// Its header asks for two gibibytes to look back into, before anything is read.
#[test]
fn a_frame_that_asks_for_a_huge_window_is_refused() {
    let place = Place::new();
    // Magic, no content size, window of 2^31 bytes, then a raw block with two bytes of text.
    let frame = [
        0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x11, 0x00, 0x00, b'[', b']',
    ];
    place.write("window.zst", frame);
    let peak = import(&place, "window.zst");
    assert!(peak < BASE, "{peak} bytes");
    let aside = place.rows(&["sql", "SELECT reason FROM set_aside"]);
    assert!(
        aside[0]["reason"].as_str().unwrap().contains("memory"),
        "{aside:?}"
    );
}
