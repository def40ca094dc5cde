//! `prochist lifetimes`.

use std::path::Path;

use prochist::history::LifetimeRow;
use prochist::model::{Phase, millis};

use super::args::LifetimesArgs;
use super::draw::sparkline;
use super::failure::Failure;
use super::output::{Drawn, Format, Output};
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
    let done = output.answer_drawn(&answer, &question, shapes, fail_on_gap)?;
    if output.format() == Format::Table {
        for line in told(&answer.rows) {
            say!("{line}");
        }
    }
    Ok(done)
}

/// How the rows are to be read: what their words mean, and why they say nothing where they do.
fn told(rows: &[LifetimeRow]) -> Vec<String> {
    let any = |is: fn(&LifetimeRow) -> bool| rows.iter().any(is);
    let is_blank =
        |row: &&LifetimeRow| row.survival_until_ms.is_some() && row.survival_p90_ms.is_none();
    let blank = |cut_short: bool| {
        let mut blank = rows.iter().filter(is_blank);
        blank.any(|row| row.survival_is_cut_short == cut_short)
    };
    let words = [
        (
            any(|row| row.censored > 0),
            "censored: still in the phase when last seen",
        ),
        (
            any(|row| row.delayed > 0),
            "delayed: not watched from its beginning, so in survival only from the age at which they were met",
        ),
    ];
    let reasons = [
        (blank(false), "too many were not seen to end"),
        (
            blank(true),
            "nobody was watched at some age, as where all ended before anything looked, or in a pause",
        ),
    ];
    let those = |all: &[(bool, &'static str)]| -> Vec<&str> {
        let there = all.iter().filter(|(is_there, _)| *is_there);
        there.map(|(_, text)| *text).collect()
    };
    let (words, reasons) = (
        those(&words).join("; "),
        those(&reasons).join(", or where "),
    );
    let mut lines = Vec::new();
    if !words.is_empty() {
        lines.push(words);
    }
    let lives = rows.iter().filter(|row| row.phase == Phase::Lifetime);
    let lost: u64 = lives.map(|row| row.lost).sum();
    if lost > 0 {
        lines.push(format!(
            "lost: {lost} of the censored; such ended soon after they were last seen, so that survival may be \
             overestimated where they are many"
        ));
    }
    if !reasons.is_empty() {
        lines.push(format!("no survival percentile (–) where {reasons}"));
    }
    lines
}

/// What people are shown beside group and shape; as far as survival is not known, they are told why.
const FOR_PEOPLE: &[&str] = &[
    "phase",
    "n",
    "censored",
    "delayed",
    "mean_ms",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "max_ms",
    "survival_p50_ms",
    "survival_p90_ms",
];

/// How the lengths of the ended are spread, all on one scale.
pub fn shapes(rows: &[LifetimeRow]) -> Option<Drawn> {
    let scale = &rows.first()?.histogram;
    Some(Drawn {
        fields: FOR_PEOPLE,
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
