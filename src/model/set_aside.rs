//! Input that could not be read as a process, kept as it came so that nothing is lost silently.

use std::fmt;

/// A stretch of input that was passed over, and why. What stood around it was read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it came from: a path as given, `-` for standard input, or a URL.
    pub source: String,
    /// The line on which it begins, from 1; `None` where the source has no lines to count.
    pub line: Option<u64>,
    /// What is wrong with it, in one line.
    pub reason: String,
    /// The input itself, byte for byte; only its beginning where the reason says so.
    pub raw: Vec<u8>,
}

/// `fleet.ndjson:12: cut off`.
impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.source, self.reason),
            None => write!(f, "{}: {}", self.source, self.reason),
        }
    }
}
