use proptest::prelude::*;

use super::*;
use crate::model::{Deployment, UtcMillis};

fn time() -> impl Strategy<Value = i64> {
    let (first, last) = (UtcMillis::MIN.millis(), UtcMillis::MAX.millis());
    prop_oneof![8 => 0..5_000_i64, 1 => first..=last, 1 => Just(first), 1 => Just(last)]
}

fn process() -> impl Strategy<Value = (bool, EndedProcess)> {
    let times = (
        time(),
        prop::option::of(time()),
        prop::option::of(time()),
        prop::option::of(time()),
        time(),
    );
    let deployment = prop_oneof![
        any::<i64>().prop_map(Deployment::Number),
        "[a-c]{0,2}".prop_map(Deployment::Name),
    ];
    let place = (0..3_i64, 0..300_i64, deployment, any::<bool>());
    let holds = prop::collection::vec((0..80_000_i64, time()), 0..4);
    (any::<bool>(), times, place, holds).prop_map(|(is_there, times, place, mut holds)| {
        let (created_ms, started_ms, stopping_ms, terminated_ms, seen_ms) = times;
        let (app, region, deployment, has_failed) = place;
        for (_, from) in &mut holds {
            *from = started_ms.unwrap_or(*from);
        }
        let process = EndedProcess {
            key: 0,
            kind: Kind {
                app,
                region,
                deployment,
                has_failed,
                has_started: started_ms.is_some(),
                has_stopping: stopping_ms.is_some(),
                has_terminated: terminated_ms.is_some(),
                holds: holds.len() as u32,
            },
            created_ms,
            started_ms,
            stopping_ms,
            terminated_ms,
            ended_ms: terminated_ms.or(stopping_ms).unwrap_or(seen_ms),
            holds,
        };
        (is_there, process)
    })
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        drawn in prop::collection::vec(process(), 0..40),
        all in any::<bool>(),
        first_key in 1..1_000_000_000_i64,
    ) {
        let last_key = first_key + drawn.len() as i64; // one more than there are
        let mut processes: Vec<EndedProcess> = Vec::new();
        for (key, (is_there, process)) in (first_key..).zip(drawn) {
            if all || is_there {
                processes.push(EndedProcess { key, ..process });
            }
        }
        prop_assert!(processes.iter().all(EndedProcess::fits));
        for last_key in [last_key, last_key - i64::from(last_key > first_key)] {
            let packed = pack_segment(first_key, last_key, &processes);
            prop_assert_eq!(packed.processes, processes.len() as i64);
            let mut unpacked = Unpacked::default();
            let keys = [packed.first_key, packed.last_key];
            unpacked.begin(keys, packed.processes, &packed.present, &packed.kinds).expect("keys");
            for (column, data) in Column::ALL.into_iter().zip(&packed.columns) {
                unpacked.read(column, data).expect("a column");
            }
            let back: Vec<EndedProcess> = unpacked.processes().collect();
            prop_assert_eq!(&back, &processes);
        }
    }
}

#[test]
fn what_does_not_follow_does_not_fit() {
    let fitting = EndedProcess {
        key: 1,
        kind: Kind {
            app: 1,
            region: 2,
            deployment: Deployment::Number(3),
            has_failed: false,
            has_started: true,
            has_stopping: true,
            has_terminated: true,
            holds: 1,
        },
        created_ms: 0,
        started_ms: Some(1),
        stopping_ms: Some(2),
        terminated_ms: Some(3),
        ended_ms: 3,
        holds: vec![(4, 1)],
    };
    assert!(fitting.fits());
    let but = |change: &dyn Fn(&mut EndedProcess)| {
        let mut process = fitting.clone();
        change(&mut process);
        process.fits()
    };
    assert!(!but(&|p| p.ended_ms = 2));
    assert!(!but(&|p| p.holds[0].1 = 2));
    assert!(!but(&|p| p.holds.push((5, 1))));
    assert!(but(&|p| (p.started_ms, p.holds[0].1) = (None, 9)));
}
