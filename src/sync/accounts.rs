//! Whether a page that is full and does not reach back hides anything after all: the API is asked to
//! count, and the count is held against the processes that are accounted for.
//!
//! A count is of one moment, and the processes were seen at others. So it only ever proves that
//! nothing is hidden if all that are accounted for are seen to match before it and after it.
//! Limits: an API need not offer `count`, and how many ended processes it still counts is its own
//! business, so of those only a page's own rows are accounted for.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Hides, Leaf, Plan, Unaccounted, is_end};
use super::request::Asker;
use crate::model::Process;
use crate::source::api::{Client, Filter, Info};

/// So many processes are asked for once more, for one page, to prove that it hides nothing.
const MAX_ASKED_AGAIN: usize = 100;

/// What became of each leaf.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    hides: Vec<(Leaf, Hides)>,
    pub bytes: u64,
}

impl Accounts {
    pub fn of(&self, leaf: &Leaf) -> Hides {
        let found = self.hides.iter().find(|(known, _)| known == leaf);
        found.map_or(Hides::Something(None), |(_, hides)| *hides)
    }
}

/// Holds the API's counts against `seen`, the latest states of all processes that the look saw.
pub(super) async fn check(
    client: &Client,
    asker: &Asker,
    app_id: &str,
    plan: &Plan,
    seen: &BTreeMap<String, Process>,
) -> Accounts {
    let mut accounts = Accounts::default();
    for leaf in plan.leaves() {
        let filter = Filter {
            regions: vec![leaf.region.clone()],
            statuses: vec![leaf.status.clone()],
        };
        let count = match asker.ask(|| client.count(app_id, &filter)).await {
            Ok(Some(count)) => count,
            // Not offered, or no answer: no use in asking for the others.
            _ => break,
        };
        let accounted = accounted_for(leaf, seen);
        let not_among = |n: usize| count.saturating_sub(n as u64);
        let unaccounted = not_among(accounted.len());
        let hides = if unaccounted > 0 {
            let open = open_in(&leaf.region, seen).chain(leaf.shown.iter());
            let counted = Unaccounted {
                at_least: not_among(open.collect::<BTreeSet<_>>().len()),
                at_most: unaccounted,
            };
            Hides::Something(Some(counted).filter(|_| !is_end(&leaf.status)))
        } else {
            let again = Again {
                client,
                asker,
                app_id,
                filter: &filter,
            };
            if again.all_match(leaf, &accounted, &mut accounts.bytes).await {
                Hides::Nothing
            } else {
                Hides::Something(None)
            }
        };
        accounts.hides.push((leaf.clone(), hides));
    }
    accounts
}

/// The ids of those that are known to match a leaf's filter.
fn accounted_for(leaf: &Leaf, seen: &BTreeMap<String, Process>) -> BTreeSet<String> {
    let matching = open_in(&leaf.region, seen).filter(|id| seen[*id].status == leaf.status);
    matching.chain(&leaf.shown).cloned().collect()
}

/// The ids of the open processes of a region.
fn open_in<'a>(
    region: &'a str,
    seen: &'a BTreeMap<String, Process>,
) -> impl Iterator<Item = &'a String> {
    let is_open = move |process: &Process| process.region == region && !is_end(&process.status);
    seen.iter()
        .filter(move |(_, p)| is_open(p))
        .map(|(id, _)| id)
}

/// Looks once more, after the count.
struct Again<'a> {
    client: &'a Client,
    asker: &'a Asker,
    app_id: &'a str,
    filter: &'a Filter,
}

impl Again<'_> {
    /// Whether each of them still matches the leaf's filter.
    async fn all_match(&self, leaf: &Leaf, ids: &BTreeSet<String>, bytes: &mut u64) -> bool {
        if ids.len() - leaf.shown.len() > MAX_ASKED_AGAIN {
            return false;
        }
        let page = self
            .asker
            .ask(|| self.client.latest(self.app_id, self.filter))
            .await;
        let Ok(page) = page else {
            return false;
        };
        *bytes += page.bytes;
        let shown = page.processes.into_iter().map(|p| p.process_id);
        let shown: BTreeSet<String> = shown.collect();
        for id in ids {
            if shown.contains(id) {
                continue;
            }
            let info = self.asker.ask(|| self.client.info(self.app_id, id)).await;
            match info {
                Ok(Info::Known(process, more))
                    if process.region == leaf.region && process.status == leaf.status =>
                {
                    *bytes += more;
                }
                _ => return false,
            }
        }
        true
    }
}
