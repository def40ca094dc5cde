//! What a question is about: a window of time, a filter, and how its answer is grouped.

use chrono::{NaiveDate, NaiveTime};
use rusqlite::ToSql;
use serde::Serialize;

use crate::Error;
use crate::model::{Deployment, TimeError, UtcMillis, millis};

/// A stretch of time: from `since`, itself included, to `until`, itself not. A side that is not
/// given has no end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The first moment inside.
    pub since: Option<UtcMillis>,
    /// The first moment after.
    pub until: Option<UtcMillis>,
}

impl Window {
    /// A window between two moments, either of which may be missing.
    ///
    /// # Errors
    /// [`Error::EmptyWindow`] if it ends before, or when, it begins.
    pub fn new(since: Option<UtcMillis>, until: Option<UtcMillis>) -> Result<Self, Error> {
        match (since, until) {
            (Some(since), Some(until)) if until <= since => {
                Err(Error::EmptyWindow { since, until })
            }
            _ => Ok(Self { since, until }),
        }
    }

    /// The same with so much more on either side.
    pub(super) fn widened(self, by_ms: i64) -> Self {
        Self {
            since: self.since.map(|since| since.plus_millis(-by_ms)),
            until: self.until.map(|until| until.plus_millis(by_ms)),
        }
    }

    /// The one moment, a millisecond long. The last moment there is has none after it, and so no end.
    pub fn moment(at: UtcMillis) -> Self {
        Self {
            since: Some(at),
            until: (at < UtcMillis::MAX).then(|| at.plus_millis(1)),
        }
    }

    /// Whether a moment lies inside.
    pub fn contains(&self, time: UtcMillis) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    pub(super) fn since_ms(&self) -> i64 {
        self.since.unwrap_or(UtcMillis::MIN).millis()
    }

    /// The first moment after, or one later than any stored.
    pub(super) fn until_ms(&self) -> i64 {
        self.until
            .map_or(UtcMillis::MAX.millis() + 1, UtcMillis::millis)
    }
}

/// Reads a moment as people write it: RFC 3339, a date (its first moment in UTC), `now`, or an age
/// such as `7d`, `90m` or `1h 30m` (so long before `now`).
///
/// ```
/// use prochist::{history::parse_when, model::UtcMillis};
///
/// let now: UtcMillis = "2024-05-10T12:00:00Z".parse()?;
/// assert_eq!(parse_when("7d", now)?.to_string(), "2024-05-03T12:00:00.000Z");
/// assert_eq!(parse_when("2024-05-03", now)?.to_string(), "2024-05-03T00:00:00.000Z");
/// # Ok::<(), prochist::model::TimeError>(())
/// ```
///
/// # Errors
/// [`TimeError`] if the text is none of these.
pub fn parse_when(text: &str, now: UtcMillis) -> Result<UtcMillis, TimeError> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return UtcMillis::from_millis(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    }
    if let Ok(age) = humantime::parse_duration(text) {
        return UtcMillis::from_millis(now.millis().saturating_sub(millis(age)));
    }
    text.parse()
}

/// By what an answer is grouped. Days and hours are those of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// By app.
    App,
    /// By region.
    Region,
    /// By deployment.
    Deployment,
    /// By day of UTC.
    Day,
    /// By hour of UTC.
    Hour,
}

impl Group {
    /// The field of the answer's rows that carries it.
    pub fn field(self) -> &'static str {
        match self {
            Self::App => "app_id",
            Self::Region => "region",
            Self::Deployment => "deployment_id",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    /// Whether it is a stretch of time, rather than a place.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Hour)
    }
}

/// The group that a row is about; only what was grouped by is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct GroupKey {
    /// The app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<Deployment>,
    /// The day of UTC, such as `2024-05-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The beginning of the hour of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<UtcMillis>,
}

/// What a question is about. The default asks about everything, ungrouped.
///
/// ```
/// use prochist::{Group, Question};
///
/// let question = Question::default().app("app-1").region("Tokyo").by([Group::Day]);
/// # let _ = question;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The stretch of time asked about.
    pub window: Window,
    /// Only these apps; all where empty.
    pub apps: Vec<String>,
    /// Only these regions; all where empty.
    pub regions: Vec<String>,
    /// Only these deployments, as text; all where empty.
    pub deployments: Vec<String>,
    /// How the answer is grouped; one group of all where empty.
    pub by: Vec<Group>,
    /// When it is asked, if that matters: a window with a beginning and no end reaches until then, and
    /// where nothing has looked for long by then, the answer's coverage says so.
    pub asked_at: Option<UtcMillis>,
}

impl Question {
    /// Only about this stretch of time.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Only about this app, and others so named.
    #[must_use]
    pub fn app(mut self, app_id: impl Into<String>) -> Self {
        self.apps.push(app_id.into());
        self
    }

    /// Only about this region, and others so named.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.regions.push(region.into());
        self
    }

    /// Only about this deployment, and others so named. `42` is the number and the text alike.
    #[must_use]
    pub fn deployment(mut self, deployment_id: impl ToString) -> Self {
        self.deployments.push(deployment_id.to_string());
        self
    }

    /// Grouped by these; one that is named again counts once.
    #[must_use]
    pub fn by(mut self, groups: impl IntoIterator<Item = Group>) -> Self {
        for group in groups {
            if !self.by.contains(&group) {
                self.by.push(group);
            }
        }
        self
    }

    /// The fields of the answer's rows that carry its groups.
    pub fn group_fields(&self) -> Vec<&'static str> {
        self.by.iter().map(|group| group.field()).collect()
    }

    /// Asked at this moment.
    #[must_use]
    pub fn asked_at(mut self, now: UtcMillis) -> Self {
        self.asked_at = Some(now);
        self
    }

    /// The same about these apps and no others.
    pub(super) fn only_apps(self, apps: impl IntoIterator<Item = String>) -> Self {
        Self {
            apps: apps.into_iter().collect(),
            ..self
        }
    }

    /// The same about these deployments and no others.
    pub(super) fn only_deployments(self, deployments: impl IntoIterator<Item = String>) -> Self {
        Self {
            deployments: deployments.into_iter().collect(),
            ..self
        }
    }

    /// The same, grouped by these and no others.
    pub(super) fn only_by(self, groups: impl IntoIterator<Item = Group>) -> Self {
        Self {
            by: groups.into_iter().collect(),
            ..self
        }
    }

    /// The group of a process that belongs, for this question, to the moment `time`.
    pub(super) fn key(
        &self,
        app_id: &str,
        region: &str,
        deployment_id: &Deployment,
        time: UtcMillis,
    ) -> GroupKey {
        self.key_at(self.place(app_id, region, deployment_id), time)
    }

    /// The group of a process whatever the moment: its key without day and hour.
    pub(super) fn place(&self, app_id: &str, region: &str, deployment_id: &Deployment) -> GroupKey {
        let mut key = GroupKey::default();
        for group in &self.by {
            match group {
                Group::App => key.app_id = Some(app_id.to_owned()),
                Group::Region => key.region = Some(region.to_owned()),
                Group::Deployment => key.deployment_id = Some(deployment_id.clone()),
                Group::Day | Group::Hour => {}
            }
        }
        key
    }

    /// The key of a place with the day and the hour of a moment.
    pub(super) fn key_at(&self, place: GroupKey, time: UtcMillis) -> GroupKey {
        let by = |group| self.by.contains(&group);
        GroupKey {
            day: by(Group::Day).then(|| time.to_string()[..10].to_owned()),
            hour: by(Group::Hour).then(|| time.start_of_hour()),
            ..place
        }
    }

    /// The filter as parameters of [`FILTER`].
    pub(super) fn filter(&self) -> FilterParams {
        let json = |values: &[String]| {
            (!values.is_empty()).then(|| serde_json::Value::from(values.to_vec()).to_string())
        };
        // A deployment is on record as a number or as a text, and `42` means both.
        let mut deployments: Vec<serde_json::Value> = Vec::new();
        for name in &self.deployments {
            deployments.push(name.as_str().into());
            if let Some(number) = name.parse::<i64>().ok().filter(|n| n.to_string() == *name) {
                deployments.push(number.into());
            }
        }
        FilterParams {
            apps: json(&self.apps),
            regions: json(&self.regions),
            deployments: (!deployments.is_empty())
                .then(|| serde_json::Value::from(deployments).to_string()),
        }
    }

    /// The same question, cut into stretches of a day or an hour, or not at all; milliseconds.
    pub(super) fn bucket_ms(&self) -> Option<i64> {
        if self.by.contains(&Group::Hour) {
            Some(HOUR_MS)
        } else {
            self.by.contains(&Group::Day).then_some(24 * HOUR_MS)
        }
    }
}

const HOUR_MS: i64 = 3_600_000;

/// The hours of more than twenty years.
const MOST_BUCKETS: i64 = 200_000;

/// The parts of a stretch of time that lie in different days or hours of UTC, of whatever size is
/// given; each with its own beginning and end. What has no length has no parts.
///
/// # Errors
/// [`Error::TooFine`] for more than [`MOST_BUCKETS`].
pub(super) fn buckets(
    from_ms: i64,
    until_ms: i64,
    size_ms: Option<i64>,
) -> Result<impl Iterator<Item = (i64, i64)>, Error> {
    let stretches = size_ms.map_or(1, |size| until_ms.saturating_sub(from_ms) / size);
    if stretches > MOST_BUCKETS {
        return Err(Error::TooFine {
            stretches,
            most: MOST_BUCKETS,
        });
    }
    let mut at = from_ms;
    Ok(std::iter::from_fn(move || {
        let part = (at < until_ms).then(|| {
            let next = size_ms.map_or(until_ms, |size| at - at.rem_euclid(size) + size);
            (at, next.min(until_ms))
        })?;
        at = part.1;
        Some(part)
    }))
}

/// The condition that a filter is, over columns `app_id`, `region` and `deployment_id`.
pub(super) const FILTER: &str = "(:apps IS NULL OR app_id IN (SELECT value FROM json_each(:apps)))
     AND (:regions IS NULL OR region IN (SELECT value FROM json_each(:regions)))
     AND (:deployments IS NULL OR deployment_id IN (SELECT value FROM json_each(:deployments)))";

pub(super) struct FilterParams {
    pub apps: Option<String>,
    pub regions: Option<String>,
    deployments: Option<String>,
}

impl FilterParams {
    /// The filter's own parameters, with others.
    pub fn and<'a>(
        &'a self,
        others: &[(&'static str, &'a dyn ToSql)],
    ) -> Vec<(&'static str, &'a dyn ToSql)> {
        let mut all: Vec<(&str, &dyn ToSql)> = vec![
            (":apps", &self.apps),
            (":regions", &self.regions),
            (":deployments", &self.deployments),
        ];
        all.extend_from_slice(others);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcMillis {
        text.parse().expect("a time")
    }

    #[test]
    fn moments_as_people_write_them() {
        let now = at("2024-05-10T12:34:56.789Z");
        for (text, expected) in [
            ("now", Some("2024-05-10T12:34:56.789Z")),
            ("7d", Some("2024-05-03T12:34:56.789Z")),
            ("1h 30m", Some("2024-05-10T11:04:56.789Z")),
            ("2024-02-29", Some("2024-02-29T00:00:00.000Z")),
            (
                "2024-05-10T12:00:00+02:00",
                Some("2024-05-10T10:00:00.000Z"),
            ),
            ("99999999999y", None),
            ("2023-02-29", None),
            ("yesterday", None),
            ("7", None),
            ("", None),
        ] {
            let expected = expected.map(at);
            assert_eq!(parse_when(text, now).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_stretch_is_cut_at_the_hours_of_utc() {
        let cut = |from, until, size| {
            let parts = buckets(from, until, size).expect("not too many");
            parts.collect::<Vec<_>>()
        };
        let hour = Some(3_600_000);
        assert_eq!(cut(5, 9, None), [(5, 9)]);
        assert_eq!(cut(5, 5, None), []);
        assert_eq!(cut(5, 9, hour), [(5, 9)]);
        assert_eq!(
            cut(-1, 7_200_001, hour),
            [
                (-1, 0),
                (0, 3_600_000),
                (3_600_000, 7_200_000),
                (7_200_000, 7_200_001)
            ]
        );
        assert_eq!(cut(0, 3_600_000, hour), [(0, 3_600_000)]);
        assert!(buckets(0, 200_001, Some(1)).is_err());
        assert!(buckets(i64::MIN, i64::MAX, hour).is_err());
        assert_eq!(cut(0, 200_000, Some(1)).len(), 200_000);
    }

    #[test]
    fn a_window_is_half_open_and_never_empty() {
        let (a, b) = (at("2024-05-01T00:00:00Z"), at("2024-05-02T00:00:00Z"));
        let window = Window::new(Some(a), Some(b)).expect("a window");
        assert!(window.contains(a) && !window.contains(b));
        assert!(Window::new(Some(b), Some(a)).is_err());
        assert!(Window::new(Some(a), Some(a)).is_err());
        for moment in [a, UtcMillis::MIN, UtcMillis::MAX] {
            let window = Window::moment(moment);
            assert!(window.contains(moment), "{moment}");
            assert_eq!(window.until_ms() - window.since_ms(), 1, "{moment}");
        }
    }
}
