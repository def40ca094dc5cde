//! How many rooms were allocated, of how many that there was room for?

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::concurrency::Edges;
use super::question::{FILTER, buckets};
use super::{Answer, GroupKey, History, Question, Reading, Row};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, UtcMillis};
use crate::store::{deployment, to_time};

/// The rooms of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoomRow {
    /// The group.
    #[serde(flatten)]
    pub key: GroupKey,
    /// How many processes served.
    pub processes: u64,
    /// Rooms allocated, each for as long as it was, in milliseconds.
    pub allocated_ms: i64,
    /// Rooms that there was room for, each for as long as there was, in milliseconds.
    pub capacity_ms: i64,
    /// The one as a share of the other; none where there was no room for any.
    pub utilization: Option<f64>,
    /// The most rooms that were allocated at once.
    pub peak_allocated: u64,
    /// The first moment at which so many were; none where none ever was.
    pub peak_at: Option<UtcMillis>,
}

impl Row for RoomRow {
    const FIELDS: &'static [&'static str] = &[
        "processes",
        "allocated_ms",
        "capacity_ms",
        "utilization",
        "peak_allocated",
        "peak_at",
    ];
}

impl History {
    /// The rooms of processes that served in the window, by what was seen of them: what a look shows
    /// holds until one that shows something else, and the last until the process was last seen. A
    /// process is serving if it shows that it started, and neither that it is to stop nor that it
    /// ended.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn rooms(&self, question: &Question) -> Result<Answer<RoomRow>, Error> {
        self.read(|reading| reading.rooms(question))
    }
}

/// More rooms in one process count as so many, so that a record that claims all there are breaks no sum.
const MOST_ROOMS: i64 = 1 << 40;

/// The rooms of one process while nothing about them changed.
struct Stay {
    process_key: i64,
    app_id: String,
    region: String,
    deployment_id: Deployment,
    from_ms: i64,
    until_ms: i64,
    /// Whether it ends when the process was last seen, rather than with a change.
    is_last: bool,
    allocated: i64,
    capacity: i64,
}

#[derive(Default)]
struct Rooms {
    /// The process that was met last, for processes come one after another.
    last_process: Option<i64>,
    processes: u64,
    allocated_ms: i64,
    capacity_ms: i64,
}

impl Reading<'_> {
    fn rooms(&self, question: &Question) -> Result<Answer<RoomRow>, Error> {
        let mut sums: BTreeMap<GroupKey, Rooms> = BTreeMap::new();
        let mut levels: BTreeMap<GroupKey, Edges> = BTreeMap::new();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        self.each_stay(question, |stay| {
            let from = stay.from_ms.max(since);
            // It still stood so at the moment at which it was last seen.
            let over = stay.until_ms + i64::from(stay.is_last);
            if from >= over.min(until) {
                return Ok(());
            }
            for (from, to) in buckets(from, over.min(until), question.bucket_ms())? {
                let (of, at) = (&stay.deployment_id, to_time(from)?);
                let key = question.key(&stay.app_id, &stay.region, of, at);
                let sum = sums.entry(key).or_default();
                if sum.last_process != Some(stay.process_key) {
                    sum.last_process = Some(stay.process_key);
                    sum.processes += 1;
                }
                let millis = (to.min(stay.until_ms) - from).max(0);
                sum.allocated_ms = millis
                    .saturating_mul(stay.allocated)
                    .saturating_add(sum.allocated_ms);
                sum.capacity_ms = millis
                    .saturating_mul(stay.capacity)
                    .saturating_add(sum.capacity_ms);
            }
            let place = question.place(&stay.app_id, &stay.region, &stay.deployment_id);
            let edges = levels.entry(place).or_default();
            edges.add(
                from,
                Some(over),
                stay.allocated.clamp(-MOST_ROOMS, MOST_ROOMS),
            );
            Ok(())
        })?;
        let mut peaks = BTreeMap::new();
        for (place, mut edges) in levels {
            for peak in edges.peaks(until.min(edges.last_ms()), question.bucket_ms())? {
                peaks.insert(question.key_at(place.clone(), to_time(peak.at_ms)?), peak);
            }
        }
        let mut rows = Vec::new();
        for (key, sum) in sums {
            let peak = peaks.get(&key);
            rows.push(RoomRow {
                processes: sum.processes,
                allocated_ms: sum.allocated_ms,
                capacity_ms: sum.capacity_ms,
                utilization: (sum.capacity_ms > 0)
                    .then(|| sum.allocated_ms as f64 / sum.capacity_ms as f64),
                // Only what is above zero is a peak.
                peak_allocated: peak.map_or(0, |peak| peak.level.unsigned_abs()),
                peak_at: peak.map(|peak| to_time(peak.at_ms)).transpose()?,
                key,
            });
        }
        self.answer("rooms", question, Exclusions::default(), rows)
    }

    /// Calls `each` for every version in which a process was serving, process by process.
    fn each_stay(
        &self,
        question: &Question,
        mut each: impl FnMut(Stay) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let filter = question.filter();
        let (since, until) = (question.window.since_ms(), question.window.until_ms());
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT * FROM (
                     SELECT v.process_key, a.text AS app_id, r.text AS region,
                            v.deployment AS deployment_id, v.first_seen_ms,
                            coalesce(n.first_seen_ms, p.seen_until_ms) AS until_ms,
                            n.version IS NULL AS is_last, v.rooms_allocated, v.rooms_per_process
                     FROM version v
                     JOIN process_seen p USING (process_key)
                     LEFT JOIN version n
                         ON n.process_key = v.process_key AND n.version = v.version + 1
                     JOIN word a ON a.word_id = v.app
                     JOIN word r ON r.word_id = v.region
                     JOIN word s ON s.word_id = v.status
                     WHERE v.first_seen_ms < :until AND v.started_ms IS NOT NULL
                       AND v.stopping_ms IS NULL AND v.terminated_ms IS NULL
                       AND s.text NOT IN ('stopped', 'failed')
                 )
                 WHERE until_ms >= :since AND {FILTER}
                 ORDER BY process_key"
            ))
            .doing("read rooms")?;
        let mut rows = statement
            .query(&filter.and(&[(":since", &since), (":until", &until)])[..])
            .doing("read rooms")?;
        while let Some(row) = rows.next().doing("read rooms")? {
            each(Stay {
                process_key: row.get(0).doing("read rooms")?,
                app_id: row.get(1).doing("read rooms")?,
                region: row.get(2).doing("read rooms")?,
                deployment_id: deployment(row, 3)?,
                from_ms: row.get(4).doing("read rooms")?,
                until_ms: row.get(5).doing("read rooms")?,
                is_last: row.get(6).doing("read rooms")?,
                allocated: row.get(7).doing("read rooms")?,
                capacity: row.get(8).doing("read rooms")?,
            })?;
        }
        Ok(())
    }
}
