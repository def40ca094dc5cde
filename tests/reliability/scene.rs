//! A command and the file that it is run on, the same each time: an import, a sync over the simulator's
//! API, an upgrade, a rebuild, a merge, a pruning, a backup; and what it comes to where nothing goes wrong.
//!
//! The program's clock stands still, by the shim, so that a run that is made again says the same.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prochist::model::UtcMillis;
use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig, write_archive};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::check::{Shown, shown, verified, whole};
use crate::common::{answers, dump, one, open};
use crate::shim::{Fault, Shim};
use crate::trace::{self, Disk, Traced};

const MINUTE_MS: i64 = 60_000;

pub fn start() -> UtcMillis {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

pub struct Scene<'s> {
    pub name: String,
    pub shim: &'s Shim,
    folder: TempDir,
    /// The file before the command, if there is one.
    before: Option<PathBuf>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    code: i32,
    /// What an undisturbed run comes to.
    pub truth: Shown,
    pub answers: String,
    /// What else is told by then: a query, and what an undisturbed run has it say.
    told: Option<(&'static str, String)>,
    /// Whether it goes process by process, so that halfway a snapshot shows fewer than at its beginning, and
    /// more than at its end.
    by_process: bool,
    /// What else is needed for as long.
    _kept: Box<dyn Any + Send + Sync>,
}

/// A file of a scene in a folder of its own.
pub struct Copy {
    folder: TempDir,
}

impl Copy {
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("history.db")
    }
}

/// An archive of a simulated fleet, and how many processes each of its snapshots shows. After every sixth
/// there is a line that cannot be understood, which has what has gathered committed.
pub fn archive(config: FleetConfig, minutes: u64, every: u64) -> (Vec<u8>, Shown) {
    let minute = |n| Duration::from_secs(60 * n);
    let mut bytes = Vec::new();
    write_archive(config, minute(minutes), minute(every), &mut bytes, |_| ()).unwrap();
    let mut text = String::new();
    let mut truth = Shown::new();
    for (n, line) in String::from_utf8(bytes).unwrap().lines().enumerate() {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        let time: UtcMillis = read["observedAt"].as_str().unwrap().parse().unwrap();
        let processes = read["processes"].as_array().unwrap().len();
        truth.insert(time.millis(), processes as i64);
        text.push_str(line);
        text.push('\n');
        if n % 6 == 5 {
            text.push_str("17\n");
        }
    }
    (text.into_bytes(), truth)
}

impl<'s> Scene<'s> {
    fn new(shim: &'s Shim, name: &str, args: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            shim,
            folder: TempDir::new().unwrap(),
            before: None,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: BTreeMap::new(),
            code: 0,
            truth: Shown::new(),
            answers: String::new(),
            told: None,
            by_process: false,
            _kept: Box::new(()),
        }
    }

    /// An import into no file, which it makes.
    pub fn import(shim: &'s Shim) -> Self {
        let mut scene = Self::new(shim, "import", &["import"]);
        let archive = archive(FleetConfig::new(3, 20, start()), 50, 1);
        let path = scene.folder.path().join("archive.ndjson");
        fs::write(&path, archive.0).unwrap();
        scene.args.push(path.to_str().unwrap().to_owned());
        scene.code = 3; // the lines that cannot be understood
        scene.undisturbed();
        assert_eq!(scene.truth, archive.1);
        scene
    }

    /// A sync after some others, or the first one.
    pub fn sync(shim: &'s Shim, earlier: i64) -> Self {
        let fleet = Fleet::new(FleetConfig::new(9, 12, start()));
        let clock = ManualClock::new(start());
        let config = ServerConfig::local("a-token-of-the-tests");
        let server = Server::start(config, Arc::new(Mutex::new(fleet)), clock.clock()).unwrap();
        let args = ["sync", "--app-id", server.app_id()];
        let mut scene = Self::new(shim, &format!("sync {}", earlier + 1), &args);
        for (key, value) in [
            ("PROCHIST_BASE_URL", server.base_url()),
            ("HATHORA_TOKEN", server.token().to_owned()),
        ] {
            scene.env.insert(key.to_owned(), value);
        }
        scene._kept = Box::new(server);
        let path = scene.folder.path().join("before.db");
        for minute in 0..earlier {
            scene.at(&clock, minute);
            scene.succeed(&mut scene.command(&path));
        }
        if earlier > 0 {
            scene.before = Some(path);
        }
        scene.at(&clock, earlier);
        scene.undisturbed();
        assert_eq!(scene.truth.len() as i64, earlier + 1);
        scene
    }

    fn at(&mut self, clock: &ManualClock, minute: i64) {
        let time = start().plus_millis(minute * MINUTE_MS);
        clock.set(time);
        let millis = time.millis().to_string();
        self.env.insert("SHIM_NOW".to_owned(), millis);
    }

    /// A file of an earlier schema with so many processes is upgraded by an import of what it has.
    pub fn upgrade(shim: &'s Shim, version: i64, copies: i64) -> Self {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema");
        let archive = fixtures.join("snapshots.ndjson");
        let args = ["import", archive.to_str().unwrap()];
        let mut scene = Self::new(shim, &format!("upgrade from {version}"), &args);
        let path = scene.folder.path().join("before.db");
        fs::copy(fixtures.join(format!("v{version}.db")), &path).unwrap();
        multiply(&path, copies);
        scene.before = Some(path);
        scene.undisturbed();
        scene
    }

    /// All that is derived is made anew, a segment among it.
    pub fn rebuild(shim: &'s Shim) -> Self {
        let mut scene = Self::new(shim, "rebuild", &["rebuild"]);
        let path = scene.recorded("before.db", &day());
        let segments = one::<i64>(&open(&path), "SELECT count(*) FROM segment");
        assert!(segments > 0, "{segments} segments");
        scene.before = Some(path);
        scene.undisturbed();
        scene
    }

    /// The afternoon that another collector saw, with a bit of what this one did, is taken in.
    pub fn merge(shim: &'s Shim) -> Self {
        let day = day();
        let lines: Vec<&str> = day.lines().collect();
        let mut scene = Self::new(shim, "merge", &["merge"]);
        let other = scene.recorded("other.db", &lines[lines.len() * 2 / 5..].join("\n"));
        let path = scene.recorded("before.db", &lines[..lines.len() / 2].join("\n"));
        scene.args.push(other.to_str().unwrap().to_owned());
        scene.before = Some(path);
        scene.undisturbed();
        let all = scene.recorded("all.db", &day);
        assert!(answers(&all) == scene.answers, "other answers");
        scene
    }

    /// The morning is pruned at the day's end.
    pub fn prune(shim: &'s Shim) -> Self {
        let mut scene = Self::new(shim, "prune", &["prune", "--older-than", "12h"]);
        scene.before = Some(scene.recorded("before.db", &day()));
        let evening = start().plus_millis(24 * 60 * MINUTE_MS);
        scene
            .env
            .insert("SHIM_NOW".to_owned(), evening.millis().to_string());
        scene.by_process = true;
        scene.told = Some((
            "SELECT sum(processes), sum(versions), (SELECT count(*) FROM word) FROM prunings",
            String::new(),
        ));
        scene.undisturbed();
        let before = answers(scene.before.as_ref().unwrap());
        let (before, after) = (before.lines().count(), scene.answers.lines().count());
        assert!(after + 500 < before, "{before} lines, and {after}");
        scene
    }

    /// The file is copied to the place of an earlier backup.
    pub fn backup(shim: &'s Shim) -> Self {
        let mut scene = Self::new(shim, "backup", &["backup", "{folder}/backup.db"]);
        scene.before = Some(scene.recorded("before.db", &day()));
        scene.undisturbed();
        scene
    }

    /// A history of this name that an archive was imported into.
    fn recorded(&self, name: &str, archive: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let input = self.folder.path().join("archive.ndjson");
        fs::write(&input, archive).unwrap();
        let mut import = prochist(&path, &["import", input.to_str().unwrap()]);
        assert_eq!(import.output().unwrap().status.code(), Some(3));
        path
    }

    /// Runs it once as a run should go, to know what it comes to.
    fn undisturbed(&mut self) {
        let copy = self.copy();
        self.succeed(&mut self.command(&copy.path()));
        self.truth = shown(&open(&copy.path()));
        self.answers = answers(&copy.path());
        if let Some((query, told)) = &mut self.told {
            *told = dump(&open(&copy.path()), query);
        }
        whole(&copy.path(), &self.truth, "undisturbed");
        assert!(self.answers.lines().count() > 10);
    }

    /// How many calls of these kinds an undisturbed run makes.
    pub fn calls(&self, kinds: &str) -> u64 {
        let copy = self.copy();
        let count = copy.folder().join("count.lock"); // a name that the shim does not watch
        let mut command = self.command(&copy.path());
        self.shim
            .watch(&mut command, copy.folder())
            .env("SHIM_KINDS", kinds)
            .env("SHIM_COUNT", &count);
        self.succeed(&mut command);
        fs::read_to_string(count).unwrap().parse().unwrap()
    }

    /// What an undisturbed run does to the disk, from the disk before it.
    pub fn traced(&self) -> (Disk, Vec<Traced>) {
        let copy = self.copy();
        let before = Disk::of(copy.folder());
        let written = self.folder.path().join("trace");
        let mut command = self.command(&copy.path());
        self.shim
            .watch(&mut command, copy.folder())
            .env("SHIM_TRACE", &written);
        self.succeed(&mut command);
        (before, trace::read(&written))
    }

    pub fn copy(&self) -> Copy {
        let copy = Copy {
            folder: TempDir::new().unwrap(),
        };
        if let Some(before) = &self.before {
            fs::copy(before, copy.path()).unwrap();
        }
        copy
    }

    pub fn command(&self, path: &Path) -> Command {
        let folder = path.parent().unwrap().to_str().unwrap();
        let args = self.args.iter().map(|arg| arg.replace("{folder}", folder));
        let args: Vec<String> = args.collect();
        let mut command = prochist(path, &args.iter().map(String::as_str).collect::<Vec<_>>());
        self.shim
            .watch(&mut command, Path::new("nothing is watched"))
            .env("SHIM_NOW", start().millis().to_string())
            .envs(&self.env);
        command
    }

    /// Runs the command on a file while something goes wrong.
    pub fn harmed(&self, copy: &Copy, kinds: &str, fault: Fault) -> Output {
        let mut command = self.command(&copy.path());
        self.shim.harm(&mut command, copy.folder(), kinds, fault);
        command.output().unwrap()
    }

    /// The same for a kill. Whether it came before the command's end.
    pub fn killed(&self, copy: &Copy, kinds: &str, fault: Fault) -> bool {
        let status = self.harmed(copy, kinds, fault).status;
        let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
        assert!(killed || self.is_done(status), "{status} {fault:?}");
        killed
    }

    /// What is there is whole, and the same command comes to the same answers as ever.
    #[track_caller]
    pub fn goes_on(&self, path: &Path, of: &str) {
        if self.by_process {
            verified(path, of);
        } else {
            whole(path, &self.truth, of);
        }
        let backup = path.with_file_name("backup.db");
        if backup.exists() {
            assert!(answers(&backup) == self.answers, "{of}: another backup");
            verified(&backup, of);
        }
        let output = self.command(path).output().unwrap();
        assert!(self.is_done(output.status), "{of}: {output:?}");
        assert_eq!(whole(path, &self.truth, of), self.truth, "{of}");
        assert!(answers(path) == self.answers, "{of}: other answers");
        if let Some((query, told)) = &self.told {
            assert_eq!(&dump(&open(path), query), told, "{of}");
        }
    }

    pub fn is_done(&self, status: ExitStatus) -> bool {
        status.code() == Some(self.code)
    }

    #[track_caller]
    fn succeed(&self, command: &mut Command) {
        let output = command.output().unwrap();
        assert!(self.is_done(output.status), "{}: {output:?}", self.name);
    }
}

/// What a fleet showed each hour of a day.
fn day() -> String {
    let archive = archive(FleetConfig::new(5, 30, start()), 24 * 60, 60).0;
    String::from_utf8(archive).unwrap()
}

/// The program, with nothing of its surroundings but the file.
pub fn prochist(path: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prochist"));
    command
        .arg("--db")
        .arg(path)
        .args(args)
        .env_clear()
        .env("HOME", path.parent().unwrap())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// So many more of each process, with all that was seen of it.
fn multiply(path: &Path, copies: i64) {
    let db = Connection::open(path).unwrap();
    for table in ["process", "sighting", "version", "hold"] {
        let columns: String = one(
            &db,
            &format!("SELECT group_concat(name) FROM pragma_table_info('{table}')"),
        );
        let copied = columns
            .replace("process_key", "process_key + 2 * n")
            .replace("process_id", "process_id || '-' || n");
        db.execute_batch(&format!(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {copies})
             INSERT INTO {table} ({columns}) SELECT {copied} FROM {table}, number"
        ))
        .unwrap();
    }
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}
