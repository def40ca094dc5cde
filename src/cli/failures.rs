//! `prochist failures`.

use std::path::Path;

use prochist::history::{Answer, BurstRow, ComparisonRow, Row, Watched};
use serde_json::{Value, json};

use super::args::FailuresArgs;
use super::failure::Failure;
use super::output::{Format, Output, gaps};
use super::table::printable;
use super::{Done, history::open};

pub fn run(args: &FailuresArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let question = args.grouped.question()?;
    let history = open(database)?;
    let fail_on_gap = args.grouped.about.narrowed.fail_on_gap;
    if let Some((one, other)) = &args.compare {
        let answer = history.compare_failures(one, other, &question)?;
        comparison(&answer, output)?;
        output.about(&answer)?;
        return Ok(gaps(&answer.coverage, fail_on_gap));
    }
    let fields = question.group_fields();
    if args.bursts {
        let answer = history.bursts(&question)?;
        let done = output.answer_or(&answer, &fields, fail_on_gap, Some(&no_burst(&answer)));
        if output.format() == Format::Table && !answer.rows.is_empty() {
            say!(
                "told to stop: by the platform, an operator or a roll-out; the others ended by themselves"
            );
        }
        return done;
    }
    let answer = history.failures(&question)?;
    output.answer(&answer, &fields, fail_on_gap)
}

/// For people a line a deployment, what lies between them, and what that says; app by app.
pub fn comparison(answer: &Answer<ComparisonRow>, output: &Output) -> Result<(), Failure> {
    let fields = ComparisonRow::FIELDS;
    if output.format() != Format::Table {
        return output.rows(fields, fields, &answer.rows, answer);
    }
    let fields = [
        "app_id",
        "deployment_id",
        "ended",
        "failed",
        "rate",
        "rate_low",
        "rate_high",
        "difference",
        "difference_low",
        "difference_high",
        "fisher_p",
    ];
    // Where there is one app, the words name it, and the table need not.
    let shown = match answer.rows.len() {
        0 => return Ok(()),
        1 => &fields[1..],
        _ => &fields[..],
    };
    let sides: Vec<Value> = answer.rows.iter().flat_map(sides).collect();
    output.table(shown, &sides)?;
    for row in &answer.rows {
        let (app, says) = (printable(&row.app_id), printable(&row.says));
        output.prose(&format!("\nIn {app}: {says}\n"))?;
    }
    Ok(())
}

/// The two deployments of a row, one above the other.
fn sides(row: &ComparisonRow) -> [Value; 2] {
    [
        json!({
            "app_id": row.app_id, "deployment_id": row.deployment_id,
            "ended": row.ended, "failed": row.failed,
            "rate": row.rate, "rate_low": row.rate_low, "rate_high": row.rate_high,
        }),
        json!({
            "app_id": row.app_id, "deployment_id": row.other_deployment_id,
            "ended": row.other_ended, "failed": row.other_failed,
            "rate": row.other_rate, "rate_low": row.other_rate_low,
            "rate_high": row.other_rate_high, "difference": row.difference,
            "difference_low": row.difference_low, "difference_high": row.difference_high,
            "fisher_p": row.fisher_p,
        }),
    ]
}

/// What it means that none is listed, where something was watched.
fn no_burst(answer: &Answer<BurstRow>) -> String {
    let among = if answer.excluded.is_empty() {
        ""
    } else {
        " among those that are not excluded"
    };
    let when = match answer.coverage.watched {
        Watched::Part => " in that part of the window that was watched",
        _ => "",
    };
    let lost = match answer.excluded.get("lost") {
        Some(lost) => format!(
            "; {lost} lost ones may have ended together, for when they did nobody knows: see `prochist lifetimes \
             --zombies`"
        ),
        None => String::new(),
    };
    let unwatched = match answer.excluded.get("ended_unwatched") {
        Some(n) => format!("; {n} ended before anything looked, or in a pause"),
        None => String::new(),
    };
    format!(
        "no burst{among}{when}: in no stretch of up to a quarter of an hour did far more fail or end \
         together than their group's rate explains{lost}{unwatched}"
    )
}
