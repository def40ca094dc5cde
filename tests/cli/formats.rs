//! Every question in every format, and what the formats promise.

use serde_json::{Value, json};

use crate::fleet::recorded;
use crate::place::Place;

const LIFETIMES: &[&str] = &[
    "phase",
    "n",
    "censored",
    "lost",
    "delayed",
    "mean_ms",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "max_ms",
    "survival_p50_ms",
    "survival_p90_ms",
    "survival_until_ms",
];
const FAILURES: &[&str] = &[
    "ended",
    "failed",
    "failed_before_start",
    "lost",
    "open",
    "rate",
    "rate_low",
    "rate_high",
];

struct Case {
    args: &'static [&'static str],
    question: &'static str,
    /// Those that the design promises; a row may have more.
    fields: Vec<&'static str>,
    /// What the JSON object has beside the envelope.
    extras: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let case = |args, question, fields: &[&'static str]| Case {
        args,
        question,
        fields: fields.to_vec(),
        extras: &[],
    };
    let grouped = [
        &["app_id", "region", "deployment_id", "day", "hour"],
        FAILURES,
    ]
    .concat();
    vec![
        case(&["lifetimes"], "lifetimes", LIFETIMES),
        case(
            &["lifetimes", "--by", "region"],
            "lifetimes",
            &[&["region"], LIFETIMES].concat(),
        ),
        case(&["failures"], "failures", FAILURES),
        case(
            &["failures", "--by", "app,region,deployment,day,hour"],
            "failures",
            &grouped,
        ),
        case(
            &["ports"],
            "ports",
            &[
                "host",
                "port",
                "transport",
                "holds",
                "reuses",
                "overlaps",
                "min_gap_ms",
                "median_gap_ms",
            ],
        ),
        case(
            &["ports", "--by", "host"],
            "ports",
            &[
                "host",
                "holds",
                "reuses",
                "overlaps",
                "min_gap_ms",
                "median_gap_ms",
            ],
        ),
        case(
            &["ports", "--endpoint", "h1:31000"],
            "ports",
            &["process_id", "held_from", "held_until", "gap_ms"],
        ),
        case(
            &[
                "ports",
                "--endpoint",
                "h1:31000",
                "--at",
                "2024-05-01T10:50:00Z",
            ],
            "ports",
            &["process_id", "held_from", "held_until", "gap_ms"],
        ),
        case(
            &["at", "2024-05-01T12:25:00Z"],
            "at",
            &[
                "process_id",
                "app_id",
                "region",
                "deployment_id",
                "state",
                "since",
            ],
        ),
        case(
            &["lifetimes", "--longer-than", "30m"],
            "lifetimes",
            &["process_id", "outcome", "lifetime_ms", "age_so_far_ms"],
        ),
        case(
            &["lifetimes", "--zombies"],
            "lifetimes",
            &["process_id", "outcome", "last_seen_at"],
        ),
        case(
            &["failures", "--compare", "7..8"],
            "failures",
            &[
                "app_id",
                "deployment_id",
                "other_deployment_id",
                "difference",
                "fisher_p",
                "says",
            ],
        ),
        case(
            &["ports", "--within", "6m"],
            "ports",
            &["process_id", "gap_ms"],
        ),
        case(
            &["ports", "--conflicts"],
            "ports",
            &[
                "process_id",
                "other_process_id",
                "since",
                "until",
                "shared_ms",
            ],
        ),
        case(
            &["at", "2024-05-01T12:25:00Z", "--by", "app"],
            "at",
            &["app_id", "processes", "starting", "running", "stopping"],
        ),
        case(
            &["concurrency", "--by", "hour"],
            "concurrency",
            &["hour", "at", "running"],
        ),
        case(
            &["usage", "--by", "day"],
            "usage",
            &["day", "processes", "process_ms"],
        ),
        case(
            &["rooms", "--by", "app"],
            "rooms",
            &[
                "app_id",
                "allocated_ms",
                "capacity_ms",
                "utilization",
                "peak_allocated",
                "peak_at",
            ],
        ),
        case(
            &["rollout"],
            "rollout",
            &[
                "app_id",
                "new_first_started_at",
                "old_last_ended_at",
                "old_survived_ms",
            ],
        ),
        case(
            &["rollout", "8", "--over-time"],
            "rollout",
            &["app_id", "at", "old_running", "new_running", "share"],
        ),
        Case {
            extras: &[
                "run_results",
                "troubled_runs",
                "last_complete_sync",
                "failed_syncs_in_a_row",
                "hidden_at_least",
                "longest_safe_interval_ms",
                "watermarks",
            ],
            ..case(
                &["coverage"],
                "coverage",
                &["since", "until", "filter", "hidden_at_least", "reason"],
            )
        },
        case(
            &["status"],
            "status",
            &["database", "size_bytes", "schema_version", "open", "gaps"],
        ),
        Case {
            extras: &["process_id", "outcome", "phases", "endpoints"],
            ..case(
                &["history", "p01"],
                "history",
                &["version", "first_seen_at", "last_seen_at", "changed"],
            )
        },
        Case {
            extras: &["cut"],
            ..case(
                &[
                    "sql",
                    "SELECT process_id, outcome FROM processes ORDER BY 1",
                ],
                "sql",
                &["process_id", "outcome"],
            )
        },
        Case {
            extras: &["views"],
            ..case(
                &["sql", "--schema", "gaps"],
                "schema",
                &["view", "column", "type", "meaning"],
            )
        },
    ]
}

fn run(place: &Place, case: &Case, format: &str) -> String {
    place
        .run(&[case.args, &["--format", format]].concat())
        .ok()
        .stdout
}

/// Whether a value is of the kind that its field's name promises.
fn is_of_its_kind(field: &str, value: &Value) -> bool {
    let is_time = |value: &Value| {
        value.as_str().is_some_and(|text| {
            text.len() == "2024-05-01T00:00:00.000Z".len() && text.ends_with('Z')
        })
    };
    match field {
        "n"
        | "censored"
        | "delayed"
        | "ended"
        | "failed"
        | "failed_before_start"
        | "lost"
        | "open"
        | "holds"
        | "reuses"
        | "overlaps"
        | "version"
        | "size_bytes"
        | "schema_version"
        | "gaps"
        | "port" => value.is_u64(),
        "rate" | "rate_low" | "rate_high" | "utilization" | "share" | "difference" | "fisher_p" => {
            value.is_null() || value.is_number()
        }
        "hidden_at_least" => value.is_null() || value.is_u64(),
        "deployment_id" | "other_deployment_id" => value.is_i64() || value.is_string(),
        "processes" | "starting" | "running" | "stopping" | "old_running" | "new_running"
        | "peak_allocated" => value.is_u64(),
        "held_until" | "peak_at" | "old_last_ended_at" => value.is_null() || is_time(value),
        "at" | "since" | "until" | "held_from" | "first_seen_at" | "last_seen_at" | "hour" => {
            is_time(value)
        }
        "changed" => value.is_array(),
        field if field.ends_with("_ms") => value.is_null() || value.is_i64(),
        _ => value.is_string(),
    }
}

#[test]
fn json_is_one_object_with_a_fixed_envelope_and_documented_fields() {
    let place = recorded();
    for case in cases() {
        let whole: Value = serde_json::from_str(&run(&place, &case, "json")).unwrap();
        let mut keys: Vec<&str> = whole
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = vec!["question", "window", "coverage", "excluded", "rows"];
        expected.extend(case.extras);
        keys.sort_unstable();
        expected.sort_unstable();
        assert_eq!(keys, expected, "{:?}", case.args);
        assert_eq!(whole["question"], case.question);
        let keys_of = |part: &str| -> Vec<&str> {
            whole[part]
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect()
        };
        assert_eq!(keys_of("window"), ["since", "until"]);
        assert_eq!(
            keys_of("coverage"),
            ["from", "to", "runs", "gaps", "watched", "unwatched"]
        );
        let rows = whole["rows"].as_array().unwrap();
        assert_eq!(
            rows.is_empty(),
            case.question == "coverage",
            "{:?}",
            case.args
        );
        for row in rows {
            for field in &case.fields {
                let value = row.get(field).unwrap_or_else(|| panic!("{field} of {row}"));
                assert!(is_of_its_kind(field, value), "{field} of {row}");
            }
        }
    }
}

#[test]
fn ndjson_has_the_same_rows_one_a_line() {
    let place = recorded();
    for case in cases() {
        let lines: Vec<Value> = run(&place, &case, "ndjson")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            json!(lines),
            json!(place.rows(case.args)),
            "{:?}",
            case.args
        );
    }
}

#[test]
fn csv_has_a_header_and_the_same_values() {
    let place = recorded();
    for case in cases() {
        let text = run(&place, &case, "csv");
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
        for field in &case.fields {
            assert!(header.iter().any(|h| h == field), "{field} in {header:?}");
        }
        let rows = place.rows(case.args);
        let records: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), rows.len());
        for (record, row) in records.iter().zip(&rows) {
            for (field, value) in header.iter().zip(record) {
                let expected = match &row[field] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    // Reading a fraction may cost it its last digit.
                    Value::Number(n) if n.is_f64() => {
                        let off = value.parse::<f64>().unwrap() - n.as_f64().unwrap();
                        assert!(off.abs() < 1e-15, "{field} of {row}");
                        continue;
                    }
                    other => other.to_string(),
                };
                assert_eq!(value, expected, "{field} of {row}");
            }
        }
    }
}

#[test]
fn an_empty_answer_still_names_its_columns() {
    let place = recorded();
    let nobody = ["--app", "nobody"];
    for (args, header) in [
        (&["lifetimes"][..], LIFETIMES.join(",")),
        (
            &["failures", "--by", "day,region"],
            format!("day,region,{}", FAILURES.join(",")),
        ),
        (
            &["ports"],
            "host,port,transport,holds,reuses,overlaps,min_gap_ms,p10_gap_ms,median_gap_ms,p90_gap_ms,\
             max_gap_ms"
                .to_owned(),
        ),
        (
            &["ports", "--by", "host"],
            "host,holds,reuses,overlaps,min_gap_ms,p10_gap_ms,median_gap_ms,p90_gap_ms,max_gap_ms"
                .to_owned(),
        ),
        (
            &["at", "2024-05-01T12:25:00Z"],
            "process_id,app_id,region,deployment_id,state,since".to_owned(),
        ),
        (
            &["coverage"],
            "since,until,filter,hidden_at_least,reason".to_owned(),
        ),
    ] {
        let args = [args, &nobody].concat();
        let csv = place.run(&[&args[..], &["--format", "csv"]].concat()).ok();
        assert_eq!(csv.stdout, format!("{header}\n"), "{args:?}");
        let markdown = place
            .run(&[&args[..], &["--format", "markdown"]].concat())
            .ok();
        assert_eq!(markdown.stdout.lines().count(), 2, "{args:?}");
        assert_eq!(place.rows(&args), [] as [Value; 0], "{args:?}");
        let ndjson = place
            .run(&[&args[..], &["--format", "ndjson"]].concat())
            .ok();
        assert_eq!(ndjson.stdout, "", "{args:?}");
    }
    let csv = place.run(&[
        "sql",
        "SELECT 1 AS a, 2 AS b WHERE FALSE",
        "--format",
        "csv",
    ]);
    assert_eq!(csv.ok().stdout, "a,b\n");
}

#[test]
fn markdown_is_a_table() {
    let place = recorded();
    for case in cases() {
        let text = run(&place, &case, "markdown");
        let lines: Vec<&str> = text.lines().collect();
        let width = lines[0].matches(" |").count();
        assert!(width > 0, "{text}");
        assert_eq!(lines[1], format!("|{}", " --- |".repeat(width)), "{text}");
        assert_eq!(lines.len() - 2, place.rows(case.args).len(), "{text}");
        for line in lines {
            assert!(line.starts_with("| ") && line.ends_with(" |"), "{line}");
            assert_eq!(line.matches(" |").count(), width, "{line}");
        }
    }
    let text = place
        .run(&["sql", "SELECT 'a|b' AS x", "--format", "markdown"])
        .ok()
        .stdout;
    assert_eq!(text, "| x |\n| --- |\n| a\\|b |\n");
}

#[test]
fn a_table_in_a_pipe_is_plain_text_and_says_what_it_rests_on() {
    let place = recorded();
    for case in cases() {
        let ran = place.run(case.args).ok();
        assert!(ran.stdout.lines().count() > 1, "{ran:?}");
        let drawn = |c: char| c == '\u{1b}' || ('\u{2500}'..='\u{257f}').contains(&c);
        assert!(!ran.stdout.contains(drawn), "{}", ran.stdout);
        assert!(!ran.stderr.contains(drawn), "{}", ran.stderr);
        assert!(
            ran.stdout.lines().all(|line| !line.ends_with(' ')),
            "{}",
            ran.stdout
        );
    }
    let ran = place.run(&["failures", "--by", "deployment"]).ok();
    assert_eq!(
        ran.stdout,
        concat!(
            " deployment id  ended  failed  failed before start  lost  open    rate  rate low  rate high\n",
            "             7      3       2                    1     0     0   66.7%     20.8%      93.9%\n",
            "             8      3       1                    0     0     1   33.3%      6.1%      79.2%\n",
            "             9      1       1                    0     0     1  100.0%     20.7%     100.0%\n",
            "      dep-blue      1       0                    0     1     1    0.0%      0.0%      79.3%\n",
        )
    );
    assert_eq!(
        ran.stderr,
        "recorded 2024-05-01T10:30:00.000Z to 2024-05-01T12:45:00.000Z, 2 runs in the window\n"
    );
    let ran = place
        .run(&["lifetimes", "--since", "2024-05-01T12:00:00Z"])
        .ok();
    assert_eq!(
        ran.stdout.lines().nth(1).unwrap(),
        " provisioning  1         1        0  5.0s  5.0s  5.0s  5.0s  5.0s          5.0s  –             █"
    );
    assert_eq!(
        ran.stderr.lines().skip(1).collect::<Vec<_>>(),
        [
            "excluded: 1 × lifetime: no end time",
            "excluded: 1 × serving: no end time",
            "excluded: 1 × stopping: never told to stop",
            "warning: nothing has looked since 2024-05-01T12:45:00.000Z",
            "censored: still in the phase when last seen",
            "no survival percentile (–) where too many were not seen to end",
        ]
    );
}

#[test]
fn a_table_for_people_shows_one_process_whole() {
    let ran = recorded().run(&["history", "p06"]).ok();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "process p06 · stopped",
            "app b · region London · deployment dep-blue",
            "provisioning 5.0s · serving 9m 55s · lifetime 10m 00s",
            "held h2:72941/tcp from 2024-04-30T23:55:05.000Z until 2024-05-01T00:05:00.000Z",
        ]
    );
    assert!(lines[6].ends_with("h2:72941/tls"), "{lines:?}");
}

/// Whoever reads the output may have seen enough at any time.
#[test]
fn a_closed_pipe_is_no_error() {
    let place = recorded();
    let questions: Vec<&[&str]> = vec![
        &["lifetimes"],
        &["lifetimes", "--format", "json"],
        &["lifetimes", "--format", "ndjson"],
        &["lifetimes", "--format", "csv"],
        &["lifetimes", "--format", "markdown"],
        &["history", "p01"],
        &["status"],
        &["coverage"],
        &["sql", "SELECT * FROM processes"],
        &["sql", "SELECT * FROM processes", "--format", "csv"],
        &["sql", "SELECT * FROM processes", "--format", "json"],
        &["sql", "SELECT * FROM processes", "--format", "ndjson"],
        &["sql", "SELECT * FROM processes", "--format", "markdown"],
        &["sql", "--schema"],
        &["simulate", "--archive", "-", "--hours", "1"],
        &["--help"],
    ];
    for args in questions {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.command(args).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !said.contains("error") && !said.contains("panic"),
            "{args:?}: {said}"
        );
    }
    // As in `prochist … 2>&1 | head -1`.
    for (args, code) in [(&["lifetimes"][..], 0), (&["history", "nobody"], 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = place
            .command(args)
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn help_and_version() {
    let place = Place::new();
    let version = place.run(&["--version"]).ok().stdout;
    assert_eq!(version, format!("prochist {}\n", env!("CARGO_PKG_VERSION")));
    let help = place.run(&["--help"]).ok().stdout;
    for command in [
        "sync",
        "import",
        "history",
        "at",
        "lifetimes",
        "failures",
        "ports",
        "coverage",
        "status",
        "sql",
        "simulate",
        "config",
        "demo",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command} in {help}"
        );
        let ran = place.run(&[command, "--help"]).ok();
        assert!(ran.stdout.contains("Usage: prochist"), "{ran:?}");
        assert_eq!(ran.stderr, "");
    }
    assert!(
        !place.database().exists(),
        "asking for help makes no database"
    );
}
