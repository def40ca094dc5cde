//! One moment: whole milliseconds of UTC since 1970. Everything finer is cut, never rounded.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Read from and written as RFC 3339. Digits beyond the millisecond are cut, and an offset is
/// converted to UTC, so `2024-05-01T02:00:00.0009+02:00` is `2024-05-01T00:00:00.000Z`.
///
/// ```
/// use prochist::model::UtcMillis;
///
/// let t: UtcMillis = "2024-05-01T02:00:00.0009+02:00".parse()?;
/// assert_eq!(t.to_string(), "2024-05-01T00:00:00.000Z");
/// assert_eq!(t.millis(), 1_714_521_600_000);
/// # Ok::<(), prochist::model::TimeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(i64);

/// Why a text or a number is no time that can be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is not RFC 3339.
    #[error("{0:?} is not an RFC 3339 time")]
    NotRfc3339(String),
    /// The moment lies outside the years 0000 to 9999, which RFC 3339 and SQLite share.
    #[error("a time outside the years 0000 to 9999")]
    OutOfRange,
}

impl UtcMillis {
    /// The first moment that RFC 3339 can write: 0000-01-01T00:00:00.000Z.
    pub const MIN: Self = Self(-62_167_219_200_000);
    /// The last moment that RFC 3339 can write: 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The moment so many milliseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] outside the years 0000 to 9999.
    #[inline]
    pub fn from_millis(millis: i64) -> Result<Self, TimeError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&millis) {
            Ok(Self(millis))
        } else {
            Err(TimeError::OutOfRange)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; negative before.
    #[inline]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The moment so many milliseconds later (earlier, where negative), held inside
    /// [`UtcMillis::MIN`]..=[`UtcMillis::MAX`].
    #[inline]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(
            self.0
                .saturating_add(millis)
                .clamp(Self::MIN.0, Self::MAX.0),
        )
    }

    /// Milliseconds from `earlier` to this moment; negative if it is the other way round.
    #[inline]
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The beginning of its hour of UTC.
    #[must_use]
    pub fn start_of_hour(self) -> Self {
        const HOUR_MS: i64 = 3_600_000;
        Self(self.0 - self.0.rem_euclid(HOUR_MS))
    }

    fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

/// A length of time in whole milliseconds; the most there are, where it is longer.
pub fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

impl From<DateTime<Utc>> for UtcMillis {
    /// Cuts below the millisecond; a moment outside the years 0000 to 9999 becomes the nearest kept one.
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_millis().clamp(Self::MIN.0, Self::MAX.0))
    }
}

impl From<UtcMillis> for DateTime<Utc> {
    fn from(time: UtcMillis) -> Self {
        time.to_chrono()
    }
}

impl FromStr for UtcMillis {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let time = DateTime::parse_from_rfc3339(text)
            .map_err(|_| TimeError::NotRfc3339(text.to_owned()))?;
        Self::from_millis(time.timestamp_millis())
    }
}

impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .to_chrono()
                .to_rfc3339_opts(SecondsFormat::Millis, true),
        )
    }
}

impl Serialize for UtcMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = UtcMillis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<UtcMillis, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_that_the_api_sends_and_cuts_below_the_millisecond() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.1Z", 100),
            ("1970-01-01T00:00:01.999999Z", 1999),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1969-12-31T23:59:59.9999Z", -1),
            ("0000-01-01T00:00:00Z", UtcMillis::MIN.millis()),
            ("9999-12-31T23:59:59.999Z", UtcMillis::MAX.millis()),
        ] {
            assert_eq!(
                text.parse::<UtcMillis>().map(UtcMillis::millis),
                Ok(millis),
                "{text}"
            );
        }
    }

    #[test]
    fn hours_begin_on_the_hour_before_1970_too() {
        for (at, hour) in [
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:00:00Z"),
            ("2024-05-01T20:00:00Z", "2024-05-01T20:00:00Z"),
            ("0000-01-01T00:59:59Z", "0000-01-01T00:00:00Z"),
        ] {
            let time = |text: &str| text.parse::<UtcMillis>();
            assert_eq!(time(at).map(UtcMillis::start_of_hour), time(hour));
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2024-05-01",
            "2024-13-01T00:00:00Z",
            "0000-01-01T00:00:00+01:00",
        ] {
            assert!(text.parse::<UtcMillis>().is_err(), "{text}");
        }
    }
}
