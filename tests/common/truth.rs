//! A fleet that keeps its history, the archive that was written of it, and what that shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prochist::History;
use prochist::model::{Process, UtcMillis};
use prochist::simulator::{Fleet, FleetConfig, Story, write_archive};

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;

pub fn start() -> UtcMillis {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

/// A run of equal observations: first, last, what they said.
pub type Run = (UtcMillis, UtcMillis, Process);

/// How a fleet lived, and when an archive looked at it.
pub struct Archived {
    pub stories: Vec<Arc<Story>>,
    pub looks: Vec<UtcMillis>,
    pub lines: Vec<String>,
    interval_ms: i64,
}

impl Archived {
    pub fn new(config: FleetConfig, hours: i64, interval_ms: i64) -> Self {
        let mut fleet = Fleet::new(FleetConfig {
            keep_history: true,
            ..config.clone()
        });
        let end = config.start.plus_millis(hours * HOUR_MS);
        fleet.advance(end);
        let mut written = Vec::new();
        write_archive(
            config.clone(),
            Duration::from_millis((hours * HOUR_MS).cast_unsigned()),
            Duration::from_millis(interval_ms.cast_unsigned()),
            &mut written,
            |_| (),
        )
        .unwrap();
        Self {
            stories: fleet.truth().to_vec(),
            looks: (0..=hours * HOUR_MS / interval_ms)
                .map(|n| config.start.plus_millis(n * interval_ms))
                .collect(),
            lines: String::from_utf8(written)
                .unwrap()
                .split_inclusive('\n')
                .map(str::to_owned)
                .collect(),
            interval_ms,
        }
    }

    pub fn end(&self) -> UtcMillis {
        *self.looks.last().unwrap()
    }

    /// What the archive says of a process: open at a look, or ended since the one before.
    pub fn observations(&self, story: &Story) -> Vec<(UtcMillis, Process)> {
        self.looks
            .iter()
            .filter(|look| {
                let one_before = look.plus_millis(-self.interval_ms);
                story.created_at <= **look && story.terminated_at > one_before
            })
            .map(|look| (*look, story.at(*look).unwrap()))
            .collect()
    }

    /// The processes that the archive shows at all.
    pub fn shown(&self) -> impl Iterator<Item = &Arc<Story>> {
        self.stories
            .iter()
            .filter(|story| !self.observations(story).is_empty())
    }

    pub fn has_ended(&self, story: &Story) -> bool {
        story.terminated_at <= self.end()
    }
}

/// Observations in order of time, equal ones together.
pub fn runs(observations: impl IntoIterator<Item = (UtcMillis, Process)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (time, state) in observations {
        match runs.last_mut() {
            Some(run) if run.2 == state => run.1 = time,
            _ => runs.push((time, time, state)),
        }
    }
    runs
}

/// The versions on record, process by process.
pub fn recorded(database: &Path) -> BTreeMap<String, Vec<Run>> {
    let history = History::open(database).unwrap();
    ids(database)
        .into_iter()
        .map(|id| {
            let versions = history.versions(&id).unwrap();
            let runs = versions
                .into_iter()
                .map(|v| (v.first_seen_at, v.last_seen_at, v.state))
                .collect();
            (id, runs)
        })
        .collect()
}

pub fn ids(database: &Path) -> Vec<String> {
    let db = crate::common::open(database);
    let mut statement = db.prepare("SELECT process_id FROM processes").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Process by process, outcome and when it was found lost.
pub fn outcomes(database: &Path) -> BTreeMap<String, (String, Option<i64>)> {
    let db = crate::common::open(database);
    let mut statement = db
        .prepare("SELECT process_id, outcome, lost_at_ms FROM processes")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// Reports the first difference only: whole fleets are too much to read.
#[track_caller]
pub fn assert_same<T: PartialEq + std::fmt::Debug>(
    found: &BTreeMap<String, T>,
    expected: &BTreeMap<String, T>,
) {
    for (id, expected) in expected {
        assert_eq!(found.get(id), Some(expected), "{id}");
    }
    let more: Vec<&String> = found
        .keys()
        .filter(|id| !expected.contains_key(*id))
        .collect();
    assert!(more.is_empty(), "nobody lived as {more:?}");
}
