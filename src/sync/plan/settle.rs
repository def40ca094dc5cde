//! What a look comes to once all pages are there: gaps and watermarks. Pure.

use super::{Leaf, Plan, REST, Region, State, is_end};
use crate::model::{Gap, GapReason, UtcMillis, Watermark};

/// How long a platform is trusted to remember what has ended, unless it shows that it does so for
/// longer. "About an hour" is what those that say anything say.
pub const TRUSTED_MEMORY_MS: i64 = 3_600_000;

/// How far the clock that dates creations is trusted to be behind ours at most, while there is no
/// creation yet to tell by: a day.
const CLOCKS_DIFFER_MS: i64 = 86_400_000;

/// By so much the clock that dates creations may differ from the server's own and still be taken to
/// keep time with it.
const KEEPS_TIME_MS: i64 = 300_000;

/// What a leaf turned out to hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hides {
    /// Nothing: all that match are accounted for.
    Nothing,
    /// Some that match are not accounted for; how many, where it could be counted.
    Something(Option<Unaccounted>),
}

/// How many processes are known by count only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unaccounted {
    /// Even if every open process of the region had come to match by the time of the count.
    pub at_least: u64,
    /// If only those did that were seen to.
    pub at_most: u64,
}

/// What the look proved, and what it could not.
#[derive(Debug, PartialEq, Eq)]
pub struct Findings {
    pub gaps: Vec<Gap>,
    /// All watermarks of the app as they are now.
    pub marks: Vec<Watermark>,
    /// Where the record begins with this look and not all could be seen: those created before may
    /// run unseen.
    pub begins_after: Option<UtcMillis>,
}

impl Plan {
    /// What it all comes to. `hides` says what became of each leaf; `has_forgotten`, that the API no
    /// longer knew a process which the look before this one had shown.
    pub fn settle(mut self, hides: impl Fn(&Leaf) -> Hides, has_forgotten: bool) -> Findings {
        let mut gaps = Vec::new();
        let mut begins_after = None;
        if self.ignores_filters {
            begins_after = self.leave_at_everything(&mut gaps);
        }
        let mut hidden = |region: &str, status: Option<&str>, until, reason, counted| {
            let mark = self
                .regions
                .get(region)
                .and_then(|region| region.mark.as_ref());
            let Some(mark) = mark else {
                begins_after = begins_after.max(Some(until));
                return;
            };
            // Those that were hidden before are counted as well, as long as they live.
            let counted: Option<Unaccounted> = counted;
            let at_least = Option::zip(counted, mark.unaccounted)
                .map(|(counted, before)| counted.at_least.saturating_sub(before));
            let since = self.unseen_since(mark);
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
        // A region that was left halfway keeps its mark, and it is for the next run to say what is hidden.
        let is_whole = |name: &str| {
            let region = self.regions.get(name);
            region.is_some_and(|region| region.state == State::Whole)
        };
        for leaf in self.leaves.iter().filter(|leaf| is_whole(&leaf.region)) {
            if let Hides::Something(counted) = hides(leaf) {
                let status = Some(leaf.status.as_str());
                hidden(&leaf.region, status, leaf.until, leaf.reason, counted);
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
            region.is_uncounted = true;
            match &self.regions[&name].mark {
                Some(mark) => {
                    let unseen = self.unseen_since(mark);
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

    /// From which creation time on there may be processes that neither the look which made the mark
    /// nor this one has shown. That look showed all there was, up to its own moment, which may be
    /// long after the mark; by the server's clock, if that keeps time with the one that dates
    /// creations, as the newest creation tells. Ours is not asked: it may have been set in between.
    fn unseen_since(&self, mark: &Watermark) -> UtcMillis {
        let keeps_time =
            |(now, newest): (UtcMillis, UtcMillis)| now.millis_since(newest).abs() <= KEEPS_TIME_MS;
        let is_told = self.server_time.zip(self.newest).is_some_and(keeps_time);
        let looked = mark.server_time.filter(|_| is_told);
        let looked = looked.map(|looked| looked.plus_millis(-KEEPS_TIME_MS));
        looked.max(Some(mark.until)).unwrap_or(mark.until)
    }

    /// The stretch since the watermarks, if so much time has passed since the looks that made them
    /// that the API may have forgotten who came and went in it.
    fn forgotten(&self, has_forgotten: bool) -> Vec<Gap> {
        let lapsed = |region: &Region| {
            let mark = region
                .mark
                .as_ref()
                .filter(|_| region.state == State::Whole)?;
            // By the server's clock where it tells: ours may have been set in between.
            let (then, now) = match mark.server_time.zip(self.server_time) {
                Some(told) => told,
                None => (mark.looked_at, self.started_at),
            };
            let pause_ms = now.millis_since(then);
            // It shows one that had ended by then, so it has not forgotten those that ended later.
            let remembers = self.earliest_end.is_some_and(|end| end <= then);
            let is_lapsed = has_forgotten || (pause_ms > TRUSTED_MEMORY_MS && !remembers);
            is_lapsed.then(|| self.unseen_since(mark))
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
        let mut sum: u64 = if region.is_full { before? } else { 0 };
        let of_region = |leaf: &&Leaf| leaf.region == name && !is_end(&leaf.status);
        for leaf in self.leaves.iter().filter(of_region) {
            match hides(leaf) {
                Hides::Nothing => {}
                Hides::Something(counted) => sum = sum.checked_add(counted?.at_most)?,
            }
        }
        (region.state == State::Whole && !region.is_uncounted).then_some(sum)
    }

    /// The watermarks as they are now. A region that stands as all others do has none of its own.
    fn marks(&self, hides: &impl Fn(&Leaf) -> Hides) -> Vec<Watermark> {
        let mut named = self.regions.iter().filter(|(name, _)| *name != REST);
        let is_swept = named.all(|(_, region)| region.state != State::Open);
        let mark = |name: &str, region: &Region| {
            let is_proved = matches!(region.state, State::Whole | State::Rejected);
            // Coverage of regions that nobody has named begins once all the others were looked at. A
            // first sweep that was cut short is gone on with: what has no mark is swept again.
            let begins = name == REST && region.mark.is_none() && is_swept;
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
                server_time: self.server_time,
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
