//! What the API remembers now, found by id, by stage and region, and by age. No chance, no clock.
//!
//! Bounded: an ended process leaves when it has been over for as long as the fleet retains it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::story::{Stage, Story};
use crate::model::UtcMillis;

/// Which processes are meant. An empty list means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In one of these stages.
    pub stages: Vec<Stage>,
    /// In one of these regions.
    pub regions: Vec<String>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.regions.is_empty()
    }

    fn has_stage(&self, stage: Stage) -> bool {
        self.stages.is_empty() || self.stages.contains(&stage)
    }

    fn has_region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.iter().any(|r| r == region)
    }
}

/// Stories by id, and by stage and region. Ordinals stand for stories, because they are in order
/// of creation: the newest of a bucket are simply its last.
#[derive(Debug, Default)]
pub(super) struct Index {
    stories: BTreeMap<u64, (Stage, Arc<Story>)>,
    by_id: HashMap<String, u64>,
    buckets: HashMap<Arc<str>, [BTreeSet<u64>; Stage::ALL.len()]>,
    ended: VecDeque<(UtcMillis, u64)>,
}

impl Index {
    /// Takes up a story in its first stage.
    pub(super) fn insert(&mut self, story: Arc<Story>) {
        let ordinal = story.ordinal;
        self.by_id.insert(story.process_id.clone(), ordinal);
        self.bucket(&story.region, Stage::Starting).insert(ordinal);
        self.stories.insert(ordinal, (Stage::Starting, story));
    }

    /// Moves a story to the stage that it reaches at `time`. Endings must come in order of time.
    pub(super) fn turn(&mut self, ordinal: u64, time: UtcMillis) -> Option<(Arc<Story>, Stage)> {
        let (stage, story) = self.stories.get_mut(&ordinal)?;
        let story = story.clone();
        let to = story.stage_at(time)?;
        let from = std::mem::replace(stage, to);
        self.bucket(&story.region, from).remove(&ordinal);
        self.bucket(&story.region, to).insert(ordinal);
        if to.has_ended() {
            self.ended.push_back((story.terminated_at, ordinal));
        }
        Some((story, to))
    }

    /// Forgets every process that terminated at `time` or before.
    pub(super) fn forget_ended_until(&mut self, time: UtcMillis) {
        while let Some(&(ended_at, ordinal)) = self.ended.front()
            && ended_at <= time
        {
            self.ended.pop_front();
            if let Some((stage, story)) = self.stories.remove(&ordinal) {
                self.by_id.remove(&story.process_id);
                self.bucket(&story.region, stage).remove(&ordinal);
            }
        }
    }

    pub(super) fn get(&self, process_id: &str) -> Option<&Arc<Story>> {
        let ordinal = self.by_id.get(process_id)?;
        self.stories.get(ordinal).map(|(_, story)| story)
    }

    /// All stories, in order of creation.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Story>> {
        self.stories.values().map(|(_, story)| story)
    }

    pub(super) fn len(&self) -> usize {
        self.stories.len()
    }

    /// The newest `limit` that match, newest first.
    pub(super) fn latest(&self, filter: &Filter, limit: usize) -> Vec<Arc<Story>> {
        if filter.is_empty() {
            return self.iter().rev().take(limit).cloned().collect();
        }
        let mut newest: Vec<u64> = self
            .matching(filter)
            .flat_map(|bucket| bucket.iter().rev().take(limit).copied())
            .collect();
        newest.sort_unstable_by(|a, b| b.cmp(a));
        newest
            .iter()
            .take(limit)
            .filter_map(|ordinal| self.stories.get(ordinal).map(|(_, story)| story.clone()))
            .collect()
    }

    pub(super) fn count(&self, filter: &Filter) -> usize {
        self.matching(filter).map(BTreeSet::len).sum()
    }

    fn matching(&self, filter: &Filter) -> impl Iterator<Item = &BTreeSet<u64>> {
        self.buckets
            .iter()
            .filter(|(region, _)| filter.has_region(region))
            .flat_map(|(_, stages)| Stage::ALL.into_iter().zip(stages))
            .filter(|(stage, _)| filter.has_stage(*stage))
            .map(|(_, bucket)| bucket)
    }

    fn bucket(&mut self, region: &Arc<str>, stage: Stage) -> &mut BTreeSet<u64> {
        &mut self.buckets.entry(region.clone()).or_default()[stage as usize]
    }
}
