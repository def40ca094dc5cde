//! The seeds of the fuzzer, and small changes to them, through what the fuzzer asks of them. Always the
//! same changes: this keeps what was found from coming back, and the fuzzer finds.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Changed seeds for each target.
const CHANGED: usize = 3000;

/// What readers of JSON, compressed or not, may stumble over.
const BITS: [&[u8]; 14] = [
    b"{", b"}", b"[", b"]", b"\"", b",", b":", b"\\", b"\n", b"\0", b"\xff", b"1e400", b"null",
    b"\\ud800",
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Cut, doubled, with something in it, or joined with another.
fn changed(seeds: &[Vec<u8>], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(1..4) {
        let from = random.random_range(0..=bytes.len());
        let to = random.random_range(from..=bytes.len().min(from + 40));
        match random.random_range(0..5) {
            0 => bytes.truncate(from),
            1 => drop(bytes.drain(from..to)),
            2 => {
                let bit = BITS[random.random_range(0..BITS.len())];
                bytes.splice(from..from, bit.iter().copied());
            }
            3 => {
                let part = bytes[from..to].to_vec();
                bytes.splice(from..from, part);
            }
            _ => {
                let other = &seeds[random.random_range(0..seeds.len())];
                bytes.splice(from..to, other.iter().copied());
            }
        }
    }
    bytes
}

fn check(target: &str, least: usize, body: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= least, "{target}: {}", seeds.len());
    for seed in &seeds {
        body(seed);
    }
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..CHANGED {
        body(&changed(&seeds, &mut random));
    }
}

#[test]
fn a_process_is_read_as_it_is_written() {
    check("wire", 18, bodies::wire);
}

#[test]
fn an_archive_of_any_bytes_is_read_to_its_end() {
    check("archive", 25, bodies::archive);
}

#[test]
fn times_and_values_are_read_as_they_are_written() {
    check("time", 14, bodies::time);
}
