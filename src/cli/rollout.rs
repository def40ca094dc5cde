//! `prochist rollout`.

use std::path::Path;

use prochist::history::{Answer, Deployed, Group, GroupKey, Question, Row, Takeover};
use prochist::model::{Deployment, millis};

use super::args::RolloutArgs;
use super::draw::{bars, share_line};
use super::failure::Failure;
use super::output::{Drawn, Format, Output};
use super::table::printable;
use super::{Done, WARNING, history::open};

pub fn run(args: &RolloutArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let question = args.question()?;
    if let Some(deployment) = question.deployments.first() {
        return Err(Failure::usage(
            "--deployment narrows no roll-out, which is about two deployments",
        )
        .hint(format!(
            "name the new one, or both: `prochist rollout {deployment}`, `prochist rollout 43..44`"
        )));
    }
    let takeover = args.takeover.clone().unwrap_or_default();
    let history = open(database)?;
    for line in backward(&takeover, &history.deployments(&question)?) {
        say!("{WARNING} {line}");
    }
    if args.over_time {
        let step_ms = args.step.map(millis);
        let answer = history.rollout_shares(&takeover, step_ms, &question)?;
        let shares = answer.rows.iter().map(|row| row.share.unwrap_or_default());
        let drawn = Drawn {
            fields: &["at", "old_running", "new_running", "share"],
            heading: String::new(),
            cells: bars(&shares.collect::<Vec<_>>()),
        };
        return show(args, &question, &answer, drawn, output, |row| {
            (&row.key, [&row.old_deployment_id, &row.new_deployment_id])
        });
    }
    let answer = history.rollout(&takeover, &question)?;
    let drawn = Drawn {
        fields: &[
            "new_first_started_at",
            "half_at",
            "old_last_ended_at",
            "old_open",
            "old_survived_ms",
        ],
        heading: "share of new".to_owned(),
        cells: answer
            .rows
            .iter()
            .map(|row| share_line(&row.shares))
            .collect(),
    };
    show(args, &question, &answer, drawn, output, |row| {
        (&row.key, [&row.old_deployment_id, &row.new_deployment_id])
    })
}

/// Says where what is named as the new one began before the old one: in a roll-back, or by mistake.
fn backward(takeover: &Takeover, deployed: &[Deployed]) -> Vec<String> {
    let (Some(from), Some(to)) = (&takeover.from, &takeover.to) else {
        return Vec::new();
    };
    let (from, to) = (printable(from), printable(to));
    let named = |app: &[Deployed], name: &str| {
        let is_it = |d: &&Deployed| printable(&d.deployment_id.to_string()) == name;
        app.iter().find(is_it).map(|d| d.first_created_at)
    };
    let of_app = deployed.chunk_by(|a, b| a.app_id == b.app_id);
    of_app
        .filter(|app| {
            let (old, new) = (named(app, &from), named(app, &to));
            old.zip(new).is_some_and(|(old, new)| new < old)
        })
        .map(|app| {
            format!(
                "{to} began before {from} in {}, so this shows a way back; how {from} took over is \
                 `prochist rollout {to}..{from}`",
                printable(&app[0].app_id)
            )
        })
        .collect()
}

/// Shows it; people are told once which roll-out of which app it is, and need not read that again in
/// each row.
fn show<R: Row>(
    args: &RolloutArgs,
    question: &Question,
    answer: &Answer<R>,
    drawn: Drawn,
    output: &Output,
    about: impl Fn(&R) -> (&GroupKey, [&Deployment; 2]),
) -> Result<Done, Failure> {
    let mut shown = question.clone();
    if output.format() == Format::Table {
        let mut lines: Vec<String> = Vec::new();
        for (key, ids) in answer.rows.iter().map(about) {
            let [old, new] = ids.map(|id| printable(&id.to_string()));
            let app = printable(key.app_id.as_deref().unwrap_or_default());
            let line = format!("{new} took over from {old} in {app}\n");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        output.prose(&lines.concat())?;
        if lines.len() < 2 && !args.by_app() {
            shown.by.retain(|group| *group != Group::App);
        }
    }
    output.answer_drawn(answer, &shown, Some(drawn), args.about.narrowed.fail_on_gap)
}
