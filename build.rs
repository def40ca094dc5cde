//! Rebuilds when a migration is added; without this a new one would silently miss the binary.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
