//! The whole life of one process, and what the API would say of it at any moment. Pure.

use std::sync::Arc;

use crate::model::{Deployment, ExposedPort, Extra, Process, UtcMillis};

/// The life of one process from beginning to end, known from the moment of its creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Counts the fleet's processes from 0, in order of creation.
    pub ordinal: u64,
    /// A UUID.
    pub process_id: String,
    /// The fleet's application.
    pub app_id: Arc<str>,
    /// The deployment it runs.
    pub deployment_id: i64,
    /// Where it runs.
    pub region: Arc<str>,
    /// How many rooms fit.
    pub rooms_per_process: i64,
    /// Started being provisioned; its ports are taken from here on.
    pub created_at: UtcMillis,
    /// Bound to its port; none if it failed before.
    pub started_at: Option<UtcMillis>,
    /// Took no more rooms from here on; none if it never drained.
    pub draining_at: Option<UtcMillis>,
    /// Was told to stop; none if it failed, or ended by itself.
    pub stopping_at: Option<UtcMillis>,
    /// Terminated; its ports are free from here on.
    pub terminated_at: UtcMillis,
    /// Whether it ends as `failed` rather than `stopped`.
    pub failed: bool,
    /// Changes of the rooms allocated, in order of time, between start and termination. Before the
    /// first there are none, and none are left after termination.
    pub rooms: Vec<RoomChange>,
    /// The port it serves on. Shown from `started_at`; a process that fails before never shows it.
    pub exposed_port: ExposedPort,
    /// At most two further ports. Shown from `started_at` for good.
    pub additional_exposed_ports: Vec<ExposedPort>,
    /// Whether `exposedPort` is null again from `terminated_at` on.
    pub hides_port_at_end: bool,
}

/// From some moment on, so many rooms are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomChange {
    /// The moment.
    pub at: UtcMillis,
    /// Rooms allocated from then on.
    pub allocated: i64,
}

/// What a simulated process is doing: the statuses of the API, in the order of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Created, and not yet bound to its port.
    Starting,
    /// Serving.
    Running,
    /// Serving the rooms it has, taking no more.
    Draining,
    /// Told to stop.
    Stopping,
    /// Ended, and not as failed.
    Stopped,
    /// Ended as failed.
    Failed,
}

impl Stage {
    /// All stages, in the order of a life.
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::Running,
        Self::Draining,
        Self::Stopping,
        Self::Stopped,
        Self::Failed,
    ];

    /// The status as the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The stage of that status.
    pub fn from_status(status: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == status)
    }

    /// Whether the process is over.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }
}

impl Story {
    /// What the API says of the process at `time`; none before it was created.
    pub fn at(&self, time: UtcMillis) -> Option<Process> {
        let stage = self.stage_at(time)?;
        let reached = |event: Option<UtcMillis>| event.filter(|at| *at <= time);
        let started_at = reached(self.started_at);
        let shows_port = started_at.is_some() && !(stage.has_ended() && self.hides_port_at_end);
        Some(Process {
            process_id: self.process_id.clone(),
            app_id: self.app_id.as_ref().to_owned(),
            deployment_id: Deployment::Number(self.deployment_id),
            region: self.region.as_ref().to_owned(),
            status: stage.as_str().to_owned(),
            rooms_allocated: self.rooms_at(time),
            rooms_per_process: self.rooms_per_process,
            created_at: self.created_at,
            started_at,
            stopping_at: reached(self.stopping_at),
            terminated_at: reached(Some(self.terminated_at)),
            exposed_port: shows_port.then(|| self.exposed_port.clone()),
            additional_exposed_ports: match started_at {
                Some(_) => self.additional_exposed_ports.clone(),
                None => Vec::new(),
            },
            extra: Extra::default(),
        })
    }

    /// What the process is doing at `time`; none before it was created.
    pub fn stage_at(&self, time: UtcMillis) -> Option<Stage> {
        self.turns()
            .take_while(|(at, _)| *at <= time)
            .last()
            .map(|(_, stage)| stage)
    }

    /// When the stage next changes after `time`; none once it has ended.
    pub fn next_turn_after(&self, time: UtcMillis) -> Option<UtcMillis> {
        self.turns().map(|(at, _)| at).find(|at| *at > time)
    }

    /// Rooms allocated at `time`.
    pub fn rooms_at(&self, time: UtcMillis) -> i64 {
        if time >= self.terminated_at {
            return 0;
        }
        let so_far = self.rooms.partition_point(|change| change.at <= time);
        so_far
            .checked_sub(1)
            .map_or(0, |last| self.rooms[last].allocated)
    }

    /// Every port it takes from `created_at` until `terminated_at`, shown or not.
    pub fn ports(&self) -> impl Iterator<Item = &ExposedPort> {
        std::iter::once(&self.exposed_port).chain(&self.additional_exposed_ports)
    }

    /// Each stage that it reaches, with when.
    fn turns(&self) -> impl Iterator<Item = (UtcMillis, Stage)> {
        let end = if self.failed {
            Stage::Failed
        } else {
            Stage::Stopped
        };
        [
            (Some(self.created_at), Stage::Starting),
            (self.started_at, Stage::Running),
            (self.draining_at, Stage::Draining),
            (self.stopping_at, Stage::Stopping),
            (Some(self.terminated_at), end),
        ]
        .into_iter()
        .filter_map(|(at, stage)| Some((at?, stage)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> UtcMillis {
        UtcMillis::from_millis(seconds * 1000).expect("in range")
    }

    fn story() -> Story {
        let port = |port, name: &str| ExposedPort {
            host: "0a1b2c.tokyo.sim.example".to_owned(),
            port,
            name: name.to_owned(),
            transport_type: "udp".to_owned(),
            extra: Extra::default(),
        };
        Story {
            ordinal: 0,
            process_id: "p".to_owned(),
            app_id: "app".into(),
            deployment_id: 1,
            region: "Tokyo".into(),
            rooms_per_process: 4,
            created_at: time(0),
            started_at: Some(time(10)),
            draining_at: Some(time(50)),
            stopping_at: Some(time(60)),
            terminated_at: time(70),
            failed: false,
            rooms: [(20, 1), (30, 2), (55, 1)]
                .map(|(at, allocated)| RoomChange {
                    at: time(at),
                    allocated,
                })
                .to_vec(),
            exposed_port: port(30_000, "default"),
            additional_exposed_ports: vec![port(30_001, "voice")],
            hides_port_at_end: true,
        }
    }

    #[test]
    fn a_story_shows_what_has_happened_and_nothing_that_is_to_come() {
        let story = story();
        assert_eq!(story.at(time(-1)), None);
        for (seconds, status, rooms, shown, ports) in [
            (0, "starting", 0, 0, 0),
            (9, "starting", 0, 0, 0),
            (10, "running", 0, 1, 2),
            (29, "running", 1, 1, 2),
            (30, "running", 2, 1, 2),
            (50, "draining", 2, 1, 2),
            (60, "stopping", 1, 2, 2),
            (70, "stopped", 0, 3, 1),
            (9999, "stopped", 0, 3, 1),
        ] {
            let process = story.at(time(seconds)).expect("created");
            assert_eq!(process.status, status, "at {seconds}");
            assert_eq!(process.rooms_allocated, rooms, "at {seconds}");
            let times = [
                process.started_at,
                process.stopping_at,
                process.terminated_at,
            ];
            assert_eq!(times.iter().flatten().count(), shown, "at {seconds}");
            assert_eq!(process.ports().count(), ports, "at {seconds}");
        }
    }

    #[test]
    fn a_failure_before_the_start_never_shows_a_port() {
        let story = Story {
            started_at: None,
            draining_at: None,
            stopping_at: None,
            rooms: Vec::new(),
            failed: true,
            hides_port_at_end: false,
            ..story()
        };
        let end = story.at(time(70)).expect("created");
        assert_eq!((end.status.as_str(), end.ports().count()), ("failed", 0));
        assert_eq!(story.next_turn_after(time(0)), Some(time(70)));
        assert_eq!(story.next_turn_after(time(70)), None);
    }
}
