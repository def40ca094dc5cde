//! `prochist status`.

use std::path::Path;
use std::time::Duration;

use prochist::History;
use prochist::history::{Health, Row, Status};
use prochist::model::UtcMillis;

use super::args::StatusArgs;
use super::clock::now;
use super::failure::Failure;
use super::fit::wrapped;
use super::output::{Format, Output};
use super::table::{printable, room};
use super::{Done, history::open, human};

/// How far the values stand to the right of the names.
const INDENT: usize = 12;

pub fn run(args: &StatusArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let history = open(database)?;
    let answer = history.status()?;
    match (output.format(), answer.rows.first()) {
        (Format::Table, Some(status)) => output.text(&screen(
            status,
            room(output.look),
            answer.coverage.from.zip(answer.coverage.to).map_or_else(
                || "nothing yet".to_owned(),
                |(from, to)| format!("{from} to {to}"),
            ),
        ))?,
        _ => output.rows(Status::FIELDS, Status::FIELDS, &answer.rows, &answer)?,
    }
    if let Some(max_age) = args.max_age {
        is_fresh(&history, &args.app, max_age, now())?;
    }
    Ok(Done::Whole)
}

/// Fails unless a sync ended as complete within so long before now, and each app was looked at: one
/// that has runs of its own may fail while all others go well.
fn is_fresh(
    history: &History,
    apps: &[String],
    max_age: Duration,
    now: UtcMillis,
) -> Result<(), Failure> {
    let too_old = |at: UtcMillis| {
        let age_ms = now.millis_since(at);
        // A clock that was set back makes no run old.
        let is_old = u128::from(age_ms.max(0).unsigned_abs()) > max_age.as_millis();
        is_old.then(|| {
            format!(
                "{at}, {} ago, which is more than {}",
                human::duration(age_ms),
                humantime::format_duration(max_age)
            )
        })
    };
    let last = history.last_complete_sync()?;
    let Some(ended_at) = last.and_then(|run| run.finished_at) else {
        return Err(Failure::new("no sync has ended as complete yet"));
    };
    if let Some(ago) = too_old(ended_at) {
        let message = format!("the last sync that ended as complete did so at {ago}");
        return Err(Failure::new(message));
    }
    let looks = history.last_looks()?;
    if let Some(app) = apps.iter().find(|app| !looks.contains_key(*app)) {
        return Err(Failure::new(format!("no sync has looked at {app} yet")));
    }
    for (app, looked_at) in looks {
        let is_meant = apps.is_empty() || apps.contains(&app);
        if let Some(ago) = too_old(looked_at).filter(|_| is_meant) {
            return Err(Failure::new(format!("{app} was last looked at at {ago}"))
                .hint("if it is no longer recorded, name those that are with --app"));
        }
    }
    Ok(())
}

fn screen(status: &Status, room: Option<usize>, period: String) -> String {
    let health = &status.health;
    let last_run = status.last_run.as_ref().map_or_else(
        || "none yet".to_owned(),
        |run| {
            let error = run
                .error
                .as_ref()
                .map(|e| format!(": {e}"))
                .unwrap_or_default();
            format!(
                "{} of {} at {}, {}{}",
                run.kind,
                printable(&run.source),
                run.started_at,
                run.result,
                printable(&error)
            )
        },
    );
    let gaps = match (status.gaps, health.hidden_at_least) {
        (0, _) => "none".to_owned(),
        (n, 0) => format!("{n}; see `prochist coverage`"),
        (n, hidden) => format!("{n}, hiding at least {hidden}; see `prochist coverage`"),
    };
    let last_complete = health.last_complete_sync.as_ref();
    let last_complete = last_complete.and_then(|run| run.finished_at).map_or_else(
        || "no sync yet".to_owned(),
        |finished_at| format!("sync that ended at {finished_at}"),
    );
    let lines = [
        ("database", printable(&status.database)),
        (
            "size",
            format!(
                "{} (schema {})",
                human::bytes(status.size_bytes),
                status.schema_version
            ),
        ),
        ("recorded", period),
        (
            "holds",
            format!(
                "{} in {} and {}",
                human::count(status.processes, "process", "processes"),
                human::count(status.versions, "version", "versions"),
                human::count(status.snapshots, "snapshot", "snapshots"),
            ),
        ),
        ("open now", status.open.to_string()),
        ("lost", status.lost.to_string()),
        (
            "set aside",
            human::count(status.set_aside, "record", "records"),
        ),
        ("gaps", gaps),
        ("last run", last_run),
        ("complete", last_complete),
        (
            "failed",
            human::count(
                health.failed_syncs_in_a_row,
                "sync in a row",
                "syncs in a row",
            ),
        ),
        ("advice", advice(health)),
    ];
    let room = room.map_or(usize::MAX, |room| room.saturating_sub(INDENT));
    let line = |(name, value): &(&str, String)| {
        let value = wrapped(value, room).join(&format!("\n{:INDENT$}", ""));
        format!("{name:<INDENT$}{value}\n")
    };
    lines.iter().map(line).collect()
}

/// How often to sync.
pub fn advice(health: &Health) -> String {
    match health.longest_safe_interval_ms {
        None => "too few processes to tell how often to sync".to_owned(),
        Some(millis) if millis < 1000 => "ten processes of one app and region were created within \
             a second: no interval is short enough"
            .to_owned(),
        Some(millis) => format!(
            "sync at least every {}: ten processes of one app and region were created within that",
            human::duration(millis)
        ),
    }
}
