//! The rows of an SQL answer on their way out. Each is written as it comes, in every format, so that
//! no answer is too large; only of a table for people a page is kept.

use std::io::{self, BufWriter, Stdout, Write};

use prochist::history::{SqlCut, SqlRows, SqlValue};
use serde_json::{Map, Value};

use super::long_table::LongTable;
use super::stopwatch::{Stopwatch, Uncounted};
use crate::cli::failure::Failure;
use crate::cli::output::{Format, Output, plain};
use crate::cli::table::{self, Look};

pub struct Rows {
    format: Format,
    look: Look,
    /// What stands before the rows of a JSON answer.
    head: Option<Value>,
    out: BufWriter<Uncounted<Stdout>>,
    names: Vec<String>,
    /// There once the columns are known, if the format is a table for people.
    table: Option<LongTable>,
    count: u64,
}

impl Rows {
    /// `head` is the object that the rows of a JSON answer are put into. `watch` stands still while
    /// somebody reads.
    pub fn new(output: &Output, head: Option<Value>, watch: Stopwatch) -> Self {
        Self {
            format: output.format(),
            look: output.look,
            head,
            out: BufWriter::new(Uncounted::new(io::stdout(), watch)),
            names: Vec::new(),
            table: None,
            count: 0,
        }
    }

    /// Writes what is left, and how the answer ended.
    pub fn finish(mut self, cut: Option<SqlCut>) -> Result<(), Failure> {
        if self.format == Format::Json {
            if self.head.is_some() {
                self.json_head()?; // it was cut before it gave its columns
            }
            let cut = match cut {
                None => "null",
                Some(SqlCut::Rows) => "\"rows\"",
                Some(SqlCut::Time) => "\"time\"",
            };
            let end = if self.count == 0 { "]" } else { "\n  ]" };
            writeln!(self.out, "{end},\n  \"cut\": {cut}\n}}")?;
        }
        self.end()
    }

    /// Writes what is left of an answer that failed half way.
    pub fn break_off(mut self) -> Result<(), Failure> {
        if self.format == Format::Json && self.head.is_none() {
            writeln!(self.out)?; // or an error would stand behind a row
        }
        self.end()
    }

    fn end(mut self) -> Result<(), Failure> {
        if let Some(table) = self.table.take() {
            self.out.write_all(table.end().as_bytes())?;
        }
        Ok(self.out.flush()?)
    }

    /// The object that a JSON answer is, as far as its rows.
    fn json_head(&mut self) -> Result<(), Failure> {
        let head = serde_json::to_string_pretty(&self.head.take())?;
        let open = head.strip_suffix("\n}").unwrap_or(&head);
        Ok(write!(self.out, "{open},\n  \"rows\": [")?)
    }

    fn csv(&mut self, fields: impl Iterator<Item = String>) -> Result<(), Failure> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(fields.collect::<Vec<_>>())?;
        let line = csv.into_inner().map_err(|e| e.into_error())?;
        Ok(self.out.write_all(&line)?)
    }

    fn object(&self, row: Vec<Value>) -> Map<String, Value> {
        self.names.iter().cloned().zip(row).collect()
    }
}

impl SqlRows for Rows {
    type Error = Failure;

    fn columns(&mut self, names: &[&str]) -> Result<(), Failure> {
        self.names = match self.format {
            Format::Json | Format::Ndjson => told_apart(names),
            _ => names.iter().map(|&name| name.to_owned()).collect(),
        };
        match self.format {
            Format::Json => self.json_head()?,
            Format::Ndjson => {}
            Format::Csv => self.csv(names.iter().map(|&name| name.to_owned()))?,
            Format::Markdown => self.out.write_all(table::markdown_head(names).as_bytes())?,
            Format::Table => self.table = Some(LongTable::new(names, self.look)),
        }
        Ok(())
    }

    fn row(&mut self, values: &[SqlValue<'_>]) -> Result<(), Failure> {
        let row: Vec<Value> = values.iter().map(json_of).collect();
        self.count += 1;
        match self.format {
            Format::Json => {
                let between = if self.count == 1 { "\n" } else { ",\n" };
                write!(self.out, "{between}    ")?;
                let row = self.object(row);
                serde_json::to_writer(&mut self.out, &row)?;
            }
            Format::Ndjson => {
                let row = self.object(row);
                serde_json::to_writer(&mut self.out, &row)?;
                writeln!(self.out)?;
            }
            Format::Csv => self.csv(row.iter().map(plain))?,
            Format::Markdown => {
                let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
                let line = table::markdown_row(&names, &row);
                self.out.write_all(line.as_bytes())?;
            }
            Format::Table => {
                if let Some(table) = &mut self.table {
                    self.out.write_all(table.row(row).as_bytes())?;
                }
            }
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
            let digits = |b: &u8| [b >> 4, b & 15].map(|d| char::from_digit(d.into(), 16));
            Value::from(bytes.iter().flat_map(digits).flatten().collect::<String>())
        }
    }
}
