//! A simulated fleet that is recorded over HTTP at simulated times.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use prochist::model::UtcMillis;
use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig, Story};
use prochist::source::api::{Client, Options, Token};
use prochist::sync::{Job, Limits, Ran, Stop, run};
use prochist::{RunResult, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::open;
use crate::truth::{MINUTE_MS, start};

pub struct Watched {
    pub folder: TempDir,
    pub clock: ManualClock,
    pub app_id: String,
    pub looks: Vec<(UtcMillis, Ran)>,
    pub options: Options,
    fleet: Arc<Mutex<Fleet>>,
    server: Server,
    runtime: tokio::runtime::Runtime,
}

impl Watched {
    pub fn new(config: FleetConfig) -> Self {
        Self::served(config, ServerConfig::local("a-token-of-the-tests"))
    }

    pub fn served(config: FleetConfig, server: ServerConfig) -> Self {
        let fleet = Arc::new(Mutex::new(Fleet::new(FleetConfig {
            keep_history: true,
            ..config
        })));
        let clock = ManualClock::new(start());
        let server = Server::start(server, fleet.clone(), clock.clock()).unwrap();
        Self {
            folder: TempDir::new().unwrap(),
            clock,
            app_id: server.app_id().to_owned(),
            looks: Vec::new(),
            options: Options::default(),
            fleet,
            server,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    /// Looks at it so many minutes after its beginning.
    pub fn look_at(&mut self, minute: i64) -> &Ran {
        self.look_within(minute, Limits::default())
    }

    pub fn look_within(&mut self, minute: i64, limits: Limits) -> &Ran {
        let time = start().plus_millis(minute * MINUTE_MS);
        self.clock.set(time);
        let token = Token::new(self.server.token().to_owned()).unwrap();
        let client = Client::new(&self.server.base_url(), token, self.options).unwrap();
        let job = Job {
            api: "simulated",
            apps: std::slice::from_ref(&self.app_id),
            limits,
        };
        let mut store = Store::open(&self.database()).unwrap();
        store.force_commits(false).unwrap();
        let ran = run(&mut store, &client, &job, Stop::never(), || time);
        let ran = self.runtime.block_on(ran).unwrap();
        self.looks.push((time, ran));
        &self.looks.last().unwrap().1
    }

    pub fn look_at_all(&mut self, minutes: impl IntoIterator<Item = i64>) {
        for minute in minutes {
            let ran = self.look_at(minute);
            assert_eq!(ran.result, RunResult::Complete, "{ran:?}");
        }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("history.db")
    }

    pub fn db(&self) -> Connection {
        open(&self.database())
    }

    pub fn last_look(&self) -> UtcMillis {
        self.looks.last().unwrap().0
    }

    pub fn stories(&self) -> Vec<Arc<Story>> {
        self.fleet.lock().unwrap().truth().to_vec()
    }

    /// When each recorded process was first seen.
    pub fn first_seen(&self) -> BTreeMap<String, UtcMillis> {
        let db = self.db();
        let mut statement = db
            .prepare("SELECT process_id, first_seen_at_ms FROM processes")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, time(row.get(1)?))));
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Those of the time covered that are not on record: how many lie in gaps, and which do not.
    pub fn missing(&self) -> (usize, Vec<String>) {
        let recorded: BTreeSet<String> = self.first_seen().into_keys().collect();
        let (gaps, marks) = (self.gaps(), self.marks());
        let is_covered = |story: &&Arc<Story>| {
            let mark = marks.get(&*story.region).unwrap_or(&marks[""]);
            mark.0 < story.created_at && story.created_at <= mark.1
        };
        let stories = self.stories();
        let missing = stories
            .iter()
            .filter(|story| is_covered(story) && !recorded.contains(&story.process_id));
        let (told, untold): (Vec<_>, Vec<_>) = missing.partition(|story| {
            gaps.iter().any(|gap| {
                gap.region
                    .as_ref()
                    .is_none_or(|region| **region == *story.region)
                    && gap.since <= story.created_at
                    && story.created_at < gap.until
            })
        });
        let untold = untold.into_iter().map(|story| format!("{story:?}"));
        (told.len(), untold.collect())
    }

    pub fn gaps(&self) -> Vec<GapRow> {
        let db = self.db();
        let mut statement = db
            .prepare(
                "SELECT region, status, since_ms, until_ms, reason, hidden_at_least, r.finished_at_ms
                 FROM gaps JOIN sync_runs r USING (run_id) ORDER BY gap_id",
            )
            .unwrap();
        let rows = statement.query_map([], |row| {
            Ok(GapRow {
                region: row.get(0)?,
                status: row.get(1)?,
                since: time(row.get(2)?),
                until: time(row.get(3)?),
                reason: row.get(4)?,
                hidden_at_least: row.get(5)?,
                look: time(row.get(6)?),
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// From and to when the record is whole, by region; the empty one is for all others.
    pub fn marks(&self) -> BTreeMap<String, (UtcMillis, UtcMillis)> {
        let db = self.db();
        let mut statement = db
            .prepare("SELECT coalesce(region, ''), since_ms, until_ms FROM watermarks")
            .unwrap();
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, (time(row.get(1)?), time(row.get(2)?))))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

#[derive(Debug)]
pub struct GapRow {
    pub region: Option<String>,
    pub status: Option<String>,
    pub since: UtcMillis,
    pub until: UtcMillis,
    pub reason: String,
    pub hidden_at_least: Option<i64>,
    /// When the look was that found it.
    pub look: UtcMillis,
}

fn time(millis: i64) -> UtcMillis {
    UtcMillis::from_millis(millis).unwrap()
}
