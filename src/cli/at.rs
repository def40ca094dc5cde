//! `prochist at`.

use std::path::Path;

use super::args::AtArgs;
use super::failure::Failure;
use super::output::Output;
use super::{Done, history::open};

pub fn run(args: &AtArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let history = open(database)?;
    let answer = history.fleet_at(args.time, args.as_known_at, &args.question())?;
    output.answer(&answer, &[], args.narrowed.fail_on_gap)
}
