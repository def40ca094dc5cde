//! The command line: arguments in, a library call, a table or JSON out. Answers no question itself.

/// Says a line on standard error. Unlike `eprintln!`, which panics there, it goes on where nobody
/// listens any more, as in `prochist … 2>&1 | head -1`.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

mod args;
mod at;
mod clock;
mod coverage;
mod demo;
mod failure;
mod failures;
mod history;
mod human;
mod import;
mod lifetimes;
mod output;
mod ports;
mod simulate;
mod sql;
mod status;
mod sync;
mod table;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;
use output::Output;

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// All of it.
    Whole,
    /// What was seen is stored, but not everything could be.
    Partial,
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(Done::Whole) => ExitCode::SUCCESS,
        Ok(Done::Partial) => ExitCode::from(3),
        // Whoever read the output has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            say!("{failure}");
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<Done, Failure> {
    let output = Output::new(cli.global.format);
    let database = cli.global.database()?;
    match cli.command {
        Command::Sync(args) => sync::run(&args, &database, &output),
        Command::Import(args) => import::run(&args, &database, &output),
        Command::History(args) => history::run(&args, &database, &output),
        Command::At(args) => at::run(&args, &database, &output),
        Command::Lifetimes(args) => lifetimes::run(&args, &database, &output),
        Command::Failures(args) => failures::run(&args, &database, &output),
        Command::Ports(args) => ports::run(&args, &database, &output),
        Command::Coverage(args) => coverage::run(&args, &database, &output),
        Command::Sql(args) => sql::run(&args, &database, &output),
        Command::Status(args) => status::run(&args, &database, &output),
        Command::Simulate(args) => simulate::run(&args, &output),
        Command::Demo(args) => demo::run(&args, cli.global.db.as_deref(), &output),
    }
}
