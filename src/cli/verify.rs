//! `prochist verify`.

use std::path::Path;

use prochist::Check;
use serde::Serialize;

use super::failure::Failure;
use super::import::progress_bar;
use super::output::{Format, Output};
use super::{Done, human};

pub fn run(database: &Path, output: &Output) -> Result<Done, Failure> {
    let bar = progress_bar(Some(0), "{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    bar.set_message("verifying");
    let checks = prochist::verify(database, |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    let broken: Vec<&Check> = checks.iter().filter(|check| check.broken > 0).collect();
    // People need no list of what is well.
    let told = match output.format() {
        Format::Table => broken.clone(),
        _ => checks.iter().collect(),
    };
    let rows: Vec<CheckRow> = told.into_iter().map(CheckRow::from).collect();
    if rows.is_empty() {
        let checks = human::count(checks.len() as u64, "check", "checks");
        output.prose(&format!("whole: {checks}, and nothing is broken\n"))?;
    } else {
        let whole = serde_json::json!({ "rows": rows });
        output.rows(CheckRow::FIELDS, CheckRow::FIELDS, &rows, &whole)?;
    }
    let Some(first) = broken.first() else {
        return Ok(Done::Whole);
    };
    let is_derived = |check: &&Check| matches!(check.name, "segments" | "looks");
    let failure = Failure::new(format!(
        "history database {database:?} does not hold that {} ({})",
        first.rule,
        first.example.as_deref().unwrap_or("somewhere"),
    ));
    Err(failure.hint(match broken.iter().all(is_derived) {
        true => "`prochist rebuild` makes that anew from the rows, which are in order",
        false => "keep a copy of the file as it is, and restore the latest backup that `prochist verify` passes",
    }))
}

#[derive(Serialize)]
struct CheckRow {
    check: &'static str,
    broken: u64,
    rule: &'static str,
    example: Option<String>,
}

impl CheckRow {
    const FIELDS: &'static [&'static str] = &["check", "broken", "rule", "example"];
}

impl From<&Check> for CheckRow {
    fn from(check: &Check) -> Self {
        Self {
            check: check.name,
            broken: check.broken,
            rule: check.rule,
            example: check.example.clone(),
        }
    }
}
