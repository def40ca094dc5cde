//! The prochist command. All it does is in the library; this is how people and scripts ask for it.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
