//! One look at one app: the lists, as far as the plan asks for them, then every process that is open
//! on record and that no list showed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::pin::pin;

use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use tracing::debug;

use super::Rejected;
use super::accounts::{Accountant, Accounts};
use super::plan::{Before, Findings, Plan, Seen, TRUSTED_MEMORY_MS, Window};
use super::request::{Asker, NoAnswer};
use crate::describe;
use crate::model::{Process, SetAside, UtcMillis};
use crate::source::api::{ApiError, Client, Info, Page};
use crate::store::{OpenProcess, RejectedFilter};

/// So many records at most are set aside in one look at an app.
const MAX_SET_ASIDE: usize = 1000;

/// What is on record of an app when it is about to be looked at.
#[derive(Debug)]
pub(super) struct Known {
    pub before: Before,
    /// Those first that were seen longest ago.
    pub open: Vec<OpenProcess>,
    /// Those that the look before found to be lost. They are asked for once more: a server that knows
    /// nothing for a moment must not end the record of whoever lives on.
    pub just_lost: Vec<String>,
    pub started_at: UtcMillis,
    /// Apps that the run is still to look at, this one included.
    pub apps_left: u32,
}

/// What an API said of an app when it was looked at.
#[derive(Debug)]
pub(super) struct Look {
    /// The latest state that was shown of each process.
    pub processes: BTreeMap<String, Process>,
    /// Processes that were asked for and that the API does not know.
    pub unknown: Vec<String>,
    pub findings: Findings,
    pub answers: Answers,
}

/// What came of the questions of a look, but for the processes shown.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub set_aside: Vec<SetAside>,
    pub rejected: Vec<Rejected>,
    pub rejected_filters: Vec<RejectedFilter>,
    /// Questions that failed for good.
    pub unanswered: Vec<ApiError>,
    /// Questions that were left for the next run, because it had no more time or requests.
    pub deferred: u64,
    pub out_of_time: bool,
    /// Lists among those without an answer, for whatever reason.
    pub lists_missing: u64,
    /// The token was refused, and would be again.
    refused: bool,
}

impl Answers {
    /// Takes in that a question has no answer.
    pub fn none(&mut self, no: NoAnswer) {
        match no {
            NoAnswer::Failed(error) => {
                self.refused |= matches!(error, ApiError::Unauthorized { .. });
                debug!("no answer: {}", describe(&error));
                self.unanswered.push(error);
            }
            NoAnswer::OutOfTime(_) => {
                self.deferred += 1;
                self.out_of_time = true;
            }
            NoAnswer::OutOfRequests(_) => self.deferred += 1,
        }
    }
}

/// Looks at an app.
pub(super) async fn look(client: &Client, asker: &Asker, known: &Known) -> Result<Look, NoAnswer> {
    let app_id = &known.before.app_id;
    let mut plan = Plan::new(&known.before, known.started_at);
    let mut looking = Looking::default();
    let apps_left = known.apps_left;
    looking
        .lists(client, asker, app_id, apps_left, &mut plan)
        .await?;
    let unknown = looking.follow(client, asker, known).await;
    let accounts = if looking.answers.refused {
        Accounts::default()
    } else {
        let accountant = Accountant {
            client,
            asker,
            app_id,
            plan: &plan,
            open: &known.open,
        };
        accountant.check(&mut looking).await
    };
    let findings = plan.settle(|leaf| accounts.of(leaf), has_forgotten(known, &unknown));
    Ok(Look {
        processes: looking.processes,
        unknown: unknown.into_iter().collect(),
        findings,
        answers: looking.answers,
    })
}

/// Whether the API no longer knows what it showed so lately that it may have forgotten others, which
/// nobody has seen: at the look before, or within the time for which it is trusted to remember.
fn has_forgotten(known: &Known, unknown: &BTreeSet<String>) -> bool {
    let trusted = known.started_at.plus_millis(-TRUSTED_MEMORY_MS);
    let looked_at = known.before.marks.iter().map(|mark| mark.looked_at).max();
    let lately = looked_at.map_or(trusted, |looked_at| looked_at.min(trusted));
    known
        .open
        .iter()
        .any(|process| process.last_seen_at >= lately && unknown.contains(&process.process_id))
}

/// What a look has seen so far.
#[derive(Debug, Default)]
pub(super) struct Looking {
    pub processes: BTreeMap<String, Process>,
    pub answers: Answers,
    /// What was set aside already: several lists may show it.
    asides: HashSet<Vec<u8>>,
}

impl Looking {
    /// Asks for lists until the plan wants no more. Without the first there is no look.
    async fn lists(
        &mut self,
        client: &Client,
        asker: &Asker,
        app_id: &str,
        apps_left: u32,
        plan: &mut Plan,
    ) -> Result<(), NoAnswer> {
        let ask = async |window: Window| {
            let filter = window.filter();
            let list = || client.latest(app_id, &filter);
            let answer = match window {
                Window::Everything => asker.ask_in_share(apps_left, list).await,
                _ => asker.ask(list).await,
            };
            (window, answer)
        };
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < asker.concurrency()
                && !self.answers.refused
                && let Some(window) = plan.next()
            {
                under_way.push(ask(window));
            }
            match under_way.next().await {
                None => return Ok(()),
                Some((window, Ok(page))) => self.shown(plan, &window, page),
                Some((Window::Everything, Err(no))) => return Err(no),
                Some((window, Err(NoAnswer::Failed(error @ ApiError::Rejected { .. })))) => {
                    self.rejected(plan, &window, error);
                }
                Some((window, Err(no))) => {
                    plan.unanswered(&window);
                    self.answers.lists_missing += 1;
                    self.answers.none(no);
                }
            }
        }
    }

    fn shown(&mut self, plan: &mut Plan, window: &Window, page: Page) {
        let rows = page.processes.len() + page.set_aside.len();
        debug!(rows, "listed {}", window.filter());
        plan.page(
            window,
            Seen {
                processes: &page.processes,
                rows,
                server_time: page.server_time,
            },
        );
        self.keep(page);
    }

    /// Keeps what a page shows.
    pub fn keep(&mut self, page: Page) {
        for aside in page.set_aside {
            // Of a server that sends nothing else, the first thousand tell enough.
            if self.asides.len() < MAX_SET_ASIDE && self.asides.insert(aside.raw.clone()) {
                self.answers.set_aside.push(aside);
            }
        }
        let shown = page.processes.into_iter();
        self.processes
            .extend(shown.map(|process| (process.process_id.clone(), process)));
    }

    fn rejected(&mut self, plan: &mut Plan, window: &Window, error: ApiError) {
        let matters = plan.rejected(window);
        let filter = match window {
            Window::Leaf { status, .. } => RejectedFilter::Status(status.clone()),
            Window::Regions(regions) => match &regions[..] {
                [region] => RejectedFilter::Region(region.clone()),
                // Each is asked for by itself now.
                _ => return,
            },
            Window::Everything => return,
        };
        if self.answers.rejected_filters.contains(&filter) {
            return;
        }
        self.answers.rejected.push(Rejected {
            filter: window.filter().to_string(),
            error,
            matters,
        });
        self.answers.rejected_filters.push(filter);
    }

    /// Asks for every open process that no list showed. Those that the API does not know.
    async fn follow(&mut self, client: &Client, asker: &Asker, known: &Known) -> BTreeSet<String> {
        let app_id = &known.before.app_id;
        let open = known.open.iter().map(|process| &process.process_id);
        let missing: Vec<&str> = open
            .chain(&known.just_lost)
            .map(String::as_str)
            .filter(|id| !self.processes.contains_key(*id))
            // No URL can name these; they are as the lists show them.
            .filter(|id| !matches!(*id, "" | "." | ".."))
            .collect();
        debug!(
            shown = self.processes.len(),
            to_ask = missing.len(),
            "lists are done; asking for the open processes that none showed"
        );
        let mut unknown = BTreeSet::new();
        let mut left = missing.len() as u64;
        let ask = async |id: &str| {
            let answer = asker.ask(|| client.info(app_id, id)).await;
            (id.to_owned(), answer)
        };
        let answers = stream::iter(missing).map(ask);
        let mut answers = pin!(answers.buffer_unordered(asker.concurrency()));
        while !self.answers.refused
            && let Some((id, answer)) = answers.next().await
        {
            left -= 1;
            match answer {
                Ok(Info::Known(process)) => {
                    self.processes.insert(id, *process);
                }
                Ok(Info::Unknown) => {
                    unknown.insert(id);
                }
                Ok(Info::SetAside(aside)) => self.answers.set_aside.push(aside),
                Err(no) => self.answers.none(no),
            }
        }
        self.answers.deferred += left;
        unknown
    }
}
