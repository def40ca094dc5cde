//! `prochist sql`.

use std::io::{self, BufWriter, IsTerminal, Read, Stdout, Write};
use std::path::Path;
use std::time::Instant;

use prochist::Question;
use prochist::history::{SqlCut, SqlLimits, SqlRows, SqlValue};
use serde_json::{Map, Value, json};

use super::args::SqlArgs;
use super::failure::Failure;
use super::output::{Format, Output, plain};
use super::{Done, history::open, human, table};

pub fn run(args: &SqlArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let query = match args.query.as_str() {
        "-" => read_query()?,
        query => query.to_owned(),
    };
    if query.trim().is_empty() {
        return Err(Failure::usage("the query is empty")
            .hint("give it as an argument, or on standard input"));
    }
    let history = open(database)?;
    let began = Instant::now();
    let timeout = args.timeout;
    let limits = SqlLimits {
        max_rows: args.max_rows,
        stop: Box::new(move || began.elapsed() >= timeout),
    };
    let mut rows = Rows::new(output);
    let cut = history.sql(&query, limits, &mut rows)?;
    let basis = history.coverage(&Question::default())?.answer;
    rows.finish(json!({
        "question": "sql",
        "window": basis.window,
        "coverage": basis.coverage,
        "excluded": basis.excluded,
    }))?;
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

/// Rows on their way out: at once where the format allows, else kept until the end.
struct Rows {
    format: Format,
    terminal: bool,
    out: BufWriter<Stdout>,
    names: Vec<String>,
    kept: Vec<Vec<Value>>,
}

impl Rows {
    fn new(output: &Output) -> Self {
        Self {
            format: output.format(),
            terminal: output.terminal,
            out: BufWriter::new(io::stdout()),
            names: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn csv(&mut self, fields: impl Iterator<Item = String>) -> Result<(), Failure> {
        let mut csv = csv::Writer::from_writer(&mut self.out);
        csv.write_record(fields.collect::<Vec<_>>())?;
        Ok(csv.flush()?)
    }

    fn object(&self, row: Vec<Value>) -> Map<String, Value> {
        self.names.iter().cloned().zip(row).collect()
    }

    /// Writes what was kept, and for JSON the object around it.
    fn finish(mut self, mut whole: Value) -> Result<(), Failure> {
        let kept = std::mem::take(&mut self.kept);
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        match self.format {
            Format::Json => {
                whole["rows"] = kept.into_iter().map(|row| self.object(row)).collect();
                serde_json::to_writer_pretty(&mut self.out, &whole)?;
                writeln!(self.out)?;
            }
            Format::Table => {
                let text = table::draw(&names, &kept, self.terminal);
                self.out.write_all(text.as_bytes())?;
            }
            Format::Markdown => {
                let text = table::markdown(&names, &kept);
                self.out.write_all(text.as_bytes())?;
            }
            Format::Csv | Format::Ndjson => {}
        }
        Ok(self.out.flush()?)
    }
}

impl SqlRows for Rows {
    type Error = Failure;

    fn columns(&mut self, names: &[&str]) -> Result<(), Failure> {
        self.names = match self.format {
            Format::Json | Format::Ndjson => told_apart(names),
            _ => names.iter().map(|&name| name.to_owned()).collect(),
        };
        if self.format == Format::Csv {
            self.csv(names.iter().map(|&name| name.to_owned()))?;
        }
        Ok(())
    }

    fn row(&mut self, values: &[SqlValue<'_>]) -> Result<(), Failure> {
        let row: Vec<Value> = values.iter().map(json_of).collect();
        match self.format {
            Format::Csv => self.csv(row.iter().map(plain))?,
            Format::Ndjson => {
                let row = self.object(row);
                serde_json::to_writer(&mut self.out, &row)?;
                writeln!(self.out)?;
            }
            Format::Json | Format::Table | Format::Markdown => self.kept.push(row),
        }
        Ok(())
    }
}

/// Names for an object's fields. Of two columns of one name the later gets a number, as SQLite does
/// it in subqueries (`x`, `x:1`), or an object would keep only one of them.
fn told_apart(names: &[&str]) -> Vec<String> {
    let mut apart: Vec<String> = Vec::with_capacity(names.len());
    for &name in names {
        let mut unique = name.to_owned();
        let mut n = 0;
        while apart.contains(&unique) {
            n += 1;
            unique = format!("{name}:{n}");
        }
        apart.push(unique);
    }
    apart
}

/// A value of SQLite as JSON: a blob as its hexadecimal digits.
fn json_of(value: &SqlValue<'_>) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(number) => Value::from(*number),
        SqlValue::Real(number) if number.is_finite() => Value::from(*number),
        SqlValue::Real(number) => Value::from(number.to_string()),
        SqlValue::Text(text) => Value::from(String::from_utf8_lossy(text)),
        SqlValue::Blob(bytes) => {
            Value::from(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
        }
    }
}
