//! Whole archives: every format, plain and compressed.

use std::fs::{self, FileTimes};
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::*;

mod broken;
mod order;

const EXAMPLE: &str = include_str!("../../../../tests/fixtures/processv2-example.json");

/// The example as one line, under another id.
fn process(id: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(EXAMPLE).expect("JSON");
    value["processId"] = id.into();
    value.to_string()
}

/// The example over many lines.
fn pretty(id: &str) -> String {
    EXAMPLE.replace("cbfcddd2-0006-43ae-996c-995fff7bed2e", id)
}

fn snapshot(second: u32, ids: &[&str]) -> String {
    let processes: Vec<String> = ids.iter().map(|id| process(id)).collect();
    format!(
        r#"{{"observedAt":"{}","processes":[{}]}}"#,
        at(second),
        processes.join(",")
    )
}

fn at(second: u32) -> UtcMillis {
    UtcMillis::from_millis(1_714_521_600_000 + i64::from(second) * 1000).expect("in range")
}

/// One line a piece: seconds (`-` for none, `*` for those of the caller), ids, what was set aside.
fn told(pieces: impl IntoIterator<Item = Piece>) -> Vec<String> {
    pieces.into_iter().map(|piece| tell(&piece)).collect()
}

fn tell(piece: &Piece) -> String {
    let time = match piece.observed_at {
        None => "-".to_owned(),
        Some(o) if o.from == TimeFrom::Content => (o.time.millis_since(at(0)) / 1000).to_string(),
        Some(o) => format!("*{}", o.time.millis_since(at(0)) / 1000),
    };
    let ids: Vec<&str> = piece.processes.iter().map(|p| &*p.process_id).collect();
    let aside: Vec<String> = piece
        .set_aside
        .iter()
        .map(|s| {
            let line = s.line.map_or("?".to_owned(), |line| line.to_string());
            format!("{line}: {} <{}>", s.reason, s.raw.len())
        })
        .collect();
    let mut line = [vec![&*time], ids].concat().join(" ");
    if !aside.is_empty() {
        line = format!("{line} | {}", aside.join("; "));
    }
    line
}

/// Reads bytes as standard input, observed at second 9.
fn read(bytes: impl Into<Vec<u8>>) -> Vec<String> {
    let options = Options {
        observed_at: Some(at(9)),
    };
    let input = Input::Stdin(Box::new(Cursor::new(bytes.into())));
    told(Archive::open(vec![input], options).expect("a stream with a time"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("in memory")
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>, second: u64) -> Input {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, bytes).expect("written");
    let modified = UNIX_EPOCH + Duration::from_secs(1_714_521_600 + second);
    let file = File::options().write(true).open(&path).expect("there");
    let times = FileTimes::new().set_modified(modified);
    file.set_times(times).expect("a time");
    Input::Path(path)
}

fn open(inputs: Vec<Input>) -> Archive {
    Archive::open(inputs, Options::default()).expect("readable")
}

#[test]
fn every_format_plain_and_compressed_says_the_same() {
    let (a, b) = (process("a"), process("b"));
    let (s1, s2, s3) = (
        snapshot(1, &["a", "b"]),
        snapshot(2, &[]),
        snapshot(3, &["b"]),
    );
    let bare = vec!["*9 a b"];
    let snapshots = vec!["1 a b", "2", "3 b"];
    let cases: Vec<(String, Vec<&str>)> = vec![
        (format!("[{a},{b}]"), bare.clone()),
        (format!("[\n{a},\n{b}\n]\n"), bare.clone()),
        (format!("[\r\n  {a}\r\n  ,{b}]"), bare.clone()),
        (format!("[{},\n{}]", pretty("a"), pretty("b")), bare.clone()),
        (format!("{a}\n{b}\n"), bare.clone()),
        (format!("{a}\r\n\r\n{b}"), bare.clone()),
        (format!("{a} {b}"), bare.clone()),
        (format!("{}{}", pretty("a"), pretty("b")), bare.clone()),
        (format!("[{a}]\n[{b}]\n"), bare.clone()),
        (a.clone(), vec!["*9 a"]),
        (pretty("a"), vec!["*9 a"]),
        ("[]".to_owned(), vec!["*9"]),
        (format!("{s1}\n{s2}\n{s3}\n"), snapshots.clone()),
        (format!("{s1}\r\n{s2}\r\n\r\n{s3}"), snapshots.clone()),
        (format!("[{s1},{s2},{s3}]"), snapshots.clone()),
        (format!("[\n{s1},\n{s2},\n{s3}\n]"), snapshots.clone()),
        (
            format!("{s1}\n[\n{s2}\n]\n{}", s3.replace(",\"", ",\n  \"")),
            snapshots.clone(),
        ),
        (format!("{s2}\n{s1}\n"), vec!["2", "1 a b"]),
        (format!("{a}\n{s1}\n{b}"), vec!["*9 a", "1 a b", "*9 b"]),
    ];
    for (text, expected) in cases {
        let bytes = text.as_bytes();
        let half = text.len() / 2;
        let marked = [b"\xef\xbb\xbf", bytes].concat();
        let two_members = [gzip(&bytes[..half]), gzip(&bytes[half..])].concat();
        let two_frames = [zstd(&bytes[..half]), zstd(&bytes[half..])].concat();
        assert_eq!(read(bytes), expected, "plain: {text}");
        assert_eq!(read(gzip(&marked)), expected, "gzip: {text}");
        assert_eq!(read(zstd(bytes)), expected, "zstd: {text}");
        assert_eq!(read(marked), expected, "marked: {text}");
        assert_eq!(read(two_members), expected, "two members: {text}");
        assert_eq!(read(two_frames), expected, "two frames: {text}");
    }
}
