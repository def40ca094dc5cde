//! The command as its users meet it: the real program, run on files in folders of its own. Expected
//! values are worked out by hand, from the records in `cli/fleet.rs`.

#![allow(missing_docs, clippy::unwrap_used)]
#![allow(clippy::print_stdout)] // what is skipped for want of a tool is said

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/care.rs"]
mod care;
#[path = "cli/config.rs"]
mod config;
#[path = "cli/cron.rs"]
mod cron;
#[path = "cli/fleet.rs"]
mod fleet;
#[path = "cli/formats.rs"]
mod formats;
#[path = "cli/import.rs"]
mod import;
#[path = "cli/network.rs"]
mod network;
#[path = "cli/place.rs"]
mod place;
#[path = "cli/questions/mod.rs"]
mod questions;
#[path = "cli/recording.rs"]
mod recording;
#[path = "sync/script.rs"]
#[allow(dead_code)] // each test file uses some of it
mod script;
#[cfg(unix)]
#[path = "cli/secrets.rs"]
mod secrets;
#[path = "cli/sql.rs"]
mod sql;
#[path = "cli/sql_escapes.rs"]
mod sql_escapes;
#[path = "cli/stub.rs"]
mod stub;
#[cfg(unix)]
#[path = "cli/terminal.rs"]
mod terminal;
