//! Which group a process belongs to, by number. A name is looked up once, when the answer is written.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{OptionalExtension, named_params};

use super::{Group, GroupKey, Question, Reading};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, UtcMillis};
use crate::store::to_time;

/// The groups of a question that have come up, day and hour aside, and the filter by which they did.
pub(super) struct Places<'r> {
    reading: Reading<'r>,
    question: &'r Question,
    apps: Option<BTreeSet<i64>>,
    regions: Option<BTreeSet<i64>>,
    groups: HashMap<Place, u32>,
    in_order: Vec<Place>,
}

/// As much of a place as a question is grouped by; names are words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    app: Option<i64>,
    region: Option<i64>,
    deployment: Option<Deployment>,
}

impl<'r> Places<'r> {
    pub fn new(reading: Reading<'r>, question: &'r Question) -> Result<Self, Error> {
        let filter = question.filter();
        Ok(Self {
            reading,
            question,
            apps: reading.words_of(filter.apps.as_deref())?,
            regions: reading.words_of(filter.regions.as_deref())?,
            groups: HashMap::new(),
            in_order: Vec::new(),
        })
    }

    /// Whether a process of this place passes the filter.
    pub fn passes(&self, app: i64, region: i64, deployment: &Deployment) -> bool {
        let deployments = &self.question.deployments;
        self.apps.as_ref().is_none_or(|apps| apps.contains(&app))
            && self
                .regions
                .as_ref()
                .is_none_or(|regions| regions.contains(&region))
            && (deployments.is_empty() || deployments.contains(&deployment.to_string()))
    }

    /// The number of its group; none where it does not pass the filter.
    pub fn group(&mut self, app: i64, region: i64, deployment: &Deployment) -> Option<u32> {
        if !self.passes(app, region, deployment) {
            return None;
        }
        let by = |group| self.question.by.contains(&group);
        let place = Place {
            app: by(Group::App).then_some(app),
            region: by(Group::Region).then_some(region),
            deployment: by(Group::Deployment).then(|| deployment.clone()),
        };
        let next = self.in_order.len() as u32;
        Some(*self.groups.entry(place).or_insert_with_key(|place| {
            self.in_order.push(place.clone());
            next
        }))
    }

    /// The key of a group of that number at a moment.
    pub fn key(&self, group: u32, time: UtcMillis) -> Result<GroupKey, Error> {
        let place = &self.in_order[group as usize];
        let name = |word: Option<i64>| word.map(|word| self.reading.word(word)).transpose();
        let key = GroupKey {
            app_id: name(place.app)?,
            region: name(place.region)?,
            deployment_id: place.deployment.clone(),
            ..GroupKey::default()
        };
        Ok(self.question.key_at(key, time))
    }

    /// The same of a stretch of time that begins then, in milliseconds.
    pub fn key_from(&self, group: u32, begin_ms: i64) -> Result<GroupKey, Error> {
        self.key(group, to_time(begin_ms.max(UtcMillis::MIN.millis()))?)
    }
}

impl Reading<'_> {
    /// The words of a list of names as JSON; none where there is no list.
    fn words_of(&self, names: Option<&str>) -> Result<Option<BTreeSet<i64>>, Error> {
        let Some(names) = names else {
            return Ok(None);
        };
        self.db
            .prepare_cached(
                "SELECT word_id FROM word WHERE text IN (SELECT value FROM json_each(:names))",
            )
            .and_then(|mut statement| {
                let words =
                    statement.query_map(named_params! { ":names": names }, |row| row.get(0));
                words?.collect::<Result<_, _>>().map(Some)
            })
            .doing("look up names")
    }

    /// The word of a text, if there is one.
    pub fn word_of(&self, text: &str) -> Result<Option<i64>, Error> {
        self.db
            .prepare_cached("SELECT word_id FROM word WHERE text = :text")
            .and_then(|mut statement| {
                statement
                    .query_row(named_params! { ":text": text }, |row| row.get(0))
                    .optional()
            })
            .doing("look up a name")
    }

    /// The text of a word.
    pub fn word(&self, word: i64) -> Result<String, Error> {
        self.db
            .prepare_cached("SELECT text FROM word WHERE word_id = :word")
            .and_then(|mut statement| {
                statement.query_row(named_params! { ":word": word }, |row| row.get(0))
            })
            .doing("look up a name")
    }
}
