//! What to ask next, and what the pages may have hidden. Pure: no clock, SQL or network.
//!
//! A list shows the ten newest processes that match its filter. Such a page *proves* its filter if
//! it has fewer rows, or reaches back to the watermark: then every process created since the
//! watermark is on it. One that does not is narrowed, first to the regions that it leaves open and
//! then to each status in a region that is still open. What even the narrowest page leaves open is a
//! gap.
//!
//! Two rules make that hold while the fleet moves on. The statuses of a region are asked for one
//! after another in the order in which a process passes through them, so that one that moves on in
//! between is met later rather than never. And a region's watermark only ever rises to what was
//! there when its own page, or a wider one before it, was shown.

mod page;
mod settle;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{GapReason, KNOWN_REGIONS, KNOWN_STATUSES, UtcMillis, Watermark};

pub use page::PAGE_ROWS;
pub(super) use page::{Seen, Window};
pub use settle::TRUSTED_MEMORY_MS;
pub(super) use settle::{Findings, Hides, Unaccounted};

/// `Date` headers have whole seconds.
const DATE_STEP_MS: i64 = 1000;

/// What was on record before the look.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    pub app_id: String,
    pub marks: Vec<Watermark>,
    /// Regions and statuses in which the app's processes were ever seen.
    pub regions: BTreeSet<String>,
    pub statuses: BTreeSet<String>,
    /// Regions and statuses that the API has rejected lately.
    pub rejected_regions: BTreeSet<String>,
    pub rejected_statuses: BTreeSet<String>,
}

/// A narrowest window whose page is full and does not reach back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub region: String,
    pub status: String,
    /// The ids on its page.
    pub shown: BTreeSet<String>,
    until: UtcMillis,
    reason: GapReason,
}

/// The course of one look.
#[derive(Debug)]
pub(super) struct Plan {
    app_id: String,
    started_at: UtcMillis,
    /// In the order in which a process passes through them.
    statuses: Vec<String>,
    seen_statuses: BTreeSet<String>,
    /// By name; [`REST`] is every region that has not been named.
    regions: BTreeMap<String, Region>,
    queue: VecDeque<Window>,
    leaves: Vec<Leaf>,
    /// The earliest end of all processes shown.
    earliest_end: Option<UtcMillis>,
    /// The newest creation shown.
    newest: Option<UtcMillis>,
    /// What the server's clock said when it showed its first page.
    server_time: Option<UtcMillis>,
    /// What the page of everything may hide was created before this.
    everything_hides_until: Option<UtcMillis>,
    /// Whether a page showed what it was not asked for: then no page tells anything but the first.
    ignores_filters: bool,
}

/// The name that no region has: all those that have not been named.
const REST: &str = "";

#[derive(Clone, Debug)]
struct Region {
    mark: Option<Watermark>,
    /// Whether any of its processes was ever seen.
    is_seen: bool,
    /// The watermark if the region turns out whole.
    rises_to: Option<UtcMillis>,
    /// What the latest page about it may hide was created before this.
    hides_until: Option<UtcMillis>,
    /// Statuses that were asked for in it.
    asked: BTreeSet<String>,
    /// Whether a page that proves it is full, so that it may hide some that were hidden before.
    is_full: bool,
    /// Whether it was given up on, so that nothing can be said of how many are hidden.
    is_uncounted: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Still being asked about, or left without an answer.
    Open,
    /// Everything created up to its new watermark was shown, or is in one of its leaves.
    Whole,
    /// The API does not accept it, though it has processes.
    Rejected,
    /// The API does not accept it, and nobody has seen any of it.
    Unheard,
}

impl Region {
    fn new(mark: Option<Watermark>, is_seen: bool) -> Self {
        Self {
            mark,
            is_seen,
            rises_to: None,
            hides_until: None,
            asked: BTreeSet::new(),
            is_full: false,
            is_uncounted: false,
            state: State::Open,
        }
    }

    fn marked_until(&self) -> Option<UtcMillis> {
        self.mark.as_ref().map(|mark| mark.until)
    }
}

impl Plan {
    pub fn new(before: &Before, started_at: UtcMillis) -> Self {
        let mark = |name: &str| {
            let of = |name: Option<&str>| {
                let mark = before.marks.iter().find(|m| m.region.as_deref() == name);
                mark.cloned()
            };
            of(Some(name)).or_else(|| of(None))
        };
        let known = KNOWN_REGIONS
            .into_iter()
            .filter(|name| !before.rejected_regions.contains(*name));
        let marked = before.marks.iter().filter_map(|m| m.region.as_deref());
        let marked = marked.filter(|name| !before.rejected_regions.contains(*name));
        let regions = known
            .chain(marked)
            .chain(before.regions.iter().map(String::as_str))
            .chain([REST])
            .map(|name| {
                let region = Region::new(mark(name), before.regions.contains(name));
                (name.to_owned(), region)
            })
            .collect();
        let mut plan = Self {
            app_id: before.app_id.clone(),
            started_at,
            statuses: Vec::new(),
            seen_statuses: before.statuses.clone(),
            regions,
            queue: VecDeque::from([Window::Everything]),
            leaves: Vec::new(),
            earliest_end: None,
            newest: None,
            server_time: None,
            everything_hides_until: None,
            ignores_filters: false,
        };
        for status in KNOWN_STATUSES {
            if !before.rejected_statuses.contains(status) || before.statuses.contains(status) {
                plan.statuses.push(status.to_owned());
            }
        }
        for status in &before.statuses {
            plan.learn_status(status);
        }
        plan
    }

    /// What to ask next. None: nothing more before an answer to something asked before.
    pub fn next(&mut self) -> Option<Window> {
        self.queue.pop_front()
    }

    /// Takes in what a page shows.
    pub fn page(&mut self, window: &Window, seen: Seen<'_>) {
        self.learn(seen);
        // Most of it: one may have moved on between being found and being written.
        let strays = seen.processes.iter().filter(|p| !window.admits(p)).count();
        self.ignores_filters |= 2 * strays > seen.processes.len();
        if self.ignores_filters {
            self.queue.clear();
            return;
        }
        match window {
            Window::Everything => {
                self.server_time = seen.server_time;
                self.everything_hides_until = Some(self.hides_until(seen));
                let names = self.regions.keys().cloned().collect();
                self.regions_shown(window, names, seen);
            }
            Window::Regions(names) => self.regions_shown(window, names.clone(), seen),
            Window::Leaf { region, status } => {
                let marked = self.regions.get(region).and_then(Region::marked_until);
                if !seen.proves(marked) {
                    let shown = seen.processes.iter().map(|p| p.process_id.clone());
                    self.leaves.push(Leaf {
                        region: region.clone(),
                        status: status.clone(),
                        shown: shown.collect(),
                        until: self.hides_until(seen),
                        reason: GapReason::Page,
                    });
                } else if let Some(region) = self.regions.get_mut(region) {
                    region.is_full |= seen.is_full() && !is_end(status);
                }
                self.next_leaf(region);
            }
        }
    }

    /// Takes in that the API does not accept a filter; whether processes are known that match it.
    pub fn rejected(&mut self, window: &Window) -> bool {
        match window {
            Window::Everything => {
                self.unanswered(window);
                true
            }
            Window::Regions(names) if names.len() > 1 => {
                self.queue_each(names.iter().cloned());
                false
            }
            Window::Regions(names) => names.iter().any(|name| {
                let Some(region) = self.regions.get_mut(name) else {
                    return false;
                };
                region.state = if region.is_seen {
                    State::Rejected
                } else {
                    State::Unheard
                };
                region.is_seen
            }),
            Window::Leaf { region, status } => {
                let matters = self.seen_statuses.contains(status);
                let until = self.regions.get(region).and_then(|r| r.hides_until);
                if let Some(until) = until.filter(|_| matters) {
                    self.leaves.push(Leaf {
                        region: region.clone(),
                        status: status.clone(),
                        shown: BTreeSet::new(),
                        until,
                        reason: GapReason::Rejected,
                    });
                }
                self.next_leaf(region);
                matters
            }
        }
    }

    /// Takes in that there is no answer: the regions stay as they are, for the next run to prove.
    pub fn unanswered(&mut self, window: &Window) {
        if let Window::Leaf { region, .. } = window {
            self.leaves.retain(|leaf| leaf.region != *region);
        }
    }

    /// The statuses that a process of the leaf may have come to since, in their order.
    pub fn later_statuses(&self, leaf: &Leaf) -> impl Iterator<Item = &String> {
        let status = leaf.status.clone();
        let from = self
            .statuses
            .iter()
            .skip_while(move |known| **known != status);
        from.skip(1)
    }

    /// Whether a page about a leaf's region shows everything since the watermark.
    pub fn is_proved(&self, leaf: &Leaf, seen: Seen<'_>) -> bool {
        seen.proves(
            self.regions
                .get(&leaf.region)
                .and_then(Region::marked_until),
        )
    }

    /// What is still open after all pages, except what the API rejects.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let by_page = |leaf: &&Leaf| leaf.reason == GapReason::Page;
        self.leaves.iter().filter(by_page)
    }

    fn learn(&mut self, seen: Seen<'_>) {
        self.newest = self.newest.max(self.newest_of(seen));
        for process in seen.processes {
            // One that is said to have ended before it began tells no time.
            let end = process
                .terminated_at
                .filter(|end| *end >= process.created_at);
            self.earliest_end = [self.earliest_end, end].into_iter().flatten().min();
            if !self.seen_statuses.contains(&process.status) {
                self.seen_statuses.insert(process.status.clone());
                self.learn_status(&process.status);
            }
            if process.region == REST {
                continue;
            }
            if !self.regions.contains_key(&process.region) {
                let rest = self.regions.get(REST);
                // What was proved of all regions was proved of this one.
                let region = rest.cloned().unwrap_or_else(|| Region::new(None, true));
                self.regions.insert(process.region.clone(), region);
            }
            if let Some(region) = self.regions.get_mut(&process.region) {
                region.is_seen = true;
            }
        }
    }

    /// A status that nobody has named stands before the ends, where a process may still come to.
    fn learn_status(&mut self, status: &str) {
        if status.is_empty() || self.statuses.iter().any(|known| known == status) {
            return;
        }
        let at = self.statuses.iter().position(|known| is_end(known));
        let at = at.unwrap_or(self.statuses.len());
        self.statuses.insert(at, status.to_owned());
        // Regions that were through with all the others are not yet.
        let through = |region: &Region| region.state == State::Whole && !region.asked.is_empty();
        let again = self.regions.iter().filter(|(_, region)| through(region));
        for name in again.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            if let Some(region) = self.regions.get_mut(&name) {
                region.state = State::Open;
            }
            self.next_leaf(&name);
        }
    }

    fn regions_shown(&mut self, window: &Window, names: Vec<String>, seen: Seen<'_>) {
        let (newest, until) = (self.newest_of(seen), self.hides_until(seen));
        let asked = names.len();
        let mut open = BTreeSet::new();
        for name in names {
            let Some(region) = self.regions.get_mut(&name) else {
                continue;
            };
            let marked = region.marked_until();
            region.rises_to = region.rises_to.max(marked).max(newest);
            region.hides_until = Some(until);
            if seen.proves(marked) {
                region.state = State::Whole;
                region.is_full = seen.is_full();
            } else if name != REST {
                open.insert(name);
            }
        }
        if let Window::Regions(names) = window
            && let [name] = &names[..]
        {
            if open.contains(name) {
                self.next_leaf(name);
            }
            return;
        }
        // Those that fill the page are likely to fill another; the others may share one.
        let shown: BTreeSet<String> = seen
            .processes
            .iter()
            .map(|process| &process.region)
            .filter(|region| open.contains(*region))
            .cloned()
            .collect();
        let is_narrower = *window == Window::Everything || open.len() < asked;
        if shown.is_empty() && !is_narrower {
            return self.queue_each(open);
        }
        let others: Vec<String> = open.difference(&shown).cloned().collect();
        self.queue_each(shown);
        if !others.is_empty() {
            self.queue.push_back(Window::Regions(others));
        }
    }

    fn queue_each(&mut self, names: impl IntoIterator<Item = String>) {
        let windows = names.into_iter().map(|name| Window::Regions(vec![name]));
        self.queue.extend(windows);
    }

    /// Asks for the region's next status. After the last one the region is whole.
    fn next_leaf(&mut self, name: &str) {
        let Some(region) = self.regions.get_mut(name) else {
            return;
        };
        let next = self.statuses.iter().find(|s| !region.asked.contains(*s));
        match next {
            Some(status) => {
                region.asked.insert(status.clone());
                self.queue.push_back(Window::Leaf {
                    region: name.to_owned(),
                    status: status.clone(),
                });
            }
            None => region.state = State::Whole,
        }
    }

    /// What the page may hide was created before this. Another one of the very millisecond that its
    /// oldest is of may be hidden; and a page of which nothing could be understood may reach back
    /// to anywhere.
    fn hides_until(&self, seen: Seen<'_>) -> UtcMillis {
        let oldest = seen.oldest().map(|oldest| oldest.plus_millis(1));
        oldest.unwrap_or_else(|| seen.server_time.unwrap_or(self.started_at))
    }

    /// The newest creation that a page shows. One that was dated into the future must not carry the
    /// watermark there: then every page would seem to reach back to it.
    fn newest_of(&self, seen: Seen<'_>) -> Option<UtcMillis> {
        let server_time = seen.server_time.unwrap_or(self.started_at);
        let latest = server_time.plus_millis(DATE_STEP_MS);
        let created = seen.processes.iter().map(|process| process.created_at);
        created.filter(|created| *created <= latest).max()
    }
}

/// Whether a process with this status has ended.
pub(super) fn is_end(status: &str) -> bool {
    matches!(status, "stopped" | "failed")
}

#[cfg(test)]
mod tests;
