//! Records two snapshots from inside a Rust program and asks about them: one process, the holder of
//! an endpoint, the fleet at a moment, lifetimes and failures.
//!
//! Needs no network, no token and none of the default features:
//! `cargo run --no-default-features --example record_and_ask`

#![allow(clippy::print_stdout)] // an example shows what it got

use std::fmt::Display;

use prochist::model::{Deployment, ExposedPort, Extra, Process, Snapshot, UtcMillis};
use prochist::{Ending, Group, History, Question, RunKind, RunResult, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("history.db");
    record(&path)?;

    // Any number of these may read the file while a `Store` writes it.
    let history = History::open(&path)?;

    println!("One process, version by version:");
    let match_1 = history.process_history("match-1")?;
    for row in &match_1.answer.rows {
        let (from, to) = (row.first_seen_at, row.last_seen_at);
        println!("  {from} to {to}  {:8} {:?}", row.status, row.changed);
    }
    println!(
        "  it was provisioned in {} ms",
        or_none(match_1.phases.provisioning_ms)
    );

    let moment: UtcMillis = "2024-05-01T20:10:00Z".parse()?;
    println!("Who held 1.proxy.example:31000 at {moment}?");
    let everything = Question::default();
    for holder in history
        .holders("1.proxy.example", 31000, Some(moment), &everything)?
        .rows
    {
        println!(
            "  {} from {} until {}",
            holder.process_id,
            holder.held_from,
            or_none(holder.held_until)
        );
    }

    println!("The fleet at {moment}:");
    for row in history.fleet_at(moment, None, &everything)?.rows {
        println!(
            "  {} is {:?} since {}",
            row.process_id, row.state, row.since
        );
    }

    println!("How long did each phase last?");
    let lifetimes = history.lifetimes(&everything)?;
    for row in &lifetimes.rows {
        println!(
            "  {:12} {} ended, median {} ms; {} still going on",
            row.phase.as_str(),
            row.n,
            or_none(row.p50_ms),
            row.censored
        );
    }

    println!("How often did they fail, by deployment?");
    for row in history.failures(&everything.by([Group::Deployment]))?.rows {
        println!(
            "  deployment {}: {} of {} ended failed, {} open",
            or_none(row.key.deployment_id),
            row.failed,
            row.ended,
            row.open
        );
    }

    // Every answer says what it rests on.
    let coverage = lifetimes.coverage;
    println!(
        "All of this rests on {} run(s), {} to {}.",
        coverage.runs,
        or_none(coverage.from),
        or_none(coverage.to)
    );
    Ok(())
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

/// Records what was seen at two moments, as one run.
fn record(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut first = process("match-1", 31000, "2024-05-01T20:00:00Z")?;
    first.started_at = Some("2024-05-01T20:00:09Z".parse()?);
    "running".clone_into(&mut first.status);
    let second = process("match-2", 31001, "2024-05-01T20:04:00Z")?;

    let mut store = Store::open(path)?;
    let seen_at: UtcMillis = "2024-05-01T20:05:00Z".parse()?;
    let mut run = store.begin(RunKind::Library, "example", seen_at)?;
    run.record(&Snapshot::new(seen_at, vec![first.clone(), second.clone()]))?;

    // Ten minutes later one has failed; the other is as it was, which writes next to nothing.
    "failed".clone_into(&mut first.status);
    first.terminated_at = Some("2024-05-01T20:14:00Z".parse()?);
    first.exposed_port = None; // the hold of the port is kept all the same
    let seen_at: UtcMillis = "2024-05-01T20:15:00Z".parse()?;
    run.record(&Snapshot::new(seen_at, vec![first, second]))?;
    run.finish(&Ending::new(seen_at, RunResult::Complete))?;
    Ok(())
}

fn process(id: &str, port: i64, created_at: &str) -> Result<Process, Box<dyn std::error::Error>> {
    Ok(Process {
        process_id: id.to_owned(),
        app_id: "app-1".to_owned(),
        deployment_id: Deployment::Number(42),
        region: "Tokyo".to_owned(),
        status: "starting".to_owned(),
        rooms_allocated: 0,
        rooms_per_process: 3,
        created_at: created_at.parse()?,
        started_at: None,
        stopping_at: None,
        terminated_at: None,
        exposed_port: Some(ExposedPort {
            host: "1.proxy.example".to_owned(),
            port,
            name: "default".to_owned(),
            transport_type: "udp".to_owned(),
            extra: Extra::default(),
        }),
        additional_exposed_ports: Vec::new(),
        extra: Extra::default(),
    })
}
