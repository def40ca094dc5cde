//! One look at a live API, and how it is recorded.
//!
//! [`look`] asks: the list of the most recent processes, then each process that is open on record
//! and that the list did not show. [`record`] makes it one snapshot and one row of the ledger. The
//! two are apart so that nothing is locked while the network is waited for, and so that the caller,
//! who has the clock, says when it was.
//!
//! Limits: an API shows ten processes a list. What the list may have hidden is recorded as a gap.

mod window;

use std::collections::HashSet;

use futures_util::StreamExt;

pub use window::{PAGE_ROWS, Seen, gap};

use crate::model::{Extent, Gap, Process, SetAside, UtcMillis};
use crate::source::api::{ApiError, Client, Filter, Info};
use crate::{Ending, Error, Recorded, RunKind, RunResult, Store, describe};

/// How many requests are under way at once.
const CONCURRENCY: usize = 8;

/// What an API said when it was looked at.
#[derive(Debug)]
pub struct Look {
    app_id: String,
    /// What it described: the page of its list first.
    processes: Vec<Process>,
    /// How many of the processes, from the beginning, are the page.
    in_page: usize,
    /// Rows of the page, those included that could not be understood.
    page_rows: usize,
    unknown: Vec<String>,
    set_aside: Vec<SetAside>,
    /// Questions that got no answer.
    unanswered: Vec<ApiError>,
    requests: u64,
    bytes: u64,
}

/// What recording a look came to.
#[derive(Debug)]
pub struct Synced {
    /// The run's number in the ledger.
    pub run_id: i64,
    /// What was recorded.
    pub recorded: Recorded,
    /// Requests made.
    pub requests: u64,
    /// What the page may have hidden.
    pub gap: Option<Gap>,
    /// Records that could not be understood.
    pub set_aside: Vec<SetAside>,
    /// Why some processes could not be asked for.
    pub unanswered: Vec<ApiError>,
    /// It was the first look at the app and its list was full: processes created before this
    /// moment may be running, and will not be recorded unless a list comes to show them.
    pub begins_after: Option<UtcMillis>,
}

impl Synced {
    /// Whether everything that was asked for could be had and understood.
    pub fn is_complete(&self) -> bool {
        self.set_aside.is_empty() && self.unanswered.is_empty()
    }
}

/// Asks for the list and then for each of `open` that it does not show.
///
/// # Errors
/// [`ApiError`] if the list cannot be had. A single process that cannot be had is no error: the
/// look says so.
pub async fn look(client: &Client, app_id: &str, open: &[String]) -> Result<Look, ApiError> {
    let page = client.latest(app_id, &Filter::default()).await?;
    let mut look = Look {
        app_id: app_id.to_owned(),
        in_page: page.processes.len(),
        page_rows: page.processes.len() + page.set_aside.len(),
        processes: page.processes,
        unknown: Vec::new(),
        set_aside: page.set_aside,
        unanswered: Vec::new(),
        requests: 1,
        bytes: page.bytes,
    };
    let shown: HashSet<&str> = look
        .processes
        .iter()
        .map(|process| process.process_id.as_str())
        .collect();
    let missing: Vec<String> = open
        .iter()
        .filter(|id| !shown.contains(id.as_str()))
        .cloned()
        .collect();
    let mut answers = futures_util::stream::iter(missing)
        .map(|id| async move {
            let answer = client.info(app_id, &id).await;
            (id, answer)
        })
        .buffered(CONCURRENCY);
    while let Some((id, answer)) = answers.next().await {
        look.requests += 1;
        match answer {
            Ok(Info::Known(process, bytes)) => {
                look.bytes += bytes;
                look.processes.push(*process);
            }
            Ok(Info::Unknown) => look.unknown.push(id),
            Ok(Info::SetAside(aside)) => look.set_aside.push(aside),
            Err(error) => {
                // The others would be refused as well.
                let refused = matches!(error, ApiError::Unauthorized { .. });
                look.unanswered.push(error);
                if refused {
                    break;
                }
            }
        }
    }
    Ok(look)
}

/// Records a look as one snapshot, seen at `observed_at`, and one run. `source` names the API; later
/// looks at the same one continue its stream.
///
/// # Errors
/// [`Error::Sqlite`]; what was recorded is then nothing.
pub fn record(
    store: &mut Store,
    source: &str,
    look: Look,
    started_at: UtcMillis,
    observed_at: UtcMillis,
) -> Result<Synced, Error> {
    let gap = hidden(store, &look, observed_at)?;
    let begins_after = begins_after(store, &look, observed_at)?;
    let mut run = store
        .begin(RunKind::Sync, source, started_at)?
        .about_app(&look.app_id);
    let run_id = run.id();
    let mut snapshot = run.snapshot(observed_at)?;
    for process in &look.processes {
        snapshot.observe(process)?;
    }
    for process_id in &look.unknown {
        snapshot.observe_unknown(process_id)?;
    }
    for aside in &look.set_aside {
        snapshot.set_aside(aside)?;
    }
    if let Some(gap) = &gap {
        snapshot.gap(gap)?;
    }
    let recorded = snapshot.commit(&Extent::Partial)?;
    let synced = Synced {
        run_id,
        recorded,
        requests: look.requests,
        gap,
        set_aside: look.set_aside,
        unanswered: look.unanswered,
        begins_after,
    };
    run.finish(&Ending {
        requests: look.requests,
        bytes: look.bytes,
        deferred: synced.unanswered.len() as u64,
        error: synced.unanswered.first().map(|error| describe(error)),
        ..Ending::new(
            observed_at,
            if synced.is_complete() {
                RunResult::Complete
            } else {
                RunResult::Partial
            },
        )
    })?;
    Ok(synced)
}

/// Enters in the ledger that the list could not be had.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn record_failure(
    store: &mut Store,
    source: &str,
    error: &ApiError,
    started_at: UtcMillis,
    finished_at: UtcMillis,
) -> Result<(), Error> {
    let run = store.begin(RunKind::Sync, source, started_at)?;
    run.finish(&Ending {
        requests: 1,
        error: Some(describe(error)),
        ..Ending::new(finished_at, RunResult::Failed)
    })?;
    Ok(())
}

/// Whether the record of the app begins here, in the middle of things.
fn begins_after(
    store: &Store,
    look: &Look,
    observed_at: UtcMillis,
) -> Result<Option<UtcMillis>, Error> {
    let oldest = look.processes[..look.in_page]
        .iter()
        .map(|p| p.created_at)
        .min();
    let is_full = look.page_rows >= PAGE_ROWS;
    let oldest = oldest.filter(|_| is_full);
    Ok(
        match store.newest_creation_before(&look.app_id, UtcMillis::MAX)? {
            None => oldest.map(|oldest| oldest.min(observed_at)),
            Some(_) => None,
        },
    )
}

/// What the look may not have shown; asked before it is recorded.
fn hidden(store: &Store, look: &Look, observed_at: UtcMillis) -> Result<Option<Gap>, Error> {
    let page = &look.processes[..look.in_page];
    let oldest = page.iter().min_by_key(|process| process.created_at);
    // Only the oldest tells how far the page reaches: one that was dated wrongly, into the future,
    // is on every page and on record, and tells nothing.
    let reaches_known = match oldest {
        Some(oldest) => store.knows(&oldest.process_id)?,
        None => false,
    };
    let seen = Seen {
        rows: look.page_rows,
        oldest: oldest.map(|process| process.created_at),
        reaches_known,
        has_forgotten: !look.unknown.is_empty(),
        observed_at,
    };
    let Some(until) = seen.hides_until() else {
        return Ok(None);
    };
    let newest_known = store.newest_creation_before(&look.app_id, until)?;
    Ok(gap(until, newest_known).map(|(since, until)| Gap {
        app_id: look.app_id.clone(),
        region: None,
        status: None,
        since,
        until,
        hidden_at_least: None,
    }))
}
