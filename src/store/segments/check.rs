//! Do the segments still tell what the rows tell? All of both is compared.

use rusqlite::Connection;

use super::{rows, sealed_until, stored, unpack};
use crate::Error;
use crate::store::columns::{EndedProcess, Unpacked};

/// The first difference between segments and rows, in words; none where there is none.
pub(crate) fn first_difference(db: &Connection) -> Result<Option<String>, Error> {
    let sealed = sealed_until(db)?;
    let loose = rows::loose_keys(db, i64::MIN, i64::MAX)?;
    if let Some(key) = loose.iter().find(|key| **key > sealed) {
        return Ok(Some(format!(
            "process {key} is loose and in the range of no segment"
        )));
    }
    let mut unpacked = Unpacked::default();
    let mut next = 1;
    while next <= sealed {
        let Some(segment) = stored(db, next, next)?
            .pop()
            .filter(|s| s.first_key == next)
        else {
            return Ok(Some(format!("no segment begins with key {next}")));
        };
        unpack(&segment, &mut unpacked)?;
        let told = unpacked
            .processes()
            .filter(|p| loose.binary_search(&p.key).is_err());
        let rows = rows::ended_in(db, segment.first_key, segment.last_key)?;
        let rows = rows
            .into_iter()
            .filter(|(key, _)| loose.binary_search(key).is_err());
        if let Some(difference) = compare(told, rows) {
            return Ok(Some(difference));
        }
        let created = ends(unpacked.created_ms.iter().copied());
        let ended = ends(unpacked.ended_ms.iter().copied());
        if (created, ended) != (segment.created, segment.ended) {
            return Ok(Some(format!(
                "the segment that begins with key {next} has other times"
            )));
        }
        next = segment.last_key + 1;
    }
    Ok(None)
}

fn compare(
    mut told: impl Iterator<Item = EndedProcess>,
    rows: impl Iterator<Item = (i64, Option<EndedProcess>)>,
) -> Option<String> {
    for (key, row) in rows {
        let Some(row) = row else {
            return Some(format!(
                "process {key} is not loose, though no segment can tell of it"
            ));
        };
        match told.next() {
            Some(told) if told == row => {}
            Some(told) => return Some(format!("a segment has {told:?}, its row {row:?}")),
            None => return Some(format!("process {key} is in no segment, and is not loose")),
        }
    }
    told.next()
        .map(|told| format!("a segment has {told:?}, which has no row"))
}

fn ends(times: impl Iterator<Item = i64> + Clone) -> Option<(i64, i64)> {
    times.clone().min().zip(times.max())
}
