//! Archived responses: many files, read as one stream of observations in order of their time.
//!
//! A file holds processes or snapshots (`{"observedAt": T, "processes": […]}`), one by one, in
//! arrays, one value a line or one over many lines, plain or compressed with gzip or zstd. All of
//! this is told by what the bytes are, never by a name. Broken input costs itself and is handed on
//! as [`SetAside`]; it never stops what follows.
//!
//! Memory: one value (at most [`MAX_VALUE_BYTES`]), the snapshot before it (at most 32 MiB) and one [`Piece`]
//! for each file that is open.
//! Files are opened when their first observation is due and closed at their end, so only those
//! that overlap in time are open together; to learn when each begins, each is looked into first.
//! Within one file order is the file's own: a snapshot older than the one before it comes late. So
//! do files beyond the first [`MAX_OPEN_FILES`] that overlap in time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

mod bytes;
mod frames;
mod inputs;
mod pieces;
mod reader;
mod shape;
mod text;

use crate::model::SetAside;
use crate::model::{Process, UtcMillis};
use frames::Limits;
use inputs::{Bytes, Source};
use reader::Reader;

/// The largest value that is read, in bytes after decompression: a line, or an array or object
/// over many lines. A larger one is set aside with its beginning, and not held in memory.
pub const MAX_VALUE_BYTES: usize = 256 * 1024 * 1024;

/// How much is kept of input that is set aside unread, or is longer than [`MAX_KEPT_WHOLE_BYTES`], in bytes.
pub const MAX_KEPT_BYTES: usize = 64 * 1024;

/// The longest that is kept whole of what cannot be understood, in bytes.
pub const MAX_KEPT_WHOLE_BYTES: usize = 16 * 1024 * 1024;

/// How many files are open at once. Systems commonly allow a process 1024, or 256.
pub const MAX_OPEN_FILES: usize = 128;

/// One thing to read.
pub enum Input {
    /// A file, or a folder with all files below it. Hidden ones are passed by.
    Path(PathBuf),
    /// Standard input, or any other stream that is read once; its name is `-`.
    Stdin(Box<dyn Read + Send>),
}

/// How to read an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// When processes were observed that do not say so, instead of their file's time of
    /// modification. Snapshots keep the time that they carry.
    pub observed_at: Option<UtcMillis>,
}

/// When a piece was observed, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedAt {
    /// The observation time.
    pub time: UtcMillis,
    /// Where it was taken from.
    pub from: TimeFrom,
}

/// Where an observation time was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFrom {
    /// The snapshot's own `observedAt`.
    Content,
    /// [`Options::observed_at`].
    Given,
    /// The file's time of last modification: a guess, which people should be told of.
    FileMtime,
}

/// A snapshot, or a part of one: pieces of one file and one time that follow each other are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// When it was observed. `None` where the piece holds only what was set aside and belongs to
    /// no moment; it is then no observation, not even an empty one.
    pub observed_at: Option<ObservedAt>,
    /// Which file it is from; see [`Archive::file_name`].
    pub file: usize,
    /// The processes, in the file's order; none of them says that there were none. One that stands in a
    /// snapshot as it stood in the one before is the very same.
    pub processes: Vec<Arc<Process>>,
    /// What of it could not be read. If there is any, the snapshot is not whole.
    pub set_aside: Vec<SetAside>,
}

/// Why an archive cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A named path is missing, or cannot be opened or listed.
    #[error("could not read {path:?}")]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A stream begins with processes that carry no observation time, and none was given.
    #[error("{name:?} holds processes without an observation time")]
    NoTime {
        /// `-`, or the path of a pipe.
        name: String,
    },
}

/// Many files, merged by observation time; an iterator over [`Piece`]s.
///
/// ```
/// use prochist::source::archive::{Archive, Input, Options};
///
/// let lines = br#"{"observedAt": "2024-05-01T00:00:00Z", "processes": []}"#;
/// let input = Input::Stdin(Box::new(&lines[..]));
/// for piece in Archive::open(vec![input], Options::default())? {
///     assert!(piece.observed_at.is_some() && piece.set_aside.is_empty());
/// }
/// # Ok::<(), prochist::source::archive::ArchiveError>(())
/// ```
pub struct Archive {
    sources: Vec<Source>,
    limits: Limits,
    /// Files with something left: the time of their next piece, as far as it is known.
    due: BinaryHeap<Reverse<(UtcMillis, usize)>>,
    open: BTreeMap<usize, Open>,
    /// Files that are due but must wait until another one ends; what they hold comes late.
    waiting: VecDeque<Reverse<(UtcMillis, usize)>>,
    /// Compressed bytes of the files that are done.
    done_bytes: u64,
}

/// A file being read, one piece ahead.
struct Open {
    reader: Option<Reader>,
    ahead: Option<Piece>,
    read: Arc<AtomicU64>,
}

impl Archive {
    /// Finds all files and looks into each for its first observation time. Yields nothing yet.
    ///
    /// # Errors
    /// [`ArchiveError`] if a named path cannot be read, or if a stream needs a time that was not
    /// given. What is wrong inside a file is set aside when its turn comes.
    pub fn open(inputs: Vec<Input>, options: Options) -> Result<Self, ArchiveError> {
        let limits = Limits {
            value: MAX_VALUE_BYTES,
            raw: MAX_KEPT_BYTES,
            kept: MAX_KEPT_WHOLE_BYTES,
        };
        Self::open_limited(inputs, options, limits)
    }

    fn open_limited(
        inputs: Vec<Input>,
        options: Options,
        limits: Limits,
    ) -> Result<Self, ArchiveError> {
        let mut archive = Self {
            sources: inputs::sources(inputs, &options)?,
            limits,
            due: BinaryHeap::new(),
            waiting: VecDeque::new(),
            open: BTreeMap::new(),
            done_bytes: 0,
        };
        let has_rivals = archive.sources.len() > 1;
        for file in 0..archive.sources.len() {
            let mut first = UtcMillis::MIN;
            if let Some(Source {
                name,
                bytes: Bytes::Stream(_),
                ..
            }) = archive.sources.get(file)
            {
                let name = name.clone();
                let mut open = archive.start(file);
                open.pull();
                let lacks_time = open.reader.as_ref().is_some_and(Reader::lacked_time);
                match open.ahead.as_ref().and_then(|piece| piece.observed_at) {
                    None if lacks_time => return Err(ArchiveError::NoTime { name }),
                    observed_at => first = observed_at.map_or(first, |o| o.time),
                }
                archive.open.insert(file, open);
            } else if has_rivals {
                let reader = archive.start(file).reader;
                first = reader.and_then(Reader::first_time).unwrap_or(first);
            }
            archive.due.push(Reverse((first, file)));
        }
        Ok(archive)
    }

    /// The path of a file as given, or `-`; empty for a number that is none of [`Piece::file`].
    pub fn file_name(&self, file: usize) -> &str {
        self.sources.get(file).map_or("", |source| &source.name)
    }

    /// How many files there are, streams included.
    pub fn file_count(&self) -> usize {
        self.sources.len()
    }

    /// Compressed bytes of all files; `None` if there is a stream among them.
    pub fn total_bytes(&self) -> Option<u64> {
        self.sources.iter().map(|source| source.size).sum()
    }

    /// Compressed bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        let open = self.open.values();
        let read: u64 = open.map(|open| open.read.load(Ordering::Relaxed)).sum();
        self.done_bytes + read
    }

    /// Opens a file from its beginning. One that cannot be opened has a single piece that says so.
    fn start(&mut self, file: usize) -> Open {
        let read = Arc::new(AtomicU64::new(0));
        let mut open = Open {
            reader: None,
            ahead: None,
            read: Arc::clone(&read),
        };
        let Some(source) = self.sources.get_mut(file) else {
            return open;
        };
        let raw: io::Result<Box<dyn Read + Send>> = match &mut source.bytes {
            Bytes::File(path) => File::open(path).map(|file| Box::new(file) as _),
            Bytes::Stream(stream) => Ok(stream.take().unwrap_or_else(|| Box::new(io::empty()))),
        };
        match raw.and_then(|raw| bytes::decompressed(raw, read)) {
            Ok(input) => {
                let name = source.name.clone();
                open.reader = Some(Reader::new(input, name, file, source.time, self.limits));
            }
            Err(error) => {
                open.ahead = Some(Piece {
                    observed_at: None,
                    file,
                    processes: Vec::new(),
                    set_aside: vec![SetAside {
                        source: source.name.clone(),
                        line: None,
                        reason: format!("could not be read: {error}"),
                        raw: Vec::new(),
                    }],
                });
            }
        }
        open
    }
}

impl Iterator for Archive {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            let Reverse((due, file)) = self.due.pop()?;
            let mut open = match self.open.remove(&file) {
                Some(open) => open,
                None if self.open.len() >= MAX_OPEN_FILES => {
                    self.waiting.push_back(Reverse((due, file)));
                    continue;
                }
                None => {
                    let mut open = self.start(file);
                    open.pull();
                    // Now that its first piece is known, it may turn out that others are due.
                    self.due.push(Reverse((open.next_time(due), file)));
                    self.open.insert(file, open);
                    continue;
                }
            };
            let piece = open.ahead.take();
            open.pull();
            if open.ahead.is_some() {
                self.due.push(Reverse((open.next_time(due), file)));
                self.open.insert(file, open);
            } else {
                let size = self.sources.get(file).and_then(|source| source.size);
                self.due.extend(self.waiting.pop_front());
                self.done_bytes += size.unwrap_or_else(|| open.read.load(Ordering::Relaxed));
            }
            if piece.is_some() {
                return piece;
            }
        }
    }
}

impl Open {
    /// Sees to it that a piece is ahead, if there is one.
    fn pull(&mut self) {
        if self.ahead.is_none() {
            self.ahead = self.reader.as_mut().and_then(Reader::next_piece);
        }
    }

    /// What belongs to no moment follows what came before it in its file.
    fn next_time(&self, before: UtcMillis) -> UtcMillis {
        let ahead = self.ahead.as_ref();
        ahead
            .and_then(|piece| piece.observed_at)
            .map_or(before, |observed_at| observed_at.time)
    }
}

#[cfg(test)]
mod tests;
