//! What a sync proves, and that what it cannot prove is told.

use std::collections::{BTreeMap, BTreeSet};

use prochist::model::UtcMillis;
use prochist::simulator::{FleetConfig, Story};

use crate::fleet::Watched;
use crate::truth::{HOUR_MS, assert_same, outcomes, recorded, runs, start};

/// The most processes that one region and status gained between two looks.
fn most_new_at_once(watched: &Watched) -> usize {
    let mut most = 0;
    let looks: Vec<UtcMillis> = watched.looks.iter().map(|look| look.0).collect();
    for pair in looks.windows(2) {
        let mut new: BTreeMap<(String, String), usize> = BTreeMap::new();
        for story in watched.stories() {
            if pair[0] < story.created_at && story.created_at <= pair[1] {
                let status = story.stage_at(pair[1]).unwrap().as_str().to_owned();
                *new.entry((story.region.to_string(), status)).or_default() += 1;
            }
        }
        most = most.max(new.values().copied().max().unwrap_or_default());
    }
    most
}

/// Each recorded process was seen at every look from the first that showed it until its end, and what
/// was then seen is what it was.
#[track_caller]
fn assert_followed(watched: &Watched) {
    let first_seen = watched.first_seen();
    let mut found = BTreeMap::new();
    let mut expected = BTreeMap::new();
    for (id, versions) in recorded(&watched.database()) {
        let states: Vec<_> = versions
            .into_iter()
            .map(|(first, _, s)| (first, s))
            .collect();
        found.insert(id, states);
    }
    for story in watched.stories() {
        let Some(first) = first_seen.get(&story.process_id) else {
            continue;
        };
        let looks = watched
            .looks
            .iter()
            .map(|look| look.0)
            .filter(|at| at >= first);
        let observed = runs(looks.map(|at| (at, story.at(at).unwrap())));
        let states: Vec<_> = observed
            .into_iter()
            .map(|(first, _, s)| (first, s))
            .collect();
        expected.insert(story.process_id.clone(), states);
    }
    assert_same(&found, &expected);
}

/// A fleet that makes at most ten processes per region and status between two looks, though far more
/// than ten in all.
#[test]
fn a_hundred_looks_at_a_busy_fleet_miss_nothing() {
    let mut watched = Watched::new(FleetConfig {
        regions: ["Tokyo", "London", "Chicago"].map(str::to_owned).to_vec(),
        // It begins with the record, so that nothing is hidden from the first look.
        warm_up_ms: 0,
        ..FleetConfig::new(177, 230, start())
    });
    watched.look_at_all(0..100);
    let most = most_new_at_once(&watched);
    assert_eq!(
        most, 10,
        "choose another fleet: this one does not reach the limit, or exceeds it"
    );
    assert!(
        watched
            .looks
            .iter()
            .any(|look| look.1.recorded().processes_new > 15)
    );

    let gaps = watched.gaps();
    assert!(gaps.is_empty(), "{gaps:?}");
    assert_eq!(watched.missing(), (0, vec![]));
    let covered = watched.marks()["Tokyo"];
    let recorded = watched.first_seen();
    let unseen: Vec<_> = watched
        .stories()
        .into_iter()
        .filter(|s| covered.0 < s.created_at && s.created_at <= covered.1)
        .filter(|s| !recorded.contains_key(&s.process_id))
        .collect();
    assert_eq!(unseen, []);
    assert_followed(&watched);
    let ended = |story: &&std::sync::Arc<Story>| story.terminated_at <= watched.last_look();
    let outcomes = outcomes(&watched.database());
    let stories = watched.stories();
    let mut ends = 0;
    for story in stories.iter().filter(ended) {
        if let Some(outcome) = outcomes.get(&story.process_id) {
            let expected = if story.failed { "failed" } else { "stopped" };
            assert_eq!(outcome, &(expected.to_owned(), None), "{story:?}");
            ends += 1;
        }
    }
    assert!(ends > 500, "{ends}");

    // What it costs: each open process once, whether a list shows it or it is asked for, and lists.
    // A run in which a page is proved by counting asks for those that were counted once more.
    let mut worst = 0;
    let mut lists = 0;
    for (at, ran) in &watched.looks[1..] {
        let open = stories
            .iter()
            .filter(|s| s.created_at <= *at && s.terminated_at > *at)
            .count() as u64;
        let more = ran.requests.saturating_sub(open);
        (worst, lists) = (worst.max(more), lists + more);
    }
    println!("requests beyond one an open process: {lists} in 99 runs, {worst} in the worst");
    assert!(lists <= 3 * 99, "{lists}");
}

/// A quiet app costs one list and what is open beside it.
#[test]
fn a_quiet_app_costs_one_list_call() {
    let mut watched = Watched::new(FleetConfig::new(31, 6, start()));
    watched.look_at_all(0..=120);
    for (_, ran) in &watched.looks[1..] {
        // The list shows ten; the others are asked for.
        let asked = ran.recorded().processes_seen.saturating_sub(10);
        assert_eq!(ran.requests, 1 + asked, "{ran:?}");
    }
    assert!(watched.gaps().is_empty());
    assert_eq!(watched.missing(), (0, vec![]));
    assert_followed(&watched);
}

/// Twenty times as many between two looks as the test above lets come.
#[test]
fn at_twenty_times_that_churn_all_that_is_missed_lies_in_a_gap() {
    let mut watched = Watched::new(FleetConfig {
        regions: ["Tokyo", "London", "Chicago"].map(str::to_owned).to_vec(),
        ..FleetConfig::new(42, 220, start())
    });
    watched.look_at_all((0..30).map(|n| 20 * n));
    assert!(most_new_at_once(&watched) > 40);
    let (told, untold) = watched.missing();
    assert_eq!(untold, [] as [String; 0]);
    assert!(told > 100, "{told}");
    assert_followed(&watched);

    // What is said to be hidden is: at the look, in that region and status, and not on record.
    let (stories, first_seen) = (watched.stories(), watched.first_seen());
    let mut counted = 0;
    for gap in watched.gaps() {
        let hidden = stories.iter().filter(|story| {
            gap.since <= story.created_at
                && story.created_at < gap.until
                && Some(&*story.region) == gap.region.as_deref()
                && story.stage_at(gap.look).map(|s| s.as_str()) == gap.status.as_deref()
                && first_seen
                    .get(&story.process_id)
                    .is_none_or(|seen| *seen > gap.look)
        });
        let hidden = hidden.count() as i64;
        counted += gap.hidden_at_least.unwrap_or_default();
        assert!(
            gap.hidden_at_least.is_none_or(|n| n <= hidden),
            "{gap:?} {hidden}"
        );
        assert_eq!(gap.reason, "page");
    }
    assert!(counted > 0);
}

/// A recorder that was off for longer than the API remembers: what ended in between is gone.
#[test]
fn what_was_forgotten_while_open_on_record_is_lost() {
    let mut watched = Watched::new(FleetConfig {
        retention_ms: HOUR_MS / 4,
        ..FleetConfig::new(33, 15, start())
    });
    watched.look_at_all((0..=20).chain(70..=80));
    let (off, on) = (
        start().plus_millis(20 * 60_000),
        start().plus_millis(70 * 60_000),
    );
    let first_seen = watched.first_seen();
    let ended_in_the_pause: BTreeSet<String> = watched
        .stories()
        .iter()
        .filter(|s| {
            first_seen
                .get(&s.process_id)
                .is_some_and(|seen| *seen <= off)
        })
        .filter(|s| s.terminated_at > off && s.terminated_at <= on.plus_millis(-HOUR_MS / 4))
        .map(|s| s.process_id.clone())
        .collect();
    let lost: BTreeSet<String> = outcomes(&watched.database())
        .into_iter()
        .filter(|(_, (outcome, _))| outcome == "lost")
        .map(|(id, (_, at))| {
            assert_eq!(at, Some(on.millis()), "{id}");
            id
        })
        .collect();
    assert!(lost.len() > 2, "{lost:?}");
    assert_eq!(lost, ended_in_the_pause);
}

/// The list overlaps what is known, or is short, and still hides: what came and was forgotten since
/// the look before is on no list any more. That one open on record is unknown gives it away.
#[test]
fn a_pause_longer_than_the_api_remembers_is_a_gap() {
    let mut watched = Watched::new(FleetConfig {
        retention_ms: HOUR_MS / 4,
        failure_share: 0.5,
        ..FleetConfig::new(34, 5, start())
    });
    watched.look_at_all((0..=20).chain(70..=80));
    let (told, untold) = watched.missing();
    assert_eq!(untold, [] as [String; 0]);
    assert!(told > 3, "{told}");
    assert_eq!(watched.gaps()[0].reason, "forgotten");
    assert_eq!(watched.gaps().len(), 1);
}
