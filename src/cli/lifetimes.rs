//! `prochist lifetimes`.

use std::path::Path;

use super::args::GroupedArgs;
use super::failure::Failure;
use super::output::Output;
use super::{Done, history::open};

pub fn run(args: &GroupedArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let question = args.question()?;
    let answer = open(database)?.lifetimes(&question)?;
    let groups: Vec<_> = question.by.iter().map(|group| group.field()).collect();
    output.answer(&answer, &groups, args.about.narrowed.fail_on_gap)
}
