//! The plan, case by case.

mod clocks;
mod moving;

use super::*;
use crate::model::{Extra, Gap, Process};
use crate::source::api::Filter;

fn at(millis: i64) -> UtcMillis {
    UtcMillis::from_millis(millis).unwrap()
}

fn process(id: &str, region: &str, status: &str, created: i64) -> Process {
    Process {
        process_id: id.to_owned(),
        app_id: "app-1".to_owned(),
        deployment_id: crate::model::Deployment::Number(1),
        region: region.to_owned(),
        status: status.to_owned(),
        rooms_allocated: 0,
        rooms_per_process: 1,
        created_at: at(created),
        started_at: None,
        stopping_at: None,
        terminated_at: None,
        exposed_port: None,
        additional_exposed_ports: Vec::new(),
        extra: Extra::default(),
    }
}

fn mark(region: Option<&str>, until: i64, looked_at: i64) -> Watermark {
    Watermark {
        region: region.map(str::to_owned),
        since: at(0),
        until: at(until),
        looked_at: at(looked_at),
        server_time: None,
        unaccounted: Some(0),
    }
}

fn before(marks: Vec<Watermark>) -> Before {
    Before {
        app_id: "app-1".to_owned(),
        marks,
        ..Before::default()
    }
}

/// `count` processes of a region, the newest created at `newest`, a second apart.
fn rows(region: &str, status: &str, newest: i64, count: i64) -> Vec<Process> {
    (0..count)
        .map(|n| {
            let created = newest - 1000 * n;
            process(&format!("{region}-{created}"), region, status, created)
        })
        .collect()
}

fn show(plan: &mut Plan, window: &Window, processes: &[Process]) {
    let seen = Seen {
        processes,
        rows: processes.len(),
        server_time: None,
    };
    plan.page(window, seen);
}

/// Ten of those that a window is about: of its first region, or of Tokyo.
fn full_page(window: &Window, newest: i64) -> Vec<Process> {
    match window {
        Window::Everything => rows("Tokyo", "running", newest, 10),
        Window::Regions(names) => rows(&names[0], "running", newest, 10),
        Window::Leaf { region, status } => rows(region, status, newest, 10),
    }
}

fn regions(names: &[&str]) -> Window {
    Window::Regions(names.iter().map(|name| (*name).to_owned()).collect())
}

fn counted(n: u64) -> Unaccounted {
    Unaccounted {
        at_least: n,
        at_most: n,
    }
}

fn everything_hides(_: &Leaf) -> Hides {
    Hides::Something(None)
}

#[test]
fn a_short_page_and_one_that_reaches_back_prove_everything_in_one_call() {
    for page in [
        vec![],
        rows("Tokyo", "running", 90_000, 9),
        // The oldest is as old as the watermark.
        rows("Tokyo", "running", 49_001, 10),
    ] {
        let mut plan = Plan::new(&before(vec![mark(None, 40_001, 50_000)]), at(100_000));
        assert_eq!(plan.next(), Some(Window::Everything));
        show(&mut plan, &Window::Everything, &page);
        assert_eq!(plan.next(), None);
        let found = plan.settle(everything_hides, false);
        assert_eq!((found.gaps, found.begins_after), (vec![], None));
        let newest = page.iter().map(|p| p.created_at).max();
        let until = newest.unwrap_or(at(40_001));
        let expected = Watermark {
            until,
            looked_at: at(100_000),
            ..mark(None, 0, 0)
        };
        assert_eq!(found.marks, [expected]);
    }
}

#[test]
fn a_full_page_of_strangers_is_narrowed_no_further_than_needed() {
    let mut plan = Plan::new(&before(vec![mark(None, 40_001, 50_000)]), at(100_000));
    plan.next();
    let mut page = rows("Tokyo", "running", 99_000, 7);
    page.extend(rows("London", "starting", 98_500, 3));
    show(&mut plan, &Window::Everything, &page);
    // Those that fill the page by themselves, all others together.
    assert_eq!(plan.next(), Some(regions(&["London"])));
    assert_eq!(plan.next(), Some(regions(&["Tokyo"])));
    let Some(Window::Regions(others)) = plan.next() else {
        panic!("the other regions were not asked for");
    };
    assert_eq!(others.len(), 12);
    assert_eq!(plan.next(), None);
    show(
        &mut plan,
        &Window::Regions(others),
        &rows("Dubai", "failed", 97_000, 2),
    );
    show(
        &mut plan,
        &regions(&["London"]),
        &rows("London", "running", 98_500, 10)[..6],
    );
    assert_eq!(plan.next(), None);
    // Only Tokyo is still open, and its statuses come in the order of life.
    show(
        &mut plan,
        &regions(&["Tokyo"]),
        &rows("Tokyo", "running", 99_000, 10),
    );
    for status in KNOWN_STATUSES {
        let leaf = Window::Leaf {
            region: "Tokyo".to_owned(),
            status: status.to_owned(),
        };
        assert_eq!(plan.next().as_ref(), Some(&leaf));
        assert_eq!(plan.next(), None);
        let count = if status == "running" { 10 } else { 3 };
        show(&mut plan, &leaf, &rows("Tokyo", status, 99_000, count));
    }
    assert_eq!(plan.next(), None);
    let found = plan.settle(everything_hides, false);
    assert_eq!(
        found.gaps,
        [Gap {
            app_id: "app-1".to_owned(),
            region: Some("Tokyo".to_owned()),
            status: Some("running".to_owned()),
            since: at(40_001),
            // Its oldest row is of 90 000, and another of that millisecond may be hidden.
            until: at(90_001),
            reason: GapReason::Page,
            hidden_at_least: None,
        }]
    );
    let of = |name: Option<&str>| {
        let mark = found.marks.iter().find(|m| m.region.as_deref() == name);
        mark.unwrap().until
    };
    assert_eq!(of(Some("Tokyo")), at(99_000));
    assert_eq!(of(Some("London")), at(99_000));
    // No page has proved regions that nobody has named.
    assert_eq!(of(None), at(40_001));
}

#[test]
fn a_gap_that_counting_closes_is_none() {
    let plan = || {
        let mut plan = Plan::new(&before(vec![mark(None, 40_001, 50_000)]), at(100_000));
        let tokyo = |status| rows("Tokyo", status, 99_000, 10);
        while let Some(window) = plan.next() {
            let page = match &window {
                Window::Leaf { status, .. } if status != "stopped" => vec![],
                Window::Regions(names) if names[0] != "Tokyo" => vec![],
                _ => tokyo("stopped"),
            };
            show(&mut plan, &window, &page);
        }
        assert_eq!(plan.leaves().count(), 1);
        plan
    };
    assert_eq!(plan().settle(|_| Hides::Nothing, false).gaps, []);
    let gaps = plan()
        .settle(|_| Hides::Something(Some(counted(3))), false)
        .gaps;
    assert_eq!(gaps[0].hidden_at_least, Some(3));
    assert_eq!(gaps.len(), 1);
}

/// A count knows no time: those that were hidden by an earlier look are in it as long as they live.
#[test]
fn what_was_hidden_before_is_not_hidden_anew() {
    let look = |marks: Vec<Watermark>, now: i64, unaccounted: Option<u64>| {
        let mut plan = Plan::new(&before(marks), at(now));
        while let Some(window) = plan.next() {
            let page = match &window {
                Window::Leaf { status, .. } if status != "running" => vec![],
                Window::Regions(names) if names[0] != "Tokyo" => vec![],
                _ => rows("Tokyo", "running", now - 1000, 10),
            };
            show(&mut plan, &window, &page);
        }
        plan.settle(|_| Hides::Something(unaccounted.map(counted)), false)
    };
    let first = look(vec![mark(None, 40_001, 50_000)], 100_000, Some(7));
    assert_eq!(first.gaps[0].hidden_at_least, Some(7));
    let later =
        |unaccounted| look(first.marks.clone(), 200_000, unaccounted).gaps[0].hidden_at_least;
    assert_eq!(later(Some(9)), Some(2));
    assert_eq!(later(Some(7)), None);
    assert_eq!(later(None), None);
}

/// The first look asks for everything there is to ask for, and what it cannot see is no gap, for the
/// record begins with it.
#[test]
fn the_first_look_sweeps_all_windows_and_coverage_begins_there() {
    let mut plan = Plan::new(&before(vec![]), at(100_000));
    let mut asked = BTreeSet::new();
    while let Some(window) = plan.next() {
        asked.insert(window.filter().to_string());
        let page = match &window {
            Window::Everything => rows("Nowhere_known", "running", 99_000, 10),
            narrower => full_page(narrower, 99_000),
        };
        show(&mut plan, &window, &page);
    }
    for region in KNOWN_REGIONS.into_iter().chain(["Nowhere_known"]) {
        for status in KNOWN_STATUSES {
            let filter = format!("region={region} status={status}");
            assert!(asked.contains(&filter), "{filter}");
        }
    }
    let found = plan.settle(everything_hides, false);
    assert_eq!(found.gaps, []);
    assert_eq!(found.begins_after, Some(at(90_001)));
    assert!(found.marks.iter().all(|mark| mark.since == at(99_000)));
}

/// A first sweep that was cut short has not begun to cover what it did not see: the next one sweeps it.
#[test]
fn a_first_sweep_that_was_cut_short_is_gone_on_with() {
    let look = |marks: Vec<Watermark>, cut: bool, now: i64| {
        let mut plan = Plan::new(&before(marks), at(now));
        let mut asked = BTreeSet::new();
        while let Some(window) = plan.next() {
            asked.insert(window.filter().to_string());
            match &window {
                Window::Regions(names) if cut && names[0] != "Tokyo" => plan.unanswered(&window),
                Window::Regions(names) if names.len() > 1 => show(&mut plan, &window, &[]),
                Window::Leaf { .. } => show(&mut plan, &window, &[]),
                window => {
                    let mut page = full_page(window, now - 1000);
                    if *window == Window::Everything {
                        page.truncate(9);
                        page.extend(rows("London", "running", now - 1000, 1));
                    }
                    show(&mut plan, window, &page);
                }
            }
        }
        (plan.settle(everything_hides, false).marks, asked)
    };
    let (marks, _) = look(vec![], true, 100_000);
    let marked: Vec<_> = marks.iter().map(|m| m.region.as_deref()).collect();
    assert_eq!(marked, [Some("Tokyo")]);
    let (marks, asked) = look(marks, false, 200_000);
    assert!(asked.contains("region=London status=running"), "{asked:?}");
    assert!(marks.iter().any(|mark| mark.region.is_none()));
    // Tokyo began to be covered with the first look, all others with this one.
    for mark in marks {
        let since = if mark.region.as_deref() == Some("Tokyo") {
            99_000
        } else {
            199_000
        };
        assert_eq!(mark.since, at(since), "{mark:?}");
    }
}

/// What had no answer is for the next run: its watermark stays, and it is no gap yet.
#[test]
fn a_region_without_an_answer_keeps_its_watermark() {
    let mut plan = Plan::new(&before(vec![mark(None, 40_001, 50_000)]), at(100_000));
    while let Some(window) = plan.next() {
        match &window {
            Window::Leaf { status, .. } if status == "draining" => plan.unanswered(&window),
            Window::Regions(names) if names.len() > 1 => show(&mut plan, &window, &[]),
            window => show(&mut plan, window, &full_page(window, 99_000)),
        }
    }
    let found = plan.settle(everything_hides, false);
    assert_eq!(found.gaps, []);
    let stays = |mark: &&Watermark| mark.until == at(40_001);
    let stay: Vec<_> = found
        .marks
        .iter()
        .filter(stays)
        .map(|m| &m.region)
        .collect();
    // Tokyo stands as all the unnamed ones do, so it has no watermark of its own.
    assert_eq!(stay, [&None]);
    assert!(
        !found
            .marks
            .iter()
            .any(|m| m.region.as_deref() == Some("Tokyo"))
    );
    assert_eq!(found.marks.len(), 14);
}

/// An API, or something in between, that does not know filters: no more is asked than shows it, and
/// what the one page leaves open is one gap.
#[test]
fn an_api_that_ignores_filters_is_not_narrowed() {
    for (marks, expected) in [(vec![mark(None, 40_001, 50_000)], 1), (vec![], 0)] {
        let mut plan = Plan::new(&before(marks), at(100_000));
        let mut page = rows("Tokyo", "running", 99_000, 6);
        page.extend(rows("London", "starting", 98_500, 4));
        let mut asked = 0;
        while let Some(window) = plan.next() {
            asked += 1;
            show(&mut plan, &window, &page);
        }
        assert_eq!(asked, 2);
        assert_eq!(plan.leaves().count(), 0);
        let found = plan.settle(everything_hides, false);
        assert_eq!(found.gaps.len(), expected);
        for gap in found.gaps {
            assert_eq!((gap.region, gap.status), (None, None));
            assert_eq!((gap.since, gap.until), (at(40_001), at(94_001)));
        }
        assert_eq!(found.begins_after, (expected == 0).then_some(at(94_001)));
        let [mark] = &found.marks[..] else {
            panic!("{:?}", found.marks);
        };
        assert_eq!((mark.until, mark.looked_at), (at(99_000), at(100_000)));
    }
}

/// The token was refused in the midst of it, say, and nothing more was asked.
#[test]
fn a_region_that_was_left_halfway_has_no_gap_yet() {
    let mut plan = Plan::new(&before(vec![mark(None, 40_001, 50_000)]), at(100_000));
    while let Some(window) = plan.next() {
        match &window {
            Window::Leaf { status, .. } if status == "draining" => break,
            Window::Regions(names) if names.len() > 1 => show(&mut plan, &window, &[]),
            window => show(&mut plan, window, &full_page(window, 99_000)),
        }
    }
    assert!(plan.leaves().count() > 0);
    assert_eq!(plan.settle(everything_hides, false).gaps, []);
}

#[test]
fn a_rejected_filter_is_skipped_and_matters_only_if_something_was_seen_behind_it() {
    for (seen, expected_gaps) in [(false, 0), (true, 1)] {
        let mut before = before(vec![mark(None, 40_001, 50_000)]);
        if seen {
            before.regions.insert("Dubai".to_owned());
        }
        let mut plan = Plan::new(&before, at(100_000));
        while let Some(window) = plan.next() {
            match &window {
                Window::Everything => {
                    show(&mut plan, &window, &rows("Tokyo", "running", 99_000, 10));
                }
                Window::Regions(names) if names.iter().any(|name| name == "Dubai") => {
                    let alone = names.len() == 1;
                    assert_eq!(plan.rejected(&window), alone && seen);
                }
                _ => show(&mut plan, &window, &[]),
            }
        }
        let found = plan.settle(everything_hides, false);
        assert_eq!(found.gaps.len(), expected_gaps, "{found:?}");
        for gap in found.gaps {
            assert_eq!(gap.region.as_deref(), Some("Dubai"));
            assert_eq!(gap.reason, GapReason::Rejected);
            assert_eq!((gap.since, gap.until), (at(40_001), at(90_001)));
        }
    }
}

/// A region that was never named before has the watermark of all that nobody had named.
#[test]
fn a_new_region_must_reach_back_to_the_watermark_of_the_unnamed() {
    let marks = vec![
        mark(None, 20_000, 50_000),
        mark(Some("Tokyo"), 95_000, 50_000),
    ];
    let mut plan = Plan::new(&before(marks), at(100_000));
    plan.next();
    let mut page = rows("Tokyo", "running", 99_000, 9);
    page.extend(rows("Atlantis", "running", 98_500, 1));
    show(&mut plan, &Window::Everything, &page);
    // Tokyo's watermark is reached, that of the unnamed is not.
    let first = plan.next().unwrap();
    assert_eq!(first, regions(&["Atlantis"]));
    show(&mut plan, &first, &rows("Atlantis", "running", 98_500, 10));
    while let Some(window) = plan.next() {
        let is_running = matches!(&window, Window::Leaf { status, .. } if status == "running");
        let page = rows("Atlantis", "running", 98_500, 10);
        show(&mut plan, &window, if is_running { &page } else { &[] });
    }
    let gaps = plan.settle(everything_hides, false).gaps;
    let since: Vec<_> = gaps
        .iter()
        .map(|g| (g.region.as_deref(), g.since))
        .collect();
    assert_eq!(since, [(Some("Atlantis"), at(20_000))]);
}
