//! Two files are told the same: one makes segments of few keys, the other none. Whatever is asked, they
//! answer alike; and whatever the segments tell, the rows do.

use std::collections::BTreeMap;
use std::fmt::Debug;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::Sizes;
use crate::model::{Deployment, ExposedPort, Extent, Extra, Phase, Process, Snapshot, UtcMillis};
use crate::{Ending, Group, History, Question, RunKind, RunResult, Store, Window};

const NEVER: Sizes = Sizes {
    unit: 1 << 40,
    full: 1 << 40,
    enough: 1,
};

const TINY: Sizes = Sizes {
    unit: 2,
    full: 4,
    enough: 2,
};

struct Pair {
    _folder: TempDir,
    stores: [Store; 2],
    histories: [History; 2],
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = |name, sizes| {
            let mut store = Store::open(&folder.path().join(name)).unwrap();
            store.sizes = sizes;
            store.force_commits(false).unwrap();
            store
        };
        let stores = [open("segments.db", TINY), open("rows.db", NEVER)];
        let histories = [0, 1].map(|i| History::open(stores[i].path()).unwrap());
        Self {
            _folder: folder,
            stores,
            histories,
        }
    }

    /// Compares segments with rows, and all answers of the two files.
    #[track_caller]
    fn check(&self, questions: &[Question]) {
        assert_eq!(self.histories[0].compare_segments().unwrap(), None);
        assert_eq!(self.count("SELECT count(*) FROM segment", 1), 0);
        for question in questions {
            let [segments, rows] = [0, 1].map(|i| answers(&self.histories[i], question));
            for (ours, theirs) in segments.iter().zip(&rows) {
                assert_eq!(ours, theirs, "{question:?}");
            }
            for history in &self.histories {
                by_other_ways(history, question);
            }
        }
    }

    fn db(&self, which: usize) -> Connection {
        Connection::open(self.stores[which].path()).unwrap()
    }

    fn count(&self, sql: &str, which: usize) -> i64 {
        self.db(which).query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// Everything that goes by segments, and what it says where it does not go.
fn answers(history: &History, question: &Question) -> Vec<String> {
    fn text<T: Debug>(answer: Result<T, crate::Error>) -> String {
        format!("{answer:#?}")
    }
    vec![
        text(history.failures(question)),
        text(history.lifetimes(question)),
        text(history.concurrency(question)),
        text(history.ports(question, true)),
        text(history.ports(question, false)),
    ]
}

/// The lists of those that lasted long, and of holds that came soon, are read row by row, in SQL's order and
/// by its filter; all of them together are what the answers count.
#[track_caller]
fn by_other_ways(history: &History, question: &Question) {
    let question = Question {
        by: Vec::new(),
        ..question.clone()
    };
    let listed = history.longer_than(-1, &question).unwrap().rows;
    let lifetimes = history.lifetimes(&question).unwrap().rows;
    let whole = lifetimes.iter().find(|row| row.phase == Phase::Lifetime);
    let ended = listed
        .iter()
        .filter(|row| row.lifetime_ms.is_some())
        .count();
    let counted = whole.map_or((0, 0), |row| (row.n as usize, row.censored as usize));
    assert_eq!(counted, (ended, listed.len() - ended), "{question:?}");

    let mut gaps: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for row in history.too_soon(i64::MAX, &question).unwrap().rows {
        let place = (row.host, Some(row.port), Some(row.transport));
        gaps.entry(place).or_default().push(row.gap_ms);
    }
    for row in history.ports(&question, false).unwrap().rows {
        let gaps = gaps
            .remove(&(row.host, row.port, row.transport))
            .unwrap_or_default();
        let counted = (row.reuses as usize, row.min_gap_ms, row.max_gap_ms);
        let listed = (
            gaps.len(),
            gaps.iter().min().copied(),
            gaps.iter().max().copied(),
        );
        assert_eq!(counted, listed, "{question:?}");
    }
    assert!(gaps.is_empty(), "{gaps:?}");
}

fn at(millis: i64) -> UtcMillis {
    UtcMillis::from_millis(millis).unwrap()
}

/// Most within an hour or two, some on other days, some at the ends of time.
fn time() -> impl Strategy<Value = UtcMillis> {
    let minute = 60_000;
    prop_oneof![
        12 => (0..40_i64).prop_map(move |n| at(n * minute)),
        3 => (0..6_000_000_i64).prop_map(at),
        2 => (-3..3_i64).prop_map(move |n| at(n * 1440 * minute)),
        1 => Just(UtcMillis::MIN),
        1 => Just(UtcMillis::MAX),
    ]
}

fn port() -> impl Strategy<Value = ExposedPort> {
    (
        0..2,
        prop_oneof![Just(1), Just(2), Just(72_941)],
        any::<bool>(),
    )
        .prop_map(|(host, port, is_tls)| ExposedPort {
            host: format!("h{host}"),
            port,
            name: "game".to_owned(),
            transport_type: if is_tls { "tls" } else { "tcp" }.to_owned(),
            extra: Extra::default(),
        })
}

fn process() -> impl Strategy<Value = Process> {
    let place = (
        0..24,
        0..2,
        0..2,
        prop_oneof![
            (7..9_i64).prop_map(Deployment::Number),
            Just(Deployment::Name("7".to_owned()))
        ],
    );
    let status = prop_oneof![
        1 => Just("running"),
        2 => Just("stopped"),
        2 => Just("failed"),
        1 => Just("draining")
    ];
    let times = (
        time(),
        prop::option::weighted(0.8, time()),
        prop::option::weighted(0.6, time()),
        prop::option::weighted(0.5, time()),
    );
    let ports = (
        prop::option::weighted(0.8, port()),
        prop::collection::vec(port(), 0..3),
    );
    (place, status, times, ports).prop_map(|(place, status, times, ports)| Process {
        process_id: format!("p{}", place.0),
        app_id: format!("app{}", place.1),
        deployment_id: place.3,
        region: format!("r{}", place.2),
        status: status.to_owned(),
        rooms_allocated: 0,
        rooms_per_process: 1,
        created_at: times.0,
        started_at: times.1,
        stopping_at: times.2,
        terminated_at: times.3,
        exposed_port: ports.0,
        additional_exposed_ports: ports.1,
        extra: Extra::default(),
    })
}

#[derive(Clone, Debug)]
enum Step {
    Record(Snapshot),
    /// The run ends, and another begins, of that kind.
    Finish(usize),
    /// The run ends as a killed one does.
    Drop(usize),
    /// Half a snapshot, and no commit.
    RollBack(Snapshot),
    Rebuild,
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let extent = prop_oneof![
        4 => Just(Extent::Partial),
        1 => Just(Extent::Complete),
        1 => Just(Extent::CompleteFor(vec!["app0".to_owned()]))
    ];
    let processes = prop::collection::vec(process(), 0..8);
    let unknown = prop::collection::vec((0..24).prop_map(|n| format!("p{n}")), 0..2);
    (time(), processes, unknown, extent).prop_map(|(observed_at, processes, unknown, extent)| {
        Snapshot {
            observed_at,
            processes,
            unknown,
            extent,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => snapshot().prop_map(Step::Record),
        4 => (0..3_usize).prop_map(Step::Finish),
        1 => (0..3_usize).prop_map(Step::Drop),
        1 => snapshot().prop_map(Step::RollBack),
        1 => Just(Step::Rebuild),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    let all = [
        Group::App,
        Group::Region,
        Group::Deployment,
        Group::Day,
        Group::Hour,
    ];
    let by = prop::sample::subsequence(all.to_vec(), 0..4);
    let filter = (
        prop::option::weighted(0.3, Just("app0")),
        prop::option::weighted(0.3, Just("r1")),
        prop::option::weighted(0.3, prop_oneof![Just("7"), Just("8"), Just("9")]),
    );
    let window = (prop::option::of(time()), prop::option::of(time()));
    (by, filter, window).prop_map(|(by, (app, region, deployment), (since, until))| {
        let (since, until) = match (since, until) {
            (Some(a), Some(b)) if a > b => (until, since),
            other => other,
        };
        let window = Window::new(since, until).unwrap_or_default();
        let mut question = Question::default().by(by).window(window);
        question.apps.extend(app.map(str::to_owned));
        question.regions.extend(region.map(str::to_owned));
        question.deployments.extend(deployment.map(str::to_owned));
        question
    })
}

const KINDS: [RunKind; 3] = [RunKind::Sync, RunKind::Import, RunKind::Library];

/// Does the steps in both files, and calls `check` after each.
fn tell(pair: &mut Pair, steps: &[Step], mut check: impl FnMut(&Pair)) {
    let mut kind = 0;
    let mut pending: Vec<&Step> = Vec::new();
    let mut run_steps = |pair: &mut Pair, steps: &[&Step], kind: usize, end: bool| {
        for store in &mut pair.stores {
            let mut run = store
                .begin(KINDS[kind], &format!("source {kind}"), at(0))
                .unwrap();
            for step in steps {
                match step {
                    Step::Record(snapshot) => {
                        run.record(snapshot).unwrap();
                    }
                    Step::RollBack(snapshot) => {
                        let mut writer = run.snapshot(snapshot.observed_at).unwrap();
                        for process in &snapshot.processes {
                            writer.observe(process).unwrap();
                        }
                    }
                    Step::Finish(_) | Step::Drop(_) | Step::Rebuild => {}
                }
            }
            if end {
                run.finish(&Ending::new(at(1), RunResult::Complete))
                    .unwrap();
            }
        }
        check(pair);
    };
    for step in steps {
        match step {
            Step::Record(_) | Step::RollBack(_) => {
                pending.push(step);
                if pending.len() == 3 {
                    run_steps(pair, &std::mem::take(&mut pending), kind, false);
                }
            }
            Step::Finish(next) | Step::Drop(next) => {
                let end = matches!(step, Step::Finish(_));
                run_steps(pair, &std::mem::take(&mut pending), kind, end);
                kind = *next;
            }
            Step::Rebuild => {
                pair.stores[0].rebuild(|_| ()).unwrap();
            }
        }
    }
    run_steps(pair, &pending, kind, true);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn segments_answer_as_rows_do(
        steps in prop::collection::vec(step(), 1..14),
        questions in prop::collection::vec(question(), 3),
    ) {
        let mut pair = Pair::new();
        tell(&mut pair, &steps, |pair| pair.check(&questions));
        pair.stores[0].rebuild(|_| ()).unwrap();
        pair.check(&questions);
    }
}

/// A process that lived in a slot of five minutes, on a port that the one before it had.
fn lived(number: i64) -> Process {
    let minute = 60_000;
    let created = number * 5 * minute;
    Process {
        process_id: format!("p{number:03}"),
        app_id: format!("app{}", number % 2),
        deployment_id: Deployment::Number(number / 16),
        region: "r".to_owned(),
        status: if number % 3 == 0 { "failed" } else { "stopped" }.to_owned(),
        rooms_allocated: 0,
        rooms_per_process: 1,
        created_at: at(created),
        started_at: Some(at(created + 1_000 + number)),
        stopping_at: Some(at(created + 3 * minute + number * 7)),
        terminated_at: Some(at(created + 3 * minute + number * 9)),
        exposed_port: Some(ExposedPort {
            host: "h".to_owned(),
            port: 1 + number % 2,
            name: "game".to_owned(),
            transport_type: "udp".to_owned(),
            extra: Extra::default(),
        }),
        additional_exposed_ports: Vec::new(),
        extra: Extra::default(),
    }
}

fn open(number: i64) -> Process {
    Process {
        status: "running".to_owned(),
        stopping_at: None,
        terminated_at: None,
        ..lived(number)
    }
}

fn record(pair: &mut Pair, snapshots: &[(i64, Vec<Process>)]) {
    for store in &mut pair.stores {
        let mut run = store.begin(RunKind::Sync, "api", at(0)).unwrap();
        for (minute, processes) in snapshots {
            run.record(&Snapshot::new(at(minute * 60_000), processes.clone()))
                .unwrap();
        }
        run.finish(&Ending::new(at(1), RunResult::Complete))
            .unwrap();
    }
}

fn everything() -> Vec<Question> {
    let window = |since, until| Window::new(Some(at(since)), Some(at(until))).unwrap();
    let question = Question::default;
    vec![
        question(),
        question().by([Group::App, Group::Deployment]),
        question().by([Group::Hour]).app("app1"),
        question()
            .window(window(3_600_000, 9_000_000))
            .by([Group::Region]),
    ]
}

/// Sixty-four processes, by twos, of which each run sees two live and those of the run before it ended.
fn fleet() -> Pair {
    let mut pair = Pair::new();
    for step in 0..32 {
        let mut seen = vec![open(2 * step), open(2 * step + 1)];
        if step > 0 {
            seen.extend([lived(2 * step - 2), lived(2 * step - 1)]);
        }
        record(&mut pair, &[(10 * step + 1, seen)]);
    }
    pair
}

#[test]
fn a_fleet_is_sealed_as_it_goes() {
    let pair = fleet();
    pair.check(&everything());
    let sealed = pair.count("SELECT sum(processes) FROM segment", 0);
    assert!(sealed >= 56, "{sealed} of 64");
    let segments = pair.count("SELECT count(*) FROM segment", 0);
    assert!(segments <= 64 / TINY.full + 2, "{segments}");
    assert!(pair.count("SELECT count(*) FROM loose", 0) <= 4);
}

/// What a late observation changes is read from its row at once, and from a segment again once there is
/// enough of it.
#[test]
fn what_changes_late_is_loose_until_it_is_taken_in() {
    let mut pair = fleet();
    let late = |number, status: &str| Process {
        status: status.to_owned(),
        terminated_at: Some(at(number * 300_000 + 299_000)),
        ..lived(number)
    };
    let before = pair.count("SELECT count(*) FROM loose", 0);
    record(&mut pair, &[(400, vec![late(9, "failed")])]);
    assert_eq!(pair.count("SELECT count(*) FROM loose", 0), before + 1);
    pair.check(&everything());
    record(&mut pair, &[(401, vec![late(10, "stopped")])]);
    assert_eq!(pair.count("SELECT count(*) FROM loose", 0), before);
    pair.check(&everything());
    // Open again, lost, found ended.
    record(&mut pair, &[(402, vec![open(20)])]);
    pair.check(&everything());
    for store in &mut pair.stores {
        let mut run = store.begin(RunKind::Sync, "api", at(0)).unwrap();
        let unknown = Snapshot {
            unknown: vec!["p020".to_owned()],
            ..Snapshot::new(at(403 * 60_000), vec![])
        };
        run.record(&unknown).unwrap();
    }
    pair.check(&everything());
    assert_eq!(
        pair.histories[0]
            .failures(&Question::default())
            .unwrap()
            .rows[0]
            .lost,
        1
    );
    record(&mut pair, &[(404, vec![late(20, "failed")])]);
    pair.check(&everything());
}

/// Who removes rows need not know of segments.
#[test]
fn a_deleted_row_is_loose() {
    let pair = fleet();
    let db = pair.db(0);
    let sql = "DELETE FROM hold WHERE process_key = 18; DELETE FROM version WHERE process_key = 18;
               DELETE FROM sighting WHERE process_key = 18; DELETE FROM process WHERE process_key = 18;";
    db.execute_batch(sql).unwrap();
    let loose: i64 = db
        .query_row(
            "SELECT count(*) FROM loose WHERE process_key = 18 AND ended = 0",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(loose, 1);
}

#[test]
fn a_difference_is_found() {
    for (sql, told) in [
        (
            "UPDATE process SET started_ms = 7 WHERE process_key = 9",
            "not loose",
        ),
        (
            "UPDATE hold SET held_until_ms = 7 WHERE process_key = 9",
            "hold",
        ),
        ("DELETE FROM hold WHERE process_key = 9", "its row"),
        (
            "UPDATE process SET outcome = 'lost' WHERE process_key = 9",
            "not loose",
        ),
        (
            "DELETE FROM segment WHERE first_key = 5",
            "no segment begins with key 5",
        ),
        (
            "DELETE FROM segment_column WHERE name = 'kind'",
            "without its column",
        ),
        ("UPDATE segment SET ended_last_ms = 0", "other times"),
        (
            "UPDATE segment_column SET data = substr(data, 2)",
            "does not unpack",
        ),
        ("INSERT INTO loose VALUES (1000, 0)", "range of no segment"),
    ] {
        let pair = fleet();
        pair.db(0).execute_batch(sql).unwrap();
        let found = match pair.histories[0].compare_segments() {
            Ok(found) => found.unwrap_or_default(),
            Err(error) => crate::describe(&error),
        };
        assert!(found.contains(told), "{sql}: {found}");
    }
}

#[test]
fn a_rebuild_makes_the_same_of_the_same() {
    let mut pair = fleet();
    let dump = |pair: &Pair| {
        let db = pair.db(0);
        let mut bytes: Vec<Vec<u8>> = Vec::new();
        for sql in [
            "SELECT present || kinds || first_key || last_key FROM segment ORDER BY last_key",
            "SELECT data FROM segment_column ORDER BY name, last_key",
        ] {
            let mut statement = db.prepare(sql).unwrap();
            let rows = statement
                .query_map([], |row| Ok(row.get_ref(0)?.as_bytes().unwrap().to_vec()))
                .unwrap();
            bytes.extend(rows.map(Result::unwrap));
        }
        bytes
    };
    let mut told = Vec::new();
    let sealed = pair.stores[0]
        .rebuild(|progress| told.push(progress))
        .unwrap();
    assert!(
        sealed.processes >= 56 && sealed.segments >= 15,
        "{sealed:?}"
    );
    assert!(told.is_sorted_by_key(|progress| progress.done));
    assert_eq!(told.last().unwrap().of, 64);
    pair.check(&everything());
    let first = dump(&pair);
    assert_eq!(pair.stores[0].rebuild(|_| ()).unwrap(), sealed);
    assert_eq!(dump(&pair), first);
    pair.check(&everything());
}

/// A kill between two statements is a rollback: nothing of a segment is left, and nothing is missed.
#[test]
fn half_a_segment_is_none() {
    let mut pair = fleet();
    pair.stores[0].rebuild(|_| ()).unwrap();
    let before = pair.count("SELECT count(*) FROM segment", 0);
    {
        let store = &pair.stores[0];
        let db = store.connection.unchecked_transaction().unwrap();
        super::drop_all(&db).unwrap();
        super::make(&db, 1, 4).unwrap();
    }
    assert_eq!(pair.count("SELECT count(*) FROM segment", 0), before);
    pair.check(&everything());
}

/// A file from before there were segments answers the same without and with them.
#[test]
fn an_older_file_gets_segments_and_answers_the_same() {
    let mut pair = Pair::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schema/v4.db");
    for (store, history) in pair.stores.iter_mut().zip(&mut pair.histories) {
        let path = store.path().with_extension("old");
        std::fs::copy(fixture, &path).unwrap();
        let sizes = store.sizes;
        *store = Store::open(&path).unwrap();
        store.sizes = sizes;
        *history = History::open(&path).unwrap();
    }
    pair.check(&everything());
    pair.stores[0].sizes = Sizes {
        unit: 1,
        full: 2,
        enough: 1,
    };
    let sealed = pair.stores[0].rebuild(|_| ()).unwrap();
    assert!(sealed.processes > 0, "{sealed:?}");
    pair.check(&everything());
}

/// Processes that never started, on two ports each, from when each was first seen; and such as began to
/// hold a port at the same moment, later ones with the earlier id.
#[test]
fn what_never_started_and_what_began_at_once() {
    let mut pair = Pair::new();
    for number in 0..16 {
        let port = |port| ExposedPort {
            port,
            ..lived(number).exposed_port.unwrap()
        };
        let unstarted = Process {
            process_id: format!("u{number}"),
            started_at: None,
            stopping_at: None,
            terminated_at: (number % 2 == 0).then(|| at((4 + number) * 300_000)),
            exposed_port: Some(port(10 + number % 3)),
            additional_exposed_ports: vec![port(20)],
            ..lived(number)
        };
        let started_at = Some(at(number / 4 * 300_000 + 1_000));
        let at_once = Process {
            process_id: format!("z{}", 99 - number),
            started_at,
            stopping_at: None,
            terminated_at: Some(at(number / 4 * 300_000 + 2_000 + number * 17)),
            exposed_port: Some(port(30)),
            ..lived(number)
        };
        record(&mut pair, &[(5 * number + 1, vec![unstarted, at_once])]);
    }
    let ended = pair.count("SELECT sum(processes) FROM segment", 0);
    assert!(ended >= 28, "{ended} of 32");
    let mut questions = everything();
    questions.push(Question::default().region("elsewhere"));
    questions.push(Question::default().deployment(0).region("r"));
    pair.check(&questions);
}
