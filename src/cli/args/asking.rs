//! The arguments of the questions.

use std::time::Duration;

use clap::{Args, ValueEnum};
use prochist::Question;
use prochist::history::{Group, Takeover, Window};
use prochist::model::UtcMillis;

use super::super::clock::now;
use super::super::failure::Failure;
use super::{length, length_or_none, moment};

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
    /// End with exit code 3 if a gap, or a stretch in which nothing looked, touches the answer
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
        Ok(self.narrowed.question().window(window).asked_at(now()))
    }
}

/// What a question is about, and how its answer is grouped.
#[derive(Debug, Args)]
pub struct GroupedArgs {
    #[command(flatten)]
    pub about: QuestionArgs,
    /// Group by any of app, region, deployment, day, hour (days and hours are those of UTC)
    #[arg(
        long,
        value_name = "KEY,…",
        value_delimiter = ',',
        hide_possible_values = true
    )]
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
  prochist lifetimes --longer-than 6h             each of them, those still open too
  prochist lifetimes --zombies                    open in the record, and no longer reported")]
pub struct LifetimesArgs {
    #[command(flatten)]
    pub grouped: GroupedArgs,
    /// List the processes that lived longer than that, or had when last seen
    #[arg(long, value_name = "LENGTH", value_parser = length, conflicts_with = "by",
          allow_hyphen_values = true)]
    pub longer_than: Option<Duration>,
    /// List the processes that are open in the record and no longer reported by anyone: lost, or not
    /// seen for over an hour before the last look
    #[arg(long, conflicts_with_all = ["by", "longer_than"])]
    pub zombies: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist failures --by deployment --since 7d
  prochist failures --by region,day --format csv
  prochist failures --compare 43..44              did 44 fail more often than 43, and is it chance?
  prochist failures --bursts --by region          when did far more end together than chance has it?")]
pub struct FailuresArgs {
    #[command(flatten)]
    pub grouped: GroupedArgs,
    /// Compare two deployments, app by app: rates, their difference and how sure it is
    #[arg(long, value_name = "A..B", value_parser = two_deployments,
          conflicts_with_all = ["by", "deployment", "bursts"])]
    pub compare: Option<(String, String)>,
    /// Find stretches of seconds or minutes in which far more failed, or ended, together than their group's
    /// own rate explains
    #[arg(long)]
    pub bursts: bool,
}

/// Two deployments with two dots between them.
fn two_deployments(text: &str) -> Result<(String, String), String> {
    match text.split_once("..") {
        Some((a, b)) if a == b && !a.is_empty() => Err("the same deployment twice".to_owned()),
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
    /// The new deployment, or the one before and the new one with two dots between [default: the latest]
    #[arg(value_name = "DEPLOYMENT", value_parser = takeover)]
    pub takeover: Option<Takeover>,
    #[command(flatten)]
    pub about: QuestionArgs,
    /// Tell apps or regions apart
    #[arg(
        long,
        value_name = "KEY,…",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    by: Vec<RolloutGroupArg>,
    /// How many of each ran, step by step
    #[arg(long)]
    pub over_time: bool,
    /// With --over-time: how long a step is [default: about two dozen in all]
    #[arg(long, value_name = "LENGTH", value_parser = length, requires = "over_time",
          allow_hyphen_values = true)]
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
    #[arg(
        long,
        value_name = "KEY,…",
        value_delimiter = ',',
        hide_possible_values = true
    )]
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
    /// List the holds that began within that long of the end of the one before; 0s for at once
    #[arg(long, value_name = "LENGTH", value_parser = length_or_none,
          conflicts_with_all = ["endpoint", "conflicts"], allow_hyphen_values = true)]
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
