//! Every query of the cookbook says what the command beside it says, and every command there answers.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "cookbook/counterparts.rs"]
mod counterparts;
#[allow(dead_code)]
#[path = "cli/fleet.rs"]
mod fleet;
#[path = "cookbook/page.rs"]
mod page;
#[allow(dead_code)]
#[path = "cli/place.rs"]
mod place;
#[path = "cookbook/query.rs"]
mod query;
#[path = "cookbook/record.rs"]
mod record;

use std::collections::{BTreeMap, BTreeSet};

use counterparts::{COUNTERPARTS, Counterpart};
use page::{blocks, document, pages, parameters, slugs};
use query::{differences, parameters_of, rows_of};
use record::recorded;

/// The views that people may rely on.
const VIEWS: [&str; 9] = [
    "processes",
    "process_versions",
    "lifetimes",
    "port_holds",
    "sync_runs",
    "snapshots",
    "gaps",
    "watermarks",
    "set_aside",
];

#[test]
fn every_query_says_what_its_command_says() {
    let (place, asked) = recorded();
    let db = rusqlite::Connection::open(place.database()).unwrap();
    let queries = page::queries();
    let mut without_rows: BTreeSet<&str> = queries.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for Counterpart { query, rows, .. } in COUNTERPARTS {
        let sql = &queries[*query];
        let names = parameters_of(&db, sql);
        let mut told = BTreeSet::new();
        for about in &asked {
            // A query is about its parameters; with the same values it is the same again.
            let values: Vec<String> = names
                .iter()
                .map(|n| format!("{:?}", about.value(n)))
                .collect();
            if !told.insert(values) {
                continue;
            }
            let found = rows_of(&db, sql, about);
            if !found.is_empty() {
                without_rows.remove(query);
            }
            let expected = rows(&place, about);
            for difference in differences(&found, &expected) {
                wrong.push(format!("{query}, {about:?}: {difference}"));
            }
        }
    }
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(without_rows.is_empty(), "no rows: {without_rows:?}");
}

#[test]
fn every_query_has_a_counterpart() {
    let queries = page::queries();
    let named: BTreeSet<&str> = queries.keys().map(String::as_str).collect();
    let tested: BTreeSet<&str> = COUNTERPARTS.iter().map(|c| c.query).collect();
    assert_eq!(named, tested);
    assert_eq!(tested.len(), COUNTERPARTS.len(), "one is there twice");
}

/// The tables and the helper views may be rearranged, so no query may need them.
#[test]
fn the_public_views_and_the_listed_parameters_are_enough() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    drop(prochist::Store::open(&path).unwrap());
    let db = rusqlite::Connection::open_in_memory().unwrap();
    db.execute("ATTACH :path AS history", [path.to_str()])
        .unwrap();
    for view in VIEWS {
        db.execute_batch(&format!(
            "CREATE TABLE {view} AS SELECT * FROM history.{view}"
        ))
        .unwrap();
    }
    db.execute_batch("DETACH history").unwrap();
    let queries = page::queries();
    let used: BTreeSet<String> = queries
        .values()
        .flat_map(|sql| parameters_of(&db, sql))
        .collect();
    assert_eq!(used, parameters());
}

#[test]
fn every_command_answers() {
    let (place, asked) = recorded();
    let about = &asked[0];
    place.write("query.sql", &page::queries()["time to ready by day"]);
    let mut commands: Vec<String> = blocks("sh")
        .iter()
        .flat_map(|block| page::commands(block))
        .collect();
    let before = commands.len();
    commands.extend(page::readme_commands());
    assert_eq!(commands.len() - before, 10, "one for each question");
    for line in commands {
        let line = about.fill_in(&line);
        let (command, input) = line.split_once(" < ").unwrap_or((&line, ""));
        let mut args: Vec<&str> = command.split_whitespace().skip(1).collect();
        args.extend(["--format", "json"]);
        let input = match input {
            "" => Vec::new(),
            file => std::fs::read(place.path(file)).unwrap(),
        };
        let answer = place.run_with_input(&args, &input).ok().json();
        if args[0] != "status" {
            let rows = answer["rows"].as_array().unwrap();
            assert!(!rows.is_empty(), "{line}: {answer}");
        }
    }
}

#[test]
fn links_lead_to_headings() {
    let slugs: BTreeMap<&str, BTreeSet<String>> = pages().map(|name| (name, slugs(name))).collect();
    for name in pages() {
        let text = document(name);
        let targets: Vec<&str> = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .collect();
        assert!(!targets.is_empty(), "{name}");
        for target in targets {
            let (file, slug) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => name.to_owned(),
                file => format!("docs/{file}"),
            };
            assert!(!document(&file).is_empty(), "{name}: {target}");
            if !slug.is_empty() {
                assert!(slugs[file.as_str()].contains(slug), "{name}: {target}");
            }
        }
    }
}
