//! What is known of one process: its versions, phases and endpoints.

use rusqlite::{OptionalExtension, named_params};
use serde::{Serialize, Serializer};

use super::answer::Exclusions;
use super::{Answer, History, Question, Reading, Row};
use crate::Error;
use crate::error::Doing;
use crate::model::{
    Deployment, ExposedPort, Extra, Lifecycle, Outcome, Phase, PhaseLength, Process, UtcMillis,
};
use crate::store::{STATE_COLUMNS, STATE_WIDTH, process_from_row, time};

/// A maximal run of equal observations of a process: its whole state, and when it was seen so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Counts up from 1.
    pub version: i64,
    /// The first observation of the run.
    pub first_seen_at: UtcMillis,
    /// The last observation of the run.
    pub last_seen_at: UtcMillis,
    /// The fields that differ from the version before; none in the first.
    pub changed: Vec<String>,
    /// The state.
    pub state: Process,
}

/// Everything known of one process. As JSON, an answer whose rows are the versions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessHistory {
    /// The versions, in order, with what the answer rests on.
    #[serde(flatten)]
    pub answer: Answer<VersionRow>,
    /// The process.
    pub process_id: String,
    /// How it stands.
    pub outcome: Outcome,
    /// How long it spent in each phase.
    pub phases: Phases,
    /// The endpoints that it held or holds.
    pub endpoints: Vec<HeldEndpoint>,
}

/// The length of each phase in milliseconds; none where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Phases {
    /// `startedAt` − `createdAt`.
    pub provisioning_ms: Option<i64>,
    /// (`stoppingAt`, else `terminatedAt`) − `startedAt`.
    pub serving_ms: Option<i64>,
    /// `terminatedAt` − `stoppingAt`.
    pub stopping_ms: Option<i64>,
    /// `terminatedAt` − `createdAt`.
    pub lifetime_ms: Option<i64>,
    /// Of one not known to have ended: how old it was when last seen.
    pub age_so_far_ms: Option<i64>,
}

/// An endpoint that a process held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldEndpoint {
    /// The host.
    pub host: String,
    /// The port.
    pub port: i64,
    /// The transport.
    pub transport: String,
    /// From when.
    pub held_from: UtcMillis,
    /// Until when; none where it is still held, or unknown.
    pub held_until: Option<UtcMillis>,
}

/// A version as answers show it, fields named as in the view `process_versions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VersionRow {
    /// Counts up from 1.
    pub version: i64,
    /// The first observation of the run.
    pub first_seen_at: UtcMillis,
    /// The last observation of the run.
    pub last_seen_at: UtcMillis,
    /// The fields that differ from the version before.
    pub changed: Vec<String>,
    /// `status`.
    pub status: String,
    /// `roomsAllocated`.
    pub rooms_allocated: i64,
    /// `roomsPerProcess`.
    pub rooms_per_process: i64,
    /// `appId`.
    pub app_id: String,
    /// `deploymentId`.
    pub deployment_id: Deployment,
    /// `region`.
    pub region: String,
    /// `createdAt`.
    pub created_at: UtcMillis,
    /// `startedAt`.
    pub started_at: Option<UtcMillis>,
    /// `stoppingAt`.
    pub stopping_at: Option<UtcMillis>,
    /// `terminatedAt`.
    pub terminated_at: Option<UtcMillis>,
    /// `exposedPort`.
    pub exposed_port: Option<ExposedPort>,
    /// `additionalExposedPorts`.
    pub additional_exposed_ports: Vec<ExposedPort>,
    /// Fields that this version of prochist does not know; none where there are none.
    #[serde(serialize_with = "null_if_empty")]
    pub extra: Extra,
}

impl Row for VersionRow {
    const FIELDS: &'static [&'static str] = &[
        "version",
        "first_seen_at",
        "last_seen_at",
        "changed",
        "status",
        "rooms_allocated",
        "rooms_per_process",
        "app_id",
        "deployment_id",
        "region",
        "created_at",
        "started_at",
        "stopping_at",
        "terminated_at",
        "exposed_port",
        "additional_exposed_ports",
        "extra",
    ];
}

impl History {
    /// The versions of a process, in order; none of one never recorded.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn versions(&self, process_id: &str) -> Result<Vec<Version>, Error> {
        self.read(|reading| reading.versions(process_id))
    }

    /// The latest state of a process; none of one never recorded.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn process(&self, process_id: &str) -> Result<Option<Process>, Error> {
        self.read(|reading| reading.process(process_id))
    }

    /// Everything known of one process.
    ///
    /// # Errors
    /// [`Error::UnknownProcess`] if it was never recorded; [`Error::Sqlite`] or
    /// [`Error::Damaged`].
    pub fn process_history(&self, process_id: &str) -> Result<ProcessHistory, Error> {
        self.read(|reading| reading.process_history(process_id))
    }
}

impl Reading<'_> {
    fn versions(&self, process_id: &str) -> Result<Vec<Version>, Error> {
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT {STATE_COLUMNS}, version, first_seen_at_ms, last_seen_at_ms, changed
                 FROM process_versions WHERE process_id = :process_id ORDER BY version"
            ))
            .doing("read versions")?;
        let mut rows = statement
            .query(named_params! { ":process_id": process_id })
            .doing("read versions")?;
        let mut versions = Vec::new();
        while let Some(row) = rows.next().doing("read versions")? {
            let changed: Option<String> = row.get(STATE_WIDTH + 3).doing("read versions")?;
            versions.push(Version {
                version: row.get(STATE_WIDTH).doing("read versions")?,
                first_seen_at: time(row, STATE_WIDTH + 1)?,
                last_seen_at: time(row, STATE_WIDTH + 2)?,
                changed: changed
                    .map(|names| names.split(',').map(str::to_owned).collect())
                    .unwrap_or_default(),
                state: process_from_row(row)?,
            });
        }
        Ok(versions)
    }

    fn process(&self, process_id: &str) -> Result<Option<Process>, Error> {
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT {STATE_COLUMNS} FROM processes WHERE process_id = :process_id"
            ))
            .doing("look up a process")?;
        let mut rows = statement
            .query(named_params! { ":process_id": process_id })
            .doing("look up a process")?;
        match rows.next().doing("look up a process")? {
            Some(row) => process_from_row(row).map(Some),
            None => Ok(None),
        }
    }

    fn process_history(&self, process_id: &str) -> Result<ProcessHistory, Error> {
        let versions = self.versions(process_id)?;
        let unknown = || Error::UnknownProcess {
            process_id: process_id.to_owned(),
        };
        let latest = versions.last().ok_or_else(unknown)?.clone();
        let outcome: String = self
            .db
            .query_row(
                "SELECT outcome FROM process WHERE process_id = :process_id",
                named_params! { ":process_id": process_id },
                |row| row.get(0),
            )
            .optional()
            .doing("look up a process")?
            .ok_or_else(unknown)?;
        let outcome = Outcome::from_name(&outcome).ok_or_else(|| Error::Damaged {
            what: format!("the outcome {outcome:?}"),
        })?;
        let life = Lifecycle {
            created_at: latest.state.created_at,
            started_at: latest.state.started_at,
            stopping_at: latest.state.stopping_at,
            terminated_at: latest.state.terminated_at,
            outcome,
            last_seen_at: latest.last_seen_at,
        };
        let mut excluded = Exclusions::default();
        let mut length = |phase| match life.phase(phase) {
            PhaseLength::Ended(millis) => Some(millis),
            PhaseLength::Censored(_) | PhaseLength::NotReached => None,
            PhaseLength::Excluded(reason) => {
                excluded.count_in(phase, reason);
                None
            }
        };
        let phases = Phases {
            provisioning_ms: length(Phase::Provisioning),
            serving_ms: length(Phase::Serving),
            stopping_ms: length(Phase::Stopping),
            lifetime_ms: length(Phase::Lifetime),
            age_so_far_ms: match life.phase(Phase::Lifetime) {
                PhaseLength::Censored(millis) => Some(millis),
                _ => None,
            },
        };
        let about = Question::default().app(&latest.state.app_id);
        let rows = versions.into_iter().map(VersionRow::from).collect();
        Ok(ProcessHistory {
            answer: self.answer("history", &about, excluded, rows)?,
            process_id: process_id.to_owned(),
            outcome,
            phases,
            endpoints: self.held_by(process_id)?,
        })
    }

    fn held_by(&self, process_id: &str) -> Result<Vec<HeldEndpoint>, Error> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT w.text, e.port, t.text, h.held_from_ms, h.held_until_ms
                 FROM process p
                 JOIN hold h USING (process_key)
                 JOIN endpoint e USING (endpoint_id)
                 JOIN word w ON w.word_id = e.host
                 JOIN word t ON t.word_id = e.transport
                 WHERE p.process_id = :process_id
                 ORDER BY w.text, e.port, t.text",
            )
            .doing("read holds")?;
        let mut rows = statement
            .query(named_params! { ":process_id": process_id })
            .doing("read holds")?;
        let mut held = Vec::new();
        while let Some(row) = rows.next().doing("read holds")? {
            held.push(HeldEndpoint {
                host: row.get(0).doing("read holds")?,
                port: row.get(1).doing("read holds")?,
                transport: row.get(2).doing("read holds")?,
                held_from: time(row, 3)?,
                held_until: crate::store::optional_time(row, 4)?,
            });
        }
        Ok(held)
    }
}

impl From<Version> for VersionRow {
    fn from(version: Version) -> Self {
        let state = version.state;
        Self {
            version: version.version,
            first_seen_at: version.first_seen_at,
            last_seen_at: version.last_seen_at,
            changed: version.changed,
            status: state.status,
            rooms_allocated: state.rooms_allocated,
            rooms_per_process: state.rooms_per_process,
            app_id: state.app_id,
            deployment_id: state.deployment_id,
            region: state.region,
            created_at: state.created_at,
            started_at: state.started_at,
            stopping_at: state.stopping_at,
            terminated_at: state.terminated_at,
            exposed_port: state.exposed_port,
            additional_exposed_ports: state.additional_exposed_ports,
            extra: state.extra,
        }
    }
}

fn null_if_empty<S: Serializer>(extra: &Extra, serializer: S) -> Result<S::Ok, S::Error> {
    if extra.is_empty() {
        serializer.serialize_none()
    } else {
        extra.serialize(serializer)
    }
}
