//! The archives that are compared on: simulated fleets, so that everyone has the same.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use prochist::simulator::{FleetConfig, write_archive};

use super::bench::Bench;

/// An archive as it is to be made.
#[derive(Clone, Copy)]
pub struct Recipe {
    pub name: &'static str,
    /// Processes open at once.
    pub concurrent: usize,
    /// About so many observations in all.
    pub observations: u64,
    /// Time from one look to the next, which decides how much has changed by then.
    pub interval: Duration,
    /// Time from one deployment to the next.
    pub deployment_every: Duration,
}

const HOUR: Duration = Duration::from_secs(3600);

impl Recipe {
    /// Half of the observations are new versions.
    pub fn half(scale: f64) -> Self {
        Self::of("half", scale, 2e6, Duration::from_secs(120))
    }

    /// Nineteen in twenty observations say what the one before said.
    pub fn unchanged(scale: f64) -> Self {
        Self::of("unchanged", scale, 2e6, Duration::from_millis(6500))
    }

    /// Three million processes that have ended, most of them seen once: a look every hour.
    pub fn ended(scale: f64) -> Self {
        Self {
            deployment_every: 12 * HOUR,
            ..Self::of("three", scale, 4.67e6, HOUR)
        }
    }

    /// As `half`, and as large as is said: what an import costs as the file grows.
    pub fn growing(name: &'static str, scale: f64, observations: f64) -> Self {
        Self::of(name, scale, observations, Duration::from_secs(120))
    }

    /// About so many versions, three quarters of what is observed.
    pub fn versions(name: &'static str, scale: f64, versions: f64) -> Self {
        Self::of(name, scale, versions / 0.75, Duration::from_secs(300))
    }

    fn of(name: &'static str, scale: f64, observations: f64, interval: Duration) -> Self {
        Self {
            name,
            // A small archive is of a small fleet, so that it still has looks enough.
            concurrent: (observations * scale / 20.0).clamp(20.0, 5_000.0) as usize,
            observations: (observations * scale) as u64,
            interval,
            deployment_every: 4 * HOUR,
        }
    }

    /// Writes the archive, unless a file of this name is there.
    pub fn prepare(&self, bench: &Bench) -> Result<PathBuf, Box<dyn Error>> {
        let path = bench.file(self.name, "ndjson");
        if path.exists() {
            return Ok(path);
        }
        bench.say(&format!("preparing the archive {:?}", self.name));
        // A name of its own until it is whole, in case that it is kept and this is cut short.
        let partial = path.with_extension("partial");
        let config = FleetConfig {
            deployment_every_ms: i64::try_from(self.deployment_every.as_millis())?,
            ..FleetConfig::new(1, self.concurrent, "2024-05-01T00:00:00Z".parse()?)
        };
        write_archive(
            config,
            self.interval * self.intervals(),
            self.interval,
            File::create(&partial)?,
            |_| (),
        )?;
        fs::rename(&partial, &path)?;
        Ok(path)
    }

    /// Each look shows the open processes and those that ended since the look before: about one in
    /// 2,000 each second.
    fn intervals(&self) -> u32 {
        let shown = self.concurrent as f64 * (1.0 + self.interval.as_secs_f64() / 2_000.0);
        (self.observations as f64 / shown).round().max(2.0) as u32 - 1
    }
}

/// How large a file is, in bytes.
pub fn size(path: &Path) -> Result<u64, Box<dyn Error>> {
    Ok(fs::metadata(path)
        .map_err(|error| format!("could not look at {}: {error}", path.display()))?
        .len())
}
