//! The processes of a range of keys that have ended, column by column: what is in a segment. Pure.
//!
//! About 16 bytes a process. Nothing is rounded or left out: what goes in comes out. Times are kept so
//! that each question finds what it needs in few columns: when a process was created and when it ended as
//! such, when it started as of the one and when it was told to stop as of the other.

mod kinds;
mod pack;

use std::collections::BTreeMap;

pub(crate) use kinds::Kind;

use crate::Error;

/// A process that has ended, as far as a segment tells of it; times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndedProcess {
    pub key: i64,
    pub kind: Kind,
    pub created_ms: i64,
    pub started_ms: Option<i64>,
    pub stopping_ms: Option<i64>,
    pub terminated_ms: Option<i64>,
    pub ended_ms: i64,
    /// Endpoint and from when, in order.
    pub holds: Vec<(i64, i64)>,
}

impl EndedProcess {
    /// Whether a segment can tell of it: the rest of its times, and those of its holds, follow from the
    /// others, as they do in every row that a recording writes.
    pub fn fits(&self) -> bool {
        let told = self.terminated_ms.or(self.stopping_ms);
        told.is_none_or(|told| told == self.ended_ms)
            && self.kind.holds as usize == self.holds.len()
            && self
                .started_ms
                .is_none_or(|started| self.holds.iter().all(|(_, from)| *from == started))
    }
}

/// A column of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// The number of each process's kind.
    Kind,
    Created,
    /// After it was created, of those that started.
    Started,
    /// Before it ended, of those that were told to stop and terminated.
    Stopping,
    Ended,
    /// The endpoints of each process.
    Endpoint,
    /// From when the endpoints were held of those that never started.
    HeldFrom,
}

impl Column {
    pub const ALL: [Self; 7] = [
        Self::Kind,
        Self::Created,
        Self::Started,
        Self::Stopping,
        Self::Ended,
        Self::Endpoint,
        Self::HeldFrom,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Created => "created",
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
            Self::Endpoint => "endpoint",
            Self::HeldFrom => "held_from",
        }
    }
}

/// A segment as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    pub first_key: i64,
    pub last_key: i64,
    pub processes: i64,
    pub created: Option<(i64, i64)>,
    pub ended: Option<(i64, i64)>,
    pub present: Vec<u8>,
    pub kinds: Vec<u8>,
    /// By [`Column::ALL`].
    pub columns: [Vec<u8>; Column::ALL.len()],
}

/// Packs processes, in order of key, all of which [fit](EndedProcess::fits) and have keys from `first_key`
/// to `last_key`.
pub(crate) fn pack_segment(first_key: i64, last_key: i64, processes: &[EndedProcess]) -> Packed {
    let kinds: BTreeMap<&Kind, i64> = processes.iter().map(|p| (&p.kind, 0)).collect();
    let kinds: BTreeMap<&Kind, i64> = kinds.into_keys().zip(0..).collect();
    let all: Vec<Kind> = kinds.keys().map(|kind| (*kind).clone()).collect();
    let of = |time: &dyn Fn(&EndedProcess) -> i64| processes.iter().map(time).collect::<Vec<_>>();
    let created = of(&|p| p.created_ms);
    let ended = of(&|p| p.ended_ms);
    let holds = || {
        processes
            .iter()
            .flat_map(|p| p.holds.iter().map(move |hold| (p, hold)))
    };
    let column = |column| {
        let values = match column {
            Column::Kind => of(&|p| kinds[&p.kind]),
            Column::Created => created.clone(),
            // What there is not is 0, so that all columns are as long.
            Column::Started => of(&|p| p.started_ms.map_or(0, |started| started - p.created_ms)),
            Column::Stopping => of(&|p| p.stopping_ms.map_or(0, |stopping| p.ended_ms - stopping)),
            Column::Ended => ended.clone(),
            Column::Endpoint => holds().map(|(_, (endpoint, _))| *endpoint).collect(),
            Column::HeldFrom => holds()
                .filter(|(p, _)| p.started_ms.is_none())
                .map(|(_, (_, from))| *from)
                .collect(),
        };
        pack::pack(&values)
    };
    Packed {
        first_key,
        last_key,
        processes: processes.len() as i64,
        created: ends_of(&created),
        ended: ends_of(&ended),
        present: present(first_key, last_key, processes),
        kinds: kinds::pack(&all),
        columns: Column::ALL.map(column),
    }
}

fn ends_of(times: &[i64]) -> Option<(i64, i64)> {
    times.iter().min().copied().zip(times.iter().max().copied())
}

fn present(first_key: i64, last_key: i64, processes: &[EndedProcess]) -> Vec<u8> {
    let keys = usize::try_from(last_key - first_key + 1).unwrap_or_default();
    if processes.len() == keys {
        return Vec::new();
    }
    let mut bits = vec![0; keys.div_ceil(8)];
    for process in processes {
        let at = (process.key - first_key) as usize;
        bits[at / 8] |= 1 << (at % 8);
    }
    bits
}

/// The columns of a segment, as far as they were asked for, as numbers; in order of key. Made once and
/// filled again and again.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    len: usize,
    first_key: i64,
    /// Of a segment from whose range some are missing.
    keys: Vec<i64>,
    pub kinds: Vec<Kind>,
    /// The number of each one's kind.
    pub kind: Vec<i64>,
    pub created_ms: Vec<i64>,
    /// After it was created; only where its kind has it.
    pub started_after_ms: Vec<i64>,
    /// Before it ended; only where its kind has it.
    pub stopping_before_ms: Vec<i64>,
    pub ended_ms: Vec<i64>,
    /// Of one after another, as many as its kind has.
    pub endpoints: Vec<i64>,
    /// As many, of those alone that never started.
    pub held_from_ms: Vec<i64>,
}

impl Unpacked {
    /// Begins another segment: its keys and its kinds.
    pub fn begin(
        &mut self,
        [first_key, last_key]: [i64; 2],
        processes: i64,
        present: &[u8],
        kinds: &[u8],
    ) -> Result<(), Error> {
        let keys = first_key..=last_key;
        self.first_key = first_key;
        self.keys.clear();
        self.keys.extend(
            keys.zip(0_usize..)
                .take(8 * present.len())
                .filter_map(|(key, at)| {
                    let bits = present.get(at / 8)?;
                    (bits >> (at % 8) & 1 == 1).then_some(key)
                }),
        );
        self.kinds = unpack_kinds(kinds)?;
        let len = match present.is_empty() {
            true => last_key - first_key + 1,
            false => self.keys.len() as i64,
        };
        self.len = usize::try_from(len).map_err(|_| damaged())?;
        match len == processes {
            true => Ok(()),
            false => Err(damaged()),
        }
    }

    /// The key of one of them, by its number.
    #[inline]
    pub fn key(&self, i: usize) -> i64 {
        self.keys
            .get(i)
            .copied()
            .unwrap_or(self.first_key + i as i64)
    }

    /// Reads a column. Those of holds come after [`Column::Kind`], which says how many there are.
    pub fn read(&mut self, column: Column, data: &[u8]) -> Result<(), Error> {
        let count = match column {
            Column::Endpoint => self.count_holds(|_| true),
            Column::HeldFrom => self.count_holds(|kind| !kind.has_started),
            _ => self.len,
        };
        let values = match column {
            Column::Kind => &mut self.kind,
            Column::Created => &mut self.created_ms,
            Column::Started => &mut self.started_after_ms,
            Column::Stopping => &mut self.stopping_before_ms,
            Column::Ended => &mut self.ended_ms,
            Column::Endpoint => &mut self.endpoints,
            Column::HeldFrom => &mut self.held_from_ms,
        };
        pack::unpack(data, count, values).ok_or_else(damaged)?;
        let kinds = self.kinds.len() as u64;
        match column == Column::Kind && self.kind.iter().any(|kind| kind.cast_unsigned() >= kinds) {
            true => Err(damaged()),
            false => Ok(()),
        }
    }

    fn count_holds(&self, which: impl Fn(&Kind) -> bool) -> usize {
        let of_kind = |kind: &Kind| if which(kind) { kind.holds as usize } else { 0 };
        let of_kinds: Vec<usize> = self.kinds.iter().map(of_kind).collect();
        self.kind.iter().map(|kind| of_kinds[*kind as usize]).sum()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// One whole process after another; all columns must have been read.
    pub fn processes(&self) -> impl Iterator<Item = EndedProcess> {
        let mut endpoints = self.endpoints.iter();
        let mut held_from = self.held_from_ms.iter();
        (0..self.len()).map(move |i| {
            let kind = self.kinds[self.kind[i] as usize].clone();
            let (created_ms, ended_ms) = (self.created_ms[i], self.ended_ms[i]);
            let started_ms = kind
                .has_started
                .then(|| created_ms + self.started_after_ms[i]);
            let holds = endpoints.by_ref().take(kind.holds as usize);
            let holds = holds.map(|endpoint| {
                let from = started_ms.or_else(|| held_from.next().copied());
                (*endpoint, from.unwrap_or(ended_ms))
            });
            EndedProcess {
                key: self.key(i),
                created_ms,
                started_ms,
                stopping_ms: kind
                    .has_stopping
                    .then(|| ended_ms - self.stopping_before_ms[i]),
                terminated_ms: kind.has_terminated.then_some(ended_ms),
                ended_ms,
                holds: holds.collect(),
                kind,
            }
        })
    }
}

/// The kinds of a segment alone.
pub(crate) fn unpack_kinds(kinds: &[u8]) -> Result<Vec<Kind>, Error> {
    kinds::unpack(kinds).ok_or_else(damaged)
}

fn damaged() -> Error {
    Error::Damaged {
        what: "a segment that does not unpack".to_owned(),
    }
}

#[cfg(test)]
mod tests;
