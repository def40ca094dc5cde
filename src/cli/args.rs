//! The arguments of every command, with the help that teaches them.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use prochist::Question;
use prochist::history::{Group, Takeover, Window, parse_when};
use prochist::model::UtcMillis;
use prochist::simulator::Faults;

use super::clock::now;
use super::failure::Failure;
use super::log::LogFormat;
use super::output::Format;
use super::settings::MOST_AT_ONCE;

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

/// A length of time such as `60s`; not none.
pub fn length(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(length) if !length.is_zero() => Ok(length),
        _ => Err(
            "not a length of time: give a number with a unit, such as 60s, 5m or 24h".to_owned(),
        ),
    }
}

/// What every question can be narrowed to.
#[derive(Clone, Debug, Args)]
pub struct QuestionArgs {
    /// From this moment on: RFC 3339, a date, `now`, or an age such as 7d
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    since: Option<UtcMillis>,
    /// Until before this moment
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    until: Option<UtcMillis>,
    #[command(flatten)]
    pub narrowed: NarrowedArgs,
}

/// Which processes a question is about.
#[derive(Clone, Debug, Args)]
pub struct NarrowedArgs {
    /// Only this app (may be given again)
    #[arg(long, value_name = "APP")]
    app: Vec<String>,
    /// Only this region (may be given again)
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    /// Only this deployment (may be given again)
    #[arg(long, value_name = "DEPLOYMENT")]
    deployment: Vec<String>,
    /// End with exit code 3 if a gap touches the answer
    #[arg(long)]
    pub fail_on_gap: bool,
}

impl NarrowedArgs {
    fn question(&self) -> Question {
        Question {
            apps: self.app.clone(),
            regions: self.region.clone(),
            deployments: self.deployment.clone(),
            ..Question::default()
        }
    }
}

impl QuestionArgs {
    pub fn question(&self) -> Result<Question, Failure> {
        let window = Window::new(self.since, self.until)?;
        Ok(self.narrowed.question().window(window))
    }
}

/// What a question is about, and how its answer is grouped.
#[derive(Debug, Args)]
pub struct GroupedArgs {
    #[command(flatten)]
    pub about: QuestionArgs,
    /// Group by any of app, region, deployment, day, hour (days and hours are those of UTC)
    #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
    by: Vec<GroupArg>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GroupArg {
    App,
    Region,
    Deployment,
    Day,
    Hour,
}

fn groups(by: &[GroupArg]) -> impl Iterator<Item = Group> {
    by.iter().map(|group| match group {
        GroupArg::App => Group::App,
        GroupArg::Region => Group::Region,
        GroupArg::Deployment => Group::Deployment,
        GroupArg::Day => Group::Day,
        GroupArg::Hour => Group::Hour,
    })
}

impl GroupedArgs {
    pub fn question(&self) -> Result<Question, Failure> {
        Ok(self.about.question()?.by(groups(&self.by)))
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist lifetimes --by region --since 7d
  prochist lifetimes --by deployment,day --app app-…
  prochist lifetimes --longer-than 6h             each of them, those still open too")]
pub struct LifetimesArgs {
    #[command(flatten)]
    pub grouped: GroupedArgs,
    /// List the processes that lived longer than that, or had when last seen
    #[arg(long, value_name = "LENGTH", value_parser = length, conflicts_with = "by")]
    pub longer_than: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist failures --by deployment --since 7d
  prochist failures --by region,day --format csv
  prochist failures --compare 43..44              did 44 fail more often than 43, and how sure is it?
  prochist failures --bursts --by region          when did far more end together than chance has it?")]
pub struct FailuresArgs {
    #[command(flatten)]
    pub grouped: GroupedArgs,
    /// Compare two deployments: rates, their difference and how sure it is
    #[arg(long, value_name = "A..B", value_parser = two_deployments,
          conflicts_with_all = ["by", "deployment", "bursts"])]
    pub compare: Option<(String, String)>,
    /// Find stretches in which far more failed, or ended, together than their group's own rate explains
    #[arg(long)]
    pub bursts: bool,
}

/// Two deployments with two dots between them.
fn two_deployments(text: &str) -> Result<(String, String), String> {
    match text.split_once("..") {
        Some((a, b)) if !a.is_empty() && !b.is_empty() => Ok((a.to_owned(), b.to_owned())),
        _ => Err("not two deployments: give both with two dots between, such as 43..44".to_owned()),
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist concurrency                            the peak of all, and when it was
  prochist concurrency --by region --since 7d     where
  prochist concurrency --by hour --since 1d       hour by hour")]
pub struct ConcurrencyArgs {
    #[command(flatten)]
    pub grouped: GroupedArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist usage --since 2024-05-01 --until 2024-06-01
  prochist usage --by app,region,deployment,day --format csv")]
pub struct UsageArgs {
    #[command(flatten)]
    pub grouped: GroupedArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist rooms --by region
  prochist rooms --by hour --since 1d             against capacity, hour by hour")]
pub struct RoomsArgs {
    #[command(flatten)]
    pub grouped: GroupedArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist rollout                                the latest
  prochist rollout 44 --by region                 of 44, from whichever came before it
  prochist rollout 42..44                         of 44 from 42
  prochist rollout 44 --over-time --step 5m       both, every five minutes
  prochist rollout --until 2024-05-02             the latest that had begun by then")]
pub struct RolloutArgs {
    /// The new deployment, or the one before and the new one [default: the latest]
    #[arg(value_name = "[A..]B", value_parser = takeover)]
    pub takeover: Option<Takeover>,
    #[command(flatten)]
    pub about: QuestionArgs,
    /// Tell apps or regions apart
    #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
    by: Vec<RolloutGroupArg>,
    /// How many of each ran, step by step
    #[arg(long)]
    pub over_time: bool,
    /// With --over-time: how long a step is [default: about two dozen in all]
    #[arg(long, value_name = "LENGTH", value_parser = length, requires = "over_time")]
    pub step: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RolloutGroupArg {
    App,
    Region,
}

impl RolloutArgs {
    /// Whether the app was asked for by name.
    pub fn by_app(&self) -> bool {
        self.by
            .iter()
            .any(|group| matches!(group, RolloutGroupArg::App))
    }

    /// What is asked; rows are always told apart by app.
    pub fn question(&self) -> Result<Question, Failure> {
        let more = self.by.iter().map(|group| match group {
            RolloutGroupArg::App => Group::App,
            RolloutGroupArg::Region => Group::Region,
        });
        Ok(self.about.question()?.by([Group::App]).by(more))
    }
}

/// A deployment, or two with two dots between them.
fn takeover(text: &str) -> Result<Takeover, String> {
    let (from, to) = match text.split_once("..") {
        Some(_) => two_deployments(text).map(|(from, to)| (Some(from), to))?,
        None => (None, text.to_owned()),
    };
    Ok(Takeover { from, to: Some(to) })
}

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
    #[arg(long, value_name = "LENGTH", value_parser = length, default_value = "50s")]
    pub deadline: Duration,
    /// Speak plain http to another machine, though everyone in between can read the token
    #[arg(long)]
    pub allow_http: bool,
    /// If another sync is running, wait for it up to so long, such as 10s, instead of ending at once
    #[arg(long, value_name = "LENGTH", value_parser = length)]
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
#[command(after_help = "Example:
  prochist history cbfcddd2-0006-43ae-996c-995fff7bed2e")]
pub struct HistoryArgs {
    /// The process, its id in full
    #[arg(value_name = "PROCESS_ID")]
    pub process_id: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist at 2024-05-01T20:15:00Z
  prochist at 2h --region Tokyo
  prochist at 2h --by region,deployment           how many, rather than who
  prochist at 2024-05-01T20:15:00Z --as-known-at 2024-05-01T20:16:00Z")]
pub struct AtArgs {
    /// The moment: RFC 3339, a date, `now`, or an age such as 2h
    #[arg(value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    pub time: UtcMillis,
    /// Only from what had been seen by then
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    pub as_known_at: Option<UtcMillis>,
    #[command(flatten)]
    pub narrowed: NarrowedArgs,
    /// Count them by any of app, region, deployment, day, hour (those of creation)
    #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
    by: Vec<GroupArg>,
}

impl AtArgs {
    pub fn question(&self) -> Question {
        self.narrowed.question().by(groups(&self.by))
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist ports --by host --since 7d
  prochist ports --endpoint 1.proxy.example:31234
  prochist ports --endpoint 1.proxy.example:31234 --at 2024-05-01T20:15:00Z
  prochist ports --within 30s                     taken again too soon, and after whom
  prochist ports --conflicts                      held by two at once")]
pub struct PortsArgs {
    #[command(flatten)]
    pub about: QuestionArgs,
    /// Sum up all endpoints of a host
    #[arg(long, value_name = "KEY", conflicts_with_all = ["endpoint", "within", "conflicts"])]
    pub by: Option<PortGroupArg>,
    /// List the holders of one host and port
    #[arg(long, value_name = "HOST:PORT")]
    pub endpoint: Option<String>,
    /// List the holds that began within that long of the end of the one before
    #[arg(long, value_name = "LENGTH", value_parser = length, conflicts_with_all = ["endpoint", "conflicts"])]
    pub within: Option<Duration>,
    /// List the endpoints that two processes held at once, with both
    #[arg(long, conflicts_with = "endpoint")]
    pub conflicts: bool,
    /// With --endpoint: who held it at this moment
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "endpoint",
          conflicts_with_all = ["since", "until"], allow_hyphen_values = true)]
    pub at: Option<UtcMillis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PortGroupArg {
    Host,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist status
  prochist status --max-age 10m > /dev/null       for a monitor: 1 if recording has stopped")]
pub struct StatusArgs {
    /// End with exit code 1 unless a sync ended as complete, and every app was looked at, within this long
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub max_age: Option<Duration>,
    /// With --max-age: only this app (may be given again) [default: every app that was ever looked at]
    #[arg(long, value_name = "APP", requires = "max_age")]
    pub app: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist sql 'SELECT region, count(*) FROM processes GROUP BY region'
  prochist sql --format csv - < question.sql")]
pub struct SqlArgs {
    /// The query, or - to read it from standard input
    #[arg(value_name = "QUERY", default_value = "-", allow_hyphen_values = true)]
    pub query: String,
    /// Stop after this long
    #[arg(long, value_name = "LENGTH", value_parser = length, default_value = "10s")]
    pub timeout: Duration,
    /// Stop after so many rows; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_rows: u64,
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
    #[arg(long, value_name = "LENGTH", value_parser = length, default_value = "60s", requires = "archive")]
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
