//! What can go wrong with the file. Fragments that name the object; the cause is in `source()`.

use std::path::PathBuf;

/// Why the history database could not be opened, written or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no file at the path, and reading never makes one.
    #[error("no history database at {path:?}")]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is empty, and reading never writes one.
    #[error("history database {path:?} is empty: nothing was ever recorded in it")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The folder that the file was to be made in is missing.
    #[error("the folder of history database {path:?} does not exist")]
    NoFolder {
        /// The database that was to be made.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("could not make history database {path:?}")]
    Create {
        /// The database that was to be made.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no file, but the WAL of one, with what was recorded last: it belongs to a file that was
    /// moved away or removed. Nothing is made beside it.
    #[error("history database {path:?} is gone, but its WAL was left there")]
    LeftWal {
        /// Where the file was.
        path: PathBuf,
    },
    /// The file was taken away while it was written: what was recorded since went with it.
    #[error("history database {path:?} was moved, replaced or removed while it was written")]
    Gone {
        /// Where the file was.
        path: PathBuf,
    },
    /// The file cannot be read at all.
    #[error("could not read {path:?}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a SQLite database. It is left as it was.
    #[error("{path:?} is not a SQLite database")]
    NotSqlite {
        /// The file.
        path: PathBuf,
    },
    /// The file is a SQLite database that another application made. It is left as it was.
    #[error("{path:?} is a SQLite database of another application")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A later prochist made or upgraded the file. It is left as it was.
    #[error("history database {path:?} has schema {found}, and this prochist knows up to {known}")]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema version of the file.
        found: i64,
        /// The latest schema version that this program knows.
        known: i64,
    },
    /// The file has an older schema; opening it to write upgrades it.
    #[error("history database {path:?} has schema {found}, and this prochist reads {known}")]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// The schema version of the file.
        found: i64,
        /// The schema version that this program reads.
        known: i64,
    },
    /// The file, or the folder it is in, cannot be written.
    #[error("history database {path:?} is read-only")]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another recorder has the database's lock.
    #[error("another sync of {path:?} is running{}", process(holder))]
    Locked {
        /// The database.
        path: PathBuf,
        /// The id of its process, where it can be told.
        holder: Option<u32>,
    },
    /// The database's lock cannot be made, or the file system has no locks.
    #[error("could not lock {path:?}")]
    Lock {
        /// The file that was to be locked.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A backup was to replace a file that is in use, or the very file that is to be copied.
    #[error("{path:?} is in use, and no place for a copy")]
    InUse {
        /// Where the copy was to go.
        path: PathBuf,
    },
    /// A copy of the file was made and is not whole, so most likely the file is not, either. The copy is
    /// gone again.
    #[error("history database {path:?} is not whole: it does not hold that {rule} ({what})")]
    NotWhole {
        /// The file that was copied.
        path: PathBuf,
        /// What must hold.
        rule: &'static str,
        /// One place where it does not.
        what: String,
    },
    /// Two files were to be merged that are one.
    #[error("{path:?} is the very file to merge into")]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// SQLite could not open the file, though it looked right.
    #[error("could not open history database {path:?}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A migration failed; the file is as it was before it.
    #[error("could not upgrade history database {path:?}")]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What SQLite said, or refinery.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQLite refused a statement: a full disk, a damaged file, a lock held too long.
    #[error("history database: could not {doing}")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A stored value is not what this program stores: the file is damaged or was edited.
    #[error("history database holds {what}, which no recording writes")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// A window ends before, or when, it begins.
    #[error("the window ends at {until}, which is not after its start at {since}")]
    EmptyWindow {
        /// Where it begins.
        since: crate::model::UtcMillis,
        /// Where it ends.
        until: crate::model::UtcMillis,
    },
    /// No process of that id was ever recorded.
    #[error("no process {process_id:?} was ever recorded")]
    UnknownProcess {
        /// The id asked for.
        process_id: String,
    },
    /// No process was ever recorded to hold that endpoint.
    #[error("no process was ever recorded to hold {host}:{port}")]
    UnknownEndpoint {
        /// The host asked for.
        host: String,
        /// The port asked for.
        port: i64,
    },
    /// No process of that deployment was ever recorded.
    #[error(
        "no process of deployment {deployment} was ever recorded{}",
        there_are(known)
    )]
    UnknownDeployment {
        /// The deployment asked for.
        deployment: String,
        /// Those that were, the latest first; at most twenty.
        known: Vec<String>,
    },
    /// A roll-out takes a deployment and one before it, and there is none.
    #[error("no deployment of the app came before {deployment}")]
    FirstDeployment {
        /// The deployment asked for.
        deployment: String,
    },
    /// An answer would go on over too many days, hours or steps, as it does where a record is dated
    /// thousands of years away from the others.
    #[error("the answer would have {stretches} stretches of time, and {most} are the most")]
    TooFine {
        /// How many it would have.
        stretches: i64,
        /// How many it may have.
        most: i64,
    },
    /// Bursts were to be grouped by day or hour: within one there would be little to hold them against,
    /// and one over midnight would be cut.
    #[error("bursts are stretches of time themselves, and cannot be grouped by {field}")]
    BurstsByTime {
        /// The field of the group.
        field: &'static str,
    },
    /// An SQL text is not one statement that only reads.
    #[error("{reason}")]
    RefusedSql {
        /// What is wrong with it.
        reason: String,
    },
    /// An SQL statement needs more memory than it may take.
    #[error("SQL: out of memory: the statement takes more than it may")]
    SqlMemory,
    /// The parameters of an SQL statement and the values given for them do not match.
    #[error("{reason}")]
    SqlParameters {
        /// Which one, and how.
        reason: String,
    },
}

fn process(id: &Option<u32>) -> String {
    id.map_or_else(String::new, |id| format!(" (process {id})"))
}

fn there_are(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!(" (there are {})", known.join(", ")),
    }
}

/// Says what was being done when SQLite refused.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, rusqlite::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Sqlite { doing, source })
    }
}

/// An error with its causes, in one line.
///
/// ```
/// let error = prochist::History::open("/nowhere/history.db".as_ref()).unwrap_err();
/// assert_eq!(prochist::describe(&error), r#"no history database at "/nowhere/history.db""#);
/// ```
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat a cause in their own message, or themselves in a cause.
        if !last.ends_with(&next) && !next.ends_with(&last) {
            text = format!("{text}: {next}");
        }
        last = next;
        cause = error.source();
    }
    text
}
