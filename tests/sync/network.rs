//! What a bad network, a hostile server and a refused token come to: a run always ends, what was seen
//! is kept, and the next run goes on as if nothing had been.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prochist::source::api::{ApiError, Client, Options, Token};
use prochist::sync::{Job, Limits, NotSeen, Ran, Retries, Stop, Stopper, run};
use prochist::{RunResult, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{dump, open};
use crate::script::{Reply, Script, error, ok, process, start};
use crate::truth::MINUTE_MS;

/// Waits for next to nothing before it asks again.
fn hasty() -> Limits {
    Limits {
        deadline: Duration::from_secs(60),
        retries: Retries {
            times: 7,
            first: Duration::from_millis(1),
            longest: Duration::from_millis(2),
        },
        ..Limits::default()
    }
}

struct Recorder {
    folder: TempDir,
    apps: Vec<String>,
    options: Options,
    limits: Limits,
    minute: i64,
}

impl Recorder {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            apps: vec!["a".to_owned()],
            options: Options::default(),
            limits: hasty(),
            minute: 0,
        }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("history.db")
    }

    /// A minute after the look before.
    fn look(&mut self, script: &Script) -> Ran {
        self.look_until(script, Stop::never())
    }

    fn look_until(&mut self, script: &Script, stop: Stop) -> Ran {
        self.minute += 1;
        let now = start().plus_millis(MINUTE_MS * self.minute);
        let token = Token::new("a-secret-of-the-tests".to_owned()).unwrap();
        let client = Client::new(&script.base_url, token, self.options).unwrap();
        let job = Job {
            api: "scripted",
            apps: &self.apps,
            limits: self.limits,
        };
        let mut store = Store::open(&self.database()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(run(&mut store, &client, &job, stop, || now))
            .unwrap()
    }

    fn dump(&self, sql: &str) -> String {
        dump(&open(&self.database()), sql)
    }
}

/// One process that runs: the list shows it, and so does `info`.
fn well(path: &str) -> Reply {
    let running = process("p", "Tokyo", "running", 10);
    if path.contains("/list/") {
        ok(&json!([running]))
    } else {
        ok(&running)
    }
}

#[test]
fn whatever_a_server_does_a_run_ends_and_the_next_goes_on() {
    type Bad = fn(&str) -> Reply;
    let cases: [(&str, Bad, u64); 7] = [
        ("hung", |_| Reply::Hang, 8),
        ("dripping", |_| Reply::Drip, 8),
        ("endless", |_| Reply::Endless, 1),
        ("broken", |_| Reply::Hangup, 8),
        ("unavailable", |_| error(503), 8),
        ("refusing", |_| error(401), 1),
        ("forbidding", |_| error(403), 1),
    ];
    for (name, bad, requests) in cases {
        let script = Script::new(well);
        let mut recorder = Recorder::new();
        // What never ends must not be waited for; all else may take its time on a busy machine.
        if matches!(name, "hung" | "dripping") {
            recorder.options.read_timeout = Duration::from_millis(100);
            recorder.options.request_timeout = Duration::from_millis(150);
        }
        let before = loop {
            let ran = recorder.look(&script);
            if ran.result == RunResult::Complete {
                break ran;
            }
        };
        assert_eq!(before.recorded().processes_seen, 1);
        script.becomes(bad);
        script.asked();
        let ran = recorder.look(&script);
        assert_eq!(ran.result, RunResult::Failed, "{name}: {ran:?}");
        assert_eq!(ran.requests, requests, "{name}: {ran:?}");
        assert_eq!(ran.retries, requests - 1, "{name}");
        assert_eq!(script.asked().len() as u64, requests, "{name}");
        script.becomes(well);
        let after = loop {
            let ran = recorder.look(&script);
            if ran.result == RunResult::Complete {
                break ran;
            }
        };
        assert!(after.gaps().next().is_none(), "{name}: {after:?}");
        assert_eq!(
            recorder.dump("SELECT process_id, outcome, version FROM processes"),
            "process_id=p outcome=open version=1 \n",
            "{name}"
        );
        let failed = recorder.dump(&format!(
            "SELECT result, requests, retries, error IS NOT NULL AS says FROM sync_runs
             WHERE run_id = {}",
            ran.run_id
        ));
        let retries = requests - 1;
        assert_eq!(
            failed,
            format!("result=failed requests={requests} retries={retries} says=1 \n"),
            "{name}"
        );
    }
}

/// The deadline ends a run whatever the timeouts are.
#[test]
fn at_the_deadline_what_was_seen_is_recorded_and_the_rest_is_deferred() {
    let script = Script::new(|path| {
        if path.contains("/list/") {
            let shown = (0..9).map(|n| process(&format!("p{n}"), "Tokyo", "running", n));
            ok(&Value::from_iter(shown))
        } else {
            error(404)
        }
    });
    let mut recorder = Recorder::new();
    assert_eq!(recorder.look(&script).result, RunResult::Complete);
    script.becomes(|path| match path {
        path if path.contains("/list/") => ok(&json!([process("p9", "Tokyo", "running", 9)])),
        path if path.ends_with("/p3") => ok(&process("p3", "Tokyo", "draining", 3)),
        _ => Reply::Hang,
    });
    recorder.limits.deadline = Duration::from_secs(2);
    recorder.limits.concurrency = 9;
    let ran = recorder.look(&script);
    assert_eq!(ran.result, RunResult::Partial);
    assert_eq!(ran.deferred(), 8, "{ran:?}");
    assert!(ran.apps[0].out_of_time);
    assert_eq!(
        recorder.dump(
            "SELECT result, processes_seen, processes_new, processes_changed, deferred
             FROM sync_runs WHERE run_id = 2"
        ),
        "result=partial processes_seen=2 processes_new=1 processes_changed=1 deferred=8 \n"
    );
    // Nothing at all in time.
    script.becomes(|_| Reply::Hang);
    let ran = recorder.look(&script);
    assert_eq!(ran.result, RunResult::Failed);
    let error = ran.apps[0].error.as_ref().unwrap();
    assert!(matches!(error, NotSeen::OutOfTime { .. }), "{error:?}");
}

#[test]
fn a_run_that_is_told_to_stop_records_what_it_saw() {
    let (stopper, stop) = Stopper::new();
    let stopper = Arc::new(stopper);
    let script = Script::new(well);
    let mut recorder = Recorder::new();
    assert_eq!(recorder.look(&script).result, RunResult::Complete);
    script.becomes(move |path| {
        if path.contains("/list/") {
            ok(&json!([process("q", "Tokyo", "running", 20)]))
        } else {
            stopper.stop();
            Reply::Hang
        }
    });
    recorder.limits.deadline = Duration::from_secs(3600);
    recorder.options.read_timeout = Duration::from_secs(3600);
    recorder.options.request_timeout = Duration::from_secs(3600);
    let ran = recorder.look_until(&script, stop.clone());
    assert_eq!(ran.result, RunResult::Partial);
    assert_eq!((ran.recorded().processes_new, ran.deferred()), (1, 1));
    // And one that was told before it began asks nothing.
    script.asked();
    assert_eq!(recorder.look_until(&script, stop).result, RunResult::Failed);
    assert_eq!(script.asked(), [] as [String; 0]);
}

/// Longest-unchecked first, within the number of requests; those left are first the next time.
#[test]
fn what_was_deferred_is_asked_for_first_the_next_time() {
    let info = |path: &str| {
        let id = path.rsplit('/').next().unwrap();
        ok(&process(id, "Tokyo", "running", 1))
    };
    let script = Script::new(move |path| {
        if path.contains("/list/") {
            let shown = (0..8).map(|n| process(&format!("p{n}"), "Tokyo", "running", n));
            ok(&Value::from_iter(shown))
        } else {
            info(path)
        }
    });
    let mut recorder = Recorder::new();
    recorder.look(&script);
    script.becomes(move |path| {
        if path.contains("/list/") {
            ok(&json!([]))
        } else {
            info(path)
        }
    });
    recorder.limits.max_requests = 4;
    recorder.limits.concurrency = 1;
    script.asked();
    let mut asked = Vec::new();
    for _ in 0..4 {
        let ran = recorder.look(&script);
        assert_eq!((ran.requests, ran.deferred()), (4, 5), "{ran:?}");
        assert!(!ran.apps[0].out_of_time);
        // That many requests were all that it was to make.
        assert_eq!(ran.result, RunResult::Complete);
        let paths = script.asked();
        let ids = paths[1..]
            .iter()
            .map(|p| p.rsplit('/').next().unwrap().to_owned());
        asked.push(ids.collect::<Vec<_>>().join(" "));
    }
    assert_eq!(asked, ["p0 p1 p2", "p3 p4 p5", "p6 p7 p0", "p1 p2 p3"]);
}

#[test]
fn a_token_refused_halfway_stops_the_run_at_once() {
    let script = Script::new(|path| {
        if path.contains("/list/") {
            let shown = (0..8).map(|n| process(&format!("p{n}"), "Tokyo", "running", n));
            ok(&Value::from_iter(shown))
        } else {
            error(401)
        }
    });
    let mut recorder = Recorder::new();
    recorder.look(&script);
    script.becomes(|path| {
        if path.contains("/list/") {
            ok(&json!([]))
        } else {
            error(401)
        }
    });
    recorder.limits.concurrency = 1;
    script.asked();
    let ran = recorder.look(&script);
    assert_eq!(ran.result, RunResult::Partial);
    assert_eq!(script.asked().len(), 2);
    assert_eq!(ran.deferred(), 7);
    assert_eq!(
        recorder.dump("SELECT DISTINCT outcome FROM processes"),
        "outcome=open \n"
    );
}

#[test]
fn both_forms_of_retry_after_are_obeyed_and_none_longer_than_the_run() {
    let date = "date: Wed, 01 May 2024 20:00:00 GMT";
    for (headers, comes_back) in [
        (vec!["retry-after: 0"], true),
        (
            vec![date, "retry-after: Wed, 01 May 2024 20:00:00 GMT"],
            true,
        ),
        (
            vec![date, "retry-after: Wed, 01 May 2024 19:00:00 GMT"],
            true,
        ),
        // What cannot be told is as if it were not there.
        (vec!["retry-after: Wed, 01 May 2024 23:00:00 GMT"], true),
        (vec!["retry-after: soon"], true),
        (vec!["retry-after: 3600"], false),
        (vec!["retry-after: 99999999999999999999"], true),
        (vec!["retry-after: 9999999999999999999"], false),
        (
            vec![date, "retry-after: Wed, 01 May 2024 21:00:00 GMT"],
            false,
        ),
    ] {
        for status in [429, 503] {
            let calls = AtomicUsize::new(0);
            let lines: Vec<String> = headers.iter().map(|line| (*line).to_owned()).collect();
            let script = Script::new(move |path| {
                if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                    Reply::With(status, lines.clone(), "later".to_owned())
                } else {
                    well(path)
                }
            });
            let ran = Recorder::new().look(&script);
            let expected = if comes_back {
                (RunResult::Complete, 2, 1)
            } else {
                (RunResult::Failed, 1, 0)
            };
            let found = (ran.result, ran.requests, ran.retries);
            assert_eq!(found, expected, "{headers:?}");
        }
    }
}

/// 408, 429, 5xx, what breaks, what is cut off and what is no JSON is asked for again; nothing else.
#[test]
fn what_may_pass_is_asked_for_again() {
    let cut = r#"[{"processId": "p"#;
    let cases: Vec<(Reply, bool)> = vec![
        (error(408), true),
        (error(429), true),
        (error(500), true),
        (error(502), true),
        (error(503), true),
        (error(504), true),
        (error(599), true),
        (Reply::Hangup, true),
        (Reply::With(200, vec![], cut.to_owned()), true),
        (Reply::With(200, vec![], "<html>".to_owned()), true),
        (Reply::With(200, vec![], String::new()), true),
        (error(400), false),
        (error(401), false),
        (error(403), false),
        (error(404), false),
        (error(422), false),
        (
            Reply::With(302, vec!["location: /elsewhere".to_owned()], String::new()),
            false,
        ),
    ];
    for (n, (reply, again)) in cases.into_iter().enumerate() {
        let mut first = Some(reply);
        let script = Script::new(move |path| first.take().unwrap_or_else(|| well(path)));
        let ran = Recorder::new().look(&script);
        assert_eq!(ran.retries, u64::from(again), "{n}: {ran:?}");
        assert_eq!(ran.result == RunResult::Complete, again, "{n}: {ran:?}");
    }
}

/// A filter that the API does not know is skipped, said, and not asked for again the same day; one
/// behind which something was seen is a gap.
#[test]
fn a_rejected_filter_is_skipped_and_said_once_a_day() {
    let full = |from: i64| {
        Value::from_iter(
            (from..from + 10).map(|n| process(&format!("p{n}"), "Tokyo", "running", n)),
        )
    };
    let answer = move |from: i64, unknown: &'static str| {
        move |path: &str| match path {
            path if path.contains(&format!("region={unknown}")) => error(422),
            path if path.contains("/count") => error(404),
            path if path.contains("status=running") => ok(&full(from)),
            path if path.contains("status=") => ok(&json!([])),
            path if path.ends_with("/latest") || path.ends_with("region=Tokyo") => ok(&full(from)),
            path if path.contains("/list/") => ok(&json!([])),
            path => {
                let id = path.rsplit('/').next().unwrap();
                ok(&process(id, "Tokyo", "running", id[1..].parse().unwrap()))
            }
        }
    };
    let script = Script::new(answer(0, "Dubai"));
    let mut recorder = Recorder::new();
    let said = |ran: &Ran| -> Vec<(String, bool)> {
        let rejected = ran.apps[0].rejected.iter();
        rejected.map(|r| (r.filter.clone(), r.matters)).collect()
    };
    let ran = recorder.look(&script);
    assert_eq!(said(&ran), [("region=Dubai".to_owned(), false)]);
    assert_eq!(ran.result, RunResult::Complete);
    script.asked();
    script.becomes(answer(100, "Dubai"));
    let ran = recorder.look(&script);
    assert_eq!(said(&ran), []);
    assert!(!script.asked().iter().any(|path| path.contains("Dubai")));
    assert_eq!(ran.gaps().count(), 1, "{ran:?}"); // the page of those that run in Tokyo
    // A day later it is asked for again.
    recorder.minute += 24 * 60;
    script.becomes(answer(200, "Dubai"));
    assert_eq!(
        said(&recorder.look(&script)),
        [("region=Dubai".to_owned(), false)]
    );
    // Where processes were seen, it matters.
    script.becomes(answer(24 * 3600 + 300, "Tokyo"));
    let ran = recorder.look(&script);
    assert_eq!(said(&ran), [("region=Tokyo".to_owned(), true)]);
    assert_eq!(ran.result, RunResult::Partial);
    let gaps: Vec<_> = ran
        .gaps()
        .map(|g| (g.region.as_deref(), g.reason.as_str()))
        .collect();
    assert_eq!(gaps, [(Some("Tokyo"), "rejected")]);
}

/// The page of one region and status is full of strangers; whether they are all is told by a count,
/// if whatever was counted is seen to match before and after.
#[test]
fn a_count_proves_only_what_stands_still_around_it() {
    let new = || {
        Value::from_iter((0..10).map(|n| process(&format!("n{n}"), "Tokyo", "running", 1000 + n)))
    };
    // What `count` says, what became of the one known before when it is asked for once more.
    for (count, known_later, gaps) in [
        (Some(11), "running", 0),
        (Some(11), "stopping", 1),
        (Some(13), "running", 1),
        // Less than was shown is no count.
        (Some(0), "running", 1),
        (Some(u64::MAX), "running", 1),
        (None, "running", 1),
    ] {
        let known = |status: &str| process("known", "Tokyo", status, 10);
        let script = Script::new(move |path| {
            if path.contains("/list/") {
                ok(&json!([known("running")]))
            } else {
                error(404)
            }
        });
        let mut recorder = Recorder::new();
        recorder.look(&script);
        let mut infos = 0;
        script.becomes(move |path| match path {
            path if path.contains("/count") => match count {
                Some(count) => ok(&json!({"count": count})),
                None => error(404),
            },
            path if path.contains("/info/") => {
                infos += 1;
                ok(&known(if infos == 1 { "running" } else { known_later }))
            }
            path if path.contains("status=running") => ok(&new()),
            path if path.contains("status=") => ok(&json!([])),
            path if path.ends_with("/latest") || path.ends_with("region=Tokyo") => ok(&new()),
            _ => ok(&json!([])),
        });
        let ran = recorder.look(&script);
        assert_eq!(ran.gaps().count(), gaps, "{count:?} {known_later} {ran:?}");
        let hidden = ran.gaps().next().and_then(|gap| gap.hidden_at_least);
        assert_eq!(hidden, (count == Some(13)).then_some(2));
    }
}

/// One that the page hid has moved on before the count, to a status whose page had been shown by then:
/// so the count is right, and that page is looked at again.
#[test]
fn who_moves_on_before_the_count_is_looked_for_where_it_went() {
    for (others, on_record) in [(0, true), (10, false)] {
        let known = || process("known", "Tokyo", "running", 10);
        let script = Script::new(move |path| {
            if path.contains("/list/") {
                ok(&json!([known()]))
            } else {
                error(404)
            }
        });
        let mut recorder = Recorder::new();
        recorder.look(&script);
        let new = |status: &'static str| {
            move |n: i64| process(&format!("{status}{n}"), "Tokyo", status, 1000 + n)
        };
        let page = move || Value::from_iter((0..10).map(new("running")));
        let mut counted = false;
        script.becomes(move |path| match path {
            path if path.contains("/count") => {
                counted = true;
                ok(&json!({"count": 11}))
            }
            path if path.contains("/info/") => ok(&known()),
            path if path.contains("status=running") => ok(&page()),
            path if path.contains("status=stopped") && counted => {
                let hidden = process("hidden", "Tokyo", "stopped", 990);
                let before = (0..others).map(new("stopped"));
                ok(&Value::from_iter(before.chain([hidden]).take(10)))
            }
            path if path.contains("status=") => ok(&json!([])),
            path if path.ends_with("/latest") || path.ends_with("region=Tokyo") => ok(&page()),
            _ => ok(&json!([])),
        });
        let ran = recorder.look(&script);
        assert_eq!(ran.gaps().count(), usize::from(!on_record), "{ran:?}");
        let hidden =
            recorder.dump("SELECT count(*) AS n FROM processes WHERE process_id = 'hidden'");
        assert_eq!(hidden, format!("n={} \n", i32::from(on_record)));
    }
}

/// Asked elsewhere by a redirect, the client stays where it is, and the token with it.
#[test]
fn the_token_is_not_carried_to_another_host() {
    let elsewhere = Script::new(well);
    let to = format!(
        "location: {}/processes/v2/a/list/latest",
        elsewhere.base_url
    );
    let script = Script::new(move |_| Reply::With(307, vec![to.clone()], String::new()));
    let ran = Recorder::new().look(&script);
    let error = ran.apps[0].error.as_ref().unwrap();
    assert!(
        matches!(error, NotSeen::Failed(ApiError::Status { code: 307, .. })),
        "{error:?}"
    );
    assert_eq!(elsewhere.asked(), [] as [String; 0]);
}

/// One that the API did not know is lost; when a list shows it again it is not.
#[test]
fn a_lost_process_that_is_seen_again_is_back() {
    let script = Script::new(well);
    let mut recorder = Recorder::new();
    recorder.look(&script);
    script.becomes(|path| {
        if path.contains("/list/") {
            ok(&json!([]))
        } else {
            error(404)
        }
    });
    let ran = recorder.look(&script);
    assert_eq!(ran.recorded().processes_lost, 1);
    assert_eq!(
        recorder.dump("SELECT outcome FROM processes"),
        "outcome=lost \n"
    );
    // The API forgot one that the look before had shown, so it may have forgotten others.
    assert_eq!(
        recorder.dump("SELECT reason FROM gaps"),
        "reason=forgotten \n"
    );
    script.becomes(well);
    recorder.look(&script);
    assert_eq!(
        recorder.dump("SELECT outcome FROM processes"),
        "outcome=open \n"
    );
}

/// An app that never answers is looked at first, since it waits longest, and leaves time to the others.
#[test]
fn an_app_that_hangs_keeps_no_other_from_being_seen() {
    let script = Script::new(|path| {
        if path.contains("/v2/a/") {
            Reply::Hang
        } else {
            let mut running = process("p", "Tokyo", "running", 10);
            running["appId"] = "b".into();
            ok(&json!([running]))
        }
    });
    let mut recorder = Recorder::new();
    recorder.apps = ["a", "b"].map(str::to_owned).to_vec();
    recorder.limits.deadline = Duration::from_secs(2);
    for _ in 0..2 {
        let ran = recorder.look(&script);
        let results: Vec<_> = ran.apps.iter().map(|app| app.result()).collect();
        assert_eq!(results, [RunResult::Failed, RunResult::Complete], "{ran:?}");
    }
}

/// Where the requests of a run do not do for all of its apps, each has its turn.
#[test]
fn no_app_waits_forever_for_its_turn() {
    let script = Script::new(|path| {
        let app = path.split('/').nth(3).unwrap().to_owned();
        let mut running = process(&format!("p-{app}"), "Tokyo", "running", 10);
        running["appId"] = app.into();
        ok(&json!([running]))
    });
    let mut recorder = Recorder::new();
    recorder.apps = ["a", "b", "c"].map(str::to_owned).to_vec();
    recorder.limits.max_requests = 2;
    let mut looked_at = Vec::new();
    for _ in 0..3 {
        let ran = recorder.look(&script);
        let apps: Vec<&str> = ran.apps.iter().map(|app| app.app_id.as_str()).collect();
        assert_eq!(apps, ["a", "b", "c"]);
        looked_at.push(
            script
                .asked()
                .iter()
                .map(|path| path[14..15].to_owned())
                .collect::<String>(),
        );
    }
    assert_eq!(looked_at, ["ab", "ca", "ba"]);
}

/// One that was left out of several looks and is then unknown: the API forgets sooner than it is trusted
/// to, so others may have come and gone between the looks.
#[test]
fn forgetting_what_was_seen_within_the_hour_is_a_gap() {
    for (later, is_gap) in [(2, true), (120, false)] {
        let script = Script::new(|path| {
            if path.contains("/list/") {
                let shown = (0..2).map(|n| process(&format!("p{n}"), "Tokyo", "running", n));
                ok(&Value::from_iter(shown))
            } else {
                error(404)
            }
        });
        let mut recorder = Recorder::new();
        recorder.look(&script);
        script.becomes(|path| {
            if path.contains("/list/") {
                ok(&json!([process("p0", "Tokyo", "running", 0)]))
            } else {
                error(404)
            }
        });
        recorder.limits.max_requests = 1;
        for _ in 1..later {
            assert_eq!(recorder.look(&script).gaps().count(), 0);
        }
        recorder.limits.max_requests = 2;
        let ran = recorder.look(&script);
        assert_eq!(ran.recorded().processes_lost, 1);
        assert_eq!(ran.gaps().count(), usize::from(is_gap), "{ran:?}");
    }
}

/// A server that knows nobody for a moment: who lives on is back with the next look, though no list
/// shows it; who does not is not asked for for ever.
#[test]
fn what_was_just_lost_is_asked_for_once_more() {
    let script = Script::new(well);
    let mut recorder = Recorder::new();
    recorder.look(&script);
    let outcome = "SELECT outcome FROM processes";
    let nobody = |path: &str| {
        if path.contains("/list/") {
            ok(&json!([]))
        } else {
            error(404)
        }
    };
    script.becomes(nobody);
    recorder.look(&script);
    assert_eq!(recorder.dump(outcome), "outcome=lost \n");
    script.becomes(|path| {
        if path.contains("/list/") {
            ok(&json!([]))
        } else {
            well(path)
        }
    });
    recorder.look(&script);
    assert_eq!(recorder.dump(outcome), "outcome=open \n");
    script.becomes(nobody);
    script.asked();
    let gaps: Vec<usize> = (0..4)
        .map(|_| recorder.look(&script).gaps().count())
        .collect();
    // Only the first time did it tell that others may have been forgotten.
    assert_eq!(gaps, [1, 0, 0, 0]);
    assert_eq!(recorder.dump(outcome), "outcome=lost \n");
    let infos = script
        .asked()
        .into_iter()
        .filter(|path| path.contains("/info/"));
    assert_eq!(infos.count(), 2);
}

/// Several apps in one run: one that the API does not know costs the others nothing.
#[test]
fn several_apps_share_a_run_and_not_their_troubles() {
    let script = Script::new(|path| {
        let app = path.split('/').nth(3).unwrap().to_owned();
        let mut running = process(&format!("p-{app}"), "Tokyo", "running", 10);
        running["appId"] = app.clone().into();
        if app == "b" {
            error(404)
        } else {
            ok(&json!([running]))
        }
    });
    let mut recorder = Recorder::new();
    recorder.apps = ["a", "b", "c"].map(str::to_owned).to_vec();
    let ran = recorder.look(&script);
    assert_eq!(ran.result, RunResult::Partial);
    let results: Vec<_> = ran.apps.iter().map(|app| app.result()).collect();
    assert_eq!(
        results,
        [RunResult::Complete, RunResult::Failed, RunResult::Complete]
    );
    assert_eq!(
        recorder.dump("SELECT source, snapshots, processes_new, result FROM sync_runs"),
        "source=scripted a b c snapshots=2 processes_new=2 result=partial \n"
    );
    assert_eq!(
        recorder.dump("SELECT source FROM stream ORDER BY source"),
        "source=scripted a \nsource=scripted c \n"
    );
}
