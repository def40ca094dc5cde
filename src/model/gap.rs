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
    /// At least so many processes are missing, where the source could tell.
    pub hidden_at_least: Option<u64>,
}
