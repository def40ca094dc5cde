//! `prochist sync`.

use std::path::Path;

use prochist::Store;
use prochist::source::api::{ApiError, Client, Options, Token};
use prochist::sync::{Look, Synced, look, record, record_failure};
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
    let source = source(&args.base_url, &args.app_id);
    let started_at = now();
    let open = store.open_processes(&args.app_id)?;
    let looked = runtime()?.block_on(look(&client, &args.app_id, &open));
    let synced = keep(&mut store, &source, looked, started_at)?;
    for aside in &synced.set_aside {
        say!("set aside: {}", printable(&aside.to_string()));
    }
    if let Some(error) = synced.unanswered.first() {
        say!(
            "warning: {} could not be asked for: {}",
            count(synced.unanswered.len() as u64, "process", "processes"),
            printable(&prochist::describe(error))
        );
    }
    if let Some(gap) = &synced.gap {
        say!(
            "warning: processes created from {} to {} may have gone unseen; sync more often",
            gap.since,
            gap.until
        );
    }
    if let Some(oldest) = synced.begins_after {
        say!(
            "note: the record of {} begins here; of processes created before {oldest}, those that \
             run are not known",
            printable(&args.app_id)
        );
    }
    if output.wants_report() {
        let row = Report::from(&synced);
        output.rows(Report::FIELDS, Report::FIELDS, &[&row], &row)?;
    }
    Ok(
        if !synced.is_complete() || (args.fail_on_gap && synced.gap.is_some()) {
            Done::Partial
        } else {
            Done::Whole
        },
    )
}

/// The name of the stream that looks at one app of one API make.
pub fn source(base_url: &str, app_id: &str) -> String {
    format!("{} {app_id}", base_url.trim_end_matches('/'))
}

pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("could not start the network: {e}")))
}

fn keep(
    store: &mut Store,
    source: &str,
    looked: Result<Look, ApiError>,
    started_at: prochist::model::UtcMillis,
) -> Result<Synced, Failure> {
    match looked {
        Ok(look) => Ok(record(store, source, look, started_at, now())?),
        Err(error) => {
            record_failure(store, source, &error, started_at, now())?;
            Err(api(error))
        }
    }
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

impl From<&Synced> for Report {
    fn from(synced: &Synced) -> Self {
        Self {
            run_id: synced.run_id,
            requests: synced.requests,
            processes_seen: synced.recorded.processes_seen,
            processes_new: synced.recorded.processes_new,
            processes_changed: synced.recorded.processes_changed,
            processes_lost: synced.recorded.processes_lost,
            set_aside: synced.set_aside.len() as u64,
            gaps: u64::from(synced.gap.is_some()),
        }
    }
}
