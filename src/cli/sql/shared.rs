//! Rows that one thread writes and another one ends, where the first does not come back.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use prochist::history::{SqlCut, SqlRows, SqlValue};

use super::rows::Rows;
use crate::cli::failure::Failure;

/// Clones are the same rows. None once they have ended: nothing more is written then.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Option<Rows>>>);

impl Shared {
    pub fn new(rows: Rows) -> Self {
        Self(Arc::new(Mutex::new(Some(rows))))
    }

    /// Ends them, and tells how they ended.
    pub fn finish(&self, cut: Option<SqlCut>) -> Result<Option<SqlCut>, Failure> {
        self.take().map_or(Ok(()), |rows| rows.finish(cut))?;
        Ok(cut)
    }

    pub fn break_off(&self) -> Result<(), Failure> {
        self.take().map_or(Ok(()), Rows::break_off)
    }

    /// Ends them for want of time if it is so, unless one is being written just now: whoever writes it may
    /// wait for a reader, whose time does not count.
    pub fn finish_if(&self, is_late: impl Fn() -> bool) -> Result<Option<SqlCut>, Failure> {
        let mut rows = match self.0.try_lock() {
            Ok(rows) => rows,
            Err(TryLockError::Poisoned(rows)) => rows.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        if !is_late() {
            return Ok(None);
        }
        let cut = Some(SqlCut::Time);
        rows.take().map_or(Ok(()), |rows| rows.finish(cut))?;
        Ok(cut)
    }

    fn take(&self) -> Option<Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn with(&self, write: impl FnOnce(&mut Rows) -> Result<(), Failure>) -> Result<(), Failure> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(rows) => write(rows),
            None => Err(Failure::new("too late")),
        }
    }
}

impl SqlRows for Shared {
    type Error = Failure;

    fn columns(&mut self, names: &[&str]) -> Result<(), Failure> {
        self.with(|rows| rows.columns(names))
    }

    fn row(&mut self, values: &[SqlValue<'_>]) -> Result<(), Failure> {
        self.with(|rows| rows.row(values))
    }
}
