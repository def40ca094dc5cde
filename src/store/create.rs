//! Making a new file: whole and on the disk before it has its name.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OpenFlags};

use super::file::{BUSY_TIMEOUT, beside, has_wal, lay_out, migrate, open_error};
use crate::Error;

/// Makes a new database under another name and gives it its own once it is whole, so that nobody
/// ever finds half a one: neither another recorder that starts at the same time, nor anybody after
/// a kill. Where another was quicker, its file stays.
pub(super) fn create(path: &Path) -> Result<(), Error> {
    // SQLite would take the WAL of a file that is gone for that of the new one. (Where another recorder is
    // quicker, its file is there before its WAL.)
    if has_wal(path) && !path.exists() {
        return Err(Error::LeftWal {
            path: path.to_owned(),
        });
    }
    let new = NewFile::create(path)?;
    fill(new.path(), path)?;
    match fs::hard_link(new.path(), path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Not every file system has links.
        Err(_) if !path.exists() => fs::rename(new.path(), path).map_err(|e| not_writable(path, e)),
        Err(_) | Ok(()) => Ok(()),
    }?;
    // Before anything is in its WAL: a WAL without its file is of no use after a power cut.
    sync_folder(path)
}

/// A file that is made under another name, beside the one that it is for, and that goes away with this
/// unless it got its own.
pub(super) struct NewFile {
    at_work: PathBuf,
}

impl NewFile {
    /// An empty one that only its owner may read; errors speak of `path`, for which it is made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let at_work = beside(path, &format!(".new-{}-{}", std::process::id(), serial()));
        create_file(&at_work, path)?;
        Ok(Self { at_work })
    }

    pub fn path(&self) -> &Path {
        &self.at_work
    }
}

impl Drop for NewFile {
    /// Whatever is left of it, if anything, is of no use to anybody.
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(&self.at_work, suffix));
        }
    }
}

/// Makes all of an empty database, and of that one file: none of it is left in its WAL.
fn fill(at_work: &Path, path: &Path) -> Result<(), Error> {
    let cannot = |source| open_error(path, source);
    let mut connection =
        Connection::open_with_flags(at_work, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(cannot)?;
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .and_then(|()| lay_out(&connection))
        .map_err(cannot)?;
    migrate(&mut connection, path)?;
    // Closing it would do so, too, but not say where it cannot, as on a full disk.
    connection
        .pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))
        .and_then(|()| connection.close().map_err(|(_, source)| source))
        .map_err(cannot)
}

/// Has the disk remember which names the file's folder has.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // A folder may be written and not read, and not every file system can do this.
        let Ok(folder) = fs::File::open(folder) else {
            return Ok(());
        };
        match folder.sync_all() {
            Err(e) if !matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                Err(not_writable(path, e))
            }
            _ => Ok(()),
        }
    }
    #[cfg(not(unix))]
    Ok(())
}

/// Tells apart those that are made at once by one process.
fn serial() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// An empty file that only its owner may read; an error speaks of `path`, for which it is made.
fn create_file(at_work: &Path, path: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        // Ids of customers' processes and their addresses are nobody else's business. SQLite gives
        // the -wal and -shm files the mode of the database.
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    match options.open(at_work) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(Error::NoFolder {
            path: path.to_owned(),
        }),
        Err(e) => Err(not_writable(path, e)),
    }
}

/// A file, or a name, that the system does not let us make.
pub(super) fn not_writable(path: &Path, source: std::io::Error) -> Error {
    match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::ReadOnly {
            path: path.to_owned(),
        },
        _ => Error::Create {
            path: path.to_owned(),
            source,
        },
    }
}
