//! What holds of every answer, whatever was recorded: properties over made-up snapshots, of processes
//! whose times are missing or out of order, that end without saying when, or are lost. And what
//! threads that share a history see while it is written.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

#[path = "answers/made_up.rs"]
mod made_up;
#[path = "answers/properties.rs"]
mod properties;
#[path = "answers/threads.rs"]
mod threads;
