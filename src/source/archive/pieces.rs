//! Gathers what a reader finds in one file into pieces of bounded size.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{ObservedAt, Piece};
use crate::model::Process;
use crate::model::SetAside;

/// Bare processes, or stretches set aside, in one piece.
const PIECE_LENGTH: usize = 1000;
/// Bytes of input set aside in one piece.
const PIECE_RAW: usize = 4 * 1024 * 1024;

pub(super) struct Pieces {
    file: usize,
    /// The time of bare processes, which have none of their own.
    bare_time: Option<ObservedAt>,
    piece_length: usize,
    processes: Vec<Arc<Process>>,
    set_aside: Vec<SetAside>,
    set_aside_bytes: usize,
    /// The last good input was a bare process, or an array of them. What is set aside meanwhile
    /// belongs to their moment: with it, the moment is known not to be whole.
    is_bare: bool,
    ready: VecDeque<Piece>,
}

impl Pieces {
    pub fn new(file: usize, bare_time: Option<ObservedAt>) -> Self {
        Self {
            file,
            bare_time,
            piece_length: PIECE_LENGTH,
            processes: Vec::new(),
            set_aside: Vec::new(),
            set_aside_bytes: 0,
            is_bare: false,
            ready: VecDeque::new(),
        }
    }

    /// Hands every record on by itself.
    pub fn one_by_one(&mut self) {
        self.piece_length = 1;
    }

    pub fn pop(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }

    /// Adds a bare process, or the news that there was none; false where no time is known for it.
    #[must_use]
    pub fn add_bare(&mut self, process: Option<Process>) -> bool {
        if self.bare_time.is_none() {
            return false;
        }
        self.is_bare = true;
        match process {
            Some(process) => {
                self.processes.push(Arc::new(process));
                self.flush_if_full();
            }
            None => self.hand_on(self.bare_time),
        }
        true
    }

    pub fn set_aside(&mut self, set_aside: SetAside) {
        self.set_aside_bytes += set_aside.raw.len();
        self.set_aside.push(set_aside);
        self.flush_if_full();
    }

    pub fn add_snapshot(
        &mut self,
        observed_at: ObservedAt,
        processes: Vec<Arc<Process>>,
        set_aside: Vec<SetAside>,
    ) {
        self.flush();
        self.is_bare = false;
        self.processes = processes;
        self.set_aside = set_aside;
        self.hand_on(Some(observed_at));
    }

    pub fn flush(&mut self) {
        if !self.processes.is_empty() || !self.set_aside.is_empty() {
            self.hand_on(self.bare_time.filter(|_| self.is_bare));
        }
    }

    fn flush_if_full(&mut self) {
        if self.processes.len() + self.set_aside.len() >= self.piece_length
            || self.set_aside_bytes >= PIECE_RAW
        {
            self.flush();
        }
    }

    fn hand_on(&mut self, observed_at: Option<ObservedAt>) {
        self.set_aside_bytes = 0;
        self.ready.push_back(Piece {
            observed_at,
            file: self.file,
            processes: std::mem::take(&mut self.processes),
            set_aside: std::mem::take(&mut self.set_aside),
        });
    }
}
