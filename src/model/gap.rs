//! What a source may have hidden.

use super::UtcMillis;

/// A stretch of creation time, with its filter, in which processes may have come and gone unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The app whose processes may be missing.
    pub app_id: String,
    /// Only in this region, where one is given.
    pub region: Option<String>,
    /// Only with this status, where one is given.
    pub status: Option<String>,
    /// Creation time from which the record may be incomplete.
    pub since: UtcMillis,
    /// Creation time from which it is known again; later than `since`.
    pub until: UtcMillis,
    /// Why they may be missing.
    pub reason: GapReason,
    /// At least so many processes are missing, where the source could tell.
    pub hidden_at_least: Option<u64>,
}

/// Why processes may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapReason {
    /// More were created between two looks than a page shows.
    Page,
    /// So much time passed between two looks that the source may have forgotten some.
    Forgotten,
    /// The source does not let them be asked for.
    Rejected,
}

impl GapReason {
    /// The name that the file and the answers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Forgotten => "forgotten",
            Self::Rejected => "rejected",
        }
    }
}
