//! What time tells, and whose clock may tell it.

use super::*;

#[test]
fn a_pause_longer_than_the_api_is_trusted_to_remember_is_a_gap() {
    let hour = TRUSTED_MEMORY_MS;
    let ended = |end: i64| {
        let mut process = process("old", "Tokyo", "stopped", 10_000);
        process.terminated_at = Some(at(end));
        process
    };
    for (pause, shown, has_forgotten, is_gap) in [
        (hour, None, false, false),
        (hour + 1, None, false, true),
        (hour + 1, Some(ended(50_001)), false, true),
        // It remembers one that had ended before the pause, so it remembers all since.
        (hour + 1, Some(ended(50_000)), false, false),
        (1000, None, true, true),
        (1000, Some(ended(50_000)), true, true),
    ] {
        let now = 50_000 + pause;
        let mut plan = Plan::new(&before(vec![mark(None, 40_001, 50_000)]), at(now));
        plan.next();
        let page: Vec<Process> = shown.into_iter().collect();
        show(&mut plan, &Window::Everything, &page);
        let gaps = plan.settle(everything_hides, has_forgotten).gaps;
        let expected = Gap {
            app_id: "app-1".to_owned(),
            region: None,
            status: None,
            since: at(40_001),
            until: at(now),
            reason: GapReason::Forgotten,
            hidden_at_least: None,
        };
        let expected: &[Gap] = if is_gap { &[expected] } else { &[] };
        assert_eq!(gaps, expected, "{pause} {page:?}");
    }
}

/// A creation dated into the future must not carry the watermark along: then every page would seem
/// to reach back to it.
#[test]
fn a_date_in_the_future_proves_nothing() {
    let mut plan = Plan::new(&before(vec![mark(None, 40_001, 50_000)]), at(100_000));
    plan.next();
    show(
        &mut plan,
        &Window::Everything,
        &rows("Tokyo", "running", 900_000, 1),
    );
    let marks = plan.settle(everything_hides, false).marks;
    assert_eq!(marks[0].until, at(40_001));
    // The server's own clock tells what is the future, to the second that a date may be short.
    let mut plan = Plan::new(&before(vec![mark(None, 40_001, 50_000)]), at(100_000));
    plan.next();
    let page = Seen {
        processes: &rows("Tokyo", "running", 96_001, 3),
        rows: 3,
        server_time: Some(at(95_000)),
    };
    plan.page(&Window::Everything, page);
    assert_eq!(
        plan.settle(everything_hides, false).marks[0].until,
        at(95_001)
    );
}

/// With nothing created yet, nothing tells how far behind the clock is that dates creations.
#[test]
fn an_empty_first_look_proves_no_page_that_comes_later() {
    let mut plan = Plan::new(&before(vec![]), at(100_000_000));
    plan.next();
    show(&mut plan, &Window::Everything, &[]);
    let marks = plan.settle(everything_hides, false).marks;
    assert_eq!(marks[0].since, at(100_000_000));
    let mut plan = Plan::new(&before(marks), at(100_060_000));
    while let Some(window) = plan.next() {
        show(
            &mut plan,
            &window,
            &rows("Tokyo", "running", 90_000_000, 10),
        );
    }
    assert!(!plan.settle(everything_hides, false).gaps.is_empty());
}

/// A burst after a long quiet time hides nothing from before the look that found it quiet: by the
/// server's clock, if the one that dates creations keeps time with it, and never by ours.
#[test]
fn a_gap_after_a_quiet_time_begins_with_the_look_before() {
    let (day, hour, minute) = (86_400_000, 3_600_000, 60_000);
    let now = day + hour;
    for (told_then, told_now, behind, since) in [
        (Some(day), Some(now), 0, day - 5 * minute),
        (Some(day), Some(now), 4 * minute, day - 5 * minute),
        (Some(day), Some(now), 6 * minute, 40_001),
        (Some(day), Some(now), -6 * minute, 40_001),
        (Some(day), None, 0, 40_001),
        (None, Some(now), 0, 40_001),
    ] {
        let marks = vec![Watermark {
            server_time: told_then.map(at),
            // Ours was set wrong at the time.
            ..mark(None, 40_001, 7 * day)
        }];
        let mut plan = Plan::new(&before(marks), at(now));
        while let Some(window) = plan.next() {
            let page = match &window {
                Window::Regions(names) if names[0] != "Tokyo" => vec![],
                window => full_page(window, now - 1000 - behind),
            };
            let seen = Seen {
                processes: &page,
                rows: page.len(),
                server_time: told_now.map(at),
            };
            plan.page(&window, seen);
        }
        let gaps = plan.settle(everything_hides, false).gaps;
        assert_eq!(gaps.len(), 6);
        let expected = |gap: &Gap| gap.since == at(since);
        assert!(gaps.iter().all(expected), "{told_then:?} {behind} {gaps:?}");
    }
}
