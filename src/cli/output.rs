//! Answers on standard output in the format asked for; everything else on standard error.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use prochist::history::{
    Answer, Coverage, NeverRecorded, PrunedThen, Question, Row, Unwatched, Watched, Window,
};
use serde::Serialize;
use serde_json::Value;

use super::failure::Failure;
use super::table::{Look, printable};
use super::{Done, WARNING, draw, human, table};

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: lines around it on a terminal, plain in a pipe.
    Table,
    /// One JSON object: the question, its window, coverage, exclusions and rows.
    Json,
    /// One JSON object a row.
    Ndjson,
    /// Comma-separated values, fields named in the first line.
    Csv,
    /// A Markdown table.
    Markdown,
}

/// What people are shown of an answer: some of its fields, and a column of shapes.
#[derive(Clone, Debug)]
pub struct Drawn {
    pub fields: &'static [&'static str],
    pub heading: String,
    /// One a row.
    pub cells: Vec<String>,
}

impl Drawn {
    /// Bars, where the answer goes on in time.
    pub fn bars<R: Row>(
        question: &Question,
        rows: &[R],
        value: impl Fn(&R) -> f64,
    ) -> Option<Self> {
        question
            .by
            .iter()
            .any(|group| group.is_time())
            .then(|| Self {
                fields: R::FIELDS,
                heading: String::new(),
                cells: draw::bars(&rows.iter().map(value).collect::<Vec<_>>()),
            })
    }
}

/// Where answers go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// What was asked for; none is a table.
    asked: Option<Format>,
    pub look: Look,
}

impl Output {
    pub fn new(asked: Option<Format>) -> Self {
        Self {
            asked,
            look: match AutoStream::choice(&io::stdout()) {
                _ if !io::stdout().is_terminal() => Look::Plain,
                ColorChoice::Never => Look::Lines,
                _ => Look::Colours,
            },
        }
    }

    pub fn format(&self) -> Format {
        self.asked.unwrap_or(Format::Table)
    }

    /// Whether a format was named.
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether somebody is there to read a report that nobody asked for by name.
    pub fn wants_report(&self) -> bool {
        self.look.has_lines() || self.asked.is_some()
    }

    /// Writes an answer, and on standard error what it rests on.
    pub fn answer<R: Row>(
        &self,
        answer: &Answer<R>,
        groups: &[&str],
        fail_on_gap: bool,
    ) -> Result<Done, Failure> {
        self.answer_or(answer, groups, fail_on_gap, None)
    }

    /// The same, with words of its own for that nothing was found in what was watched.
    pub fn answer_or<R: Row>(
        &self,
        answer: &Answer<R>,
        groups: &[&str],
        fail_on_gap: bool,
        none: Option<&str>,
    ) -> Result<Done, Failure> {
        let fields: Vec<&str> = groups.iter().chain(R::FIELDS).copied().collect();
        self.rows(&fields, &fields, &answer.rows, answer)?;
        self.about_or(answer, none)?;
        self.about_early(answer)?;
        Ok(gaps(&answer.coverage, fail_on_gap))
    }

    /// The same for an answer in groups, with a column that is drawn for people.
    pub fn answer_drawn<R: Row>(
        &self,
        answer: &Answer<R>,
        question: &Question,
        drawn: Option<Drawn>,
        fail_on_gap: bool,
    ) -> Result<Done, Failure> {
        if self.format() != Format::Table {
            return self.answer(answer, &question.group_fields(), fail_on_gap);
        }
        self.table_drawn(&answer.rows, question, drawn)?;
        self.about(answer)?;
        self.about_early(answer)?;
        Ok(gaps(&answer.coverage, fail_on_gap))
    }

    /// Writes a table in groups for people, with a column that is drawn.
    pub fn table_drawn<R: Row>(
        &self,
        rows: &[R],
        question: &Question,
        drawn: Option<Drawn>,
    ) -> Result<(), Failure> {
        let mut fields: Vec<&str> = question.group_fields();
        fields.extend(drawn.as_ref().map_or(R::FIELDS, |drawn| drawn.fields));
        let mut rows = values(&fields, rows)?;
        if let Some(drawn) = &drawn {
            for (row, cell) in rows.iter_mut().zip(&drawn.cells) {
                row.push(cell.as_str().into());
            }
            fields.push(&drawn.heading);
        }
        self.text(&table::draw(&fields, &rows, self.look))
    }

    /// Writes `whole` as JSON, or `rows` in any other format; people are shown only `for_people` of
    /// the fields.
    pub fn rows<R: Serialize>(
        &self,
        fields: &[&str],
        for_people: &[&str],
        rows: &[R],
        whole: &impl Serialize,
    ) -> Result<(), Failure> {
        let mut out = BufWriter::new(io::stdout().lock());
        match self.format() {
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, whole)?;
                writeln!(out)?;
            }
            Format::Ndjson => {
                for row in rows {
                    serde_json::to_writer(&mut out, row)?;
                    writeln!(out)?;
                }
            }
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(&mut out);
                csv.write_record(fields)?;
                for row in values(fields, rows)? {
                    csv.write_record(row.iter().map(plain))?;
                }
                csv.flush()?;
            }
            Format::Table => {
                drop(out);
                return self.table(for_people, rows);
            }
            Format::Markdown => {
                let rows = values(for_people, rows)?;
                out.write_all(table::markdown(for_people, &rows).as_bytes())?;
            }
        }
        Ok(out.flush()?)
    }

    /// Says on standard error what an answer rests on. People are told everything; a script, whose
    /// format carries no coverage, only what it must not miss.
    pub fn about<R>(&self, answer: &Answer<R>) -> Result<(), Failure> {
        self.about_or(answer, None)
    }

    fn about_or<R>(&self, answer: &Answer<R>, none: Option<&str>) -> Result<(), Failure> {
        let coverage = &answer.coverage;
        if self.format() == Format::Table {
            say!("{}", basis(answer.window, coverage));
            for (reason, n) in &answer.excluded {
                say!(
                    "excluded: {n} × {}",
                    reason.replace('_', " ").replace('.', ": ")
                );
            }
        }
        if answer.rows.is_empty()
            && answer.never_recorded.is_empty()
            && self.format() != Format::Json
        {
            let watched = coverage.from.is_some() && coverage.watched != Watched::None;
            say!(
                "{}",
                match none {
                    Some(none) if watched => none,
                    _ if answer.excluded.is_empty() => nothing(answer.window, coverage),
                    _ => "nothing matches but what is excluded",
                }
            );
        }
        self.about_names(answer);
        for unwatched in coverage.unwatched.iter().take(MOST_UNWATCHED) {
            say!("{WARNING} {}", not_watched(unwatched));
        }
        if coverage.unwatched.len() > MOST_UNWATCHED {
            let more = coverage.unwatched.len() - MOST_UNWATCHED;
            say!("{WARNING} and {more} more such stretches; see `prochist coverage`");
        }
        for line in pruned(&coverage.pruned) {
            say!("{WARNING} {line}");
        }
        if answer.unseen > 0 {
            say!(
                "{WARNING} {} counted on that nobody had seen for over an hour and that may have ended; see \
                 `prochist lifetimes --zombies`",
                human::count(answer.unseen, "process is", "processes are"),
            );
        }
        if !coverage.gaps.is_empty() {
            let hidden: u64 = coverage.gaps.iter().filter_map(|g| g.hidden_at_least).sum();
            say!(
                "{WARNING} {} in which processes may have gone unseen{}; see `prochist coverage`",
                human::count(coverage.gaps.len() as u64, "gap", "gaps"),
                if hidden > 0 {
                    format!(" (at least {hidden})")
                } else {
                    String::new()
                },
            );
        }
        Ok(())
    }

    /// Says which names in the filter are on no record.
    pub fn about_names<R>(&self, answer: &Answer<R>) {
        for never in &answer.never_recorded {
            say!("{WARNING} {}", misspelt(never));
        }
    }

    /// Tells people of days and hours that lie before the record, of which only those are on it who were
    /// there long enough. Where a beginning is asked for, what was not watched after it is told anyway.
    fn about_early<R: Row>(&self, answer: &Answer<R>) -> Result<(), Failure> {
        let (None, Some(from)) = (answer.window.since, answer.coverage.from) else {
            return Ok(());
        };
        if self.format() != Format::Table {
            return Ok(());
        }
        // As text, days, and times in full, are in order of time. A peak is at its very moment.
        let from = from.to_string();
        let (day, hour) = (from.get(..10), from.get(..13));
        let is_early = |row: &Vec<Value>| match (row[0].as_str(), row[1].as_str(), row[2].as_str())
        {
            (Some(at), ..) => at.get(..13) < hour,
            (None, Some(at), _) => Some(at) < day,
            (None, None, Some(at)) => answer.question == "concurrency" && at < from.as_str(),
            (None, None, None) => false,
        };
        let times = values(&["hour", "day", "at"], &answer.rows)?;
        if times.iter().any(is_early) {
            say!("before {from} only what was still there when the record began is on it");
        }
        Ok(())
    }

    /// Writes a table for people.
    pub fn table<R: Serialize>(&self, fields: &[&str], rows: &[R]) -> Result<(), Failure> {
        let rows = values(fields, rows)?;
        self.text(&table::draw(fields, &rows, self.look))
    }

    /// Writes lines of text for people, broken between words where a terminal is narrower.
    pub fn prose(&self, text: &str) -> Result<(), Failure> {
        self.text(&table::prose(text, table::room(self.look)))
    }

    /// Writes text for people as it is.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// How many stretches without a look are told one by one.
const MOST_UNWATCHED: usize = 3;

/// How many apps are named in one line.
const MOST_NAMES: usize = 3;

/// Why an answer may be empty.
fn nothing(window: Window, coverage: &Coverage) -> &'static str {
    match (coverage.from, coverage.watched) {
        (None, _) => "nothing matches: nothing is recorded of it yet",
        _ if window == Window::default() => "nothing matches: none is on record",
        (_, Watched::All) => "nothing matches: it was watched, and there was nothing",
        (_, Watched::Part) => "nothing matches in that part of the window that was watched",
        (_, Watched::None) => "nothing matches: nothing was watched then, so nothing can be told",
    }
}

pub fn not_watched(unwatched: &Unwatched) -> String {
    let at = match unwatched.app_ids.len() {
        0 => String::new(),
        _ => format!(" at {}", some_of(&unwatched.app_ids)),
    };
    let missing = "what came and went then may be missing";
    match (unwatched.since, unwatched.until) {
        (Some(since), Some(until)) => format!(
            "nothing looked{at} from {since} to {until} ({}); {missing}",
            human::duration(until.millis_since(since))
        ),
        (Some(since), None) => format!("nothing has looked{at} since {since}"),
        (None, Some(until)) => format!("nothing looked{at} before {until}; {missing}"),
        (None, None) => format!("nothing has looked{at}"),
    }
}

/// What was on record and was pruned, in a line for each app. What has come back since, from a backup or an
/// archive, is counted all the same.
pub fn pruned(pruned: &[PrunedThen]) -> Vec<String> {
    let mut apps: BTreeMap<&str, (u64, PrunedThen)> = BTreeMap::new();
    for then in pruned {
        apps.entry(&then.app_id)
            .and_modify(|(prunings, sum)| {
                *prunings += 1;
                sum.since = sum.since.min(then.since);
                sum.until = sum.until.max(then.until);
                sum.processes += then.processes;
            })
            .or_insert_with(|| (1, then.clone()));
    }
    let line = |(prunings, then): &(u64, PrunedThen)| {
        let times = match prunings {
            1 => String::new(),
            n => format!(", in {n} prunings"),
        };
        format!(
            "{} of {}, from {} to {}, {} pruned{times}; what has not been recorded again is missing",
            human::count(then.processes, "process", "processes"),
            printable(&then.app_id),
            then.since,
            then.until,
            if then.processes == 1 { "was" } else { "were" },
        )
    };
    apps.values().map(line).collect()
}

/// Names for people, the first few of them.
fn some_of(names: &[String]) -> String {
    let first: Vec<String> = names
        .iter()
        .take(MOST_NAMES)
        .map(|n| printable(n))
        .collect();
    match names.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn misspelt(never: &NeverRecorded) -> String {
    let names: Vec<String> = never.known.iter().map(|name| printable(name)).collect();
    let there_are = match names.len() {
        0 => String::new(),
        _ => format!("; there are {}", names.join(", ")),
    };
    format!(
        "no process of {} {:?} was ever recorded{there_are}",
        never.field.trim_end_matches("_id"),
        printable(&never.name),
    )
}

/// What may be missing is a warning, unless it was asked to count as a failure: a gap, a stretch in
/// which nothing looked, or what was pruned.
pub fn gaps(coverage: &Coverage, fail_on_gap: bool) -> Done {
    let is_whole =
        coverage.gaps.is_empty() && coverage.watched == Watched::All && coverage.pruned.is_empty();
    if fail_on_gap && !is_whole {
        Done::Partial
    } else {
        Done::Whole
    }
}

/// The period recorded; of a stretch of time, as against a moment, also by how many runs.
fn basis(window: Window, coverage: &Coverage) -> String {
    let period = match (coverage.from, coverage.to) {
        (Some(from), Some(to)) => format!("recorded {from} to {to}"),
        _ => return "nothing recorded of it yet".to_owned(),
    };
    match (window.since, window.until) {
        (Some(since), Some(until)) if until.millis_since(since) == 1 => period,
        _ => format!(
            "{period}, {} in the window",
            human::count(coverage.runs, "run", "runs")
        ),
    }
}

/// The rows as lists of values in the order of the fields.
fn values<R: Serialize>(fields: &[&str], rows: &[R]) -> Result<Vec<Vec<Value>>, Failure> {
    rows.iter()
        .map(|row| {
            let mut row = serde_json::to_value(row)?;
            Ok(fields
                .iter()
                .map(|field| row.get_mut(field).map(Value::take).unwrap_or_default())
                .collect())
        })
        .collect()
}

/// A value for another program: as it is, and nothing for none.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
