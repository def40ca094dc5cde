//! The text of one value, which remembers whether it has been checked for UTF-8.

use std::ops::Range;

use crate::source::walk::Walk;

pub(super) enum Text {
    Utf8(String),
    /// Not UTF-8, or not checked.
    Bytes(Vec<u8>),
}

impl Text {
    /// Checks once for the whole text what would else be checked string by string.
    pub fn checked(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text),
            Err(error) => Self::Bytes(error.into_bytes()),
        }
    }

    pub fn walk(&self, at: usize) -> Walk<'_> {
        match self {
            Self::Utf8(text) => Walk::in_utf8(text, at),
            Self::Bytes(bytes) => Walk::new(bytes, at),
        }
    }

    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// The bytes of a range; none if it is out of bounds.
    pub fn slice(&self, at: Range<usize>) -> &[u8] {
        self.as_bytes().get(at).unwrap_or_default()
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Takes the bytes out, to be filled anew; leaves nothing behind.
    pub fn take(&mut self) -> Vec<u8> {
        match std::mem::replace(self, Self::Bytes(Vec::new())) {
            Self::Utf8(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}
