//! Disks that are full, limited or read-only for real, outputs that are, and folders that vanish.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::check::{Shown, whole};
use crate::common::answers;
use crate::errors::{FULL, REFUSED, is_clear};
use crate::scale::{row, times};
use crate::scene::{archive, prochist, start};

/// An archive, and what it comes to where nothing goes wrong.
pub struct Archive {
    pub folder: TempDir,
    pub truth: Shown,
    pub answers: String,
}

impl Archive {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (bytes, truth) = archive(FleetConfig::new(3, 20, start()), 50, 1);
        fs::write(folder.path().join("archive.ndjson"), bytes).unwrap();
        let mut archive = Self {
            folder,
            truth,
            answers: String::new(),
        };
        let whole = archive.folder.path().join("whole.db");
        archive.import(&whole);
        archive.answers = answers(&whole);
        archive
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("archive.ndjson")
    }

    pub fn args(&self) -> [String; 2] {
        [
            "import".to_owned(),
            self.path().to_str().unwrap().to_owned(),
        ]
    }

    fn command(&self, path: &Path) -> Command {
        prochist(path, &self.args().each_ref().map(String::as_str))
    }

    #[track_caller]
    pub fn import(&self, path: &Path) {
        let output = self.command(path).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }

    /// What is there is whole, and another import comes to the same as ever.
    #[track_caller]
    pub fn goes_on(&self, path: &Path, of: &str) {
        whole(path, &self.truth, of);
        self.import(path);
        assert_eq!(whole(path, &self.truth, of), self.truth, "{of}");
        assert!(answers(path) == self.answers, "{of}: other answers");
    }
}

/// Runs a shell's script where it may mount, if there is a way; `$0` is the program, the rest as given.
fn where_mounting_works(script: &str, args: &[&Path]) -> Option<Output> {
    let ways: [&[&str]; 2] = [&["--user", "--map-root-user", "--mount"], &["--mount"]];
    let run = |way: &[&str], script: &str, args: &[&Path]| {
        let mut command = Command::new("unshare");
        command.args(way).args(["sh", "-c", script]);
        command.arg(env!("CARGO_BIN_EXE_prochist")).args(args);
        command.stdin(Stdio::null()).output()
    };
    let probe = TempDir::new().unwrap();
    let mounts = |way: &&[&str]| {
        let script = "mount -t tmpfs -o size=64k none \"$1\" && mount -o remount,ro \"$1\"";
        run(way, script, &[probe.path()]).is_ok_and(|output| output.status.success())
    };
    let Some(way) = ways.iter().find(|way| mounts(way)) else {
        println!("passed by: nothing can be mounted here");
        return None;
    };
    Some(run(way, script, args).unwrap())
}

fn output(folder: &Path, name: &str) -> Output {
    let read = |kind: &str| fs::read_to_string(folder.join(format!("{name}.{kind}"))).unwrap();
    let code: i32 = read("code").trim().parse().unwrap();
    Output {
        status: std::os::unix::process::ExitStatusExt::from_raw(code << 8),
        stdout: Vec::new(),
        stderr: read("said").into_bytes(),
    }
}

#[test]
fn a_full_disk_is_said_and_leaves_the_file_whole() {
    let archive = Archive::new();
    let sizes = times(4, 40);
    let mut ended = 0;
    for n in 0..sizes {
        let kib = 200 + n * 2400 / sizes;
        let left = TempDir::new().unwrap();
        let disk = TempDir::new().unwrap();
        let script = format!(
            r#"set -e
            mount -t tmpfs -o size={kib}k none "$1"
            code=0; "$0" --db "$1/history.db" import "$2" > /dev/null 2> "$3/first.said" || code=$?
            echo $code > "$3/first.code"
            ls -a "$1" > "$3/names"
            for file in history.db history.db-wal; do
                if [ -e "$1/$file" ]; then cp "$1/$file" "$3/$file"; fi
            done
            mount -o remount,size=64m "$1"
            code=0; "$0" --db "$1/history.db" import "$2" > /dev/null 2> "$3/again.said" || code=$?
            echo $code > "$3/again.code"
            mkdir "$3/after"; cp "$1/history.db" "$3/after"
            if [ -e "$1/history.db-wal" ]; then cp "$1/history.db-wal" "$3/after"; fi"#
        );
        let args = [disk.path(), &archive.path(), left.path()];
        let Some(ran) = where_mounting_works(&script, &args) else {
            return;
        };
        assert!(ran.status.success(), "{ran:?}");
        let of = format!("a disk of {kib} KiB");
        let first = output(left.path(), "first");
        if first.status.code() != Some(3) {
            is_clear(&first, FULL, &of);
            ended += 1;
        }
        let names = fs::read_to_string(left.path().join("names")).unwrap();
        assert!(!names.contains(".new-"), "{of}: {names}");
        archive.goes_on(&left.path().join("history.db"), &of);
        let again = output(left.path(), "again");
        assert_eq!(again.status.code(), Some(3), "{of}: {again:?}");
        let after = left.path().join("after/history.db");
        assert_eq!(whole(&after, &archive.truth, &of), archive.truth);
        assert!(answers(&after) == archive.answers, "{of}");
    }
    assert!(ended * 2 >= sizes, "{ended} of {sizes} were too small");
    row(
        "the disk is full",
        "an `import` on file systems of 0.2 to 2.6 MiB",
        &format!("{ended}"),
        "nothing that was committed; exit code 1 and one clear line",
        "a_full_disk_is_said_and_leaves_the_file_whole",
    );
}

#[test]
fn a_disk_that_became_read_only_is_said() {
    let archive = Archive::new();
    let disk = TempDir::new().unwrap();
    let left = TempDir::new().unwrap();
    let script = r#"set -e
        mount -t tmpfs none "$1"
        "$0" --db "$1/history.db" import "$2" > /dev/null 2>&1 || [ $? = 3 ]
        mount -o remount,ro "$1"
        for what in import rebuild; do
            file="$2"; if [ $what = rebuild ]; then file=; fi
            code=0; "$0" --db "$1/history.db" $what $file > /dev/null 2> "$3/$what.said" || code=$?
            echo $code > "$3/$what.code"
        done
        "$0" --db "$1/history.db" status > /dev/null
        cp "$1/history.db" "$3""#;
    let args = [disk.path(), &archive.path(), left.path()];
    let Some(ran) = where_mounting_works(script, &args) else {
        return;
    };
    assert!(ran.status.success(), "{ran:?}");
    for what in ["import", "rebuild"] {
        let output = output(left.path(), what);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        let is_said =
            lines[0].ends_with("is read-only") || lines[0].contains("Read-only file system");
        assert!(lines[0].starts_with("error: ") && is_said, "{said}");
    }
    archive.goes_on(&left.path().join("history.db"), "read-only");
    row(
        "the disk became read-only",
        "`import`, `rebuild` and a question on a file system mounted anew",
        "3",
        "nothing; what writes says so, what asks is answered",
        "a_disk_that_became_read_only_is_said",
    );
}

/// By itself the system ends a program that meets such a limit, without a word.
#[test]
fn a_limit_on_file_sizes_is_said_and_leaves_the_file_whole() {
    let archive = Archive::new();
    let limits = times(6, 60);
    let mut ended = 0;
    for n in 0..limits {
        let blocks = 8 + n * 3000 / limits;
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("history.db");
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_prochist"))
            .arg("--db")
            .arg(&path)
            .args(archive.args())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let of = format!("at most {blocks} blocks");
        if output.status.code() != Some(3) {
            is_clear(&output, REFUSED, &of);
            ended += 1;
        }
        archive.goes_on(&path, &of);
    }
    assert!(ended * 2 >= limits, "{ended} of {limits} were too small");
    row(
        "files may not grow any more",
        "an `import` with `ulimit -f`",
        &ended.to_string(),
        "nothing that was committed; exit code 1 and one clear line",
        "a_limit_on_file_sizes_is_said_and_leaves_the_file_whole",
    );
}

#[test]
fn an_output_that_is_full_is_an_error() {
    if !Path::new("/dev/full").exists() {
        println!("passed by: there is no /dev/full");
        return;
    }
    let archive = Archive::new();
    let path = archive.folder.path().join("whole.db");
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let archive_to_stdout: &[&str] = &["simulate", "--archive", "-", "--hours", "1"];
    let mut asked: Vec<Vec<&str>> = vec![archive_to_stdout.to_vec()];
    for format in ["table", "json", "ndjson", "csv", "markdown"] {
        for question in ["lifetimes", "status", "failures", "ports"] {
            asked.push(vec![question, "--format", format]);
        }
    }
    for args in &asked {
        let output = prochist(&path, args).stdout(full()).output().unwrap();
        is_clear(&output, "No space left on device", &format!("{args:?}"));
    }
    // Nobody to complain to is no reason to fail.
    let output = prochist(&path, &["lifetimes"]).stderr(full()).output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    row(
        "the output is full",
        "answers in every format written to `/dev/full`",
        &asked.len().to_string(),
        "nothing; exit code 1 and one clear line",
        "an_output_that_is_full_is_an_error",
    );
}

fn snapshots(path: &Path) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let count =
        |db: Connection| db.query_row("SELECT count(*) FROM snapshot", [], |row| row.get(0));
    Connection::open_with_flags(path, flags)
        .and_then(count)
        .unwrap_or(0)
}

/// What is written into a file that nobody can find any more is not recorded.
#[test]
fn a_file_that_is_taken_away_ends_an_import() {
    let archive = Archive::new();
    let text = fs::read_to_string(archive.path()).unwrap();
    for is_removed in [true, false] {
        let folder = TempDir::new().unwrap();
        let (data, away) = (folder.path().join("data"), folder.path().join("away"));
        fs::create_dir(&data).unwrap();
        let path = data.join("history.db");
        let mut child = prochist(&path, &["import", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let (first, rest) = text.split_at(text.match_indices('\n').nth(20).unwrap().0 + 1);
        stdin.write_all(first.as_bytes()).unwrap();
        while snapshots(&path) == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            std::thread::yield_now();
        }
        if is_removed {
            fs::remove_dir_all(&data).unwrap();
        } else {
            fs::rename(&data, &away).unwrap();
        }
        let _ = stdin.write_all(rest.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let error = format!(
            "error: history database {path:?} was moved, replaced or removed while it was written\n"
        );
        assert!(
            said.starts_with(&error) && said.lines().count() == 2,
            "{said}"
        );
        if is_removed {
            fs::create_dir(&data).unwrap();
        } else {
            fs::rename(&away, &data).unwrap();
        }
        archive.goes_on(&path, "taken away");
    }
    row(
        "the file is taken away",
        "its folder is removed or renamed within an `import`",
        "2",
        "what was recorded after it; exit code 1 and one clear line",
        "a_file_that_is_taken_away_ends_an_import",
    );
}

#[test]
fn a_folder_that_is_away_for_a_while_costs_a_service_only_that_while() {
    let fleet = Fleet::new(FleetConfig::new(9, 12, start()));
    let clock = ManualClock::new(start());
    let config = ServerConfig::local("a-token-of-the-tests");
    let server = Server::start(config, Arc::new(Mutex::new(fleet)), clock.clock()).unwrap();
    let folder = TempDir::new().unwrap();
    let (data, away) = (folder.path().join("data"), folder.path().join("away"));
    fs::create_dir(&data).unwrap();
    let path = data.join("history.db");
    let mut child = prochist(
        &path,
        &["sync", "--app-id", server.app_id(), "--every", "1s"],
    )
    .env("PROCHIST_BASE_URL", server.base_url())
    .env("HATHORA_TOKEN", server.token())
    .env("HOME", folder.path())
    .stdout(Stdio::null())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let until = |more_than: i64| {
        let count = || snapshots(&path);
        while count() <= more_than {
            std::thread::yield_now();
        }
        count()
    };
    let before = until(0);
    fs::rename(&data, &away).unwrap();
    // It may be in the middle of a run, which then fails for another reason.
    let said = said.find(|line| {
        let line = line.as_ref().unwrap();
        line.starts_with("error: ") && line.contains("does not exist")
    });
    assert!(said.is_some());
    fs::rename(&away, &data).unwrap();
    until(before);
    let signal = format!("kill -TERM {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &signal])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let db = crate::common::open(&path);
    let truth = crate::check::shown(&db);
    whole(&path, &truth, "away for a while");
    row(
        "the folder is away for a while",
        "it is renamed, and renamed back, under `sync --every`",
        "1",
        "the looks of that while, each said in one line",
        "a_folder_that_is_away_for_a_while_costs_a_service_only_that_while",
    );
}
