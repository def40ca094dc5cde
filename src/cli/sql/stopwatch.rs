//! How long a query has taken, without waiting for whoever reads its rows: people page through them as
//! slowly as they like.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A watch that stands still while something else is done; its clones are the same watch.
#[derive(Clone)]
pub struct Stopwatch {
    began: Instant,
    stood_still_ns: Arc<AtomicU64>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            stood_still_ns: Arc::default(),
        }
    }

    pub fn elapsed(&self) -> Duration {
        let stood_still = Duration::from_nanos(self.stood_still_ns.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(stood_still)
    }

    /// Does something that does not count.
    fn pause<T>(&self, done: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let what = done();
        let took = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
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
