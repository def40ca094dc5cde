//! `prochist rollout`.

use std::path::Path;

use prochist::history::{Group, GroupKey, Question};

use super::args::RolloutArgs;
use super::draw::share_line;
use super::failure::Failure;
use super::output::{Drawn, Format, Output};
use super::{Done, history::open, human};

pub fn run(args: &RolloutArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let question = args.question()?;
    let takeover = args.takeover.clone().unwrap_or_default();
    let history = open(database)?;
    let fail_on_gap = args.about.narrowed.fail_on_gap;
    if args.over_time {
        let step_ms = args.step.map(human::millis);
        let answer = history.rollout_shares(&takeover, step_ms, &question)?;
        let shares = answer.rows.iter().map(|row| row.share.unwrap_or_default());
        let bars = Drawn {
            heading: "share of the new".to_owned(),
            cells: super::draw::bars(&shares.collect::<Vec<_>>()),
        };
        let shown = shown(
            args,
            question,
            answer.rows.iter().map(|row| &row.key),
            output,
        );
        return output.answer_drawn(&answer, &shown, Some(bars), fail_on_gap);
    }
    let answer = history.rollout(&takeover, &question)?;
    let lines = Drawn {
        heading: "share of the new, from its first start to the last end of the old".to_owned(),
        cells: answer
            .rows
            .iter()
            .map(|row| share_line(&row.shares))
            .collect(),
    };
    let shown = shown(
        args,
        question,
        answer.rows.iter().map(|row| &row.key),
        output,
    );
    output.answer_drawn(&answer, &shown, Some(lines), fail_on_gap)
}

/// The question with the groups that are worth a column: people need not read the one app again and
/// again.
fn shown<'a>(
    args: &RolloutArgs,
    question: Question,
    mut keys: impl Iterator<Item = &'a GroupKey>,
    output: &Output,
) -> Question {
    let first = keys.next();
    let is_one_app = keys.all(|key| Some(&key.app_id) == first.map(|first| &first.app_id));
    if output.format() == Format::Table && is_one_app && !args.by_app() {
        let by = question
            .by
            .iter()
            .copied()
            .filter(|group| *group != Group::App);
        return Question {
            by: by.collect(),
            ..question
        };
    }
    question
}
