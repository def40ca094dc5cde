//! One list call and its page, and whether that proves what it was asked for. Pure.

use crate::model::{Process, UtcMillis};
use crate::source::api::Filter;

/// How many processes a list shows at most.
pub const PAGE_ROWS: usize = 10;

/// Which processes a list call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// All of the app's.
    Everything,
    /// Those in these regions; never none.
    Regions(Vec<String>),
    /// Those in this region that have this status.
    Leaf { region: String, status: String },
}

impl Window {
    pub fn filter(&self) -> Filter {
        match self {
            Self::Everything => Filter::default(),
            Self::Regions(regions) => Filter {
                regions: regions.clone(),
                statuses: Vec::new(),
            },
            Self::Leaf { region, status } => Filter {
                regions: vec![region.clone()],
                statuses: vec![status.clone()],
            },
        }
    }
}

impl Window {
    /// Whether a page about it may show the process.
    pub(super) fn admits(&self, process: &Process) -> bool {
        match self {
            Self::Everything => true,
            Self::Regions(regions) => regions.contains(&process.region),
            Self::Leaf { region, status } => process.region == *region && process.status == *status,
        }
    }
}

/// A page, as far as it tells what it may not show.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub processes: &'a [Process],
    /// Rows of the page, those included that could not be understood.
    pub rows: usize,
    /// What the server's clock said.
    pub server_time: Option<UtcMillis>,
}

impl Seen<'_> {
    pub(super) fn is_full(&self) -> bool {
        self.rows >= PAGE_ROWS
    }

    pub(super) fn oldest(&self) -> Option<UtcMillis> {
        self.processes.iter().map(|p| p.created_at).min()
    }

    /// Whether it shows everything of its filter that was created after the mark.
    pub(super) fn proves(&self, mark: Option<UtcMillis>) -> bool {
        // Only the oldest tells how far the page reaches: one that was dated into the future is on
        // every page, and tells nothing.
        let reaches = |(oldest, mark): (UtcMillis, UtcMillis)| {
            // At a whole second creations may be cut to seconds, so that others share it.
            oldest < mark || (oldest == mark && mark.millis() % 1000 != 0)
        };
        !self.is_full() || self.oldest().zip(mark).is_some_and(reaches)
    }
}
