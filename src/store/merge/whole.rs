//! How far the record of an app is whole, put together from what two recorders proved of it. Pure.
//!
//! Region by region the one counts that reaches further. Where it began only after the other had ended,
//! there is a hole between them, in which processes may have come and gone unseen by both.

use std::collections::{BTreeMap, BTreeSet};

/// The clocks of a server and of whoever dates creations are taken to agree to within so much.
const CLOCKS_AGREE_MS: i64 = 5 * 60_000;

/// What was proved of an app and region, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub since_ms: i64,
    pub until_ms: i64,
    pub looked_ms: i64,
    pub server_ms: Option<i64>,
    pub unaccounted: Option<i64>,
}

impl Mark {
    /// Until when it is whole: in a quiet app, until shortly before the look.
    pub fn whole_until_ms(&self) -> i64 {
        let looked_ms = self.server_ms.map(|at| at - CLOCKS_AGREE_MS);
        self.until_ms.max(looked_ms.unwrap_or(i64::MIN))
    }
}

/// By region, 0 for those without a row of their own.
pub(super) type Marks = BTreeMap<i64, Mark>;

/// What is known of a region.
pub(super) fn of(marks: &Marks, region: i64) -> Option<&Mark> {
    marks.get(&region).or_else(|| marks.get(&0))
}

/// What both prove together, and the holes between them: region, from when until when.
pub(super) fn joined(ours: &Marks, theirs: &Marks) -> (Marks, Vec<(i64, i64, i64)>) {
    let regions: BTreeSet<i64> = ours.keys().chain(theirs.keys()).copied().collect();
    let (mut marks, mut holes) = (Marks::new(), Vec::new());
    for region in regions {
        let mark = match (of(ours, region), of(theirs, region)) {
            (Some(one), Some(other)) => {
                let order = |mark: &Mark| (mark.until_ms, mark.looked_ms);
                let (earlier, later) = match order(one) <= order(other) {
                    true => (one, other),
                    false => (other, one),
                };
                let whole_until_ms = earlier.whole_until_ms();
                if whole_until_ms < later.since_ms {
                    holes.push((region, whole_until_ms, later.since_ms));
                }
                Mark {
                    since_ms: earlier.since_ms.min(later.since_ms),
                    ..later.clone()
                }
            }
            (Some(mark), None) | (None, Some(mark)) => mark.clone(),
            (None, None) => continue,
        };
        marks.insert(region, mark);
    }
    (marks, holes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(since_ms: i64, until_ms: i64) -> Mark {
        Mark {
            since_ms,
            until_ms,
            looked_ms: until_ms,
            server_ms: None,
            unaccounted: None,
        }
    }

    fn both(one: &[(i64, Mark)], other: &[(i64, Mark)]) -> (Marks, Vec<(i64, i64, i64)>) {
        let marks = |marks: &[(i64, Mark)]| marks.iter().cloned().collect::<Marks>();
        let joined_here = joined(&marks(one), &marks(other));
        assert_eq!(
            joined_here,
            joined(&marks(other), &marks(one)),
            "in any order"
        );
        joined_here
    }

    #[test]
    fn records_that_meet_are_whole_from_the_one_s_beginning_to_the_other_s_end() {
        let (marks, holes) = both(&[(0, mark(10, 50))], &[(0, mark(40, 90))]);
        assert_eq!((marks[&0].since_ms, marks[&0].until_ms), (10, 90));
        assert!(holes.is_empty());
    }

    #[test]
    fn between_records_that_do_not_meet_there_is_a_hole() {
        let (marks, holes) = both(&[(0, mark(10, 50))], &[(0, mark(60, 90))]);
        assert_eq!((marks[&0].since_ms, marks[&0].until_ms), (10, 90));
        assert_eq!(holes, [(0, 50, 60)]);
    }

    #[test]
    fn a_quiet_app_is_whole_until_shortly_before_the_look() {
        let quiet = Mark {
            server_ms: Some(1_000_000),
            ..mark(10, 50)
        };
        let (_, holes) = both(&[(0, quiet.clone())], &[(0, mark(700_000, 2_000_000))]);
        assert!(holes.is_empty());
        let (_, holes) = both(&[(0, quiet)], &[(0, mark(700_001, 2_000_000))]);
        assert_eq!(holes, [(0, 700_000, 700_001)]);
    }

    #[test]
    fn a_look_that_was_cut_short_takes_nothing_from_a_region_that_it_left_behind() {
        let ours = [(0, mark(10, 50)), (7, mark(10, 80))];
        let theirs = [(0, mark(10, 90)), (7, mark(10, 20))];
        let (marks, holes) = both(&ours, &theirs);
        assert_eq!((marks[&0].until_ms, marks[&7].until_ms), (90, 80));
        assert!(holes.is_empty());
        // A region with a row on one side only is that of all others on the other side.
        let (marks, _) = both(&[(0, mark(10, 50))], &theirs);
        assert_eq!(marks[&7].until_ms, 50);
    }
}
