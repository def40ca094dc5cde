//! One look at one app: the list of the most recent processes, then each process that is open on
//! record and that the list did not show.

use std::collections::HashSet;

use futures_util::StreamExt;

use super::Rejected;
use super::request::{Asker, NoAnswer};
use super::window::{PAGE_ROWS, Seen, gap};
use crate::model::{Gap, Process, SetAside, UtcMillis};
use crate::source::api::{ApiError, Client, Filter, Info};
use crate::store::Known;

/// What an API said of an app when it was looked at.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub processes: Vec<Process>,
    pub unknown: Vec<String>,
    pub set_aside: Vec<SetAside>,
    pub gaps: Vec<Gap>,
    pub rejected: Vec<Rejected>,
    pub unanswered: Vec<ApiError>,
    pub deferred: u64,
    pub out_of_time: bool,
    pub begins_after: Option<UtcMillis>,
    pub bytes: u64,
}

pub(super) async fn look(client: &Client, asker: &Asker, known: &Known) -> Result<Look, NoAnswer> {
    let app_id = &known.app_id;
    let everything = Filter::default();
    let page = asker.ask(|| client.latest(app_id, &everything)).await?;
    let rows = page.processes.len() + page.set_aside.len();
    let oldest = page.processes.iter().min_by_key(|p| p.created_at);
    let mut look = Look {
        processes: page.processes.clone(),
        set_aside: page.set_aside,
        bytes: page.bytes,
        ..Look::default()
    };
    let shown: HashSet<&str> = page
        .processes
        .iter()
        .map(|p| p.process_id.as_str())
        .collect();
    let missing: Vec<&String> = known
        .open
        .iter()
        .filter(|id| !shown.contains(id.as_str()))
        .collect();
    let mut answers = futures_util::stream::iter(missing)
        .map(|id| async move { (id, asker.ask(|| client.info(app_id, id)).await) })
        .buffered(asker.concurrency());
    while let Some((id, answer)) = answers.next().await {
        match answer {
            Ok(Info::Known(process, bytes)) => {
                look.bytes += bytes;
                look.processes.push(*process);
            }
            Ok(Info::Unknown) => look.unknown.push(id.clone()),
            Ok(Info::SetAside(aside)) => look.set_aside.push(aside),
            Err(NoAnswer::Failed(error)) => {
                // The others would be refused as well.
                let refused = matches!(error, ApiError::Unauthorized { .. });
                look.unanswered.push(error);
                if refused {
                    break;
                }
            }
            Err(NoAnswer::OutOfTime(_)) => {
                look.deferred += 1;
                look.out_of_time = true;
            }
            Err(NoAnswer::OutOfRequests) => look.deferred += 1,
        }
    }
    let seen = Seen {
        rows,
        oldest: oldest.map(|process| process.created_at),
        reaches_known: oldest.is_some_and(|p| Some(p.created_at) <= known.newest),
        has_forgotten: !look.unknown.is_empty(),
        observed_at: known.now,
    };
    if let Some(until) = seen.hides_until() {
        let hidden = gap(until, known.newest.filter(|newest| *newest < until));
        look.gaps.extend(hidden.map(|(since, until)| Gap {
            app_id: app_id.clone(),
            region: None,
            status: None,
            since,
            until,
            hidden_at_least: None,
        }));
    }
    if known.newest.is_none() && rows >= PAGE_ROWS {
        look.begins_after = oldest.map(|p| p.created_at);
    }
    Ok(look)
}
