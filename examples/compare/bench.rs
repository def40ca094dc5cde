//! What every measurement needs: where things are, and how the contestants are started.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The contestants other than prochist. Each is this very program, run as a command of its own, so
/// that all are measured alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Yardstick {
    Floor,
    FloorIndexesLast,
    FloorMillis,
    Parse,
}

/// Where things are, and how much is to be measured.
pub struct Bench {
    /// What the amounts of data are multiplied by.
    pub scale: f64,
    /// How often each is measured.
    pub rounds: usize,
    /// Where data is put.
    pub folder: PathBuf,
    /// Whether the data stays.
    pub keep: bool,
    /// A Python that may have DuckDB.
    pub python: String,
    /// The release binary.
    pub binary: PathBuf,
    /// This program.
    pub itself: PathBuf,
}

impl Bench {
    /// Tells, beside the table, how far it is.
    #[allow(clippy::print_stderr)] // an example may tell how far it is
    pub fn say(&self, text: &str) {
        eprintln!("{text}");
    }

    /// A prochist command on a database; what is set for a fleet of one's own is not heard.
    pub fn prochist(&self, database: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PROCHIST_") {
                command.env_remove(name);
            }
        }
        command.arg("--db").arg(database);
        command
    }

    /// This program as a yardstick.
    pub fn yardstick(&self, which: Yardstick, archive: &Path, database: &Path) -> Command {
        let mut command = Command::new(&self.itself);
        command
            .arg("--yardstick")
            .arg(match which {
                Yardstick::Floor => "floor",
                Yardstick::FloorIndexesLast => "floor-indexes-last",
                Yardstick::FloorMillis => "floor-millis",
                Yardstick::Parse => "parse",
            })
            .args([archive, database]);
        command
    }

    /// Removes all data, unless it is to stay.
    pub fn clear(&self) -> Result<(), Box<dyn Error>> {
        if !self.keep && self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }

    /// Where the data of that name is, of so much.
    pub fn file(&self, name: &str, extension: &str) -> PathBuf {
        let name = match self.scale {
            1.0 => format!("{name}.{extension}"),
            scale => format!("{name}-{scale}.{extension}"),
        };
        self.folder.join(name)
    }

    /// Removes data that is needed no more, unless it is to stay.
    pub fn discard(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        if !self.keep {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}
