//! The plan against a fleet in memory that moves on between any two calls, over an API that fails,
//! rejects and keeps its own time.

use proptest::prelude::*;

use super::*;

/// The last one is known to nobody before it is seen.
const REGIONS: [&str; 3] = ["Tokyo", "London", "Atlantis"];

/// A fleet that moves on by itself.
#[derive(Debug, Default)]
struct Fleet {
    now: i64,
    /// How far the clock that dates creations is behind.
    behind: i64,
    processes: Vec<Process>,
}

impl Fleet {
    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Create(region) => {
                let id = format!("p-{}", self.processes.len());
                let created = self.now - self.behind;
                let new = process(&id, REGIONS[region], "starting", created);
                self.processes.push(new);
            }
            Event::MoveOn(which, steps) => self.move_on(which, steps),
            Event::Pass(millis) => self.now += millis,
        }
    }

    /// One of the newest moves some way on in its life; never back.
    fn move_on(&mut self, which: usize, steps: usize) {
        let count = self.processes.len();
        if count == 0 {
            return;
        }
        let process = &mut self.processes[count - 1 - which % count.min(40)];
        let status = |s: &str| KNOWN_STATUSES.iter().position(|known| *known == s).unwrap();
        let next = (status(&process.status) + steps).min(KNOWN_STATUSES.len() - 1);
        process.status = KNOWN_STATUSES[next].to_owned();
    }

    /// The newest that match; which of those that were created together come first is anybody's guess.
    fn list(&self, filter: &Filter, guess: usize) -> Vec<Process> {
        let any = |list: &[String], value: &String| list.is_empty() || list.contains(value);
        let matches =
            |p: &&Process| any(&filter.regions, &p.region) && any(&filter.statuses, &p.status);
        let mut newest: Vec<&Process> = self.processes.iter().filter(matches).collect();
        let place = |p: &Process| p.process_id[2..].parse::<usize>().unwrap();
        let among_equals = |p: &Process| place(p).wrapping_mul(guess | 1).rotate_left(9);
        newest.sort_by_key(|p| (std::cmp::Reverse(p.created_at), among_equals(p)));
        newest.into_iter().take(PAGE_ROWS).cloned().collect()
    }
}

/// What happens between two calls.
#[derive(Clone, Debug)]
enum Event {
    Create(usize),
    MoveOn(usize, usize),
    Pass(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..REGIONS.len()).prop_map(Event::Create),
        4 => (any::<usize>(), 1..3_usize).prop_map(|(which, steps)| Event::MoveOn(which, steps)),
        1 => prop_oneof![Just(1), Just(500), Just(1000)].prop_map(Event::Pass),
    ]
}

/// One look: what happens before it and in the middle of it, and what goes wrong.
#[derive(Clone, Debug)]
struct Course {
    pause: i64,
    before: Vec<Event>,
    /// After each call.
    during: Vec<Vec<Event>>,
    /// By the number of the call; the first of them is the list of everything.
    unanswered: Vec<usize>,
    rejects_unknown: bool,
    /// How far the recorder's clock is off, in milliseconds.
    clock_off: i64,
    call_takes: i64,
    guess: usize,
}

fn course() -> impl Strategy<Value = Course> {
    (
        prop_oneof![Just(60_000), Just(200_000), Just(3_000_000)],
        prop::collection::vec(event(), 0..60),
        prop::collection::vec(prop::collection::vec(event(), 0..4), 40),
        prop::collection::vec(0..30_usize, 0..3),
        any::<bool>(),
        prop_oneof![Just(0), Just(0), Just(3_000_000), Just(-3_000_000)],
        prop_oneof![Just(1), Just(500), Just(60_000)],
        any::<usize>(),
    )
        .prop_map(
            |(pause, before, during, unanswered, rejects_unknown, clock_off, call_takes, guess)| {
                Course {
                    pause,
                    before,
                    during,
                    unanswered,
                    rejects_unknown,
                    clock_off,
                    call_takes,
                    guess,
                }
            },
        )
}

/// What the recorder has come to know.
struct Record {
    known: Before,
    ids: BTreeSet<String>,
    gaps: Vec<Gap>,
}

impl Record {
    fn look(&mut self, fleet: &mut Fleet, course: &Course) {
        let mut plan = Plan::new(&self.known, at(fleet.now + course.clock_off));
        let mut during = course.during.iter();
        let mut calls = 0;
        let mut seen = Vec::new();
        while let Some(window) = plan.next() {
            let is_unknown = |region: &String| !REGIONS[..2].contains(&region.as_str());
            let rejects = course.rejects_unknown && window.filter().regions.iter().any(is_unknown);
            if course.unanswered.contains(&calls) {
                if window == Window::Everything {
                    return;
                }
                plan.unanswered(&window);
            } else if rejects {
                plan.rejected(&window);
            } else {
                let page = fleet.list(&window.filter(), course.guess);
                let date = (fleet.now - fleet.behind) / 1000 * 1000;
                plan.page(
                    &window,
                    Seen {
                        processes: &page,
                        rows: page.len(),
                        server_time: Some(at(date)),
                    },
                );
                seen.extend(page);
            }
            calls += 1;
            fleet.now += course.call_takes;
            for event in during.next().into_iter().flatten() {
                fleet.happen(event);
            }
        }
        for process in seen {
            self.known.regions.insert(process.region);
            self.known.statuses.insert(process.status);
            self.ids.insert(process.process_id);
        }
        let found = plan.settle(everything_hides, false);
        self.gaps.extend(found.gaps);
        self.known.marks = found.marks;
    }

    /// Whether the process may be missing without a word.
    fn misses(&self, process: &Process) -> bool {
        let mark = |name: Option<&str>| {
            let mut marks = self.known.marks.iter();
            marks.find(|mark| mark.region.as_deref() == name)
        };
        let mark = mark(Some(&process.region)).or(mark(None));
        // Of the mark's own millisecond more may come to be shown after it.
        let is_covered = mark
            .is_some_and(|mark| mark.since < process.created_at && process.created_at < mark.until);
        let is_in = |gap: &Gap| {
            gap.region
                .as_ref()
                .is_none_or(|region| *region == process.region)
                && gap.since <= process.created_at
                && process.created_at < gap.until
        };
        is_covered && !self.gaps.iter().any(is_in) && !self.ids.contains(&process.process_id)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the fleet does between the looks and in the middle of them, and whatever has no
    /// answer: each process that was created in the time covered is on record, or in a gap.
    #[test]
    fn whatever_moves_meanwhile_nothing_is_missed_outside_a_gap(
        courses in prop::collection::vec(course(), 2..7),
        behind in prop_oneof![Just(0), Just(45_000), Just(300_000), Just(5_000_000), Just(-200_000)],
    ) {
        let mut fleet = Fleet { now: 100_000_000, behind, ..Fleet::default() };
        let mut record = Record { known: before(vec![]), ids: BTreeSet::new(), gaps: Vec::new() };
        for course in &courses {
            fleet.now += course.pause;
            for event in &course.before {
                fleet.happen(event);
            }
            record.look(&mut fleet, course);
        }
        for process in &fleet.processes {
            prop_assert!(
                !record.misses(process),
                "{} in {} of {} was missed; {:?} {:?}",
                process.process_id, process.region, process.created_at,
                record.known.marks, record.gaps
            );
        }
    }
}
