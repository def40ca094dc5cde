//! What the command says for each query, in the query's order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::place::Place;
use crate::record::{Asked, LONGER_THAN_MS, WITHIN_MS};

pub struct Counterpart {
    /// The name of the query.
    pub query: &'static str,
    /// The rows that it must have.
    pub rows: fn(&Place, &Asked) -> Vec<Value>,
}

const fn same(query: &'static str, rows: fn(&Place, &Asked) -> Vec<Value>) -> Counterpart {
    Counterpart { query, rows }
}

pub const COUNTERPARTS: &[Counterpart] = &[
    same("the holder at a moment", |place, about| {
        holders(place, about, "--at")
    }),
    same("its holders from a moment on", |place, about| {
        holders(place, about, "--since")
    }),
    same("reuse by endpoint", |place, about| {
        within(place, about, &["ports"])
    }),
    same("reuse by host", |place, about| {
        within(place, about, &["ports", "--by", "host"])
    }),
    same("taken too soon", |place, about| {
        within(
            place,
            about,
            &["ports", "--within", &format!("{WITHIN_MS}ms")],
        )
    }),
    same("conflicts", |place, about| {
        within(place, about, &["ports", "--conflicts"])
    }),
    same("the phases of one", |place, about| {
        let answer = place.json(&["history", &about.process_id]);
        let mut phases = answer["phases"].clone();
        phases["outcome"] = answer["outcome"].clone();
        vec![phases]
    }),
    same("the versions of one", |place, about| {
        ask(place, &["history", &about.process_id])
    }),
    same("longer than", |place, about| {
        within(
            place,
            about,
            &["lifetimes", "--longer-than", &format!("{LONGER_THAN_MS}ms")],
        )
    }),
    same("time to ready by deployment", |place, about| {
        ready(within(place, about, &["lifetimes", "--by", "deployment"]))
    }),
    same("time to ready by day", |place, about| {
        ready(within(place, about, &["lifetimes", "--by", "day"]))
    }),
    same("failures by region", |place, about| {
        within(place, about, &["failures", "--by", "region"])
    }),
    same("how each ended", how_each_ended),
    same("two deployments", two_deployments),
    same("the old in a roll-out", |place, about| {
        let of = format!("{}..{}", about.old, about.new);
        ask(place, &["rollout", &of, "--app", &about.app])
    }),
    same("ends in five minutes", ends_in_five_minutes),
    same("zombies", |place, _| {
        ask(place, &["lifetimes", "--zombies"])
    }),
    same("billed by day", |place, about| {
        let mut rows = within(
            place,
            about,
            &["usage", "--by", "app,region,deployment,day"],
        );
        for row in &mut rows {
            let hours = row["process_ms"].as_f64().unwrap() / 3_600_000.0;
            row["process_hours"] = json!((hours * 100.0).round() / 100.0);
        }
        rows
    }),
    same("the peak by region", |place, about| {
        within(place, about, &["concurrency", "--by", "region"])
    }),
    same("the peak by hour", |place, about| {
        within(place, about, &["concurrency", "--by", "hour"])
    }),
    same("the fleet at a moment", |place, about| {
        ask(place, &["at", &about.at])
    }),
    same("rooms by hour", |place, about| {
        let mut rows = within(place, about, &["rooms", "--by", "hour"]);
        rows.retain(|row| row["capacity_ms"] != 0);
        rows
    }),
    same("the period", |place, _| {
        vec![place.json(&["coverage"])["coverage"].clone()]
    }),
    same("gaps", |place, _| ask(place, &["coverage"])),
    same("pauses", |place, _| {
        list(&place.json(&["coverage"])["coverage"]["unwatched"])
    }),
    same("runs in trouble", |place, _| {
        list(&place.json(&["coverage"])["troubled_runs"])
    }),
];

fn ask(place: &Place, args: &[&str]) -> Vec<Value> {
    place.rows(args)
}

fn within(place: &Place, about: &Asked, args: &[&str]) -> Vec<Value> {
    ask(
        place,
        &[args, &["--since", about.since, "--until", about.until]].concat(),
    )
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

fn holders(place: &Place, about: &Asked, flag: &str) -> Vec<Value> {
    let endpoint = format!("{}:{}", about.host, about.port);
    ask(place, &["ports", "--endpoint", &endpoint, flag, &about.at])
}

/// Milliseconds of a time.
fn millis(time: &Value) -> i64 {
    let time = time.as_str().unwrap();
    time.parse::<prochist::model::UtcMillis>().unwrap().millis()
}

/// Of all phases the first, where anybody came through it.
fn ready(mut rows: Vec<Value>) -> Vec<Value> {
    rows.retain(|row| row["phase"] == "provisioning" && row["n"] != 0);
    rows
}

fn two_deployments(place: &Place, about: &Asked) -> Vec<Value> {
    let (old, new) = (about.old.to_string(), about.new.to_string());
    let args = [
        "failures",
        "--by",
        "app,deployment",
        "--deployment",
        &old,
        "--deployment",
        &new,
    ];
    let mut rows = within(place, about, &args);
    rows.retain(|row| row["ended"] != 0);
    // The comparison has the same.
    let compared = within(
        place,
        about,
        &["failures", "--compare", &format!("{old}..{new}")],
    );
    for row in &rows {
        let compared = compared.iter().find(|c| c["app_id"] == row["app_id"]);
        let compared = compared.unwrap();
        let side = if row["deployment_id"] == about.old {
            ""
        } else {
            "other_"
        };
        for field in ["ended", "failed", "rate"] {
            assert_eq!(compared[format!("{side}{field}")], row[field], "{compared}");
        }
    }
    rows
}

/// The processes one by one, whose numbers are those of `failures`.
fn how_each_ended(place: &Place, about: &Asked) -> Vec<Value> {
    let mut rows = ended(place, about);
    rows.sort_by_key(|row| {
        (
            row["how"].to_string(),
            millis(&row["ended_at"]),
            row["process_id"].to_string(),
        )
    });
    let count = |how: &str| rows.iter().filter(|row| row["how"] == how).count();
    let (before, running) = (
        count("failed before it was ready"),
        count("failed while running"),
    );
    let told = within(place, about, &["failures"]);
    let told = told
        .first()
        .cloned()
        .unwrap_or_else(|| json!({"ended": 0, "failed": 0, "failed_before_start": 0}));
    assert_eq!(told["ended"], rows.len());
    assert_eq!(told["failed"], before + running);
    assert_eq!(told["failed_before_start"], before);
    rows
}

/// Those that ended in the stretch, from what is said of each.
fn ended(place: &Place, about: &Asked) -> Vec<Value> {
    let parsed = |time: &str| {
        prochist::history::parse_when(time, prochist::model::UtcMillis::MIN)
            .unwrap()
            .millis()
    };
    let stretch = parsed(about.since)..parsed(about.until);
    let mut rows = ask(
        place,
        &[
            "sql",
            "--max-rows",
            "0",
            "SELECT * FROM processes WHERE ended_at_ms IS NOT NULL",
        ],
    );
    rows.retain(|row| stretch.contains(&row["ended_at_ms"].as_i64().unwrap()));
    for row in &mut rows {
        let how = match (row["outcome"].as_str(), row["started_at"].is_null()) {
            (Some("stopped"), _) => "ended well",
            (_, true) => "failed before it was ready",
            (_, false) => "failed while running",
        };
        row["how"] = json!(how);
    }
    rows
}

/// Slot by slot, and every burst in its slots.
fn ends_in_five_minutes(place: &Place, about: &Asked) -> Vec<Value> {
    const SLOT_MS: i64 = 300_000;
    let mut slots: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for row in ended(place, about) {
        slots
            .entry(row["ended_at_ms"].as_i64().unwrap() / SLOT_MS)
            .or_default()
            .push(row);
    }
    for burst in within(place, about, &["failures", "--bursts"]) {
        let touched = millis(&burst["since"]) / SLOT_MS..=millis(&burst["until"]) / SLOT_MS;
        let n: usize = slots.range(touched).map(|(_, rows)| rows.len()).sum();
        assert!(n as u64 >= burst["n"].as_u64().unwrap(), "{burst}");
    }
    let mut rows: Vec<Value> = slots
        .iter()
        .map(|(slot, ends)| {
            let from = prochist::model::UtcMillis::from_millis(slot * SLOT_MS).unwrap();
            let count =
                |is_meant: fn(&Value) -> bool| ends.iter().filter(|row| is_meant(row)).count();
            let mut deployments: Vec<&Value> =
                ends.iter().map(|row| &row["deployment_id"]).collect();
            deployments.sort_by_key(|id| (id.as_i64(), id.to_string()));
            deployments.dedup();
            json!({
                "five_minutes_from": from.to_string(),
                "n": ends.len(),
                "failed": count(|row| row["outcome"] == "failed"),
                "told_to_stop": count(|row| !row["stopping_at"].is_null()),
            "deployment_ids": deployments,
            })
        })
        .collect();
    rows.sort_by_key(|row| {
        (
            std::cmp::Reverse(row["n"].as_u64()),
            row["five_minutes_from"].to_string(),
        )
    });
    rows
}
