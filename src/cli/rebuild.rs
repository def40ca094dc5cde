//! `prochist rebuild`.

use std::path::Path;

use prochist::{Lock, Store};
use serde::Serialize;

use super::Done;
use super::failure::Failure;
use super::import::progress_bar;
use super::output::Output;

pub fn run(database: &Path, output: &Output) -> Result<Done, Failure> {
    // Nothing is made where there is nothing to rebuild.
    drop(super::history::open(database)?);
    let _lock = Lock::acquire(database)?;
    let mut store = Store::open(database)?;
    // All of it can be made again if the power fails.
    store.force_commits(false)?;
    let bar = progress_bar(Some(0), "{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    bar.set_message("rebuilding");
    let sealed = store.rebuild(|progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    let report = Report {
        segments: sealed.segments,
        processes: sealed.processes,
    };
    output.rows(Report::FIELDS, Report::FIELDS, &[&report], &report)?;
    Ok(Done::Whole)
}

#[derive(Serialize)]
struct Report {
    segments: u64,
    processes: u64,
}

impl Report {
    const FIELDS: &'static [&'static str] = &["segments", "processes"];
}
