//! Where processes belong and which of their times are known: few ways, among many processes. Pure.

use crate::model::{Deployment, Outcome};

/// What some processes of a segment have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// The app, as a word.
    pub app: i64,
    /// The region, as a word.
    pub region: i64,
    pub deployment: Deployment,
    pub has_failed: bool,
    /// Which of the times there are.
    pub has_started: bool,
    pub has_stopping: bool,
    pub has_terminated: bool,
    /// How many endpoints each of them held.
    pub holds: u32,
}

const FAILED: u8 = 1;
const STARTED: u8 = 2;
const STOPPING: u8 = 4;
const TERMINATED: u8 = 8;
const NAMED: u8 = 16;

impl Kind {
    pub fn outcome(&self) -> Outcome {
        match self.has_failed {
            true => Outcome::Failed,
            false => Outcome::Stopped,
        }
    }

    /// Whether it is known when it ended, beside when it was first seen to have.
    pub fn has_end(&self) -> bool {
        self.has_terminated || self.has_stopping
    }
}

/// All kinds as bytes.
pub(super) fn pack(kinds: &[Kind]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for kind in kinds {
        let flags = [
            (kind.has_failed, FAILED),
            (kind.has_started, STARTED),
            (kind.has_stopping, STOPPING),
            (kind.has_terminated, TERMINATED),
            (matches!(kind.deployment, Deployment::Name(_)), NAMED),
        ];
        let set = flags.iter().filter(|(is_set, _)| *is_set);
        bytes.push(set.map(|(_, flag)| flag).sum());
        push(&mut bytes, kind.app.cast_unsigned());
        push(&mut bytes, kind.region.cast_unsigned());
        push(&mut bytes, kind.holds.into());
        match &kind.deployment {
            Deployment::Number(number) => push(&mut bytes, number.cast_unsigned()),
            Deployment::Name(name) => {
                push(&mut bytes, name.len() as u64);
                bytes.extend_from_slice(name.as_bytes());
            }
        }
    }
    bytes
}

/// The kinds again; none where these bytes are not some.
pub(super) fn unpack(mut bytes: &[u8]) -> Option<Vec<Kind>> {
    let mut kinds = Vec::new();
    while let Some((flags, rest)) = bytes.split_first() {
        bytes = rest;
        let is_set = |flag| flags & flag != 0;
        kinds.push(Kind {
            app: pull(&mut bytes)?.cast_signed(),
            region: pull(&mut bytes)?.cast_signed(),
            holds: pull(&mut bytes)?.try_into().ok()?,
            deployment: match is_set(NAMED) {
                false => Deployment::Number(pull(&mut bytes)?.cast_signed()),
                true => {
                    let length = pull(&mut bytes)?.try_into().ok()?;
                    let (name, rest) = bytes.split_at_checked(length)?;
                    bytes = rest;
                    Deployment::Name(str::from_utf8(name).ok()?.to_owned())
                }
            },
            has_failed: is_set(FAILED),
            has_started: is_set(STARTED),
            has_stopping: is_set(STOPPING),
            has_terminated: is_set(TERMINATED),
        });
    }
    Some(kinds)
}

/// Seven bits a byte, the lowest first, and the eighth where more follow.
fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn pull(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_back() {
        let kind = |app, deployment, holds, flags: u8| Kind {
            app,
            region: app * 1000,
            deployment,
            has_failed: flags & 1 > 0,
            has_started: flags & 2 > 0,
            has_stopping: flags & 4 > 0,
            has_terminated: flags & 8 > 0,
            holds,
        };
        let name = |text: &str| Deployment::Name(text.to_owned());
        let kinds = [
            kind(0, Deployment::Number(i64::MIN), 0, 0),
            kind(1, Deployment::Number(-1), 1, 1),
            kind(127, Deployment::Number(127), 3, 2),
            kind(128, Deployment::Number(i64::MAX), u32::MAX, 4),
            kind(i64::MAX / 1000, name("dep-ü"), 1, 8),
            kind(7, name(""), 72_941, 15),
        ];
        let bytes = pack(&kinds);
        assert_eq!(unpack(&bytes).as_deref(), Some(&kinds[..]));
        assert_eq!(unpack(&[]), Some(vec![]));
        assert_eq!(unpack(&bytes[..bytes.len() - 1]), None);
        assert_eq!(unpack(&[1, 0xff]), None);
    }
}
