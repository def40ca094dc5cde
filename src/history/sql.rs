//! Ad-hoc SQL that can only read, and that stops in time.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;

use super::History;
use crate::Error;
use crate::error::Doing;

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

impl History {
    /// Runs one statement that only reads. `columns` is called once with the names of its columns,
    /// `row` with each row as it comes; either ends the answer by returning an error.
    ///
    /// Returns what cut the answer short, if anything did.
    ///
    /// # Errors
    /// [`Error::RefusedSql`] if it is not one statement, is not valid SQL, or does anything but
    /// read; [`Error::Sqlite`]; and whatever `columns` and `row` return.
    pub fn sql<E: From<Error>>(
        &self,
        sql: &str,
        limits: SqlLimits,
        columns: impl FnOnce(&[&str]) -> Result<(), E>,
        mut row: impl FnMut(&[ValueRef<'_>]) -> Result<(), E>,
    ) -> Result<Option<SqlCut>, E> {
        let _guard = Guard::set(self, limits.stop).map_err(E::from)?;
        let mut statement = self.db.prepare(sql).map_err(refused).map_err(E::from)?;
        if !statement.readonly() || statement.column_count() == 0 {
            return Err(E::from(Error::RefusedSql {
                reason: "only statements that read are allowed here".to_owned(),
            }));
        }
        if statement.parameter_count() > 0 {
            return Err(E::from(Error::RefusedSql {
                reason: "the statement has parameters, and there are no values for them".to_owned(),
            }));
        }
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        columns(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut rows = statement.raw_query();
        let mut count = 0;
        loop {
            let next = match rows.next() {
                Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {
                    return Ok(Some(SqlCut::Time));
                }
                next => next.map_err(refused).map_err(E::from)?,
            };
            let Some(next) = next else { return Ok(None) };
            if limits.max_rows > 0 && count == limits.max_rows {
                return Ok(Some(SqlCut::Rows));
            }
            count += 1;
            let values: Result<Vec<ValueRef<'_>>, _> =
                (0..names.len()).map(|i| next.get_ref(i)).collect();
            row(&values.doing("read a row").map_err(E::from)?)?;
        }
    }
}

/// What holds while a statement of somebody else's runs.
struct Guard<'h>(&'h History);

impl<'h> Guard<'h> {
    fn set(history: &'h History, stop: Box<dyn FnMut() -> bool + Send>) -> Result<Self, Error> {
        let db = &history.db;
        let guard = Self(history);
        db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)
            .doing("limit a statement")?;
        db.authorizer(Some(only_reading)).doing("limit a statement")?;
        db.progress_handler(STEPS, Some(stop)).doing("limit a statement")?;
        Ok(guard)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // Neither can fail on an open connection, and a destructor has nobody to tell.
        let _ = self.0.db.authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
        let _ = self.0.db.progress_handler(0, None::<fn() -> bool>);
    }
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
        e if e.sqlite_error_code() == Some(rusqlite::ErrorCode::AuthorizationForStatementDenied) => {
            "only statements that read are allowed here".to_owned()
        }
        rusqlite::Error::SqlInputError { msg, offset, .. } if *offset >= 0 => {
            format!("SQL: {msg} (at character {})", offset + 1)
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => format!("SQL: {message}"),
        other => format!("SQL: {other}"),
    };
    Error::RefusedSql { reason }
}
