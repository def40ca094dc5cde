//! The configuration file: where it is, and what it says. What of it is used is decided in
//! `settings`.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::failure::Failure;
use super::settings::{MOST_AT_ONCE, Origin, Setting};

/// The variable that names it.
const VARIABLE: &str = "PROCHIST_CONFIG";

/// A configuration file, perhaps one that is not there.
#[derive(Debug, Default)]
pub struct ConfigFile {
    /// Where it is, or would be; none without a home directory.
    pub place: Option<Setting<PathBuf>>,
    pub exists: bool,
    content: Content,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default, deserialize_with = "text")]
    database: Option<String>,
    #[serde(default, deserialize_with = "text")]
    base_url: Option<String>,
    #[serde(default, deserialize_with = "apps")]
    apps: Option<Vec<String>>,
    #[serde(default, deserialize_with = "text")]
    token_file: Option<String>,
    #[serde(default, deserialize_with = "interval")]
    interval: Option<Duration>,
    #[serde(default, deserialize_with = "concurrency")]
    concurrency: Option<usize>,
}

const KEYS: [&str; 6] = [
    "database",
    "base_url",
    "apps",
    "token_file",
    "interval",
    "concurrency",
];

impl ConfigFile {
    /// Reads the file that was named, which must be there, or else the one in the platform's
    /// configuration directory, which need not.
    pub fn load(flag: Option<&Path>) -> Result<Self, Failure> {
        let named = match flag {
            Some(path) => Some(Setting::new(path.to_owned(), Origin::Flag("--config"))),
            None => env::var_os(VARIABLE)
                .filter(|path| !path.is_empty())
                .map(|path| Setting::new(path.into(), Origin::Variable(VARIABLE))),
        };
        let must_exist = named.is_some();
        let usual = || {
            let dirs = directories::ProjectDirs::from("", "", "prochist")?;
            let path = dirs.config_dir().join("prochist.toml");
            Some(Setting::new(path, Origin::Default))
        };
        let Some(place) = named.or_else(usual) else {
            return Ok(Self::default());
        };
        let path = &place.value;
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if !must_exist && (e.kind() == ErrorKind::NotFound || is_out_of_sight(path)) => {
                return Ok(Self {
                    place: Some(place),
                    ..Self::default()
                });
            }
            Err(e) => {
                let message = format!("could not read the configuration file {path:?}: {e}");
                return Err(Failure::usage(message).hint(match place.origin {
                    Origin::Default => "it need not be there, but if it is, it must be readable",
                    _ => "name another with --config PATH or PROCHIST_CONFIG",
                }));
            }
        };
        let content = toml::from_str(&text).map_err(|e| broken(path, &text, &e))?;
        Ok(Self {
            content,
            exists: true,
            place: Some(place),
        })
    }

    pub fn database(&self) -> Option<Setting<PathBuf>> {
        self.path(self.content.database.as_deref()?)
    }

    pub fn token_file(&self) -> Option<Setting<PathBuf>> {
        self.path(self.content.token_file.as_deref()?)
    }

    pub fn base_url(&self) -> Option<Setting<String>> {
        self.setting(self.content.base_url.clone()?)
    }

    pub fn apps(&self) -> Option<Setting<Vec<String>>> {
        self.setting(self.content.apps.clone()?)
    }

    pub fn interval(&self) -> Option<Setting<Duration>> {
        self.setting(self.content.interval?)
    }

    pub fn concurrency(&self) -> Option<Setting<usize>> {
        self.setting(self.content.concurrency?)
    }

    /// A path in the file is relative to the file's folder: the program that reads it may have been
    /// started anywhere.
    fn path(&self, text: &str) -> Option<Setting<PathBuf>> {
        let folder = self.place.as_ref()?.value.parent()?;
        self.setting(folder.join(text))
    }

    fn setting<T>(&self, value: T) -> Option<Setting<T>> {
        let path = self.place.as_ref()?.value.clone();
        Some(Setting::new(value, Origin::File(path)))
    }
}

/// Whether nobody can tell if it is there: in the folder of somebody else, as where `HOME` was kept
/// by a change of user.
fn is_out_of_sight(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::PermissionDenied)
}

fn broken(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or_else(String::new, |before| {
        let n = before.matches('\n').count();
        // Of the line only the key: nobody knows what else was written there by mistake.
        let key = text
            .lines()
            .nth(n)
            .and_then(|line| Some(line.split_once('=')?.0.trim()))
            .filter(|key| KEYS.contains(key))
            .map_or_else(String::new, |key| format!(": {key}"));
        format!(", line {}{key}", n + 1)
    });
    let lines: Vec<&str> = error.message().lines().collect();
    Failure::usage(format!(
        "configuration file {path:?}{line}: {}",
        lines.join(", ")
    ))
    .hint("`prochist config --help` shows a whole file")
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Err(D::Error::custom("is empty; leave it out instead"));
    }
    Ok(Some(text))
}

fn apps<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let apps = Vec::<String>::deserialize(from)?;
    if apps.iter().any(String::is_empty) {
        return Err(D::Error::custom("an app id is empty"));
    }
    Ok(Some(apps).filter(|apps| !apps.is_empty()))
}

fn interval<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    super::args::length(&text)
        .map(Some)
        .map_err(|e| D::Error::custom(format!("{text:?} is {e}")))
}

fn concurrency<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    match i64::deserialize(from).map(usize::try_from)? {
        Ok(n) if (1..=MOST_AT_ONCE).contains(&n) => Ok(Some(n)),
        _ => Err(D::Error::custom(format!(
            "takes a number from 1 to {MOST_AT_ONCE}"
        ))),
    }
}
