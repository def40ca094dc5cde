//! Who held an endpoint, and when?

use rusqlite::named_params;
use serde::Serialize;

use super::answer::Exclusions;
use super::holds::{Gap, HoldEnd};
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
        self.each_hold(&about, Some((host, port)), |hold, previous| {
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
        })?;
        // Of two transports one would come after the other, in the order in which they were first seen.
        rows.sort_by(|a, b| {
            let place = |row: &HolderRow| (row.held_from, row.transport.clone());
            (place(a), &a.process_id).cmp(&(place(b), &b.process_id))
        });
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
}
