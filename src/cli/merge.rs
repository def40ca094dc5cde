//! `prochist merge`.

use std::path::Path;

use prochist::{Error, Store};
use serde::Serialize;

use super::Done;
use super::args::MergeArgs;
use super::clock::now;
use super::failure::Failure;
use super::import::progress_bar;
use super::output::Output;

pub fn run(args: &MergeArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    // One of an older schema is upgraded first.
    drop(super::history::open(&args.other)?);
    let mut store = Store::open(database)?;
    let bar = progress_bar(Some(0), "{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    bar.set_message("merging");
    let source = args.other.display().to_string();
    let merged = store.merge(&args.other, &source, now, |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    });
    let merged = merged.map_err(|error| match error {
        Error::Damaged { .. } => Failure::caused(&error).hint(format!(
            "nothing was merged; `prochist verify` tells whether it is {database:?}, and with --db {:?} \
             whether it is that",
            args.other
        )),
        error => error.into(),
    })?;
    bar.finish_and_clear();
    let report = Report {
        processes_seen: merged.processes_seen,
        processes_new: merged.processes_new,
        processes_changed: merged.processes_changed,
        processes_lost: merged.processes_lost,
    };
    output.rows(Report::FIELDS, Report::FIELDS, &[&report], &report)?;
    Ok(Done::Whole)
}

/// By the names of a run's columns.
#[derive(Serialize)]
struct Report {
    processes_seen: u64,
    processes_new: u64,
    processes_changed: u64,
    processes_lost: u64,
}

impl Report {
    const FIELDS: &'static [&'static str] = &[
        "processes_seen",
        "processes_new",
        "processes_changed",
        "processes_lost",
    ];
}
