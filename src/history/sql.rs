//! Ad-hoc SQL that can only read, and that stops in time.

pub use rusqlite::types::ValueRef as SqlValue;

use super::sql_guard::{MAX_VALUE_BYTES, guarded};
use super::{History, SqlQuery};
use crate::Error;
use crate::error::Doing;

/// Where an SQL statement is stopped.
pub struct SqlLimits {
    /// Rows after which the answer is cut; 0 for no limit.
    pub max_rows: u64,
    /// Bytes that SQLite may take; `None` for no limit. SQLite has one for the whole process: it
    /// stays in force, for all that the process does with SQLite, and can then only be lowered. So it
    /// is for programs that do little else. A sort that does not fit is an error.
    pub max_memory: Option<u64>,
    /// Asked every few thousand steps; when it says so, the answer is cut. A single call of a function
    /// is one step, and some can be made to take hours: who must not wait has the statement run on
    /// a thread of its own.
    pub stop: Box<dyn FnMut() -> bool + Send>,
}

impl std::fmt::Debug for SqlLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlLimits")
            .field("max_rows", &self.max_rows)
            .field("max_memory", &self.max_memory)
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
    /// [`Error::SqlMemory`]; [`Error::Sqlite`]; and whatever `rows` returns.
    pub fn sql<R: SqlRows>(
        &self,
        query: &SqlQuery,
        limits: SqlLimits,
        rows: &mut R,
    ) -> Result<Option<SqlCut>, R::Error> {
        let db = guarded(&self.path, limits.max_memory, limits.stop)?;
        let mut statement = match db.prepare(&query.text) {
            // To plan a statement may take long, too.
            Err(e) if is_interrupted(&e) => return Ok(Some(SqlCut::Time)),
            statement => statement.map_err(refused)?,
        };
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
                Err(e) if is_interrupted(&e) => return Ok(Some(SqlCut::Time)),
                next => next.map_err(refused)?,
            };
            let Some(next) = next else { return Ok(None) };
            if limits.max_rows > 0 && count == limits.max_rows {
                return Ok(Some(SqlCut::Rows));
            }
            count += 1;
            let values: Result<Vec<SqlValue<'_>>, _> =
                (0..width).map(|i| next.get_ref(i)).collect();
            let values = values.doing("read a row")?;
            if values.iter().map(bytes_of).sum::<usize>() > MAX_VALUE_BYTES {
                return Err(R::Error::from(Error::RefusedSql {
                    reason: format!("SQL: row {count} is larger than {MAX_VALUE_BYTES} bytes"),
                }));
            }
            rows.row(&values)?;
        }
    }
}

fn bytes_of(value: &SqlValue<'_>) -> usize {
    match value {
        SqlValue::Text(bytes) | SqlValue::Blob(bytes) => bytes.len(),
        SqlValue::Null | SqlValue::Integer(_) | SqlValue::Real(_) => 8,
    }
}

fn is_interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted)
}

/// The query's author made the mistake, so SQLite's own words are the message.
fn refused(error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OutOfMemory) {
        return Error::SqlMemory;
    }
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
