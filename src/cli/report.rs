//! What a run of `sync` came to: what people must know in lines on standard error, the numbers in
//! one row.

use prochist::model::Gap;
use prochist::sync::{AppRan, Limits, NotSeen, Ran};
use serde::Serialize;
use tracing::{info, warn};

use super::human::{self, count};
use super::log::NOTE;

/// Why questions may have been left for the next run.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How far the run was to go.
    pub limits: Limits,
    /// Whether somebody told it to end before.
    pub told: bool,
}

/// Says one line for each thing that matters, and the rest to those who want more.
pub fn tell(ran: &Ran, bounds: Bounds) {
    for app in &ran.apps {
        if let Some(error) = &app.error {
            // The failure of a command that is about one app says it by itself.
            if ran.apps.len() > 1 {
                not_seen(app, error, bounds);
            }
            continue;
        }
        aside(app);
        unanswered(app);
        rejected(app);
        deferred(app, bounds);
        gaps(app);
        if let Some(oldest) = app.begins_after {
            info!(
                target: NOTE,
                app = app.app_id,
                "the record of {} begins here; of processes created before {oldest}, those that \
                 run are not known",
                app.app_id
            );
        }
    }
    Report::from(ran).tell();
}

fn not_seen(app: &AppRan, error: &NotSeen, bounds: Bounds) {
    let (id, error) = (&app.app_id, prochist::describe(error));
    if bounds.told {
        info!(app = id, "nothing was recorded of {id}: {error}");
    } else {
        warn!(app = id, "nothing was recorded of {id}: {error}");
    }
}

fn aside(app: &AppRan) {
    let id = &app.app_id;
    let Some(first) = app.set_aside.first() else {
        return;
    };
    let records = count(app.set_aside.len() as u64, "record", "records");
    warn!(
        app = id,
        set_aside = app.set_aside.len() as u64,
        "{records} of {id} could not be understood, set aside: {first}"
    );
    for other in app.set_aside.iter().skip(1) {
        info!(app = id, "set aside: {other}");
    }
}

fn unanswered(app: &AppRan) {
    let id = &app.app_id;
    let Some(first) = app.unanswered.first() else {
        return;
    };
    let questions = count(app.unanswered.len() as u64, "question", "questions");
    warn!(
        app = id,
        unanswered = app.unanswered.len() as u64,
        "{questions} about {id} got no answer: {}",
        prochist::describe(first)
    );
    for other in app.unanswered.iter().skip(1) {
        info!(app = id, "no answer: {}", prochist::describe(other));
    }
}

fn rejected(app: &AppRan) {
    let id = &app.app_id;
    for rejected in &app.rejected {
        let filter = &rejected.filter;
        let error = prochist::describe(&rejected.error);
        if rejected.matters {
            warn!(
                app = id,
                filter, "the API of {id} rejects the filter {filter}; skipped: {error}"
            );
        } else {
            info!(
                app = id,
                filter, "the API of {id} rejects the filter {filter}; skipped: {error}"
            );
        }
    }
}

fn deferred(app: &AppRan, bounds: Bounds) {
    let (id, n) = (&app.app_id, app.deferred);
    let left = match n {
        0 => format!("all about {id} was asked"),
        n => format!(
            "{} about {id} could be asked",
            count(n, "more question", "more questions")
        ),
    };
    if app.out_of_time && bounds.told {
        info!(
            app = id,
            deferred = n,
            "told to end before {left}; the next run goes on"
        );
    } else if app.out_of_time {
        let deadline = humantime::format_duration(bounds.limits.deadline);
        warn!(
            app = id,
            deferred = n,
            "time ran out (--deadline {deadline}) before {left}; the next run goes on"
        );
    } else if n > 0 {
        let most = bounds.limits.max_requests;
        info!(
            app = id,
            deferred = n,
            "all requests were made (--max-requests {most}) before {left}; the next run goes on"
        );
    }
}

/// One line for all of them: there may be dozens, and what to do about them is the same.
fn gaps(app: &AppRan) {
    let id = &app.app_id;
    let since = app.gaps.iter().map(|gap| gap.since).min();
    let until = app.gaps.iter().map(|gap| gap.until).max();
    let (Some(since), Some(until)) = (since, until) else {
        return;
    };
    let n = app.gaps.len() as u64;
    let hidden: u64 = app.gaps.iter().filter_map(|gap| gap.hidden_at_least).sum();
    let windows = match n {
        1 => String::new(),
        n => format!(" in {n} windows"),
    };
    let at_least = match hidden {
        0 => String::new(),
        n => format!(", at least {n} of them"),
    };
    warn!(
        app = id,
        gaps = n,
        hidden_at_least = hidden,
        "processes of {id} created from {since} to {until} may have gone unseen{windows}{at_least}; \
         sync more often; see `prochist coverage`"
    );
    for gap in &app.gaps {
        info!(app = id, "gap: {}", window(gap));
    }
}

fn window(gap: &Gap) -> String {
    let mut text = format!("created from {} to {}", gap.since, gap.until);
    for (name, value) in [("region", &gap.region), ("status", &gap.status)] {
        if let Some(value) = value {
            text.push_str(&format!(", {name} {value}"));
        }
    }
    if let Some(n) = gap.hidden_at_least {
        text.push_str(&format!(", at least {n} hidden"));
    }
    text
}

/// The numbers of a run.
#[derive(Serialize)]
pub struct Report {
    run_id: i64,
    result: &'static str,
    requests: u64,
    retries: u64,
    bytes: u64,
    processes_seen: u64,
    processes_new: u64,
    processes_changed: u64,
    processes_lost: u64,
    set_aside: u64,
    deferred: u64,
    gaps: u64,
}

impl Report {
    pub const FIELDS: &'static [&'static str] = &[
        "run_id",
        "result",
        "requests",
        "retries",
        "bytes",
        "processes_seen",
        "processes_new",
        "processes_changed",
        "processes_lost",
        "set_aside",
        "deferred",
        "gaps",
    ];

    fn tell(&self) {
        info!(
            run_id = self.run_id,
            result = self.result,
            requests = self.requests,
            retries = self.retries,
            bytes = self.bytes,
            processes_seen = self.processes_seen,
            processes_new = self.processes_new,
            processes_changed = self.processes_changed,
            processes_lost = self.processes_lost,
            set_aside = self.set_aside,
            deferred = self.deferred,
            gaps = self.gaps,
            "run {} {}: {} ({} made again), {}; {} seen, {} new, {} changed, {} lost; {} deferred; {}",
            self.run_id,
            self.result,
            count(self.requests, "request", "requests"),
            self.retries,
            human::bytes(self.bytes),
            count(self.processes_seen, "process", "processes"),
            self.processes_new,
            self.processes_changed,
            self.processes_lost,
            count(self.deferred, "question", "questions"),
            count(self.gaps, "gap", "gaps"),
        );
    }
}

impl From<&Ran> for Report {
    fn from(ran: &Ran) -> Self {
        let recorded = ran.recorded();
        Self {
            run_id: ran.run_id,
            result: ran.result.as_str(),
            requests: ran.requests,
            retries: ran.retries,
            bytes: ran.bytes,
            processes_seen: recorded.processes_seen,
            processes_new: recorded.processes_new,
            processes_changed: recorded.processes_changed,
            processes_lost: recorded.processes_lost,
            set_aside: ran.set_aside().count() as u64,
            deferred: ran.deferred(),
            gaps: ran.gaps().count() as u64,
        }
    }
}
