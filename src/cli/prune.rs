//! `prochist prune`.

use std::path::Path;

use prochist::model::{UtcMillis, millis};
use prochist::{Pruned, Store};
use serde::Serialize;

use super::args::PruneArgs;
use super::clock::now;
use super::failure::Failure;
use super::import::progress_bar;
use super::output::{Format, Output};
use super::{Done, human};

pub fn run(args: &PruneArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    // Nothing is made where there is nothing to prune.
    drop(super::history::open(database)?);
    let now = now();
    let before = now.plus_millis(-millis(args.older_than));
    let bar = progress_bar(Some(0), "{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    bar.set_message(if args.dry_run { "looking" } else { "pruning" });
    let progress = |progress: prochist::Progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    };
    let pruned = if args.dry_run {
        Store::open(database)?.prunable(before, progress)?
    } else {
        let mut store = Store::open(database)?;
        // What a power failure brings back is pruned by the next run.
        store.force_commits(false)?;
        store.prune(before, now, progress)?
    };
    bar.finish_and_clear();
    tell(&pruned, before, args.dry_run, output)?;
    Ok(Done::Whole)
}

fn tell(pruned: &Pruned, before: UtcMillis, dry_run: bool, output: &Output) -> Result<(), Failure> {
    let rows: Vec<PrunedRow> = pruned
        .apps
        .iter()
        .map(|app| PrunedRow {
            app_id: app.app_id.clone(),
            processes: app.processes,
            versions: app.versions,
            since: app.since,
            until: app.until,
        })
        .collect();
    if output.format() == Format::Table && rows.is_empty() {
        output.prose(&format!(
            "nothing that ended before {before} is on record\n"
        ))?;
    } else {
        output.rows(
            PrunedRow::FIELDS,
            PrunedRow::FIELDS,
            &rows,
            &serde_json::json!({
                "ended_before": before,
                "dry_run": dry_run,
                "open_kept": pruned.open_kept,
                "bytes_returned": pruned.bytes_returned,
                "rows": rows,
            }),
        )?;
    }
    if pruned.open_kept > 0 {
        say!(
            "{} not known to have ended, though last seen before {before}, and {}",
            human::count(pruned.open_kept, "process is", "processes are"),
            if dry_run { "would stay" } else { "stayed" },
        );
    }
    if dry_run {
        say!("nothing was removed; without --dry-run it is");
    } else if !rows.is_empty() {
        say!(
            "the file is {} smaller",
            human::bytes(pruned.bytes_returned)
        );
    }
    Ok(())
}

#[derive(Serialize)]
struct PrunedRow {
    app_id: String,
    processes: u64,
    versions: u64,
    since: UtcMillis,
    until: UtcMillis,
}

impl PrunedRow {
    const FIELDS: &'static [&'static str] = &["app_id", "processes", "versions", "since", "until"];
}
