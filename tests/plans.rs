//! What anybody would filter a view by is looked up, not searched for among everything. SQLite says
//! how it would go about a statement; the file is opened as any program would open it, and nobody has
//! ever run ANALYZE on it, so its plans do not depend on what is in it.

#![allow(missing_docs, clippy::unwrap_used)]

use prochist::Store;
use rusqlite::Connection;
use tempfile::TempDir;

/// The indexes that hold only the rows asked for, so that reading one whole is no waste.
const OF_FEW: [&str; 2] = ["process_open", "process_lost"];

/// View, filter, and the index that must answer it.
const FILTERS: &[(&str, &str, &str)] = &[
    ("processes", "process_id = :id", "process_id=?"),
    ("processes", "process_id IN ('a', 'b')", "process_id=?"),
    (
        "processes",
        "created_at_ms >= :since AND created_at_ms < :until",
        "process_created (created_ms>? AND created_ms<?)",
    ),
    (
        "processes",
        "created_at_ms >= unixepoch('2024-05-01') * 1000",
        "process_created (created_ms>?)",
    ),
    (
        "processes",
        "ended_at_ms >= :since AND ended_at_ms < :until",
        "process_ended (ended_ms>? AND ended_ms<?)",
    ),
    (
        "processes",
        "outcome = 'failed' AND ended_at_ms >= :since",
        "process_ended (ended_ms>?)",
    ),
    (
        "processes",
        "deployment_id = :deployment",
        "process_deployment (deployment=?)",
    ),
    (
        "processes",
        "deployment_id = :deployment AND created_at_ms >= :since",
        "process_deployment (deployment=? AND created_ms>?)",
    ),
    ("processes", "outcome = 'open'", "process_open"),
    ("processes", "outcome = 'lost'", "process_lost"),
    (
        "processes",
        "outcome = 'open' AND app_id = :app",
        "process_open (app=?)",
    ),
    ("process_versions", "process_id = :id", "process_id=?"),
    (
        "process_versions",
        "process_id = :id AND version = 1",
        "(process_key=? AND version=?)",
    ),
    (
        "process_versions",
        "process_id = :id ORDER BY version DESC LIMIT 1",
        "process_id=?",
    ),
    (
        "process_versions",
        "first_seen_at_ms >= :since AND first_seen_at_ms < :until",
        "version_first_seen (first_seen_ms>? AND first_seen_ms<?)",
    ),
    ("lifetimes", "process_id = :id", "process_id=?"),
    (
        "lifetimes",
        "created_at_ms >= :since AND created_at_ms < :until",
        "process_created (created_ms>? AND created_ms<?)",
    ),
    (
        "lifetimes",
        "deployment_id = :deployment AND created_at_ms >= :since",
        "process_deployment (deployment=? AND created_ms>?)",
    ),
    ("lifetimes", "outcome = 'open'", "process_open"),
    ("lifetimes", "outcome = 'lost'", "process_lost"),
    ("port_holds", "process_id = :id", "process_id=?"),
    ("port_holds", "host = :host", "(host=?)"),
    (
        "port_holds",
        "host = :host AND port = :port",
        "(host=? AND port=?)",
    ),
    (
        "port_holds",
        "host = :host AND port = :port AND held_from_ms <= :t
         AND (held_until_ms > :t OR held_until_ms IS NULL)",
        "(endpoint_id=? AND held_from_ms<?)",
    ),
    (
        "port_holds",
        "held_from_ms >= :since AND held_from_ms < :until",
        "hold_from (held_from_ms>? AND held_from_ms<?)",
    ),
    (
        "port_holds",
        "deployment_id = :deployment",
        "process_deployment (deployment=?)",
    ),
    ("port_holds", "outcome = 'open'", "process_open"),
    ("port_holds", "outcome = 'lost'", "process_lost"),
    ("sync_runs", "run_id = :run", "(rowid=?)"),
    (
        "sync_runs",
        "started_at_ms >= :since AND started_at_ms < :until",
        "run_started (started_ms>? AND started_ms<?)",
    ),
    (
        "snapshots",
        "observed_at_ms >= :since AND observed_at_ms < :until",
        "snapshot_observed (observed_at_ms>? AND observed_at_ms<?)",
    ),
    ("gaps", "gap_id = :gap", "(rowid=?)"),
    ("gaps", "run_id = :run", "gap_run (run_id=?)"),
    (
        "gaps",
        "since_ms >= :since AND since_ms < :until",
        "gap_since (since_ms>? AND since_ms<?)",
    ),
    ("watermarks", "app_id = :app", "(app=?)"),
    (
        "prunings",
        "pruned_at_ms >= :since AND pruned_at_ms < :until",
        "(pruned_ms>? AND pruned_ms<?)",
    ),
    ("set_aside", "set_aside_id = :aside", "(rowid=?)"),
    ("set_aside", "run_id = :run", "aside_run (run_id=?)"),
];

/// The steps of a plan, in SQLite's words.
fn plan(db: &Connection, statement: &str) -> Vec<String> {
    db.prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
        .unwrap()
        .raw_query()
        .mapped(|row| row.get("detail"))
        .collect::<Result<_, _>>()
        .unwrap()
}

/// Whether a step reads all of a table, or makes an index of all of it first. What is listed inside
/// one row (the ports of a process) is no table.
fn reads_all(step: &str, plan: &[String]) -> bool {
    let Some(scanned) = step.strip_prefix("SCAN ") else {
        return step.contains("AUTOMATIC");
    };
    let name = scanned.split(' ').next().unwrap();
    let made_up = plan
        .iter()
        .any(|other| *other == format!("CO-ROUTINE {name}"));
    let of_few = OF_FEW
        .iter()
        .any(|index| scanned.ends_with(&format!("USING INDEX {index}")));
    !(made_up || of_few || scanned.contains("VIRTUAL TABLE"))
}

fn a_file() -> (TempDir, Connection) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    drop(Store::open(&path).unwrap());
    let db = Connection::open(&path).unwrap();
    (folder, db)
}

#[test]
fn obvious_filters_are_look_ups() {
    let (_folder, db) = a_file();
    for (view, filter, index) in FILTERS {
        let plan = plan(&db, &format!("SELECT * FROM {view} WHERE {filter}"));
        for step in &plan {
            assert!(
                !reads_all(step, &plan),
                "{view}: {filter}: {step}: {plan:#?}"
            );
        }
        assert!(
            plan.iter().any(|step| step.contains(index)),
            "{view}: {filter}: not by {index}: {plan:#?}"
        );
    }
    let views = db
        .prepare(
            "SELECT name FROM sqlite_schema
             WHERE type = 'view' AND name NOT IN ('exposed_port_json', 'process_seen', 'run_looked')",
        )
        .unwrap()
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    for view in views {
        assert!(FILTERS.iter().any(|(of, ..)| *of == view), "{view}");
    }
}

/// The newest of something is the end of an index, and not sorted out.
#[test]
fn the_latest_are_read_from_the_end() {
    let (_folder, db) = a_file();
    for (view, moment, index) in [
        ("processes", "created_at_ms", "process_created"),
        ("lifetimes", "created_at_ms", "process_created"),
        ("process_versions", "first_seen_at_ms", "version_first_seen"),
        ("port_holds", "held_from_ms", "hold_from"),
        ("sync_runs", "started_at_ms", "run_started"),
        ("snapshots", "observed_at_ms", "snapshot_observed"),
        ("gaps", "since_ms", "gap_since"),
    ] {
        let query = format!("SELECT * FROM {view} ORDER BY {moment} DESC LIMIT 10");
        let plan = plan(&db, &query);
        assert!(plan[0].ends_with(&format!("INDEX {index}")), "{plan:#?}");
    }
}

/// What the page about the file warns of is so: else the warnings could go.
#[test]
fn what_is_said_to_read_all_does() {
    let (_folder, db) = a_file();
    for (view, filter) in [
        ("processes", "created_at >= '2024-05-01'"),
        ("processes", "last_seen_at_ms >= 5"),
        ("processes", "status = 'running'"),
        ("processes", "outcome = :outcome"),
        ("snapshots", "run_id = 5"),
    ] {
        let plan = plan(&db, &format!("SELECT * FROM {view} WHERE {filter}"));
        assert!(
            plan.iter().any(|step| reads_all(step, &plan)),
            "{view}: {filter}: {plan:#?}"
        );
    }
}
