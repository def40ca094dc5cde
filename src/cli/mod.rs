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

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};

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
    let matches = Cli::command().get_matches();
    let named = matches.value_source("db") == Some(ValueSource::CommandLine);
    let done = Cli::from_arg_matches(&matches)
        .map_err(|e| Failure::usage(e.to_string()))
        .and_then(|cli| run(cli, named));
    match done {
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

/// `named` says whether the database was named on the command line rather than in the environment.
fn run(cli: Cli, named: bool) -> Result<Done, Failure> {
    let Cli { global, command } = cli;
    let output = Output::new(global.format);
    // Only of those that use it: not every machine has a home directory to keep it in.
    let database = || global.database();
    match command {
        Command::Sync(args) => sync::run(&args, &global.database_to_record()?, &output),
        Command::Import(args) => import::run(&args, &global.database_to_record()?, &output),
        Command::History(args) => history::run(&args, &database()?, &output),
        Command::At(args) => at::run(&args, &database()?, &output),
        Command::Lifetimes(args) => lifetimes::run(&args, &database()?, &output),
        Command::Failures(args) => failures::run(&args, &database()?, &output),
        Command::Ports(args) => ports::run(&args, &database()?, &output),
        Command::Coverage(args) => coverage::run(&args, &database()?, &output),
        Command::Sql(args) => sql::run(&args, &database()?, &output),
        Command::Status(args) => status::run(&args, &database()?, &output),
        Command::Simulate(args) => simulate::run(&args, &output),
        // What PROCHIST_DB names is a real history, and no place for a demo's.
        Command::Demo(args) => demo::run(&args, global.db.as_deref().filter(|_| named), &output),
    }
}
