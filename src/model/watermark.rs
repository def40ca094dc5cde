//! How far the record of an app is known to be whole.

use super::UtcMillis;

/// Every process of an app and region that was created from `since` to `until`, both included, is on
/// record, unless a [`super::Gap`] says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark {
    /// The region; none for every region that has no watermark of its own, those included that
    /// nobody has named yet.
    pub region: Option<String>,
    /// The creation time at which coverage began.
    pub since: UtcMillis,
    /// The creation time up to which the record is whole. By the clock of whoever writes
    /// `createdAt`, not the recorder's.
    pub until: UtcMillis,
    /// When the look was that proved it, by the recorder's clock.
    pub looked_at: UtcMillis,
    /// The same by the server's clock (the `Date` of its first answer), where it said so.
    pub server_time: Option<UtcMillis>,
    /// At most so many open processes were known to that look by count only: hidden in gaps, or since
    /// before coverage began. None where it could not tell.
    pub unaccounted: Option<u64>,
}
