//! How a process ended, and how long it spent in each phase. No duration is ever negative.

use std::fmt;

use serde::Serialize;

use super::{Process, UtcMillis};

/// How a process stands, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Not ended when last seen.
    Open,
    /// Ended, and not as failed.
    Stopped,
    /// Ended with the status `failed`.
    Failed,
    /// Last seen open, and its source no longer knows it.
    Lost,
}

impl Outcome {
    /// The name that the file and the answers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Stopped, Self::Failed, Self::Lost]
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }

    /// The outcome that a state by itself shows: never [`Outcome::Lost`], which takes an absence.
    ///
    /// `failed` is failed; `stopped`, or any other status with `terminatedAt` set, is stopped;
    /// everything else is open.
    pub fn of(process: &Process) -> Self {
        match process.status.as_str() {
            "failed" => Self::Failed,
            "stopped" => Self::Stopped,
            _ if process.terminated_at.is_some() => Self::Stopped,
            _ => Self::Open,
        }
    }

    /// Whether the process is known to have ended.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stretch of a process's life between two lifecycle times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// `startedAt` − `createdAt`: how long it took to boot.
    Provisioning,
    /// (`stoppingAt`, else `terminatedAt`) − `startedAt`: what was billed.
    Serving,
    /// `terminatedAt` − `stoppingAt`.
    Stopping,
    /// `terminatedAt` − `createdAt`.
    Lifetime,
}

impl Phase {
    /// All phases, in order of a life, the whole last.
    pub const ALL: [Self; 4] = [
        Self::Provisioning,
        Self::Serving,
        Self::Stopping,
        Self::Lifetime,
    ];

    /// The name that the answers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Serving => "serving",
            Self::Stopping => "stopping",
            Self::Lifetime => "lifetime",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a process has no length for a phase, or no place in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Excluded {
    /// A later event carries an earlier time: the length would be negative.
    TimesOutOfOrder,
    /// It ended, but the time at which it did was never given.
    NoEndTime,
    /// It had ended by the time it came under observation, and is on record only because of when it
    /// did.
    EndedUnwatched,
    /// It ended without ever having started.
    NeverStarted,
    /// It ended without ever having been told to stop.
    NeverToldToStop,
    /// The source lost it, so what it was doing after its last sighting is unknown.
    Lost,
    /// The endpoint's previous holder has no known end, so the gap before this hold has no length.
    PreviousEndUnknown,
}

impl Excluded {
    /// The name that the answers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimesOutOfOrder => "times_out_of_order",
            Self::NoEndTime => "no_end_time",
            Self::EndedUnwatched => "ended_unwatched",
            Self::NeverStarted => "never_started",
            Self::NeverToldToStop => "never_told_to_stop",
            Self::Lost => "lost",
            Self::PreviousEndUnknown => "previous_end_unknown",
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The length of a phase, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseLength {
    /// The phase is over; milliseconds, never negative.
    Ended(i64),
    /// It was still going on when the process was last seen: at least so many milliseconds.
    Censored(i64),
    /// The process is still in an earlier phase.
    NotReached,
    /// It has no length, and this is why.
    Excluded(Excluded),
}

/// The lifecycle times of a process with what is known of its end: all that the questions need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// Started being provisioned.
    pub created_at: UtcMillis,
    /// Bound to its port.
    pub started_at: Option<UtcMillis>,
    /// Was told to stop.
    pub stopping_at: Option<UtcMillis>,
    /// Terminated.
    pub terminated_at: Option<UtcMillis>,
    /// How it stands.
    pub outcome: Outcome,
    /// When it was last seen; an observation time, at which open and lost ones are censored.
    pub last_seen_at: UtcMillis,
}

/// Where a process stood at a moment, by its lifecycle times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not created yet, or over.
    Absent,
    /// Alive.
    Alive {
        /// What it was doing.
        state: LifeState,
        /// Since when.
        since: UtcMillis,
    },
    /// It cannot be told, and this is why.
    Unknown(Excluded),
}

/// What a living process is doing, by its lifecycle times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LifeState {
    /// Created and not started.
    Starting,
    /// Started and not told to stop.
    Running,
    /// Told to stop and not terminated.
    Stopping,
}

impl Lifecycle {
    /// Where the process stood at `time`. An open one is taken to stand, after its last sighting,
    /// as it was last seen.
    pub fn standing_at(&self, time: UtcMillis) -> Standing {
        if !self.is_in_order() {
            return Standing::Unknown(Excluded::TimesOutOfOrder);
        }
        let end = self.end();
        if time < self.created_at || end.is_some_and(|end| end <= time) {
            return Standing::Absent;
        }
        if self.outcome.has_ended() && end.is_none() {
            return Standing::Unknown(Excluded::NoEndTime);
        }
        if self.outcome == Outcome::Lost && time > self.last_seen_at {
            return Standing::Unknown(Excluded::Lost);
        }
        [
            (self.stopping_at, LifeState::Stopping),
            (self.started_at, LifeState::Running),
            (Some(self.created_at), LifeState::Starting),
        ]
        .into_iter()
        .find_map(|(since, state)| {
            let since = since.filter(|since| *since <= time)?;
            Some(Standing::Alive { state, since })
        })
        .unwrap_or(Standing::Absent)
    }

    /// Whether no event carries an earlier time than one before it.
    #[inline]
    pub fn is_in_order(&self) -> bool {
        let known = [
            Some(self.created_at),
            self.started_at,
            self.stopping_at,
            self.terminated_at,
        ];
        known.iter().flatten().is_sorted()
    }

    /// When it was over, by its lifecycle times: terminated, else stopping if it has ended; none where
    /// neither is known.
    #[inline]
    pub fn end(&self) -> Option<UtcMillis> {
        let told = self.outcome.has_ended().then_some(self.stopping_at);
        self.terminated_at.or(told.flatten())
    }

    /// From when until when it ran, by its lifecycle times, as [`Lifecycle::standing_at`] has it: the
    /// end itself is not inside, and none where no end is known. One that is lost is known to have run
    /// until it was last seen, that moment included. None where it never started.
    ///
    /// # Errors
    /// Why it cannot be told.
    #[inline]
    pub fn run(&self) -> Result<Option<(UtcMillis, Option<UtcMillis>)>, Excluded> {
        if !self.is_in_order() {
            return Err(Excluded::TimesOutOfOrder);
        }
        let Some(started_at) = self.started_at else {
            return Ok(None);
        };
        match (self.end(), self.outcome) {
            (Some(end), _) => Ok(Some((started_at, Some(end)))),
            (None, Outcome::Open) => Ok(Some((started_at, None))),
            (None, Outcome::Lost) => {
                let end = self.last_seen_at.plus_millis(1);
                Ok(Some((started_at, Some(end.max(started_at)))))
            }
            (None, Outcome::Stopped | Outcome::Failed) => Err(Excluded::NoEndTime),
        }
    }

    /// When the phase began; none where it did not, as far as is known.
    #[inline]
    pub fn beginning(&self, phase: Phase) -> Option<UtcMillis> {
        match phase {
            Phase::Provisioning | Phase::Lifetime => Some(self.created_at),
            Phase::Serving => self.started_at,
            Phase::Stopping => self.stopping_at,
        }
    }

    /// How long the phase lasted.
    #[inline]
    pub fn phase(&self, phase: Phase) -> PhaseLength {
        let ended = self.outcome.has_ended();
        let until = match phase {
            Phase::Provisioning => self.started_at,
            Phase::Serving => self.stopping_at.or(self.terminated_at),
            Phase::Stopping | Phase::Lifetime => self.terminated_at,
        };
        match (self.beginning(phase), until) {
            (Some(from), Some(until)) => not_negative(from, until, PhaseLength::Ended),
            (Some(from), None) if !ended => {
                not_negative(from, self.last_seen_at, PhaseLength::Censored)
            }
            (Some(_), None) if phase == Phase::Provisioning => {
                PhaseLength::Excluded(Excluded::NeverStarted)
            }
            (Some(_), None) => PhaseLength::Excluded(Excluded::NoEndTime),
            (None, _) if !ended => PhaseLength::NotReached,
            (None, _) if phase == Phase::Stopping => {
                PhaseLength::Excluded(Excluded::NeverToldToStop)
            }
            (None, _) => PhaseLength::Excluded(Excluded::NeverStarted),
        }
    }
}

#[inline]
fn not_negative(
    from: UtcMillis,
    until: UtcMillis,
    length: impl Fn(i64) -> PhaseLength,
) -> PhaseLength {
    match until.millis_since(from) {
        millis if millis < 0 => PhaseLength::Excluded(Excluded::TimesOutOfOrder),
        millis => length(millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> UtcMillis {
        UtcMillis::from_millis(millis).expect("in range")
    }

    fn life(times: [Option<i64>; 3], outcome: Outcome) -> Lifecycle {
        let [started_at, stopping_at, terminated_at] = times.map(|t| t.map(at));
        Lifecycle {
            created_at: at(100),
            started_at,
            stopping_at,
            terminated_at,
            outcome,
            last_seen_at: at(1000),
        }
    }

    #[test]
    fn standings_by_hand() {
        use LifeState::{Running, Starting, Stopping};
        let alive = |state, since| Standing::Alive {
            state,
            since: at(since),
        };
        let whole = life([Some(130), Some(500), Some(510)], Outcome::Stopped);
        let lost = life([Some(130), None, None], Outcome::Lost);
        let open = life([Some(130), None, None], Outcome::Open);
        let no_end = life([Some(130), None, None], Outcome::Failed);
        let skewed = life([Some(90), None, Some(510)], Outcome::Failed);
        for (life, time, expected) in [
            (whole, 99, Standing::Absent),
            (whole, 100, alive(Starting, 100)),
            (whole, 129, alive(Starting, 100)),
            (whole, 130, alive(Running, 130)),
            (whole, 500, alive(Stopping, 500)),
            (whole, 510, Standing::Absent),
            (lost, 1000, alive(Running, 130)),
            (lost, 1001, Standing::Unknown(Excluded::Lost)),
            (open, 9999, alive(Running, 130)),
            (no_end, 200, Standing::Unknown(Excluded::NoEndTime)),
            (skewed, 200, Standing::Unknown(Excluded::TimesOutOfOrder)),
        ] {
            assert_eq!(life.standing_at(at(time)), expected, "{life:?} at {time}");
        }
    }

    #[test]
    fn phases_by_hand() {
        use Excluded::*;
        use PhaseLength::{Censored, Ended, NotReached};
        let out = PhaseLength::Excluded;
        let cases = [
            // started, stopping, terminated; outcome; provisioning, serving, stopping, lifetime
            (
                life([Some(130), Some(500), Some(510)], Outcome::Stopped),
                [Ended(30), Ended(370), Ended(10), Ended(410)],
            ),
            (
                life([Some(130), None, Some(510)], Outcome::Failed),
                [Ended(30), Ended(380), out(NeverToldToStop), Ended(410)],
            ),
            (
                life([None, None, Some(150)], Outcome::Failed),
                [
                    out(NeverStarted),
                    out(NeverStarted),
                    out(NeverToldToStop),
                    Ended(50),
                ],
            ),
            (
                life([None, None, None], Outcome::Open),
                [Censored(900), NotReached, NotReached, Censored(900)],
            ),
            (
                life([Some(130), None, None], Outcome::Lost),
                [Ended(30), Censored(870), NotReached, Censored(900)],
            ),
            (
                life([Some(130), None, None], Outcome::Failed),
                [
                    Ended(30),
                    out(NoEndTime),
                    out(NeverToldToStop),
                    out(NoEndTime),
                ],
            ),
            (
                life([Some(90), Some(80), Some(70)], Outcome::Stopped),
                [out(TimesOutOfOrder); 4],
            ),
            (
                life([Some(100), Some(100), Some(100)], Outcome::Stopped),
                [Ended(0); 4],
            ),
        ];
        for (life, expected) in cases {
            assert_eq!(
                Phase::ALL.map(|phase| life.phase(phase)),
                expected,
                "{life:?}"
            );
        }
    }
}
