//! What time it is for a simulated fleet: the caller's business, never the system's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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
