//! Which value has a setting, and where does it come from? A flag beats the environment, which beats
//! the configuration file, which beats the default.
//!
//! Each is looked up only when it is asked for, so that what a command does not use cannot fail it.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prochist::source::api::Token;

use super::args::{Global, SettingArgs};
use super::config_file::ConfigFile;
use super::failure::Failure;

/// Where the API is, unless it is said.
pub const BASE_URL: &str = "https://api.hathora.dev";
/// Time from one run to the next, unless it is said.
pub const INTERVAL: Duration = Duration::from_secs(60);
/// Requests under way at once, unless it is said; the same as the library's.
pub const AT_ONCE: usize = 8;
/// More would only be a burden to the server.
pub const MOST_AT_ONCE: usize = 256;

const TOKEN: &str = "HATHORA_TOKEN";

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    /// A configuration file.
    File(PathBuf),
    Default,
}

impl Origin {
    /// What kind of place it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Variable(_) => "environment",
            Self::File(_) => "file",
            Self::Default => "default",
        }
    }

    /// The name of the flag, variable or file.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Flag(name) | Self::Variable(name) => Some((*name).to_owned()),
            Self::File(path) => Some(path.display().to_string()),
            Self::Default => None,
        }
    }
}

impl<T> Setting<T> {
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    fn flag(value: Option<T>, name: &'static str) -> Option<Self> {
        value.map(|value| Self::new(value, Origin::Flag(name)))
    }

    fn or_default(found: Option<Self>, value: T) -> Self {
        found.unwrap_or_else(|| Self::new(value, Origin::Default))
    }
}

/// Where the token is to be had; the token itself is in no setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    Variable,
    File(PathBuf),
}

/// What was given on the command line and in the configuration file; the environment is asked.
#[derive(Debug)]
pub struct Settings<'a> {
    flags: &'a SettingArgs,
    db: Option<&'a Path>,
    pub file: ConfigFile,
}

impl<'a> Settings<'a> {
    pub fn load(global: &'a Global, flags: &'a SettingArgs) -> Result<Self, Failure> {
        Ok(Self {
            flags,
            db: global.db.as_deref(),
            file: ConfigFile::load(global.config.as_deref())?,
        })
    }

    /// The database; none if nobody named one and there is no home directory to keep it in.
    pub fn database(&self) -> Option<Setting<PathBuf>> {
        let variable = || {
            let path = env::var_os("PROCHIST_DB").filter(|path| !path.is_empty())?;
            Some(Setting::new(path.into(), Origin::Variable("PROCHIST_DB")))
        };
        let usual = || {
            let dirs = directories::ProjectDirs::from("", "", "prochist")?;
            let path = dirs.data_dir().join("history.db");
            Some(Setting::new(path, Origin::Default))
        };
        Setting::flag(self.db.map(Path::to_owned), "--db")
            .or_else(variable)
            .or_else(|| self.file.database())
            .or_else(usual)
    }

    /// The database, to ask it.
    pub fn database_to_read(&self) -> Result<PathBuf, Failure> {
        Ok(self.needed_database()?.value)
    }

    /// The database, to record in it: the platform's data directory is made if it is not there. A
    /// folder that was named must be, since a name may be a mistake.
    pub fn database_to_record(&self) -> Result<PathBuf, Failure> {
        let database = self.needed_database()?;
        if database.origin == Origin::Default
            && let Some(folder) = database.value.parent()
        {
            std::fs::create_dir_all(folder)
                .map_err(|e| Failure::new(format!("could not create {folder:?}: {e}")))?;
        }
        Ok(database.value)
    }

    fn needed_database(&self) -> Result<Setting<PathBuf>, Failure> {
        self.database().ok_or_else(|| {
            Failure::new("there is no home directory to keep the database in")
                .hint("name it with --db PATH or PROCHIST_DB")
        })
    }

    /// Where the API is.
    pub fn base_url(&self) -> Result<Setting<String>, Failure> {
        let found = match Setting::flag(self.flags.base_url.clone(), "--base-url") {
            Some(flag) => Some(flag),
            None => variable("PROCHIST_BASE_URL")?.or_else(|| self.file.base_url()),
        };
        Ok(Setting::or_default(found, BASE_URL.to_owned()))
    }

    /// The apps, each once; none if nobody named any.
    pub fn apps(&self) -> Result<Option<Setting<Vec<String>>>, Failure> {
        let flags = Some(self.flags.app_id.clone()).filter(|apps| !apps.is_empty());
        let found = match Setting::flag(flags, "--app-id") {
            Some(flag) => Some(flag),
            None => variable("HATHORA_APP_ID")?
                .map(|list| Setting {
                    value: separated(&list.value),
                    origin: list.origin,
                })
                .filter(|apps| !apps.value.is_empty())
                .or_else(|| self.file.apps()),
        };
        Ok(found.map(|apps| Setting {
            value: each_once(apps.value),
            origin: apps.origin,
        }))
    }

    /// The file with the token that was named; it may be that the environment comes before it.
    pub fn token_file(&self) -> Option<Setting<PathBuf>> {
        Setting::flag(self.flags.token_file.clone(), "--token-file")
            .or_else(|| self.file.token_file())
    }

    /// Where the token is to be had.
    pub fn token_from(&self) -> Option<Setting<TokenFrom>> {
        let file = self.token_file().map(|file| Setting {
            value: TokenFrom::File(file.value),
            origin: file.origin,
        });
        let in_environment = env::var_os(TOKEN).is_some_and(|text| !text.is_empty());
        match file {
            Some(file) if !in_environment || matches!(file.origin, Origin::Flag(_)) => Some(file),
            _ if in_environment => Some(Setting::new(TokenFrom::Variable, Origin::Variable(TOKEN))),
            _ => None,
        }
    }

    /// The token.
    pub fn token(&self) -> Result<Token, Failure> {
        const OTHERWISE: &str = "set HATHORA_TOKEN, or name a file with --token-file PATH or the configuration's \
             token_file";
        let from = self
            .token_from()
            .ok_or_else(|| Failure::usage("there is no token").hint(OTHERWISE))?;
        let (text, of) = match &from.value {
            TokenFrom::Variable => (env::var(TOKEN).ok(), TOKEN.to_owned()),
            TokenFrom::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| {
                    Failure::usage(format!("could not read the token file {path:?}: {e}"))
                        .hint("name another with --token-file PATH, or set HATHORA_TOKEN")
                })?;
                (Some(text), format!("the file {path:?}"))
            }
        };
        // What is no Unicode cannot stand in a header either.
        Token::new(text.unwrap_or_else(|| "\u{fffd}".to_owned())).map_err(|e| {
            Failure::caused(&e)
                .into_usage()
                .hint(format!("the token is the text of {of}"))
        })
    }

    /// The file that the token is in and its mode, if others than its owner may read or write it. What a
    /// service manager hands over is guarded by its folder.
    #[cfg(unix)]
    pub fn token_at_large(&self) -> Option<(PathBuf, u32)> {
        use std::os::unix::fs::PermissionsExt;

        let TokenFrom::File(path) = self.token_from()?.value else {
            return None;
        };
        let handed_over = env::var_os("CREDENTIALS_DIRECTORY");
        if handed_over.is_some_and(|folder| !folder.is_empty() && path.starts_with(folder)) {
            return None;
        }
        let file = std::fs::metadata(&path)
            .ok()
            .filter(|file| file.is_file())?;
        let mode = file.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some((path, mode))
    }

    /// Elsewhere a mode does not tell.
    #[cfg(not(unix))]
    pub fn token_at_large(&self) -> Option<(PathBuf, u32)> {
        None
    }

    /// Time from one run of `sync --every` to the next.
    pub fn interval(&self) -> Setting<Duration> {
        let found = Setting::flag(self.flags.every.flatten(), "--every");
        Setting::or_default(found.or_else(|| self.file.interval()), INTERVAL)
    }

    /// Requests under way at once.
    pub fn concurrency(&self) -> Setting<usize> {
        let found = Setting::flag(self.flags.concurrency, "--concurrency");
        Setting::or_default(found.or_else(|| self.file.concurrency()), AT_ONCE)
    }
}

/// A variable of the environment; an empty one is none.
fn variable(name: &'static str) -> Result<Option<Setting<String>>, Failure> {
    let Some(text) = env::var_os(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let text = text
        .into_string()
        .map_err(|_| Failure::usage(format!("the variable {name} is not UTF-8")))?;
    Ok(Some(Setting::new(text, Origin::Variable(name))))
}

fn separated(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|app| !app.is_empty())
        .map(str::to_owned)
        .collect()
}

/// In their order, without those that came before.
fn each_once(apps: Vec<String>) -> Vec<String> {
    let mut once = Vec::new();
    for app in apps {
        if !once.contains(&app) {
            once.push(app);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_a_list_and_each_is_asked_once() {
        for (list, apps) in [
            ("a", &["a"][..]),
            ("a,b", &["a", "b"]),
            (" a , b ,a", &["a", "b"]),
            (",", &[]),
        ] {
            assert_eq!(each_once(separated(list)), apps, "{list:?}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        assert_eq!(prochist::sync::Limits::default().concurrency, AT_ONCE);
    }
}
