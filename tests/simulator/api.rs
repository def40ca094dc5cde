//! The API over HTTP: what it shows, what it hides, and what it refuses.

use std::sync::{Arc, Mutex};

use prochist::model::Process;
use prochist::simulator::{
    Fleet, FleetConfig, ManualClock, ServeError, Server, ServerConfig, Stage,
};
use reqwest::StatusCode;
use serde_json::Value;

use crate::{HOUR_MS, MINUTE_MS, start};

pub const TOKEN: &str = "simulated-token";

/// A server over a fleet that keeps its history, and the hand of its clock.
pub struct Simulated {
    pub fleet: Arc<Mutex<Fleet>>,
    pub clock: ManualClock,
    pub server: Server,
}

impl Simulated {
    pub fn start(seed: u64, concurrent: usize) -> Self {
        let fleet = Arc::new(Mutex::new(Fleet::new(FleetConfig {
            keep_history: true,
            ..FleetConfig::new(seed, concurrent, start())
        })));
        let clock = ManualClock::new(start());
        let server = Server::start(ServerConfig::local(TOKEN), fleet.clone(), clock.clock())
            .expect("loopback is free");
        Self {
            fleet,
            clock,
            server,
        }
    }

    fn get(&self, path: &str) -> (StatusCode, Value) {
        get(&self.url(path), Some(TOKEN))
    }

    fn url(&self, path: &str) -> String {
        let base = self.server.base_url();
        format!("{base}/processes/v2/{}/{path}", self.server.app_id())
    }

    fn list(&self, query: &str) -> Vec<Process> {
        let (code, rows) = self.get(&format!("list/latest{query}"));
        assert_eq!(code, StatusCode::OK);
        serde_json::from_value(rows).expect("an array of ProcessV2")
    }
}

fn get(url: &str, token: Option<&str>) -> (StatusCode, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut request = reqwest::Client::new().get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("an answer");
        let code = response.status();
        (code, response.json().await.expect("JSON, errors too"))
    })
}

#[test]
fn errors_carry_a_message() {
    let api = Simulated::start(1, 5);
    let base = api.server.base_url();
    let list = api.url("list/latest");
    for (url, token, code) in [
        (list.clone(), None, 401),
        (list.clone(), Some("other"), 401),
        (
            format!("{base}/processes/v2/app-0/list/latest"),
            Some(TOKEN),
            404,
        ),
        (
            format!("{base}/processes/v2/app-0/info/x"),
            Some(TOKEN),
            404,
        ),
        (format!("{base}/processes/v2/app-0/count"), Some(TOKEN), 404),
        (format!("{base}/processes/v9"), Some(TOKEN), 404),
        (api.url("info/x"), Some(TOKEN), 404),
        (format!("{list}?status=asleep"), Some(TOKEN), 422),
        (
            format!("{list}?status=running&region=Atlantis"),
            Some(TOKEN),
            422,
        ),
        (api.url("count?region=tokyo"), Some(TOKEN), 422),
    ] {
        let (got, body) = get(&url, token);
        assert_eq!(got.as_u16(), code, "{url}");
        assert!(body["message"].is_string(), "{url}: {body}");
    }
    assert_eq!(api.server.requests(), 10);
    assert!(!format!("{:?}", api.server).contains(TOKEN));
}

#[test]
fn a_list_shows_the_ten_newest_that_match_newest_first() {
    let api = Simulated::start(2, 100);
    api.clock.advance_millis(3 * HOUR_MS);
    for query in [
        "",
        "?status=running",
        "?status=stopped&status=failed",
        "?region=Seattle&region=Los_Angeles&status=starting&status=running",
        "?unknown=key",
    ] {
        let rows = api.list(query);
        let fleet = api.fleet.lock().expect("not poisoned");
        let now = fleet.now();
        let values = |key: &str| -> Vec<String> {
            let pairs = query.trim_start_matches('?').split('&');
            let pairs = pairs.filter_map(|pair| pair.split_once('='));
            pairs
                .filter(|p| p.0 == key)
                .map(|p| p.1.to_owned())
                .collect()
        };
        let (statuses, regions) = (values("status"), values("region"));
        let expected: Vec<Process> = fleet
            .truth()
            .iter()
            .rev()
            .filter(|story| story.terminated_at > now.plus_millis(-HOUR_MS))
            .filter_map(|story| story.at(now))
            .filter(|p| statuses.is_empty() || statuses.contains(&p.status))
            .filter(|p| regions.is_empty() || regions.contains(&p.region))
            .take(10)
            .collect();
        assert_eq!(rows, expected, "{query}");
        assert!(!rows.is_empty());
        assert!(rows.is_sorted_by(|a, b| a.created_at >= b.created_at));
    }
    assert_eq!(api.list("").len(), 10);
}

#[test]
fn a_count_agrees_with_the_truth() {
    let api = Simulated::start(3, 60);
    let now = api.clock.advance_millis(2 * HOUR_MS);
    let (_, counted) = api.get("count?status=running&status=draining&region=Seattle");
    let fleet = api.fleet.lock().expect("not poisoned");
    let running = fleet.truth().iter().filter(|story| {
        matches!(story.stage_at(now), Some(Stage::Running | Stage::Draining))
            && &*story.region == "Seattle"
    });
    assert_eq!(counted, serde_json::json!({ "count": running.count() }));
}

#[test]
fn an_ended_process_is_known_until_it_is_forgotten() {
    let api = Simulated::start(4, 20);
    let newest = api.list("").remove(0);
    let path = format!("info/{}", newest.process_id);
    let story = {
        let fleet = api.fleet.lock().expect("not poisoned");
        fleet.info(&newest.process_id).expect("remembered").clone()
    };
    for time in [
        story.terminated_at.plus_millis(-1),
        story.terminated_at,
        story.terminated_at.plus_millis(HOUR_MS - 1),
    ] {
        api.clock.set(time);
        let (code, body) = api.get(&path);
        assert_eq!(code, StatusCode::OK, "{time}");
        let process: Process = serde_json::from_value(body).expect("a ProcessV2");
        assert_eq!(Some(process), story.at(time));
    }
    api.clock.set(story.terminated_at.plus_millis(HOUR_MS));
    assert_eq!(api.get(&path).0, StatusCode::NOT_FOUND);
    api.clock.set(start().plus_millis(MINUTE_MS));
    assert_eq!(api.get(&path).0, StatusCode::NOT_FOUND, "never backwards");
}

#[test]
fn only_loopback_is_listened_on_unless_more_is_allowed() {
    let fleet = Arc::new(Mutex::new(Fleet::new(FleetConfig::new(1, 1, start()))));
    let clock = ManualClock::new(start()).clock();
    let config = |listen: &str, allow_remote| ServerConfig {
        listen: listen.parse().expect("an address"),
        allow_remote,
        ..ServerConfig::local(TOKEN)
    };
    let refused = Server::start(config("0.0.0.0:0", false), fleet.clone(), clock.clone());
    assert!(matches!(refused, Err(ServeError::NotLoopback(_))));

    let first = Server::start(config("127.0.0.1:0", false), fleet.clone(), clock.clone())
        .expect("loopback is free");
    let taken = first.base_url().replace("http://", "");
    let second = Server::start(config(&taken, false), fleet.clone(), clock.clone());
    assert!(matches!(second, Err(ServeError::Listen { .. })));
    drop(first);
    let third = Server::start(config(&taken, false), fleet, clock);
    assert!(third.is_ok(), "a dropped server has let go of its port");
}
