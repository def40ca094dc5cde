//! What the documents say of views, columns and commands is what there is.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;
#[cfg(feature = "cli")]
#[allow(dead_code, unused_imports)]
#[path = "cli/fleet.rs"]
mod fleet;
#[cfg(feature = "cli")]
#[allow(dead_code, unused_imports)]
#[path = "cli/place.rs"]
mod place;

use std::fs;
use std::path::Path;

use common::open;
use prochist::history::views;
use prochist::{SCHEMA_VERSION, Store};
use rusqlite::Connection;
use tempfile::TempDir;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A new history, and what is in its schema, as `name` of each.
fn names(of_what: &str) -> (TempDir, Connection, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    drop(Store::open(&path).unwrap());
    let db = open(&path);
    let names = column(
        &db,
        &format!("SELECT name FROM sqlite_schema WHERE {of_what} ORDER BY name"),
    );
    (folder, db, names)
}

fn column(db: &Connection, query: &str) -> Vec<String> {
    let mut statement = db.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn every_column_of_every_view_is_documented_in_its_place() {
    let (_folder, db, names) =
        names("type = 'view' AND name NOT IN ('exposed_port_json', 'process_seen', 'run_looked')");
    let views = views();
    let mut documented: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
    documented.sort_unstable();
    assert_eq!(documented, names);
    for view in &views {
        let columns: Vec<&str> = view.columns.iter().map(|c| c.name.as_str()).collect();
        let query = format!("SELECT name FROM pragma_table_info('{}')", view.name);
        assert_eq!(columns, column(&db, &query), "{}", view.name);
    }
}

#[test]
fn every_table_and_index_is_documented() {
    // An index without a text of its own is that of a key.
    let (_folder, _db, names) = names("sql IS NOT NULL");
    let page = document("docs/schema.md");
    assert!(names.iter().any(|name| name == "process_created"));
    for name in names {
        assert!(
            page.contains(&format!("`{name}`"))
                || page.contains(&format!("**{name}**"))
                || page.contains(&format!("### {name}")),
            "{name}"
        );
    }
}

#[test]
fn the_page_tells_the_schema_version() {
    let said = format!("the number of the last migration, {SCHEMA_VERSION} today");
    assert!(document("docs/schema.md").contains(&said), "{said}");
}

#[cfg(feature = "cli")]
#[test]
fn the_readme_names_every_command_and_no_other() {
    use std::collections::BTreeSet;

    let help = std::process::Command::new(env!("CARGO_BIN_EXE_prochist"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands: BTreeSet<String> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|command| *command != "help")
        .map(str::to_owned)
        .collect();
    let readme = document("README.md");
    let named: BTreeSet<String> = readme
        .split("## Commands")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', ' ']).next())
        .map(str::to_owned)
        .collect();
    assert!(commands.len() >= 12, "{help}");
    assert_eq!(named, commands);
}

/// Every command that answers as JSON, in all its ways.
#[cfg(feature = "cli")]
const ANSWERS: [&[&str]; 29] = [
    &["lifetimes", "--by", "app,region,deployment,day,hour"],
    &["lifetimes", "--zombies"],
    &["lifetimes", "--longer-than", "1s"],
    &["lifetimes", "--region", "nowhere"],
    &["failures"],
    &["failures", "--compare", "7..8"],
    &["failures", "--bursts"],
    &["failures", "--since", "2024-05-01"],
    &["ports"],
    &["ports", "--by", "host"],
    &["ports", "--within", "1h"],
    &["ports", "--conflicts"],
    &["ports", "--endpoint", "h1:31000"],
    &[
        "ports",
        "--endpoint",
        "h1:31000",
        "--at",
        "2024-05-01T10:30:00Z",
    ],
    &["concurrency", "--by", "hour"],
    &["usage"],
    &["rooms"],
    &["rollout"],
    &["rollout", "--over-time"],
    &["at", "2024-05-01T11:45:00Z"],
    &["at", "2024-05-01T11:45:00Z", "--by", "region"],
    &["coverage"],
    &["status"],
    &["history", "p01"],
    &["history", "p02"],
    &["sql", "SELECT 1 AS rows"],
    &["sql", "--schema"],
    &["config"],
    &["import", "looks.ndjson"],
];

/// The keys of an answer, those of its rows and of what is in them included, unless they are texts of
/// a query or a record.
#[cfg(feature = "cli")]
fn keys(value: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key.clone());
                // Of these, the keys are reasons and what the API sends.
                if !matches!(
                    key.as_str(),
                    "excluded" | "exposed_port" | "additional_exposed_ports" | "extra"
                ) {
                    keys(value, found);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[cfg(feature = "cli")]
#[test]
fn every_key_of_an_answer_is_documented() {
    use std::collections::BTreeSet;

    use prochist::history::{CoverageGap, Row, RunRow};

    let place = fleet::recorded();
    let of_envelope = document("docs/json.md");
    let of_rows = [
        of_envelope.as_str(),
        &document("docs/definitions.md"),
        &document("docs/schema.md"),
    ]
    .concat();
    // What is told of one side of a comparison is told of the other.
    let is_in = |page: &str, key: &str| {
        let of_one = key.strip_prefix("other_").unwrap_or(key);
        page.contains(&format!("`{of_one}`"))
    };
    let mut missing = BTreeSet::new();
    for args in ANSWERS {
        let answer = place.json(args);
        for (key, value) in answer.as_object().unwrap() {
            let mut inside = BTreeSet::new();
            keys(value, &mut inside);
            let page = match key.as_str() {
                "rows" => &of_rows,
                "excluded" => continue,
                _ => &of_envelope,
            };
            let inside = inside.iter().filter(|key| !is_in(page, key));
            missing.extend(inside.map(|inner| format!("{key}.{inner} of {args:?}")));
            if !is_in(&of_envelope, key) && args[0] != "import" {
                missing.insert(format!("{key} of {args:?}"));
            }
        }
    }
    for field in CoverageGap::FIELDS.iter().chain(RunRow::FIELDS) {
        if !is_in(&of_envelope, field) {
            missing.insert((*field).to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The page's example is what the command says there.
#[cfg(feature = "cli")]
#[test]
fn the_example_of_json_is_an_answer() {
    let place = fleet::recorded();
    let page = document("docs/json.md");
    let block = |language: &str| {
        let begin = page.split(&format!("```{language}\n")).nth(1).unwrap();
        begin.split("```").next().unwrap().trim().to_owned()
    };
    let command = block("sh");
    let args: Vec<&str> = command.split_whitespace().skip(1).collect();
    let ran = place.run(&args).ok();
    assert_eq!(ran.stdout.trim(), block("json"));
}

/// Each row of the page's table names the test that counted it.
#[test]
fn the_tests_that_the_page_of_reliability_names_are_there() {
    let page = document("docs/reliability.md");
    let tests = code();
    let is_name =
        |word: &&str| word.len() > 20 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "{name}");
    }
}

/// The lines of the map, and whether each file and folder of the source is on one of them.
#[test]
fn the_map_has_every_file() {
    let page = document("docs/architecture.md");
    let map = page.split("```text\n").nth(1).unwrap();
    let map = map.split("```").next().unwrap();
    // A folder's lines go on until the next folder of the source.
    let mut places: Vec<(String, String)> = Vec::new();
    for line in map.lines() {
        match line.split_whitespace().next() {
            Some(folder) if !line.starts_with(' ') => {
                places.push((folder.to_owned(), line.to_owned()));
            }
            _ => places.last_mut().unwrap().1.push_str(line),
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for (folder, lines) in &places {
        let words: Vec<&str> = lines
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .collect();
        let Ok(entries) = fs::read_dir(root.join(folder)) else {
            assert!(root.join(folder).exists(), "{folder} is not there");
            continue;
        };
        if folder == "migrations/" {
            continue;
        }
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let stem = name.split('.').next().unwrap_or_default();
            if stem != "mod" && !words.contains(&stem) {
                missing.push(format!("{folder}{name}"));
            }
        }
    }
    for entry in fs::read_dir(root.join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let place = places
            .iter()
            .find(|(folder, _)| folder.trim_end_matches('/') == format!("src/{name}"));
        if place.is_none() && !matches!(name.as_str(), "lib.rs" | "main.rs") {
            missing.push(format!("src/{name}"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The page on security claims nothing without a test that shows it.
#[test]
fn the_tests_that_security_names_are_there() {
    let page = document("SECURITY.md");
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.matches('_').count() >= 3 && !name.contains([' ', '=']))
        .collect();
    assert!(named.len() >= 25, "{named:#?}");
    let code = code();
    let is_missing = |name: &&&str| !code.contains(&format!("fn {name}("));
    let missing: Vec<&&str> = named.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// All of the source and of the tests.
fn code() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests")];
    let mut code = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                code.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    code
}
