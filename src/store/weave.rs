//! Where an observation that comes late belongs among the versions already known.
//!
//! Pure: no SQL, no clock. A process's observations are ordered by time and, within one moment, by
//! state, so that the versions are a function of the set of observations, in whatever order they
//! arrived.

use crate::model::Process;

/// A maximal run of equal observations; times are milliseconds of UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionRun {
    pub first_ms: i64,
    pub last_ms: i64,
    pub state: Process,
}

impl VersionRun {
    /// Whether the process was in this very state at the moment, as far as is known.
    pub fn says(&self, at_ms: i64, state: &Process) -> bool {
        self.first_ms <= at_ms && at_ms <= self.last_ms && self.state == *state
    }
}

/// What a late observation does to the versions.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Woven {
    /// It was known already.
    Known,
    /// It lies inside a version that says the same: one more moment, the same versions.
    Within,
    /// The versions are now these.
    Versions(Vec<VersionRun>),
}

/// Puts the observation `state` at `at_ms` among `runs`, which are in order. `seen_ms` are the
/// moments of all known observations, in order and without repetition; it is asked for only if
/// needed.
pub(super) fn weave<E>(
    runs: &[VersionRun],
    at_ms: i64,
    state: &Process,
    was_seen_at: impl FnOnce() -> Result<bool, E>,
    seen_ms: impl FnOnce() -> Result<Vec<i64>, E>,
) -> Result<Woven, E> {
    if let Some(run) = runs.iter().find(|run| run.says(at_ms, state)) {
        // A version's first and last moment were observed, by its definition.
        let known = run.first_ms == at_ms || run.last_ms == at_ms || was_seen_at()?;
        return Ok(if known { Woven::Known } else { Woven::Within });
    }
    let mut states: Vec<&Process> = runs.iter().map(|run| &run.state).collect();
    states.push(state);
    let mut seen = observations(runs, seen_ms()?, 0);
    seen.push((at_ms, states.len() - 1));
    Ok(Woven::Versions(cut(seen, &states)))
}

/// The versions of all observations of two records of one process: of each its runs, in order, and the
/// moments at which it was observed, in order and without repetition. Moments in no run are none.
pub(super) fn unite(
    (runs, seen_ms): (&[VersionRun], Vec<i64>),
    (others, others_seen_ms): (&[VersionRun], Vec<i64>),
) -> Vec<VersionRun> {
    let states: Vec<&Process> = runs.iter().chain(others).map(|run| &run.state).collect();
    let mut seen = observations(runs, seen_ms, 0);
    seen.extend(observations(others, others_seen_ms, runs.len()));
    cut(seen, &states)
}

/// Which run was observed when, as its number, of which the first is given.
fn observations(runs: &[VersionRun], seen_ms: Vec<i64>, first: usize) -> Vec<(i64, usize)> {
    let mut seen = Vec::new();
    let mut over = 0;
    for at in seen_ms {
        // Both are in order of time; several runs may share a moment.
        over += runs[over..].partition_point(|run| run.last_ms < at);
        let now = runs.iter().enumerate().skip(over);
        let now = now.take_while(|(_, run)| run.first_ms <= at);
        seen.extend(now.map(|(index, _)| (at, first + index)));
    }
    seen
}

/// Cuts observations, by the numbers of their states, into maximal runs.
fn cut(mut seen: Vec<(i64, usize)>, states: &[&Process]) -> Vec<VersionRun> {
    seen.sort_by(|a, b| {
        a.0.cmp(&b.0)
            .then_with(|| states[a.1].cmp(states[b.1]))
            .then_with(|| a.1.cmp(&b.1))
    });
    let mut woven: Vec<VersionRun> = Vec::new();
    for (at, index) in seen {
        match woven.last_mut() {
            Some(last) if last.state == *states[index] => last.last_ms = at,
            _ => woven.push(VersionRun {
                first_ms: at,
                last_ms: at,
                state: states[index].clone(),
            }),
        }
    }
    woven
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Deployment, Extra, UtcMillis};

    fn state(rooms: i64) -> Process {
        Process {
            process_id: "p".into(),
            app_id: "a".into(),
            deployment_id: Deployment::Number(1),
            region: "Tokyo".into(),
            status: "running".into(),
            rooms_allocated: rooms,
            rooms_per_process: 3,
            created_at: UtcMillis::from_millis(0).expect("in range"),
            started_at: None,
            stopping_at: None,
            terminated_at: None,
            exposed_port: None,
            additional_exposed_ports: Vec::new(),
            extra: Extra::default(),
        }
    }

    /// The definition itself: sort the set, cut it into runs.
    fn versions_by_definition(observations: &BTreeSet<(i64, i64)>) -> Vec<(i64, i64, i64)> {
        let mut runs: Vec<(i64, i64, i64)> = Vec::new();
        for &(at, rooms) in observations {
            match runs.last_mut() {
                Some(run) if run.2 == rooms => run.1 = at,
                _ => runs.push((at, at, rooms)),
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn two_records_united_give_the_versions_of_the_definition(
            one in prop::collection::btree_set((0..12_i64, 0..3_i64), 1..20),
            other in prop::collection::btree_set((0..12_i64, 0..3_i64), 1..20),
        ) {
            let record = |observations: &BTreeSet<(i64, i64)>| {
                let runs: Vec<VersionRun> = versions_by_definition(observations)
                    .into_iter()
                    .map(|(first_ms, last_ms, rooms)| VersionRun { first_ms, last_ms, state: state(rooms) })
                    .collect();
                let seen: BTreeSet<i64> = observations.iter().map(|&(at, _)| at).collect();
                (runs, seen.into_iter().collect::<Vec<i64>>())
            };
            let ((runs, seen), (others, others_seen)) = (record(&one), record(&other));
            let got: Vec<_> = unite((&runs, seen), (&others, others_seen))
                .iter()
                .map(|run| (run.first_ms, run.last_ms, run.state.rooms_allocated))
                .collect();
            prop_assert_eq!(got, versions_by_definition(&(&one | &other)));
        }

        #[test]
        fn any_order_of_arrival_gives_the_versions_of_the_definition(
            observations in prop::collection::vec((0..12_i64, 0..3_i64), 1..40)
        ) {
            let mut runs = Vec::new();
            let mut known = BTreeSet::new();
            for &(at, rooms) in &observations {
                let seen: BTreeSet<i64> = known.iter().map(|&(at, _)| at).collect();
                let woven = weave(
                    &runs,
                    at,
                    &state(rooms),
                    || Ok::<_, Infallible>(seen.contains(&at)),
                    || Ok(seen.iter().copied().collect()),
                ).expect("infallible");
                let is_new = known.insert((at, rooms));
                prop_assert_eq!(woven == Woven::Known, !is_new);
                if let Woven::Versions(versions) = woven {
                    runs = versions;
                }
                let got: Vec<_> = runs
                    .iter()
                    .map(|run| (run.first_ms, run.last_ms, run.state.rooms_allocated))
                    .collect();
                prop_assert_eq!(got, versions_by_definition(&known));
            }
        }
    }
}
