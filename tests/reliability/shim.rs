//! The library of shim.c: made, and put before a command.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// Every kind of call that changes a file.
pub const ALL: &str = "wtsn";

pub const SYNCS: &str = "s";

/// Writes, truncations and syncs: what a disk may refuse.
pub const OF_DISK: &str = "wts";

/// What goes wrong, at the call of so many.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    KillBefore(u64),
    KillAfter(u64),
    /// A write leaves so many bytes and no more.
    Tear(u64, u64),
    Fail(u64, i32),
    FailFrom(u64, i32),
}

pub struct Shim {
    folder: TempDir,
}

impl Shim {
    /// None, with a word, where there is no C compiler, or another system.
    pub fn make() -> Option<Self> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            println!("passed by: the shim is for Linux with glibc");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let shim = Self { folder };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reliability/shim.c");
        let made = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&shim.library(), &source])
            .output();
        let Ok(made) = made else {
            println!("passed by: there is no cc to make the shim with");
            return None;
        };
        assert!(made.status.success(), "{made:?}");
        Some(shim)
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }

    /// Puts it before a command: it watches the files of a folder.
    pub fn watch<'c>(&self, command: &'c mut Command, folder: &Path) -> &'c mut Command {
        command
            .env("LD_PRELOAD", self.library())
            .env("SHIM_PATH", folder)
    }

    /// Lets the command meet a fault.
    pub fn harm(&self, command: &mut Command, folder: &Path, kinds: &str, fault: Fault) {
        let (at, what) = match fault {
            Fault::KillBefore(at) => (at, "before".to_owned()),
            Fault::KillAfter(at) => (at, "after".to_owned()),
            Fault::Tear(at, bytes) => (at, format!("tear {bytes}")),
            Fault::Fail(at, error) => (at, format!("fail {error}")),
            Fault::FailFrom(at, error) => (at, format!("failfrom {error}")),
        };
        self.watch(command, folder)
            .env("SHIM_KINDS", kinds)
            .env("SHIM_AT", at.to_string())
            .env("SHIM_DO", what);
    }
}
