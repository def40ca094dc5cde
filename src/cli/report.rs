//! What people must know of a run of `sync`, in lines on standard error.

use prochist::Recorded;
use prochist::model::{Gap, GapReason};
use prochist::sync::{AppRan, Limits, NotSeen, Ran};
use tracing::{info, warn};

use super::human::count;
use super::log::NOTE;
use super::run_numbers::Report;

/// Fewer than that may all be lost without a word.
const MANY_LOST: u64 = 5;

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
        seen(app, bounds);
    }
    Report::from(ran).tell();
}

fn seen(app: &AppRan, bounds: Bounds) {
    lost(app);
    aside(app);
    unanswered(app);
    rejected(app);
    deferred(app, bounds);
    gaps(app);
    if let Some(oldest) = app.begins_after {
        info!(
            target: NOTE,
            app = app.app_id,
            "the record of {} begins here; processes created before {oldest} that still run may be \
             missing",
            app.app_id
        );
    }
}

fn not_seen(app: &AppRan, error: &NotSeen, bounds: Bounds) {
    let (id, error) = (&app.app_id, prochist::describe(error));
    if bounds.told {
        info!(app = id, "nothing was recorded of {id}: {error}");
    } else {
        warn!(app = id, "nothing was recorded of {id}: {error}");
    }
}

fn lost(app: &AppRan) {
    if let Some(line) = lost_line(&app.app_id, &app.recorded) {
        let n = app.recorded.processes_lost;
        warn!(app = app.app_id, processes_lost = n, "{line}");
    }
}

/// That some are lost is daily life; that most are may be another API that knows nobody.
fn lost_line(id: &str, recorded: &Recorded) -> Option<String> {
    let (lost, seen) = (recorded.processes_lost, recorded.processes_seen);
    (lost >= MANY_LOST && lost > seen).then(|| {
        format!(
            "the API no longer knows {lost} processes of {id} that were open, and knows {seen}: is \
             --base-url the right one?"
        )
    })
}

fn aside(app: &AppRan) {
    let id = &app.app_id;
    if app.set_aside_before > 0 {
        let records = count(app.set_aside_before, "record", "records");
        info!(
            app = id,
            set_aside_before = app.set_aside_before,
            "{records} of {id} still cannot be understood, set aside before"
        );
    }
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
            // Once a day: until then it is not asked for again.
            info!(
                target: NOTE,
                app = id,
                filter, "the API of {id} rejects the filter {filter}; skipped: {error}"
            );
        }
    }
}

fn deferred(app: &AppRan, bounds: Bounds) {
    let (id, n) = (&app.app_id, app.deferred);
    let Some(line) = deferred_line(app, bounds) else {
        return;
    };
    // That requests or time are limited was asked for; that time was short may be a surprise.
    if app.out_of_time && !bounds.told {
        warn!(app = id, deferred = n, "{line}");
    } else {
        info!(app = id, deferred = n, "{line}");
    }
}

fn deferred_line(app: &AppRan, bounds: Bounds) -> Option<String> {
    if app.deferred == 0 && !app.out_of_time {
        return None;
    }
    let why = if !app.out_of_time {
        let most = bounds.limits.max_requests;
        format!("all requests were made (--max-requests {most})")
    } else if bounds.told {
        "told to end".to_owned()
    } else {
        let deadline = humantime::format_duration(bounds.limits.deadline);
        format!("time ran out (--deadline {deadline})")
    };
    let left = match app.deferred {
        0 => format!("all about {} was asked", app.app_id),
        n => format!(
            "{} about {} could be asked",
            count(n, "more question", "more questions"),
            app.app_id
        ),
    };
    Some(format!("{why} before {left}; the next run goes on"))
}

fn gaps(app: &AppRan) {
    let Some(line) = gaps_line(&app.app_id, &app.gaps) else {
        return;
    };
    warn!(app = app.app_id, gaps = app.gaps.len() as u64, "{line}");
    for gap in &app.gaps {
        info!(app = app.app_id, "gap: {}", window(gap));
    }
}

/// One line for all of them: there may be dozens, and what to do about them is the same.
fn gaps_line(id: &str, gaps: &[Gap]) -> Option<String> {
    let since = gaps.iter().map(|gap| gap.since).min()?;
    let until = gaps.iter().map(|gap| gap.until).max()?;
    let windows = match gaps.len() {
        1 => String::new(),
        n => format!(" in {n} windows"),
    };
    let at_least = match gaps.iter().filter_map(|gap| gap.hidden_at_least).sum() {
        0_u64 => String::new(),
        n => format!(", at least {n} of them"),
    };
    let for_reason = |reason| gaps.iter().any(|gap| gap.reason == reason);
    let advice = if for_reason(GapReason::Page) {
        "sync more often"
    } else if for_reason(GapReason::Forgotten) {
        "the API may have forgotten them since the look before: sync more often"
    } else {
        "the API does not accept their filter"
    };
    Some(format!(
        "processes of {id} created from {since} to {until} may have gone unseen{windows}{at_least}; \
         {advice}; see `prochist coverage`"
    ))
}

fn window(gap: &Gap) -> String {
    let mut text = format!("created from {} to {}", gap.since, gap.until);
    for (name, value) in [("region", &gap.region), ("status", &gap.status)] {
        if let Some(value) = value {
            text.push_str(&format!(", {name} {value}"));
        }
    }
    text.push_str(&format!(" ({})", gap.reason.as_str()));
    if let Some(n) = gap.hidden_at_least {
        text.push_str(&format!(", at least {n} hidden"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use prochist::model::SetAside;
    use prochist::source::api::ApiError;
    use prochist::sync::Rejected;
    use tracing::{Event, Subscriber};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::super::log::{self, LogFormat};
    use super::*;

    fn gap(from: &str, to: &str, region: Option<&str>, hidden_at_least: Option<u64>) -> Gap {
        let at = |time| format!("2024-05-01T{time}Z").parse().expect("a time");
        Gap {
            app_id: "a".to_owned(),
            region: region.map(str::to_owned),
            status: None,
            since: at(from),
            until: at(to),
            reason: GapReason::Page,
            hidden_at_least,
        }
    }

    /// Hears what is said, as lines of text.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Heard {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let line = log::line(event, LogFormat::Text);
            self.0.lock().expect("a list").push(line);
        }
    }

    fn said(app: &AppRan) -> Vec<String> {
        let heard = Heard::default();
        let bounds = Bounds {
            limits: Limits::default(),
            told: false,
        };
        let subscriber = tracing_subscriber::registry().with(heard.clone());
        tracing::subscriber::with_default(subscriber, || seen(app, bounds));
        let lines = heard.0.lock().expect("a list");
        lines.clone()
    }

    #[test]
    fn each_thing_that_matters_is_one_warning_and_the_rest_are_notes() {
        let aside = |line| SetAside {
            source: "page".to_owned(),
            line: Some(line),
            reason: "no id".to_owned(),
            raw: Vec::new(),
        };
        let error = || ApiError::Rejected {
            url: "http://x".to_owned(),
            message: "no".to_owned(),
        };
        let rejected = |filter: &str, matters| Rejected {
            filter: filter.to_owned(),
            error: error(),
            matters,
        };
        let app = AppRan {
            app_id: "a".to_owned(),
            set_aside: vec![aside(1), aside(2)],
            unanswered: vec![error(), error()],
            rejected: vec![rejected("region=X", true), rejected("region=Y", false)],
            gaps: vec![gap("10:00:00", "10:05:00", None, None)],
            deferred: 3,
            begins_after: Some("2024-05-01T00:00:00Z".parse().expect("a time")),
            ..AppRan::default()
        };
        let lines = said(&app);
        let begins: Vec<&str> = lines
            .iter()
            .map(|line| line.get(..45).unwrap_or(line))
            .collect();
        assert_eq!(
            begins,
            [
                "warning: 2 records of a could not be understo",
                "note: set aside: page:2: no id",
                "warning: 2 questions about a got no answer: h",
                "note: no answer: http://x rejected the reques",
                "warning: the API of a rejects the filter regi",
                "note: the API of a rejects the filter region=",
                "note: all requests were made (--max-requests ",
                "warning: processes of a created from 2024-05-",
                "note: gap: created from 2024-05-01T10:00:00.0",
                "note: the record of a begins here; processes ",
            ],
            "{lines:#?}"
        );
        assert!(lines[4].contains("region=X; skipped: http://x rejected"));
        assert_eq!(said(&AppRan::default()), [] as [String; 0]);
    }

    #[test]
    fn all_gaps_of_an_app_are_one_line() {
        assert_eq!(gaps_line("a", &[]), None);
        let one = gap("10:00:00", "10:05:00", Some("Tokyo"), None);
        assert_eq!(
            gaps_line("a", std::slice::from_ref(&one)).expect("a line"),
            "processes of a created from 2024-05-01T10:00:00.000Z to 2024-05-01T10:05:00.000Z may \
             have gone unseen; sync more often; see `prochist coverage`"
        );
        let before = gap("09:00:00", "10:04:00", None, Some(3));
        let within = gap("10:01:00", "10:02:00", None, Some(4));
        assert_eq!(
            gaps_line("a", &[one.clone(), before.clone(), within]).expect("a line"),
            "processes of a created from 2024-05-01T09:00:00.000Z to 2024-05-01T10:05:00.000Z may \
             have gone unseen in 3 windows, at least 7 of them; sync more often; see `prochist \
             coverage`"
        );
        for (reason, advice) in [
            (
                GapReason::Forgotten,
                "since the look before: sync more often;",
            ),
            (GapReason::Rejected, "the API does not accept their filter;"),
        ] {
            let gap = Gap {
                reason,
                ..one.clone()
            };
            let line = gaps_line("a", &[gap]).expect("a line");
            assert!(line.contains(advice), "{line}");
        }
        assert_eq!(
            window(&one),
            "created from 2024-05-01T10:00:00.000Z to 2024-05-01T10:05:00.000Z, region Tokyo (page)"
        );
        assert!(window(&before).ends_with(", at least 3 hidden"));
    }

    #[test]
    fn only_an_api_that_knows_hardly_anybody_is_doubted() {
        for (lost, seen, says) in [(0, 0, false), (4, 0, false), (5, 5, false), (6, 5, true)] {
            let recorded = Recorded {
                processes_lost: lost,
                processes_seen: seen,
                ..Recorded::default()
            };
            assert_eq!(lost_line("a", &recorded).is_some(), says, "{lost} {seen}");
        }
    }

    #[test]
    fn what_is_left_for_the_next_run_says_why() {
        for (deferred, out_of_time, told, expected) in [
            (0, false, false, None),
            (0, false, true, None),
            (
                1,
                false,
                false,
                Some(
                    "all requests were made (--max-requests 5000) before 1 more question about a \
                     could be asked; the next run goes on",
                ),
            ),
            (
                2,
                true,
                false,
                Some(
                    "time ran out (--deadline 50s) before 2 more questions about a could be asked; \
                     the next run goes on",
                ),
            ),
            (
                2,
                true,
                true,
                Some(
                    "told to end before 2 more questions about a could be asked; the next run goes \
                     on",
                ),
            ),
            (
                0,
                true,
                true,
                Some("told to end before all about a was asked; the next run goes on"),
            ),
        ] {
            let app = AppRan {
                app_id: "a".to_owned(),
                deferred,
                out_of_time,
                ..AppRan::default()
            };
            let limits = Limits::default();
            let line = deferred_line(&app, Bounds { limits, told });
            assert_eq!(line.as_deref(), expected);
        }
    }
}
