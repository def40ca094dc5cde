//! What a source sent that could not be understood.

/// A piece of input that could not be understood, kept raw so that nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The file or URL it came from.
    pub source: String,
    /// The line it stands in, from 1, where the source has lines.
    pub line: Option<u64>,
    /// What is wrong with it, in one line.
    pub reason: String,
    /// The text as it came.
    pub raw: Vec<u8>,
}
