//! The one place that asks the clock.

use prochist::model::UtcMillis;

#[allow(clippy::disallowed_methods)] // everything below the command line is given the time
pub fn now() -> UtcMillis {
    chrono::Utc::now().into()
}
