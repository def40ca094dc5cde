//! A flight recorder for fleets of short-lived server processes.
//!
//! Platforms forget a process minutes after it ends. This library records what a `ProcessV2` API
//! says of its processes, snapshot by snapshot, in one SQLite file, and answers questions about
//! their history: how long they lived, how often they failed, and who held which port when.
//!
//! - [`Store`] opens the file for recording; a [`Run`] records [`model::Snapshot`]s.
//! - [`History`] opens it for reading: [`History::process_history`], [`History::holders`],
//!   [`History::fleet_at`], [`History::lifetimes`], [`History::failures`] and more.
//!
//! ```
//! use prochist::model::{Snapshot, UtcMillis};
//! use prochist::{Ending, History, Question, RunKind, RunResult, Store};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("history.db");
//! let process = prochist::source::wire::parse_process(
//!     r#"{"processId": "p-1", "appId": "app-1", "deploymentId": 42, "region": "Tokyo",
//!         "status": "failed", "roomsAllocated": 0, "roomsPerProcess": 3,
//!         "createdAt": "2024-05-01T20:00:00Z", "startedAt": "2024-05-01T20:00:09Z",
//!         "stoppingAt": null, "terminatedAt": "2024-05-01T20:14:00Z",
//!         "exposedPort": {"host": "1.example", "port": 31000, "name": "game",
//!                         "transportType": "udp"},
//!         "additionalExposedPorts": []}"#,
//! )?;
//! let seen_at: UtcMillis = "2024-05-01T20:15:00Z".parse()?;
//!
//! let mut store = Store::open(&path)?;
//! let mut run = store.begin(RunKind::Library, "my service", seen_at)?;
//! run.record(&Snapshot::new(seen_at, vec![process]))?;
//! run.finish(&Ending::new(seen_at, RunResult::Complete))?;
//!
//! let history = History::open(&path)?;
//! let holder = history.holders("1.example", 31000, Some("2024-05-01T20:10:00Z".parse()?),
//!                              &Question::default())?;
//! assert_eq!(holder.rows[0].process_id, "p-1");
//! assert_eq!(history.failures(&Question::default())?.rows[0].failed, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! Without default features there are the recording, the questions and the wire format: no HTTP
//! client, no command line, no async runtime. `archive` reads archived responses, `sync` looks at a
//! live API, `simulator` is a fleet to try it all on, and `cli`, the default, is the command.

mod error;
pub mod history;
pub mod model;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod source;
mod store;
#[cfg(feature = "sync")]
pub mod sync;

pub use error::{Error, describe};
pub use history::{Group, History, Question, Window};
pub use store::{
    APPLICATION_ID, BackedUp, Check, Ending, Lock, OpenProcess, Progress, Pruned, PrunedApp,
    Recorded, Run, RunKind, RunResult, SCHEMA_VERSION, Sealed, SnapshotWriter, Store, back_up,
    verify,
};
