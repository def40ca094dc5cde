//! The prochist command. All it does is in the library; this is how people and scripts ask for it.

mod cli;

use std::process::ExitCode;

/// An import frees on one thread what another has read, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
