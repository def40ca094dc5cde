//! The prochist command.
fn main() {}
