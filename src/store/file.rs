//! Opening the file: what it must be, how it is made, which settings it gets.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::Error;
use crate::error::Doing;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// SQLite's `application_id` of a history database: the letters "phst".
pub const APPLICATION_ID: i32 = 0x7068_7374;

/// The latest schema that this version of the library knows: the number of migrations.
pub const SCHEMA_VERSION: i64 = 1;

/// How long a statement waits for another writer, who holds the file for one snapshot at a time.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

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
    path: PathBuf,
}

impl Store {
    /// Opens the history database at `path` to record in it. A missing file is made, with mode
    /// 0600 and with its folder; one of an older schema is upgraded.
    ///
    /// # Errors
    /// [`Error::NotSqlite`], [`Error::NotOurs`], [`Error::NewerSchema`], [`Error::ReadOnly`],
    /// [`Error::NoFolder`], [`Error::Unreadable`], [`Error::Open`] or [`Error::Migrate`]; the file
    /// is then as it was.
    pub fn open(path: &Path) -> Result<Self, Error> {
        match look(path)? {
            Found::Nothing => create_file(path)?,
            Found::Ours | Found::Blank => {
                // Asked of the system first, because SQLite would open it for reading and only
                // complain at the first write.
                if let Err(e) = OpenOptions::new().write(true).open(path) {
                    return Err(not_writable(path, e));
                }
            }
        }
        let mut connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|source| open_error(path, source))?;
        set_up(&connection, true).map_err(|source| open_error(path, source))?;
        let found = schema_version(&connection).map_err(|source| open_error(path, source))?;
        if found > SCHEMA_VERSION {
            return Err(newer(path, found));
        }
        if found < SCHEMA_VERSION {
            embedded::migrations::runner()
                .run(&mut connection)
                .map_err(|source| Error::Migrate {
                    path: path.to_owned(),
                    source: Box::new(source),
                })?;
        }
        Ok(Self {
            connection,
            path: path.to_owned(),
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
        let level = if force { "FULL" } else { "NORMAL" };
        self.connection
            .pragma_update(None, "synchronous", level)
            .doing("set how commits are forced")
    }
}

/// Opens the file to read it, without changing a byte of it.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    if !matches!(look(path)?, Found::Ours) {
        return Err(Error::NotFound {
            path: path.to_owned(),
        });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(with_schema_version);
    let (connection, found) = match opened {
        Err(e) if is_denied(&e) && !is_in_use(path) => {
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

/// Whether somebody has the file open, or had it and was killed.
fn is_in_use(path: &Path) -> bool {
    ["-wal", "-shm"].iter().any(|suffix| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        Path::new(&beside).exists()
    })
}

/// The file as a URI that says that nobody changes it.
fn immutable(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for c in path.to_string_lossy().chars() {
        match c {
            '%' | '?' | '#' => uri.push_str(&format!("%{:02x}", u32::from(c))),
            c => uri.push(c),
        }
    }
    uri + "?immutable=1"
}

enum Found {
    Nothing,
    /// An empty file, or a database of ours in which nothing has been made yet.
    Blank,
    Ours,
}

/// Tells from the file's first bytes what it is, so that nothing foreign is ever opened.
fn look(path: &Path) -> Result<Found, Error> {
    let unreadable = |source| Error::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(unreadable(e)),
    };
    let mut header = Vec::with_capacity(100);
    file.by_ref()
        .take(100)
        .read_to_end(&mut header)
        .map_err(unreadable)?;
    if header.is_empty() {
        return Ok(Found::Blank);
    }
    if !header.starts_with(b"SQLite format 3\0") || header.len() < 72 {
        return Err(Error::NotSqlite {
            path: path.to_owned(),
        });
    }
    if header[68..72] != APPLICATION_ID.to_be_bytes() {
        return Err(Error::NotOurs {
            path: path.to_owned(),
        });
    }
    Ok(Found::Ours)
}

fn create_file(path: &Path) -> Result<(), Error> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| Error::NoFolder {
            path: path.to_owned(),
            source,
        })?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        // Ids of customers' processes and their addresses are nobody else's business. SQLite gives
        // the -wal and -shm files the mode of the database.
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(_) => Ok(()),
        // Another prochist made it in between; that is as good.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(not_writable(path, e)),
    }
}

/// The settings, each with its reason.
fn set_up(connection: &Connection, write: bool) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Mistakes in our own writing should fail loudly, not leave rows that refer to nothing.
    connection.pragma_update(None, "foreign_keys", true)?;
    // A database is data: what its schema says must not call anything with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    // A plan depends on the statement and not on the values bound to it; otherwise this build of
    // SQLite plans anew with each value, which took two thirds of a sync.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // 16 MiB of pages instead of 2: a look-up's inner pages stay in memory.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(64);
    if !write {
        connection.pragma_update(None, "query_only", true)?;
        return Ok(());
    }
    if schema_version(connection)? == 0 {
        // Space is given back in steps when history is pruned; only a file without tables can be
        // told so.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        // Before anything else is in the file, so that a kill in between leaves one that is ours.
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    // Readers and the writer do not wait for each other.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
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

fn not_writable(path: &Path, source: std::io::Error) -> Error {
    match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::ReadOnly {
            path: path.to_owned(),
        },
        _ => Error::Unreadable {
            path: path.to_owned(),
            source,
        },
    }
}

fn open_error(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => Error::NotSqlite { path },
        Some(rusqlite::ErrorCode::ReadOnly) => Error::ReadOnly { path },
        _ => Error::Open { path, source },
    }
}
