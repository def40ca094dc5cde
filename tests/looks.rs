//! What an answer says of the looks that it rests on, against a second computation that reads every one
//! of them: over made-up runs of several kinds that look at several apps, late and twice, end or are
//! killed. And what is kept for it against the rows.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::{at, open, process};
use prochist::history::{Coverage, Watched, Window};
use prochist::model::{Extent, Snapshot, UtcMillis};
use prochist::{Ending, History, Question, RunKind, RunResult, Store};
use proptest::prelude::*;
use tempfile::TempDir;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// The longest time between two looks that is no pause.
const PAUSE_MS: i64 = 61 * MINUTE_MS;
const APPS: [&str; 4] = ["", "a", "b", "c"];

/// One look of a run: so long after the one before, at this app; whether it shows anybody.
type Look = (i64, usize, bool);

#[derive(Clone, Debug)]
struct MadeUp {
    kind: RunKind,
    begins_ms: i64,
    looks: Vec<Look>,
    /// Not so if it was killed.
    ends: bool,
    /// Whether its looks are about no app in particular.
    archive: bool,
}

/// Lengths of time on either side of what tells a pause, and of what runs are counted by.
fn step() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => Just(0),
        6 => Just(MINUTE_MS),
        4 => PAUSE_MS - 1..=PAUSE_MS + 1,
        2 => (1_i64 << 24) - 1..=(1 << 24) + 1,
        1 => 0..12 * 60 * MINUTE_MS,
        1 => 20 * DAY_MS..30 * DAY_MS,
        // Time goes back, so that another stream begins.
        1 => -90 * MINUTE_MS..-1,
    ]
}

fn made_up() -> impl Strategy<Value = Vec<MadeUp>> {
    let kind = prop_oneof![
        4 => Just(RunKind::Sync),
        2 => Just(RunKind::Import),
        1 => Just(RunKind::Library)
    ];
    let looks = prop::collection::vec((step(), 0..APPS.len(), any::<bool>()), 0..7);
    let run = (
        kind,
        // Around the beginning of 1970 and of what runs are counted by.
        prop_oneof![
            (-40..40_i64).prop_map(|n| n * 17 * MINUTE_MS),
            (-3..3_i64, -2..2_i64).prop_map(|(n, off)| (n << 24) + off),
            -50 * DAY_MS..50 * DAY_MS,
        ],
        looks,
        prop::bool::weighted(0.85),
        any::<bool>(),
    );
    let run = run.prop_map(|(kind, begins_ms, looks, ends, archive)| MadeUp {
        kind,
        begins_ms,
        looks,
        ends,
        archive: archive || kind == RunKind::Import,
    });
    prop::collection::vec(run, 1..9)
}

/// Records them, and returns their results in the ledger.
fn record(path: &Path, runs: &[MadeUp]) {
    let mut store = Store::open(path).unwrap();
    store.force_commits(false).unwrap();
    for (n, made_up) in runs.iter().enumerate() {
        let source = format!("{:?}", made_up.kind);
        let mut now = made_up.begins_ms;
        let mut run = store.begin(made_up.kind, &source, at(now)).unwrap();
        for (step, app, shows) in &made_up.looks {
            now += step;
            if !made_up.archive {
                run.stream_of(&format!("{source} {app}"), APPS[*app])
                    .unwrap();
            }
            let id = format!("p{}", (now / MINUTE_MS) % 5);
            let mut one = process(&format!("{app} {id}"), n as i64 * DAY_MS / 3);
            one.app_id = APPS[*app].to_owned();
            run.record(&Snapshot {
                observed_at: at(now),
                processes: shows.then_some(one).into_iter().collect(),
                unknown: vec![],
                extent: match app {
                    1 => Extent::CompleteFor(vec![APPS[1].to_owned()]),
                    _ => Extent::Partial,
                },
            })
            .unwrap();
        }
        if made_up.ends {
            let result = [RunResult::Complete, RunResult::Partial, RunResult::Failed][n % 3];
            run.finish(&Ending::new(at(now), result)).unwrap();
        }
    }
}

/// Every look on record: when, of which run, and at which app; at none in particular in archives.
struct Looks {
    all: Vec<(i64, i64, Option<String>)>,
    archived: BTreeSet<String>,
}

impl Looks {
    fn read(path: &Path) -> Self {
        let db = open(path);
        let mut statement = db
            .prepare(
                "SELECT n.observed_at_ms, n.run_id, w.text FROM snapshot n
                 JOIN stream t USING (stream_id) LEFT JOIN word w ON w.word_id = t.app",
            )
            .unwrap();
        let all = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        let all = all.collect::<Result<_, _>>().unwrap();
        let mut statement = db
            .prepare("SELECT text FROM archive_app JOIN word ON word_id = app")
            .unwrap();
        let archived = statement.query_map([], |row| row.get(0)).unwrap();
        let archived = archived.collect::<Result<_, _>>().unwrap();
        Self { all, archived }
    }

    /// Those that may have shown these apps, or any where none is named, by then; in order of time.
    fn at(&self, apps: &[&str], then: i64) -> Vec<(i64, i64)> {
        let archives = apps.is_empty() || apps.iter().any(|app| self.archived.contains(*app));
        let mut looks: Vec<(i64, i64)> = self
            .all
            .iter()
            .filter(|(at, _, app)| {
                *at <= then
                    && app.as_ref().map_or(archives, |app| {
                        apps.is_empty() || apps.contains(&app.as_str())
                    })
            })
            .map(|(at, run, _)| (*at, *run))
            .collect();
        looks.sort_unstable();
        looks
    }

    /// The apps that are looked at alike: each that a sync looks at, and the others of archives together.
    fn alike(&self, apps: &[&str]) -> Vec<Vec<String>> {
        let is_asked = |app: &&String| apps.is_empty() || apps.contains(&app.as_str());
        let synced: BTreeSet<&String> = self
            .all
            .iter()
            .filter_map(|(_, _, app)| app.as_ref())
            .collect();
        let archived: Vec<String> = self
            .archived
            .iter()
            .filter(|app| is_asked(app) && !synced.contains(app))
            .cloned()
            .collect();
        let mut alike: Vec<Vec<String>> = synced
            .into_iter()
            .filter(is_asked)
            .map(|app| vec![app.clone()])
            .collect();
        if !archived.is_empty() {
            alike.push(archived);
        }
        alike
    }
}

/// The pauses that touch a window, of all apps that are asked about.
fn pauses(looks: &Looks, apps: &[&str], then: i64, window: Window) -> Vec<(i64, i64, Vec<String>)> {
    let (since, until) = (
        window.since.map_or(i64::MIN, UtcMillis::millis),
        window.until.map_or(i64::MAX, UtcMillis::millis),
    );
    let alike = looks.alike(apps);
    let mut all = Vec::new();
    for group in &alike {
        let group_apps: Vec<&str> = group.iter().map(String::as_str).collect();
        let looks = looks.at(&group_apps, then);
        for two in looks.windows(2) {
            let (from, to) = (two[0].0, two[1].0);
            if to - from > PAUSE_MS && to > since && from + 1 < until {
                let named = if alike.len() == 1 {
                    vec![]
                } else {
                    group.clone()
                };
                all.push((from, to, named));
            }
        }
    }
    all.sort();
    all
}

fn check(
    looks: &Looks,
    coverage: &Coverage,
    apps: &[&str],
    then: i64,
    window: Window,
) -> Result<(), TestCaseError> {
    let these = looks.at(apps, then);
    prop_assert_eq!(
        coverage.from.map(UtcMillis::millis),
        these.first().map(|look| look.0)
    );
    prop_assert_eq!(
        coverage.to.map(UtcMillis::millis),
        these.last().map(|look| look.0)
    );
    let in_window = these.iter().filter(|(look, _)| window.contains(at(*look)));
    let runs: BTreeSet<i64> = in_window.map(|(_, run)| *run).collect();
    prop_assert_eq!(
        coverage.runs,
        runs.len() as u64,
        "{:?} in {:?} by {}",
        apps,
        window,
        then
    );
    // Between two looks; what is before the first and after the last is not told by looks alone.
    let expected = pauses(looks, apps, then, window);
    let is_look: BTreeMap<Vec<String>, BTreeSet<i64>> = looks
        .alike(apps)
        .into_iter()
        .map(|group| {
            let apps: Vec<&str> = group.iter().map(String::as_str).collect();
            let looks = looks
                .at(&apps, then)
                .into_iter()
                .map(|look| look.0)
                .collect();
            (group, looks)
        })
        .collect();
    let single = is_look.len() == 1;
    let mut found: Vec<_> = coverage
        .unwatched
        .iter()
        .filter_map(|stretch| {
            let (since, until) = (stretch.since?.millis(), stretch.until?.millis());
            let looks = match single {
                true => is_look.values().next()?,
                false => is_look.get(&stretch.app_ids)?,
            };
            let between = looks.contains(&since) && Some(&since) != looks.last();
            between.then(|| (since, until, stretch.app_ids.clone()))
        })
        .collect();
    found.sort();
    prop_assert_eq!(found, expected, "{:?} in {:?} by {}", apps, window, then);
    if coverage.unwatched.is_empty() && coverage.from.is_some() {
        prop_assert_eq!(coverage.watched, Watched::All);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn coverage_is_what_every_look_says(
        runs in made_up(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), -1..=1_i64), 4),
        apps in prop::sample::subsequence(APPS.to_vec(), 0..=3),
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("history.db");
        record(&path, &runs);
        {
            let store = Store::open(&path).unwrap();
            prop_assert_eq!(store.check_looks().unwrap(), None);
        }
        let looks = Looks::read(&path);
        let history = History::open(&path).unwrap();
        let mut question = Question::default();
        for app in &apps {
            question = question.app(*app);
        }
        let coverage = history.failures(&question).unwrap().coverage;
        check(&looks, &coverage, &apps, i64::MAX, Window::default())?;
        // Windows that begin and end at looks, and just beside them and beside what runs are counted by.
        let mut edges: Vec<i64> = looks.all.iter().map(|look| look.0).collect();
        edges.extend(edges.clone().iter().flat_map(|at| [at >> 24 << 24, at + PAUSE_MS]));
        edges.push(0);
        let mut cuts: Vec<i64> = cuts.iter().map(|(at, by)| at.get(&edges) + by).collect();
        cuts.sort_unstable();
        for (since, until) in [(0, 1), (1, 3), (2, 3), (0, 3)] {
            let (since, until) = (cuts[since], cuts[until].max(cuts[since] + 1));
            for window in [
                Window::new(Some(at(since)), Some(at(until))).unwrap(),
                Window::new(None, Some(at(until))).unwrap(),
                Window::new(Some(at(since)), None).unwrap(),
            ] {
                let coverage = history.failures(&question.clone().window(window)).unwrap().coverage;
                check(&looks, &coverage, &apps, i64::MAX, window)?;
            }
            let moment = Window::moment(at(since));
            let known = history.fleet_at(at(since), Some(at(until)), &question).unwrap();
            check(&looks, &known.coverage, &apps, until, moment)?;
        }
    }
}
