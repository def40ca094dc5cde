//! Whether a page that is full and does not reach back hides anything after all: the API is asked to
//! count, and the count is held against the processes that are accounted for.
//!
//! A count is of one moment, and processes move on. So it only proves that nothing is hidden if
//! exactly so many are counted as are accounted for, all of these are seen to match before and
//! after it, and whoever may have left in the meantime is looked for once more where they can have
//! come to: in the statuses that follow.
//! Limits: an API need not offer `count`. How many ended processes it still counts is its own
//! business, so of those only a page's own rows are accounted for, and none are said to be hidden.

use std::collections::{BTreeMap, BTreeSet};

use tracing::debug;

use super::look::Looking;
use super::plan::{Hides, Leaf, Plan, Seen, Unaccounted, is_end};
use super::request::{Asker, NoAnswer};
use crate::model::Process;
use crate::source::api::{Client, Filter, Info};
use crate::store::OpenProcess;

/// So many processes are asked for once more, for one page, to prove that it hides nothing.
const MAX_ASKED_AGAIN: usize = 100;

/// More than that an API does not mean.
const MAX_COUNT: u64 = i64::MAX as u64;

/// What became of each leaf.
#[derive(Debug, Default)]
pub(super) struct Accounts(Vec<(Leaf, Hides)>);

impl Accounts {
    pub fn of(&self, leaf: &Leaf) -> Hides {
        let found = self.0.iter().find(|(known, _)| known == leaf);
        found.map_or(Hides::Something(None), |(_, hides)| *hides)
    }
}

/// Asks about one app.
pub(super) struct Accountant<'a> {
    pub client: &'a Client,
    pub asker: &'a Asker,
    pub app_id: &'a str,
    pub plan: &'a Plan,
    /// Those that were open on record before.
    pub open: &'a [OpenProcess],
}

impl Accountant<'_> {
    /// Holds the API's counts against what the look has seen; what is seen on the way is kept.
    pub async fn check(&self, looking: &mut Looking) -> Accounts {
        let mut accounts = Accounts::default();
        for leaf in self.plan.leaves() {
            let filter = filter(leaf, &leaf.status);
            let count = self.asker.ask(|| self.client.count(self.app_id, &filter));
            let hides = match count.await {
                // Not offered: no use in asking for the others.
                Ok(None) => break,
                Ok(Some(count)) => self.hides(leaf, count, looking).await,
                Err(no) => {
                    looking.answers.none(no);
                    break;
                }
            };
            debug!(?hides, "counted {filter}");
            accounts.0.push((leaf.clone(), hides));
        }
        accounts
    }

    async fn hides(&self, leaf: &Leaf, count: u64, looking: &mut Looking) -> Hides {
        let accounted = accounted_for(leaf, &looking.processes);
        if count == accounted.len() as u64 {
            return match self.stands_still(leaf, &accounted, looking).await {
                Ok(true) => Hides::Nothing,
                Ok(false) => Hides::Something(None),
                Err(no) => {
                    looking.answers.none(no);
                    Hides::Something(None)
                }
            };
        }
        // Some statuses end a life without being known to, and of those it counts what it likes.
        let is_open = matches!(
            leaf.status.as_str(),
            "starting" | "running" | "draining" | "stopping"
        );
        // A count below what is accounted for is none.
        let at_most = count.checked_sub(accounted.len() as u64);
        Hides::Something(
            at_most
                .filter(|_| is_open && count <= MAX_COUNT)
                .map(|at_most| Unaccounted {
                    at_least: count.saturating_sub(self.may_match(leaf, looking)),
                    at_most,
                }),
        )
    }

    /// How many known processes may have come to match by the time of the count.
    fn may_match(&self, leaf: &Leaf, looking: &Looking) -> u64 {
        let on_record = self.open.iter().filter(|open| open.region == leaf.region);
        let on_record = on_record.map(|open| &open.process_id);
        let seen = open_in(&leaf.region, &looking.processes);
        let all: BTreeSet<&String> = on_record.chain(seen).chain(&leaf.shown).collect();
        all.len() as u64
    }

    /// Whether each of them still matches the leaf, and all that may have left it can be seen.
    async fn stands_still(
        &self,
        leaf: &Leaf,
        ids: &BTreeSet<String>,
        looking: &mut Looking,
    ) -> Result<bool, NoAnswer> {
        if ids.len() - leaf.shown.len() > MAX_ASKED_AGAIN {
            return Ok(false);
        }
        let mut matching = BTreeSet::new();
        for status in std::iter::once(&leaf.status).chain(self.plan.later_statuses(leaf)) {
            let filter = filter(leaf, status);
            let page = self.asker.ask(|| self.client.latest(self.app_id, &filter));
            let page = page.await?;
            let seen = Seen {
                processes: &page.processes,
                rows: page.processes.len() + page.set_aside.len(),
                server_time: page.server_time,
            };
            if *status == leaf.status {
                matching.extend(page.processes.iter().map(|p| p.process_id.clone()));
            } else if !self.plan.is_proved(leaf, seen) {
                return Ok(false);
            }
            looking.keep(page);
        }
        for id in ids.difference(&matching.clone()) {
            let info = self.asker.ask(|| self.client.info(self.app_id, id)).await?;
            if let Info::Known(process) = info {
                if process.region == leaf.region && process.status == leaf.status {
                    matching.insert(id.clone());
                }
                looking.processes.insert(id.clone(), *process);
            }
        }
        Ok(ids.is_subset(&matching))
    }
}

fn filter(leaf: &Leaf, status: &str) -> Filter {
    Filter {
        regions: vec![leaf.region.clone()],
        statuses: vec![status.to_owned()],
    }
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
