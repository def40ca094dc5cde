//! What is asked of the readers of foreign bytes, whatever the bytes are. Each panics where that does
//! not hold. The fuzzer calls these with what it makes up, `tests/seeds.rs` with the seeds.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use prochist::history::{SqlParam, parse_param, parse_when};
use prochist::model::UtcMillis;
use prochist::source::archive::{Archive, Input, MAX_KEPT_WHOLE_BYTES, Options, Piece};
use prochist::source::wire::{parse_process, write_process};

/// One process as JSON: what is read comes back as it was read, and its text does not change again.
pub fn wire(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match parse_process(text) {
        Ok(process) => {
            let written = write_process(&process);
            let again = parse_process(&written).expect("what is written can be read");
            assert_eq!(again, process, "{written}");
            assert_eq!(write_process(&again), written);
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

/// A file of an archive: reading it ends and is the same every time; compressed it says the same; and
/// each observation is one, or says why it is none.
pub fn archive(bytes: &[u8]) {
    let pieces = read(bytes);
    assert_eq!(read(bytes), pieces);
    for piece in &pieces {
        let is_empty = piece.processes.is_empty() && piece.set_aside.is_empty();
        assert!(piece.observed_at.is_some() || piece.processes.is_empty());
        assert!(piece.observed_at.is_some() || !is_empty);
        for process in &piece.processes {
            assert_eq!(
                parse_process(&write_process(process)).as_ref().ok(),
                Some(&**process)
            );
        }
        for aside in &piece.set_aside {
            assert!(
                !aside.reason.is_empty() && !aside.reason.contains('\n'),
                "{aside}"
            );
            assert!(aside.raw.len() <= MAX_KEPT_WHOLE_BYTES);
        }
    }
    // Bytes that are compressed themselves are unpacked once only.
    let is_packed = bytes.starts_with(&[0x1f, 0x8b])
        || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || bytes.get(1..4) == Some(&[0x2a, 0x4d, 0x18]);
    if !is_packed && !bytes.is_empty() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).expect("memory");
        assert_eq!(read(&gzip.finish().expect("memory")), pieces);
        assert_eq!(read(&zstd::encode_all(bytes, 1).expect("memory")), pieces);
    }
}

fn read(bytes: &[u8]) -> Vec<Piece> {
    let input = Input::Stdin(Box::new(Cursor::new(bytes.to_vec())));
    let options = Options {
        observed_at: UtcMillis::from_millis(1_714_521_600_000).ok(),
    };
    let archive = Archive::open(vec![input], options).expect("a stream with a time");
    archive.collect()
}

/// Moments as people write them, and values of parameters: what is understood is understood alike when
/// it is written down again.
pub fn time(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let now = UtcMillis::from_millis(1_714_521_600_000).expect("a moment of 2024");
    match parse_when(text, now) {
        Ok(time) => {
            assert_eq!(parse_when(&time.to_string(), now).ok(), Some(time));
            assert_eq!(time.to_string().parse().ok(), Some(time));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match parse_param(text) {
        SqlParam::Integer(n) => assert_eq!(parse_param(&n.to_string()), SqlParam::Integer(n)),
        SqlParam::Real(n) => assert!(n.is_finite(), "{text:?}"),
        SqlParam::Text(value) => {
            assert_eq!(
                parse_param(&format!("'{}'", value.replace('\'', "''"))),
                SqlParam::Text(value)
            );
        }
        SqlParam::Null => assert!(text.eq_ignore_ascii_case("null"), "{text:?}"),
        SqlParam::Blob(_) => panic!("a blob of {text:?}"),
    }
}
