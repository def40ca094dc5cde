//! How long a query has taken, without waiting for whoever reads its rows: people page through them as
//! slowly as they like.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A watch that stands still while something else is done; its clones are the same watch.
#[derive(Clone)]
pub struct Stopwatch {
    /// How long it has been since some moment.
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    began: Duration,
    stood_still_ns: Arc<AtomicU64>,
}

impl Stopwatch {
    pub fn start() -> Self {
        let began = Instant::now();
        Self::by(move || began.elapsed())
    }

    fn by(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            began: clock(),
            clock: Arc::new(clock),
            stood_still_ns: Arc::default(),
        }
    }

    pub fn elapsed(&self) -> Duration {
        let stood_still = Duration::from_nanos(self.stood_still_ns.load(Ordering::Relaxed));
        let passed = (self.clock)().saturating_sub(self.began);
        passed.saturating_sub(stood_still)
    }

    /// Does something that does not count.
    fn pause<T>(&self, done: impl FnOnce() -> T) -> T {
        let since = (self.clock)();
        let what = done();
        let took = (self.clock)().saturating_sub(since);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.stood_still_ns.fetch_add(took, Ordering::Relaxed);
        what
    }
}

/// Writes while the watch stands still.
pub struct Uncounted<W> {
    out: W,
    watch: Stopwatch,
}

impl<W> Uncounted<W> {
    pub fn new(out: W, watch: Stopwatch) -> Self {
        Self { out, watch }
    }
}

impl<W: Write> Write for Uncounted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch.pause(|| self.out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.watch.pause(|| self.out.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever pages through an answer may take longer over it than the query may.
    #[test]
    fn a_slow_reader_is_not_a_slow_query() {
        struct Slow(Arc<AtomicU64>);
        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.fetch_add(100, Ordering::Relaxed);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                self.0.fetch_add(1000, Ordering::Relaxed);
                Ok(())
            }
        }
        let seconds = Arc::new(AtomicU64::new(7));
        let clock = Arc::clone(&seconds);
        let watch = Stopwatch::by(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        let mut out = Uncounted::new(Slow(Arc::clone(&seconds)), watch.clone());
        seconds.fetch_add(2, Ordering::Relaxed);
        out.write_all(b"a row").expect("written");
        seconds.fetch_add(3, Ordering::Relaxed);
        out.flush().expect("flushed");
        assert_eq!(watch.elapsed(), Duration::from_secs(5));
    }
}
