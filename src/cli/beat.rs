//! When does a sync that goes on begin its next run? Pure.

use std::time::Duration;

/// The beat after a run that ended `elapsed` after the first one began, counted from there as well.
/// Beats are whole multiples of the interval, so they do not drift; those that passed while a run
/// lasted are left out.
pub fn next_beat(elapsed: Duration, interval: Duration) -> Duration {
    let into = elapsed.as_nanos() % interval.as_nanos().max(1);
    let left = interval.saturating_sub(nanos(into));
    elapsed.saturating_add(left)
}

/// No more than fit in an interval.
fn nanos(n: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    Duration::new((n / SECOND) as u64, (n % SECOND) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_multiples_of_the_interval_and_later_than_now() {
        let ms = Duration::from_millis;
        for (elapsed, interval, next) in [
            (ms(0), ms(60_000), ms(60_000)),
            (ms(1), ms(60_000), ms(60_000)),
            (ms(59_999), ms(60_000), ms(60_000)),
            // A run that took a whole interval has used up the beat that it ended on.
            (ms(60_000), ms(60_000), ms(120_000)),
            (ms(60_001), ms(60_000), ms(120_000)),
            // Two and a half intervals: two beats are skipped, and the grid stays.
            (ms(150_000), ms(60_000), ms(180_000)),
            (ms(25), ms(10), ms(30)),
            // A year of beats has not drifted.
            (ms(31_536_000_007), ms(250), ms(31_536_000_250)),
            (
                ms(3),
                Duration::from_nanos(1),
                Duration::from_nanos(3_000_001),
            ),
            (ms(3), Duration::MAX, Duration::MAX),
        ] {
            assert_eq!(
                next_beat(elapsed, interval),
                next,
                "{elapsed:?} {interval:?}"
            );
        }
    }
}
