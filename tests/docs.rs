//! What the documents say of views, columns and commands is what there is.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{dump, open};
use prochist::Store;
use tempfile::TempDir;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The columns of each view or table that has a heading of its own, in the order of the page.
fn documented() -> BTreeMap<String, Vec<String>> {
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut of = String::new();
    for line in document("docs/schema.md").lines() {
        if let Some(heading) = line.strip_prefix('#') {
            of = heading.trim_start_matches('#').trim().to_owned();
        } else if let Some(column) = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split('`').next())
        {
            columns
                .entry(of.clone())
                .or_default()
                .push(column.to_owned());
        }
    }
    columns
}

#[test]
fn every_column_of_every_view_is_documented_in_its_place() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    drop(Store::open(&path).unwrap());
    let db = open(&path);
    let documented = documented();
    for view in [
        "processes",
        "process_versions",
        "port_holds",
        "lifetimes",
        "sync_runs",
        "gaps",
        "watermarks",
        "set_aside",
    ] {
        let columns: Vec<String> = dump(
            &db,
            &format!("SELECT name FROM pragma_table_info('{view}')"),
        )
        .lines()
        .map(|line| line.trim().trim_start_matches("name=").to_owned())
        .collect();
        assert!(!columns.is_empty(), "{view}");
        assert_eq!(documented.get(view), Some(&columns), "{view}");
    }
}

#[test]
fn every_table_is_documented() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    drop(Store::open(&path).unwrap());
    let page = document("docs/schema.md");
    for line in dump(
        &open(&path),
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')",
    )
    .lines()
    {
        let name = line.trim().trim_start_matches("name=");
        assert!(
            page.contains(&format!("`{name}`"))
                || page.contains(&format!("**{name}**"))
                || page.contains(&format!("### {name}")),
            "{name}"
        );
    }
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
