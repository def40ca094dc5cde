//! Which requests of a simulated API go wrong, and how. Pure: drawn from a seed, and nothing but
//! the number of a request counts. What a fault does to an answer is not known here.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;

use super::config::{Stream, rng};

/// What stands for no faults at all.
const NONE: &str = "none";

/// Shares in decimals may add up to a little more than they say, such as 0.1 + 0.2 to more than 0.3.
const ROUNDING: f64 = 1e-9;

/// How many requests go wrong, as shares of all, and how. By default none do.
///
/// Read from and written as text: `NAME=SHARE`, any of the five, in any order, with commas between;
/// or `none`.
///
/// Where a fault has several looks, the number of the request chooses, so that they come by turns.
///
/// Every value is usable: a share below 0 or that is no number acts as 0, and if all add up to more
/// than 1, those that stand first here have theirs.
///
/// ```
/// use prochist::simulator::Faults;
///
/// let faults: Faults = "hang=0.01, rate_limit=0.1".parse()?;
/// assert_eq!((faults.rate_limit, faults.hang, faults.garbage), (0.1, 0.01, 0.0));
/// assert_eq!(faults.to_string(), "rate_limit=0.1,hang=0.01");
/// # Ok::<(), prochist::simulator::FaultsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Refused with 429, with a `Retry-After` that is in seconds and a date by turns.
    pub rate_limit: f64,
    /// Refused with 503 and a web page, half of them with a `Retry-After` in seconds.
    pub unavailable: f64,
    /// The connection breaks when half of the answer's body has been sent.
    pub truncate: f64,
    /// Answered 200 with what is no JSON: by turns a web page, bytes that are no text, and nothing.
    pub garbage: f64,
    /// Taken and never answered, for as long as the client waits and the server runs.
    pub hang: f64,
    /// How long a `Retry-After` asks to wait. It is sent in whole seconds, rounded up. Default: one
    /// second.
    pub retry_after: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            rate_limit: 0.0,
            unavailable: 0.0,
            truncate: 0.0,
            garbage: 0.0,
            hang: 0.0,
            retry_after: Duration::from_secs(1),
        }
    }
}

/// What may go wrong with a request. [`Faults`] says what each one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Refused with 429.
    RateLimit,
    /// Refused with 503.
    Unavailable,
    /// Cut off.
    Truncate,
    /// No JSON.
    Garbage,
    /// Never answered.
    Hang,
}

impl Fault {
    /// All faults, in the order in which they are written.
    pub const ALL: [Self; 5] = [
        Self::RateLimit,
        Self::Unavailable,
        Self::Truncate,
        Self::Garbage,
        Self::Hang,
    ];

    /// Its name in the text of [`Faults`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Unavailable => "unavailable",
            Self::Truncate => "truncate",
            Self::Garbage => "garbage",
            Self::Hang => "hang",
        }
    }
}

/// Why a text names no faults.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FaultsError {
    /// A part is no name with a share.
    #[error("{0:?} is not NAME=SHARE; the names are {names}", names = names())]
    NoPair(String),
    /// There is no fault of that name.
    #[error("there is no fault {0:?}; the names are {names}", names = names())]
    UnknownName(String),
    /// A share is no number from 0 to 1.
    #[error("the share of {} is {share:?}, which is no number from 0 to 1", fault.as_str())]
    BadShare {
        /// Whose share it is.
        fault: Fault,
        /// What was given for it.
        share: String,
    },
    /// A fault is named more than once.
    #[error("{} is named twice", .0.as_str())]
    Twice(Fault),
    /// All shares together are more than all requests.
    #[error("the shares add up to {0}, which is more than 1")]
    MoreThanAll(f64),
}

impl Faults {
    /// What goes wrong with the `n`-th request, counted from 0, if anything does. The same for the
    /// same seed, whatever happened to the requests before.
    pub fn draw(&self, seed: u64, n: u64) -> Option<Fault> {
        let mut left: f64 = rng(seed, Stream::Fault(n)).random();
        Fault::ALL.into_iter().find(|fault| {
            // Of 0 and what is no number, `max` gives 0.
            left -= self.share(*fault).max(0.0);
            left < 0.0
        })
    }

    fn share(&self, fault: Fault) -> f64 {
        match fault {
            Fault::RateLimit => self.rate_limit,
            Fault::Unavailable => self.unavailable,
            Fault::Truncate => self.truncate,
            Fault::Garbage => self.garbage,
            Fault::Hang => self.hang,
        }
    }

    fn share_mut(&mut self, fault: Fault) -> &mut f64 {
        match fault {
            Fault::RateLimit => &mut self.rate_limit,
            Fault::Unavailable => &mut self.unavailable,
            Fault::Truncate => &mut self.truncate,
            Fault::Garbage => &mut self.garbage,
            Fault::Hang => &mut self.hang,
        }
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        if text.trim() == NONE {
            return Ok(faults);
        }
        let mut named = Vec::new();
        for part in text.split(',') {
            let (fault, share) = pair(part.trim())?;
            if named.contains(&fault) {
                return Err(FaultsError::Twice(fault));
            }
            named.push(fault);
            *faults.share_mut(fault) = share;
        }
        let sum: f64 = named.iter().map(|fault| faults.share(*fault)).sum();
        if sum > 1.0 + ROUNDING {
            return Err(FaultsError::MoreThanAll(sum));
        }
        Ok(faults)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for fault in Fault::ALL {
            let share = self.share(fault);
            if share > 0.0 {
                let comma = if first { "" } else { "," };
                write!(f, "{comma}{}={share}", fault.as_str())?;
                first = false;
            }
        }
        if first { f.write_str(NONE) } else { Ok(()) }
    }
}

fn pair(part: &str) -> Result<(Fault, f64), FaultsError> {
    let (name, share) = part
        .split_once('=')
        .ok_or_else(|| FaultsError::NoPair(part.to_owned()))?;
    let (name, share) = (name.trim(), share.trim());
    let fault = Fault::ALL
        .into_iter()
        .find(|fault| fault.as_str() == name)
        .ok_or_else(|| FaultsError::UnknownName(name.to_owned()))?;
    match share.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok((fault, number)),
        _ => Err(FaultsError::BadShare {
            fault,
            share: share.to_owned(),
        }),
    }
}

fn names() -> String {
    Fault::ALL.map(Fault::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_faults_in_any_order_are_read_and_written() {
        let all = Faults {
            rate_limit: 0.1,
            unavailable: 0.1,
            truncate: 0.05,
            garbage: 0.03,
            hang: 0.01,
            ..Faults::default()
        };
        let hang = Faults {
            hang: 1.0,
            ..Faults::default()
        };
        let none = Faults::default();
        for (text, faults, written) in [
            (
                "rate_limit=0.1,unavailable=0.1,truncate=0.05,garbage=0.03,hang=0.01",
                all,
                "rate_limit=0.1,unavailable=0.1,truncate=0.05,garbage=0.03,hang=0.01",
            ),
            (
                " hang = 1e-2 , garbage=.03,truncate=0.05,unavailable=0.10,rate_limit=0.1 ",
                all,
                "rate_limit=0.1,unavailable=0.1,truncate=0.05,garbage=0.03,hang=0.01",
            ),
            ("hang=1", hang, "hang=1"),
            ("hang=1,garbage=0", hang, "hang=1"),
            ("truncate=0", none, "none"),
            ("none", none, "none"),
        ] {
            assert_eq!(text.parse(), Ok(faults), "{text}");
            assert_eq!(faults.to_string(), written);
            assert_eq!(written.parse(), Ok(faults));
        }
        // In binary these are a little more than 1.
        let full = "unavailable=0.05,truncate=0.55,garbage=0.3,hang=0.1";
        assert!(full.parse::<Faults>().is_ok());
    }

    #[test]
    fn what_names_no_faults_is_told_in_one_line() {
        let names = "the names are rate_limit, unavailable, truncate, garbage, hang";
        let not_a_pair = |part: &str| format!("{part:?} is not NAME=SHARE; {names}");
        let unknown = |name: &str| format!("there is no fault {name:?}; {names}");
        let bad =
            |share: &str| format!("the share of hang is {share:?}, which is no number from 0 to 1");
        for (text, says) in [
            ("", not_a_pair("")),
            ("hang", not_a_pair("hang")),
            ("hang=0.1,", not_a_pair("")),
            ("hang=0.1,none", not_a_pair("none")),
            ("hang=0.1;\nx=1", bad("0.1;\nx=1")),
            ("ha\nng=0.1", unknown("ha\nng")),
            ("Hang=0.1", unknown("Hang")),
            ("=0.1", unknown("")),
            ("hang=", bad("")),
            ("hang=often", bad("often")),
            ("hang=0,1", not_a_pair("1")),
            ("hang=10%", bad("10%")),
            ("hang=-0.1", bad("-0.1")),
            ("hang=1.1", bad("1.1")),
            ("hang=NaN", bad("NaN")),
            ("hang=inf", bad("inf")),
            ("hang=0.1,hang=0.1", "hang is named twice".to_owned()),
            ("hang=0,hang=0", "hang is named twice".to_owned()),
            (
                "hang=0.75,garbage=0.5",
                "the shares add up to 1.25, which is more than 1".to_owned(),
            ),
        ] {
            let error = text.parse::<Faults>().expect_err(text).to_string();
            assert_eq!(error, says, "{text}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn faults_are_met_as_often_as_asked_for() {
        let faults: Faults = "rate_limit=0.1,unavailable=0.2,truncate=0.05,garbage=0.3,hang=0.01"
            .parse()
            .expect("faults");
        let draws = 100_000;
        let mut met = [0.0; Fault::ALL.len()];
        for fault in (0..draws).filter_map(|n| faults.draw(5, n)) {
            met[fault as usize] += 1.0;
        }
        for fault in Fault::ALL {
            // How often a fault of share p is met in N draws is binomial: its mean is N p, its
            // standard deviation the root of N p (1 - p). One count in 500 million is more than six
            // of those off.
            let share = faults.share(fault);
            let mean = draws as f64 * share;
            let most = 6.0 * (mean * (1.0 - share)).sqrt();
            let off = (met[fault as usize] - mean).abs();
            assert!(off <= most, "{fault:?} is {off} off its {mean}");
        }
    }

    #[test]
    fn the_same_request_of_a_seed_meets_the_same_fault_in_every_release() {
        let faults: Faults = "rate_limit=0.2,unavailable=0.2,truncate=0.2,garbage=0.2,hang=0.1"
            .parse()
            .expect("faults");
        let drawn = |seed, n| faults.draw(seed, n);
        let first: Vec<_> = (0..8).map(|n| drawn(7, n)).collect();
        assert_eq!(
            first,
            [
                Fault::Unavailable,
                Fault::Truncate,
                Fault::RateLimit,
                Fault::Unavailable,
                Fault::Unavailable,
                Fault::Garbage,
                Fault::Truncate,
                Fault::Truncate,
            ]
            .map(Some)
        );
        // In whatever order they are asked for.
        let backwards: Vec<_> = (0..8).rev().map(|n| drawn(7, n)).collect();
        assert!(backwards.iter().rev().eq(&first));
        let other: Vec<_> = (0..8).map(|n| drawn(8, n)).collect();
        assert_ne!(other, first);
        assert_eq!(drawn(7, u64::MAX), drawn(7, u64::MAX));
    }

    #[test]
    fn all_none_and_what_is_no_share() {
        let none = Faults::default();
        let all = Faults { hang: 1.0, ..none };
        let odd = Faults {
            rate_limit: f64::NAN,
            unavailable: -1.0,
            truncate: 2.0,
            garbage: 1.0,
            ..none
        };
        for n in 0..1_000 {
            assert_eq!(none.draw(1, n), None);
            assert_eq!(all.draw(1, n), Some(Fault::Hang));
            assert_eq!(odd.draw(1, n), Some(Fault::Truncate));
        }
    }
}
