//! The list of processes before, as text. A fleet mostly stands as it stood a minute ago, and what stands
//! there byte for byte need not be read to be known.

use std::ops::Range;
use std::sync::Arc;

use crate::model::Process;

/// How many of those that stood next are tried: more than one, for some have gone since.
const TRIED: usize = 4;

/// Texts that are longer are read anew each time, so that memory is bounded.
#[cfg(feature = "archive")]
const LONGEST: usize = 32 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Earlier {
    text: Vec<u8>,
    /// Where in the text each process of the list stood, in its order.
    shown: Vec<(Range<usize>, Arc<Process>)>,
    /// How far the list being read has come among them.
    next: usize,
    /// The same of the list being read, whose text is not here yet.
    now: Vec<(Range<usize>, Arc<Process>)>,
}

impl Earlier {
    /// A list begins.
    pub fn begin(&mut self) {
        self.next = 0;
        self.now.clear();
    }

    /// The process at the beginning of this text, which is so far into the text being read, if it stood in
    /// the list before; with the length of its own text. (An object ends with its bracket, whatever comes
    /// after it.)
    pub fn again(&mut self, at: usize, rest: &[u8]) -> Option<(usize, Arc<Process>)> {
        let tried = self.shown.iter().skip(self.next).take(TRIED);
        for (ahead, (there, process)) in tried.enumerate() {
            if rest.starts_with(self.text.get(there.clone())?) {
                self.next += ahead + 1;
                let (length, process) = (there.len(), Arc::clone(process));
                self.now.push((at..at + length, Arc::clone(&process)));
                return Some((length, process));
            }
        }
        None
    }

    /// A process has been read, of which this is the text.
    pub fn note(&mut self, at: Range<usize>, process: &Arc<Process>) {
        let tried = self.shown.iter().skip(self.next).take(TRIED);
        for (ahead, (_, other)) in tried.enumerate() {
            if other.process_id == process.process_id {
                self.next += ahead + 1;
                break;
            }
        }
        self.now.push((at, Arc::clone(process)));
    }

    /// The list that was read is now the one before, in this text; gives back the memory of another.
    #[cfg(feature = "archive")]
    pub fn turn(&mut self, text: Vec<u8>) -> Vec<u8> {
        if text.len() > LONGEST {
            *self = Self::default();
            return text;
        }
        std::mem::swap(&mut self.shown, &mut self.now);
        self.now.clear();
        std::mem::replace(&mut self.text, text)
    }

    /// The text that was read has changed its place.
    #[cfg(feature = "archive")]
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(all(test, feature = "archive"))]
mod tests {
    use super::*;
    use crate::source::walk::{Bad, Walk};

    fn record(id: &str, rooms: u32) -> String {
        format!(
            r#"{{"processId":"{id}","appId":"a","deploymentId":1,"region":"Tokyo","status":"running","roomsAllocated":{rooms},"roomsPerProcess":9,"createdAt":"2024-05-01T00:00:00Z"}}"#
        )
    }

    /// Reads lists one after another, and says of each which processes it shared with the one before.
    fn shared(lists: &[&[String]]) -> Vec<Vec<bool>> {
        let (mut earlier, mut before) = (Earlier::default(), Vec::new());
        let mut all = Vec::new();
        for list in lists {
            let text = format!("{}]", list.join(", "));
            let read = Walk::new(text.as_bytes(), 0).processes(&mut earlier);
            let alone = Walk::new(text.as_bytes(), 0).processes(&mut Earlier::default());
            assert_eq!(read.processes, alone.processes, "{text}");
            let reasons =
                |bad: &[Bad]| bad.iter().map(|bad| bad.reason.clone()).collect::<Vec<_>>();
            assert_eq!(reasons(&read.bad), reasons(&alone.bad), "{text}");
            all.push(
                read.processes
                    .iter()
                    .map(|one| before.iter().any(|other| Arc::ptr_eq(one, other)))
                    .collect(),
            );
            before = read.processes;
            earlier.turn(text.into_bytes());
        }
        all
    }

    #[test]
    fn what_stands_as_it_stood_is_shared_and_nothing_else() {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|id| record(id, 0));
        let changed = record("b", 1);
        let told = shared(&[
            &[a.clone(), b.clone(), c.clone()],
            &[a.clone(), changed.clone(), c.clone(), d.clone()],
            // Some have gone, one is broken.
            &[c.clone(), "{\"processId\":1}".to_owned(), d.clone()],
            &[],
            &[a.clone(), a.clone()],
            &[a.clone(), a, b],
        ]);
        assert_eq!(
            told,
            [
                &[false, false, false][..],
                &[true, false, true, false],
                &[true, true],
                &[],
                &[false, false],
                &[true, true, false],
            ]
        );
    }

    #[test]
    fn a_record_that_begins_like_another_is_not_the_same() {
        let longer = record("a", 0).replace("\"a\",\"dep", "\"a\", \"dep");
        let told = shared(&[&[record("a", 1)], &[record("a", 12)], &[longer]]);
        assert_eq!(told, [[false], [false], [false]]);
    }
}
