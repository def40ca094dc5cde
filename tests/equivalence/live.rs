//! `sync` over HTTP against the simulated API at simulated times: ten rows a list, and an ended
//! process only for so long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use prochist::model::{Process, UtcMillis};
use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig, Story};
use prochist::source::api::{Client, Options, Token};
use prochist::sync::{Job, Limits, Stop, run};
use prochist::{RunResult, Store};
use tempfile::TempDir;

use crate::common::open;
use crate::truth::{HOUR_MS, MINUTE_MS, Run, assert_same, outcomes, recorded, runs, start};

/// How the fleet lived, and when it was looked at.
struct Synced {
    folder: TempDir,
    stories: Vec<Arc<Story>>,
    looks: Vec<UtcMillis>,
    retention_ms: i64,
}

fn sync(config: FleetConfig, look_minutes: &[i64]) -> Synced {
    let folder = TempDir::new().unwrap();
    let retention_ms = config.retention_ms;
    let fleet = Arc::new(Mutex::new(Fleet::new(FleetConfig {
        keep_history: true,
        ..config
    })));
    let clock = ManualClock::new(start());
    let server = Server::start(ServerConfig::local("t"), fleet.clone(), clock.clock()).unwrap();
    let token = Token::new("t".to_owned()).unwrap();
    let client = Client::new(&server.base_url(), token, Options::default()).unwrap();
    let app_id = server.app_id().to_owned();
    let mut store = Store::open(&folder.path().join("history.db")).unwrap();
    store.force_commits(false).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut looks = Vec::new();
    for minute in look_minutes {
        let time = start().plus_millis(minute * MINUTE_MS);
        clock.set(time);
        let job = Job {
            api: "simulated",
            apps: std::slice::from_ref(&app_id),
            limits: Limits::default(),
        };
        let ran = runtime.block_on(run(&mut store, &client, &job, &Stop::never(), || time));
        let ran = ran.unwrap();
        assert_eq!(ran.result, RunResult::Complete, "{ran:?}");
        looks.push(time);
    }
    let stories = fleet.lock().unwrap().truth().to_vec();
    Synced {
        folder,
        stories,
        looks,
        retention_ms,
    }
}

/// What a recorder with nothing but the API could come to know, worked out from the stories.
#[derive(Default)]
struct Expected {
    observed: BTreeMap<String, Vec<(UtcMillis, Process)>>,
    lost: BTreeMap<String, UtcMillis>,
    /// Creation time that a list may have hidden.
    gaps: Vec<(UtcMillis, UtcMillis)>,
}

impl Synced {
    fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("history.db")
    }

    fn remembers(&self, story: &Story, time: UtcMillis) -> bool {
        story.created_at <= time && story.terminated_at > time.plus_millis(-self.retention_ms)
    }

    fn expected(&self) -> Expected {
        let mut expected = Expected::default();
        let by_id: BTreeMap<&str, &Story> = self
            .stories
            .iter()
            .map(|story| (story.process_id.as_str(), &**story))
            .collect();
        for &time in &self.looks {
            // Stories are in order of creation.
            let page: Vec<&Story> = self
                .stories
                .iter()
                .rev()
                .map(|story| &**story)
                .filter(|story| self.remembers(story, time))
                .take(10)
                .collect();
            let known = |story: &&&Story| expected.observed.contains_key(&story.process_id);
            let oldest = page.iter().map(|story| story.created_at).min();
            if let Some(oldest) = oldest
                && page.len() == 10
                && !page.iter().any(|story| known(&story))
            {
                let newest_known = expected
                    .observed
                    .keys()
                    .map(|id| by_id[id.as_str()].created_at)
                    .filter(|created| *created < oldest)
                    .max();
                expected
                    .gaps
                    // Its end is outside, and another of the oldest's millisecond may be hidden.
                    .extend(newest_known.map(|since| (since, oldest.plus_millis(1))));
            }
            let mut asked: BTreeSet<&str> =
                page.iter().map(|story| story.process_id.as_str()).collect();
            for (id, observed) in &expected.observed {
                let has_ended = observed.last().unwrap().1.terminated_at.is_some();
                if !has_ended && !expected.lost.contains_key(id) {
                    asked.insert(by_id[id.as_str()].process_id.as_str());
                }
            }
            for id in asked {
                let story = by_id[id];
                if self.remembers(story, time) {
                    let state = story.at(time).unwrap();
                    expected
                        .observed
                        .entry(id.to_owned())
                        .or_default()
                        .push((time, state));
                } else {
                    expected.lost.insert(id.to_owned(), time);
                }
            }
        }
        expected
    }

    #[track_caller]
    fn assert_recorded_as(&self, expected: &Expected) {
        let versions: BTreeMap<String, Vec<Run>> = expected
            .observed
            .iter()
            .map(|(id, observed)| (id.clone(), runs(observed.iter().cloned())))
            .collect();
        assert_same(&recorded(&self.database()), &versions);
        let ends: BTreeMap<String, (String, Option<i64>)> = expected
            .observed
            .iter()
            .map(|(id, observed)| {
                let latest = &observed.last().unwrap().1;
                let lost = expected.lost.get(id).map(|at| at.millis());
                let outcome = match (latest.terminated_at, lost) {
                    (Some(_), _) if latest.status == "failed" => "failed",
                    (Some(_), _) => "stopped",
                    (None, Some(_)) => "lost",
                    (None, None) => "open",
                };
                (id.clone(), (outcome.to_owned(), lost))
            })
            .collect();
        assert_same(&outcomes(&self.database()), &ends);
    }

    fn gaps(&self) -> Vec<(UtcMillis, UtcMillis)> {
        let db = open(&self.database());
        let mut statement = db
            .prepare("SELECT since_ms, until_ms FROM gaps ORDER BY gap_id")
            .unwrap();
        let time = |millis| UtcMillis::from_millis(millis).unwrap();
        let rows = statement
            .query_map([], |row| Ok((time(row.get(0)?), time(row.get(1)?))))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Those that came after the first look and were never recorded, as inside a gap or not.
    fn missing(&self) -> (usize, Vec<String>) {
        let recorded = recorded(&self.database());
        let gaps = self.gaps();
        let (first, last) = (self.looks[0], *self.looks.last().unwrap());
        let missing = self.stories.iter().filter(|story| {
            story.created_at > first
                && story.created_at <= last
                && !recorded.contains_key(&story.process_id)
        });
        let (told, untold): (Vec<_>, Vec<_>) = missing.partition(|story| {
            gaps.iter()
                .any(|(since, until)| *since <= story.created_at && story.created_at < *until)
        });
        let untold = untold
            .into_iter()
            .map(|s| format!("{} {} to {}", s.process_id, s.created_at, s.terminated_at))
            .collect();
        (told.len(), untold)
    }
}

#[test]
fn looks_often_enough_miss_nothing() {
    let looks: Vec<i64> = (0..=120).collect();
    let synced = sync(FleetConfig::new(31, 15, start()), &looks);
    let expected = synced.expected();
    assert!(expected.observed.len() > 40, "{}", expected.observed.len());
    assert!(expected.lost.is_empty(), "{:?}", expected.lost);
    assert_eq!(expected.gaps, []);
    synced.assert_recorded_as(&expected);
    assert_eq!(synced.gaps(), []);
    assert_eq!(synced.missing(), (0, vec![]));
}

#[test]
fn looks_too_seldom_miss_only_what_a_gap_tells() {
    // An hour of looks ten minutes apart, of a fleet that makes more than ten in that time.
    let looks: Vec<i64> = (0..=18).map(|n| 10 * n).collect();
    let synced = sync(FleetConfig::new(32, 40, start()), &looks);
    let expected = synced.expected();
    assert!(expected.gaps.len() > 3, "{:?}", expected.gaps);
    synced.assert_recorded_as(&expected);
    assert_eq!(synced.gaps(), expected.gaps);
    let (told, untold) = synced.missing();
    assert!(told > 10, "{told}");
    assert_eq!(untold, [] as [String; 0]);
}

/// A recorder that was off for longer than the API remembers: what ended in between is gone.
#[test]
fn what_was_forgotten_while_open_on_record_is_lost() {
    let looks: Vec<i64> = (0..=20).chain(70..=80).collect();
    let config = FleetConfig {
        retention_ms: HOUR_MS / 4,
        ..FleetConfig::new(33, 15, start())
    };
    let synced = sync(config, &looks);
    let expected = synced.expected();
    assert!(expected.lost.len() > 2, "{:?}", expected.lost);
    let forgotten: BTreeSet<&String> = expected.lost.keys().collect();
    // Once more in words: ended in the pause, more than a quarter of an hour before its end.
    let (off, on) = (
        start().plus_millis(20 * MINUTE_MS),
        start().plus_millis(70 * MINUTE_MS),
    );
    let ended_in_the_pause: BTreeSet<&String> = synced
        .stories
        .iter()
        .filter(|s| {
            expected
                .observed
                .get(&s.process_id)
                .is_some_and(|o| o[0].0 <= off)
        })
        .filter(|s| s.terminated_at > off && s.terminated_at <= on.plus_millis(-HOUR_MS / 4))
        .map(|s| &s.process_id)
        .collect();
    assert_eq!(forgotten, ended_in_the_pause);
    synced.assert_recorded_as(&expected);
}

/// The list overlaps what is known, or is short, and still hides: what came and was forgotten since
/// the look before is on no list any more. That one open on record is unknown gives it away.
#[test]
fn a_pause_longer_than_the_api_remembers_is_a_gap() {
    let looks: Vec<i64> = (0..=20).chain(70..=80).collect();
    let config = FleetConfig {
        retention_ms: HOUR_MS / 4,
        failure_share: 0.5,
        ..FleetConfig::new(34, 5, start())
    };
    let synced = sync(config, &looks);
    assert!(!synced.expected().lost.is_empty());
    let (told, untold) = synced.missing();
    assert_eq!(untold, [] as [String; 0]);
    assert!(told > 3, "{told}");
}
