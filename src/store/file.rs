//! Opening the file: what it must be, which settings it gets, how it is upgraded.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::create::create;
use super::segments::Sizes;
use crate::Error;
use crate::error::Doing;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// SQLite's `application_id` of a history database: the letters "phst".
pub const APPLICATION_ID: i32 = 0x7068_7374;

/// The latest schema that this version of the library knows: the number of migrations.
pub const SCHEMA_VERSION: i64 = 7;

/// One page of the smallest size: SQLite would take less for an empty database.
const SMALLEST_DATABASE_BYTES: u64 = 512;

/// How long a statement waits for another writer, who holds the file for one snapshot at a time, or for
/// as many as gather in about a second.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A WAL longer than that is worth waiting for readers, for so long.
const LONG_WAL_BYTES: u64 = 4 << 20;
const WAIT_FOR_READERS: Duration = Duration::from_secs(1);

/// A history database, open for recording.
///
/// ```
/// use prochist::Store;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("history.db");
/// let store = Store::open(&path)?; // made if it is not there, upgraded if it is older
/// assert_eq!(store.path(), path);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) sizes: Sizes,
    path: PathBuf,
    /// The very file that is at the path, where the system tells.
    file: Option<FileId>,
}

impl Store {
    /// Opens the history database at `path` to record in it. A missing file is made, with mode
    /// 0600, in a folder that must be there; one of an older schema is upgraded.
    ///
    /// # Errors
    /// [`Error::NotSqlite`], [`Error::NotOurs`], [`Error::NewerSchema`], [`Error::ReadOnly`],
    /// [`Error::NoFolder`], [`Error::Create`], [`Error::LeftWal`], [`Error::Unreadable`], [`Error::Open`] or
    /// [`Error::Migrate`]; the file is then as it was.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if let Found::Nothing = look(path)? {
            create(path)?;
        }
        let mut connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|source| open_error(path, source))?;
        // SQLite opens a file that it may not write all the same, to read it.
        if connection.is_readonly("main").unwrap_or(false) {
            return Err(Error::ReadOnly {
                path: path.to_owned(),
            });
        }
        set_up(&connection, true).map_err(|source| open_error(path, source))?;
        migrate(&mut connection, path)?;
        Ok(Self {
            connection,
            sizes: Sizes::default(),
            path: path.to_owned(),
            file: file_id(path),
        })
    }

    /// Whether what is written still goes to the file at the path. SQLite goes on in one that was taken
    /// away, and nobody would ever find what it wrote there.
    pub(super) fn is_in_place(&self) -> Result<(), Error> {
        if self.file.is_none() || file_id(&self.path) == self.file {
            return Ok(());
        }
        Err(Error::Gone {
            path: self.path.clone(),
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets whether each commit is forced to the disk (`true`, the default) or only each
    /// checkpoint. Either way a killed process leaves whole snapshots; without forcing, a power
    /// failure may take the latest ones with it, which is right for an import, whose archive is
    /// still there.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn force_commits(&self, force: bool) -> Result<(), Error> {
        // A checkpoint waits for the disk, too: without forcing, one for every 64 MiB of WAL will do.
        let (level, pages) = if force {
            ("FULL", 1000)
        } else {
            ("NORMAL", 16_000)
        };
        self.connection
            .pragma_update(None, "synchronous", level)
            .and_then(|()| {
                let set = |_: &rusqlite::Row<'_>| Ok(());
                self.connection
                    .pragma_update_and_check(None, "wal_autocheckpoint", pages, set)
            })
            .doing("set how commits are forced")
    }
}

impl Drop for Store {
    /// Empties the WAL, as closing would, but without the lock that keeps readers out meanwhile.
    fn drop(&mut self) {
        self.empty_wal(Duration::ZERO);
        // Where readers are at it all the time, it would never be emptied by chance. Those who come now need
        // nothing of it, so it is enough to wait for those who are there.
        let wal = fs::metadata(beside(&self.path, "-wal")).map_or(0, |wal| wal.len());
        if wal > LONG_WAL_BYTES {
            self.empty_wal(WAIT_FOR_READERS);
        }
    }
}

impl Store {
    fn empty_wal(&self, wait: Duration) {
        let _ = self.connection.busy_timeout(wait);
        for mode in ["PASSIVE", "TRUNCATE"] {
            let _ = self
                .connection
                .pragma_update_and_check(None, "wal_checkpoint", mode, |_| Ok(()));
        }
    }
}

/// Opens the file to read it, without changing a byte of it.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let named = || path.to_owned();
    match look(path)? {
        Found::Ours => {}
        Found::Blank => return Err(Error::Empty { path: named() }),
        Found::Nothing => return Err(Error::NotFound { path: named() }),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(with_schema_version);
    let (connection, found) = match opened {
        Err(e) if is_denied(&e) && !has_wal(path) => {
            // Nothing may be written beside the file, and so nobody writes the file: it is read as
            // it is, without the shared memory that a WAL is read through.
            Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI)
                .and_then(with_schema_version)
        }
        opened => opened,
    }
    .map_err(|source| open_error(path, source))?;
    match found {
        SCHEMA_VERSION => Ok(connection),
        found if found > SCHEMA_VERSION => Err(newer(path, found)),
        found => Err(Error::OlderSchema {
            path: path.to_owned(),
            found,
            known: SCHEMA_VERSION,
        }),
    }
}

fn with_schema_version(connection: Connection) -> Result<(Connection, i64), rusqlite::Error> {
    set_up(&connection, false)?;
    let found = schema_version(&connection)?;
    Ok((connection, found))
}

fn is_denied(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    )
}

/// Whether something is in the WAL that is not yet in the file.
pub(super) fn has_wal(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0)
}

/// Opens a file that nobody else has open, without leaving a trace beside it.
pub(super) fn open_unchanging(path: &Path) -> Result<Connection, Error> {
    connect_unchanging(path).map_err(|source| open_error(path, source))
}

fn connect_unchanging(path: &Path) -> Result<Connection, rusqlite::Error> {
    Connection::open_with_flags(
        immutable(path),
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// The file as a URI that says that nobody changes it. Names need not be UTF-8, and a root may be
/// written with two slashes, which without the first two here would name a host.
fn immutable(path: &Path) -> String {
    let name = path.as_os_str().as_encoded_bytes();
    let mut uri = if name.starts_with(b"/") {
        "file://"
    } else {
        "file:"
    }
    .to_owned();
    for &byte in name {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            byte => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}

pub(super) enum Found {
    Nothing,
    /// An empty file, or a database of ours in which nothing has been made yet.
    Blank,
    Ours,
}

/// Tells what the file is, so that nothing foreign is ever written to.
///
/// It is SQLite that opens it, as a file that nobody changes: that leaves no trace, not even beside
/// the file. To open and close it here would give up the locks that other connections of this very
/// process have on it, as POSIX has it.
pub(super) fn look(path: &Path) -> Result<Found, Error> {
    let metadata = match fs::metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        metadata => metadata.and_then(|m| match m.is_dir() {
            true => Err(ErrorKind::IsADirectory.into()),
            false => Ok(m),
        }),
    }
    .map_err(|source| Error::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    if metadata.len() == 0 {
        return Ok(Found::Blank);
    }
    if metadata.len() < SMALLEST_DATABASE_BYTES {
        return Err(Error::NotSqlite {
            path: path.to_owned(),
        });
    }
    let id: i32 = connect_unchanging(path)
        .and_then(|file| {
            // Within a checkpoint, or after a kill in one, pages of the file are still in the WAL, which is not
            // looked at here. This setting has SQLite take a file that is too short for what its first page says.
            file.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
            file.pragma_query_value(None, "application_id", |row| row.get(0))
        })
        .map_err(|source| unreadable(path, source))?;
    if id == APPLICATION_ID {
        Ok(Found::Ours)
    } else {
        Err(Error::NotOurs {
            path: path.to_owned(),
        })
    }
}

/// Brings the schema up to date. Another recorder may be about the same: then its work is waited
/// for and found done.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    const ATTEMPTS: u32 = 5;
    for attempt in 1.. {
        let found = schema_version(connection).map_err(|source| open_error(path, source))?;
        if found > SCHEMA_VERSION {
            return Err(newer(path, found));
        }
        if found == SCHEMA_VERSION {
            break;
        }
        // All in one transaction: by itself refinery commits a migration before it notes that it has done
        // so, and a kill between the two leaves a file that no later run can upgrade.
        let runner = embedded::migrations::runner().set_grouped(true);
        let Err(source) = runner.run(connection) else {
            break;
        };
        if attempt == ATTEMPTS {
            return Err(Error::Migrate {
                path: path.to_owned(),
                source: said_by_sqlite(source),
            });
        }
        // To be let in is to know that whoever was at it has finished.
        connection
            .execute_batch("BEGIN IMMEDIATE; COMMIT")
            .map_err(|source| open_error(path, source))?;
    }
    Ok(())
}

/// Refinery repeats the text of the migration; what SQLite said of it is enough.
fn said_by_sqlite(error: refinery::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        let said = match error.downcast_ref() {
            Some(rusqlite::Error::SqliteFailure(code, text)) => Some((*code, text.clone())),
            Some(rusqlite::Error::SqlInputError { error, msg, .. }) => {
                Some((*error, Some(msg.clone())))
            }
            _ => None,
        };
        if let Some((code, text)) = said {
            return Box::new(rusqlite::Error::SqliteFailure(code, text));
        }
        cause = error.source();
    }
    Box::new(error)
}

/// A history in memory, in which nothing is recorded.
pub(super) fn empty() -> Result<Connection, Error> {
    let path = Path::new(":memory:");
    let mut connection = Connection::open_in_memory().map_err(|source| open_error(path, source))?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Whether both names lead to one file.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (file_id(one), file_id(other)) {
        (Some(one), Some(other)) => one == other,
        _ => {
            let resolved = |path: &Path| fs::canonicalize(path).ok();
            resolved(one).is_some_and(|one| resolved(other).as_ref() == Some(&one))
        }
    }
}

/// A file's device and number there.
type FileId = (u64, u64);

fn file_id(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let file = fs::metadata(path).ok()?;
        Some((file.dev(), file.ino()))
    }
    #[cfg(not(unix))]
    None
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What is in a file for good, and can only be put there before there are tables.
pub(super) fn lay_out(connection: &Connection) -> Result<(), rusqlite::Error> {
    // Space is given back in steps when history is pruned.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // Before anything else is in the file, so that a kill in between leaves one that is ours.
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    // Readers and the writer do not wait for each other.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
}

/// The settings, each with its reason.
fn set_up(connection: &Connection, write: bool) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Each version refers to seven other rows, and to look for them takes as long as to write it. That they
    // are there is checked where we are tested, with foreign_key_check.
    connection.pragma_update(None, "foreign_keys", false)?;
    // A database is data: what its schema says must not call anything with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    // A plan depends on the statement and not on the values bound to it; otherwise this build of
    // SQLite plans anew with each value, which took two thirds of a sync.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // MiB of pages instead of 2: a look-up's inner pages stay in memory. A recorder goes through them in
    // their order, and has its own memory beside.
    let cached_kib = if write { 8_192 } else { 16_384 };
    connection.pragma_update(None, "cache_size", -cached_kib)?;
    connection.set_prepared_statement_cache_capacity(64);
    if !write {
        connection.pragma_update(None, "query_only", true)?;
        return Ok(());
    }
    if schema_version(connection)? == 0 {
        // An empty file that somebody else had made.
        lay_out(connection)?;
    } else {
        // A copy may have lost it, as one made by `VACUUM INTO` has.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    }
    // The last one to close would empty the WAL under a lock that keeps readers out, among them
    // those who never wait, such as a plain sqlite3 shell; `Store` does it without.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // A recorder's latest snapshot may be the only copy: it outlives a power failure.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // A long import does not leave a WAL of gigabytes behind.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    Ok(())
}

fn schema_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let recorded = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'",
            [],
            |_| Ok(()),
        )
        .optional()?;
    if recorded.is_none() {
        return Ok(0);
    }
    connection.query_row(
        "SELECT coalesce(max(version), 0) FROM refinery_schema_history",
        [],
        |row| row.get(0),
    )
}

fn newer(path: &Path, found: i64) -> Error {
    Error::NewerSchema {
        path: path.to_owned(),
        found,
        known: SCHEMA_VERSION,
    }
}

/// SQLite says neither why it could not open a file nor its name as it was given; the system does.
fn unreadable(path: &Path, source: rusqlite::Error) -> Error {
    if source.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen)
        // What cannot be opened is not closed again, so that no lock on it is given up.
        && let Err(source) = fs::File::open(path)
    {
        return Error::Unreadable {
            path: path.to_owned(),
            source,
        };
    }
    open_error(path, source)
}

pub(super) fn open_error(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    // Its text would only name the file again, as it was given to SQLite.
    let source = match source {
        rusqlite::Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::CannotOpen => {
            rusqlite::Error::SqliteFailure(code, None)
        }
        source => source,
    };
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => Error::NotSqlite { path },
        Some(rusqlite::ErrorCode::ReadOnly) => Error::ReadOnly { path },
        _ => Error::Open { path, source },
    }
}
