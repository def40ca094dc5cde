//! The rules of recording, one case each, worked out by hand.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use common::{at, dump, one, open, port, process};
use prochist::model::{Extent, Gap, GapReason, Process, SetAside, Snapshot};
use prochist::{Ending, History, RunKind, RunResult, Store};
use tempfile::TempDir;

struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("history.db")
    }

    /// Records snapshots in one run.
    fn run(&self, kind: RunKind, source: &str, snapshots: &[Snapshot]) {
        let mut store = Store::open(&self.path()).unwrap();
        let mut run = store.begin(kind, source, at(0)).unwrap();
        for snapshot in snapshots {
            run.record(snapshot).unwrap();
        }
        run.finish(&Ending::new(at(0), RunResult::Complete))
            .unwrap();
    }

    fn import(&self, snapshots: &[Snapshot]) {
        self.run(RunKind::Import, "archive", snapshots);
    }

    fn history(&self) -> History {
        History::open(&self.path()).unwrap()
    }

    /// First seen, last seen and rooms of each version.
    fn versions(&self, id: &str) -> Vec<(i64, i64, i64)> {
        self.history()
            .versions(id)
            .unwrap()
            .iter()
            .map(|v| {
                (
                    v.first_seen_at.millis(),
                    v.last_seen_at.millis(),
                    v.state.rooms_allocated,
                )
            })
            .collect()
    }

    fn outcome(&self, id: &str) -> String {
        dump(
            &open(&self.path()),
            &format!("SELECT outcome, lost_at_ms FROM processes WHERE process_id = '{id}'"),
        )
        .trim()
        .to_owned()
    }

    fn holds(&self) -> String {
        dump(
            &open(&self.path()),
            "SELECT process_id, host, port, transport, held_from_ms, held_until_ms, gap_ms
             FROM port_holds ORDER BY host, port, transport, held_from_ms, process_id",
        )
    }
}

fn rooms(id: &str, rooms: i64) -> Process {
    Process {
        rooms_allocated: rooms,
        ..process(id, 1)
    }
}

fn seen(time: i64, processes: &[Process]) -> Snapshot {
    Snapshot::new(at(time), processes.to_vec())
}

const EXAMPLE: &str = include_str!("fixtures/processv2-example.json");

#[test]
fn the_documented_example_comes_back_as_it_went_in() {
    let fixture = Fixture::new();
    let example = prochist::source::wire::parse_process(EXAMPLE).unwrap();
    fixture.import(&[seen(5, std::slice::from_ref(&example))]);
    let back = fixture
        .history()
        .process(&example.process_id)
        .unwrap()
        .unwrap();
    assert_eq!(back, example);
    assert_eq!(back.exposed_port.unwrap().port, 72941);
    // Its times are out of order, so it has no lengths, and says why.
    let history = fixture
        .history()
        .process_history(&example.process_id)
        .unwrap();
    assert_eq!(history.phases.lifetime_ms, None);
    assert_eq!(
        history.answer.excluded.get("lifetime.times_out_of_order"),
        Some(&1)
    );
}

#[test]
fn unknown_fields_statuses_regions_and_ports_come_back() {
    let fixture = Fixture::new();
    let json = r#"{"processId":"p","appId":"a","deploymentId":"dep-1","region":"Moon",
        "status":"dreaming","roomsAllocated":0,"roomsPerProcess":1,
        "createdAt":"2024-05-01T00:00:00Z","startedAt":null,"stoppingAt":null,"terminatedAt":null,
        "exposedPort":{"host":"h","port":100000,"name":"n","transportType":"quic","zone":null},
        "additionalExposedPorts":[{"host":"h","port":1,"name":"b","transportType":"udp"},
                                  {"host":"h","port":1,"name":"a","transportType":"udp"}],
        "hosting":{"big":123456789012345678901234567890,"n":null},"bootedAt":"2024-05-01T00:00:01Z"}"#;
    let process = prochist::source::wire::parse_process(json).unwrap();
    fixture.import(&[seen(5, std::slice::from_ref(&process))]);
    let back = fixture.history().process("p").unwrap().unwrap();
    assert_eq!(back, process);
    assert_eq!(
        back.extra.get("hosting"),
        Some(r#"{"big":123456789012345678901234567890,"n":null}"#)
    );
    // The view shows the port with the field that SQLite's JSON functions would drop.
    assert_eq!(
        one::<String>(&open(&fixture.path()), "SELECT exposed_port FROM processes"),
        r#"{"host":"h","port":100000,"name":"n","transportType":"quic","zone":null}"#
    );
}

#[test]
fn null_is_a_change_and_a_change_back_is_a_version() {
    let fixture = Fixture::new();
    let with_port = Process {
        exposed_port: Some(port("h", 80, "tcp")),
        ..process("p", 1)
    };
    fixture.import(&[
        seen(10, std::slice::from_ref(&with_port)),
        seen(20, &[process("p", 1)]),
        seen(30, &[with_port]),
    ]);
    let changed: Vec<_> = fixture
        .history()
        .versions("p")
        .unwrap()
        .iter()
        .map(|v| (v.changed.join(","), v.state.exposed_port.is_some()))
        .collect();
    assert_eq!(
        changed,
        [
            (String::new(), true),
            ("exposed_port".to_owned(), false),
            ("exposed_port".to_owned(), true)
        ]
    );
}

#[test]
fn an_unchanged_observation_writes_no_row_but_its_snapshot() {
    let fixture = Fixture::new();
    fixture.run(RunKind::Sync, "s", &[seen(10, &[rooms("p", 1)])]);
    let counts = || {
        dump(
            &open(&fixture.path()),
            "SELECT (SELECT count(*) FROM version), (SELECT count(*) FROM sighting),
                    (SELECT count(*) FROM hold), (SELECT count(*) FROM snapshot)",
        )
    };
    assert!(counts().contains("(SELECT count(*) FROM snapshot)=1"));
    let before = counts();
    // A later run of the same source goes on where the one before it ended.
    fixture.run(RunKind::Sync, "s", &[seen(20, &[rooms("p", 1)])]);
    fixture.run(RunKind::Sync, "s", &[seen(30, &[rooms("p", 1)])]);
    assert_eq!(counts(), before.replace("snapshot)=1", "snapshot)=3"));
    assert_eq!(fixture.versions("p"), [(10, 30, 1)]);
}

#[test]
fn a_late_observation_splits_a_version_at_what_was_seen_around_it() {
    let fixture = Fixture::new();
    fixture.import(&[10, 20, 30, 40].map(|t| seen(t, &[rooms("p", 1)])));
    fixture.import(&[seen(25, &[rooms("p", 2)])]);
    assert_eq!(
        fixture.versions("p"),
        [(10, 20, 1), (25, 25, 2), (30, 40, 1)]
    );
    // One that says the same in between changes nothing.
    fixture.import(&[seen(35, &[rooms("p", 1)])]);
    assert_eq!(
        fixture.versions("p"),
        [(10, 20, 1), (25, 25, 2), (30, 40, 1)]
    );
    // But it is known: a later split there finds it.
    fixture.import(&[seen(37, &[rooms("p", 3)])]);
    assert_eq!(
        fixture.versions("p"),
        [
            (10, 20, 1),
            (25, 25, 2),
            (30, 35, 1),
            (37, 37, 3),
            (40, 40, 1)
        ]
    );
}

/// A known observation at 700 once stretched the sighting that was open over the snapshot at 500,
/// which had not shown the process, so that 500 counted as a moment at which it was seen.
#[test]
fn a_known_observation_does_not_stretch_a_sighting_over_a_snapshot_without_it() {
    let fixture = Fixture::new();
    fixture.import(&[
        seen(400, &[rooms("p", 1)]),
        seen(700, &[rooms("p", 1)]),
        seen(0, &[rooms("p", 0)]),
        seen(700, &[rooms("p", 1)]),
        seen(500, &[]),
        seen(400, &[rooms("p", 2)]),
    ]);
    assert_eq!(
        fixture.versions("p"),
        [(0, 0, 0), (400, 400, 1), (400, 400, 2), (700, 700, 1)]
    );
}

/// The second look at 10 says nothing new, so no stream came of it, and the third was taken for a
/// part of it: it did not end at 20, which had not shown the process.
#[test]
fn a_moment_told_three_times_does_not_stretch_a_sighting() {
    let fixture = Fixture::new();
    fixture.import(&[
        seen(10, &[rooms("p", 0)]),
        seen(10, &[rooms("p", 0)]),
        seen(10, &[rooms("p", 1)]),
        seen(20, &[]),
    ]);
    assert_eq!(fixture.versions("p"), [(10, 10, 0), (10, 10, 1)]);
}

/// An import that is over has seen the process later than the stream that goes on with it.
#[test]
fn a_stream_that_goes_on_knows_what_an_import_has_seen_meanwhile() {
    let fixture = Fixture::new();
    let library = |snapshot| fixture.run(RunKind::Library, "api", &[snapshot]);
    library(seen(10, &[rooms("p", 0)]));
    fixture.import(&[seen(20, &[rooms("p", 5)])]);
    library(seen(30, &[rooms("p", 0)]));
    assert_eq!(
        fixture.versions("p"),
        [(10, 10, 0), (20, 20, 5), (30, 30, 0)]
    );
    // A clock that is set, or another's: the next look is older than what is on record.
    fixture.import(&[seen(50, &[rooms("p", 6)])]);
    library(seen(40, &[rooms("p", 1)]));
    assert_eq!(
        fixture.versions("p")[2..],
        [(30, 30, 0), (40, 40, 1), (50, 50, 6)]
    );
}

/// A look at another app is none of those that came before under the same name.
#[test]
fn a_source_has_a_stream_for_each_app() {
    let fixture = Fixture::new();
    let mut store = Store::open(&fixture.path()).unwrap();
    for (app, time) in [("app-1", 10), ("app-2", 20), ("app-1", 30)] {
        let run = store.begin(RunKind::Library, "api", at(0)).unwrap();
        let mut run = run.about_app(app);
        run.record(&seen(time, &[])).unwrap();
        run.finish(&Ending::new(at(0), RunResult::Complete))
            .unwrap();
    }
    assert_eq!(
        dump(
            &open(&fixture.path()),
            "SELECT text, stream.last_ms FROM stream JOIN word ON word_id = app ORDER BY text"
        ),
        "text=app-1 last_ms=30 \ntext=app-2 last_ms=20 \n"
    );
}

/// Nothing goes on with the stream of an import, so none of its sightings stays open.
#[test]
fn an_import_leaves_no_sighting_open_whatever_streams_it_had() {
    let fixture = Fixture::new();
    let mut store = Store::open(&fixture.path()).unwrap();
    let mut run = store.begin(RunKind::Import, "one", at(0)).unwrap();
    run.record(&seen(10, &[rooms("p", 1)])).unwrap();
    run.stream_of("other", "app-1").unwrap();
    run.record(&seen(20, &[rooms("q", 1)])).unwrap();
    run.finish(&Ending::new(at(0), RunResult::Complete))
        .unwrap();
    let still_open = "SELECT count(*) FROM sighting WHERE last_ms IS NULL";
    assert_eq!(one::<i64>(&open(&fixture.path()), still_open), 0);
}

#[test]
fn absence_from_a_partial_snapshot_is_no_ending() {
    let fixture = Fixture::new();
    fixture.import(&[
        seen(10, &[rooms("p", 1)]),
        seen(20, &[]),
        seen(30, &[rooms("q", 1)]),
    ]);
    assert_eq!(fixture.outcome("p"), "outcome=open");
    assert_eq!(fixture.versions("p"), [(10, 10, 1)]);
}

#[test]
fn a_404_loses_an_open_process_and_a_sighting_brings_it_back() {
    let fixture = Fixture::new();
    let unknown = |time| Snapshot {
        unknown: vec!["p".into(), "never-seen".into()],
        ..seen(time, &[])
    };
    fixture.import(&[seen(10, &[rooms("p", 1)]), unknown(20), unknown(30)]);
    assert_eq!(fixture.outcome("p"), "outcome=lost lost_at_ms=20");
    fixture.import(&[seen(25, &[rooms("p", 1)])]);
    assert_eq!(fixture.outcome("p"), "outcome=lost lost_at_ms=30");
    fixture.import(&[seen(40, &[rooms("p", 1)])]);
    assert_eq!(fixture.outcome("p"), "outcome=open");
    assert_eq!(fixture.versions("p"), [(10, 40, 1)]);
}

#[test]
fn a_404_says_nothing_of_a_process_that_had_ended() {
    let fixture = Fixture::new();
    let ended = Process {
        status: "stopped".into(),
        terminated_at: Some(at(9)),
        ..process("p", 1)
    };
    fixture.import(&[
        seen(10, &[ended]),
        Snapshot {
            unknown: vec!["p".into()],
            ..seen(20, &[])
        },
    ]);
    assert_eq!(fixture.outcome("p"), "outcome=stopped");
}

#[test]
fn a_complete_snapshot_loses_only_its_own_apps() {
    let fixture = Fixture::new();
    let other = Process {
        app_id: "app-2".into(),
        ..rooms("other", 1)
    };
    fixture.run(RunKind::Sync, "live", &[seen(10, &[rooms("p", 1), other])]);
    let empty = |time, extent| Snapshot {
        extent,
        ..seen(time, &[])
    };
    // No complete archive has named an app yet, so an empty one is about nobody.
    fixture.import(&[empty(20, Extent::Complete)]);
    assert_eq!(fixture.outcome("p"), "outcome=open");
    fixture.import(&[Snapshot {
        extent: Extent::Complete,
        ..seen(5, &[rooms("q", 1)])
    }]);
    assert_eq!(fixture.outcome("p"), "outcome=lost lost_at_ms=20");
    assert_eq!(fixture.outcome("q"), "outcome=lost lost_at_ms=20");
    assert_eq!(fixture.outcome("other"), "outcome=open");
    fixture.import(&[empty(15, Extent::CompleteFor(vec!["app-2".into()]))]);
    assert_eq!(fixture.outcome("other"), "outcome=lost lost_at_ms=15");
}

#[test]
fn a_hold_lasts_from_start_to_end_whatever_the_record_shows_of_the_port() {
    let fixture = Fixture::new();
    let mut running = Process {
        status: "running".into(),
        started_at: Some(at(100)),
        exposed_port: Some(port("h", 80, "tls")),
        additional_exposed_ports: vec![port("h", 81, "udp")],
        ..process("a", 50)
    };
    let mut stopped = running.clone();
    stopped.status = "stopped".into();
    stopped.stopping_at = Some(at(190));
    stopped.exposed_port = None;
    let mut terminated = stopped.clone();
    terminated.terminated_at = Some(at(200));
    let snapshots = [
        seen(110, &[running.clone()]),
        seen(195, &[stopped]),
        seen(210, &[terminated]),
    ];
    fixture.import(&snapshots[..1]);
    assert_eq!(
        fixture.holds(),
        "process_id=a host=h port=80 transport=tcp held_from_ms=100 \n\
         process_id=a host=h port=81 transport=udp held_from_ms=100 \n"
    );
    fixture.import(&snapshots[1..2]);
    assert!(
        fixture
            .holds()
            .contains("port=80 transport=tcp held_from_ms=100 held_until_ms=190")
    );
    fixture.import(&snapshots[2..]);
    running.process_id = "b".into();
    running.started_at = Some(at(230));
    running.additional_exposed_ports = vec![port("h", 80, "tcp")];
    let mut overlapping = running.clone();
    overlapping.process_id = "c".into();
    overlapping.started_at = Some(at(195));
    overlapping.terminated_at = Some(at(196));
    overlapping.status = "failed".into();
    fixture.import(&[seen(240, &[running, overlapping])]);
    assert_eq!(
        fixture.holds(),
        "process_id=a host=h port=80 transport=tcp held_from_ms=100 held_until_ms=200 \n\
         process_id=c host=h port=80 transport=tcp held_from_ms=195 held_until_ms=196 gap_ms=-5 \n\
         process_id=b host=h port=80 transport=tcp held_from_ms=230 gap_ms=34 \n\
         process_id=a host=h port=81 transport=udp held_from_ms=100 held_until_ms=200 \n"
    );
}

#[test]
fn a_hold_without_a_start_begins_when_the_port_was_first_seen() {
    let fixture = Fixture::new();
    let mut listed = process("p", 50);
    listed.additional_exposed_ports = vec![port("h", 81, "udp")];
    fixture.import(&[seen(100, &[listed.clone()])]);
    assert!(
        fixture.holds().contains("held_from_ms=100"),
        "{}",
        fixture.holds()
    );
    // An earlier sighting that comes late moves it, a start that becomes known settles it.
    fixture.import(&[seen(90, &[listed.clone()])]);
    assert!(
        fixture.holds().contains("held_from_ms=90"),
        "{}",
        fixture.holds()
    );
    listed.started_at = Some(at(70));
    fixture.import(&[seen(110, &[listed])]);
    assert_eq!(
        fixture.holds(),
        "process_id=p host=h port=81 transport=udp held_from_ms=70 \n"
    );
}

#[test]
fn when_it_ended_is_terminated_else_stopping_else_first_seen_ended() {
    let fixture = Fixture::new();
    let ended = |status: &str, stopping, terminated| Process {
        status: status.into(),
        stopping_at: Option::map(stopping, at),
        terminated_at: Option::map(terminated, at),
        ..process("p", 1)
    };
    let ended_at = || one::<i64>(&open(&fixture.path()), "SELECT ended_at_ms FROM processes");
    fixture.import(&[
        seen(10, &[process("p", 1)]),
        seen(20, &[ended("failed", None, None)]),
        seen(
            30,
            &[Process {
                rooms_allocated: 1,
                ..ended("stopped", None, None)
            }],
        ),
    ]);
    assert_eq!(ended_at(), 20);
    fixture.import(&[seen(40, &[ended("stopped", Some(15), None)])]);
    assert_eq!(ended_at(), 15);
    fixture.import(&[seen(50, &[ended("whatever", Some(15), Some(17))])]);
    assert_eq!(ended_at(), 17);
    assert_eq!(fixture.outcome("p"), "outcome=stopped");
    fixture.import(&[seen(60, &[process("p", 1)])]);
    assert_eq!(fixture.outcome("p"), "outcome=open");
}

#[test]
fn what_cannot_be_understood_and_what_may_be_missing_is_in_the_ledger() {
    let fixture = Fixture::new();
    let mut store = Store::open(&fixture.path()).unwrap();
    let mut run = store.begin(RunKind::Import, "archive", at(0)).unwrap();
    let aside = SetAside {
        source: "a.ndjson".into(),
        line: Some(7),
        reason: "cut off".into(),
        raw: b"{\"processId\":\xff".to_vec(),
    };
    run.set_aside(&aside).unwrap();
    let mut snapshot = run.snapshot(at(100)).unwrap();
    snapshot.set_aside(&aside).unwrap();
    snapshot
        .gap(&Gap {
            app_id: "app-1".into(),
            region: Some("Tokyo".into()),
            status: None,
            since: at(50),
            until: at(90),
            reason: GapReason::Page,
            hidden_at_least: Some(3),
        })
        .unwrap();
    snapshot.commit(&Extent::Partial).unwrap();
    // Dropped without an end, as a killed run is.
    drop(run);
    let db = open(&fixture.path());
    assert_eq!(
        dump(
            &db,
            "SELECT result, set_aside, gaps, snapshots FROM sync_runs"
        ),
        "result=unfinished set_aside=2 gaps=1 snapshots=1 \n"
    );
    assert_eq!(
        dump(&db, "SELECT source, line, reason FROM set_aside"),
        "source=a.ndjson line=7 reason=cut off \n".repeat(2)
    );
    assert_eq!(
        one::<Vec<u8>>(&db, "SELECT raw FROM aside"),
        b"{\"processId\":\xff"
    );
    let coverage = fixture
        .history()
        .coverage(&prochist::Question::default().region("Tokyo"))
        .unwrap();
    assert_eq!(coverage.answer.rows[0].filter, "app=app-1 region=Tokyo");
    assert_eq!(coverage.answer.rows[0].hidden_at_least, Some(3));
    assert_eq!(coverage.run_results.unfinished, 1);
    let elsewhere = prochist::Question::default().region("London");
    assert!(
        fixture
            .history()
            .coverage(&elsewhere)
            .unwrap()
            .answer
            .rows
            .is_empty()
    );
}

/// What counts is what had been seen by then: an absence that a later sighting made good was still
/// an absence, and one that came to light later was not yet one.
#[test]
fn as_known_at_answers_as_a_file_that_ends_there_would() {
    let unknown = |time| Snapshot {
        unknown: vec!["p".into()],
        ..seen(time, &[])
    };
    let complete = |time, processes: &[Process]| Snapshot {
        extent: Extent::Complete,
        ..seen(time, processes)
    };
    let p = |n| Process {
        started_at: Some(at(2)),
        ..rooms("p", n)
    };
    let q = |n| Process {
        terminated_at: (n == 9).then(|| at(65)),
        ..rooms("q", n)
    };
    let snapshots = [
        seen(10, &[p(1), q(1)]),
        // Nobody's yet: no complete snapshot has named their app by then.
        complete(20, &[]),
        unknown(30),
        seen(40, &[p(1)]),
        complete(50, &[q(2)]),
        seen(60, &[p(2)]),
        complete(70, &[p(2), q(9)]),
        complete(80, &[]),
        seen(90, &[p(3)]),
    ];
    let whole = Fixture::new();
    whole.import(&snapshots);
    for until in 0..=snapshots.len() {
        let early = Fixture::new();
        early.import(&snapshots[..until]);
        let then = at(10 * until as i64 + 5);
        for time in [0, 1, 2, 25, 35, 55, 64, 75, 95] {
            let ask = |fixture: &Fixture| {
                let history = fixture.history();
                let answer = history
                    .fleet_at(at(time), Some(then), &Default::default())
                    .unwrap();
                (answer.rows, answer.excluded)
            };
            assert_eq!(ask(&whole), ask(&early), "at {time} as known at {then}");
        }
        if until > 0 {
            let history = early.history();
            let question = prochist::Question::default();
            let known = history.fleet_at(at(95), Some(at(1000)), &question).unwrap();
            let now = history.fleet_at(at(95), None, &question).unwrap();
            assert_eq!((known.rows, known.excluded), (now.rows, now.excluded));
        }
    }
}

#[test]
fn coverage_is_that_of_the_apps_asked_about() {
    let fixture = Fixture::new();
    let mut store = Store::open(&fixture.path()).unwrap();
    for (app, times) in [("app-1", [10, 50]), ("app-2", [50, 60])] {
        for time in times {
            let mut run = store
                .begin(RunKind::Sync, app, at(time))
                .unwrap()
                .about_app(app);
            // Nothing is running: even so it was looked at, each app by itself.
            run.record(&seen(time, &[])).unwrap();
            run.finish(&Ending::new(at(time), RunResult::Complete))
                .unwrap();
        }
    }
    let covered = |question: prochist::Question| {
        let coverage = fixture.history().failures(&question).unwrap().coverage;
        let millis = |time: Option<prochist::model::UtcMillis>| time.unwrap().millis();
        (millis(coverage.from), millis(coverage.to), coverage.runs)
    };
    let all = prochist::Question::default;
    assert_eq!(covered(all()), (10, 60, 4));
    assert_eq!(covered(all().app("app-1")), (10, 50, 2));
    assert_eq!(covered(all().app("app-2")), (50, 60, 2));
}

/// Whoever else writes waits for what gathers, so that is committed before long, though nothing changes,
/// though all is looked through each time, though all of it comes late.
#[test]
fn what_gathers_is_committed_before_long() {
    for (extent, step) in [
        (Extent::Partial, 1),
        (Extent::Complete, 1),
        (Extent::Partial, -1),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("history.db");
        let mut store = Store::open(&path).unwrap();
        let run = store.begin(RunKind::Import, "test", at(0)).unwrap();
        let mut run = run.gather(50);
        let db = open(&path);
        let committed = || one::<i64>(&db, "SELECT count(*) FROM snapshots");
        let mut waiting = 0;
        for n in 1..=211 {
            let snapshot = Snapshot {
                extent: extent.clone(),
                ..Snapshot::new(at(1000 + n * step), vec![process("p", 0)])
            };
            run.record(&snapshot).unwrap();
            waiting = n - committed();
            assert!((0..50).contains(&waiting), "{extent:?}: {waiting}");
        }
        let before = committed();
        assert!(before > 0 && waiting > 0, "{before} and {waiting}");
        // A snapshot that fails takes back what has gathered, and no more.
        drop(run.snapshot(at(5000)).unwrap());
        assert_eq!(committed(), before);
        run.record(&Snapshot::new(at(6000), vec![process("p", 0)]))
            .unwrap();
        assert_eq!(committed(), before);
        run.commit().unwrap();
        assert_eq!(committed(), before + 1);
        // What was taken back is not counted.
        let recorded = run.finish(&Ending::new(at(1), RunResult::Complete));
        assert_eq!(recorded.unwrap().snapshots as i64, before + 1);
    }
}
