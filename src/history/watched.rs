//! How much of a window was watched? What came and went in the rest is hidden, gap or no gap.

use serde::Serialize;

use super::looks::{Looks, PAUSE_MS};
use super::{Question, Reading};
use crate::Error;
use crate::model::UtcMillis;
use crate::store::to_time;

/// How much of a window was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Watched {
    /// No stretch of it is unwatched.
    All,
    /// Some of it is.
    Part,
    /// Nothing looked in all of it: an empty answer then says nothing.
    None,
}

/// A stretch of time in which nothing looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unwatched {
    /// The look before; the beginning of the window where there is none, or none where it has none.
    pub since: Option<UtcMillis>,
    /// The look after; where there is none, the end of the window or the moment of asking, whichever is
    /// earlier; or none where the window has no end.
    pub until: Option<UtcMillis>,
    /// The apps that nothing looked at; all that the answer is about where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_ids: Vec<String>,
}

/// From one look to another; an end is missing where there is none.
type Stretch = (Option<i64>, Option<i64>);

impl Reading<'_> {
    /// The unwatched stretches that touch the window, and how much of it that is, as it stood `then`.
    pub fn watched(
        &self,
        about: &Question,
        then: UtcMillis,
    ) -> Result<(Watched, Vec<Unwatched>), Error> {
        let last_of_all = self.last_look(about, then)?;
        let mut kinds = Vec::new();
        let mut all = Vec::new();
        let alike = self.looked_at_alike(about)?;
        for apps in &alike {
            let only = about.clone().only_apps(apps.iter().cloned());
            let looks = self.looks(only.filter().apps.as_deref(), then)?;
            let (watched, stretches) = stretches(&only, &looks, last_of_all)?;
            kinds.push(watched);
            let app_ids = match alike.len() {
                1 => &[][..],
                _ => apps,
            };
            for (since, until) in stretches {
                all.push(Unwatched {
                    since: since.map(to_time).transpose()?,
                    until: until.map(to_time).transpose()?,
                    app_ids: app_ids.to_vec(),
                });
            }
        }
        all.sort_by(|a, b| (a.since, &a.app_ids).cmp(&(b.since, &b.app_ids)));
        let every = |one| kinds.iter().all(|kind| *kind == one);
        let watched = match (every(Watched::All), every(Watched::None)) {
            (true, _) => Watched::All,
            (_, true) => Watched::None,
            _ => Watched::Part,
        };
        Ok((watched, all))
    }
}

/// The same of apps that were looked at together; `last_of_all` is the last look at any.
fn stretches(
    about: &Question,
    looks: &Looks<'_>,
    last_of_all: Option<i64>,
) -> Result<(Watched, Vec<Stretch>), Error> {
    let Some((first, last)) = looks.period()? else {
        return Ok((Watched::None, Vec::new()));
    };
    let (since_ms, until_ms) = (about.window.since_ms(), about.window.until_ms());
    let since = about.window.since.map(UtcMillis::millis);
    let until = about.window.until.map(UtcMillis::millis);
    let asked_at = about.asked_at.map(UtcMillis::millis);
    let mut stretches: Vec<Stretch> = Vec::new();
    // The first look shows what ended in the hour before it, but nothing to a window that ends there.
    let ends_before = until.is_some_and(|until| until <= first);
    if ends_before || since.is_some_and(|since| first - since > PAUSE_MS) {
        stretches.push((since, Some(first)));
    }
    for (since, until) in looks.pauses(since_ms, until_ms)? {
        stretches.push((Some(since), Some(until)));
    }
    // What is still to come was not missed. Without any beginning or end the record is asked about, and
    // that of one app may end before that of another.
    let reaches = match (since, until) {
        (_, Some(until)) => Some(asked_at.map_or(until, |now| now.min(until))),
        (Some(_), None) => asked_at,
        (None, None) => last_of_all,
    };
    // A window that begins after the last look was not looked at, however soon it ends; a moment stands
    // as it was last seen.
    let is_moment = until
        .zip(since)
        .is_some_and(|(until, since)| until - since <= 1);
    let begins_after = since.is_some_and(|since| since > last) && !is_moment;
    if begins_after || reaches.is_some_and(|reaches| reaches - last > PAUSE_MS) {
        let until = until.and(reaches).filter(|reaches| *reaches > last);
        stretches.push((
            Some(last),
            until.or(about.window.until.map(UtcMillis::millis)),
        ));
    }
    // A stretch between two looks holds neither of them.
    let covers = |(from, to): &Stretch| {
        from.is_none_or(|from| from < since_ms) && to.is_none_or(|to| to >= until_ms)
    };
    let watched = match (
        ends_before || begins_after || stretches.iter().any(covers),
        stretches.is_empty(),
    ) {
        (true, _) => Watched::None,
        (false, true) => Watched::All,
        (false, false) => Watched::Part,
    };
    Ok((watched, stretches))
}
