//! `prochist sync`: one run and its end, or one after another on a steady beat.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use prochist::source::api::{ApiError, Client, Options};
use prochist::sync::{Job, Limits, NotSeen, Ran, Stopper};
use prochist::{Error, Lock, RunResult, Store};
use tracing::{error, info, warn};

use super::Done;
use super::args::SyncArgs;
use super::beat::next_beat;
use super::clock::now;
use super::failure::Failure;
use super::human;
use super::output::Output;
use super::report::{Bounds, tell};
use super::run_numbers::Report;
use super::settings::{Origin, Settings};
use super::signals::Ended;

/// Time from one try to take the lock to the next.
const POLL: Duration = Duration::from_millis(50);

/// Time from one picture of the spinner to the next.
const TICK: Duration = Duration::from_millis(100);

pub fn run(args: &SyncArgs, settings: &Settings<'_>, output: &Output) -> Result<Done, Failure> {
    let sync = Sync::new(args, settings, output)?;
    let runtime = runtime()?;
    let mut ended = Ended::watch(&runtime)?;
    let done = runtime.block_on(async {
        let interval = args
            .settings
            .every
            .is_some()
            .then(|| settings.interval().value);
        // Held to the end.
        let Some(_lock) = sync.lock(args.wait, &mut ended).await? else {
            return match interval {
                Some(_) => Ok(Done::Whole),
                None => Err(Failure::new("told to end while waiting for another sync")),
            };
        };
        match interval {
            Some(interval) => sync.beats(interval, &mut ended).await,
            None => sync.once(&mut ended).await,
        }
    });
    // A name that is still being looked up would keep the program beyond its deadline.
    runtime.shutdown_background();
    done
}

/// What every run of one command shares.
struct Sync<'a> {
    client: Client,
    api: String,
    apps: Vec<String>,
    database: PathBuf,
    limits: Limits,
    fail_on_gap: bool,
    verbose: bool,
    output: &'a Output,
}

impl<'a> Sync<'a> {
    fn new(args: &SyncArgs, settings: &Settings<'_>, output: &'a Output) -> Result<Self, Failure> {
        let apps = settings.apps()?.ok_or_else(|| {
            Failure::usage("there is no app to record").hint(
                "name one or more with --app-id APP, HATHORA_APP_ID or the configuration's apps",
            )
        })?;
        let token = settings.token()?;
        let base_url = settings.base_url()?;
        let options = Options {
            allow_http: args.allow_http,
            ..Options::default()
        };
        let client = Client::new(&base_url.value, token, options)
            .map_err(|error| bad_url(error, &base_url.origin))?;
        if let Some((path, mode)) = settings.token_at_large() {
            warn!(
                "others may read the token file {path:?} (mode {mode:03o}): chmod 600 {}",
                path.display()
            );
        }
        Ok(Self {
            client,
            api: base_url.value.trim_end_matches('/').to_owned(),
            apps: apps.value,
            database: settings.database_to_record()?,
            limits: Limits {
                concurrency: settings.concurrency().value,
                max_requests: args.max_requests,
                deadline: args.deadline,
                ..Limits::default()
            },
            fail_on_gap: args.fail_on_gap,
            verbose: args.verbose > 0,
            output,
        })
    }

    /// Takes the lock, waiting for it up to so long; none if the program was told to end meanwhile.
    async fn lock(
        &self,
        wait: Option<Duration>,
        ended: &mut Ended,
    ) -> Result<Option<Lock>, Failure> {
        let began = Instant::now();
        let mut waiting = false;
        loop {
            let busy = match Lock::acquire(&self.database) {
                Err(busy @ Error::Locked { .. }) => busy,
                done => return Ok(Some(done?)),
            };
            let left = wait.unwrap_or_default().saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(busy.into());
            }
            if !waiting {
                let left = humantime::format_duration(wait.unwrap_or_default());
                info!("{busy}; waiting for up to {left}");
                waiting = true;
            }
            tokio::select! {
                told = ended.told() => return told.map(|()| None),
                () = tokio::time::sleep(POLL.min(left)) => {}
            }
        }
    }

    async fn once(&self, ended: &mut Ended) -> Result<Done, Failure> {
        let waiting = self.waiting();
        let looked = self.look(ended).await;
        waiting.finish_and_clear();
        let (ran, bounds) = looked?;
        self.tell(&ran, bounds)?;
        let has_gap = ran.gaps().next().is_some();
        match ran.result {
            RunResult::Failed => Err(failed(ran, bounds)),
            RunResult::Partial => Ok(Done::Partial),
            RunResult::Complete if self.fail_on_gap && has_gap => Ok(Done::Partial),
            RunResult::Complete => Ok(Done::Whole),
        }
    }

    /// For people, that it is still at it; log lines tell as much, and would be in its way.
    fn waiting(&self) -> ProgressBar {
        if self.verbose || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let apps = human::count(self.apps.len() as u64, "app", "apps");
        let most = humantime::format_duration(self.limits.deadline);
        let bar = ProgressBar::new_spinner()
            .with_message(format!("asking about {apps}, for {most} at most"));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        bar
    }

    /// Goes on until it is told to end. A run that fails is one line, and the next one tries again.
    async fn beats(&self, interval: Duration, ended: &mut Ended) -> Result<Done, Failure> {
        let began = Instant::now();
        loop {
            match self.look(ended).await {
                Ok((ran, bounds)) => {
                    // Tables one after another would only be hard to read.
                    if self.output.is_asked() {
                        self.tell(&ran, bounds)?;
                    } else {
                        tell(&ran, bounds);
                    }
                    // Told to end before anything was seen: that is no failure here.
                    if ran.result == RunResult::Failed && !bounds.told {
                        error!("{}", failed(ran, bounds).message());
                    }
                    if bounds.told {
                        return Ok(Done::Whole);
                    }
                }
                Err(failure) => error!("{}", failure.message()),
            }
            let elapsed = began.elapsed();
            tokio::select! {
                biased; // a signal that came just before the beat
                told = ended.told() => return told.map(|()| Done::Whole),
                () = tokio::time::sleep(next_beat(elapsed, interval) - elapsed) => {}
            }
        }
    }

    /// One run. Told to end, it asks no more and records what it saw.
    async fn look(&self, ended: &mut Ended) -> Result<(Ran, Bounds), Failure> {
        // Anew for each run: the file may have been replaced since the last one.
        let mut store = Store::open(&self.database)?;
        let job = Job {
            api: &self.api,
            apps: &self.apps,
            limits: self.limits,
        };
        let (stopper, stop) = Stopper::new();
        let mut run = pin!(prochist::sync::run(
            &mut store,
            &self.client,
            &job,
            stop.clone(),
            now
        ));
        let ran = tokio::select! {
            ran = &mut run => ran,
            told = ended.told() => {
                told?;
                info!("told to end: recording what was seen so far");
                stopper.stop();
                run.await
            }
        }?;
        let bounds = Bounds {
            limits: self.limits,
            told: stop.is_told(),
        };
        Ok((ran, bounds))
    }

    fn tell(&self, ran: &Ran, bounds: Bounds) -> Result<(), Failure> {
        tell(ran, bounds);
        if self.output.wants_report() && ran.result != RunResult::Failed {
            let row = Report::from(ran);
            self.output
                .rows(Report::FIELDS, Report::FIELDS, &[&row], &row)?;
        }
        Ok(())
    }
}

/// Why a run recorded nothing.
fn failed(ran: Ran, bounds: Bounds) -> Failure {
    match ran.apps.len() {
        1 => {
            let error = ran.apps.into_iter().find_map(|app| app.error);
            error.map_or_else(
                || Failure::new("nothing was recorded"),
                |error| not_seen(error, bounds),
            )
        }
        // Each has said why.
        n => Failure::new(format!("nothing was recorded of any of {n} apps")),
    }
}

fn not_seen(error: NotSeen, bounds: Bounds) -> Failure {
    match error {
        NotSeen::Failed(error) => api(error),
        NotSeen::OutOfTime { .. } if !bounds.told => Failure::caused(&error)
            .hint("check --base-url and the network, or give a longer --deadline"),
        NotSeen::OutOfRequests { .. } => {
            Failure::caused(&error).hint("give more --max-requests, or look at fewer apps in a run")
        }
        other => Failure::caused(&other),
    }
}

pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("could not start the network: {e}")))
}

/// A base URL may come from four places: the hint says which one is to be mended.
fn bad_url(error: ApiError, origin: &Origin) -> Failure {
    match (error, origin.name()) {
        (error @ ApiError::BadUrl { .. }, Some(name)) => Failure::caused(&error).into_usage().hint(
            format!("{name} is to give a URL such as https://api.example"),
        ),
        (error, _) => api(error),
    }
}

pub fn api(error: ApiError) -> Failure {
    let failure = Failure::caused(&error);
    match error {
        ApiError::PlainHttp { .. } => failure
            .into_usage()
            .hint("name an https URL, or give --allow-http if you trust the network in between"),
        ApiError::BadId { .. } => failure
            .into_usage()
            .hint("check --app-id, HATHORA_APP_ID and the configuration's apps"),
        ApiError::Unauthorized { .. } => failure
            .hint("check the token in HATHORA_TOKEN or --token-file, and that it is for this app"),
        ApiError::UnknownApp { .. } => failure.hint("check --app-id and --base-url"),
        ApiError::Unreachable { .. } => failure
            .hint("check --base-url and the network; nothing was recorded, the next run goes on"),
        ApiError::NotJson { .. }
        | ApiError::Status {
            code: 300..=399 | 404,
            ..
        } => failure.hint("check --base-url: is a proxy or a login page in between?"),
        _ => failure,
    }
}
