//! `prochist config`: every setting, its value and where it comes from. The token is not read.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::Done;
use super::failure::Failure;
use super::output::{Format, Output};
use super::settings::{Setting, Settings, TokenFrom};

pub fn run(settings: &Settings<'_>, output: &Output) -> Result<Done, Failure> {
    let path = |path: &PathBuf| json!(path.display().to_string());
    let token = settings.token_from();
    let is_set = token.as_ref().is_some_and(|token| match &token.value {
        TokenFrom::Variable => true,
        TokenFrom::File(path) => path.is_file(),
    });
    let mut rows = vec![
        Row::new("config", settings.file.place.as_ref(), path),
        Row {
            setting: "config_exists",
            value: settings.file.exists.into(),
            origin: None,
            named_by: None,
        },
        Row::new("database", settings.database().as_ref(), path),
        Row::new("base_url", Some(&settings.base_url()?), |url| {
            without_password(url)
        }),
        Row::new("apps", settings.apps()?.as_ref(), |apps| json!(apps)),
        Row::new("token_file", settings.token_file().as_ref(), path),
        Row {
            value: if is_set { "set" } else { "unset" }.into(),
            ..Row::new("token", token.as_ref(), |_| Value::Null)
        },
        Row::new("interval", Some(&settings.interval()), |interval| {
            json!(humantime::format_duration(*interval).to_string())
        }),
        Row::new("concurrency", Some(&settings.concurrency()), |n| json!(n)),
    ];
    if output.format() == Format::Table {
        // One number would move a whole column of words to the right.
        for row in rows.iter_mut().filter(|row| row.value.is_number()) {
            row.value = row.value.to_string().into();
        }
    }
    output.rows(Row::FIELDS, Row::FIELDS, &rows, &json!({"rows": rows}))?;
    Ok(Done::Whole)
}

/// What stands before an @ may be a password, though it does not belong there.
fn without_password(url: &str) -> Value {
    if url.contains('@') { "…" } else { url }.into()
}

#[derive(Serialize)]
struct Row {
    setting: &'static str,
    value: Value,
    /// `flag`, `environment`, `file` or `default`; none for what nobody set.
    origin: Option<&'static str>,
    /// The name of the flag, variable or file.
    named_by: Option<String>,
}

impl Row {
    const FIELDS: &'static [&'static str] = &["setting", "value", "origin", "named_by"];

    fn new<T>(
        name: &'static str,
        setting: Option<&Setting<T>>,
        shown: impl Fn(&T) -> Value,
    ) -> Self {
        Self {
            setting: name,
            value: setting.map_or(Value::Null, |setting| shown(&setting.value)),
            origin: setting.map(|setting| setting.origin.kind()),
            named_by: setting.and_then(|setting| setting.origin.name()),
        }
    }
}
