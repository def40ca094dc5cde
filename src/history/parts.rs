//! Segments as a question reads them, and which of their lives it is about.

use super::lives::Reckoned;
use super::tally::{RowLife, TallyParts};
use crate::Error;
use crate::model::{Lifecycle, Outcome, UtcMillis};
use crate::store::{Column, Kind, Unpacked};

/// The lives of a segment that a question is about.
pub(super) struct Part {
    pub columns: Unpacked,
    /// The group of each kind; none where it does not pass the filter.
    groups: Vec<Option<u32>>,
    /// Where those are that count, by number; `None` where all do.
    counted: Option<Vec<u32>>,
    pub created: (i64, i64),
    pub ended: (i64, i64),
}

impl Part {
    /// Calls `each` for every life that counts, with its number and that of its kind.
    #[inline]
    pub fn each(&self, mut each: impl FnMut(usize, usize)) {
        let kind = &self.columns.kind[..];
        match &self.counted {
            None => (0..kind.len()).for_each(|i| each(i, kind[i] as usize)),
            Some(counted) => counted
                .iter()
                .for_each(|&i| each(i as usize, kind[i as usize] as usize)),
        }
    }

    /// The group of a kind.
    pub fn group(&self, kind: usize) -> Option<u32> {
        self.groups[kind]
    }

    pub fn kinds(&self) -> &[Kind] {
        &self.columns.kinds
    }

    /// What is known of the life of that number and kind; but when it was last seen, which matters of
    /// none that has ended.
    #[inline]
    pub fn times(&self, i: usize, kind: &Kind) -> Lifecycle {
        let columns = &self.columns;
        let (created, ended) = (columns.created_ms[i], columns.ended_ms[i]);
        // All were times when the segment was made.
        let time = |millis: i64| UtcMillis::from_millis(millis).unwrap_or(UtcMillis::MIN);
        Lifecycle {
            outcome: kind.outcome(),
            created_at: time(created),
            started_at: kind
                .has_started
                .then(|| time(created + columns.started_after_ms[i])),
            stopping_at: kind
                .has_stopping
                .then(|| time(ended - columns.stopping_before_ms[i])),
            terminated_at: kind.has_terminated.then(|| time(ended)),
            last_seen_at: time(ended),
        }
    }
}

/// A segment on its way from the file.
pub(super) struct Raw {
    pub keys: [i64; 2],
    pub processes: i64,
    pub present: Vec<u8>,
    pub kinds: Vec<u8>,
    pub groups: Vec<Option<u32>>,
    pub columns: Vec<(Column, Vec<u8>)>,
    /// Those of its keys that are loose.
    pub loose: Vec<i64>,
    pub created: (i64, i64),
    pub ended: (i64, i64),
}

/// Where a segment lies.
pub(super) struct Segment {
    pub first_key: i64,
    pub last_key: i64,
    pub processes: i64,
    pub created: (i64, i64),
    pub ended: (i64, i64),
}

/// A stretch of time, half-open, and by what lives are reckoned to it.
#[derive(Clone, Copy)]
pub(super) struct Reckoning {
    pub by: Reckoned,
    pub since: i64,
    pub until: i64,
}

impl Reckoning {
    /// Whether an ended one belongs to it.
    #[inline]
    fn has(self, created: i64, ended: i64) -> bool {
        let inside = |time| self.since <= time && time < self.until;
        match self.by {
            Reckoned::ByCreation => inside(created),
            Reckoned::ByEnd => inside(ended),
            Reckoned::Alive => {
                created < self.until && (ended >= self.since || created >= self.since)
            }
        }
    }

    /// The same of any.
    pub fn has_life(self, life: &RowLife) -> bool {
        let inside = |time: UtcMillis| self.since <= time.millis() && time.millis() < self.until;
        let times = &life.times;
        match (life.ended_at, self.by, times.outcome) {
            (Some(ended_at), _, _) => self.has(times.created_at.millis(), ended_at.millis()),
            (None, Reckoned::ByCreation, _) => inside(times.created_at),
            (None, Reckoned::ByEnd, Outcome::Open) => inside(times.created_at),
            (None, Reckoned::ByEnd, Outcome::Lost) => inside(times.last_seen_at),
            (None, Reckoned::ByEnd, _) => false,
            (None, Reckoned::Alive, _) => times.created_at.millis() < self.until,
        }
    }

    /// Whether none of a segment can belong to it, or all of it must.
    pub fn of_segment(self, segment: &Segment) -> Option<bool> {
        let range = |(first, last): (i64, i64)| match () {
            () if last < self.since || first >= self.until => Some(false),
            () if first >= self.since && last < self.until => Some(true),
            () => None,
        };
        match self.by {
            Reckoned::ByCreation => range(segment.created),
            Reckoned::ByEnd => range(segment.ended),
            Reckoned::Alive if segment.created.0 >= self.until => Some(false),
            Reckoned::Alive if segment.ended.1 < self.since && segment.created.1 < self.since => {
                Some(false)
            }
            Reckoned::Alive if segment.created.1 >= self.until => None,
            Reckoned::Alive if segment.ended.0 >= self.since || segment.created.0 >= self.since => {
                Some(true)
            }
            Reckoned::Alive => None,
        }
    }
}

/// Unpacks a segment and counts what of it belongs to the window; gives back what it was unpacked into.
pub(super) fn count<T: TallyParts>(
    tally: &mut T,
    raw: Raw,
    mut columns: Unpacked,
    reckoning: Reckoning,
) -> Result<Unpacked, Error> {
    columns.begin(raw.keys, raw.processes, &raw.present, &raw.kinds)?;
    for (column, data) in &raw.columns {
        columns.read(*column, data)?;
    }
    let segment = Segment {
        first_key: raw.keys[0],
        last_key: raw.keys[1],
        processes: raw.processes,
        created: raw.created,
        ended: raw.ended,
    };
    let is_whole = reckoning.of_segment(&segment) == Some(true);
    let groups = raw.groups;
    let all_pass = groups.iter().all(Option::is_some);
    let counted = match is_whole && all_pass && raw.loose.is_empty() {
        true => None,
        false => {
            let mut loose = raw.loose.iter().copied().peekable();
            let counts = |i: &u32| {
                let i = *i as usize;
                let key = columns.key(i);
                while loose.next_if(|loose| *loose < key).is_some() {}
                loose.peek() != Some(&key)
                    && groups[columns.kind[i] as usize].is_some()
                    && (is_whole || {
                        let of = |times: &[i64]| times.get(i).copied().unwrap_or_default();
                        reckoning.has(of(&columns.created_ms), of(&columns.ended_ms))
                    })
            };
            Some((0..columns.len() as u32).filter(counts).collect())
        }
    };
    let part = Part {
        columns,
        groups,
        counted,
        created: raw.created,
        ended: raw.ended,
    };
    tally.part(&part)?;
    Ok(part.columns)
}
