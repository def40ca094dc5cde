//! The fleet itself: slots that run one process after another, driven by events in order of time.
//!
//! The steps in which a fleet is advanced do not matter: events are handled in the one order that
//! their times and, at the same millisecond, their making give them. Memory is bounded by what is
//! open and what is retained, unless the history is kept.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::config::{FleetConfig, MINUTE_MS, Stream, rng};
use super::deployments::Deployments;
use super::index::{Filter, Index};
use super::life::{Fate, Life, vacancy_ms};
use super::ports::{Port, PortPool};
use super::story::Story;
use crate::model::{ExposedPort, Extra, KNOWN_REGIONS, Snapshot, UtcMillis};

/// A fleet of simulated processes, at one moment of its life.
#[derive(Debug)]
pub struct Fleet {
    config: FleetConfig,
    app_id: Arc<str>,
    now: UtcMillis,
    deployments: Deployments,
    regions: Vec<Region>,
    /// Next first. The number orders events of the same millisecond by when they were made.
    events: BinaryHeap<Reverse<(UtcMillis, u64, Event)>>,
    events_made: u64,
    processes_made: u64,
    index: Index,
    truth: Vec<Arc<Story>>,
}

impl Fleet {
    /// A fleet in full swing at `config.start`: it has lived through its warm-up already.
    pub fn new(mut config: FleetConfig) -> Self {
        if config.regions.is_empty() {
            config.regions = KNOWN_REGIONS.map(str::to_owned).to_vec();
        }
        let opened_at = config.start.plus_millis(-config.warm_up_ms.max(0));
        let app_id = uuid(&mut rng(config.seed, Stream::App));
        let mut fleet = Self {
            app_id: format!("app-{app_id}").into(),
            now: opened_at,
            deployments: Deployments::new(&config),
            regions: Region::all(&config),
            events: BinaryHeap::new(),
            events_made: 0,
            processes_made: 0,
            index: Index::default(),
            truth: Vec::new(),
            config,
        };
        let mut rng = rng(fleet.config.seed, Stream::WarmUp);
        for _ in 0..fleet.config.concurrent {
            let wait_ms = rng.random_range(0..10 * MINUTE_MS);
            fleet.schedule(opened_at.plus_millis(wait_ms), Event::Spawn);
        }
        fleet.advance(fleet.config.start);
        fleet
    }

    /// Lives on until `to`, included. Does nothing if that is past: a fleet does not go back.
    pub fn advance(&mut self, to: UtcMillis) {
        if to <= self.now {
            return;
        }
        while let Some(Reverse((at, _, _))) = self.events.peek() {
            // At the end of time everything that follows happens at once, and never stops.
            if *at > to || *at == UtcMillis::MAX {
                break;
            }
            if let Some(Reverse((at, _, event))) = self.events.pop() {
                self.handle(at, event);
            }
        }
        self.now = to;
        let retained_since = to.plus_millis(-self.config.retention_ms.max(0));
        self.index.forget_ended_until(retained_since);
    }

    /// The moment up to which the fleet has lived.
    pub fn now(&self) -> UtcMillis {
        self.now
    }

    /// What was chosen about the fleet.
    pub fn config(&self) -> &FleetConfig {
        &self.config
    }

    /// The application that all its processes belong to: `app-` and a UUID.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The one bad deployment.
    pub fn bad_deployment(&self) -> i64 {
        self.config.bad_deployment()
    }

    /// When the deployment came or will come up.
    pub fn deployed_at(&self, deployment: i64) -> UtcMillis {
        self.deployments.up_at(deployment)
    }

    /// Every story since the warm-up began, in order of creation; its end may lie in the future.
    /// Empty unless `keep_history` is set.
    pub fn truth(&self) -> &[Arc<Story>] {
        &self.truth
    }

    /// What the API remembers now: the open processes, and the ended ones for as long as they are
    /// retained. In order of creation.
    pub fn remembered(&self) -> impl DoubleEndedIterator<Item = &Arc<Story>> {
        self.index.iter()
    }

    /// How many stories [`Fleet::remembered`] has.
    pub fn remembered_len(&self) -> usize {
        self.index.len()
    }

    /// How many processes there have ever been, those of the warm-up included.
    pub fn processes_made(&self) -> u64 {
        self.processes_made
    }

    /// The process of that id, if it is remembered.
    pub fn info(&self, process_id: &str) -> Option<&Arc<Story>> {
        self.index.get(process_id)
    }

    /// The newest `limit` remembered ones that match, newest first.
    pub fn latest(&self, filter: &Filter, limit: usize) -> Vec<Arc<Story>> {
        self.index.latest(filter, limit)
    }

    /// How many remembered ones match.
    pub fn count(&self, filter: &Filter) -> usize {
        self.index.count(filter)
    }

    /// Whether the API accepts the region: it has been named so far, or the fleet is there.
    pub fn knows_region(&self, region: &str) -> bool {
        KNOWN_REGIONS.contains(&region) || self.config.regions.iter().any(|r| r == region)
    }

    /// What an archive that is written every `interval_ms` milliseconds shows now, in order of
    /// creation: every open process, and each that ended since the last time. So every process is
    /// in at least one snapshot, and so is its final state. What is no longer retained is missing.
    pub fn snapshot(&self, interval_ms: i64) -> Snapshot {
        let last_time = self.now.plus_millis(-interval_ms.max(0));
        let shown = self
            .remembered()
            .filter(|story| story.terminated_at > last_time)
            .filter_map(|story| story.at(self.now))
            .collect();
        Snapshot::new(self.now, shown)
    }

    fn handle(&mut self, at: UtcMillis, event: Event) {
        match event {
            Event::Spawn => self.spawn(at),
            Event::Turn(ordinal) => {
                if let Some((story, stage)) = self.index.turn(ordinal, at) {
                    if stage.has_ended() {
                        self.free_ports(&story);
                    } else {
                        self.schedule_turn(&story, at);
                    }
                }
            }
        }
    }

    /// Starts a process in a slot that is free, and plans the one after it.
    fn spawn(&mut self, at: UtcMillis) {
        let mut rng = rng(self.config.seed, Stream::Process(self.processes_made));
        let story = Arc::new(self.create(&mut rng, at));
        self.processes_made += 1;
        self.schedule_turn(&story, at);
        let next_at = story.terminated_at.plus_millis(vacancy_ms(&mut rng));
        self.schedule(next_at, Event::Spawn);
        if self.config.keep_history {
            self.truth.push(story.clone());
        }
        self.index.insert(story);
    }

    fn create(&mut self, rng: &mut ChaCha8Rng, created_at: UtcMillis) -> Story {
        let process_id = uuid(rng);
        let place = Region::pick(&self.regions, rng);
        let region = &mut self.regions[place];
        let deployment_id = self.deployments.newest_at(created_at);
        let fate = Fate {
            bad: deployment_id == self.config.bad_deployment(),
            replaced_at: self.deployments.up_at(deployment_id.saturating_add(1)),
        };
        let life = Life::draw(&self.config, rng, created_at, &fate);
        let more_ports = match rng.random::<f64>() {
            p if p < 0.5 => 0,
            p if p < 0.85 => 1,
            _ => 2,
        };
        Story {
            ordinal: self.processes_made,
            process_id,
            app_id: self.app_id.clone(),
            deployment_id,
            region: region.name.clone(),
            rooms_per_process: self.config.rooms_per_process.max(1),
            created_at,
            started_at: life.started_at,
            draining_at: life.draining_at,
            stopping_at: life.stopping_at,
            terminated_at: life.terminated_at,
            failed: life.failed,
            rooms: life.rooms,
            exposed_port: expose(region.ports.take(), "default", "tcp"),
            additional_exposed_ports: [("voice", "udp"), ("console", "tls")]
                .into_iter()
                .take(more_ports)
                .map(|(name, transport)| expose(region.ports.take(), name, transport))
                .collect(),
            hides_port_at_end: rng.random::<f64>() < 0.3,
        }
    }

    fn free_ports(&mut self, story: &Story) {
        if let Some(region) = self.regions.iter_mut().find(|r| r.name == story.region) {
            for port in story.ports() {
                region.ports.release(Port {
                    host: port.host.as_str().into(),
                    number: u16::try_from(port.port).unwrap_or(u16::MAX),
                });
            }
        }
    }

    fn schedule_turn(&mut self, story: &Story, after: UtcMillis) {
        if let Some(at) = story.next_turn_after(after) {
            self.schedule(at, Event::Turn(story.ordinal));
        }
    }

    fn schedule(&mut self, at: UtcMillis, event: Event) {
        self.events.push(Reverse((at, self.events_made, event)));
        self.events_made += 1;
    }
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A slot is free for a new process.
    Spawn,
    /// The process of that ordinal reaches another stage.
    Turn(u64),
}

#[derive(Debug)]
struct Region {
    name: Arc<str>,
    /// Its share of new processes, among the sum of all weights.
    weight: f64,
    ports: PortPool,
}

impl Region {
    fn all(config: &FleetConfig) -> Vec<Self> {
        let region = |(place, name): (usize, &String)| Self {
            name: name.as_str().into(),
            weight: (place as f64 + 1.0).powf(-0.7),
            ports: PortPool::new(config, place, name),
        };
        config.regions.iter().enumerate().map(region).collect()
    }

    /// The place of a region, picked by weight.
    fn pick(regions: &[Self], rng: &mut ChaCha8Rng) -> usize {
        let sum: f64 = regions.iter().map(|region| region.weight).sum();
        let mut left = rng.random::<f64>() * sum;
        regions
            .iter()
            .position(|region| {
                left -= region.weight;
                left < 0.0
            })
            .unwrap_or(0)
    }
}

fn expose(port: Port, name: &str, transport_type: &str) -> ExposedPort {
    ExposedPort {
        host: port.host.as_ref().to_owned(),
        port: port.number.into(),
        name: name.to_owned(),
        transport_type: transport_type.to_owned(),
        extra: Extra::default(),
    }
}

fn uuid(rng: &mut ChaCha8Rng) -> String {
    uuid::Builder::from_random_bytes(rng.random())
        .into_uuid()
        .to_string()
}
