//! One recorder at a time: a lock beside the database, for programs that a clock starts.
//!
//! The lock is the system's, on a file of its own, so whatever ends the process releases it; the
//! file stays, since taking it away would let two in at once.
//! Limits: it keeps out only those who ask for it. The database's own locks keep it whole anyway.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::file::{beside, look};
use crate::Error;

/// The longest process id in decimal digits, and the end of its line.
const LONGEST_HOLDER: u64 = 11;

/// The right to be the one recorder of a database, until dropped.
///
/// ```
/// use prochist::{Error, Lock};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("history.db");
/// let lock = Lock::acquire(&path)?; // the database itself need not be there yet
/// assert!(matches!(Lock::acquire(&path), Err(Error::Locked { .. })));
/// drop(lock);
/// Lock::acquire(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Lock {
    // Closing it releases the lock.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of the database at `path`, without waiting. Every name of one database, such
    /// as a symbolic link to it, has the same lock: the file `….lock` beside it, which is made with
    /// mode 0600 if it is not there.
    ///
    /// # Errors
    /// [`Error::Locked`] if another has it; [`Error::NotSqlite`], [`Error::NotOurs`] or
    /// [`Error::Unreadable`] if there is something else at `path`, beside which nothing is made;
    /// [`Error::NoFolder`], or [`Error::Lock`] if the file cannot be made or locked.
    pub fn acquire(path: &Path) -> Result<Self, Error> {
        look(path)?;
        let lock = beside(&resolved(path)?, ".lock");
        let cannot = |source| Error::Lock {
            path: lock.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        // Whoever holds it has written who it is: nothing is cut off before it is ours.
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(&lock).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    path: path.to_owned(),
                    holder: holder(&file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(cannot(source)),
        }
        // For the message of others only, so a full disk is no reason not to record.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self {
            _file: file,
            path: lock,
        })
    }

    /// The file that is locked.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Who holds the lock, as far as can be told: not every system lets others read a locked file.
fn holder(mut file: &File) -> Option<u32> {
    let mut text = String::new();
    Read::by_ref(&mut file)
        .take(LONGEST_HOLDER)
        .read_to_string(&mut text)
        .ok()?;
    text.trim().parse().ok()
}

/// The database's one name, also of one that is still to be made.
fn resolved(path: &Path) -> Result<PathBuf, Error> {
    let no_folder = || Error::NoFolder {
        path: path.to_owned(),
    };
    let unreadable = |source| Error::Unreadable {
        path: path.to_owned(),
        source,
    };
    match fs::canonicalize(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        found => return found.map_err(unreadable),
    }
    let name = path.file_name().ok_or_else(no_folder)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match fs::canonicalize(folder) {
        Ok(folder) => Ok(folder.join(name)),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(no_folder()),
        Err(source) => Err(unreadable(source)),
    }
}
