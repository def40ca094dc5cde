//! Who held an endpoint, and when?

use rusqlite::named_params;
use serde::Serialize;

use super::answer::Exclusions;
use super::holds::{Gap, HOLDS, Hold, HoldEnd};
use super::question::FILTER;
use super::{Answer, History, Question, Reading, Row, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Outcome, UtcMillis};

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
            Some(at) => question.clone().window(Window::moment(at)),
            None => question.clone(),
        };
        let mut excluded = Exclusions::default();
        let mut rows = Vec::new();
        let mut each = |hold: &Hold, previous: Option<&Hold>| {
            if !hold.passes || !hold.touches(&about.window) {
                return;
            }
            if let (Some(at), None, HoldEnd::Unknown(reason)) = (at, hold.until, hold.end())
                && at > hold.last_seen
            {
                excluded.count(reason);
                return;
            }
            rows.push(HolderRow {
                gap_ms: match hold.gap_after(previous) {
                    Gap::Millis(gap_ms) => Some(gap_ms),
                    _ => None,
                },
                process_id: hold.process_id.clone(),
                held_from: hold.from,
                held_until: hold.until,
                transport: hold.transport.clone(),
                outcome: hold.outcome,
                app_id: hold.app_id.clone(),
                region: hold.region.clone(),
                deployment_id: hold.deployment_id.clone(),
            });
        };
        match at {
            Some(at) => {
                for hold in self.held_at(&about, (host, port), at)? {
                    each(&hold, self.hold_before(&hold)?.as_ref());
                }
            }
            None => self.each_hold(&about, Some((host, port)), |hold, previous| {
                each(hold, previous);
            })?,
        }
        // Of two transports one would come after the other, in the order in which they were first seen.
        rows.sort_by(|a, b| {
            let place = |row: &HolderRow| (row.held_from, row.transport.clone());
            (place(a), &a.process_id).cmp(&(place(b), &b.process_id))
        });
        self.answer("ports", &about, excluded, rows)
    }

    /// The holds of a host and port that go on at a moment, as far as is known, or begin then. Of the others
    /// nothing is read but their times.
    fn held_at(
        &self,
        about: &Question,
        (host, port): (&str, i64),
        at: UtcMillis,
    ) -> Result<Vec<Hold>, Error> {
        let filter = about.filter();
        self.holds(
            &format!(
                "SELECT *, {FILTER} AS passes FROM ({HOLDS}
                 WHERE h.endpoint_id IN
                           (SELECT i.endpoint_id FROM endpoint i JOIN word x ON x.word_id = i.host
                            WHERE x.text = :host AND i.port = :port)
                   AND h.held_from_ms <= :at
                   AND (h.held_from_ms = :at OR h.held_until_ms IS NULL OR h.held_until_ms > :at))
                 ORDER BY endpoint_id, held_from_ms, process_id"
            ),
            &filter.and(&[(":host", &host), (":port", &port), (":at", &at.millis())]),
        )
    }

    /// The hold of the same endpoint before this one that lasted for any time.
    fn hold_before(&self, hold: &Hold) -> Result<Option<Hold>, Error> {
        let before = self.holds(
            &format!(
                "SELECT *, TRUE AS passes FROM ({HOLDS}
                 WHERE h.endpoint_id = :endpoint AND h.held_from_ms <= :from
                   AND (h.held_from_ms < :from OR p.process_id < :process)
                   AND h.held_until_ms IS NOT h.held_from_ms
                 ORDER BY h.held_from_ms DESC, p.process_id DESC LIMIT 1)"
            ),
            &[
                (":endpoint", &hold.endpoint),
                (":from", &hold.from.millis()),
                (":process", &hold.process_id),
            ],
        )?;
        Ok(before.into_iter().next())
    }

    fn holds(
        &self,
        query: &str,
        values: &[(&'static str, &dyn rusqlite::ToSql)],
    ) -> Result<Vec<Hold>, Error> {
        let mut statement = self.db.prepare_cached(query).doing("read holds")?;
        let mut rows = statement.query(values).doing("read holds")?;
        let mut holds = Vec::new();
        while let Some(row) = rows.next().doing("read holds")? {
            holds.push(Hold::from_row(row)?);
        }
        Ok(holds)
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
}
