//! What is looked up costs the same however much is on record: the steps that SQLite takes are counted, in
//! a record and in one of many times its size. So no statement of the library's own reads a table that
//! grows, whatever its plan says, and none of them can be forgotten here that such an answer makes use of.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{History, Question, Window};
use crate::model::{Deployment, ExposedPort, Extent, Extra, Process, Snapshot, UtcMillis};
use crate::{Ending, RunKind, RunResult, Store};

const MINUTE_MS: i64 = 60_000;

fn at(minute: i64) -> UtcMillis {
    UtcMillis::from_millis(1_700_000_000_000 + minute * MINUTE_MS).expect("a time")
}

/// A look a minute, each with a process that was there for half of it, and is shown as ended. Every other
/// run is about another app; one in a hundred fails, and some see a process open that is never seen again.
fn record(path: &Path, minutes: i64) {
    let mut store = Store::open(path).expect("a store");
    store.force_commits(false).expect("a setting");
    for n in 0..minutes {
        let app = ["one", "two"][(n % 2) as usize];
        let run = store.begin(RunKind::Sync, app, at(n)).expect("a run");
        let mut run = run.about_app(app);
        let ended = n % 50 != 7;
        let process = Process {
            process_id: format!("p{n}"),
            app_id: app.to_owned(),
            deployment_id: Deployment::Number(1 + n % 3),
            region: "Tokyo".to_owned(),
            status: if ended { "stopped" } else { "running" }.to_owned(),
            rooms_allocated: 0,
            rooms_per_process: 1,
            created_at: at(n).plus_millis(-40_000),
            started_at: Some(at(n).plus_millis(-30_000)),
            stopping_at: None,
            terminated_at: ended.then(|| at(n).plus_millis(-1_000)),
            exposed_port: Some(ExposedPort {
                host: format!("h{}", n / 10),
                port: 80,
                name: "default".to_owned(),
                transport_type: "udp".to_owned(),
                extra: Extra::default(),
            }),
            additional_exposed_ports: Vec::new(),
            extra: Extra::default(),
        };
        run.record(&Snapshot {
            observed_at: at(n),
            processes: vec![process],
            unknown: Vec::new(),
            extent: Extent::CompleteFor(vec![app.to_owned()]),
        })
        .expect("a snapshot");
        let result = match n % 100 {
            42 => RunResult::Failed,
            _ => RunResult::Complete,
        };
        run.finish(&Ending::new(at(n), result)).expect("an end");
    }
}

type Ask = fn(&History, i64);

/// What is looked up, of a record of so many minutes.
const ASKED: [(&str, Ask); 12] = [
    ("a state", |history, minutes| {
        let process = history
            .process(&format!("p{}", minutes / 2))
            .expect("an answer");
        assert!(process.is_some());
    }),
    ("versions", |history, minutes| {
        let versions = history.versions(&format!("p{}", minutes / 2));
        assert_eq!(versions.expect("an answer").len(), 1);
    }),
    ("everything of a process", |history, minutes| {
        let all = history.process_history(&format!("p{}", minutes / 2));
        assert_eq!(
            all.expect("an answer").answer.coverage.runs as i64,
            minutes / 2
        );
    }),
    ("a holder", |history, minutes| {
        let then = at(minutes / 2).plus_millis(-20_000);
        let host = format!("h{}", minutes / 20);
        let held = history.holders(&host, 80, Some(then), &Question::default());
        assert_eq!(held.expect("an answer").rows.len(), 1);
    }),
    ("coverage of all", |history, minutes| {
        let answer =
            history.read(|r| r.answer::<()>("", &Question::default(), Default::default(), vec![]));
        assert_eq!(answer.expect("an answer").coverage.runs as i64, minutes);
    }),
    ("coverage of a window", |history, minutes| {
        let window =
            Window::new(Some(at(minutes / 5)), Some(at(minutes * 4 / 5))).expect("a window");
        let about = Question::default().window(window).app("two");
        let answer = history.read(|r| r.answer::<()>("", &about, Default::default(), vec![]));
        assert!(answer.expect("an answer").coverage.runs > 0);
    }),
    ("coverage as it was", |history, minutes| {
        let about = Question::default().window(Window::moment(at(minutes / 2)));
        let then = at(minutes / 2);
        let answer =
            history.read(|r| r.answer_by::<()>(then, "", &about, Default::default(), vec![]));
        assert_eq!(answer.expect("an answer").coverage.to, Some(then));
    }),
    ("names that are on record", |history, _| {
        let about = Question::default()
            .app("nobody")
            .region("nowhere")
            .deployment(77);
        let answer = history.read(|r| r.answer::<()>("", &about, Default::default(), vec![]));
        assert_eq!(answer.expect("an answer").never_recorded.len(), 3);
    }),
    ("when apps were watched", |history, _| {
        let watches = history.read(|r| r.watches(&Question::default()));
        assert_eq!(watches.expect("an answer").len(), 2);
    }),
    ("deployments", |history, _| {
        let all = history.deployments(&Question::default());
        assert_eq!(all.expect("an answer").len(), 6);
    }),
    ("status", |history, minutes| {
        let status = history.status().expect("an answer");
        assert_eq!(status.rows[0].processes as i64, minutes);
        assert_eq!(status.rows[0].snapshots as i64, minutes);
        assert!(status.rows[0].health.longest_safe_interval_ms.is_some());
    }),
    ("the report of coverage", |history, minutes| {
        let report = history.coverage(&Question::default()).expect("an answer");
        let runs = report.run_results;
        assert_eq!((runs.complete + runs.failed) as i64, minutes);
    }),
];

#[test]
fn look_ups_take_as_many_steps_in_a_record_of_any_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let steps = [200, 2_400].map(|minutes| {
        let path = folder.path().join(format!("{minutes}.db"));
        record(&path, minutes);
        let history = History::open(&path).expect("a history");
        ASKED.map(|(_, ask)| {
            // Once before it counts, so that what is prepared is prepared.
            ask(&history, minutes);
            let steps = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&steps);
            let count = move || {
                counted.fetch_add(1, Ordering::Relaxed);
                false
            };
            let mut connection = history.idle.take(&path).expect("a connection");
            connection
                .progress_handler(1, Some(count))
                .expect("a handler");
            history.idle.put_back(connection);
            ask(&history, minutes);
            steps.load(Ordering::Relaxed)
        })
    });
    for ((name, _), (small, large)) in ASKED.iter().zip(steps[0].iter().zip(steps[1])) {
        // What is counted by stretches of time has a few more of them.
        assert!(
            large < small * 3 / 2 + 400,
            "{name}: {small} and {large} steps"
        );
    }
}
