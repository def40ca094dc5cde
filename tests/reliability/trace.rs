//! What the shim wrote down of a run, and the disks that a power cut may leave of it.
//!
//! The model: what was written to a file before its last sync is there. Of what was written since, any part
//! is, in any order, a write torn at sectors of 512 bytes. A name that was made, linked or removed since the
//! last sync of the folder may be there or not, each for itself, as may the length that a truncation gave. It
//! takes the folder's own sync to have a name survive.
//! Limits: disks that lie about syncs, and those that lose what they had long written, are not in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub const SECTOR: usize = 512;

#[derive(Debug)]
pub enum Call {
    Made,
    Linked(String),
    Renamed(String),
    Removed,
    Wrote(u64, Vec<u8>),
    Cut(u64),
    Synced,
}

#[derive(Debug)]
pub struct Traced {
    /// The file's whole path.
    pub path: String,
    pub call: Call,
}

/// Reads what the shim wrote; see trace() there.
pub fn read(path: &Path) -> Vec<Traced> {
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut take = |n: usize| {
        let (taken, left) = rest.split_at_checked(n)?;
        rest = left;
        Some(taken)
    };
    let mut traced = Vec::new();
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    while let Some(&[kind]) = take(1) {
        let length = number(take(8).unwrap()) as usize;
        let path = String::from_utf8(take(length).unwrap().to_vec()).unwrap();
        let offset = number(take(8).unwrap());
        let length = number(take(8).unwrap()) as usize;
        let more = take(length).unwrap().to_vec();
        let to = || String::from_utf8(more.clone()).unwrap();
        let call = match kind {
            b'c' => Call::Made,
            b'l' => Call::Linked(to()),
            b'r' => Call::Renamed(to()),
            b'u' => Call::Removed,
            b'w' => Call::Wrote(offset, more),
            b't' => Call::Cut(offset),
            b's' => Call::Synced,
            kind => panic!("{kind} is no call"),
        };
        traced.push(Traced { path, call });
    }
    traced
}

/// What a call did that is not yet sure to last: a part of a file, or its length.
#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    sure: Vec<u8>,
    since: Vec<Change>,
}

/// A name that came to stand for a file, or for none any more.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    file: Option<usize>,
}

/// A disk after some calls.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: Vec<File>,
    /// As the program sees them.
    names: BTreeMap<String, usize>,
    /// As they are sure to be.
    sure_names: BTreeMap<String, usize>,
    since: Vec<Named>,
}

impl Disk {
    /// A folder's files, all long there.
    pub fn of(folder: &Path) -> Self {
        let mut disk = Self::default();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_str().unwrap().to_owned();
            if path.is_file() && !is_forgotten(&name) {
                disk.names.insert(name, disk.files.len());
                disk.files.push(File {
                    sure: fs::read(path).unwrap(),
                    since: Vec::new(),
                });
            }
        }
        disk.sure_names = disk.names.clone();
        disk
    }

    pub fn after(&mut self, traced: &Traced) {
        let Traced { path, call } = traced;
        if is_forgotten(path) {
            return;
        }
        match call {
            Call::Made => {
                self.files.push(File::default());
                self.name(path, Some(self.files.len() - 1));
            }
            Call::Linked(to) => self.name(to, Some(self.names[path])),
            Call::Renamed(to) => {
                self.name(to, Some(self.names[path]));
                self.name(path, None);
            }
            Call::Removed => self.name(path, None),
            Call::Wrote(offset, bytes) => {
                self.change(path, Change::Write(*offset as usize, bytes.clone()))
            }
            Call::Cut(length) => self.change(path, Change::Length(*length as usize)),
            Call::Synced => match self.names.get(path) {
                Some(&file) => {
                    let file = &mut self.files[file];
                    for change in file.since.drain(..) {
                        apply(&mut file.sure, &change);
                    }
                }
                // The folder.
                None => {
                    self.since.clear();
                    self.sure_names = self.names.clone();
                }
            },
        }
    }

    fn name(&mut self, name: &str, file: Option<usize>) {
        set(&mut self.names, name, file);
        self.since.push(Named {
            name: name.to_owned(),
            file,
        });
    }

    fn change(&mut self, path: &str, change: Change) {
        // A file that was there before is known by its name, and so is one that was made.
        let file = self.names[path];
        self.files[file].since.push(change);
    }

    /// Whether the folder has a file of the name, and whether it is sure to have it after a power cut.
    pub fn has(&self, name: &str) -> (bool, bool) {
        let is_in = |names: &BTreeMap<String, usize>| names.keys().any(|path| last(path) == name);
        (is_in(&self.names), is_in(&self.sure_names))
    }

    /// What a kill would leave: everything. By name, without the folder.
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let content = |file: usize| {
            let File { sure, since } = &self.files[file];
            let mut content = sure.clone();
            since.iter().for_each(|change| apply(&mut content, change));
            content
        };
        let names = self.names.iter();
        names
            .map(|(name, &file)| (last(name), content(file)))
            .collect()
    }

    /// What a power cut may leave. `share` of 256 is how much of what is in doubt came to the disk.
    pub fn cut(&self, random: &mut fastrand::Rng, share: u8) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.sure_names.clone();
        for Named { name, file } in &self.since {
            if random.u8(..) <= share {
                set(&mut names, name, *file);
            }
        }
        let content = |file: usize, random: &mut fastrand::Rng| {
            let File { sure, since } = &self.files[file];
            let mut content = sure.clone();
            for change in since {
                match change {
                    Change::Write(offset, bytes) => {
                        // Half of them whole or not at all, the others torn.
                        let size = if random.bool() { SECTOR } else { bytes.len() };
                        for (n, part) in bytes.chunks(size).enumerate() {
                            if random.u8(..) <= share {
                                put(&mut content, offset + n * size, part);
                            }
                        }
                    }
                    Change::Length(_) if random.u8(..) <= share => apply(&mut content, change),
                    Change::Length(_) => {}
                }
            }
            content
        };
        let names = names.iter();
        names
            .map(|(name, &file)| (last(name), content(file, random)))
            .collect()
    }
}

/// What lives in memory only, and what is no part of the record.
fn is_forgotten(path: &str) -> bool {
    path.ends_with("-shm") || path.ends_with(".lock")
}

fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn set(names: &mut BTreeMap<String, usize>, name: &str, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name.to_owned(), file),
        None => names.remove(name),
    };
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, bytes) => put(content, *offset, bytes),
        Change::Length(length) => content.resize(*length, 0),
    }
}

/// Where nothing was written before, there are zeros.
fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}
