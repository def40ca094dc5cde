//! Ad-hoc SQL that can only read, and that stops in time.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
pub use rusqlite::types::ValueRef as SqlValue;

use super::{History, SqlQuery};
use crate::Error;
use crate::error::Doing;
use crate::store::open_to_read;

/// Where an SQL statement is stopped.
pub struct SqlLimits {
    /// Rows after which the answer is cut; 0 for no limit.
    pub max_rows: u64,
    /// Asked every few thousand steps; when it says so, the answer is cut.
    pub stop: Box<dyn FnMut() -> bool + Send>,
}

impl std::fmt::Debug for SqlLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlLimits")
            .field("max_rows", &self.max_rows)
            .finish_non_exhaustive()
    }
}

/// Why an answer ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlCut {
    /// There are more rows.
    Rows,
    /// It took too long.
    Time,
}

/// The largest text or blob that a statement may read or make, in bytes.
const MAX_VALUE_BYTES: i32 = 64 * 1024 * 1024;

/// How many of SQLite's steps pass between two questions whether to stop.
const STEPS: i32 = 4096;

/// Pragmas that tell and do not change.
const TELLING_PRAGMAS: [&str; 11] = [
    "application_id",
    "collation_list",
    "compile_options",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "page_count",
    "page_size",
    "table_info",
    "table_list",
];

/// Where the rows of an SQL answer go, as they come.
pub trait SqlRows {
    /// What may go wrong there; it ends the answer.
    type Error: From<Error>;

    /// The names of the columns: called once, before any row.
    ///
    /// # Errors
    /// Its own.
    fn columns(&mut self, names: &[&str]) -> Result<(), Self::Error>;

    /// The values of one row, in the order of the columns.
    ///
    /// # Errors
    /// Its own.
    fn row(&mut self, values: &[SqlValue<'_>]) -> Result<(), Self::Error>;
}

impl History {
    /// Runs one statement that only reads, and hands its rows on as they come. Returns what cut the
    /// answer short, if anything did.
    ///
    /// # Errors
    /// [`Error::RefusedSql`] if it is not one statement, is not valid SQL, or does anything but
    /// read; [`Error::SqlParameters`] if its parameters and their values do not match;
    /// [`Error::Sqlite`]; and whatever `rows` returns.
    pub fn sql<R: SqlRows>(
        &self,
        query: &SqlQuery,
        limits: SqlLimits,
        rows: &mut R,
    ) -> Result<Option<SqlCut>, R::Error> {
        let db = limited(&self.path, limits.stop)?;
        let mut statement = db.prepare(&query.text).map_err(refused)?;
        if !statement.readonly() {
            return Err(not_reading().into());
        }
        if statement.column_count() == 0 {
            return Err(R::Error::from(Error::RefusedSql {
                reason: "there is no statement that gives rows".to_owned(),
            }));
        }
        query.bind(&mut statement)?;
        let width = statement.column_count();
        rows.columns(&statement.column_names().collect::<Vec<_>>())?;
        let mut answer = statement.raw_query();
        let mut count = 0;
        loop {
            let next = match answer.next() {
                Err(e)
                    if e.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
                {
                    return Ok(Some(SqlCut::Time));
                }
                next => next.map_err(refused)?,
            };
            let Some(next) = next else { return Ok(None) };
            if limits.max_rows > 0 && count == limits.max_rows {
                return Ok(Some(SqlCut::Rows));
            }
            count += 1;
            let values: Result<Vec<SqlValue<'_>>, _> =
                (0..width).map(|i| next.get_ref(i)).collect();
            rows.row(&values.doing("read a row")?)?;
        }
    }
}

/// A connection of its own for somebody else's statement, so that its limits stay with it.
fn limited(path: &Path, stop: Box<dyn FnMut() -> bool + Send>) -> Result<Connection, Error> {
    let mut db = open_to_read(path)?;
    db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)
        .doing("limit a statement")?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        .doing("limit a statement")?;
    db.authorizer(Some(only_reading))
        .doing("limit a statement")?;
    db.progress_handler(STEPS, Some(stop))
        .doing("limit a statement")?;
    Ok(db)
}

fn only_reading(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        AuthAction::Function { function_name } if function_name != "load_extension" => {
            Authorization::Allow
        }
        AuthAction::Pragma { pragma_name, .. } if TELLING_PRAGMAS.contains(&pragma_name) => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

/// The query's author made the mistake, so SQLite's own words are the message.
fn refused(error: rusqlite::Error) -> Error {
    let reason = match &error {
        rusqlite::Error::MultipleStatement => "one statement at a time".to_owned(),
        e if e.sqlite_error_code()
            == Some(rusqlite::ErrorCode::AuthorizationForStatementDenied) =>
        {
            return not_reading();
        }
        rusqlite::Error::SqlInputError { msg, offset, .. } if *offset >= 0 => {
            format!("SQL: {msg} (at character {})", offset + 1)
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => format!("SQL: {message}"),
        other => format!("SQL: {other}"),
    };
    Error::RefusedSql { reason }
}

fn not_reading() -> Error {
    Error::RefusedSql {
        reason: "only statements that read are allowed here".to_owned(),
    }
}
