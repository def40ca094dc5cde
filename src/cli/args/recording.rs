//! The arguments of what records, and of the settings that it has.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use prochist::model::UtcMillis;

use super::super::log::LogFormat;
use super::super::settings::MOST_AT_ONCE;
use super::{length, moment};

/// What may also be set in the environment or in the configuration file.
#[derive(Debug, Default, Args)]
pub struct SettingArgs {
    /// The app to record (may be given again), else HATHORA_APP_ID, which may hold several separated
    /// by commas
    #[arg(long, value_name = "APP", value_parser = NonEmptyStringValueParser::new())]
    pub app_id: Vec<String>,
    /// Where the API is, else PROCHIST_BASE_URL [default: https://api.hathora.dev]
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub base_url: Option<String>,
    /// A file with the token; without it, HATHORA_TOKEN is the token
    #[arg(long, value_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// Go on until told to end (Ctrl-C, SIGTERM), a run every so often on a steady beat [default: the
    /// interval of the configuration, else 60s]
    #[arg(long, value_name = "LENGTH", value_parser = length, num_args = 0..=1)]
    pub every: Option<Option<Duration>>,
    /// Requests under way at once, 1 to 256 [default: 8]
    #[arg(long, value_name = "N", value_parser = at_once)]
    pub concurrency: Option<usize>,
}

/// How many requests are under way at once.
fn at_once(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MOST_AT_ONCE).contains(&n) => Ok(n),
        _ => Err(format!("not a number from 1 to {MOST_AT_ONCE}")),
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  HATHORA_TOKEN=… prochist sync --app-id app-…
  prochist sync --app-id app-… --app-id app-… --token-file /run/credentials/token
  prochist sync --wait 10s --deadline 40s         in a crontab, everything else configured
  prochist sync --every 30s -v                    as a service
  prochist sync --every --log-format json         the same, for a collector of logs
  prochist sync --base-url https://control.example --max-requests 500

Exit codes: 0 done, 1 failed (no app could be recorded), 2 wrong usage, 3 partial, 4 busy (another
sync is running).")]
pub struct SyncArgs {
    #[command(flatten)]
    pub settings: SettingArgs,
    /// Requests that a run may make; what is then left waits for the next run
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_requests: u64,
    /// How long a run may ask; what is then left waits for the next run
    #[arg(long, value_name = "LENGTH", value_parser = length, default_value = "50s",
          allow_hyphen_values = true)]
    pub deadline: Duration,
    /// Speak plain http to another machine, though everyone in between can read the token
    #[arg(long)]
    pub allow_http: bool,
    /// If another sync is running, wait for it up to so long, such as 10s, instead of ending at once
    #[arg(long, value_name = "LENGTH", value_parser = length, allow_hyphen_values = true)]
    pub wait: Option<Duration>,
    /// End with exit code 3 if processes may have gone unseen
    #[arg(long, conflicts_with = "every")]
    pub fail_on_gap: bool,
    /// Say what each run came to; given twice, also each request and each try again
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How that, warnings and errors are written: text, or json with one object a line
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    pub log_format: LogFormat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Reads a JSON array or object of ProcessV2, NDJSON of those, or NDJSON of snapshots
{\"observedAt\": TIME, \"processes\": […]}; plain, gzip or zstd, told by their bytes.

Examples:
  prochist import archive/                             a folder, with all below it
  prochist import responses.json --observed-at 2024-05-01T20:15:00Z
  zstdcat 2024-05.ndjson.zst | prochist import -"
)]
pub struct ImportArgs {
    /// Files, folders, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// When processes were observed that do not say so [default: when their file was last modified]
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    pub observed_at: Option<UtcMillis>,
    /// Each snapshot lists every live process, so that one that is absent is lost
    #[arg(long)]
    pub complete: bool,
    /// With --complete: the apps whose processes are listed [default: every app that such archives name]
    #[arg(long, value_name = "APP", requires = "complete")]
    pub app_id: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Processes that have ended are kept in columns, too, beside their rows, by which failures, lifetimes,
ports and concurrency over millions of them are quick. Recording sees to that by itself; this drops
them and makes them anew, as after an upgrade of a file that has none yet. Answers are the same
before, meanwhile and after.

Examples:
  prochist rebuild
  prochist rebuild --db old.db --format json"
)]
pub struct RebuildArgs {}

#[derive(Debug, Args)]
#[command(
    after_help = "A flag beats the environment, which beats the configuration file, which beats the default. The token
is shown only as set or unset. A whole file, in which relative paths begin at its folder:

  database = \"history.db\"
  base_url = \"https://api.hathora.dev\"
  apps = [\"app-…\", \"app-…\"]
  token_file = \"token\"
  interval = \"60s\"
  concurrency = 8

Examples:
  prochist config
  prochist config --config /etc/prochist/prochist.toml --format json
  prochist config --app-id app-…                  what a sync with this flag would use"
)]
pub struct ConfigArgs {
    #[command(flatten)]
    pub settings: SettingArgs,
}
