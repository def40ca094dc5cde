//! `prochist sql`.

mod long_table;
mod rows;
mod schema;
mod shared;
mod stopwatch;

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use prochist::history::{SqlCut, SqlLimits, SqlQuery};
use prochist::{History, Question};
use serde_json::{Value, json};

use super::args::SqlArgs;
use super::failure::Failure;
use super::output::{Format, Output};
use super::{Done, history::open, human};
use rows::Rows;
use shared::Shared;
use stopwatch::Stopwatch;

/// How long after its time a statement is left behind that has not stopped by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Time from one look at the clock to the next, beside those that SQLite takes.
const POLL: Duration = Duration::from_millis(50);

/// As many bytes are read of a query as SQLite gets to refuse for its length.
const LONGEST_QUERY: u64 = 2 * 1024 * 1024;

/// Room for SQLite's own recursion at the limits that it gets, as the program's first thread has it.
const STACK: usize = 8 * 1024 * 1024;

pub fn run(
    args: &SqlArgs,
    database: impl FnOnce() -> Result<PathBuf, Failure>,
    output: &Output,
) -> Result<Done, Failure> {
    if let Some(names) = &args.schema {
        return schema::run(names, output);
    }
    let query = match args.query.as_str() {
        "-" => read_query()?,
        query => query.to_owned(),
    };
    if query.trim().is_empty() {
        return Err(Failure::usage("the query is empty")
            .hint("give it as an argument, or on standard input"));
    }
    let query = args
        .param
        .iter()
        .fold(SqlQuery::new(query), |query, (name, value)| {
            query.param(name, value.clone())
        });
    let history = open(&database()?)?;
    // Told before the rows, so it may be a snapshot behind them, and never says too much.
    let head = match output.format() {
        Format::Json => {
            let basis = history.coverage(&Question::default())?.answer;
            Some(json!({
                "question": "sql",
                "window": basis.window,
                "coverage": basis.coverage,
                "excluded": basis.excluded,
            }))
        }
        _ => None,
    };
    let cut = run_in_time(history, query, args, output, head)?;
    Ok(match cut {
        None => Done::Whole,
        Some(SqlCut::Rows) => {
            say!(
                "warning: cut after {}; --max-rows 0 gives all",
                human::count(args.max_rows, "row", "rows")
            );
            Done::Partial
        }
        Some(SqlCut::Time) => {
            say!(
                "warning: cut after {}; --timeout gives more time",
                humantime::format_duration(args.timeout)
            );
            Done::Partial
        }
    })
}

/// Runs the statement on a thread of its own. SQLite asks whether to stop between its steps only, and a
/// single call of a function, such as `instr` of two long texts, may take hours: then it is left behind,
/// and ends with the program. It only reads, so that nothing is lost with it.
fn run_in_time(
    history: History,
    query: SqlQuery,
    args: &SqlArgs,
    output: &Output,
    head: Option<Value>,
) -> Result<Option<SqlCut>, Failure> {
    let watch = Stopwatch::start();
    let (running, timeout) = (watch.clone(), args.timeout);
    let limits = SqlLimits {
        max_rows: args.max_rows,
        max_memory: Some(u64::from(args.max_memory) * 1024 * 1024),
        stop: Box::new(move || running.elapsed() >= timeout),
    };
    let rows = Shared::new(Rows::new(output, head, watch.clone()));
    let (mut taken, (done, answer)) = (rows.clone(), mpsc::channel());
    thread::Builder::new()
        .name("sql".to_owned())
        .stack_size(STACK)
        .spawn(move || done.send(history.sql(&query, limits, &mut taken)))?;
    loop {
        match answer.recv_timeout(POLL) {
            Ok(Ok(cut)) => return rows.finish(cut),
            Ok(Err(failure)) => {
                // What came until then is shown; where that fails, too, the first failure is the reason.
                let _ = rows.break_off();
                return Err(failure);
            }
            Err(RecvTimeoutError::Disconnected) => {
                let _ = rows.break_off();
                return Err(Failure::new("the statement ended before its time"));
            }
            Err(RecvTimeoutError::Timeout) => {
                let is_late = || watch.elapsed() >= timeout.saturating_add(GRACE);
                if let Some(cut) = rows.finish_if(is_late)? {
                    return Ok(Some(cut));
                }
            }
        }
    }
}

fn read_query() -> Result<String, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        say!("type a query, then end the input with Ctrl-D");
    }
    let mut query = String::new();
    stdin
        .take(LONGEST_QUERY)
        .read_to_string(&mut query)
        .map_err(|e| Failure::new(format!("could not read the query: {e}")))?;
    Ok(query)
}
