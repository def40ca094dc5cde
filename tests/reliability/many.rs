//! Many at once on one file: syncs, imports and readers of every kind, as fast as they go.
//!
//! What is asserted: nobody is told that the file is busy, every reader sees whole snapshots only, and the
//! WAL stays bounded though somebody reads at any time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig};
use prochist::{History, Question};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::check::{SHOWN, Shown, beside, shown, whole};
use crate::disk::Archive;
use crate::scale::{row, times};
use crate::scene::{prochist, start};

/// A run here writes less than 1 MiB and ends by having the WAL written into the file. That begins anew as
/// soon as no reader is in what is not yet there, which whoever finds more than 4 MiB waits for; a backup
/// reads for longer than that takes.
const MOST_WAL: u64 = 16 << 20;

/// What all of them share.
struct Crowd<'a> {
    archive: &'a Archive,
    path: &'a Path,
    /// How many have not yet done what they are to do; all go on until none is left.
    at_it: AtomicUsize,
    failed: AtomicBool,
    /// How much has been recorded, for those who wait for more.
    recorded: Mutex<usize>,
    more: Condvar,
    longest_wal: AtomicU64,
    /// How many processes a sync's snapshot showed to whoever saw it, by its time.
    seen: Mutex<Shown>,
}

impl Crowd<'_> {
    /// Does something again and again: so often at least, and until everybody has. How often it was.
    fn each(&self, least: usize, mut what: impl FnMut(usize), is_reader: bool) -> usize {
        // Where one fails, the others end, too.
        struct Ended<'a>(&'a Crowd<'a>);
        impl Drop for Ended<'_> {
            fn drop(&mut self) {
                self.0
                    .failed
                    .fetch_or(std::thread::panicking(), Ordering::SeqCst);
                self.0.tell();
            }
        }
        let _ended = Ended(self);
        let goes_on = |done| {
            let failed = self.failed.load(Ordering::SeqCst);
            !failed && (done < least || self.at_it.load(Ordering::SeqCst) > 0)
        };
        let (mut done, mut seen) = (0, 0);
        while goes_on(done) {
            // Who has asked enough asks when there is more, and leaves the processors to the others.
            if is_reader && done >= least {
                let recorded = self.recorded.lock().unwrap();
                let waits = |recorded: &mut usize| *recorded == seen && goes_on(done);
                seen = *self.more.wait_while(recorded, waits).unwrap();
            }
            what(done);
            done += 1;
            if done == least {
                self.at_it.fetch_sub(1, Ordering::SeqCst);
                self.tell();
            }
            if !is_reader {
                self.tell();
            }
        }
        done
    }

    fn tell(&self) {
        *self.recorded.lock().unwrap() += 1;
        self.more.notify_all();
    }

    fn run(&self, args: &[&str], codes: &[i32]) -> Output {
        let output = prochist(self.path, args).output().unwrap();
        assert!(
            codes.contains(&output.status.code().unwrap()),
            "{args:?}: {output:?}"
        );
        output
    }

    /// What somebody saw at one moment is whole: an import's snapshots as the archive has them, a sync's
    /// as all others see them.
    fn is_whole(&self, shown: &Shown) {
        let wal = fs::metadata(beside(self.path, "-wal")).map_or(0, |wal| wal.len());
        self.longest_wal.fetch_max(wal, Ordering::Relaxed);
        let mut seen = self.seen.lock().unwrap();
        for (time, processes) in shown {
            let truth = self.archive.truth.get(time);
            let truth = *truth.unwrap_or_else(|| seen.entry(*time).or_insert(*processes));
            assert_eq!(*processes, truth, "at {time}");
        }
    }

    /// By the program.
    fn asks(&self, least: usize) -> usize {
        let ask = |n| match n % 4 {
            0 => drop(self.run(&["status"], &[0])),
            1 => drop(self.run(&["lifetimes", "--by", "region"], &[0])),
            2 => drop(self.run(&["coverage"], &[0])),
            _ => {
                let answer = self.run(&["sql", "--format", "ndjson", SHOWN], &[0]);
                let text = String::from_utf8(answer.stdout).unwrap();
                let rows = text.lines().map(|line| {
                    let row: serde_json::Value = serde_json::from_str(line).unwrap();
                    (
                        row["time"].as_i64().unwrap(),
                        row["processes"].as_i64().unwrap(),
                    )
                });
                self.is_whole(&rows.collect());
            }
        };
        self.each(least, ask, true)
    }

    /// By the library, with one history for all questions or one for each.
    fn asks_in_process(&self, least: usize, anew: bool) -> usize {
        let mut history = History::open(self.path).unwrap();
        let mut before = 0;
        let ask = |_| {
            if anew {
                history = History::open(self.path).unwrap();
            }
            let status = history.status().unwrap().rows[0].processes;
            assert!(status >= before, "{before}, then {status}");
            before = status;
            let question = Question::default();
            history.lifetimes(&question).unwrap();
            history.failures(&question).unwrap();
            history.usage(&question).unwrap();
            history.fleet_at(start(), None, &question).unwrap();
            assert_eq!(history.compare_segments().unwrap(), None);
        };
        self.each(least, ask, true)
    }

    /// By a program that knows nothing of this one, and never waits.
    fn reads(&self, least: usize) -> usize {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = Connection::open_with_flags(self.path, flags).unwrap();
        db.busy_timeout(std::time::Duration::ZERO).unwrap();
        let ask = |_| {
            self.is_whole(&shown(&db));
            for view in ["processes", "process_versions", "port_holds", "sync_runs"] {
                let count = format!("SELECT count(*) FROM {view}");
                assert!(crate::common::one::<i64>(&db, &count) > 0);
            }
        };
        self.each(least, ask, true)
    }
}

#[test]
fn many_at_once_see_whole_snapshots_and_nobody_is_turned_away() {
    let archive = Archive::new();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("history.db");
    let fleet = Fleet::new(FleetConfig::new(9, 12, start()));
    let clock = ManualClock::new(start());
    let config = ServerConfig::local("a-token-of-the-tests");
    let server = Server::start(config, Arc::new(Mutex::new(fleet)), clock.clock()).unwrap();
    let sync = |_: usize| {
        clock.advance_millis(20_000);
        let output = prochist(&path, &["sync", "--app-id", server.app_id()])
            .env("PROCHIST_BASE_URL", server.base_url())
            .env("HATHORA_TOKEN", server.token())
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    sync(0);
    archive.import(&path);

    let (syncs, imports, questions) = (times(8, 150), times(6, 80), times(10, 500));
    let backups = times(3, 30);
    let crowd = Crowd {
        archive: &archive,
        path: &path,
        at_it: AtomicUsize::new(11),
        failed: AtomicBool::new(false),
        recorded: Mutex::new(0),
        more: Condvar::new(),
        longest_wal: AtomicU64::new(0),
        seen: Mutex::new(BTreeMap::new()),
    };
    let import = archive.args();
    let import = import.each_ref().map(String::as_str);
    let crowd = &crowd;
    let backup = folder.path().join("backup.db");
    let backup = ["backup", backup.to_str().unwrap()];
    let (synced, imported, backed_up, asked) = std::thread::scope(|scope| {
        let synced = scope.spawn(|| crowd.each(syncs, sync, false));
        let imported =
            scope.spawn(|| crowd.each(imports, |_| drop(crowd.run(&import, &[3])), false));
        // Each copy is verified by the program before it gets its name.
        let backed_up =
            scope.spawn(|| crowd.each(backups, |_| drop(crowd.run(&backup, &[0])), false));
        let readers = [
            scope.spawn(|| crowd.asks(questions)),
            scope.spawn(|| crowd.asks(questions)),
            scope.spawn(|| crowd.asks(questions)),
            scope.spawn(|| crowd.asks_in_process(questions, true)),
            scope.spawn(|| crowd.asks_in_process(questions, true)),
            scope.spawn(|| crowd.asks_in_process(questions, false)),
            scope.spawn(|| crowd.reads(questions)),
            scope.spawn(|| crowd.reads(questions)),
        ];
        let asked: usize = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        (
            synced.join().unwrap(),
            imported.join().unwrap(),
            backed_up.join().unwrap(),
            asked,
        )
    });
    let longest = crowd.longest_wal.load(Ordering::Relaxed);
    assert!(longest < MOST_WAL, "a WAL of {longest} bytes");
    // With nobody in the way it is emptied by whoever writes next.
    sync(0);
    assert_eq!(
        fs::metadata(beside(&path, "-wal")).map_or(0, |wal| wal.len()),
        0
    );

    let last = shown(&crate::common::open(&path));
    crowd.is_whole(&last);
    assert_eq!(last.len(), archive.truth.len() + synced + 2);
    whole(&path, &last, "many at once");
    println!("the longest WAL had {longest} bytes");
    row(
        "many at once",
        "syncs, imports, backups and eight readers of three kinds, as fast as they go",
        &format!("{synced} syncs, {imported} imports, {backed_up} backups, {asked} questions"),
        "nothing; nobody was turned away, the WAL stayed bounded",
        "many_at_once_see_whole_snapshots_and_nobody_is_turned_away",
    );
}
