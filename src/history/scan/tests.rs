//! Clusters by hand, and fleets that live by a seed and a rate, in which there is nothing to find.

use super::*;

const S: i64 = 1_000;
const MINUTE: i64 = 60 * S;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Even numbers between 0 and 1, the same for each seed (SplitMix64: Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", OOPSLA 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A Poisson process with so many an hour, which may be no more than `most`.
    fn moments(&mut self, until: i64, most: f64, an_hour: impl Fn(i64) -> f64) -> Vec<i64> {
        let (mut at, mut moments) = (0.0, Vec::new());
        loop {
            at += -(1.0 - self.next()).ln() / most * HOUR as f64;
            if at >= until as f64 {
                return moments;
            }
            let kept = self.next() * most;
            if kept < an_hour(at as i64) {
                moments.push(at as i64);
            }
        }
    }
}

/// So many slots over a stretch of time, each with a process in it that is replaced as soon as it ends.
fn replaced(slots: usize, until: i64, ends: &mut [i64]) -> Lived {
    ends.sort_unstable();
    let mut lives = Vec::new();
    for slot in 0..slots {
        let mut begin = 0;
        for end in ends.iter().skip(slot).step_by(slots) {
            lives.push((begin, *end));
            begin = *end;
        }
        lives.push((begin, until));
    }
    Lived::of(lives)
}

/// The bursts of such a fleet in order of time: their first, their last, and how many.
fn bursts(slots: usize, until: i64, ends: &[i64]) -> Vec<(i64, i64, usize)> {
    let mut ends = ends.to_vec();
    let lived = replaced(slots, until, &mut ends);
    of(&lived, &ends)
}

fn of(lived: &Lived, ends: &[i64]) -> Vec<(i64, i64, usize)> {
    let mut spans: Vec<_> = clusters(lived, ends, BURST)
        .into_iter()
        .map(|found| &ends[found.moments])
        .map(|ends| (ends[0], ends[ends.len() - 1], ends.len()))
        .collect();
    spans.sort_unstable();
    spans
}

/// One every ten minutes.
fn even() -> Vec<i64> {
    (0..144).map(|n| (10 * n + 5) * MINUTE).collect()
}

#[test]
fn the_tail_as_a_sum() {
    let choose = |n: u32, k: u32| (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
    for (k, n, p) in [
        (0, 5, 0.3),
        (1, 5, 0.3),
        (5, 5, 0.3),
        (3, 40, 0.01),
        (3, 40, 0.9),
        (7, 12, 0.5),
        (60, 100, 0.2),
    ] {
        let expected: f64 = (k..=n)
            .map(|i| choose(n, i) * f64::powi(p, i as i32) * f64::powi(1.0 - p, (n - i) as i32))
            .sum();
        let found = ln_at_least(k as usize, n as usize, p).exp();
        assert!(
            (found - expected).abs() < 1e-11 * expected,
            "{k} of {n}: {found} {expected}"
        );
    }
    let never = f64::NEG_INFINITY;
    assert_eq!(
        [(6, 5, 0.5), (3, 5, 0.0), (3, 5, 1.0)].map(|(k, n, p)| ln_at_least(k, n, p)),
        [never, never, 0.0]
    );
    // All of a thousand at once: no number is so small, but its logarithm is.
    let all = ln_at_least(1000, 1000, 1e-4);
    assert!((all - 1000.0 * 1e-4_f64.ln()).abs() < 1e-6, "{all}");
}

#[test]
fn so_much_time_lived_before_and_after() {
    // Two from 0 to 100, one from 50 to 300, none from 300 to 400, one from 400 to 500.
    let lived = Lived::of(vec![(0, 100), (0, 100), (50, 300), (400, 500)]);
    assert_eq!(lived.all(), 550);
    for (until, much, from) in [
        (500, 100, 400),
        (500, 101, 299), // none lived in between
        (100, 30, 90),
        (100, 31, 89),
        (100, 250, 0),
        (100, 251, 0), // there is no more
        (0, 1, 0),
        (-5, 1, -5),
    ] {
        assert_eq!(lived.back(until, much), from, "{much} before {until}");
    }
    for (from, much, until) in [
        (0, 100, 50),
        (0, 101, 51),
        (90, 30, 100),
        (250, 50, 300),
        (250, 51, 401),
        (250, 150, 500),
        (250, 151, 500), // there is no more
        (900, 1, 900),
    ] {
        assert_eq!(lived.forth(from, much), until, "{much} after {from}");
    }
}

#[test]
fn ends_that_are_spread_evenly_are_no_burst() {
    assert_eq!(bursts(12, DAY, &even()), []);
    assert_eq!(bursts(3, DAY, &[]), []);
    // Nor are four at once, of however many; five are.
    let few = [700 * MINUTE; 5];
    assert_eq!(bursts(40, DAY, &few[..4]), []);
    assert_eq!(bursts(40, DAY, &few).len(), 1);
}

#[test]
fn a_restart_of_all_is_one_burst() {
    let mut ends = even();
    let at = 722 * MINUTE;
    ends.extend([at; 12]);
    assert_eq!(bursts(12, DAY, &ends), [(at, at, 12)]);
    // Two, hours apart, are two, and the wider stretch that holds more of one is that one.
    ends.extend((0..10).map(|n| 1200 * MINUTE + 25 * S * n));
    let later = (1200 * MINUTE, 1200 * MINUTE + 225 * S, 10);
    assert_eq!(bursts(12, DAY, &ends), [(at, at, 12), later]);
    // So many in a second are too unlikely for a number, and so they are with one that comes later.
    ends.extend([at + 3; 130]);
    ends.push(at + 5 * S);
    let both = (at, at + 3, 142);
    assert_eq!(bursts(140, DAY, &ends)[0], both);
}

/// Thirty processes that live for a minute and a half: every minute twenty end.
#[test]
fn a_restart_of_what_lives_for_a_minute_and_a_half() {
    let at = 6 * HOUR;
    let (mut lives, mut ends) = (Vec::new(), Vec::new());
    for n in 0..30 {
        let mut begin = -3 * S * n;
        while begin < 12 * HOUR {
            let mut over = begin + 90 * S;
            if begin < at && at < over {
                over = at + 30 * n; // within a second
            }
            lives.push((begin.max(0), over.clamp(0, 12 * HOUR)));
            // The new ones do not keep step with each other.
            begin = over
                + if over < at || over > at + S {
                    0
                } else {
                    3 * S * n
                };
            ends.extend(Some(over).filter(|over| (0..12 * HOUR).contains(over)));
        }
    }
    ends.sort_unstable();
    let found = of(&Lived::of(lives), &ends);
    assert_eq!(found.len(), 1, "{found:?}");
    let (since, until, n) = found[0];
    assert!(since >= at - S && until <= at + S && n >= 29, "{found:?}");
}

/// All end and nothing runs for two hours: what came before, and what came then, is around.
#[test]
fn an_end_of_all_is_a_burst_whatever_comes_then() {
    let mut lives = Vec::new();
    let mut ends = Vec::new();
    for n in 0..12 {
        lives.extend([(0, 6 * HOUR), (8 * HOUR, 8 * HOUR + (n + 1) * 20 * MINUTE)]);
        ends.extend([6 * HOUR + n, 8 * HOUR + (n + 1) * 20 * MINUTE]);
    }
    ends.sort_unstable();
    assert_eq!(
        of(&Lived::of(lives.clone()), &ends),
        [(6 * HOUR, 6 * HOUR + 11, 12)]
    );
    // And if nothing comes.
    lives.retain(|(begin, _)| *begin == 0);
    assert_eq!(of(&Lived::of(lives), &ends[..12]).len(), 1);
}

/// Forty processes, of which one ends every two minutes; from noon until six five times as many.
fn risen(at: i64) -> f64 {
    if (12 * HOUR..18 * HOUR).contains(&at) {
        150.0
    } else {
        30.0
    }
}

/// As many as never at night, and as many as at noon of a busy day.
fn by_the_sun(at: i64) -> f64 {
    let noon = (at % DAY) as f64 / DAY as f64 * std::f64::consts::TAU;
    60.0 * (1.0 - noon.cos())
}

#[test]
fn a_rate_that_is_higher_for_hours_is_no_burst() {
    for seed in 0..20 {
        let ends = Chance(seed).moments(DAY, 150.0, risen);
        assert_eq!(bursts(40, DAY, &ends), [], "risen, {seed}");
        // Asked while it goes on, and before it is over.
        let until = 12 * HOUR + 50 * MINUTE;
        let some: Vec<i64> = ends.iter().copied().filter(|end| *end < until).collect();
        assert_eq!(bursts(40, until, &some), [], "rising, {seed}");
        let ends = Chance(seed).moments(4 * DAY, 120.0, by_the_sun);
        assert_eq!(bursts(40, 4 * DAY, &ends), [], "days, {seed}");
    }
}

#[test]
fn a_crash_is_a_burst_where_the_rate_is_high_already() {
    for seed in 0..40 {
        let mut ends = Chance(seed).moments(DAY, 150.0, risen);
        let at = 14 * HOUR + seed as i64 * MINUTE;
        ends.extend((0..12).map(|n| at + n * 700));
        let found = bursts(40, DAY, &ends);
        assert_eq!(found.len(), 1, "{seed}: {found:?}");
        let (since, until, n) = found[0];
        assert!((at - 10 * S..=at).contains(&since), "{seed}: {found:?}");
        assert!(until < at + 20 * S && n >= 12, "{seed}: {found:?}");
    }
}

/// Six in a minute at night, when there is nothing else, are fewer than in most minutes of the day.
#[test]
fn what_is_usual_at_other_times_is_no_burst() {
    let night: Vec<i64> = (0..6).map(|n| 2 * HOUR + 8 * n * S).collect();
    let noon = (0..3600).map(|n| 12 * HOUR + 6 * n * S);
    let ends: Vec<i64> = night.iter().copied().chain(noon).collect();
    assert_eq!(bursts(40, DAY, &ends), []);
    // Without such a noon they are one.
    assert_eq!(bursts(40, DAY, &night).len(), 1);
}

/// Ten times as many processes for eight hours end ten times as often, which is no burst.
#[test]
fn a_busy_day_is_no_burst() {
    let (mut lives, mut ends) = (Vec::new(), Vec::new());
    for (from, until, slots) in [(0, 24 * 60, 4), (8 * 60, 16 * 60, 36)] {
        for slot in 0..slots {
            let mut begin = from + slot * 40 / slots;
            while begin < until {
                let over = (begin + 40).min(24 * 60);
                lives.push((begin * MINUTE, over * MINUTE));
                ends.extend(Some(over * MINUTE).filter(|over| *over < DAY));
                begin = over;
            }
        }
    }
    ends.sort_unstable();
    assert_eq!(of(&Lived::of(lives), &ends), []);
}

/// Whatever is less likely than p is found in at most that share of records in which chance alone is
/// at work: at one rate, at one that rises, and in a fleet that grows tenfold.
#[test]
fn false_alarms_are_no_more_than_p_says() {
    const RECORDS: u64 = 200;
    let chance_alone = Limits {
        least: 3,
        times: 0.0,
        most_p: 0.1,
    };
    let (small, large) = (6 * HOUR, 12 * HOUR);
    let steady = |_| 20.0;
    let rises = |at| if at < small { 4.0 } else { 40.0 };
    let mut alarms = [[0; 2]; 3];
    for seed in 0..RECORDS {
        let mut even = Chance(seed).moments(large, 20.0, steady);
        let mut risen = Chance(seed).moments(large, 40.0, rises);
        let grown = risen.clone();
        let lives = (0..20).map(|slot| (if slot < 2 { 0 } else { small }, large));
        let records = [
            (replaced(8, large, &mut even), even),
            (replaced(8, large, &mut risen), risen),
            (Lived::of(lives.collect()), grown),
        ];
        for ((lived, ends), [some, few]) in records.iter().zip(&mut alarms) {
            let found = clusters(lived, ends, chance_alone);
            *some += u64::from(!found.is_empty());
            *few += u64::from(found.iter().any(|cluster| cluster.p() < 0.01));
        }
    }
    for [some, few] in alarms {
        assert!(some <= RECORDS / 10 && few <= RECORDS / 100, "{alarms:?}");
    }
    // Nor so few that p would say nothing.
    assert!(alarms[0][0] >= RECORDS / 100, "{alarms:?}");
}
