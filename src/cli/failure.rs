//! What people see when a command fails: one line that names the thing, a hint, an exit code.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

use prochist::Error;
use tracing::error;

use super::log;
use super::table::printable;

/// How an error begins, on a terminal that shows colours.
const ERROR: &str = "\u{1b}[31merror:\u{1b}[0m";

#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failed,
    Usage,
    Busy,
    BrokenPipe,
}

impl Failure {
    /// It did not work.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Failed,
            message: message.into(),
            hint: None,
        }
    }

    /// It was asked for in a way that cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Usage,
            ..Self::new(message)
        }
    }

    /// An error with its causes, in one line.
    pub fn caused(error: &dyn std::error::Error) -> Self {
        Self::new(prochist::describe(error))
    }

    /// The same, as a matter of how it was asked for.
    pub fn into_usage(self) -> Self {
        Self {
            kind: Kind::Usage,
            ..self
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What went wrong, without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Says it on standard error, in the form that the command was asked to say things in.
    pub fn tell(&self) {
        if log::is_on() {
            error!(hint = self.hint, "{}", self.message);
        } else {
            say!("{}", self.to_string().replacen("error:", ERROR, 1));
        }
    }

    pub fn is_broken_pipe(&self) -> bool {
        self.kind == Kind::BrokenPipe
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Usage => 2,
            Kind::Busy => 4,
            Kind::Failed | Kind::BrokenPipe => 1,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", printable(&self.message))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {}", printable(hint)),
            None => Ok(()),
        }
    }
}

/// What to do where the disk is the cause: SQLite's word for it, or the system's, is at the end of the chain.
fn of_disk(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use rusqlite::ErrorCode::{DiskFull, SystemIoFailure};
    let mut cause = Some(error);
    while let Some(error) = cause {
        let said = error.downcast_ref::<rusqlite::Error>();
        match said.and_then(rusqlite::Error::sqlite_error_code) {
            Some(DiskFull) => return Some(NO_ROOM),
            Some(SystemIoFailure) => return Some(REFUSED),
            _ => {}
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            match error.kind() {
                ErrorKind::StorageFull => return Some(NO_ROOM),
                ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => return Some(REFUSED),
                // There is no kind for it.
                _ if cfg!(unix) && error.raw_os_error() == Some(EIO) => return Some(REFUSED),
                _ => {}
            }
        }
        cause = error.source();
    }
    None
}

/// What every Unix calls an error of input or output.
const EIO: i32 = 5;

const NO_ROOM: &str =
    "make room on the disk; what was recorded before is whole, and running it again goes on";

const REFUSED: &str = "the system refused to read or write: look for a full disk, one that fails, a quota or \
     a limit on file sizes (ulimit -f); what was recorded before is whole, and running it again goes on";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::caused(&error);
        if let Some(hint) = of_disk(&error) {
            return failure.hint(hint);
        }
        match error {
            Error::NotFound { .. } => failure.hint(
                "record one with `prochist demo`, `prochist sync` or `prochist import`, or name \
                 another with --db PATH",
            ),
            Error::Empty { .. } => failure.hint(
                "record into it with `prochist sync` or `prochist import`, or name another with --db \
                 PATH",
            ),
            Error::Unreadable { ref path, ref source } if source.kind() == ErrorKind::IsADirectory => {
                let inside = path.join("history.db");
                failure.hint(format!("--db takes a file, such as {}", inside.display()))
            }
            Error::Unreadable { ref source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                failure.hint(
                    "run it as a user who may read the file and enter its folder, or name another file \
                     with --db PATH",
                )
            }
            Error::NoFolder { .. } => {
                failure.hint("make the folder first, or name another with --db PATH")
            }
            Error::LeftWal { ref path } => failure.hint(format!(
                "put the file back that it belongs to, or move {}-wal away to begin anew",
                path.display()
            )),
            Error::Gone { .. } => failure.hint(
                "what was recorded meanwhile went with it: put it back, if it was moved, and run this again",
            ),
            Error::NotSqlite { .. } | Error::NotOurs { .. } => {
                failure.hint("name a history database with --db PATH; this file was left as it is")
            }
            Error::NewerSchema { .. } => {
                failure.hint("upgrade prochist; the file was left as it is")
            }
            Error::OlderSchema { .. } => failure.hint(
                "any question upgrades it, such as `prochist status`; of a backup, ask a copy",
            ),
            Error::ReadOnly { .. } => {
                failure.hint("recording needs to write the file and its folder")
            }
            Error::InUse { .. } => failure.hint(
                "name another file; a history that is being recorded in, or was not closed, has a WAL beside it",
            ),
            Error::NotWhole { .. } => failure.hint(
                "no copy was made, and an earlier backup is as it was; see `prochist verify`",
            ),
            Error::SameFile { .. } => {
                failure.into_usage().hint("name the history that another collector recorded")
            }
            Error::Lock { .. } => failure.hint("recording needs to write beside the database"),
            Error::Locked { .. } => Self {
                kind: Kind::Busy,
                ..failure
            }
            .hint("wait for it with --wait 10s, or leave it to the next run"),
            Error::EmptyWindow { .. } => Self {
                kind: Kind::Usage,
                ..failure
            }
            .hint("--since comes before --until"),
            Error::UnknownProcess { .. } => failure.hint(
                "ids are matched whole; find one with `prochist sql \"SELECT process_id FROM \
                 processes WHERE process_id LIKE '…%'\"`",
            ),
            Error::UnknownEndpoint { .. } => {
                failure.hint("list the endpoints that were held with `prochist ports`")
            }
            Error::FirstDeployment { .. } => {
                failure.hint("name both with two dots between, such as 43..44")
            }
            Error::TooFine { .. } => failure.into_usage().hint(
                "narrow the time with --since and --until, or take longer stretches: --by day, or a \
                 longer --step",
            ),
            Error::BurstsByTime { .. } => failure.into_usage().hint(
                "group by app, region or deployment, and narrow the time with --since and --until",
            ),
            Error::RefusedSql { .. } => {
                failure.hint("`prochist sql --schema` shows the views and their columns")
            }
            Error::SqlMemory => failure.hint(
                "sort, group or join fewer rows, or give it more memory with --max-memory MIB",
            ),
            Error::SqlParameters { .. } => failure.into_usage().hint(
                "give each parameter its value once: --param id=… for :id, --param 1=… for ?1",
            ),
            Error::Sqlite { source, .. }
                if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) =>
            {
                Self {
                    kind: Kind::Busy,
                    ..failure
                }
                .hint("another run is writing; this one can be tried again")
            }
            _ => failure,
        }
    }
}

impl From<std::io::Error> for Failure {
    /// Only standard output is written without a word of its own.
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::BrokenPipe => Kind::BrokenPipe,
            _ => Kind::Failed,
        };
        Self {
            kind,
            ..Self::new(format!("could not write the output: {error}"))
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::from(std::io::Error::from(error))
    }
}

impl From<csv::Error> for Failure {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => Self::from(error),
            other => Self::new(format!("could not write the output: {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_with_its_causes_and_a_hint() {
        let failure = Failure::from(Error::Unreadable {
            path: "/x/\u{1b}[31m.db".into(),
            source: std::io::Error::other("the disk is on fire"),
        });
        let text = failure.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.ends_with("the disk is on fire"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
