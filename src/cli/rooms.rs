//! `prochist rooms`.

use std::path::Path;

use super::args::RoomsArgs;
use super::failure::Failure;
use super::output::{Drawn, Output};
use super::{Done, history::open};

pub fn run(args: &RoomsArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let question = args.grouped.question()?;
    let answer = open(database)?.rooms(&question)?;
    let values = answer.rows.iter().map(|row| row.allocated_ms as f64);
    let bars = Drawn::bars(&question, values);
    output.answer_drawn(
        &answer,
        &question,
        bars,
        args.grouped.about.narrowed.fail_on_gap,
    )
}
