//! DuckDB over the same rows: a Python process that is told which question to answer.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde::Deserialize;

use super::agree::Rows;
use super::bench::Bench;

const PROGRAM: &str = include_str!("duck.py");

/// What is exported, as a query over prochist's own views.
const TABLES: [(&str, &str); 2] = [
    (
        "processes.csv",
        "SELECT process_id, app_id, deployment_id, region, outcome, created_at_ms AS created_ms,
                started_at_ms AS started_ms, stopping_at_ms AS stopping_ms,
                terminated_at_ms AS terminated_ms, ended_at_ms AS ended_ms
         FROM processes",
    ),
    (
        "holds.csv",
        "SELECT host, port, transport, process_id, held_from_ms, held_until_ms FROM port_holds",
    ),
];

/// A DuckDB that holds the processes and the holds.
pub struct Duck {
    python: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub version: String,
}

/// An answer, and how long the query alone took.
#[derive(Deserialize)]
pub struct Answered {
    pub wall_ms: f64,
    pub rows: Rows,
}

/// Whether this Python has DuckDB.
pub fn is_there(python: &str) -> bool {
    Command::new(python)
        .args(["-c", "import duckdb"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

impl Duck {
    /// Loads what a history database holds into a DuckDB database file.
    pub fn load(bench: &Bench, database: &Path) -> Result<Self, Box<dyn Error>> {
        let folder = bench.folder.join("duck");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        for (name, query) in TABLES {
            export(database, query, &folder.join(name))?;
        }
        let program = folder.join("duck.py");
        fs::write(&program, PROGRAM)?;
        let mut python = Command::new(&bench.python)
            .args([&program, &folder.join("duck.db"), &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = python.stdin.take();
        let stdout = python.stdout.take().ok_or("no standard output")?;
        let mut duck = Self {
            python,
            questions,
            answers: BufReader::new(stdout),
            version: String::new(),
        };
        #[derive(Deserialize)]
        struct Ready {
            version: String,
        }
        let ready: Ready = serde_json::from_str(&duck.line()?)?;
        duck.version = ready.version;
        Ok(duck)
    }

    /// Answers the question of that name.
    pub fn ask(&mut self, question: &str) -> Result<Answered, Box<dyn Error>> {
        let questions = self.questions.as_mut().ok_or("no standard input")?;
        writeln!(questions, "{question}")?;
        questions.flush()?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// Ends the process, and removes what it had, unless that is to stay.
    pub fn end(mut self, bench: &Bench) -> Result<(), Box<dyn Error>> {
        self.questions = None; // it reads to the end
        self.python.wait()?;
        if !bench.keep {
            fs::remove_dir_all(bench.folder.join("duck"))?;
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err("DuckDB's process ended".into());
        }
        Ok(line)
    }
}

fn export(database: &Path, query: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = db.prepare(query)?;
    let mut out = csv::Writer::from_path(path)?;
    out.write_record(statement.column_names())?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => out.write_field("")?,
                ValueRef::Integer(number) => out.write_field(number.to_string())?,
                ValueRef::Text(text) => out.write_field(text)?,
                other => return Err(format!("a {:?} is not exported", other.data_type()).into()),
            }
        }
        out.write_record(None::<&[u8]>)?;
    }
    out.flush()?;
    Ok(())
}
