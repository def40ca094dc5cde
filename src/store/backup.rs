//! A copy of the file as it stands at one moment, while others record: made under another name, verified,
//! and only then given its own.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Progress;
use super::create::{NewFile, not_writable, sync_folder};
use super::file::{Found, has_wal, is_same_file, look, open_to_read};
use super::verify::{Check, verify_copy};
use crate::Error;
use crate::error::Doing;

/// So many pages are copied between two reports: 4 MiB of the usual size.
const PAGES_AT_ONCE: i32 = 1024;

/// A copy that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// Its size in bytes.
    pub bytes: u64,
    /// What was verified of it, all of which holds.
    pub checks: Vec<Check>,
}

/// Copies the history database at `from` to `to`, with mode 0600, as it stands at one moment. Others may
/// record meanwhile. What was at `to` stays there until the copy is whole, verified and on the disk, and is
/// then replaced in one step; it must be a history database, too, and none that is in use.
///
/// `progress` is told of pages copied, then of checks done with.
///
/// ```
/// use prochist::{History, Store};
/// # let folder = tempfile::tempdir()?;
/// # let (path, copy) = (folder.path().join("history.db"), folder.path().join("backup.db"));
/// Store::open(&path)?;
/// prochist::back_up(&path, &copy, |_| ())?;
/// assert_eq!(History::open(&copy)?.status()?.rows[0].processes, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of opening `from` to read; [`Error::NotOurs`], [`Error::NotSqlite`], [`Error::NoFolder`],
/// [`Error::ReadOnly`], [`Error::Unreadable`] or [`Error::Create`] of `to`; [`Error::InUse`] if `to` has a WAL, or is the very
/// file to be copied; [`Error::NotWhole`] if the copy does not pass; [`Error::Sqlite`]. Whatever was at `to`
/// is then as it was.
pub fn back_up(
    from: &Path,
    to: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<BackedUp, Error> {
    let source = open_to_read(from)?;
    look(to)?;
    // A WAL that is there would be taken for the copy's.
    if is_same_file(from, to) || has_wal(to) {
        return Err(Error::InUse {
            path: to.to_owned(),
        });
    }
    let made = NewFile::create(to)?;
    copy(&source, made.path(), &mut progress)?;
    let checks = verify_copy(made.path(), &mut progress)?;
    if let Some(check) = checks.iter().find(|check| check.broken > 0) {
        return Err(Error::NotWhole {
            path: from.to_owned(),
            what: check.example.clone().unwrap_or_default(),
            rule: check.rule,
        });
    }
    let bytes = File::open(made.path())
        .and_then(|file| {
            file.sync_all()?;
            Ok(file.metadata()?.len())
        })
        .map_err(|e| not_writable(to, e))?;
    put_in_place(made.path(), to)?;
    sync_folder(to)?;
    Ok(BackedUp { bytes, checks })
}

/// Gives the copy its name, unless somebody has what is there open by now: to them it would stay the file that
/// it was, and what they write would be taken for the copy's.
fn put_in_place(made: &Path, to: &Path) -> Result<(), Error> {
    if let Found::Nothing = look(to)? {
        // A link does not replace what somebody makes there at this moment. Not every file system has links.
        return match fs::hard_link(made, to) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(Error::InUse {
                path: to.to_owned(),
            }),
            Err(_) => fs::rename(made, to).map_err(|e| not_writable(to, e)),
            Ok(()) => Ok(()),
        };
    }
    let held = held_by_nobody(to)?;
    fs::rename(made, to).map_err(|e| {
        // The earlier backup stays, and stays as it was.
        let _ = held.execute_batch("ROLLBACK; PRAGMA journal_mode = WAL");
        not_writable(to, e)
    })
}

/// Keeps everybody else from a file, for as long as it is held. Only who is alone with it can take it out of
/// WAL mode, and then lock it for good.
fn held_by_nobody(path: &Path) -> Result<Connection, Error> {
    let in_use = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::InUse {
            path: path.to_owned(),
        },
        _ => Error::Sqlite {
            doing: "lock the earlier backup",
            source,
        },
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let held = Connection::open_with_flags(path, flags).map_err(in_use)?;
    if held.is_readonly("main").unwrap_or(false) {
        return Err(Error::ReadOnly {
            path: path.to_owned(),
        });
    }
    held.busy_timeout(Duration::ZERO)
        .and_then(|()| held.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())))
        .and_then(|()| held.execute_batch("BEGIN EXCLUSIVE"))
        .map_err(in_use)?;
    Ok(held)
}

fn copy(source: &Connection, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    const DOING: &str = "copy the file";
    // Held until the end, so that every page is of one moment and nobody's commit starts it over.
    let _moment = source.unchecked_transaction().doing(DOING)?;
    source
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .doing(DOING)?;
    let mut copy =
        Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE).doing(DOING)?;
    let backup = Backup::new(source, &mut copy).doing(DOING)?;
    loop {
        let step = backup.step(PAGES_AT_ONCE).doing(DOING)?;
        let pages = backup.progress();
        let count = |pages: i32| u64::from(pages.max(0).cast_unsigned());
        progress(Progress {
            done: count(pages.pagecount - pages.remaining),
            of: count(pages.pagecount),
        });
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // Nobody else has the copy, and the file is being read.
            _ => {
                return Err(Error::InUse {
                    path: to.to_owned(),
                });
            }
        }
    }
}
