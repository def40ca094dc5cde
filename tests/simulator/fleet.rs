//! What the fleet promises of itself: the same for the same seed, steady, and consistent.

use std::collections::HashMap;
use std::sync::Arc;

use prochist::model::{Endpoint, KNOWN_STATUSES, UtcMillis};
use prochist::simulator::{Filter, Fleet, FleetConfig, Stage, Story};

use crate::{HOUR_MS, MINUTE_MS, lived, start};

#[test]
fn the_same_seed_lives_the_same_life_in_whatever_steps() {
    let at_once = lived(11, 20, 30);
    let mut by_steps = lived(11, 20, 0);
    let mut step_ms = 1;
    while by_steps.now() < at_once.now() {
        let next = by_steps.now().plus_millis(step_ms).min(at_once.now());
        by_steps.advance(next);
        step_ms = step_ms * 7 % 600_011;
    }
    assert!(at_once.truth() == by_steps.truth());
    assert!(at_once.remembered().eq(by_steps.remembered()));
    assert_eq!(at_once.snapshot(MINUTE_MS), by_steps.snapshot(MINUTE_MS));

    let other = lived(12, 20, 1);
    assert_ne!(at_once.app_id(), other.app_id());
    assert_ne!(at_once.truth()[0], other.truth()[0]);
}

/// A dependency that changes its streams would change every fleet that someone has written down.
#[test]
fn a_seed_means_the_same_in_every_release() {
    let app_id = "app-a1b588c6-8c08-42f9-b0d8-9e5b1401840d";
    assert_eq!(lived(42, 0, 0).app_id(), app_id);
}

#[test]
fn a_fleet_does_not_go_back() {
    let mut fleet = lived(1, 5, 2);
    let before = fleet.snapshot(0);
    fleet.advance(start());
    assert_eq!(fleet.snapshot(0), before);
}

#[test]
fn the_last_moment_that_can_be_written_is_reached() {
    let start = UtcMillis::MAX.plus_millis(-HOUR_MS);
    let mut fleet = Fleet::new(FleetConfig::new(1, 5, start));
    fleet.advance(UtcMillis::MAX);
    assert_eq!(fleet.now(), UtcMillis::MAX);
}

#[test]
fn concurrency_stays_near_the_target_from_the_start_on() {
    let fleet = lived(5, 200, 24);
    for quarter in 0..96 {
        let time = start().plus_millis(quarter * 15 * MINUTE_MS);
        let open = fleet
            .truth()
            .iter()
            .filter(|story| story.created_at <= time && time < story.terminated_at)
            .count();
        assert!((180..=200).contains(&open), "{open} open at {time}");
    }
    let oldest = fleet.truth()[0].created_at;
    assert!(oldest < start().plus_millis(-5 * HOUR_MS));
}

#[test]
fn every_story_is_consistent() {
    let fleet = lived(8, 60, 24);
    let mut seen = [0; 6];
    for story in fleet.truth() {
        for change in &story.rooms {
            assert!((0..=story.rooms_per_process).contains(&change.allocated));
        }
        assert!(story.started_at.is_some() || story.failed);
        let mut time = Some(story.created_at);
        let mut last = Stage::Starting;
        while let Some(turn) = time {
            let stage = story.stage_at(turn).expect("created");
            let process = story.at(turn).expect("created");
            assert!(stage >= last, "{story:?}");
            assert_eq!(process.status, stage.as_str());
            assert!(KNOWN_STATUSES.contains(&stage.as_str()));
            assert_eq!(
                process.started_at.is_none(),
                stage == Stage::Starting || story.started_at.is_none()
            );
            assert_eq!(process.terminated_at.is_some(), stage.has_ended());
            assert_eq!(
                process.stopping_at.is_some(),
                story.stopping_at.is_some_and(|at| at <= turn)
            );
            assert!(process.started_at.is_some() || process.ports().count() == 0);
            seen[stage as usize] += 1;
            last = stage;
            time = story.next_turn_after(turn);
        }
        assert!(last.has_ended());
        assert_eq!(story.rooms_at(story.terminated_at), 0);
    }
    assert!(seen.iter().all(|n| *n > 10), "each stage occurs: {seen:?}");
    assert!(
        fleet
            .truth()
            .iter()
            .any(|s| s.rooms.iter().any(|r| r.allocated > 1))
    );
    assert!(
        fleet
            .truth()
            .iter()
            .any(|s| s.additional_exposed_ports.len() == 2)
    );
    assert!(
        fleet
            .truth()
            .iter()
            .any(|s| !s.failed && s.stopping_at.is_none()),
        "some end by themselves"
    );
}

#[test]
fn an_endpoint_has_one_holder_at_a_time_and_gets_another_soon() {
    let fleet = lived(2, 100, 24);
    let mut holds: HashMap<(String, i64), Vec<&Arc<Story>>> = HashMap::new();
    for story in fleet.truth() {
        for port in story.ports() {
            assert!((1..=65_535).contains(&port.port));
            let Endpoint { host, port, .. } = port.endpoint();
            holds.entry((host, port)).or_default().push(story);
        }
    }
    let mut gaps_ms = Vec::new();
    for holders in holds.values() {
        for pair in holders.windows(2) {
            gaps_ms.push(pair[1].created_at.millis_since(pair[0].terminated_at));
        }
    }
    gaps_ms.sort_unstable();
    assert!(gaps_ms[0] >= 0, "holds overlap");
    assert!(gaps_ms.len() > 1_000);
    let median_ms = gaps_ms[gaps_ms.len() / 2];
    assert!(median_ms < 2 * HOUR_MS, "{median_ms} ms");
    assert!(gaps_ms[gaps_ms.len() / 10] < 10 * MINUTE_MS);
}

#[test]
fn the_bad_deployment_fails_more_and_boots_slower_and_a_roll_out_restarts_most() {
    let fleet = lived(4, 150, 24);
    let mut ended: HashMap<i64, Vec<&Arc<Story>>> = HashMap::new();
    for story in fleet.truth() {
        ended.entry(story.deployment_id).or_default().push(story);
    }
    let share = |stories: &[&Arc<Story>]| {
        stories.iter().filter(|s| s.failed).count() as f64 / stories.len() as f64
    };
    let boot_ms = |stories: &[&Arc<Story>]| {
        let mut all: Vec<i64> = stories
            .iter()
            .filter_map(|s| Some(s.started_at?.millis_since(s.created_at)))
            .collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    let bad = ended
        .remove(&fleet.bad_deployment())
        .expect("a day shows it");
    assert!(bad.len() > 500);
    assert!((0.22..0.34).contains(&share(&bad)), "{}", share(&bad));
    let early = bad
        .iter()
        .filter(|s| s.failed && s.started_at.is_none())
        .count() as f64;
    assert!((0.09..0.19).contains(&(early / bad.len() as f64)));
    for (deployment, stories) in ended {
        assert!(share(&stories) < 0.05, "{deployment}: {}", share(&stories));
        assert!(boot_ms(&bad) > 2 * boot_ms(&stories));
    }

    let up_at = fleet.deployed_at(fleet.bad_deployment());
    let still_old = |time: UtcMillis| {
        let open = |s: &&Arc<Story>| s.created_at < up_at && s.terminated_at > time;
        fleet.truth().iter().filter(open).count()
    };
    assert!(still_old(up_at) > 130);
    assert!(still_old(up_at.plus_millis(30 * MINUTE_MS)) < 40);
}

#[test]
fn memory_is_bounded_by_what_is_open_and_retained() {
    let mut fleet = Fleet::new(FleetConfig::new(6, 10, start()));
    let mut most = 0;
    for hour in 1..=7 * 24 {
        fleet.advance(start().plus_millis(hour * HOUR_MS));
        most = most.max(fleet.remembered_len());
    }
    assert!(fleet.processes_made() > 2_000);
    assert!(most < 200, "{most} stories held");
    assert!(fleet.truth().is_empty());
}

#[test]
fn the_index_agrees_with_the_truth() {
    let mut fleet = lived(9, 80, 0);
    for step in 1..=40 {
        let now = start().plus_millis(step * 7 * MINUTE_MS);
        fleet.advance(now);
        let retained = |s: &&Arc<Story>| s.terminated_at > now.plus_millis(-HOUR_MS);
        for stages in [
            vec![],
            vec![Stage::Failed],
            vec![Stage::Running, Stage::Stopped],
        ] {
            for regions in [vec![], vec!["Tokyo".to_owned(), "London".to_owned()]] {
                let filter = Filter {
                    stages: stages.clone(),
                    regions: regions.clone(),
                };
                let matches: Vec<Arc<Story>> = fleet
                    .truth()
                    .iter()
                    .rev()
                    .filter(retained)
                    .filter(|s| {
                        stages.is_empty() || s.stage_at(now).is_some_and(|n| stages.contains(&n))
                    })
                    .filter(|s| regions.is_empty() || regions.iter().any(|r| **r == *s.region))
                    .cloned()
                    .collect();
                assert_eq!(fleet.count(&filter), matches.len());
                assert!(fleet.latest(&filter, 10) == matches[..matches.len().min(10)]);
            }
        }
    }
}
