//! Which files an archive consists of, and what is known of each before it is read.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{ArchiveError, Input, ObservedAt, Options, TimeFrom};
use crate::model::UtcMillis;

/// One file, or one stream that can be read only once.
pub(super) struct Source {
    /// The path as given, or `-`.
    pub name: String,
    pub bytes: Bytes,
    /// Its size, compressed; unknown for a stream.
    pub size: Option<u64>,
    /// The time of bare processes in it.
    pub time: Option<ObservedAt>,
}

pub(super) enum Bytes {
    File(PathBuf),
    /// Taken out once it is read.
    Stream(Option<Box<dyn Read + Send>>),
}

/// All files behind the inputs, in their order, folders walked by path.
///
/// # Errors
/// [`ArchiveError::Unreadable`] if a named path is missing or cannot be opened.
pub(super) fn sources(inputs: Vec<Input>, options: &Options) -> Result<Vec<Source>, ArchiveError> {
    let given = options.observed_at.map(|time| ObservedAt {
        time,
        from: TimeFrom::Given,
    });
    let mut sources = Vec::new();
    for input in inputs {
        match input {
            Input::Stdin(stream) => sources.push(Source {
                name: "-".to_owned(),
                bytes: Bytes::Stream(Some(stream)),
                size: None,
                time: given,
            }),
            Input::Path(path) => add(&path, given, &mut sources)?,
        }
    }
    Ok(sources)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    move |source| ArchiveError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn add(
    path: &Path,
    given: Option<ObservedAt>,
    sources: &mut Vec<Source>,
) -> Result<(), ArchiveError> {
    let metadata = fs::metadata(path).map_err(unreadable(path))?;
    if metadata.is_dir() {
        return add_folder(path, given, sources);
    }
    let file = File::open(path).map_err(unreadable(path))?;
    let name = path.display().to_string();
    sources.push(if metadata.is_file() {
        Source {
            name,
            bytes: Bytes::File(path.to_owned()),
            size: Some(metadata.len()),
            time: given.or_else(|| modified(&metadata)),
        }
    } else {
        // A pipe gives its bytes once, and its time of modification says nothing of them.
        Source {
            name,
            bytes: Bytes::Stream(Some(Box::new(file))),
            size: None,
            time: given,
        }
    });
    Ok(())
}

/// Walks a folder by path. Hidden files and folders are passed by, and so are links to folders,
/// which may lead in circles, and whatever is neither file nor folder, which may never end.
fn add_folder(
    folder: &Path,
    given: Option<ObservedAt>,
    sources: &mut Vec<Source>,
) -> Result<(), ArchiveError> {
    let mut left = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = left.pop() {
        let unreadable = unreadable(&folder);
        for entry in fs::read_dir(&folder).map_err(&unreadable)? {
            let entry = entry.map_err(&unreadable)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let kind = entry.file_type().map_err(&unreadable)?;
            if kind.is_dir() {
                left.push(entry.path());
            } else if kind.is_file() {
                files.push((entry.path(), entry.metadata().ok()));
            } else if kind.is_symlink() {
                let metadata = fs::metadata(entry.path()).ok();
                if metadata.as_ref().is_none_or(Metadata::is_file) {
                    files.push((entry.path(), metadata));
                }
            }
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, metadata) in files {
        sources.push(Source {
            name: path.display().to_string(),
            bytes: Bytes::File(path),
            size: Some(metadata.as_ref().map_or(0, Metadata::len)),
            time: given.or_else(|| metadata.as_ref().and_then(modified)),
        });
    }
    Ok(())
}

/// When a file was last written. Not by chrono's own conversion, which panics on times that some
/// file systems can hold.
fn modified(metadata: &Metadata) -> Option<ObservedAt> {
    let since_1970 = match metadata.modified().ok()?.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).ok()?,
        // Cut, not rounded: half a millisecond before 1970 is in its last millisecond before.
        Err(before) => {
            let nanos = i128::try_from(before.duration().as_nanos()).ok()?;
            i64::try_from((-nanos).div_euclid(1_000_000)).ok()?
        }
    };
    Some(ObservedAt {
        time: UtcMillis::from_millis(since_1970).ok()?,
        from: TimeFrom::FileMtime,
    })
}
