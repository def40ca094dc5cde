//! What time it is for a simulated fleet: the caller's business, never the system's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use crate::model::UtcMillis;

/// Says what time it is. A clock that goes back is harmless: the fleet does not.
pub type Clock = Arc<dyn Fn() -> UtcMillis + Send + Sync>;

/// A clock that stands still until it is set. Clones show the same time.
///
/// ```
/// use prochist::simulator::ManualClock;
///
/// let start = "2026-01-05T00:00:00Z".parse()?;
/// let hand = ManualClock::new(start);
/// let clock = hand.clock();
/// hand.advance_millis(1_500);
/// assert_eq!(clock(), start.plus_millis(1_500));
/// # Ok::<(), prochist::model::TimeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `time`.
    pub fn new(time: UtcMillis) -> Self {
        Self(Arc::new(AtomicI64::new(time.millis())))
    }

    /// Shows `time` from now on.
    pub fn set(&self, time: UtcMillis) {
        self.0.store(time.millis(), Ordering::SeqCst);
    }

    /// Moves so many milliseconds on, and says what it shows then.
    pub fn advance_millis(&self, millis: i64) -> UtcMillis {
        let before = self.0.fetch_add(millis, Ordering::SeqCst);
        shown(before.saturating_add(millis))
    }

    /// What it shows.
    pub fn now(&self) -> UtcMillis {
        shown(self.0.load(Ordering::SeqCst))
    }

    /// The same clock, as the server takes it.
    pub fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// A hand moved past the years that can be written stops at the last of them.
fn shown(millis: i64) -> UtcMillis {
    UtcMillis::from_millis(millis).unwrap_or(if millis < 0 {
        UtcMillis::MIN
    } else {
        UtcMillis::MAX
    })
}

/// The moment so many seconds after `time`, as HTTP writes it; none outside the years 1970 to 9999,
/// which it cannot.
pub(super) fn http_date(time: UtcMillis, later_s: u64) -> Option<String> {
    let since_1970_s = u64::try_from(time.millis().div_euclid(1_000)).ok()?;
    let at_s = since_1970_s.checked_add(later_s)?;
    let last_s = UtcMillis::MAX.millis() as u64 / 1_000;
    (at_s <= last_s).then(|| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(at_s)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_writes_the_years_that_it_knows() {
        let last = UtcMillis::MAX.millis();
        for (millis, later_s, written) in [
            (0, 0, Some("Thu, 01 Jan 1970 00:00:00 GMT")),
            (1_999, 0, Some("Thu, 01 Jan 1970 00:00:01 GMT")),
            (1_999, 59, Some("Thu, 01 Jan 1970 00:01:00 GMT")),
            (last, 0, Some("Fri, 31 Dec 9999 23:59:59 GMT")),
            (last - 1_000, 1, Some("Fri, 31 Dec 9999 23:59:59 GMT")),
            (last, 1, None),
            (last, u64::MAX, None),
            (-1, 0, None),
            (-1, 1, None),
            (UtcMillis::MIN.millis(), u64::MAX, None),
        ] {
            let time = UtcMillis::from_millis(millis).expect("a time");
            let date = http_date(time, later_s);
            assert_eq!(date.as_deref(), written, "{millis} + {later_s} s");
        }
    }
}
