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

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{Gap, GapReason, KNOWN_REGIONS, KNOWN_STATUSES, Process, UtcMillis, Watermark};
use crate::source::api::Filter;

/// How many processes a list shows at most.
pub const PAGE_ROWS: usize = 10;

/// How long a platform is trusted to remember what has ended, unless it shows that it does so for
/// longer. "About an hour" is what those that say anything say.
pub const TRUSTED_MEMORY_MS: i64 = 3_600_000;

/// How far the clock that dates creations is trusted to be behind ours at most, while there is no
/// creation yet to tell by: a day.
const CLOCKS_DIFFER_MS: i64 = 86_400_000;

/// While the newest creation shown is no older than this, the clock that dates creations is taken to
/// be one that keeps time with ours.
const KEEPS_TIME_MS: i64 = 300_000;

/// A page is this much later than the beginning of its run at most, or not much later.
const A_RUN_MS: i64 = 60_000;

/// `Date` headers have whole seconds.
const DATE_STEP_MS: i64 = 1000;

/// Which processes a list call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// All of the app's.
    Everything,
    /// Those in these regions; never none.
    Regions(Vec<String>),
    /// Those in this region that have this status.
    Leaf { region: String, status: String },
}

impl Window {
    pub fn filter(&self) -> Filter {
        match self {
            Self::Everything => Filter::default(),
            Self::Regions(regions) => Filter {
                regions: regions.clone(),
                statuses: Vec::new(),
            },
            Self::Leaf { region, status } => Filter {
                regions: vec![region.clone()],
                statuses: vec![status.clone()],
            },
        }
    }
}

impl Window {
    fn admits(&self, process: &Process) -> bool {
        match self {
            Self::Everything => true,
            Self::Regions(regions) => regions.contains(&process.region),
            Self::Leaf { region, status } => process.region == *region && process.status == *status,
        }
    }
}

/// A page, as far as it tells what it may not show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub processes: &'a [Process],
    /// Rows of the page, those included that could not be understood.
    pub rows: usize,
    /// What the server's clock said.
    pub server_time: Option<UtcMillis>,
}

impl Seen<'_> {
    fn is_full(&self) -> bool {
        self.rows >= PAGE_ROWS
    }

    fn oldest(&self) -> Option<UtcMillis> {
        self.processes.iter().map(|p| p.created_at).min()
    }

    /// Whether it shows everything of its filter that was created after the mark.
    fn proves(&self, mark: Option<UtcMillis>) -> bool {
        // Only the oldest tells how far the page reaches: one that was dated into the future is on
        // every page, and tells nothing.
        let reaches = || self.oldest().zip(mark).is_some_and(|(o, mark)| o <= mark);
        !self.is_full() || reaches()
    }
}

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

/// What a leaf turned out to hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hides {
    /// Nothing: all that match are accounted for.
    Nothing,
    /// So many that match are not accounted for, where it could be counted.
    Something(Option<u64>),
}

/// What the look proved, and what it could not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Findings {
    pub gaps: Vec<Gap>,
    /// All watermarks of the app as they are now.
    pub marks: Vec<Watermark>,
    /// Where the record begins with this look and not all could be seen: those created before may
    /// run unseen.
    pub begins_after: Option<UtcMillis>,
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
        self.ignores_filters |= seen.processes.iter().any(|process| !window.admits(process));
        if self.ignores_filters {
            self.queue.clear();
            return;
        }
        match window {
            Window::Everything => {
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

    /// What is still open after all pages, except what the API rejects.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let by_page = |leaf: &&Leaf| leaf.reason == GapReason::Page;
        self.leaves.iter().filter(by_page)
    }

    /// What it all comes to. `hides` says what became of each leaf; `has_forgotten`, that the API no
    /// longer knew a process which the look before this one had shown.
    pub fn settle(mut self, hides: impl Fn(&Leaf) -> Hides, has_forgotten: bool) -> Findings {
        let mut gaps = Vec::new();
        let mut begins_after = None;
        if self.ignores_filters {
            begins_after = self.leave_at_everything(&mut gaps);
        }
        let mut hidden = |region: &str, status: Option<&str>, until, reason, unaccounted| {
            let mark = self
                .regions
                .get(region)
                .and_then(|region| region.mark.as_ref());
            let Some(mark) = mark else {
                begins_after = begins_after.max(Some(until));
                return;
            };
            // Those that were hidden before are counted as well, as long as they live.
            let before: Option<u64> = mark.unaccounted;
            let at_least =
                Option::zip(unaccounted, before).map(|(n, b): (u64, u64)| n.saturating_sub(b));
            let since = self.unseen_since(mark, until);
            if since < until {
                gaps.push(Gap {
                    app_id: self.app_id.clone(),
                    region: Some(region.to_owned()),
                    status: status.map(str::to_owned),
                    since,
                    until,
                    reason,
                    hidden_at_least: at_least.filter(|n| *n > 0),
                });
            }
        };
        for leaf in &self.leaves {
            if let Hides::Something(at_least) = hides(leaf) {
                hidden(
                    &leaf.region,
                    Some(&leaf.status),
                    leaf.until,
                    leaf.reason,
                    at_least,
                );
            }
        }
        for (name, region) in &self.regions {
            if let (State::Rejected, Some(until)) = (region.state, region.hides_until) {
                hidden(name, None, until, GapReason::Rejected, None);
            }
        }
        gaps.extend(self.forgotten(has_forgotten));
        // Not in the order in which answers came in.
        gaps.sort_by(|a, b| (&a.region, &a.status).cmp(&(&b.region, &b.status)));
        Findings {
            gaps,
            begins_after,
            marks: self.marks(&hides),
        }
    }

    fn learn(&mut self, seen: Seen<'_>) {
        self.newest = self.newest.max(self.newest_of(seen));
        for process in seen.processes {
            self.earliest_end = [self.earliest_end, process.terminated_at]
                .into_iter()
                .flatten()
                .min();
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
                if region.state == State::Open && region.rises_to.is_some() {
                    self.queue_each([process.region.clone()]);
                }
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
    }

    fn regions_shown(&mut self, window: &Window, names: Vec<String>, seen: Seen<'_>) {
        let (newest, until) = (self.newest_of(seen), self.hides_until(seen));
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
        if shown.is_empty() {
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

    /// Gives up on narrowing: what the page of everything leaves open is one gap.
    fn leave_at_everything(&mut self, gaps: &mut Vec<Gap>) -> Option<UtcMillis> {
        self.leaves.clear();
        let until = self.everything_hides_until?;
        let mut since = None;
        let mut begins_after = None;
        for name in self.regions.keys().cloned().collect::<Vec<_>>() {
            let Some(region) = self.regions.get_mut(&name) else {
                continue;
            };
            if region.state == State::Whole && region.asked.is_empty() {
                continue;
            }
            region.state = State::Whole;
            // How many were hidden before cannot be told either.
            region.is_full = true;
            match &self.regions[&name].mark {
                Some(mark) => {
                    let unseen = self.unseen_since(mark, until);
                    since = since.map_or(Some(unseen), |since: UtcMillis| Some(since.min(unseen)));
                }
                None => begins_after = Some(until),
            }
        }
        gaps.extend(since.filter(|since| *since < until).map(|since| Gap {
            app_id: self.app_id.clone(),
            region: None,
            status: None,
            since,
            until,
            reason: GapReason::Page,
            hidden_at_least: None,
        }));
        begins_after
    }

    /// The newest creation that a page shows. One that was dated into the future must not carry the
    /// watermark there: then every page would seem to reach back to it.
    fn newest_of(&self, seen: Seen<'_>) -> Option<UtcMillis> {
        let server_time = seen.server_time.unwrap_or(self.started_at);
        let latest = server_time.plus_millis(DATE_STEP_MS);
        let created = seen.processes.iter().map(|process| process.created_at);
        created.filter(|created| *created <= latest).max()
    }

    /// From which creation time on there may be processes that neither the look which made the mark
    /// nor this one has shown, where this one reaches back to `shown`.
    ///
    /// That look showed all there was, up to its own moment, which may be long after the mark. What
    /// the clock that dates creations said then is not known; but by now, when it says `shown` or
    /// more, it has gone on by no more than the time between the looks. That holds whatever it is
    /// set to, if only it goes as ours does.
    fn unseen_since(&self, mark: &Watermark, shown: UtcMillis) -> UtcMillis {
        let between_ms = self.started_at.millis_since(mark.looked_at).max(0);
        let behind_ms = |newest| self.started_at.millis_since(newest);
        let goes_on = self
            .newest
            .map(behind_ms)
            .is_some_and(|ms| ms <= KEEPS_TIME_MS);
        let since = goes_on.then(|| shown.plus_millis(-between_ms - A_RUN_MS));
        since.max(Some(mark.until)).unwrap_or(mark.until)
    }

    /// The stretch since the watermarks, if so much time has passed since the looks that made them
    /// that the API may have forgotten who came and went in it.
    fn forgotten(&self, has_forgotten: bool) -> Vec<Gap> {
        let lapsed = |region: &Region| {
            let mark = region
                .mark
                .as_ref()
                .filter(|_| region.state == State::Whole)?;
            let pause_ms = self.started_at.millis_since(mark.looked_at);
            // It shows one that had ended by then, so it has not forgotten those that ended later.
            let remembers = self.earliest_end.is_some_and(|end| end <= mark.looked_at);
            let is_lapsed = has_forgotten || (pause_ms > TRUSTED_MEMORY_MS && !remembers);
            // With nothing shown there is only the mark.
            let shown = self.newest.unwrap_or(mark.until);
            is_lapsed.then(|| self.unseen_since(mark, shown))
        };
        let named = self.regions.iter().filter(|(name, _)| *name != REST);
        let (lapsed, kept): (Vec<_>, Vec<_>) = named
            .filter(|(_, region)| region.state == State::Whole)
            .map(|(name, region)| (name, lapsed(region)))
            .partition(|(_, since)| since.is_some());
        let until = self.newest.max(Some(self.started_at));
        let until = until.unwrap_or(self.started_at);
        let gap = |region: Option<&String>, since| Gap {
            app_id: self.app_id.clone(),
            region: region.cloned(),
            status: None,
            since,
            until,
            reason: GapReason::Forgotten,
            hidden_at_least: None,
        };
        let lapsed = lapsed
            .into_iter()
            .filter_map(|(name, since)| Some((name, since?)));
        let gaps: Vec<Gap> = if kept.is_empty() {
            let since = lapsed.map(|(_, since)| since).min();
            since.into_iter().map(|since| gap(None, since)).collect()
        } else {
            lapsed.map(|(name, since)| gap(Some(name), since)).collect()
        };
        gaps.into_iter()
            .filter(|gap| gap.since < gap.until)
            .collect()
    }

    /// At most so many open processes of a region are known by count only.
    fn unaccounted(
        &self,
        name: &str,
        region: &Region,
        hides: &impl Fn(&Leaf) -> Hides,
    ) -> Option<u64> {
        let before = region.mark.as_ref().and_then(|mark| mark.unaccounted);
        let mut sum = if region.is_full { before? } else { 0 };
        let of_region = |leaf: &&Leaf| leaf.region == name && !is_end(&leaf.status);
        for leaf in self.leaves.iter().filter(of_region) {
            match hides(leaf) {
                Hides::Nothing => {}
                Hides::Something(unaccounted) => sum += unaccounted?,
            }
        }
        (region.state == State::Whole).then_some(sum)
    }

    /// The watermarks as they are now. A region that stands as all others do has none of its own.
    fn marks(&self, hides: &impl Fn(&Leaf) -> Hides) -> Vec<Watermark> {
        let mark = |name: &str, region: &Region| {
            let is_proved = matches!(region.state, State::Whole | State::Rejected);
            // Coverage of regions that nobody has named begins with the first look at the others.
            let begins = name == REST && region.mark.is_none();
            if !(is_proved || begins) {
                return region.mark.clone();
            }
            let nothing_yet = self.started_at.plus_millis(-CLOCKS_DIFFER_MS);
            Some(Watermark {
                region: None,
                since: match &region.mark {
                    Some(mark) => mark.since,
                    None => region.rises_to.unwrap_or(self.started_at),
                },
                until: region.rises_to.unwrap_or(nothing_yet),
                looked_at: self.started_at,
                unaccounted: self.unaccounted(name, region, hides),
            })
        };
        let rest = self.regions.get(REST).and_then(|rest| mark(REST, rest));
        let others = self.regions.iter().filter(|(name, _)| *name != REST);
        let own = others.filter_map(|(name, region)| {
            let mark = mark(name, region).map(|mark| Watermark {
                region: None,
                ..mark
            });
            let mark = mark.filter(|mark| Some(mark) != rest.as_ref())?;
            Some(Watermark {
                region: Some(name.clone()),
                ..mark
            })
        });
        rest.iter().cloned().chain(own).collect()
    }
}

/// Whether a process with this status has ended.
pub(super) fn is_end(status: &str) -> bool {
    matches!(status, "stopped" | "failed")
}

#[cfg(test)]
mod tests;
