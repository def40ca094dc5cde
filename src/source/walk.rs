//! Walks JSON text one value at a time, and past what is broken, so that a bad record costs only
//! itself. Works on bytes: invalid UTF-8 in one text spoils one record, not its neighbours.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny};
use serde_json::Deserializer;
use serde_json::de::{Read, SliceRead, StrRead};

use super::earlier::Earlier;
use crate::model::Process;

/// The longest text of a process that is recorded, in bytes. They have about one thousand; what is
/// recorded is held several times over until it is written.
pub(super) const MAX_PROCESS_BYTES: usize = 1024 * 1024;

/// A place in JSON text.
pub(super) struct Walk<'a> {
    text: &'a [u8],
    /// The same text, where all of it is known to be UTF-8.
    utf8: Option<&'a str>,
    /// Bytes from the beginning of the text.
    pub at: usize,
}

/// What stands next in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An element begins here.
    Element,
    /// The array is over.
    Closed,
    /// The text ends before the array does.
    Cut,
    /// Neither a comma nor a bracket.
    Broken,
}

/// The processes of one array, and what stood between them.
#[derive(Debug, Default)]
pub(super) struct List {
    pub processes: Vec<Arc<Process>>,
    pub bad: Vec<Bad>,
    /// From where on nothing could be read, if the array did not end as it should.
    pub lost: Option<Lost>,
}

/// A stretch of the text that is no process, and why.
#[derive(Debug)]
pub(super) struct Bad {
    pub at: Range<usize>,
    pub reason: String,
}

/// Where reading ended too early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    pub at: usize,
    /// Whether the text ended, rather than being malformed.
    pub cut: bool,
}

impl<'a> Walk<'a> {
    /// Stands at this place in the text, of which every string will be checked for UTF-8.
    pub fn new(text: &'a [u8], at: usize) -> Self {
        let utf8 = None;
        Self { text, utf8, at }
    }

    /// The same for text that needs no check, which is faster by a fifth.
    #[cfg(feature = "archive")]
    pub fn in_utf8(text: &'a str, at: usize) -> Self {
        Self {
            text: text.as_bytes(),
            utf8: Some(text),
            at,
        }
    }

    /// The text between two places, as far as there is any.
    pub fn slice(&self, at: &Range<usize>) -> &'a [u8] {
        let end = at.end.min(self.text.len());
        self.text.get(at.start..end).unwrap_or_default()
    }

    /// The next byte that is not white space.
    pub fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?;
        let blank = rest.iter().take_while(|b| is_blank(**b)).count();
        self.at += blank;
        rest.get(blank).copied()
    }

    /// Steps over the next byte if it is this one.
    pub fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Reads a value, or stays where it is.
    pub fn value<T: Deserialize<'a>>(&mut self) -> Result<T, serde_json::Error> {
        self.peek();
        match self.utf8.and_then(|text| text.get(self.at..)) {
            Some(rest) => self.value_of(StrRead::new(rest)),
            None => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                self.value_of(SliceRead::new(rest))
            }
        }
    }

    fn value_of<T, R>(&mut self, rest: R) -> Result<T, serde_json::Error>
    where
        T: Deserialize<'a>,
        R: Read<'a>,
    {
        let mut values = Deserializer::new(rest).into_iter::<T>();
        match values.next() {
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                Ok(value)
            }
            Some(Err(error)) => Err(error),
            None => Err(serde_json::Error::custom("nothing here")),
        }
    }

    /// Reads a process, or stays where it is.
    pub fn process(&mut self) -> Result<Process, serde_json::Error> {
        self.peek();
        let start = self.at;
        let process = self.value::<Process>()?;
        let length = self.at - start;
        if length > MAX_PROCESS_BYTES {
            self.at = start;
            return Err(serde_json::Error::custom(format!(
                "a process of {length} bytes, and {MAX_PROCESS_BYTES} are the most"
            )));
        }
        Ok(process)
    }

    /// Steps over a value, malformed or not; `None`, and stays, if the text ends inside it.
    pub fn skip(&mut self) -> Option<Range<usize>> {
        self.peek();
        let start = self.at;
        if self.value::<IgnoredAny>().is_err() {
            let rest = self.text.get(start..)?;
            let length = match rest.first()? {
                b'{' | b'[' => Nesting::default().feed(rest)?,
                _ => rest.iter().position(|b| matches!(b, b',' | b']' | b'}'))?,
            };
            self.at = start + length;
        }
        Some(start..self.at)
    }

    /// Steps to the next element of an array whose opening bracket is behind. A comma before the
    /// closing bracket is let pass: it hides nothing.
    pub fn next_element(&mut self, is_first: bool) -> Next {
        if self.eat(b']') {
            return Next::Closed;
        }
        if !is_first && self.peek().is_some() && !self.eat(b',') {
            return Next::Broken;
        }
        match self.peek() {
            None => Next::Cut,
            Some(b']') => self.next_element(true),
            Some(_) => Next::Element,
        }
    }

    /// Reads an array of processes whose opening bracket is behind, as far as it goes. What stands there
    /// as it stood in an earlier one is not read again.
    pub fn processes(&mut self, earlier: &mut Earlier) -> List {
        let mut list = List::default();
        earlier.begin();
        let mut count = 0;
        loop {
            let start = self.at;
            let lost = match self.next_element(count == 0) {
                Next::Closed => return list,
                Next::Cut => Some((start, true)),
                Next::Broken => Some((self.at, false)),
                Next::Element => None,
            };
            if let Some((at, cut)) = lost {
                list.lost = Some(Lost { at, cut });
                return list;
            }
            count += 1;
            let begin = self.at;
            let rest = self.text.get(begin..).unwrap_or_default();
            if let Some((length, process)) = earlier.again(begin, rest) {
                self.at += length;
                list.processes.push(process);
                continue;
            }
            match self.process() {
                Ok(process) => {
                    let process = Arc::new(process);
                    earlier.note(begin..self.at, &process);
                    list.processes.push(process);
                }
                Err(error) => match self.skip() {
                    Some(at) => {
                        let reason = in_words(&error, self.slice(&at));
                        list.bad.push(Bad {
                            at,
                            reason: format!("record {count}: {reason}"),
                        });
                    }
                    None => {
                        list.lost = Some(Lost {
                            at: self.at,
                            cut: true,
                        });
                        return list;
                    }
                },
            }
        }
    }
}

/// Why a stretch of text is no process: told apart from what is not even JSON.
pub(super) fn in_words(error: &serde_json::Error, text: &[u8]) -> String {
    if serde_json::from_slice::<IgnoredAny>(text).is_ok() {
        error.to_string()
    } else {
        format!("not JSON: {error}")
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Follows brackets and quotation marks, and nothing else, to find where a value ends.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// The last byte outside white space.
    last: u8,
}

impl Nesting {
    /// Goes on through these bytes; how many of them it took to close the value that began with
    /// the first opening bracket, if they close it.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.is_escaped {
                self.is_escaped = false;
            } else if self.in_text {
                let rest = bytes.get(at..)?;
                at += rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
                if bytes.get(at) == Some(&b'"') {
                    self.in_text = false;
                    self.last = b'"';
                } else {
                    self.is_escaped = true;
                }
            } else {
                match byte {
                    b'"' => self.in_text = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                if !is_blank(byte) {
                    self.last = byte;
                }
            }
            at += 1;
        }
        None
    }

    /// Whether the value that began cannot go on with this line: a text never spans lines, and an
    /// object or array inside another follows a bracket, a comma or a colon. This tells a line
    /// that was cut off, with good ones after it, from a value that is spread over many lines.
    #[cfg(feature = "archive")]
    pub fn is_broken_by(&self, line: &[u8]) -> bool {
        let first = line.iter().find(|b| !is_blank(**b));
        let opens = matches!(first, Some(b'{' | b'['));
        self.in_text || (opens && !matches!(self.last, b'[' | b',' | b':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_its_brackets_do() {
        for (text, length) in [
            (r#"{"a":"}"} x"#, Some(9)),
            (r#"["\"]", [1]] "#, Some(12)),
            ("{", None),
            ("[\"]", None),
            ("{]", Some(2)),
        ] {
            assert_eq!(Nesting::default().feed(text.as_bytes()), length, "{text}");
        }
    }

    #[test]
    fn skipping_steps_over_what_is_malformed() {
        for (text, rest) in [
            ("{\"a\": tru}, 1", Some(", 1")),
            ("nul, 1", Some(", 1")),
            (" 12]", Some("]")),
            ("\"a\\\"b\" ,", Some(" ,")),
            ("[1, {\"a\": \"", None),
            ("nul", None),
            ("", None),
        ] {
            let mut walk = Walk::new(text.as_bytes(), 0);
            let skipped = walk.skip().map(|at| &text[at.end..]);
            assert_eq!(skipped, rest, "{text}");
        }
    }

    #[test]
    fn a_list_tells_cut_from_broken() {
        for (text, bad, lost) in [
            ("]", 0, None),
            ("1, 2,]", 2, None),
            ("1, {\"a\":", 1, Some((3, true))),
            ("1,", 1, Some((1, true))),
            ("1", 1, Some((1, true))),
            ("", 0, Some((0, true))),
            ("1 2]", 1, Some((2, false))),
            ("{\"a\": nil}, 2]", 2, None),
        ] {
            let list = Walk::new(text.as_bytes(), 0).processes(&mut Earlier::default());
            assert_eq!(list.bad.len(), bad, "{text}");
            assert_eq!(list.lost.map(|l| (l.at, l.cut)), lost, "{text}");
        }
    }
}
