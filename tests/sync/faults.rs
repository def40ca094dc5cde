//! A network that fails in every way it can, and a record that does not show it.

use std::time::Duration;

use prochist::RunResult;
use prochist::simulator::{Faults, FleetConfig, ServerConfig};
use prochist::source::api::Options;
use prochist::sync::{Limits, Retries};

use crate::common::dump;
use crate::fleet::Watched;
use crate::truth::start;

/// Everything in the file but what it took to get it: the ledger's requests, retries and bytes.
fn record(watched: &Watched) -> String {
    let db = watched.db();
    let tables = dump(
        &db,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
            AND name NOT IN ('run', 'refinery_schema_history') ORDER BY name",
    );
    let mut whole = String::new();
    for line in tables.lines() {
        let table = line.trim().trim_start_matches("name=");
        // Chance gives each stream a number that tells it from those of all other files.
        let columns = match table {
            "stream" => "stream_id, source, app, last_ms",
            _ => "*",
        };
        whole += &format!(
            "== {table}\n{}",
            dump(&db, &format!("SELECT {columns} FROM {table}"))
        );
    }
    whole + &dump(
        &db,
        "SELECT run_id, kind, source, started_ms, finished_ms, result, error, snapshots,
                processes_seen, processes_new, processes_changed, processes_lost, set_aside, deferred
         FROM run",
    )
}

fn recorded_through(faults: &str) -> (Watched, u64) {
    let mut watched = Watched::served(
        FleetConfig {
            regions: ["Tokyo", "London"].map(str::to_owned).to_vec(),
            ..FleetConfig::new(51, 60, start())
        },
        ServerConfig {
            faults: Faults {
                retry_after: Duration::ZERO,
                ..faults.parse().unwrap()
            },
            fault_seed: 51,
            ..ServerConfig::local("a-token-of-the-tests")
        },
    );
    watched.options = Options {
        // What hangs is let go soon; an answer that a busy machine delays is asked for again.
        read_timeout: Duration::from_millis(400),
        ..Options::default()
    };
    let limits = Limits {
        deadline: Duration::from_secs(3600),
        max_requests: u64::MAX,
        retries: Retries {
            times: 40,
            first: Duration::from_millis(1),
            longest: Duration::from_millis(4),
        },
        ..Limits::default()
    };
    // Ten minutes now and then, so that lists are narrowed and gaps are found.
    for minute in (0..30).chain([40, 50, 60, 61]) {
        let ran = watched.look_within(minute, limits);
        assert_eq!(ran.result, RunResult::Complete, "{ran:?}");
    }
    let retries = watched.looks.iter().map(|look| look.1.retries).sum();
    (watched, retries)
}

#[test]
fn a_bad_network_leaves_the_same_record_as_a_good_one() {
    let (clean, _) = recorded_through("none");
    let faults = "rate_limit=0.1,unavailable=0.1,truncate=0.05,garbage=0.03,hang=0.01";
    let (faulty, retries) = recorded_through(faults);
    assert!(retries > 300, "{retries}");
    let (clean, faulty) = (record(&clean), record(&faulty));
    assert!(clean.contains("== gap\ngap_id=1 "), "no gap was found");
    let difference = clean.lines().zip(faulty.lines()).find(|(c, f)| c != f);
    assert_eq!(difference, None);
    assert_eq!(clean.len(), faulty.len());
}
