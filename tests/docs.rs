//! What the documents say of views, columns and commands is what there is.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

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
        names("type = 'view' AND name NOT IN ('exposed_port_json', 'process_seen')");
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
