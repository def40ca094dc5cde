//! The holds of endpoints, read in order of time, each with what was before it.

use std::rc::Rc;

use rusqlite::Row;

use super::lives::outcome;
use super::question::FILTER;
use super::{Question, Reading, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Excluded, Outcome, UtcMillis};
use crate::store::{deployment, optional_time, time};

/// One process holding one endpoint.
pub(super) struct Hold {
    /// The same for holds of one endpoint.
    pub endpoint: i64,
    pub host: String,
    pub port: i64,
    pub transport: String,
    pub process_id: String,
    pub app_id: String,
    pub region: String,
    pub deployment_id: Deployment,
    pub outcome: Outcome,
    pub from: UtcMillis,
    pub until: Option<UtcMillis>,
    pub last_seen: UtcMillis,
    /// Whether the process passes the question's filter.
    pub passes: bool,
}

/// When a hold ended, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoldEnd {
    At(UtcMillis),
    /// It goes on.
    Held,
    /// It is over, or may be, and nobody knows when: because of this.
    Unknown(Excluded),
}

/// What lies between a hold and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// There is none: it is the first, or lasted no time in the midst of another.
    None,
    /// So many milliseconds; negative where the two overlap.
    Millis(i64),
    /// The one before goes on.
    Held,
    /// It cannot be told.
    Unknown(Excluded),
}

/// A hold by its times alone, as far as they matter to those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenure {
    pub from: UtcMillis,
    pub until: Option<UtcMillis>,
    pub outcome: Outcome,
}

impl Tenure {
    pub fn end(&self) -> HoldEnd {
        match (self.until, self.outcome) {
            (Some(until), _) if until < self.from => HoldEnd::Unknown(Excluded::TimesOutOfOrder),
            (Some(until), _) => HoldEnd::At(until),
            (None, Outcome::Open) => HoldEnd::Held,
            (None, Outcome::Lost) => HoldEnd::Unknown(Excluded::Lost),
            (None, Outcome::Stopped | Outcome::Failed) => HoldEnd::Unknown(Excluded::NoEndTime),
        }
    }

    /// Whether it lasted no time at all, as far as is known: it overlaps nobody's, and nobody had to wait
    /// for its end.
    pub fn is_of_no_length(&self) -> bool {
        self.until == Some(self.from)
    }

    /// Whether it ends before it begins.
    pub fn is_backward(&self) -> bool {
        self.until.is_some_and(|until| until < self.from)
    }

    /// Since the hold before, where this is one that can be placed at all.
    pub fn gap_after(&self, previous: Option<&Self>) -> Gap {
        let Some(previous) = previous else {
            return Gap::None;
        };
        if self.is_backward() {
            return Gap::Unknown(Excluded::TimesOutOfOrder);
        }
        match previous.end() {
            HoldEnd::At(until) if self.from >= until || !self.is_of_no_length() => {
                Gap::Millis(self.from.millis_since(until))
            }
            HoldEnd::Held if !self.is_of_no_length() => Gap::Held,
            HoldEnd::At(_) | HoldEnd::Held => Gap::None,
            HoldEnd::Unknown(_) => Gap::Unknown(Excluded::PreviousEndUnknown),
        }
    }
}

impl Hold {
    /// Reads one from a row of these fields in their order.
    pub fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            endpoint: row.get(0).doing("read holds")?,
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
        })
    }

    fn tenure(&self) -> Tenure {
        Tenure {
            from: self.from,
            until: self.until,
            outcome: self.outcome,
        }
    }

    pub fn end(&self) -> HoldEnd {
        self.tenure().end()
    }

    /// As [`Tenure::is_of_no_length`] has it.
    pub fn is_of_no_length(&self) -> bool {
        self.tenure().is_of_no_length()
    }

    /// Whether it ends before it begins.
    pub fn is_backward(&self) -> bool {
        self.tenure().is_backward()
    }

    /// Since the hold before, where this is one that can be placed at all.
    pub fn gap_after(&self, previous: Option<&Self>) -> Gap {
        self.tenure().gap_after(previous.map(Self::tenure).as_ref())
    }

    /// Whether some of it lies in the window.
    pub fn touches(&self, window: &Window) -> bool {
        // A hold is half-open; one that begins and ends at once, or backward, is but its beginning.
        let until = self.until.map(|until| until.max(self.from));
        window.until.is_none_or(|end| self.from < end)
            && window
                .since
                .is_none_or(|since| self.from >= since || until.is_none_or(|until| until > since))
    }
}

/// Holds with their processes, to be narrowed.
pub(super) const HOLDS: &str = "SELECT h.endpoint_id, w.text AS host, e.port, t.text AS transport,
            p.process_id, a.text AS app_id, r.text AS region,
            p.deployment AS deployment_id, p.outcome, h.held_from_ms,
            h.held_until_ms, p.seen_until_ms
     FROM hold h
     JOIN process_seen p USING (process_key)
     JOIN endpoint e USING (endpoint_id)
     JOIN word w ON w.word_id = e.host
     JOIN word t ON t.word_id = e.transport
     JOIN word a ON a.word_id = p.app
     JOIN word r ON r.word_id = p.region";

impl Reading<'_> {
    /// Calls `each` for every hold, or those of one host and port, endpoint by endpoint in order of
    /// time, with the hold before it that lasted for any time.
    pub fn each_hold(
        &self,
        question: &Question,
        endpoint: Option<(&str, i64)>,
        mut each: impl FnMut(&Rc<Hold>, Option<&Hold>),
    ) -> Result<(), Error> {
        let filter = question.filter();
        let (host, port) = endpoint.unzip();
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT *, {FILTER} AS passes
                 FROM (
                     {HOLDS} WHERE {})
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
        let mut last: Option<Rc<Hold>> = None;
        while let Some(row) = rows.next().doing("read holds")? {
            let hold = Rc::new(Hold::from_row(row)?);
            let previous = last.filter(|last| last.endpoint == hold.endpoint);
            each(&hold, previous.as_deref());
            last = match hold.is_of_no_length() {
                true => previous,
                false => Some(hold),
            };
        }
        Ok(())
    }
}
