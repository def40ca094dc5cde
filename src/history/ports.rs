//! How often and how soon were endpoints taken again?

use serde::Serialize;

use super::answer::Exclusions;
use super::holds::Gap;
use super::{Answer, History, Question, Reading, Row};
use crate::Error;
use crate::model::{Deployment, UtcMillis};

/// The reuse of one endpoint, or of all endpoints of one host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PortRow {
    /// The host.
    pub host: String,
    /// The port; none where the row sums up a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// The transport; none where the row sums up a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Holds that began in the window.
    pub holds: u64,
    /// Of these, those that began when or after the endpoint's previous hold ended.
    pub reuses: u64,
    /// Of these, those that began before the endpoint's previous hold ended.
    pub overlaps: u64,
    /// The shortest gap of the reuses, in milliseconds.
    pub min_gap_ms: Option<i64>,
    /// The gap than which a tenth of the reuses came sooner, in milliseconds.
    pub p10_gap_ms: Option<i64>,
    /// The median gap of the reuses, in milliseconds.
    pub median_gap_ms: Option<i64>,
    /// The gap than which a tenth of the reuses came later, in milliseconds.
    pub p90_gap_ms: Option<i64>,
    /// The longest gap of the reuses, in milliseconds.
    pub max_gap_ms: Option<i64>,
}

impl Row for PortRow {
    const FIELDS: &'static [&'static str] = &[
        "host",
        "port",
        "transport",
        "holds",
        "reuses",
        "overlaps",
        "min_gap_ms",
        "p10_gap_ms",
        "median_gap_ms",
        "p90_gap_ms",
        "max_gap_ms",
    ];
}

/// A hold that began soon after the one before it had ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TooSoonRow {
    /// The host.
    pub host: String,
    /// The port.
    pub port: i64,
    /// The transport.
    pub transport: String,
    /// Milliseconds between the two.
    pub gap_ms: i64,
    /// Whose hold it is.
    pub process_id: String,
    /// When it began.
    pub held_from: UtcMillis,
    /// Who held the endpoint before.
    pub previous_process_id: String,
    /// When that ended.
    pub previous_held_until: UtcMillis,
    /// The process's app.
    pub app_id: String,
    /// The process's region.
    pub region: String,
    /// The process's deployment.
    pub deployment_id: Deployment,
}

impl Row for TooSoonRow {
    const FIELDS: &'static [&'static str] = &[
        "host",
        "port",
        "transport",
        "gap_ms",
        "process_id",
        "held_from",
        "previous_process_id",
        "previous_held_until",
        "app_id",
        "region",
        "deployment_id",
    ];
}

impl History {
    /// How often and how soon endpoints were taken again: for each endpoint, or summed by host.
    ///
    /// Counts the holds that began in the window; the hold before the first of them is looked up
    /// outside it. A hold that ends before it begins is excluded, and so is a gap after one whose
    /// end is unknown. The question's grouping is not used.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn ports(&self, question: &Question, by_host: bool) -> Result<Answer<PortRow>, Error> {
        self.read(|reading| reading.ports(question, by_host))
    }

    /// The holds that began in the window within `gap_ms` milliseconds of the end of the endpoint's
    /// previous hold, the soonest first. Those that began before that are no gaps, but
    /// [conflicts](History::conflicts). The question's grouping is not used.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn too_soon(&self, gap_ms: i64, question: &Question) -> Result<Answer<TooSoonRow>, Error> {
        self.read(|reading| reading.too_soon(gap_ms, question))
    }
}

impl Reading<'_> {
    fn ports(&self, question: &Question, by_host: bool) -> Result<Answer<PortRow>, Error> {
        let reuse = self.reuse(question, by_host)?;
        let mut rows: Vec<PortRow> = reuse
            .by_place
            .into_iter()
            .map(|(place, reuse)| PortRow {
                host: place.host,
                port: place.port,
                transport: place.transport,
                holds: reuse.holds,
                reuses: reuse.gaps.len() as u64,
                overlaps: reuse.overlaps,
                min_gap_ms: reuse.gaps.min(),
                p10_gap_ms: reuse.gaps.percentile(10),
                median_gap_ms: reuse.gaps.percentile(50),
                p90_gap_ms: reuse.gaps.percentile(90),
                max_gap_ms: reuse.gaps.max(),
            })
            .collect();
        let place = |row: &PortRow| (row.host.clone(), row.port, row.transport.clone());
        rows.sort_by_cached_key(place);
        let answer = self.answer("ports", question, Exclusions::default(), rows)?;
        let excluded = reuse.excluded.into_iter();
        Ok(Answer {
            excluded: excluded
                .map(|(reason, n)| (reason.to_string(), n))
                .collect(),
            ..answer
        })
    }

    fn too_soon(&self, most_ms: i64, question: &Question) -> Result<Answer<TooSoonRow>, Error> {
        let mut excluded = Exclusions::default();
        let mut rows = Vec::new();
        self.each_hold(question, None, |hold, previous| {
            if !question.window.contains(hold.from) || !hold.passes {
                return;
            }
            match (hold.gap_after(previous), previous) {
                (Gap::Millis(gap_ms), Some(previous)) if (0..=most_ms).contains(&gap_ms) => {
                    rows.push(TooSoonRow {
                        host: hold.host.clone(),
                        port: hold.port,
                        transport: hold.transport.clone(),
                        gap_ms,
                        process_id: hold.process_id.clone(),
                        held_from: hold.from,
                        previous_process_id: previous.process_id.clone(),
                        previous_held_until: hold.from.plus_millis(-gap_ms),
                        app_id: hold.app_id.clone(),
                        region: hold.region.clone(),
                        deployment_id: hold.deployment_id.clone(),
                    });
                }
                (Gap::Unknown(reason), _) => excluded.count(reason),
                _ => {}
            }
        })?;
        rows.sort_by(|a, b| {
            let place = |row: &TooSoonRow| (row.gap_ms, row.held_from, row.port);
            (place(a), &a.host, &a.process_id).cmp(&(place(b), &b.host, &b.process_id))
        });
        self.answer("ports", question, excluded, rows)
    }
}
