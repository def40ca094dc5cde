//! The arguments of every command, with the help that teaches them.

mod asking;
mod care;
mod recording;
mod sql;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use prochist::history::parse_when;
use prochist::model::UtcMillis;
use prochist::simulator::Faults;

use super::clock::now;
use super::output::Format;
pub use asking::{
    AtArgs, ConcurrencyArgs, FailuresArgs, HistoryArgs, LifetimesArgs, PortsArgs, QuestionArgs,
    RolloutArgs, RoomsArgs, UsageArgs,
};
pub use care::{BackupArgs, MergeArgs, PruneArgs, VerifyArgs};
pub use recording::{ConfigArgs, ImportArgs, RebuildArgs, SettingArgs, SyncArgs};
pub use sql::SqlArgs;

/// A flight recorder for fleets of short-lived server processes: records what a ProcessV2 API says
/// of them in one SQLite file, and answers questions about their history.
#[derive(Debug, Parser)]
#[command(
    name = "prochist",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:
  prochist demo                                   see it all on a simulated day
  prochist sync --app-id app-…                    record a fleet, once (HATHORA_TOKEN is the token)
  prochist import archive/ 2024-05.ndjson.zst     record archived responses
  prochist failures --by deployment --since 7d    ask

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partial, 4 busy."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub struct Global {
    /// The history database, else PROCHIST_DB [default: history.db in the platform's data directory]
    #[arg(
        long,
        value_name = "PATH",
        global = true,
        help_heading = "Options of every command"
    )]
    pub db: Option<PathBuf>,
    /// The configuration, else PROCHIST_CONFIG [default: prochist.toml in the platform's
    /// configuration directory, if it is there]
    #[arg(
        long,
        value_name = "PATH",
        global = true,
        help_heading = "Options of every command"
    )]
    pub config: Option<PathBuf>,
    /// How answers are written [default: table]
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        hide_possible_values = true,
        help_heading = "Options of every command",
        help = "How answers are written: table, json, ndjson, csv or markdown [default: table]"
    )]
    pub format: Option<Format>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record a fleet from its API, once or on a steady beat
    Sync(SyncArgs),
    /// Record archived API responses
    Import(ImportArgs),
    /// Everything known of one process: its versions, phases and endpoints
    History(HistoryArgs),
    /// The fleet as it stood at a moment
    At(AtArgs),
    /// How long processes spent in each phase of their lives
    Lifetimes(LifetimesArgs),
    /// How often processes failed, before and after they had started
    Failures(FailuresArgs),
    /// Who held which port when, and how soon the next one got it
    Ports(PortsArgs),
    /// How many ran at once at the most, and when
    Concurrency(ConcurrencyArgs),
    /// How long processes served: what was billed
    Usage(UsageArgs),
    /// How many rooms were allocated, of how many that there was room for
    Rooms(RoomsArgs),
    /// How one deployment took over from the one before
    Rollout(RolloutArgs),
    /// The period recorded, runs in trouble, and what may be missing
    Coverage(QuestionArgs),
    /// The state of the file and of the recording, on one screen
    Status(StatusArgs),
    /// Ask in SQL; it can only read
    Sql(SqlArgs),
    /// Make anew what is kept beside the rows, so that questions over millions are quick
    Rebuild(RebuildArgs),
    /// Copy the file while it is in use, and verify the copy
    Backup(BackupArgs),
    /// Check that the file is whole and says the same everywhere
    Verify(VerifyArgs),
    /// Remove processes that are older than anybody needs
    Prune(PruneArgs),
    /// Take the history that another collector recorded into this one
    Merge(MergeArgs),
    /// Serve the API of a simulated fleet, or write its archive
    Simulate(SimulateArgs),
    /// Every setting, its value and where it comes from
    Config(ConfigArgs),
    /// Simulate a day, record it over HTTP and answer questions about it: start here
    Demo(DemoArgs),
}

/// A moment, read once `now` is known.
fn moment(text: &str) -> Result<UtcMillis, String> {
    parse_when(text, now()).map_err(|_| {
        "not a time: give RFC 3339 (2024-05-01T20:15:00Z), a date, `now` or an age such as 7d"
            .to_owned()
    })
}

/// More than that lies between no two times that can be kept.
const LONGEST: Duration = Duration::from_hours(10_000 * 366 * 24);

/// A length of time such as `60s`; not none.
pub fn length(text: &str) -> Result<Duration, String> {
    let wrong = match humantime::parse_duration(text) {
        Ok(length) if length < Duration::from_millis(1) => "too short: give 1ms or more",
        Ok(length) if length > LONGEST => "too long: give less than 10000y",
        Ok(length) => return Ok(length),
        Err(humantime::DurationError::NumberOverflow) => "too long: give less than 10000y",
        Err(_)
            if text
                .strip_prefix('-')
                .is_some_and(|rest| length(rest).is_ok()) =>
        {
            "too short: give 1ms or more"
        }
        Err(_) => "not a length of time: give a number with a unit",
    };
    Err(format!("{wrong}, such as 60s, 5m or 24h"))
}

/// The same, but it may be none.
fn length_or_none(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(length) if length.is_zero() => Ok(length),
        _ => length(text).map_err(|wrong| wrong.replace("1ms or more", "0s, or 1ms or more")),
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist status
  prochist status --max-age 10m > /dev/null       for a monitor: 1 if recording has stopped")]
pub struct StatusArgs {
    /// End with exit code 1 unless a sync ended as complete, and every app was looked at, within this long
    #[arg(long, value_name = "LENGTH", value_parser = length, allow_hyphen_values = true)]
    pub max_age: Option<Duration>,
    /// With --max-age: only this app (may be given again) [default: every app that was ever looked at]
    #[arg(long, value_name = "APP", requires = "max_age")]
    pub app: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist simulate --listen 127.0.0.1:0 --seed 7 --concurrent 500 --speed 60
  prochist simulate --faults rate_limit=0.1,unavailable=0.1,truncate=0.05,garbage=0.03,hang=0.01
  prochist simulate --archive day.ndjson --hours 24 --interval 60s

The first line on standard output of a simulated API is {\"base_url\", \"app_id\", \"token\"}.")]
pub struct SimulateArgs {
    /// Serve the API here; port 0 takes any free one
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:0",
        conflicts_with = "archive"
    )]
    pub listen: std::net::SocketAddr,
    /// Serve on an address that other machines can reach
    #[arg(long, conflicts_with = "archive")]
    pub allow_remote: bool,
    /// Simulated seconds that pass in a second
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 1.0,
        conflicts_with = "archive"
    )]
    pub speed: f64,
    /// Let these shares of all requests go wrong: rate_limit (429), unavailable (503), truncate (cut
    /// off), garbage (no JSON), hang (no answer)
    #[arg(
        long,
        value_name = "NAME=SHARE,…",
        default_value = "none",
        conflicts_with = "archive"
    )]
    pub faults: Faults,
    /// Write NDJSON snapshots to this file and end; - for standard output
    #[arg(long, value_name = "FILE")]
    pub archive: Option<PathBuf>,
    /// Hours that the archive covers
    #[arg(long, default_value_t = 24.0, requires = "archive")]
    pub hours: f64,
    /// Time from one snapshot of the archive to the next
    #[arg(long, value_name = "LENGTH", value_parser = length, default_value = "60s",
          requires = "archive", allow_hyphen_values = true)]
    pub interval: Duration,
    /// When the archive begins
    #[arg(long, value_name = "TIME", value_parser = moment, default_value = "2024-05-01", requires = "archive")]
    pub start: UtcMillis,
    /// The same seed makes the same fleet, and lets the same requests go wrong
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Processes running at once
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub concurrent: usize,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Leaves its database at prochist-demo.db in the current folder, or at --db PATH; that of an
earlier demo is replaced, any other history is not touched."
)]
pub struct DemoArgs {
    /// The same seed makes the same day
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// Simulated hours
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=168))]
    pub hours: i64,
}
