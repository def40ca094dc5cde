//! A record of which every question of the cookbook has something to say: half a day of a simulated
//! fleet, half of which crashes at once, and whose archive has a pause and loses a process, after a dozen
//! made by hand with times out of order, unknown ends and ports held by two; a gap, and a run in trouble.

use prochist::model::{Extent, Gap, GapReason, UtcMillis};
use prochist::{Ending, RunKind, RunResult, Store};
use rusqlite::{Connection, types::Value as SqlValue};
use serde_json::{Value, json};

use crate::fleet;
use crate::place::Place;

/// Values for all that the pages leave open.
#[derive(Clone, Debug)]
pub struct Asked {
    pub since: &'static str,
    pub until: &'static str,
    pub at: String,
    pub host: String,
    pub port: i64,
    pub process_id: String,
    pub app: String,
    pub old: i64,
    pub new: i64,
}

pub const LONGER_THAN_MS: i64 = 3_600_000;
pub const WITHIN_MS: i64 = 300_000;

impl Asked {
    /// The value of a parameter of a query.
    pub fn value(&self, name: &str) -> SqlValue {
        match name {
            ":since" => self.since.to_owned().into(),
            ":until" => self.until.to_owned().into(),
            ":at" => self.at.clone().into(),
            ":host" => self.host.clone().into(),
            ":port" => self.port.into(),
            ":process_id" => self.process_id.clone().into(),
            ":app" => self.app.clone().into(),
            ":old" => self.old.into(),
            ":new" => self.new.into(),
            ":longer_than_ms" => LONGER_THAN_MS.into(),
            ":within_ms" => WITHIN_MS.into(),
            _ => panic!("nobody knows what {name} is"),
        }
    }

    /// A command with its words in capitals filled in.
    pub fn fill_in(&self, command: &str) -> String {
        command
            .replace("--since TIME", &format!("--since {}", self.since))
            .replace("--until TIME", &format!("--until {}", self.until))
            .replace("TIME", &self.at)
            .replace("HOST:PORT", &format!("{}:{}", self.host, self.port))
            .replace("PROCESS_ID", &self.process_id)
            .replace("A..B", &format!("{}..{}", self.old, self.new))
    }
}

/// The record, and what to ask of it; first what everything has an answer to.
pub fn recorded() -> (Place, Vec<Asked>) {
    let place = fleet::recorded();
    more_by_hand(&place);
    fleet_of_half_a_day(&place);
    a_gap(&place);
    // Torn lines: what they hold is set aside.
    for name in ["torn.ndjson", "torn-again.ndjson"] {
        place.write(name, "{\"observedAt\": \"2024-05-01T12:50:00Z\", \"proc\n");
        place.run(&["import", name]).ended(3);
    }
    let asked = asked(&place);
    (place, asked)
}

/// More holders of a port that is held still, and two odd ends.
fn more_by_hand(place: &Place) {
    let on_port = |id: &str, times: [&str; 4]| {
        let process = fleet::process(id, "a", json!(8), "Tokyo", times);
        let port = fleet::at_port("h1", 31000, "udp");
        fleet::with(process, json!({"status": "stopped", "exposedPort": port}))
    };
    let ended = |id: &str, times: [&str; 4]| {
        let process = fleet::process(id, "a", json!(8), "Tokyo", times);
        fleet::with(process, json!({"status": "stopped"}))
    };
    let look = json!({"observedAt": "2024-05-01T12:31:00Z", "processes": [
        on_port("p13", ["11:39:00", "11:40:00", "", "12:10:00"]),
        on_port("p14", ["11:59:00", "12:00:00", "", "12:05:00"]),
        // Of no length, then backward.
        on_port("p15", ["12:06:00", "12:06:10", "", "12:06:10"]),
        on_port("p16", ["12:06:30", "12:07:00", "", "12:06:50"]),
        // Started, stopped and ended at once; and one without an end of its own.
        ended("p17", ["10:20:00", "10:20:00", "10:30:00", "10:30:00"]),
        ended("p18", ["10:30:00", "10:30:10", "10:50:00", ""]),
    ]});
    place.write("more.ndjson", fleet::ndjson(&[look]));
    place.run(&["import", "more.ndjson"]).ok();
}

fn fleet_of_half_a_day(place: &Place) {
    let start = "2024-05-01T15:00:00Z";
    place
        .run(&[
            "simulate",
            "--archive",
            "whole.ndjson",
            "--start",
            start,
            "--hours",
            "14",
            "--interval",
            "2m",
            "--concurrent",
            "40",
            "--seed",
            "7",
        ])
        .ok();
    let text = std::fs::read_to_string(place.path("whole.ndjson")).unwrap();
    let mut looks: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let paused = "2024-05-01T20:00:00.000Z".."2024-05-01T21:10:00.000Z";
    looks.retain(|look| !paused.contains(&look["observedAt"].as_str().unwrap()));
    crash(&mut looks, "2024-05-02T02:30:00.000Z");
    // The oldest of those that live to the end is not shown any more for the last half hour.
    let last = looks.last().unwrap()["processes"].as_array().unwrap();
    let open = last.iter().filter(|process| process["status"] == "running");
    let oldest = open
        .min_by_key(|process| process["createdAt"].to_string())
        .unwrap();
    let gone = oldest["processId"].clone();
    let from = looks.len() - 15;
    for look in &mut looks[from..] {
        let shown = look["processes"].as_array_mut().unwrap();
        shown.retain(|process| process["processId"] != gone);
    }
    place.write("fleet.ndjson", fleet::ndjson(&looks));
    place.run(&["import", "--complete", "fleet.ndjson"]).ok();
}

/// Of those that run at a look every other one fails within a second after it; the next one shows that,
/// and later ones show them no more.
fn crash(looks: &mut [Value], time: &str) {
    let at = looks.iter().position(|look| look["observedAt"] == time);
    let (before, after) = looks.split_at_mut(at.unwrap() + 1);
    let running = before.last().unwrap()["processes"].as_array().unwrap();
    let crashed: Vec<Value> = running
        .iter()
        .filter(|process| process["status"] == "running")
        .step_by(2)
        .map(|process| process["processId"].clone())
        .collect();
    for (n, look) in after.iter_mut().enumerate() {
        let shown = look["processes"].as_array_mut().unwrap();
        shown.retain(|process| n == 0 || !crashed.contains(&process["processId"]));
        for process in shown {
            if let Some(n) = crashed.iter().position(|id| *id == process["processId"]) {
                let failed_at = time.replace(".000Z", &format!(".{:03}Z", 20 * n));
                process["status"] = json!("failed");
                process["terminatedAt"] = json!(failed_at);
                process["stoppingAt"] = Value::Null;
            }
        }
    }
}

fn a_gap(place: &Place) {
    let at = |time: &str| time.parse::<UtcMillis>().unwrap();
    let seen_at = at("2024-05-01T12:45:00Z");
    let mut store = Store::open(&place.database()).unwrap();
    let mut run = store.begin(RunKind::Library, "by hand", seen_at).unwrap();
    let mut snapshot = run.snapshot(seen_at).unwrap();
    snapshot
        .gap(&Gap {
            app_id: "a".into(),
            region: Some("Tokyo".into()),
            status: None,
            since: at("2024-05-01T12:31:00Z"),
            until: at("2024-05-01T12:44:00Z"),
            reason: GapReason::Page,
            hidden_at_least: Some(2),
        })
        .unwrap();
    snapshot.commit(&Extent::Partial).unwrap();
    run.finish(&Ending::new(seen_at, RunResult::Complete))
        .unwrap();
}

fn asked(place: &Place) -> Vec<Asked> {
    let db = Connection::open(place.database()).unwrap();
    let one = |sql: &str| {
        db.query_row(sql, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    let (host, port, at): (String, i64, String) = db
        .query_row(
            "SELECT host, port, strftime('%Y-%m-%dT%H:%M:%SZ', min(held_from_ms) / 1000 + 60, 'unixepoch')
             FROM port_holds WHERE host NOT LIKE 'h_'
             GROUP BY host, port ORDER BY count(*) DESC, host, port LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    let whole = Asked {
        since: "2024-04-30",
        until: "2024-05-03",
        at,
        host,
        port,
        process_id: one(
            "SELECT process_id FROM lifetimes WHERE stopping_ms IS NOT NULL
                         ORDER BY lifetime_ms DESC LIMIT 1",
        ),
        app: one("SELECT app_id FROM processes GROUP BY app_id ORDER BY count(*) DESC LIMIT 1"),
        old: 43,
        new: 44,
    };
    let mut asked = vec![whole.clone()];
    // Stretches that cut through lives, hours and days, and from the first roll-out to another.
    for (since, until, at) in [
        (
            "2024-05-01T17:30:01Z",
            "2024-05-02T03:17:00Z",
            "2024-05-02T01:00:00Z",
        ),
        // At whose ends something happens: a hold, an end, a creation, the end of a conflict.
        (
            "2024-05-01T11:00:00Z",
            "2024-05-01T12:00:00Z",
            "2024-05-01T11:30:00Z",
        ),
        (
            "2024-05-01T10:00:00Z",
            "2024-05-01T11:00:00Z",
            "2024-05-01T12:30:00Z",
        ),
        (
            "2024-05-01T11:00:30Z",
            "2024-05-01T11:20:10Z",
            "2024-05-01T11:00:30Z",
        ),
        (
            "2024-05-01T10:40:05Z",
            "2024-05-01T11:00:30Z",
            "2024-05-01T10:30:00Z",
        ),
        (
            "2024-05-01T11:20:10Z",
            "2024-05-01T12:05:00Z",
            "2024-05-01T12:00:04Z",
        ),
        ("2024-05-02T04:00:00Z", "9999-12-31", "2024-05-02T04:45:00Z"),
    ] {
        let (old, new) = (41, 42);
        asked.push(Asked {
            since,
            until,
            at: at.to_owned(),
            old,
            new,
            ..whole.clone()
        });
    }
    // Each of those made by hand, at moments before, within and after its holds.
    for (n, (host, port)) in [
        ("h1", 31000),
        ("h1", 31002),
        ("h2", 72941),
        ("h2", 31001),
        ("h3", 1),
    ]
    .iter()
    .enumerate()
    {
        for time in [
            "00:01:00", "11:05:00", "11:25:00", "12:00:00", "12:06:10", "12:40:00",
        ] {
            asked.push(Asked {
                at: format!("2024-05-01T{time}Z"),
                host: (*host).to_owned(),
                port: *port,
                process_id: ["p01", "p02", "p05", "p08", "p12"][n].to_owned(),
                ..whole.clone()
            });
        }
    }
    asked
}
