//! The command line: arguments in, a library call, a table or JSON out. Answers no question itself.

/// Says a line on standard error, in colour where that is a terminal that shows any. Unlike
/// `eprintln!`, which panics there, it goes on where nobody listens any more, as in
/// `prochist … 2>&1 | head -1`.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(anstream::stderr(), $($line)*);
    }};
}

/// How a warning begins.
const WARNING: &str = "\u{1b}[33mwarning:\u{1b}[0m";

mod args;
mod at;
mod backup;
mod beat;
mod clock;
mod concurrency;
mod config;
mod config_file;
mod coverage;
mod demo;
mod draw;
mod failure;
mod failures;
mod fit;
mod history;
mod human;
mod import;
mod lifetimes;
mod log;
mod merge;
mod output;
mod ports;
mod prune;
mod rebuild;
mod records;
mod report;
mod rollout;
mod rooms;
mod run_numbers;
mod settings;
mod signals;
mod simulate;
mod sql;
mod status;
mod sync;
mod table;
mod usage;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, SettingArgs};
use failure::Failure;
use output::Output;
use settings::Settings;

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
    signals::outlive_file_limits();
    match run(cli) {
        Ok(Done::Whole) => ExitCode::SUCCESS,
        Ok(Done::Partial) => ExitCode::from(3),
        // Whoever read the output has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<Done, Failure> {
    let Cli { global, command } = cli;
    let output = Output::new(global.format);
    let no_flags = SettingArgs::default();
    // Only of those that use it: not every machine has a home directory to keep it in.
    let settings = || Settings::load(&global, &no_flags);
    let database = || settings()?.database_to_read();
    match command {
        Command::Sync(args) => {
            log::start(args.verbose, args.log_format);
            sync::run(&args, &Settings::load(&global, &args.settings)?, &output)
        }
        Command::Import(args) => import::run(&args, &settings()?.database_to_record()?, &output),
        Command::History(args) => history::run(&args, &database()?, &output),
        Command::At(args) => at::run(&args, &database()?, &output),
        Command::Lifetimes(args) => lifetimes::run(&args, &database()?, &output),
        Command::Failures(args) => failures::run(&args, &database()?, &output),
        Command::Ports(args) => ports::run(&args, &database()?, &output),
        Command::Concurrency(args) => concurrency::run(&args, &database()?, &output),
        Command::Usage(args) => usage::run(&args, &database()?, &output),
        Command::Rooms(args) => rooms::run(&args, &database()?, &output),
        Command::Rollout(args) => rollout::run(&args, &database()?, &output),
        Command::Coverage(args) => coverage::run(&args, &database()?, &output),
        Command::Sql(args) => sql::run(&args, database, &output),
        Command::Status(args) => status::run(&args, &database()?, &output),
        Command::Rebuild(_) => rebuild::run(&database()?, &output),
        Command::Backup(args) => backup::run(&args, &database()?, &output),
        Command::Verify(_) => verify::run(&database()?, &output),
        Command::Prune(args) => prune::run(&args, &database()?, &output),
        Command::Merge(args) => merge::run(&args, &settings()?.database_to_record()?, &output),
        Command::Config(args) => config::run(&Settings::load(&global, &args.settings)?, &output),
        Command::Simulate(args) => simulate::run(&args, &output),
        // What the environment or a configuration names is a real history, and no place for a
        // demo's.
        Command::Demo(args) => demo::run(&args, global.db.as_deref(), &output),
    }
}
