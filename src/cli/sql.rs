//! `prochist sql`.

mod long_table;
mod rows;
mod schema;
mod stopwatch;

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use prochist::Question;
use prochist::history::{SqlCut, SqlLimits, SqlQuery};
use serde_json::json;

use super::args::SqlArgs;
use super::failure::Failure;
use super::output::{Format, Output};
use super::{Done, history::open, human};
use rows::Rows;
use stopwatch::Stopwatch;

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
    let watch = Stopwatch::start();
    let (running, timeout) = (watch.clone(), args.timeout);
    let limits = SqlLimits {
        max_rows: args.max_rows,
        stop: Box::new(move || running.elapsed() >= timeout),
    };
    let mut rows = Rows::new(output, head, watch);
    let cut = match history.sql(&query, limits, &mut rows) {
        Ok(cut) => cut,
        Err(failure) => {
            // What came until then is shown; where that fails, too, the first failure is the reason.
            let _ = rows.break_off();
            return Err(failure);
        }
    };
    rows.finish(cut)?;
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
                humantime::format_duration(timeout)
            );
            Done::Partial
        }
    })
}

fn read_query() -> Result<String, Failure> {
    let mut stdin = io::stdin();
    if stdin.is_terminal() {
        say!("type a query, then end the input with Ctrl-D");
    }
    let mut query = String::new();
    stdin
        .read_to_string(&mut query)
        .map_err(|e| Failure::new(format!("could not read the query: {e}")))?;
    Ok(query)
}
