//! `prochist lifetimes`.

use std::path::Path;

use prochist::history::{LifetimeRow, Row};
use prochist::model::millis;

use super::args::LifetimesArgs;
use super::draw::sparkline;
use super::failure::Failure;
use super::output::{Drawn, Output};
use super::{Done, history::open, human};

pub fn run(args: &LifetimesArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let question = args.grouped.question()?;
    let history = open(database)?;
    let fail_on_gap = args.grouped.about.narrowed.fail_on_gap;
    if args.zombies {
        return output.answer(&history.zombies(&question)?, &[], fail_on_gap);
    }
    if let Some(length) = args.longer_than {
        let answer = history.longer_than(millis(length), &question)?;
        return output.answer(&answer, &[], fail_on_gap);
    }
    let answer = history.lifetimes(&question)?;
    let shapes = shapes(&answer.rows);
    output.answer_drawn(&answer, &question, shapes, fail_on_gap)
}

/// How the lengths of the ended are spread, all on one scale.
pub fn shapes(rows: &[LifetimeRow]) -> Option<Drawn> {
    let scale = &rows.first()?.histogram;
    Some(Drawn {
        fields: LifetimeRow::FIELDS,
        heading: format!(
            "spread from {} to {}",
            human::duration(scale.from_ms),
            human::duration(scale.until_ms)
        ),
        cells: rows
            .iter()
            .map(|row| {
                let counts = row.histogram.counts.iter();
                sparkline(counts.map(|n| Some(*n as f64)))
            })
            .collect(),
    })
}
