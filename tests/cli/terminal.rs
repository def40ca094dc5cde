//! Answers on a real terminal, which says how wide it is.

use std::process::Command;

use crate::fleet::recorded;
use crate::place::{Place, Ran};

/// The command's standard output on a terminal so wide; none where no terminal can be had.
fn on_a_terminal(place: &Place, columns: usize, args: &[&str]) -> Option<String> {
    let program = assert_cmd::cargo::cargo_bin!("prochist");
    let args: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let line = format!(
        "stty cols {columns} && {} {} 2> /dev/null",
        program.display(),
        args.join(" ")
    );
    let script = Command::new("script");
    let output = place
        .started_by(script, &["-qec", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .output();
    let ran = Ran::from(output.ok()?);
    assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    Some(ran.stdout.replace('\r', ""))
}

const COMMANDS: [&[&str]; 24] = [
    &["lifetimes", "--by", "app,region,deployment"],
    &["lifetimes", "--zombies"],
    &["lifetimes", "--longer-than", "1s"],
    &["failures", "--by", "region,day"],
    &["failures", "--compare", "7..8"],
    &["failures", "--bursts"],
    &["ports"],
    &["ports", "--by", "host"],
    &["ports", "--within", "1h"],
    &["ports", "--conflicts"],
    &["ports", "--endpoint", "h1:31000"],
    &["concurrency", "--by", "hour"],
    &["usage", "--by", "app,region,deployment,day"],
    &["rooms", "--by", "hour"],
    &["rollout"],
    &["rollout", "--over-time"],
    &["at", "2024-05-01T11:45:00Z"],
    &["at", "2024-05-01T11:45:00Z", "--by", "region"],
    &["coverage"],
    &["status"],
    &["history", "p01"],
    &["sql", "SELECT * FROM processes"],
    &["sql", "SELECT process_id, created_at FROM processes"],
    &["sql", "--schema"],
];

/// No line is longer than the terminal, and whatever a pipe gets is there: a time is in one piece.
#[test]
fn every_answer_fits() {
    let place = recorded();
    for args in COMMANDS {
        // The paths of a temporary folder are as long as they are.
        let path = place.folder().display().to_string();
        let plain = place.run(args).ok().stdout;
        let times: Vec<&str> = plain
            .split_whitespace()
            .filter(|word| word.starts_with("2024-") && word.ends_with('Z'))
            .collect();
        for columns in [80, 120] {
            let Some(text) = on_a_terminal(&place, columns, args) else {
                println!("skipped: there is no `script` to make a terminal");
                return;
            };
            for line in text.lines().filter(|line| !line.contains(&path)) {
                let is_json = line.contains('{'); // a port as the API sends it has no blanks
                assert!(
                    line.chars().count() <= columns || is_json,
                    "{args:?} in {columns}:\n{text}"
                );
            }
            for time in &times {
                assert!(
                    text.contains(time),
                    "{time} of {args:?} in {columns}:\n{text}"
                );
            }
        }
    }
}

/// As many columns as there are only where they fit; else a field a line.
#[test]
fn what_is_too_wide_is_one_below_the_other() {
    let place = recorded();
    let args = ["at", "2024-05-01T11:45:00Z"];
    let Some(narrow) = on_a_terminal(&place, 40, &args) else {
        return;
    };
    assert!(narrow.contains("\n\nprocess id     p0"), "{narrow}");
    let wide = on_a_terminal(&place, 100, &args).unwrap();
    assert!(
        wide.starts_with('┌') && wide.contains("│ process id ┆ app id"),
        "{wide}"
    );
}
