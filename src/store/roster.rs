//! The processes that a recorder remembers: those of the stream's latest snapshot, those that have something
//! pending, and for a while some that were met besides.
//!
//! A source mostly lists its processes in the same order each time, so the one that stood next last time
//! is tried before it is searched for.

use std::collections::HashMap;

use super::tracked::{Tracked, Unwritten};

/// So few more than are shown may be remembered in any case.
const MANY: usize = 10_000;

/// How many that stood next are tried: more than one, for some have gone since.
const TRIED: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Roster {
    /// A place is empty while its process is being looked at, or has been forgotten.
    places: Vec<Option<Box<Tracked>>>,
    free: Vec<usize>,
    by_id: HashMap<String, usize>,
    /// Shown by the stream's latest snapshot, in its order, and by the one in progress.
    before: Vec<usize>,
    now: Vec<usize>,
    /// How far the snapshot in progress has come in `before`.
    next: usize,
}

impl Roster {
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn add(&mut self, tracked: Box<Tracked>) -> usize {
        let id = tracked.latest.process_id.clone();
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place] = Some(tracked);
                place
            }
            None => {
                self.places.push(Some(tracked));
                self.places.len() - 1
            }
        };
        self.by_id.insert(id, place);
        place
    }

    pub fn find(&mut self, process_id: &str) -> Option<usize> {
        for (ahead, place) in self.before.iter().skip(self.next).take(TRIED).enumerate() {
            let there = self.places.get(*place).and_then(Option::as_ref);
            if there.is_some_and(|tracked| tracked.latest.process_id == process_id) {
                self.next += ahead + 1;
                return Some(*place);
            }
        }
        self.by_id.get(process_id).copied()
    }

    pub fn get(&mut self, place: usize) -> Option<&mut Tracked> {
        self.places.get_mut(place)?.as_deref_mut()
    }

    pub fn take(&mut self, place: usize) -> Option<Box<Tracked>> {
        self.places.get_mut(place)?.take()
    }

    pub fn put(&mut self, place: usize, tracked: Box<Tracked>) {
        self.places[place] = Some(tracked);
    }

    /// The snapshot in progress shows it.
    pub fn show(&mut self, place: usize) {
        self.now.push(place);
    }

    /// Those that the latest snapshot showed.
    pub fn shown_before(&self) -> Vec<usize> {
        self.before.clone()
    }

    /// The snapshot in progress is now the latest one. Where many more are remembered than it shows, those
    /// that need not be are forgotten.
    pub fn turn(&mut self) {
        self.before = std::mem::take(&mut self.now);
        self.next = 0;
        if self.by_id.len() > 4 * self.before.len() + MANY {
            self.forget_the_gone();
        }
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tracked> {
        self.places
            .iter_mut()
            .flatten()
            .map(|tracked| &mut **tracked)
    }

    /// Forgets those that neither the latest snapshot nor the one in progress shows, of which nothing is
    /// pending.
    pub fn forget_the_gone(&mut self) {
        let mut is_shown = vec![false; self.places.len()];
        for place in self.before.iter().chain(&self.now) {
            is_shown[*place] = true;
        }
        for (place, is_shown) in is_shown.into_iter().enumerate() {
            if is_shown {
                continue;
            }
            if let Some(gone) = self.places[place].take_if(|t| t.unwritten == Unwritten::Nothing) {
                self.by_id.remove(&gone.latest.process_id);
                self.free.push(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Deployment, Extra, Outcome, Process, UtcMillis};

    /// As the file has it.
    fn written(process_id: &str) -> Box<Tracked> {
        let at = UtcMillis::from_millis(0).expect("in range");
        Box::new(Tracked {
            key: 1,
            latest: Arc::new(Process {
                process_id: process_id.into(),
                app_id: "a".into(),
                deployment_id: Deployment::Number(1),
                region: "Tokyo".into(),
                status: "stopped".into(),
                rooms_allocated: 0,
                rooms_per_process: 3,
                created_at: at,
                started_at: None,
                stopping_at: None,
                terminated_at: Some(at),
                exposed_port: None,
                additional_exposed_ports: Vec::new(),
                extra: Extra::default(),
            }),
            ids: None,
            versions: 1,
            outcome: Outcome::Stopped,
            first_seen_ms: 0,
            last_seen_ms: 0,
            seen_here_ms: i64::MIN,
            sighting: None,
            lost_ms: None,
            seen_ended_ms: None,
            holds: None,
            late: None,
            unwritten: Unwritten::Nothing,
            pending_version: None,
        })
    }

    /// An archive that is on record already leaves nothing to write, and so nothing to commit before long.
    #[test]
    fn what_is_no_longer_shown_is_forgotten_though_nothing_is_written() {
        let mut roster = Roster::default();
        for snapshot in 0..10 {
            for number in 0..5_000 {
                let place = roster.add(written(&format!("{snapshot}-{number}")));
                roster.show(place);
            }
            roster.turn();
        }
        assert!(
            roster.by_id.len() <= 5 * 5_000 + MANY,
            "{}",
            roster.by_id.len()
        );
        assert_eq!(roster.find("0-0"), None);
        assert!(roster.find("9-4999").is_some());
    }
}
