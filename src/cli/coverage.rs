//! `prochist coverage`.

use std::path::Path;

use prochist::history::{CoverageGap, Row};

use super::args::QuestionArgs;
use super::failure::Failure;
use super::output::{Format, Output, gaps};
use super::table::printable;
use super::{Done, history::open};

pub fn run(args: &QuestionArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let report = open(database)?.coverage(&args.question()?)?;
    if output.format() == Format::Table {
        let counts = report.run_results;
        let mut text = match (report.answer.coverage.from, report.answer.coverage.to) {
            (Some(from), Some(to)) => format!("recorded from {from} to {to}\n"),
            _ => "nothing recorded yet\n".to_owned(),
        };
        text.push_str(&format!(
            "runs: {} complete, {} partial, {} failed, {} unfinished\n",
            counts.complete, counts.partial, counts.failed, counts.unfinished
        ));
        for run in &report.troubled_runs {
            text.push_str(&format!(
                "run {} of {} at {}: {}{}\n",
                run.run_id,
                printable(&run.source),
                run.started_at,
                run.result,
                run.error
                    .as_ref()
                    .map(|error| format!(" ({})", printable(error)))
                    .unwrap_or_default()
            ));
        }
        output.text(&text)?;
        if report.answer.rows.is_empty() {
            output.text("no gaps\n")?;
            return Ok(Done::Whole);
        }
    }
    output.rows(
        CoverageGap::FIELDS,
        CoverageGap::FIELDS,
        &report.answer.rows,
        &report,
    )?;
    Ok(gaps(&report.answer.coverage, args.narrowed.fail_on_gap))
}
