//! What a page may hide. Pure: no clock, SQL or network.

use crate::model::UtcMillis;

/// How many processes a list shows at most.
pub const PAGE_ROWS: usize = 10;

/// The stretch of creation time in which a page that shows no known process may hide others: from
/// the newest creation on record before it, to the oldest that it shows.
///
/// None if the page is not full, for then it hides nothing, or if nothing is on record: the record
/// begins with the first look.
pub fn may_hide(
    rows: usize,
    oldest_shown: UtcMillis,
    newest_known: Option<UtcMillis>,
) -> Option<(UtcMillis, UtcMillis)> {
    let since = newest_known.filter(|_| rows >= PAGE_ROWS)?;
    (since < oldest_shown).then_some((since, oldest_shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_page_after_something_known_hides_anything() {
        let at = |millis| UtcMillis::from_millis(millis).expect("in range");
        for (rows, oldest, known, expected) in [
            (9, 50, Some(20), None),
            (10, 50, None, None),
            (10, 50, Some(20), Some((20, 50))),
            (10, 50, Some(50), None),
            (11, 50, Some(49), Some((49, 50))),
        ] {
            assert_eq!(
                may_hide(rows, at(oldest), known.map(at)),
                expected.map(|(since, until): (i64, i64)| (at(since), at(until))),
                "{rows} rows from {oldest}, known {known:?}"
            );
        }
    }
}
