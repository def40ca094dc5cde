//! What a scheduled job does: one look at a live API, recorded as one run of the ledger. The API is
//! that of a simulated fleet, served on loopback; the job is run five times, a simulated minute apart.
//!
//! `cargo run --example cron_sync`

#![allow(clippy::print_stdout)] // an example shows what it got

use std::sync::{Arc, Mutex};

use prochist::model::UtcMillis;
use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig};
use prochist::source::api::{Client, Options, Token};
use prochist::sync::{Job, Limits, Stop, run};
use prochist::{History, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("history.db");

    // The API: a fleet of 20 processes, and a clock that the example sets by hand.
    let clock = ManualClock::new("2026-01-05T00:00:00Z".parse()?);
    let fleet = Fleet::new(FleetConfig::new(7, 20, clock.now()));
    let config = ServerConfig::local("example-token");
    let server = Server::start(config, Arc::new(Mutex::new(fleet)), clock.clock())?;

    for _ in 0..5 {
        let now = clock.advance_millis(60_000);
        job(
            &database,
            &server.base_url(),
            server.app_id(),
            server.token(),
            now,
        )?;
    }

    let status = History::open(&database)?.status()?;
    println!(
        "after five runs: {} processes in {} versions, {} gap(s)",
        status.rows[0].processes, status.rows[0].versions, status.rows[0].gaps
    );
    Ok(())
}

/// One run. A real job passes the system's time; the library never asks for it.
fn job(
    database: &std::path::Path,
    base_url: &str,
    app_id: &str,
    token: &str,
    now: UtcMillis,
) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new(base_url, Token::new(token.to_owned())?, Options::default())?;
    let mut store = Store::open(database)?;
    let job = Job {
        api: base_url,
        apps: &[app_id.to_owned()],
        limits: Limits::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;

    // Nothing is locked while the network is waited for. A run that fails is in the ledger too.
    let ran = runtime.block_on(run(&mut store, &client, &job, Stop::never(), || now))?;
    if let Some(error) = ran.apps.into_iter().find_map(|app| app.error) {
        return Err(error.into());
    }
    Ok(())
}
