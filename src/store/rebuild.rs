//! All that is derived, made anew from the rows.

use rusqlite::{Transaction, TransactionBehavior};

use super::Store;
use super::derived::rebuild_looks;
use super::segments::{Sealed, drop_all, last_key, seal_some, sealed_until};
use crate::Error;
use crate::error::Doing;

/// So many segments are made in one transaction, so that whoever records meanwhile waits for some tenths
/// of a second at the most.
const AT_ONCE: u64 = 8;

/// How far something that goes through all processes has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So many are done with.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

impl Store {
    /// Makes anew what is derived from the rows and kept beside them: when anything looked, how many runs
    /// did, where there are processes; and the segments, in which the ended ones are kept in columns.
    /// `progress` is told how far it has come.
    ///
    /// Others may ask and record meanwhile; what is in no segment is read from its row. So it does if this
    /// is cut short, and later runs go on with it.
    ///
    /// ```
    /// use prochist::Store;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("history.db");
    /// let sealed = Store::open(&path)?.rebuild(|_| ())?;
    /// assert_eq!(sealed.processes, 0); // nothing recorded yet
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn rebuild(&mut self, progress: impl FnMut(Progress)) -> Result<Sealed, Error> {
        self.in_transaction(|db| {
            drop_all(db)?;
            rebuild_looks(db)
        })?;
        self.seal_all(progress)
    }

    /// Makes all segments that can be made by now.
    pub(super) fn seal_all(&mut self, mut progress: impl FnMut(Progress)) -> Result<Sealed, Error> {
        let sizes = self.sizes;
        let mut sealed = Sealed::default();
        loop {
            let (more, done, of) = self.in_transaction(|db| {
                let more = seal_some(db, sizes, AT_ONCE)?;
                Ok((more, sealed_until(db)?, last_key(db)?))
            })?;
            sealed.add(more);
            progress(Progress {
                done: done.cast_unsigned(),
                of: of.cast_unsigned(),
            });
            if more.segments < AT_ONCE {
                return Ok(sealed);
            }
        }
    }

    pub(super) fn in_transaction<T>(
        &self,
        what: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let db = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .doing("begin to write")?;
        let done = what(&db)?;
        db.commit().doing("commit what was written")?;
        Ok(done)
    }
}
