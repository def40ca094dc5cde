//! Asking again, and knowing when to stop: retries with backoff, a number of requests that a run
//! may make, a deadline, and somebody who ends it all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use crate::describe;
use crate::source::api::ApiError;

/// How far one run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way at once; 0 is taken as 1. Default: 8.
    pub concurrency: usize,
    /// Requests that a run may make, those made again included. What is then left is deferred.
    /// Default: 5000.
    pub max_requests: u64,
    /// How long a run may ask. What is then left is deferred, and what was seen is recorded.
    /// Default: 50 seconds.
    pub deadline: Duration,
    /// How a request that failed is made again.
    pub retries: Retries,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 8,
            max_requests: 5000,
            deadline: Duration::from_secs(50),
            retries: Retries::default(),
        }
    }
}

/// Exponential backoff with full jitter: before the n-th try again, any time up to `first` × 2ⁿ⁻¹
/// and no more than `longest`, all equally likely; or what the server's `Retry-After` asks for, if
/// that is longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often a request is made again. Default: 7.
    pub times: usize,
    /// The longest first wait. Default: 200 ms.
    pub first: Duration,
    /// The longest wait. Default: 5 s.
    pub longest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            times: 7,
            first: Duration::from_millis(200),
            longest: Duration::from_secs(5),
        }
    }
}

impl Retries {
    fn waits(self) -> impl BackoffBuilder {
        ExponentialBuilder::default()
            .with_factor(2.0)
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_max_times(self.times)
            .build()
            .map(|longest| longest.mul_f64(fastrand::f64()))
    }
}

/// Tells a run to stop asking, to record what it saw and to end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// A stopper, and what its runs look at.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(Some(receiver)))
    }

    /// Stops every run that looks at it, now and from now on.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// What a run looks at to learn that it is to stop.
#[derive(Clone, Debug)]
pub struct Stop(Option<watch::Receiver<bool>>);

impl Stop {
    /// Nobody ever stops the run.
    pub fn never() -> Self {
        Self(None)
    }

    /// Whether it was told to stop.
    pub fn is_told(&self) -> bool {
        self.0.as_ref().is_some_and(|told| *told.borrow())
    }

    /// Waits until it is told to stop; forever if nobody can.
    pub async fn told(&self) {
        if let Some(told) = &self.0
            && told.clone().wait_for(|told| *told).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It failed for good.
    Failed(ApiError),
    /// The run was over before it had one; why the latest try failed, if one did.
    OutOfTime(Option<String>),
    /// The run may make no more requests; why the latest try failed, if one did.
    OutOfRequests(Option<String>),
}

/// Makes the requests of one run and counts them.
#[derive(Debug)]
pub(super) struct Asker {
    limits: Limits,
    until: Instant,
    stop: Stop,
    requests: AtomicU64,
    retries: AtomicU64,
}

impl Asker {
    pub fn new(limits: Limits, stop: Stop) -> Self {
        Self {
            limits,
            // A deadline in the far future, where adding would overflow, is none.
            until: Instant::now()
                .checked_add(limits.deadline)
                .unwrap_or_else(|| Instant::now() + Duration::from_secs(86400 * 365)),
            stop,
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }
    }

    pub fn concurrency(&self) -> usize {
        self.limits.concurrency.max(1)
    }

    /// Requests made so far, those made again included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests made again so far.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Asks until there is an answer, or it is no use, or the run is over.
    pub async fn ask<T, F>(&self, call: impl Fn() -> F) -> Result<T, NoAnswer>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        self.ask_until(self.until, call).await
    }

    /// The same, but for no longer than an equal share of what time is left: one of so many apps that
    /// does not answer must leave some to the others.
    pub async fn ask_in_share<T, F>(
        &self,
        apps_left: u32,
        call: impl Fn() -> F,
    ) -> Result<T, NoAnswer>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        let now = Instant::now();
        let share = self.until.saturating_duration_since(now) / apps_left.max(1);
        self.ask_until(now + share, call).await
    }

    async fn ask_until<T, F>(&self, until: Instant, call: impl Fn() -> F) -> Result<T, NoAnswer>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        let (latest, tried) = (Mutex::new(None), AtomicU64::new(0));
        let tries = (async || {
            if !self.may_request() {
                return Err(NoAnswer::OutOfRequests(None));
            }
            let is_again = tried.fetch_add(1, Ordering::Relaxed) > 0;
            self.retries.fetch_add(is_again.into(), Ordering::Relaxed);
            call().await.map_err(NoAnswer::Failed)
        })
        .retry(self.limits.retries.waits())
        .when(|no| matches!(no, NoAnswer::Failed(error) if error.is_retryable()))
        .adjust(|no, wait| {
            let asked = match no {
                NoAnswer::Failed(error) => error.retry_after(),
                _ => None,
            };
            // No use in waiting for longer than the run lasts.
            wait.map(|wait| asked.unwrap_or_default().max(wait))
                .filter(|wait| *wait < until.saturating_duration_since(Instant::now()))
        })
        .notify(|no, wait| {
            if let (NoAnswer::Failed(error), Ok(mut latest)) = (no, latest.lock()) {
                let error = describe(error);
                debug!(wait_ms = wait.as_millis() as u64, "trying again: {error}");
                *latest = Some(error);
            }
        });
        let at_last = || latest.lock().ok().and_then(|mut latest| latest.take());
        let over = || Err(NoAnswer::OutOfTime(at_last()));
        tokio::select! {
            biased; // nothing more is asked once it is over
            () = self.stop.told() => over(),
            () = tokio::time::sleep_until(until) => over(),
            answer = tries => answer.map_err(|no| match no {
                NoAnswer::OutOfRequests(_) => NoAnswer::OutOfRequests(at_last()),
                no => no,
            }),
        }
    }

    fn may_request(&self) -> bool {
        self.requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |made| {
                (made < self.limits.max_requests).then_some(made + 1)
            })
            .is_ok()
    }
}
