//! `prochist import`.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prochist::model::{Extent, SetAside};
use prochist::source::archive::{
    Archive, ArchiveError, Input, ObservedAt, Options, Piece, TimeFrom,
};
use prochist::{Ending, Recorded, Run, RunKind, RunResult, Store};
use serde::Serialize;

use super::args::ImportArgs;
use super::clock::now;
use super::failure::Failure;
use super::human::count;
use super::output::Output;
use super::{Done, WARNING, table::printable};

/// How many of the records set aside are shown; all are in the file.
const SHOWN: usize = 10;

/// How many rows gather before they are committed: a second of work or less.
const GATHERED_ROWS: usize = 40_000;

pub fn run(args: &ImportArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let archive = open(args)?;
    let mut store = Store::open(database)?;
    // The archive is still there if the power fails.
    store.force_commits(false)?;
    let source = args
        .paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(" ");
    let bar = progress_bar(
        archive.total_bytes(),
        "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
    );
    bar.set_message("importing");
    let mut run = store
        .begin(RunKind::Import, &source, now())?
        .gather(GATHERED_ROWS);
    let mut import = Import {
        extent: match (args.complete, args.app_id.is_empty()) {
            (false, _) => Extent::Partial,
            (true, true) => Extent::Complete,
            (true, false) => Extent::CompleteFor(args.app_id.clone()),
        },
        ..Import::default()
    };
    let mut pieces = Ahead::read(archive);
    import.all(&mut pieces, &mut run, &bar)?;
    let archive = pieces.done()?;
    let mut ending = Ending::new(
        now(),
        if import.set_aside == 0 {
            RunResult::Complete
        } else {
            RunResult::Partial
        },
    );
    ending.bytes = archive.bytes_read();
    let recorded = run.finish(&ending)?;
    bar.finish_and_clear();

    let report = Report::new(archive.file_count(), recorded, import.set_aside);
    output.rows(Report::FIELDS, Report::FIELDS, &[&report], &report)?;
    import.tell(&archive);
    Ok(if import.set_aside == 0 {
        Done::Whole
    } else {
        Done::Partial
    })
}

/// A progress bar for a terminal; silent where there is none.
pub fn progress_bar(length: Option<u64>, template: &str) -> ProgressBar {
    let bar = match length {
        Some(length) => ProgressBar::new(length),
        None => ProgressBar::new_spinner(),
    };
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let template = if length.is_some() {
        template
    } else {
        "{msg} {spinner} {bytes}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn open(args: &ImportArgs) -> Result<Archive, Failure> {
    let inputs = args
        .paths
        .iter()
        .map(|path| {
            if path == Path::new("-") {
                Input::Stdin(Box::new(io::stdin()))
            } else {
                Input::Path(path.clone())
            }
        })
        .collect();
    let options = Options {
        observed_at: args.observed_at,
    };
    Archive::open(inputs, options).map_err(|error| {
        let failure = Failure::caused(&error);
        match error {
            ArchiveError::NoTime { .. } => {
                failure.hint("say when they were observed with --observed-at TIME")
            }
            ArchiveError::Unreadable { .. } => failure,
        }
    })
}

fn is_at(piece: &Piece, observed_at: ObservedAt) -> bool {
    piece.observed_at.map(|at| at.time) == Some(observed_at.time)
}

/// An archive that is read on a thread of its own, a few pieces ahead of what is recorded.
struct Ahead {
    pieces: Receiver<(Piece, u64)>,
    reading: thread::JoinHandle<Archive>,
    /// How far it had been read when the latest piece was.
    bytes_read: u64,
    /// Whether some of it may come at any time, or never.
    is_stream: bool,
}

impl Ahead {
    /// One being recorded, one that waits and one being read: more would only take memory.
    const PIECES: usize = 1;

    fn read(mut archive: Archive) -> Self {
        let is_stream = archive.total_bytes().is_none();
        let (sender, pieces) = mpsc::sync_channel(Self::PIECES);
        let reading = thread::spawn(move || {
            while let Some(piece) = archive.next() {
                if sender.send((piece, archive.bytes_read())).is_err() {
                    break; // nobody records any more
                }
            }
            archive
        });
        Self {
            pieces,
            reading,
            bytes_read: 0,
            is_stream,
        }
    }

    /// The next piece. What has gathered does not wait for a stream.
    fn next(&mut self, run: &mut Run<'_>) -> Result<Option<Piece>, Failure> {
        if self.is_stream {
            match self.pieces.try_recv() {
                Ok((piece, bytes_read)) => {
                    self.bytes_read = bytes_read;
                    return Ok(Some(piece));
                }
                Err(TryRecvError::Empty) => run.commit()?,
                Err(TryRecvError::Disconnected) => return Ok(None),
            }
        }
        Ok(self.wait())
    }

    fn wait(&mut self) -> Option<Piece> {
        let (piece, bytes_read) = self.pieces.recv().ok()?;
        self.bytes_read = bytes_read;
        Some(piece)
    }

    /// The archive, all of which has been read.
    fn done(self) -> Result<Archive, Failure> {
        self.reading
            .join()
            .map_err(|_| Failure::new("reading the archive ended before its time"))
    }
}

#[derive(Default)]
struct Import {
    extent: Extent,
    set_aside: u64,
    shown: Vec<SetAside>,
    dated_by_mtime: BTreeSet<usize>,
    /// Something could not be read that may belong to any moment: none is known to be whole.
    lost_input: bool,
}

impl Import {
    /// Records everything, pieces of one moment as one snapshot.
    fn all(
        &mut self,
        pieces: &mut Ahead,
        run: &mut Run<'_>,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let mut ahead = pieces.next(run)?;
        while let Some(piece) = ahead.take() {
            bar.set_position(pieces.bytes_read);
            let Some(observed_at) = piece.observed_at else {
                self.lost_input |= !piece.set_aside.is_empty();
                for aside in piece.set_aside {
                    run.set_aside(&aside)?;
                    self.show(aside);
                }
                ahead = pieces.next(run)?;
                continue;
            };
            ahead = self.snapshot(pieces, run, observed_at, piece)?;
        }
        Ok(())
    }

    /// Records the snapshot that begins with this piece; returns the first piece after it.
    fn snapshot(
        &mut self,
        pieces: &mut Ahead,
        run: &mut Run<'_>,
        observed_at: ObservedAt,
        first: Piece,
    ) -> Result<Option<Piece>, Failure> {
        let mut gathered = vec![first];
        let mut after = None;
        if pieces.is_stream {
            // Nobody knows when a stream goes on, and others wait while a snapshot is recorded.
            loop {
                match pieces.next(run)? {
                    Some(next) if is_at(&next, observed_at) => gathered.push(next),
                    next => break after = next,
                }
            }
        }
        let mut snapshot = run.snapshot(observed_at.time)?;
        let mut whole = true;
        while let Some(piece) = gathered.pop() {
            if piece
                .observed_at
                .is_some_and(|at| at.from == TimeFrom::FileMtime)
            {
                self.dated_by_mtime.insert(piece.file);
            }
            for process in &piece.processes {
                snapshot.observe_shared(process)?;
            }
            for aside in piece.set_aside {
                // What could not be read may have been a live process.
                whole = false;
                snapshot.set_aside(&aside)?;
                self.show(aside);
            }
            if gathered.is_empty() && after.is_none() && !pieces.is_stream {
                match pieces.wait() {
                    Some(next) if is_at(&next, observed_at) => gathered.push(next),
                    next => after = next,
                }
            }
        }
        let extent = if whole && !self.lost_input {
            &self.extent
        } else {
            &Extent::Partial
        };
        snapshot.commit(extent)?;
        Ok(after)
    }

    fn show(&mut self, aside: SetAside) {
        self.set_aside += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(SetAside {
                raw: Vec::new(),
                ..aside
            });
        }
    }

    /// Says what people must know beside the numbers.
    fn tell(&self, archive: &Archive) {
        if archive.file_count() == 0 {
            say!("{WARNING} there are no files to import there");
        }
        if let Some(&file) = self.dated_by_mtime.first() {
            let name = printable(archive.file_name(file));
            let others = match self.dated_by_mtime.len() - 1 {
                0 => String::new(),
                n => format!(" and {} more", n),
            };
            say!(
                "note: {name}{others} did not say when it was observed, so its time of last \
                 modification was taken; --observed-at TIME says otherwise"
            );
        }
        for aside in &self.shown {
            say!("set aside: {}", printable(&aside.to_string()));
        }
        if self.set_aside > SHOWN as u64 {
            say!("… and {} more", self.set_aside - SHOWN as u64);
        }
        if self.set_aside > 0 {
            say!(
                "warning: {} could not be understood and {} kept aside; see `prochist sql 'SELECT * \
                 FROM set_aside'`",
                count(self.set_aside, "record", "records"),
                if self.set_aside == 1 { "is" } else { "are" }
            );
        }
    }
}

#[derive(Serialize)]
struct Report {
    files: usize,
    snapshots: u64,
    processes_seen: u64,
    processes_new: u64,
    processes_changed: u64,
    processes_lost: u64,
    set_aside: u64,
}

impl Report {
    const FIELDS: &'static [&'static str] = &[
        "files",
        "snapshots",
        "processes_seen",
        "processes_new",
        "processes_changed",
        "processes_lost",
        "set_aside",
    ];

    fn new(files: usize, recorded: Recorded, set_aside: u64) -> Self {
        Self {
            files,
            snapshots: recorded.snapshots,
            processes_seen: recorded.processes_seen,
            processes_new: recorded.processes_new,
            processes_changed: recorded.processes_changed,
            processes_lost: recorded.processes_lost,
            set_aside,
        }
    }
}
