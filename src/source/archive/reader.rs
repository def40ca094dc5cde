//! One file as pieces: bare processes by the thousand, snapshots one by one, and what is neither.

use std::io::BufRead;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::frames::{Frame, Frames, Growth, Limits};
use super::pieces::Pieces;
use super::shape::{Moment, Object, Reading, read_object};
use super::text::Text;
use super::{ObservedAt, Piece, TimeFrom};
use crate::model::SetAside;
use crate::model::{Process, UtcMillis};
use crate::source::earlier::Earlier;
use crate::source::walk::{Lost, Next, is_blank};

/// What a record without a time of its own is told where no other is known.
const NO_TIME: &str = "no observation time is known for it";

pub(super) struct Reader {
    frames: Frames,
    name: String,
    limits: Limits,
    reading: Reading,
    pieces: Pieces,
    /// The value being read, and where in it.
    text: Text,
    at: usize,
    /// The snapshot read last, and whether it stands in this very text.
    earlier: Earlier,
    has_snapshot: bool,
    /// The line that the place `counted` in the buffer is on.
    line: u64,
    counted: usize,
    is_in_value: bool,
    array: Option<Array>,
    /// Nothing can be added to the value that stands at `at`.
    is_grown: bool,
    /// Not a line of it has been met yet.
    is_untouched: bool,
    has_ended: bool,
    /// A record was set aside only because no time is known for it.
    lacked_time: bool,
}

/// The array that is being read: where it begins in the buffer, and elements read so far.
#[derive(Clone, Copy)]
struct Array {
    start: usize,
    count: usize,
}

impl Reader {
    pub fn new(
        input: Box<dyn BufRead + Send>,
        name: String,
        file: usize,
        time: Option<ObservedAt>,
        limits: Limits,
    ) -> Self {
        Self {
            frames: Frames::new(input, limits),
            name,
            limits,
            reading: Reading::default(),
            pieces: Pieces::new(file, time),
            text: Text::Bytes(Vec::new()),
            at: 0,
            earlier: Earlier::default(),
            has_snapshot: false,
            line: 1,
            counted: 0,
            is_in_value: false,
            array: None,
            is_grown: false,
            is_untouched: true,
            has_ended: false,
            lacked_time: false,
        }
    }

    /// The time of the first piece that has one, at the least expense.
    pub fn first_time(mut self) -> Option<UtcMillis> {
        self.reading.time_only = true;
        self.pieces.one_by_one();
        while let Some(piece) = self.next_piece() {
            if let Some(observed_at) = piece.observed_at {
                return Some(observed_at.time);
            }
        }
        None
    }

    /// Whether a record was set aside only because no time is known for it.
    pub fn lacked_time(&self) -> bool {
        self.lacked_time
    }

    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            if let Some(piece) = self.pieces.pop() {
                return Some(piece);
            }
            if self.has_ended {
                return None;
            }
            if !self.is_in_value {
                self.begin_value();
            } else if let Some(array) = self.array {
                self.read_element(array);
            } else {
                self.read_value();
            }
        }
    }

    fn begin_value(&mut self) {
        let mut buffer = self.text.take();
        if std::mem::take(&mut self.has_snapshot) {
            buffer = self.earlier.turn(buffer);
        }
        let (frame, line) = self.frames.next(&mut buffer);
        self.text = Text::checked(buffer);
        (self.at, self.counted, self.line) = (0, 0, line);
        self.array = None;
        self.is_grown = false;
        let all = 0..self.text.len();
        let is_first = std::mem::take(&mut self.is_untouched);
        match frame {
            Frame::Value => self.is_in_value = true,
            Frame::Junk if is_first && is_binary(self.text.as_bytes()) => {
                self.put_aside("binary data; only its beginning is kept".to_owned(), all);
                self.end();
            }
            Frame::Junk if self.text.len() >= self.limits.raw => {
                self.put_aside("not JSON; only its beginning is kept".to_owned(), all);
            }
            Frame::Junk => self.put_aside_junk(all),
            Frame::TooLong => self.put_aside_long(all),
            Frame::End => {
                if let Some(error) = self.frames.take_error() {
                    self.put_aside(format!("cut off: {error}"), 0..0);
                } else if is_first {
                    self.put_aside("empty file".to_owned(), 0..0);
                }
                self.end();
            }
        }
    }

    /// Reads the value, or the next one, that stands in the buffer.
    fn read_value(&mut self) {
        let mut walk = self.text.walk(self.at);
        let first = walk.peek();
        let start = walk.at;
        self.at = start;
        match first {
            None => self.is_in_value = false,
            Some(b'[') => {
                // An array is handed on before its end is seen, so it must be there beforehand.
                if self.grow() {
                    self.at = start + 1;
                    self.array = Some(Array { start, count: 0 });
                }
            }
            Some(b'{') => {
                let object = read_object(&mut walk, self.reading, &mut self.earlier);
                let end = walk.at;
                let is_cut = match &object {
                    Object::Cut => true,
                    Object::Snapshot(moment) => moment.list.lost.is_some_and(|lost| lost.cut),
                    Object::Process(_) | Object::Bad(_) => false,
                };
                if is_cut && !self.is_grown {
                    self.grow();
                    return;
                }
                self.at = end;
                self.is_grown = false;
                match object {
                    Object::Cut => {
                        self.put_aside_cut("cut off".to_owned(), start..self.text.len());
                        self.is_in_value = false;
                    }
                    object => self.take(object, start..end, None),
                }
            }
            Some(_) => {
                self.put_aside_junk(start..self.text.len());
                self.is_in_value = false;
            }
        }
    }

    fn read_element(&mut self, Array { start, count }: Array) {
        let mut walk = self.text.walk(self.at);
        match walk.next_element(count == 0) {
            Next::Closed => {
                self.at = walk.at;
                self.array = None;
                self.is_grown = false;
                if count == 0 {
                    // A list without processes says that there were none.
                    self.take_bare(None, start..self.at);
                }
            }
            Next::Cut => self.lose(self.at, true, count),
            Next::Broken => self.lose(walk.at, false, count),
            Next::Element => {
                let begin = walk.at;
                let object = read_object(&mut walk, self.reading, &mut self.earlier);
                self.at = walk.at;
                let count = count + 1;
                self.array = Some(Array { start, count });
                match object {
                    Object::Cut => self.lose(begin, true, count - 1),
                    object => self.take(object, begin..self.at, Some(count)),
                }
            }
        }
    }

    /// Sees to it that the whole value is in the buffer, as far as there is more of it; false if
    /// it was too long.
    fn grow(&mut self) -> bool {
        if self.is_grown {
            return true;
        }
        self.is_grown = true;
        self.line = self.line_at(self.at);
        self.counted = self.at;
        let start = self.at;
        let mut buffer = self.text.take();
        let growth = self.frames.grow(&mut buffer, start);
        self.text = Text::checked(buffer);
        if growth != Growth::TooLong {
            return true;
        }
        self.earlier.forget();
        (self.at, self.counted) = (0, 0);
        self.put_aside_long(0..self.text.len());
        self.is_in_value = false;
        false
    }

    /// Sets aside the rest of the array that is being read.
    fn lose(&mut self, at: usize, is_cut: bool, count: usize) {
        let rest = at..self.text.len();
        let reason = lost_reason(is_cut, count);
        self.is_in_value = false;
        if is_cut {
            self.put_aside_cut(reason, rest);
        } else {
            self.put_aside(reason, rest);
        }
    }

    /// Takes what stood at this place in the buffer, as this element of an array if of any.
    fn take(&mut self, object: Object, at: Range<usize>, record: Option<usize>) {
        match object {
            Object::Process(process) => self.take_bare(Some(process), at),
            Object::Bad(bad) => {
                let reason = match record {
                    Some(record) => format!("record {record}: {}", bad.reason),
                    None => bad.reason,
                };
                self.put_aside(reason, bad.at);
            }
            Object::Snapshot(moment) => self.take_snapshot(moment),
            Object::Cut => self.put_aside_cut("cut off".to_owned(), at),
        }
    }

    /// Takes a bare process, or the news that there was none.
    fn take_bare(&mut self, process: Option<Process>, at: Range<usize>) {
        self.reading.expects_snapshot = false;
        if !self.pieces.add_bare(process) {
            self.lacked_time = true;
            self.put_aside(NO_TIME.to_owned(), at);
        }
    }

    fn take_snapshot(&mut self, Moment { observed_at, list }: Moment) {
        self.reading.expects_snapshot = true;
        self.has_snapshot = true;
        let mut set_aside: Vec<SetAside> = Vec::new();
        for bad in list.bad {
            set_aside.push(self.set_aside_of(bad.reason, bad.at));
        }
        if let Some(Lost { at, cut }) = list.lost {
            let mut reason = lost_reason(cut, list.processes.len() + set_aside.len());
            if cut {
                reason.extend(self.frames.take_error().map(|e| format!(": {e}")));
            }
            set_aside.push(self.set_aside_of(reason, at..self.at));
        }
        let observed_at = ObservedAt {
            time: observed_at,
            from: TimeFrom::Content,
        };
        self.pieces
            .add_snapshot(observed_at, list.processes, set_aside);
    }

    fn put_aside(&mut self, reason: String, at: Range<usize>) {
        let set_aside = self.set_aside_of(reason, at);
        self.pieces.set_aside(set_aside);
    }

    /// Sets aside what may be cut off because its input ended before its time.
    fn put_aside_cut(&mut self, mut reason: String, at: Range<usize>) {
        reason.extend(self.frames.take_error().map(|e| format!(": {e}")));
        self.put_aside(reason, at);
    }

    /// Sets aside what begins neither an object nor an array.
    fn put_aside_junk(&mut self, at: Range<usize>) {
        let text = self.text.slice(at.clone());
        let reason = if serde_json::from_slice::<IgnoredAny>(text).is_ok() {
            "neither a process nor a snapshot"
        } else {
            "not JSON"
        };
        self.put_aside_cut(reason.to_owned(), at);
    }

    fn put_aside_long(&mut self, at: Range<usize>) {
        let limit = self.limits.value;
        self.put_aside(
            format!("longer than {limit} bytes; only its beginning is kept"),
            at,
        );
    }

    fn set_aside_of(&mut self, mut reason: String, mut at: Range<usize>) -> SetAside {
        let line = self.line_at(at.start);
        // What is kept is held in memory several times over on its way into the file.
        if at.len() > self.limits.kept {
            at.end = at.start + self.limits.raw;
            reason.push_str("; only its beginning is kept");
        }
        let raw = self.text.slice(at);
        let end = raw.iter().rposition(|b| !is_blank(*b)).map_or(0, |i| i + 1);
        SetAside {
            source: self.name.clone(),
            line: Some(line),
            reason,
            raw: raw.get(..end).unwrap_or_default().to_vec(),
        }
    }

    /// The line of a place in the buffer; counts on from the last place that was asked for.
    fn line_at(&mut self, at: usize) -> u64 {
        if at >= self.counted {
            let passed = self.text.slice(self.counted..at);
            self.line += passed.iter().filter(|b| **b == b'\n').count() as u64;
            self.counted = at;
        }
        self.line
    }

    fn end(&mut self) {
        self.pieces.flush();
        self.has_ended = true;
        self.is_in_value = false;
    }
}

fn lost_reason(is_cut: bool, count: usize) -> String {
    let what = if is_cut { "cut off" } else { "not JSON" };
    format!("{what} after {count} records")
}

/// Text, even broken, may hold stretches of zeros where a disk was filled but never written; other
/// control characters beside them are the mark of a binary file.
fn is_binary(line: &[u8]) -> bool {
    let is_control = |b: &u8| b.is_ascii_control() && !is_blank(*b) && *b != 0;
    line.contains(&0) && line.iter().any(is_control)
}
