//! One connection that holds the file as it stands, for as long as an answer takes.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::History;
use crate::Error;
use crate::error::Doing;
use crate::store::open_to_read;

/// A connection in a transaction that only reads: an answer that takes several statements must not
/// see a snapshot that was recorded between them.
#[derive(Clone, Copy)]
pub(super) struct Reading<'c> {
    pub db: &'c Connection,
}

/// The connections of a history that nobody is using, each with the statements that it has prepared.
/// There are as many as questions were ever asked at once.
#[derive(Debug)]
pub(super) struct Idle(Mutex<Vec<Connection>>);

impl Idle {
    pub fn new(first: Connection) -> Self {
        Self(Mutex::new(vec![first]))
    }

    pub(super) fn take(&self, path: &Path) -> Result<Connection, Error> {
        // Whoever panicked with the lock left a list of connections behind all the same.
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open_to_read(path), Ok)
    }

    pub(super) fn put_back(&self, connection: Connection) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }
}

impl History {
    /// Asks several things of the file as it stands now.
    pub(super) fn read<T>(
        &self,
        ask: impl FnOnce(Reading<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let connection = self.idle.take(&self.path)?;
        let transaction = connection.unchecked_transaction().doing("begin to read")?;
        let answer = ask(Reading { db: &transaction });
        drop(transaction);
        self.idle.put_back(connection);
        answer
    }
}
