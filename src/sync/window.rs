//! What a page may hide. Pure: no clock, SQL or network.

use crate::model::UtcMillis;

/// How many processes a list shows at most.
pub const PAGE_ROWS: usize = 10;

/// What a look saw, as far as it tells what it may not have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Rows of the page, those included that could not be understood.
    pub rows: usize,
    /// The oldest creation on the page; none on an empty one.
    pub oldest: Option<UtcMillis>,
    /// Whether the oldest process of the page is on record.
    pub reaches_known: bool,
    /// Whether the API no longer knew a process that was open on record: then so much time has
    /// passed that it may have forgotten others that were never seen.
    pub has_forgotten: bool,
    /// When the look was.
    pub observed_at: UtcMillis,
}

impl Seen {
    /// The creation time at which the stretch ends that the look may not have shown; none if it
    /// showed all that was new.
    pub fn hides_until(&self) -> Option<UtcMillis> {
        if self.has_forgotten {
            Some(self.observed_at)
        } else if self.rows < PAGE_ROWS || self.reaches_known {
            None
        } else {
            // A full page of which nothing could be understood may reach back to anywhere.
            // And the page may hide another one of the very millisecond that its oldest is of.
            Some(
                self.oldest
                    .map_or(self.observed_at, |oldest| oldest.plus_millis(1)),
            )
        }
    }
}

/// The stretch of creation time in which processes may be missing: from the newest creation on
/// record before it. None if nothing is on record, for the record begins with the first look.
pub fn gap(until: UtcMillis, newest_known: Option<UtcMillis>) -> Option<(UtcMillis, UtcMillis)> {
    let since = newest_known?;
    (since < until).then_some((since, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> UtcMillis {
        UtcMillis::from_millis(millis).expect("in range")
    }

    #[test]
    fn only_a_full_page_of_strangers_or_a_forgetful_api_hides_anything() {
        for (rows, oldest, reaches_known, has_forgotten, expected) in [
            (9, Some(50), false, false, None),
            (10, Some(50), true, false, None),
            (10, Some(50), false, false, Some(51)),
            (11, Some(50), false, false, Some(51)),
            (10, None, false, false, Some(90)),
            (0, None, false, false, None),
            (3, Some(50), true, true, Some(90)),
            (0, None, false, true, Some(90)),
        ] {
            let seen = Seen {
                rows,
                oldest: oldest.map(at),
                reaches_known,
                has_forgotten,
                observed_at: at(90),
            };
            assert_eq!(seen.hides_until(), expected.map(at), "{seen:?}");
        }
    }

    #[test]
    fn a_gap_begins_after_something_known() {
        assert_eq!(gap(at(50), None), None);
        assert_eq!(gap(at(50), Some(at(20))), Some((at(20), at(50))));
        assert_eq!(gap(at(50), Some(at(50))), None);
    }
}
