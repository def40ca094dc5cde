//! `prochist at`.

use std::path::Path;

use super::args::AtArgs;
use super::failure::Failure;
use super::output::{Format, Output};
use super::{Done, history::open};

pub fn run(args: &AtArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let history = open(database)?;
    let question = args.question();
    let fail_on_gap = args.narrowed.fail_on_gap;
    if let (Some(then), Format::Table) = (args.as_known_at, output.format()) {
        say!("as it was known at {then}:");
    }
    if question.by.is_empty() {
        let answer = history.fleet_at(args.time, args.as_known_at, &question)?;
        return output.answer(&answer, &[], fail_on_gap);
    }
    let answer = history.fleet_counts(args.time, args.as_known_at, &question)?;
    output.answer_drawn(&answer, &question, None, fail_on_gap)
}
