//! An archive of a simulated fleet: NDJSON, one snapshot a line. Memory is bounded by one interval.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use super::config::FleetConfig;
use super::fleet::Fleet;

/// What an archive holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// Lines.
    pub snapshots: u64,
    /// Processes in all snapshots, counted each time they are shown.
    pub observations: u64,
    /// Processes, counted once.
    pub processes: u64,
}

/// How far the writing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveProgress {
    /// What has been written so far.
    pub written: ArchiveSummary,
    /// Snapshots that there will be.
    pub snapshots_in_all: u64,
}

/// Writes the snapshots that a look at the fleet every `interval` takes: the first at
/// `config.start`, the last at or before `duration` later.
///
/// Each line is `{"observedAt": T, "processes": […]}` and lists every open process, and each that
/// ended since the line before; see [`Fleet::snapshot`]. The history and the retention that
/// `config` asks for are not used. An interval below a millisecond counts as one.
///
/// ```
/// use std::time::Duration;
/// use prochist::simulator::{FleetConfig, write_archive};
///
/// let config = FleetConfig::new(7, 3, "2026-01-05T00:00:00Z".parse()?);
/// let mut archive = Vec::new();
/// let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
/// let summary = write_archive(config, hour, minute, &mut archive, |_| ())?;
/// assert_eq!(summary.snapshots, 61);
/// assert!(archive.starts_with(br#"{"observedAt":"2026-01-05T00:00:00.000Z","processes":[{"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What the writer reports. What was written by then stays.
pub fn write_archive(
    mut config: FleetConfig,
    duration: Duration,
    interval: Duration,
    out: impl Write,
    mut progress: impl FnMut(ArchiveProgress),
) -> io::Result<ArchiveSummary> {
    let interval_ms = whole_millis(interval).max(1);
    let intervals = whole_millis(duration) / interval_ms;
    let start = config.start;
    // So what the fleet remembers is exactly what one snapshot shows.
    config.retention_ms = interval_ms;
    config.keep_history = false;

    let mut fleet = Fleet::new(config);
    let made_before = fleet.processes_made() - fleet.remembered_len() as u64;
    let mut out = BufWriter::with_capacity(1 << 18, out);
    let mut written = ArchiveSummary::default();
    for n in 0..=intervals {
        fleet.advance(start.plus_millis(n * interval_ms));
        written.observations += write_snapshot(&fleet, &mut out)?;
        written.snapshots += 1;
        written.processes = fleet.processes_made() - made_before;
        progress(ArchiveProgress {
            written,
            snapshots_in_all: intervals as u64 + 1,
        });
    }
    out.flush()?;
    Ok(written)
}

/// Writes one line process by process, and says how many it has.
fn write_snapshot(fleet: &Fleet, out: &mut impl Write) -> io::Result<u64> {
    let now = fleet.now();
    write!(out, r#"{{"observedAt":"{now}","processes":["#)?;
    let mut shown = 0;
    for process in fleet.remembered().filter_map(|story| story.at(now)) {
        if shown > 0 {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut *out, &process)?;
        shown += 1;
    }
    out.write_all(b"]}\n")?;
    Ok(shown)
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
