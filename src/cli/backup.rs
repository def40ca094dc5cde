//! `prochist backup`.

use std::path::Path;

use prochist::back_up;
use serde::Serialize;

use super::Done;
use super::args::BackupArgs;
use super::failure::Failure;
use super::import::progress_bar;
use super::output::Output;

pub fn run(args: &BackupArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    // One of an older schema is upgraded, as by every command.
    drop(super::history::open(database)?);
    let bar = progress_bar(Some(0), "{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    let (mut of, mut stage) = (0, ["copying pages", "verifying"].into_iter());
    let made = back_up(database, &args.to, |progress| {
        if progress.of != of {
            of = progress.of;
            bar.set_length(of);
            bar.set_message(stage.next().unwrap_or_default());
        }
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    let report = Report {
        backup: args.to.display().to_string(),
        bytes: made.bytes,
        checks: made.checks.len(),
    };
    output.rows(Report::FIELDS, Report::FIELDS, &[&report], &report)?;
    Ok(Done::Whole)
}

#[derive(Serialize)]
struct Report {
    backup: String,
    bytes: u64,
    checks: usize,
}

impl Report {
    const FIELDS: &'static [&'static str] = &["backup", "bytes", "checks"];
}
