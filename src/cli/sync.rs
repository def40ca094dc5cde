//! `prochist sync`.

use std::path::Path;

use prochist::source::api::{ApiError, Client, Options, Token};
use prochist::sync::{AppRan, Job, Limits, NotSeen, Ran, Stop};
use prochist::{RunResult, Store};
use serde::Serialize;

use super::args::SyncArgs;
use super::clock::now;
use super::failure::Failure;
use super::human::count;
use super::output::Output;
use super::{Done, table::printable};

pub fn run(args: &SyncArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let client = Client::new(&args.base_url, token(args)?, Options::default()).map_err(api)?;
    let mut store = Store::open(database)?;
    let apps = [args.app_id.clone()];
    let job = Job {
        api: args.base_url.trim_end_matches('/'),
        apps: &apps,
        limits: Limits::default(),
    };
    let ran = prochist::sync::run(&mut store, &client, &job, Stop::never(), now);
    let ran = runtime()?.block_on(ran)?;
    for app in &ran.apps {
        tell(app);
    }
    if output.wants_report() && ran.result != RunResult::Failed {
        let row = Report::from(&ran);
        output.rows(Report::FIELDS, Report::FIELDS, &[&row], &row)?;
    }
    let has_gap = ran.gaps().next().is_some();
    match ran.result {
        RunResult::Failed => {
            let error = ran.apps.into_iter().find_map(|app| app.error);
            Err(error.map_or_else(|| Failure::new("nothing was recorded".to_owned()), not_seen))
        }
        RunResult::Partial => Ok(Done::Partial),
        RunResult::Complete if args.fail_on_gap && has_gap => Ok(Done::Partial),
        RunResult::Complete => Ok(Done::Whole),
    }
}

fn tell(app: &AppRan) {
    for aside in &app.set_aside {
        say!("set aside: {}", printable(&aside.to_string()));
    }
    if let Some(error) = app.unanswered.first() {
        say!(
            "warning: {} could not be asked for: {}",
            count(app.unanswered.len() as u64, "process", "processes"),
            printable(&prochist::describe(error))
        );
    }
    for gap in &app.gaps {
        say!(
            "warning: processes created from {} to {} may have gone unseen; sync more often",
            gap.since,
            gap.until
        );
    }
    if let Some(oldest) = app.begins_after {
        say!(
            "note: the record of {} begins here; of processes created before {oldest}, those that \
             run are not known",
            printable(&app.app_id)
        );
    }
}

fn not_seen(error: NotSeen) -> Failure {
    match error {
        NotSeen::Failed(error) => api(error),
        other => Failure::caused(&other),
    }
}

pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("could not start the network: {e}")))
}

fn token(args: &SyncArgs) -> Result<Token, Failure> {
    let text = match &args.token_file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| Failure::new(format!("could not read the token file {path:?}: {e}")))?,
        None => std::env::var("HATHORA_TOKEN").map_err(|_| {
            Failure::usage("there is no token")
                .hint("set HATHORA_TOKEN, or name a file with --token-file PATH")
        })?,
    };
    Token::new(text).map_err(|e| {
        Failure::caused(&e)
            .into_usage()
            .hint("the token is the text of HATHORA_TOKEN, or of the file that --token-file names")
    })
}

pub fn api(error: ApiError) -> Failure {
    let failure = Failure::caused(&error);
    match error {
        ApiError::BadUrl { .. } => failure
            .into_usage()
            .hint("--base-url takes a URL such as https://api.example"),
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

#[derive(Serialize)]
struct Report {
    run_id: i64,
    requests: u64,
    processes_seen: u64,
    processes_new: u64,
    processes_changed: u64,
    processes_lost: u64,
    set_aside: u64,
    gaps: u64,
}

impl Report {
    const FIELDS: &'static [&'static str] = &[
        "run_id",
        "requests",
        "processes_seen",
        "processes_new",
        "processes_changed",
        "processes_lost",
        "set_aside",
        "gaps",
    ];
}

impl From<&Ran> for Report {
    fn from(ran: &Ran) -> Self {
        let recorded = ran.recorded();
        Self {
            run_id: ran.run_id,
            requests: ran.requests,
            processes_seen: recorded.processes_seen,
            processes_new: recorded.processes_new,
            processes_changed: recorded.processes_changed,
            processes_lost: recorded.processes_lost,
            set_aside: ran.set_aside().count() as u64,
            gaps: ran.gaps().count() as u64,
        }
    }
}
