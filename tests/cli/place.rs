//! A folder in which to run the program, with nothing in its surroundings but what is put there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder, which is home, data directory and current folder in one.
pub struct Place(TempDir);

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The history that is asked where no other is named.
    pub fn database(&self) -> PathBuf {
        self.path("history.db")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.started_by(
            Command::new(assert_cmd::cargo::cargo_bin!("prochist")),
            args,
        )
    }

    /// The same for a command that begins with another program.
    pub fn started_by(&self, mut command: Command, args: &[&str]) -> Command {
        command
            .args(args)
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("XDG_DATA_HOME", self.folder())
            .env("PROCHIST_DB", self.database())
            .env("TZ", "Pacific/Chatham") // +12:45, so that local time would be seen
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that fails early does not read to the end.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran::from(child.wait_with_output().unwrap())
    }

    /// The answer in JSON to a question that must have one.
    pub fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--format", "json"]].concat())
            .ok()
            .json()
    }

    /// The rows of that answer.
    pub fn rows(&self, args: &[&str]) -> Vec<Value> {
        self.json(args)["rows"].as_array().unwrap().clone()
    }
}

/// Sends a signal by its name, such as `TERM`.
#[cfg(unix)]
pub fn signal(child: &std::process::Child, name: &str) {
    // The shell's own kill: not every machine has another.
    let status = Command::new("sh")
        .args(["-c", "kill -\"$0\" \"$1\"", name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.ended(0)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}
