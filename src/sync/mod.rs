//! One run: every app is looked at over a live API, and what was seen is recorded.
//!
//! [`run`] is what `prochist sync` does. Nothing of the file is locked while the network is waited
//! for; each app is recorded as one snapshot, whole or not at all.
//!
//! Limits: an API shows ten processes a list. What that may have hidden is recorded as gaps.

mod accounts;
mod look;
mod plan;
mod request;

pub use request::{Limits, Retries, Stop, Stopper};

use look::{Known, Look, look};
use plan::Before;
pub use plan::{PAGE_ROWS, TRUSTED_MEMORY_MS};

use crate::model::{Extent, Gap, SetAside, UtcMillis};
use crate::source::api::{ApiError, Client};
use crate::store::RejectedFilter;
use crate::{Ending, Error, Recorded, Run, RunKind, RunResult, Store, describe};
use request::{Asker, NoAnswer};

/// How long a filter that the API rejected is not asked for again: a day.
const REJECTED_FOR_MS: i64 = 86_400_000;

/// What a run is about.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Names the API in the ledger; its URL, unless there is a reason. Later runs of the same one
    /// continue where this one ends.
    pub api: &'a str,
    /// The apps to look at, one after another.
    pub apps: &'a [String],
    /// How far the run may go.
    pub limits: Limits,
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    /// The run's number in the ledger.
    pub run_id: i64,
    /// How it ended.
    pub result: RunResult,
    /// What each app came to, in the order asked for.
    pub apps: Vec<AppRan>,
    /// Requests made, those made again included.
    pub requests: u64,
    /// Requests made again.
    pub retries: u64,
    /// Size of the answers in bytes.
    pub bytes: u64,
}

impl Ran {
    /// What was recorded of all apps.
    pub fn recorded(&self) -> Recorded {
        let mut sum = Recorded::default();
        for app in &self.apps {
            sum.add(app.recorded);
        }
        sum
    }

    /// What may have gone unseen, of all apps.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.apps.iter().flat_map(|app| &app.gaps)
    }

    /// Questions left for the next run, of all apps.
    pub fn deferred(&self) -> u64 {
        self.apps.iter().map(|app| app.deferred).sum()
    }

    /// Records that could not be understood, of all apps.
    pub fn set_aside(&self) -> u64 {
        let of = |app: &AppRan| app.set_aside.len() as u64 + app.set_aside_before;
        self.apps.iter().map(of).sum()
    }
}

/// What a run came to for one app.
#[derive(Debug, Default)]
pub struct AppRan {
    /// The app.
    pub app_id: String,
    /// What was recorded; nothing where `error` is set.
    pub recorded: Recorded,
    /// What may have gone unseen.
    pub gaps: Vec<Gap>,
    /// Records that could not be understood, and that no run has met before.
    pub set_aside: Vec<SetAside>,
    /// Records that could not be understood either, and are on record from an earlier run.
    pub set_aside_before: u64,
    /// Filters that the API does not accept, and were skipped.
    pub rejected: Vec<Rejected>,
    /// Questions that failed for good, though tried again.
    pub unanswered: Vec<ApiError>,
    /// Questions left for the next run.
    pub deferred: u64,
    /// Whether it was time that ran out, or the run was told to stop, rather than the number of
    /// requests.
    pub out_of_time: bool,
    /// Lists among the questions that were left or failed: what they would have shown is for the
    /// next run to prove.
    pub lists_missing: u64,
    /// It was the first look at the app, and not all of it could be seen: processes created before
    /// this moment may be running, and will not be recorded unless a list comes to show them.
    pub begins_after: Option<UtcMillis>,
    /// Why nothing could be recorded at all.
    pub error: Option<NotSeen>,
}

/// A filter that the API does not accept.
#[derive(Debug)]
pub struct Rejected {
    /// The filter, such as `region=Dubai`.
    pub filter: String,
    /// Why, in the API's words.
    pub error: ApiError,
    /// Whether processes that match it are on record, so that something may be missing.
    pub matters: bool,
}

/// Why nothing could be seen of an app.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotSeen {
    /// The list could not be had.
    #[error(transparent)]
    Failed(#[from] ApiError),
    /// The run was over before the list was there.
    #[error("the run was over before {app_id} could be looked at{}", after(latest.as_deref()))]
    OutOfTime {
        /// The app.
        app_id: String,
        /// Why the latest try failed, if one did.
        latest: Option<String>,
    },
    /// The run had made all its requests.
    #[error("all requests of the run were made before {app_id} could be looked at{}", after(latest.as_deref()))]
    OutOfRequests {
        /// The app.
        app_id: String,
        /// Why the latest try failed, if one did.
        latest: Option<String>,
    },
}

fn after(latest: Option<&str>) -> String {
    latest.map_or_else(String::new, |latest| format!("; at last: {latest}"))
}

impl AppRan {
    /// How looking at the app ended.
    pub fn result(&self) -> RunResult {
        let has_all = self.unanswered.is_empty()
            && self.set_aside.is_empty()
            && !self.out_of_time
            && self.lists_missing == 0
            && !self.rejected.iter().any(|filter| filter.matters);
        match (&self.error, has_all) {
            (Some(_), _) => RunResult::Failed,
            (None, true) => RunResult::Complete,
            (None, false) => RunResult::Partial,
        }
    }

    /// Why it is not complete, in one line.
    fn trouble(&self) -> Option<String> {
        let error = self.error.as_ref().map(|error| describe(error));
        error.or_else(|| self.unanswered.first().map(|error| describe(error)))
    }
}

/// Looks at every app of the job and records what was seen, as one run of the ledger. `now` is asked
/// what time it is.
///
/// # Errors
/// [`Error::Sqlite`]. What goes wrong with the network is no error: [`Ran`] says it, and the ledger.
pub async fn run(
    store: &mut Store,
    client: &Client,
    job: &Job<'_>,
    stop: Stop,
    now: impl Fn() -> UtcMillis,
) -> Result<Ran, Error> {
    let asker = Asker::new(job.limits, stop);
    let name = |apps: &[String]| format!("{} {}", job.api, apps.join(" "));
    let mut run = store.begin(RunKind::Sync, &name(job.apps), now())?;
    let (mut apps, received) = (Vec::new(), client.received_bytes());
    let waiting = longest_waiting_first(run.store(), job.apps)?;
    let mut apps_left = waiting.len() as u32;
    for (place, app_id) in waiting {
        run.stream_of(&name(std::slice::from_ref(app_id)), app_id)?;
        let known = known(run.store(), app_id, now(), apps_left)?;
        apps_left -= 1;
        let mut app = match look(client, &asker, &known).await {
            Ok(look) => keep(&mut run, app_id, look, now())?,
            Err(no) => AppRan {
                error: Some(not_seen(no, app_id)),
                ..AppRan::default()
            },
        };
        app.app_id.clone_from(app_id);
        apps.push((place, app));
    }
    apps.sort_by_key(|(place, _)| *place);
    let apps: Vec<AppRan> = apps.into_iter().map(|(_, app)| app).collect();
    let result = result(&apps);
    let ran = Ran {
        run_id: run.id(),
        result,
        requests: asker.requests(),
        retries: asker.retries(),
        bytes: client.received_bytes() - received,
        apps,
    };
    run.finish(&Ending {
        requests: ran.requests,
        retries: ran.retries,
        bytes: ran.bytes,
        deferred: ran.deferred(),
        error: ran.apps.iter().find_map(AppRan::trouble),
        ..Ending::new(now(), result)
    })?;
    Ok(ran)
}

/// The apps with their places, those first whose latest look is longest ago: where time or requests
/// run out, it is not always the same ones that go without.
fn longest_waiting_first<'a>(
    store: &Store,
    apps: &'a [String],
) -> Result<Vec<(usize, &'a String)>, Error> {
    let mut waiting = Vec::with_capacity(apps.len());
    for (place, app_id) in apps.iter().enumerate() {
        let marks = store.watermarks(app_id)?;
        let looked_at = marks.iter().map(|mark| mark.looked_at).max();
        waiting.push((looked_at, place, app_id));
    }
    waiting.sort();
    Ok(waiting
        .into_iter()
        .map(|(_, place, app_id)| (place, app_id))
        .collect())
}

fn result(apps: &[AppRan]) -> RunResult {
    let all = |result| apps.iter().all(|app| app.result() == result);
    if all(RunResult::Complete) {
        RunResult::Complete
    } else if all(RunResult::Failed) {
        RunResult::Failed
    } else {
        RunResult::Partial
    }
}

fn not_seen(no: NoAnswer, app_id: &str) -> NotSeen {
    let app_id = app_id.to_owned();
    match no {
        NoAnswer::Failed(error) => NotSeen::Failed(error),
        NoAnswer::OutOfTime(latest) => NotSeen::OutOfTime { app_id, latest },
        NoAnswer::OutOfRequests(latest) => NotSeen::OutOfRequests { app_id, latest },
    }
}

fn known(store: &Store, app_id: &str, now: UtcMillis, apps_left: u32) -> Result<Known, Error> {
    let (regions, statuses) = store.seen_filters(app_id)?;
    let mut before = Before {
        app_id: app_id.to_owned(),
        marks: store.watermarks(app_id)?,
        regions,
        statuses,
        ..Before::default()
    };
    let lately = now.plus_millis(-REJECTED_FOR_MS);
    for filter in store.rejected_filters(app_id, lately)? {
        match filter {
            RejectedFilter::Region(region) => before.rejected_regions.insert(region),
            RejectedFilter::Status(status) => before.rejected_statuses.insert(status),
        };
    }
    let looked_at = before.marks.iter().map(|mark| mark.looked_at).max();
    let just_lost = match looked_at {
        Some(looked_at) => store.lost_since(app_id, looked_at)?,
        None => Vec::new(),
    };
    Ok(Known {
        before,
        just_lost,
        open: store.open_processes(app_id)?,
        started_at: now,
        apps_left,
    })
}

/// Records a look as one snapshot, seen at `observed_at`.
fn keep(
    run: &mut Run<'_>,
    app_id: &str,
    look: Look,
    observed_at: UtcMillis,
) -> Result<AppRan, Error> {
    let Look {
        processes,
        unknown,
        findings,
        answers,
    } = look;
    let mut snapshot = run.snapshot(observed_at)?;
    for process in processes.values() {
        snapshot.observe(process)?;
    }
    for process_id in &unknown {
        snapshot.observe_unknown(process_id)?;
    }
    let (mut set_aside, mut set_aside_before) = (Vec::new(), 0);
    for aside in answers.set_aside {
        if snapshot.set_aside(&aside)? {
            set_aside.push(aside);
        } else {
            set_aside_before += 1;
        }
    }
    for gap in &findings.gaps {
        snapshot.gap(gap)?;
    }
    for filter in &answers.rejected_filters {
        snapshot.rejected(app_id, filter)?;
    }
    snapshot.watermarks(app_id, &findings.marks)?;
    let recorded = snapshot.commit(&Extent::Partial)?;
    Ok(AppRan {
        recorded,
        gaps: findings.gaps,
        begins_after: findings.begins_after,
        set_aside,
        set_aside_before,
        rejected: answers.rejected,
        unanswered: answers.unanswered,
        deferred: answers.deferred,
        out_of_time: answers.out_of_time,
        lists_missing: answers.lists_missing,
        ..AppRan::default()
    })
}
