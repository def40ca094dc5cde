//! Numbers for the groups of an answer, day by day or hour by hour, found without a look at their names.

use std::collections::HashMap;

use super::Question;
use super::parts::Part;

/// Numbers of groups and their days or hours.
#[derive(Default)]
pub(super) struct Slots {
    numbers: HashMap<(u32, i64), u32>,
    pub in_order: Vec<(u32, i64)>,
    bucket_ms: Option<i64>,
    /// Of the part at hand: by kind and bucket.
    near: Vec<u32>,
    /// Where the first of these buckets begins.
    near_from_ms: i64,
    near_count: usize,
}

const UNKNOWN: u32 = u32::MAX;

impl Slots {
    pub fn new(question: &Question) -> Self {
        Self {
            bucket_ms: question.bucket_ms(),
            ..Self::default()
        }
    }

    /// The number of a group's day or hour.
    pub fn number(&mut self, group: u32, time_ms: i64) -> usize {
        let begin = self
            .bucket_ms
            .map_or(0, |size| time_ms - time_ms.rem_euclid(size));
        let next = self.in_order.len() as u32;
        *self.numbers.entry((group, begin)).or_insert_with(|| {
            self.in_order.push((group, begin));
            next
        }) as usize
    }

    /// Prepares for a part whose times lie in a range.
    pub fn begin(&mut self, part: &Part, (first, last): (i64, i64)) {
        const MOST: usize = 1 << 16;
        let buckets = match self.bucket_ms {
            None => 1,
            Some(size) => {
                self.near_from_ms = first - first.rem_euclid(size);
                usize::try_from((last - self.near_from_ms) / size + 1).unwrap_or(MOST)
            }
        };
        let kinds = part.kinds().len();
        self.near.clear();
        self.near_count = buckets;
        if buckets.saturating_mul(kinds) <= MOST {
            self.near.resize(buckets * kinds, UNKNOWN);
        }
    }

    /// The number of the group's day or hour of a life of that kind in the part.
    #[inline]
    pub fn of(&mut self, part: &Part, kind: usize, time_ms: i64) -> Option<usize> {
        let bucket = match self.bucket_ms {
            Some(size) if self.near_count > 1 => {
                let after = time_ms - self.near_from_ms;
                // Dividing half as many bits takes half as long.
                match u32::try_from(after) {
                    Ok(after) => (after / size as u32) as usize,
                    Err(_) => (after / size) as usize,
                }
            }
            _ => 0,
        };
        let at = kind * self.near_count + bucket;
        match self.near.get(at) {
            Some(&number) if number != UNKNOWN => Some(number as usize),
            near => {
                let is_near = near.is_some();
                let number = self.number(part.group(kind)?, time_ms);
                if is_near {
                    self.near[at] = number as u32;
                }
                Some(number)
            }
        }
    }
}
