//! The plan against a fleet in memory that moves on between any two calls.

use proptest::prelude::*;

use super::*;

/// A fleet that moves on by itself.
#[derive(Debug, Default)]
struct Fleet {
    now: i64,
    /// How far the clock that dates creations is behind.
    behind: i64,
    processes: Vec<Process>,
}

impl Fleet {
    fn create(&mut self, region: usize) {
        let id = format!("p-{}", self.processes.len());
        let new = process(
            &id,
            KNOWN_REGIONS[region],
            "starting",
            self.now - self.behind,
        );
        self.processes.push(new);
    }

    /// One process moves some way on in its life; never back.
    fn move_on(&mut self, which: usize, steps: usize) {
        let count = self.processes.len();
        if count == 0 {
            return;
        }
        let process = &mut self.processes[which % count];
        let status = |s: &str| KNOWN_STATUSES.iter().position(|known| *known == s).unwrap();
        let next = (status(&process.status) + steps).min(KNOWN_STATUSES.len() - 1);
        process.status = KNOWN_STATUSES[next].to_owned();
    }

    fn list(&self, filter: &Filter) -> Vec<Process> {
        let any = |list: &[String], value: &String| list.is_empty() || list.contains(value);
        let newest = self.processes.iter().rev();
        newest
            .filter(|p| any(&filter.regions, &p.region) && any(&filter.statuses, &p.status))
            .take(PAGE_ROWS)
            .cloned()
            .collect()
    }
}

/// What happens between two calls.
#[derive(Clone, Debug)]
enum Event {
    Create(usize),
    MoveOn(usize, usize),
    Nothing,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..2_usize).prop_map(Event::Create),
        3 => (any::<usize>(), 1..3_usize).prop_map(|(which, steps)| Event::MoveOn(which, steps)),
        1 => Just(Event::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the fleet does between the looks and in the middle of them: each process that was
    /// created in the time covered is on record, or in a gap.
    #[test]
    fn whatever_moves_meanwhile_nothing_is_missed_outside_a_gap(
        looks in prop::collection::vec(
            (prop::collection::vec(event(), 0..60), prop::collection::vec(event(), 40)),
            2..6,
        ),
        pauses in prop::collection::vec(prop_oneof![Just(0), Just(200_000), Just(3_000_000)], 6),
        behind in prop_oneof![Just(0), Just(45_000), Just(300_000), Just(5_000_000)],
    ) {
        let mut fleet = Fleet { now: 100_000_000, behind, ..Fleet::default() };
        let mut known = before(vec![]);
        let mut recorded = BTreeSet::new();
        let mut gaps = Vec::new();
        let happen = |fleet: &mut Fleet, event: &Event| {
            match event {
                Event::Create(region) => fleet.create(*region),
                Event::MoveOn(which, steps) => fleet.move_on(*which, *steps),
                Event::Nothing => {}
            }
        };
        for ((between, during), pause) in looks.iter().zip(pauses) {
            fleet.now += pause;
            for (n, event) in between.iter().enumerate() {
                // Some are created in the same millisecond.
                fleet.now += if n % 3 == 0 { 500 } else { 0 };
                happen(&mut fleet, event);
            }
            fleet.now += 500;
            let mut plan = Plan::new(&known, at(fleet.now));
            let mut during = during.iter();
            while let Some(window) = plan.next() {
                let page = fleet.list(&window.filter());
                recorded.extend(page.iter().map(|p| p.process_id.clone()));
                show(&mut plan, &window, &page);
                for event in during.by_ref().take(3) {
                    fleet.now += 500;
                    happen(&mut fleet, event);
                }
            }
            let found = plan.settle(everything_hides, false);
            gaps.extend(found.gaps);
            known.marks = found.marks;
        }
        for process in &fleet.processes {
            let mark = |name: Option<&str>| known.marks.iter().find(|m| m.region.as_deref() == name);
            let mark = mark(Some(&process.region)).or(mark(None)).unwrap();
            let is_covered = mark.since < process.created_at && process.created_at <= mark.until;
            let in_gap = gaps.iter().any(|gap| {
                gap.region.as_ref().is_none_or(|region| *region == process.region)
                    && gap.since <= process.created_at
                    && process.created_at < gap.until
            });
            prop_assert!(
                !is_covered || in_gap || recorded.contains(&process.process_id),
                "{} {} of {} was missed; {:?} {:?}",
                process.process_id, process.region, process.created_at, known.marks, gaps
            );
        }
    }
}
