//! Who held an endpoint when, and how soon did the next one get it?

use std::collections::BTreeMap;

use rusqlite::named_params;
use serde::Serialize;

use super::answer::Exclusions;
use super::lifetimes::outcome;
use super::question::FILTER;
use super::{Answer, History, Question, Reading, Row, Window, percentile};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Excluded, Outcome, UtcMillis};
use crate::store::{deployment, optional_time, time};

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
    /// The median gap of the reuses, in milliseconds.
    pub median_gap_ms: Option<i64>,
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
        "median_gap_ms",
    ];
}

/// One process holding an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HolderRow {
    /// The process.
    pub process_id: String,
    /// From when.
    pub held_from: UtcMillis,
    /// Until when; none where it is still held, or unknown.
    pub held_until: Option<UtcMillis>,
    /// Milliseconds since the previous hold of the endpoint ended; negative where they overlap.
    pub gap_ms: Option<i64>,
    /// The transport.
    pub transport: String,
    /// How the process stands: tells a hold that goes on from one whose end is unknown.
    pub outcome: Outcome,
    /// The process's app.
    pub app_id: String,
    /// The process's region.
    pub region: String,
    /// The process's deployment.
    pub deployment_id: Deployment,
}

impl Row for HolderRow {
    const FIELDS: &'static [&'static str] = &[
        "process_id",
        "held_from",
        "held_until",
        "gap_ms",
        "transport",
        "outcome",
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

    /// Who held `host:port`, in order of time: all whose hold touches the window, or, with `at`,
    /// those that held it at that moment.
    ///
    /// A hold of which it cannot be told whether it lasted until `at` is counted as excluded.
    ///
    /// # Errors
    /// [`Error::UnknownEndpoint`] if no process ever held it; [`Error::Sqlite`] or
    /// [`Error::Damaged`].
    pub fn holders(
        &self,
        host: &str,
        port: i64,
        at: Option<UtcMillis>,
        question: &Question,
    ) -> Result<Answer<HolderRow>, Error> {
        self.read(|reading| reading.holders(host, port, at, question))
    }
}

impl Reading<'_> {
    fn ports(&self, question: &Question, by_host: bool) -> Result<Answer<PortRow>, Error> {
        let mut excluded = Exclusions::default();
        let mut groups: BTreeMap<(String, Option<(i64, String)>), Reuse> = BTreeMap::new();
        self.each_hold(question, None, |hold| {
            if !question.window.contains(hold.from) || !hold.passes {
                return;
            }
            let place = (!by_host).then(|| (hold.port, hold.transport.clone()));
            if hold.is_backward() {
                excluded.count(Excluded::TimesOutOfOrder);
                return;
            }
            let reuse = groups.entry((hold.host.clone(), place)).or_default();
            reuse.holds += 1;
            match hold.previous {
                Previous::None => {}
                Previous::Ended(until) => match hold.from.millis_since(until) {
                    gap if gap < 0 => reuse.overlaps += 1,
                    gap => reuse.gaps.push(gap),
                },
                Previous::Held => reuse.overlaps += 1,
                Previous::Unknown => excluded.count(Excluded::PreviousEndUnknown),
            }
        })?;
        let rows = groups
            .into_iter()
            .map(|((host, place), mut reuse)| {
                reuse.gaps.sort_unstable();
                let (port, transport) = place.unzip();
                PortRow {
                    host,
                    port,
                    transport,
                    holds: reuse.holds,
                    reuses: reuse.gaps.len() as u64,
                    overlaps: reuse.overlaps,
                    min_gap_ms: reuse.gaps.first().copied(),
                    median_gap_ms: percentile(&reuse.gaps, 0.5).map(|gap| gap.round() as i64),
                }
            })
            .collect();
        self.answer("ports", question, excluded, rows)
    }

    fn holders(
        &self,
        host: &str,
        port: i64,
        at: Option<UtcMillis>,
        question: &Question,
    ) -> Result<Answer<HolderRow>, Error> {
        if !self.knows_endpoint(host, port)? {
            return Err(Error::UnknownEndpoint {
                host: host.to_owned(),
                port,
            });
        }
        let about = match at {
            Some(at) => question.clone().window(Window {
                since: Some(at),
                until: Some(at.plus_millis(1)),
            }),
            None => question.clone(),
        };
        let mut excluded = Exclusions::default();
        let mut rows = Vec::new();
        self.each_hold(&about, Some((host, port)), |hold| {
            if !hold.passes || !hold.touches(&about.window) {
                return;
            }
            if let (Some(at), Some(reason)) = (at, hold.end_unknown())
                && at > hold.last_seen
            {
                excluded.count(reason);
                return;
            }
            rows.push(HolderRow {
                gap_ms: hold.gap_ms(),
                process_id: hold.process_id,
                held_from: hold.from,
                held_until: hold.until,
                transport: hold.transport,
                outcome: hold.outcome,
                app_id: hold.app_id,
                region: hold.region,
                deployment_id: hold.deployment_id,
            });
        })?;
        self.answer("ports", &about, excluded, rows)
    }

    fn knows_endpoint(&self, host: &str, port: i64) -> Result<bool, Error> {
        self.db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM endpoint e JOIN word w ON w.word_id = e.host
                                WHERE w.text = :host AND e.port = :port)",
            )
            .and_then(|mut statement| {
                statement.query_row(named_params! { ":host": host, ":port": port }, |row| {
                    row.get(0)
                })
            })
            .doing("look up an endpoint")
    }

    /// Calls `each` for every hold, or those of one host and port, endpoint by endpoint in order of
    /// time, with what is known of the hold before it.
    fn each_hold(
        &self,
        question: &Question,
        endpoint: Option<(&str, i64)>,
        mut each: impl FnMut(Hold),
    ) -> Result<(), Error> {
        let filter = question.filter();
        let (host, port) = endpoint.unzip();
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT *, {FILTER} AS passes
                 FROM (
                     SELECT h.endpoint_id, w.text AS host, e.port, t.text AS transport,
                            p.process_id, a.text AS app_id, r.text AS region,
                            p.deployment AS deployment_id, p.outcome, h.held_from_ms,
                            h.held_until_ms, p.seen_until_ms
                     FROM hold h
                     JOIN process_seen p USING (process_key)
                     JOIN endpoint e USING (endpoint_id)
                     JOIN word w ON w.word_id = e.host
                     JOIN word t ON t.word_id = e.transport
                     JOIN word a ON a.word_id = p.app
                     JOIN word r ON r.word_id = p.region
                     WHERE {})
                 ORDER BY endpoint_id, held_from_ms, process_id",
                match endpoint {
                    Some(_) =>
                        "h.endpoint_id IN
                             (SELECT i.endpoint_id FROM endpoint i JOIN word x ON x.word_id = i.host
                              WHERE x.text = :host AND i.port = :port)",
                    None => ":host IS NULL AND :port IS NULL",
                }
            ))
            .doing("read holds")?;
        let mut rows = statement
            .query(&filter.and(&[(":host", &host), (":port", &port)])[..])
            .doing("read holds")?;
        let mut last: Option<(i64, Previous)> = None;
        while let Some(row) = rows.next().doing("read holds")? {
            let endpoint_id: i64 = row.get(0).doing("read holds")?;
            let hold = Hold {
                host: row.get(1).doing("read holds")?,
                port: row.get(2).doing("read holds")?,
                transport: row.get(3).doing("read holds")?,
                process_id: row.get(4).doing("read holds")?,
                app_id: row.get(5).doing("read holds")?,
                region: row.get(6).doing("read holds")?,
                deployment_id: deployment(row, 7)?,
                outcome: outcome(row, 8)?,
                from: time(row, 9)?,
                until: optional_time(row, 10)?,
                last_seen: time(row, 11)?,
                passes: row.get(12).doing("read holds")?,
                previous: match last {
                    Some((of, previous)) if of == endpoint_id => previous,
                    _ => Previous::None,
                },
            };
            last = Some((endpoint_id, hold.as_previous()));
            each(hold);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Reuse {
    holds: u64,
    overlaps: u64,
    gaps: Vec<i64>,
}

struct Hold {
    host: String,
    port: i64,
    transport: String,
    process_id: String,
    app_id: String,
    region: String,
    deployment_id: Deployment,
    outcome: Outcome,
    from: UtcMillis,
    until: Option<UtcMillis>,
    last_seen: UtcMillis,
    passes: bool,
    previous: Previous,
}

/// What is known of an endpoint's hold before this one.
#[derive(Clone, Copy)]
enum Previous {
    None,
    Ended(UtcMillis),
    Held,
    Unknown,
}

impl Hold {
    fn is_backward(&self) -> bool {
        self.until.is_some_and(|until| until < self.from)
    }

    fn as_previous(&self) -> Previous {
        match self.until {
            Some(until) if until >= self.from => Previous::Ended(until),
            None if self.outcome == Outcome::Open => Previous::Held,
            _ => Previous::Unknown,
        }
    }

    fn gap_ms(&self) -> Option<i64> {
        match self.previous {
            Previous::Ended(until) if !self.is_backward() => Some(self.from.millis_since(until)),
            _ => None,
        }
    }

    /// Why it cannot be told how long it lasted after its process was last seen.
    fn end_unknown(&self) -> Option<Excluded> {
        match (self.until, self.outcome) {
            (Some(_), _) | (None, Outcome::Open) => None,
            (None, Outcome::Lost) => Some(Excluded::Lost),
            (None, _) => Some(Excluded::NoEndTime),
        }
    }

    fn touches(&self, window: &Window) -> bool {
        // A hold is half-open; one that begins and ends at once, or backward, is but its beginning.
        let until = self.until.map(|until| until.max(self.from));
        window.until.is_none_or(|end| self.from < end)
            && window
                .since
                .is_none_or(|since| self.from >= since || until.is_none_or(|until| until > since))
    }
}
