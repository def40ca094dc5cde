//! The commands that take care of the file, as whoever runs them meets them.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::fleet::{looks, ndjson, recorded};
use crate::place::Place;

/// The three looks of the fleet, the first two in one history and the last in another.
fn two_histories() -> Place {
    let place = Place::new();
    place.write("early", ndjson(&looks()[..2]));
    place.write("late", ndjson(&looks()[2..]));
    place.run(&["import", "early", "--complete"]).ok();
    place
        .run(&["import", "late", "--db", "other.db", "--complete"])
        .ok();
    place
}

/// What the views tell of processes.
fn told(place: &Place, db: &str) -> Vec<Value> {
    ["processes", "process_versions", "port_holds", "lifetimes"]
        .iter()
        .flat_map(|view| {
            let query = format!("SELECT * FROM {view} ORDER BY 1, 2, 3, 4, 5, 6, 7");
            place.rows(&["sql", &query, "--db", db])
        })
        .collect()
}

#[test]
fn two_histories_become_one_that_was_told_everything() {
    let place = two_histories();
    place.write("all", ndjson(&looks()));
    place
        .run(&["import", "all", "--db", "all.db", "--complete"])
        .ok();
    let merged = place.json(&["merge", "other.db"]);
    // Of twelve, the last look alone shows p11 and p12, and seven in all.
    assert_eq!(merged["processes_new"], 2);
    let seen = looks()[2]["processes"].as_array().unwrap().len();
    assert_eq!(merged["processes_seen"], seen);
    let once = told(&place, "history.db");
    assert_eq!(once, told(&place, "all.db"));
    let again = place.json(&["merge", "other.db"]);
    assert_eq!(again["processes_seen"], 0);
    assert_eq!(told(&place, "history.db"), once);
    let runs = place.rows(&["sql", "SELECT source FROM sync_runs ORDER BY run_id"]);
    let sources: Vec<&str> = runs
        .iter()
        .map(|run| run["source"].as_str().unwrap())
        .collect();
    assert_eq!(sources, ["early", "other.db", "late", "other.db"]);

    // Into one that is not there yet, and of an older schema.
    place.run(&["merge", "other.db", "--db", "new.db"]).ok();
    assert_eq!(told(&place, "new.db"), told(&place, "other.db"));
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schema/v3.db");
    std::fs::copy(old, place.path("old.db")).unwrap();
    assert_eq!(place.json(&["merge", "old.db"])["processes_new"], 2);
}

#[test]
fn a_backup_is_a_history_like_the_one_it_was_made_of() {
    let place = recorded();
    let made = place.json(&["backup", "backup.db"]);
    let bytes = std::fs::metadata(place.path("backup.db")).unwrap().len();
    assert_eq!(
        (&made["backup"], &made["bytes"]),
        (&json!("backup.db"), &json!(bytes))
    );
    assert_eq!(told(&place, "backup.db"), told(&place, "history.db"));
    place.run(&["backup", "backup.db"]).ok();
    let ran = place.run(&["backup", "history.db"]).ended(1);
    assert_eq!(
        ran.stderr.lines().next(),
        Some("error: \"history.db\" is in use, and no place for a copy")
    );
    let ran = place.run(&["backup", "x.db", "--db", "none.db"]).ended(1);
    assert!(
        ran.stderr.starts_with("error: no history database at"),
        "{ran:?}"
    );
    assert!(!place.path("x.db").exists());
    let names = std::fs::read_dir(place.folder()).unwrap();
    let left = names.filter(|n| {
        n.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains(".new-")
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn a_whole_history_is_verified_in_a_line_and_a_broken_one_ends_with_code_1() {
    let place = recorded();
    let ran = place.run(&["verify"]).ok();
    assert_eq!(ran.stdout, "whole: 18 checks, and nothing is broken\n");
    let rows = place.rows(&["verify"]);
    assert_eq!(rows.len(), 18);
    assert!(rows.iter().all(|row| row["broken"] == 0), "{rows:#?}");

    let db = Connection::open(place.database()).unwrap();
    db.execute("UPDATE look_stretch SET looks = looks + 1", [])
        .unwrap();
    let ran = place.run(&["verify"]).ended(1);
    assert!(
        ran.stderr.starts_with("error: history database"),
        "{ran:#?}"
    );
    assert!(
        ran.stderr.contains("\nhint: `prochist rebuild`"),
        "{ran:#?}"
    );
    assert_eq!(ran.stderr.lines().count(), 2);
    place.run(&["rebuild"]).ok();
    place.run(&["verify"]).ok();

    db.execute(
        "UPDATE process SET outcome = 'failed' WHERE process_id = 'p01'",
        [],
    )
    .unwrap();
    let ran = place.run(&["verify"]).ended(1);
    assert!(
        ran.stdout.contains("outcomes") && ran.stdout.contains("process p01"),
        "{ran:#?}"
    );
    assert!(!ran.stdout.contains("version_times"), "{ran:#?}");
    assert!(ran.stderr.contains("\nhint: keep a copy"), "{ran:#?}");
}

/// An older backup is not written to before it has been looked at.
#[test]
fn a_history_of_an_older_schema_is_left_as_it_is() {
    let place = Place::new();
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schema/v3.db");
    let bytes = std::fs::read(old).unwrap();
    place.write("old.db", &bytes);
    let ran = place.run(&["verify", "--db", "old.db"]).ended(1);
    let line = "error: history database \"old.db\" has schema 3, and this prochist reads 7\n\
                hint: any question upgrades it, such as `prochist status`; of a backup, ask a copy\n";
    assert_eq!(ran.stderr, line);
    assert_eq!(std::fs::read(place.path("old.db")).unwrap(), bytes);
    place.run(&["status", "--db", "old.db"]).ok();
    place.run(&["verify", "--db", "old.db"]).ok();
}

#[test]
fn what_was_pruned_is_told_by_every_answer_about_that_time() {
    let place = recorded();
    let before = told(&place, "history.db");
    // The fleet lived in 2024: all that ended is older than a month, and what is open stays.
    let would = place.json(&["prune", "--older-than", "30d", "--dry-run"]);
    assert_eq!(told(&place, "history.db"), before);
    let ran = place
        .run(&["prune", "--older-than", "30d", "--dry-run"])
        .ok();
    assert!(
        ran.stderr
            .ends_with("nothing was removed; without --dry-run it is\n"),
        "{ran:#?}"
    );
    let done = place.json(&["prune", "--older-than", "30d"]);
    assert_eq!(done["rows"], would["rows"]);
    assert_eq!(
        (&done["dry_run"], &would["dry_run"]),
        (&json!(false), &json!(true))
    );
    // By hand: of a p01, p02, p03, p05, p09 and p10 had ended; of b p06 and p12 had, and p08 is lost.
    let rows = done["rows"].as_array().unwrap();
    let told: Vec<(&str, i64)> = rows
        .iter()
        .map(|row| {
            (
                row["app_id"].as_str().unwrap(),
                row["processes"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("a", 6), ("b", 3)]);
    assert_eq!(done["open_kept"], 3);

    let answer = place.json(&["failures", "--app", "a"]);
    let pruned = &answer["coverage"]["pruned"];
    assert_eq!(
        (pruned.as_array().unwrap().len(), &pruned[0]["processes"]),
        (1, &json!(6))
    );
    assert_eq!(pruned[0]["since"], "2024-05-01T10:00:00.000Z");
    assert!(answer["rows"][0]["ended"] == 0 || answer["rows"].as_array().unwrap().is_empty());
    let ran = place
        .run(&["failures", "--app", "a", "--fail-on-gap"])
        .ended(3);
    assert!(
        ran.stderr
            .contains("warning: 6 processes of a, from 2024-05-01T10:00:00.000Z to "),
        "{ran:#?}"
    );
    let ran = place.run(&["coverage"]).ok();
    assert!(ran.stdout.contains("3 processes of b, from "), "{ran:#?}");
    let later = place.json(&["failures", "--since", "2024-05-02"]);
    assert_eq!(later["coverage"]["pruned"], Value::Null);

    let ran = place.run(&["prune", "--older-than", "30d"]).ok();
    assert!(
        ran.stdout.starts_with("nothing that ended before "),
        "{ran:#?}"
    );
    place.run(&["verify"]).ok();
}

/// A service that stays has the lock for as long as it lives.
#[test]
fn a_sync_that_is_running_keeps_nobody_from_taking_care() {
    let place = two_histories();
    let _lock = prochist::Lock::acquire(&place.database()).unwrap();
    for args in [
        &["prune", "--older-than", "1d", "--dry-run"][..],
        &["backup", "backup.db"],
        &["merge", "other.db"],
        &["verify"],
        &["prune", "--older-than", "1d"],
    ] {
        place.run(args).ok();
    }
}

#[test]
fn what_cannot_be_taken_care_of_is_one_clear_line() {
    let place = two_histories();
    place.write("letter", "Dear reader, ".repeat(100));
    for (args, code, line) in [
        (
            &["prune"][..],
            2,
            "error: the following required arguments were not provided:",
        ),
        (
            &["prune", "--older-than", "-1d"],
            2,
            "error: invalid value '-1d' for '--older-than <LENGTH>'",
        ),
        (
            &["prune", "--older-than", "1d", "--db", "no.db"],
            1,
            "error: no history database at \"no.db\"",
        ),
        (
            &["verify", "--db", "no.db"],
            1,
            "error: no history database at \"no.db\"",
        ),
        (
            &["verify", "--db", "letter"],
            1,
            "error: \"letter\" is not a SQLite database",
        ),
        (
            &["backup", "letter"],
            1,
            "error: \"letter\" is not a SQLite database",
        ),
        (
            &["backup", "no/where.db"],
            1,
            "error: the folder of history database \"no/where.db\" does not exist",
        ),
        (
            &["merge", "no.db"],
            1,
            "error: no history database at \"no.db\"",
        ),
        (
            &["merge", "letter"],
            1,
            "error: \"letter\" is not a SQLite database",
        ),
        (
            &["merge", "history.db"],
            2,
            "error: \"history.db\" is the very file to merge into",
        ),
    ] {
        let ran = place.run(args).ended(code);
        assert!(ran.stderr.starts_with(line), "{args:?}: {ran:#?}");
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert_eq!(place.rows(&["sql", "SELECT * FROM sync_runs"]).len(), 1);
}
