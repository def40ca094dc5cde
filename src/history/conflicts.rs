//! Which endpoints were held by two at once, and by whom?

use std::rc::Rc;

use serde::Serialize;

use super::answer::Exclusions;
use super::holds::{Hold, HoldEnd};
use super::{Answer, History, Question, Reading, Row, Window};
use crate::Error;
use crate::model::UtcMillis;

/// Two processes that held one endpoint at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConflictRow {
    /// The host.
    pub host: String,
    /// The port.
    pub port: i64,
    /// The transport.
    pub transport: String,
    /// When the later one began.
    pub since: UtcMillis,
    /// When the first of the two ended; none where both go on, or where that is not known.
    pub until: Option<UtcMillis>,
    /// Milliseconds from the one to the other.
    pub shared_ms: Option<i64>,
    /// Whose hold began earlier.
    pub process_id: String,
    /// When that began.
    pub held_from: UtcMillis,
    /// When that ended; none where it goes on, or where that is not known.
    pub held_until: Option<UtcMillis>,
    /// Whose hold began later.
    pub other_process_id: String,
    /// When that began.
    pub other_held_from: UtcMillis,
    /// When that ended; none where it goes on, or where that is not known.
    pub other_held_until: Option<UtcMillis>,
}

impl Row for ConflictRow {
    const FIELDS: &'static [&'static str] = &[
        "host",
        "port",
        "transport",
        "since",
        "until",
        "shared_ms",
        "process_id",
        "held_from",
        "held_until",
        "other_process_id",
        "other_held_from",
        "other_held_until",
    ];
}

impl History {
    /// Every two holds of one endpoint that share some time in the window, in order of the moment from
    /// which they do; at least one of the two passes the filter. The grouping is not used.
    ///
    /// A hold without a known end is taken to last until its process was last seen, and counted as
    /// excluded beside.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn conflicts(&self, question: &Question) -> Result<Answer<ConflictRow>, Error> {
        self.read(|reading| reading.conflicts(question))
    }
}

impl Reading<'_> {
    fn conflicts(&self, question: &Question) -> Result<Answer<ConflictRow>, Error> {
        let mut excluded = Exclusions::default();
        let mut rows = Vec::new();
        // The holds of the endpoint at hand that have not ended before the latest began.
        let mut held: Vec<Rc<Hold>> = Vec::new();
        self.each_hold(question, None, |hold, previous| {
            if previous.is_none() {
                held.clear();
            }
            if let HoldEnd::Unknown(reason) = hold.end()
                && hold.passes
                && hold.touches(&question.window)
            {
                excluded.count(reason);
            }
            if hold.is_backward() {
                return;
            }
            held.retain(|earlier| known_until(earlier).is_none_or(|until| until > hold.from));
            let of_interest = held.iter().filter(|earlier| earlier.passes || hold.passes);
            rows.extend(
                of_interest.filter_map(|earlier| conflict(earlier, hold, &question.window)),
            );
            held.push(Rc::clone(hold));
        })?;
        rows.sort_by(|a, b| {
            let place = |row: &ConflictRow| (row.since, row.port, row.held_from);
            (place(a), &a.host, &a.process_id, &a.other_process_id).cmp(&(
                place(b),
                &b.host,
                &b.process_id,
                &b.other_process_id,
            ))
        });
        self.answer("ports", question, excluded, rows)
    }
}

/// Until when it is known to have lasted, that moment not included; none where it goes on.
fn known_until(hold: &Hold) -> Option<UtcMillis> {
    match hold.end() {
        HoldEnd::At(until) => Some(until),
        HoldEnd::Held => None,
        HoldEnd::Unknown(_) => Some(hold.last_seen.plus_millis(1)),
    }
}

/// The two, if the time that they share touches the window.
fn conflict(earlier: &Hold, later: &Hold, window: &Window) -> Option<ConflictRow> {
    let known = [earlier, later].into_iter().filter_map(known_until).min();
    // A hold of no length shares nothing with anybody.
    if known.is_some_and(|until| until <= later.from)
        || window.until.is_some_and(|end| later.from >= end)
        || window
            .since
            .zip(known)
            .is_some_and(|(since, until)| until <= since)
    {
        return None;
    }
    let ends = [earlier.end(), later.end()];
    let until = known.filter(|until| ends.contains(&HoldEnd::At(*until)));
    Some(ConflictRow {
        host: later.host.clone(),
        port: later.port,
        transport: later.transport.clone(),
        since: later.from,
        until,
        shared_ms: until.map(|until| until.millis_since(later.from)),
        process_id: earlier.process_id.clone(),
        held_from: earlier.from,
        held_until: earlier.until,
        other_process_id: later.process_id.clone(),
        other_held_from: later.from,
        other_held_until: later.until,
    })
}
