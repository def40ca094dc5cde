//! `prochist coverage`.

use std::path::Path;

use prochist::history::{CoverageGap, Row, WatermarkRow};

use super::args::QuestionArgs;
use super::failure::Failure;
use super::output::{Format, Output, gaps, not_watched, pruned};
use super::table::printable;
use super::{Done, history::open, human, status::advice};

pub fn run(args: &QuestionArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let report = open(database)?.coverage(&args.question()?)?;
    let done = gaps(&report.answer.coverage, args.narrowed.fail_on_gap);
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
        let health = &report.health;
        match &health.last_complete_sync {
            Some(run) => text.push_str(&format!(
                "last complete sync: run {} of {} at {}\n",
                run.run_id,
                printable(&run.source),
                run.started_at
            )),
            None => text.push_str("last complete sync: none yet\n"),
        }
        if health.failed_syncs_in_a_row > 0 {
            let failed = health.failed_syncs_in_a_row;
            let failed = human::count(failed, "sync has", "syncs have");
            text.push_str(&format!("since then {failed} failed\n"));
        }
        for line in whole(&report.watermarks) {
            text.push_str(&line);
        }
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
        output.prose(&text)?;
        for unwatched in &report.answer.coverage.unwatched {
            output.prose(&format!("{}\n", not_watched(unwatched)))?;
        }
        for line in pruned(&report.answer.coverage.pruned) {
            output.prose(&format!("{line}\n"))?;
        }
        output.about_names(&report.answer);
        if report.answer.rows.is_empty() {
            output.prose("no gaps\n")?;
            return Ok(done);
        }
        let hidden = match report.health.hidden_at_least {
            0 => String::new(),
            n => format!(
                ", hiding at least {}",
                human::count(n, "process", "processes")
            ),
        };
        let gaps = human::count(report.answer.rows.len() as u64, "gap", "gaps");
        output.prose(&format!("{gaps}{hidden}; {}\n", advice(&report.health)))?;
    }
    output.rows(
        CoverageGap::FIELDS,
        CoverageGap::FIELDS,
        &report.answer.rows,
        &report,
    )?;
    if output.format() != Format::Table {
        output.about(&report.answer)?;
    }
    Ok(done)
}

/// One line for all regions of an app that stand alike.
fn whole(marks: &[WatermarkRow]) -> Vec<String> {
    // A region without a name stands for all that have no row of their own.
    let mut alike: Vec<(&WatermarkRow, Vec<Option<String>>, i64)> = Vec::new();
    for mark in marks {
        let region = mark.region.as_deref().map(printable);
        let unseen = mark.unaccounted.unwrap_or_default();
        let stands = |m: &WatermarkRow| (m.app_id.clone(), m.since, m.until, m.looked_at);
        let found = alike.iter_mut().find(|(m, ..)| stands(m) == stands(mark));
        match found {
            Some((_, regions, sum)) => {
                regions.push(region);
                *sum = sum.saturating_add(unseen);
            }
            None => alike.push((mark, vec![region], unseen)),
        }
    }
    let line = |(mark, regions, unseen): (&WatermarkRow, Vec<Option<String>>, i64)| {
        let whole = if mark.until < mark.since {
            "nothing created yet".to_owned()
        } else if mark.until == mark.since {
            format!("nothing is proved of what was created after {}", mark.until)
        } else {
            format!(
                "every creation from {} to {} is on record, gaps aside",
                mark.since, mark.until
            )
        };
        // Where all regions stand alike there is nothing to tell apart.
        let place = match marks.iter().filter(|m| m.app_id == mark.app_id).count() {
            1 => String::new(),
            _ => format!(" in {}", named(&regions)),
        };
        let unseen = match unseen {
            0 => String::new(),
            n => {
                let n = human::count(n.cast_unsigned(), "open process is", "open processes are");
                format!("; up to {n} known by count only")
            }
        };
        format!(
            "{}{place}: {whole}, as of {}{unseen}\n",
            printable(&mark.app_id),
            mark.looked_at
        )
    };
    alike.into_iter().map(line).collect()
}

fn named(regions: &[Option<String>]) -> String {
    let names: Vec<&str> = regions.iter().flatten().map(String::as_str).collect();
    match (regions.contains(&None), names.is_empty()) {
        (false, _) => names.join(", "),
        (true, true) => "all other regions".to_owned(),
        (true, false) => format!("{} and all other regions", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_region_without_a_name_is_all_that_have_none() {
        let regions = |names: &[Option<&str>]| {
            let regions: Vec<_> = names.iter().map(|name| name.map(str::to_owned)).collect();
            named(&regions)
        };
        assert_eq!(regions(&[Some("a"), Some("b")]), "a, b");
        assert_eq!(regions(&[None]), "all other regions");
        let both = [None, Some("a"), Some("b")];
        assert_eq!(regions(&both), "a, b and all other regions");
    }
}
