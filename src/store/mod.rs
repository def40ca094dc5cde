//! The file: opened, upgraded, written. The only writer.
//!
//! Locking: SQLite's own, in WAL mode, so that readers never wait for a writer nor a writer for
//! readers. Two writers take turns snapshot by snapshot; an import, by as many as gather in
//! about a second.
//! Compatibility: landed migrations are frozen; a file of a later schema is refused untouched.
//! Limits: one open [`Run`] a [`Store`]; memory is bounded by the processes in the latest snapshot and by
//! what gathers before a commit.

mod absence;
mod backup;
mod columns;
mod create;
mod derived;
mod file;
#[cfg(feature = "sync")]
mod filters;
mod holds;
mod known;
mod ledger;
mod load;
mod lock;
mod merge;
mod observe;
mod pace;
mod pending;
mod prune;
mod rebuild;
mod recorder;
mod roster;
mod rows;
mod rules;
mod run;
mod segments;
mod snapshot_writer;
mod tracked;
mod verify;
mod versions;
mod weave;
mod words;

pub use backup::{BackedUp, back_up};
pub(crate) use columns::{Column, Kind, Unpacked, unpack_kinds};
pub(crate) use file::open_to_read;
pub use file::{APPLICATION_ID, SCHEMA_VERSION, Store};
#[cfg(feature = "sync")]
pub(crate) use filters::RejectedFilter;
pub use known::OpenProcess;
pub use lock::Lock;
pub(crate) use pace::paces;
pub use prune::{Pruned, PrunedApp};
pub use rebuild::Progress;
pub(crate) use rows::{
    STATE_COLUMNS, STATE_WIDTH, deployment, optional_time, process_from_row, time, to_time,
};
pub use run::{Ending, Run, RunKind, RunResult};
pub use segments::Sealed;
pub(crate) use segments::{first_difference, last_key, sealed_until};
pub use snapshot_writer::{Recorded, SnapshotWriter};
pub use verify::{Check, verify};
pub(crate) use words::NO_WORD;
