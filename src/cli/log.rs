//! What a sync says on standard error: lines for people and cron, or objects for a collector.
//!
//! Only events of prochist itself: a library below may log headers, and with them the token.

use std::fmt;

use clap::ValueEnum;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::clock::now;
use super::table::printable;

/// The target of notes that are told without being asked for.
pub const NOTE: &str = "prochist::note";

/// How it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `warning: …`, without a time: cron and journals have one.
    #[default]
    Text,
    /// One JSON object a line: time, level, message and fields.
    Json,
}

/// From here on events are said; the more often `-v` was given, the more of them.
pub fn start(verbose: u8, format: LogFormat) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = Targets::new()
        .with_target("prochist", level)
        .with_target(NOTE, level.max(LevelFilter::INFO));
    let subscriber = tracing_subscriber::registry().with(Say(format).with_filter(ours));
    // Only the first of a process counts, and this is the first.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Whether events are said.
pub fn is_on() -> bool {
    tracing::dispatcher::has_been_set()
}

struct Say(LogFormat);

impl<S: Subscriber> Layer<S> for Say {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        say!("{}", line(event, self.0));
    }
}

/// An event as it is said.
pub fn line(event: &Event<'_>, format: LogFormat) -> String {
    let mut said = Said::default();
    event.record(&mut said);
    let level = *event.metadata().level();
    match format {
        LogFormat::Text => said.text(level),
        LogFormat::Json => said.json(level).to_string(),
    }
}

/// An event's message and fields, fit to show.
#[derive(Debug, Default)]
struct Said {
    message: String,
    fields: Map<String, Value>,
}

impl Said {
    fn text(&self, level: Level) -> String {
        let kind = match level {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "note",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut text = format!("{kind}: {}", self.message);
        if let Some(Value::String(hint)) = self.fields.get("hint") {
            text.push_str(&format!("\nhint: {hint}"));
        } else if level > Level::INFO {
            // The others say all that matters in words.
            for (name, value) in &self.fields {
                text.push_str(&format!(" {name}={value}"));
            }
        }
        text
    }

    fn json(self, level: Level) -> Value {
        let mut object = Map::new();
        object.insert("time".to_owned(), now().to_string().into());
        object.insert("level".to_owned(), level.as_str().to_lowercase().into());
        object.insert("message".to_owned(), self.message.into());
        object.extend(self.fields);
        Value::Object(object)
    }

    fn keep(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = printable(value),
            _ => self.keep(field, printable(value)),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_one_line_that_steers_no_terminal() {
        let said = Said {
            message: printable("no\u{1b}[2J answer\n"),
            fields: Map::from_iter([("wait_ms".to_owned(), 5.into())]),
        };
        let message = "no\\u{1b}[2J answer\\n";
        assert_eq!(said.text(Level::WARN), format!("warning: {message}"));
        assert_eq!(said.text(Level::INFO), format!("note: {message}"));
        assert_eq!(
            said.text(Level::DEBUG),
            format!("debug: {message} wait_ms=5")
        );
        let json = said.json(Level::WARN);
        assert_eq!(json["level"], "warn");
        assert_eq!(json["message"], message);
        assert_eq!(json["wait_ms"], 5);
    }
}
