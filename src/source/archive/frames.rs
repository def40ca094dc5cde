//! Cuts the bytes of a file into values: one a line, or one over many lines.
//!
//! A line that opens more brackets than it closes goes on in the next lines, until they are closed
//! or until a line shows that the value was cut off (see [`Nesting::is_broken_by`]). So a broken
//! line costs itself, not what follows, and one value at a time is held in memory.

use std::io::{self, BufRead, Read};

use crate::source::walk::{Nesting, is_blank};

/// How large things may become, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// One value, decompressed; a larger one is passed over.
    pub value: usize,
    /// What is kept of input that is passed over unread, or is longer than `kept`.
    pub raw: usize,
    /// The longest that is kept whole of what cannot be understood.
    pub kept: usize,
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A line that begins an object or an array, perhaps to be [grown](Frames::grow).
    Value,
    /// A line that begins neither, as far as [`Limits::raw`].
    Junk,
    /// The beginning of a value beyond [`Limits::value`]; the rest has been passed over.
    TooLong,
    /// Nothing more.
    End,
}

/// How a value that goes on after its line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    Closed,
    Cut,
    TooLong,
}

pub(super) struct Frames {
    input: Box<dyn BufRead + Send>,
    limits: Limits,
    /// Lines that have ended so far.
    lines: u64,
    /// The beginning of a line that was read too early, and the line's number.
    held: Option<(Vec<u8>, u64)>,
    has_ended: bool,
    error: Option<io::Error>,
}

enum Line {
    Whole,
    /// There was no more room; the line goes on.
    Partial,
    None,
}

impl Frames {
    pub fn new(input: Box<dyn BufRead + Send>, limits: Limits) -> Self {
        Self {
            input,
            limits,
            lines: 0,
            held: None,
            has_ended: false,
            error: None,
        }
    }

    /// Why the input ended before its time, once.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// The number of the line that comes next, from 1.
    pub fn next_line(&self) -> u64 {
        self.held.as_ref().map_or(self.lines + 1, |held| held.1)
    }

    /// Reads the next line that is not blank into `buffer`; also gives its number, from 1.
    pub fn next(&mut self, buffer: &mut Vec<u8>) -> (Frame, u64) {
        loop {
            buffer.clear();
            let number = self.next_line();
            let line = self.line(buffer, self.limits.raw);
            let first = buffer.iter().find(|b| !is_blank(**b));
            let frame = match (line, first) {
                (Line::None, _) => Frame::End,
                (_, None) => continue,
                (Line::Whole, Some(b'{' | b'[')) => Frame::Value,
                (Line::Partial, Some(b'{' | b'[')) => {
                    match self.line(buffer, self.limits.value.saturating_sub(buffer.len())) {
                        Line::Partial => {
                            let mut nesting = Nesting::default();
                            if nesting.feed(buffer).is_some() {
                                self.pass_line();
                                buffer.truncate(self.limits.raw);
                            } else {
                                self.pass_over(buffer, nesting);
                            }
                            Frame::TooLong
                        }
                        Line::Whole | Line::None => Frame::Value,
                    }
                }
                (Line::Whole, _) => Frame::Junk,
                (Line::Partial, _) => {
                    self.pass_line();
                    Frame::Junk
                }
            };
            return (frame, number);
        }
    }

    /// Adds lines to `buffer` until the value that begins at `start` is closed or cannot be.
    pub fn grow(&mut self, buffer: &mut Vec<u8>, start: usize) -> Growth {
        let mut nesting = Nesting::default();
        if nesting
            .feed(buffer.get(start..).unwrap_or_default())
            .is_some()
        {
            return Growth::Closed;
        }
        let mut next = Vec::new();
        loop {
            next.clear();
            let number = self.next_line();
            let room = self.limits.value.saturating_sub(buffer.len());
            let line = self.line(&mut next, room.max(1));
            if matches!(line, Line::None) {
                return Growth::Cut;
            }
            if nesting.is_broken_by(&next) {
                self.held = Some((next, number));
                return Growth::Cut;
            }
            let is_closed = nesting.feed(&next).is_some();
            buffer.append(&mut next);
            if is_closed {
                return Growth::Closed;
            }
            if matches!(line, Line::Partial) {
                buffer.drain(..start);
                self.pass_over(buffer, nesting);
                return Growth::TooLong;
            }
        }
    }

    /// Appends the rest of the line, its end included, up to `room` bytes.
    fn line(&mut self, buffer: &mut Vec<u8>, room: usize) -> Line {
        // What was read too early is part of the line, even where the input has no more of it.
        let begun = buffer.len();
        if let Some((held, _)) = self.held.take() {
            let is_whole = self.has_ended || held.ends_with(b"\n");
            buffer.extend_from_slice(&held);
            if is_whole {
                return Line::Whole;
            }
        }
        if self.has_ended {
            return Line::None;
        }
        let before = buffer.len();
        let mut limited = self.input.by_ref().take(room as u64);
        if let Err(error) = limited.read_until(b'\n', buffer) {
            self.error = Some(error);
            self.has_ended = true;
        } else if buffer.len() - before < room && !buffer.ends_with(b"\n") {
            self.has_ended = true;
        }
        if buffer.len() > begun && (self.has_ended || buffer.ends_with(b"\n")) {
            self.lines += 1;
            Line::Whole
        } else if self.has_ended {
            Line::None
        } else {
            Line::Partial
        }
    }

    /// Reads past the rest of a line.
    fn pass_line(&mut self) {
        let mut chunk = Vec::new();
        while let Line::Partial = self.line(&mut chunk, self.limits.raw) {
            chunk.clear();
        }
    }

    /// Reads past the rest of a value whose beginning the nesting knows; the buffer keeps what
    /// [`Limits::raw`] allows. It stands inside a line.
    fn pass_over(&mut self, buffer: &mut Vec<u8>, mut nesting: Nesting) {
        buffer.truncate(self.limits.raw);
        buffer.shrink_to_fit();
        let mut chunk = Vec::new();
        let mut begins_line = false;
        loop {
            chunk.clear();
            let number = self.next_line();
            let line = self.line(&mut chunk, self.limits.raw);
            if matches!(line, Line::None) {
                return;
            }
            if begins_line && nesting.is_broken_by(&chunk) {
                self.held = Some((chunk, number));
                return;
            }
            if let Some(length) = nesting.feed(&chunk) {
                let rest = chunk.split_off(length);
                self.held = Some((rest, number));
                return;
            }
            begins_line = matches!(line, Line::Whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        value: 40,
        raw: 8,
        kept: 40,
    };

    fn frames_of(text: &str) -> Vec<(Frame, u64, String)> {
        let input = io::Cursor::new(text.to_owned().into_bytes());
        let mut frames = Frames::new(Box::new(input), LIMITS);
        let mut all = Vec::new();
        let mut buffer = Vec::new();
        loop {
            let (mut frame, line) = frames.next(&mut buffer);
            if frame == Frame::End {
                return all;
            }
            if frame == Frame::Value && frames.grow(&mut buffer, 0) == Growth::TooLong {
                frame = Frame::TooLong;
            }
            let text = String::from_utf8(buffer.clone()).expect("UTF-8");
            all.push((frame, line, text));
        }
    }

    #[test]
    fn values_end_with_their_brackets_and_broken_ones_end_alone() {
        use Frame::{Junk, TooLong, Value};
        let long = "7".repeat(60);
        let cases = [
            ("", vec![]),
            (" \r\n\n", vec![]),
            ("{}\r\n\n[]", vec![(Value, 1, "{}\r\n"), (Value, 3, "[]")]),
            (
                "{\n\"a\":\n{}}\n{}",
                vec![(Value, 1, "{\n\"a\":\n{}}\n"), (Value, 4, "{}")],
            ),
            ("[\n{}\n]", vec![(Value, 1, "[\n{}\n]")]),
            (
                "{\"a\":12\n{}\n",
                vec![(Value, 1, "{\"a\":12\n"), (Value, 2, "{}\n")],
            ),
            ("{\"a\n{}\n", vec![(Value, 1, "{\"a\n"), (Value, 2, "{}\n")]),
            (
                "<html> and more\n{}",
                vec![(Junk, 1, "<html> a"), (Value, 2, "{}")],
            ),
            (
                &format!("[{long}] \n{{}}\n"),
                vec![(TooLong, 1, "[7777777"), (Value, 2, "{}\n")],
            ),
            (
                &format!("[\n{long},\n{long}]\n{{}}\n"),
                vec![(TooLong, 1, "[\n777777"), (Value, 4, "{}\n")],
            ),
            (
                &format!("[{long}\n{{\"a\":12345678}}\n"),
                vec![(TooLong, 1, "[7777777"), (Value, 2, "{\"a\":12345678}\n")],
            ),
            // The input ends where a limit does: after what follows a value that was too long, and
            // after a line that showed that the value before it was cut off.
            (
                &format!("[{long}]{{}}"),
                vec![(TooLong, 1, "[7777777"), (Value, 1, "{}")],
            ),
            (
                &format!("{{\"a\":1\n{{\"b\":{}}}", "7".repeat(26)),
                vec![
                    (Value, 1, "{\"a\":1\n"),
                    (Value, 2, "{\"b\":77777777777777777777777777}"),
                ],
            ),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(frame, line, text)| (frame, line, text.to_owned()))
                .collect();
            assert_eq!(frames_of(text), expected, "{text:?}");
        }
    }
}
