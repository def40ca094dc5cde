//! Adding up millions of lives: the ended ones from segments, the others from their rows.
//!
//! Two threads share the work: one reads, and lends a hand where the other has enough to do. The order in
//! which lives come is not told, so what is added up must not depend on it.

use std::sync::mpsc::{TrySendError, sync_channel};

use rusqlite::{Row as SqlRow, ToSql, named_params};

use super::lives::{Reckoned, outcome};
use super::parts::{Part, Raw, Reckoning, Segment, count};
use super::places::Places;
use super::{Question, Reading};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Lifecycle, UtcMillis};
use crate::store::{
    Column, Kind, Unpacked, deployment, last_key, optional_time, sealed_until, time, unpack_kinds,
};

/// What a question adds up of segments.
pub(super) trait TallyParts: Send {
    /// Counts all of a part of a segment.
    fn part(&mut self, part: &Part) -> Result<(), Error>;

    /// Takes over what another has counted.
    fn merge(&mut self, other: Self);
}

/// What a question adds up of lives.
pub(super) trait Tally: TallyParts {
    /// Counts one that was read from its row.
    fn life(&mut self, life: &RowLife) -> Result<(), Error>;
}

/// A life with its group; names are words.
pub(super) struct RowLife {
    pub group: u32,
    pub app: i64,
    pub times: Lifecycle,
    pub ended_at: Option<UtcMillis>,
}

impl RowLife {
    /// When it ended, of one that has.
    pub fn ended_ms(&self) -> Result<i64, Error> {
        let ended_at = self.ended_at.ok_or_else(|| Error::Damaged {
            what: "an ended process without an end".to_owned(),
        })?;
        Ok(ended_at.millis())
    }
}

impl Reading<'_> {
    /// Adds up every life that passes the filter and belongs to the window; `make` begins a sum.
    pub fn tally<T: Tally>(
        &self,
        reckoned: Reckoned,
        question: &Question,
        needed: &[Column],
        places: &mut Places<'_>,
        make: impl Fn() -> T,
    ) -> Result<T, Error> {
        let reckoning = Reckoning {
            by: reckoned,
            since: question.window.since_ms(),
            until: question.window.until_ms(),
        };
        let mut own = make();
        if reckoning.since >= reckoning.until {
            return Ok(own);
        }
        let mut segments = self.segments()?;
        segments.retain(|segment| reckoning.of_segment(segment) != Some(false));
        let sealed = sealed_until(self.db)?;
        let loose = self.loose_keys()?;
        let in_segments: i64 = segments.iter().map(|segment| segment.processes).sum();
        let in_rows = loose.len() as i64 + last_key(self.db)? - sealed;
        if in_segments < in_rows {
            // Whoever asks about an hour is not to read all that is open.
            self.each_row_of_window(reckoning, places, |life| own.life(life))?;
            return Ok(own);
        }
        let group = |kind: &Kind| places.group(kind.app, kind.region, &kind.deployment);
        own = self.tally_parts(&segments, &loose, reckoning, needed, group, own, make())?;
        self.each_row_beside(sealed, reckoning, places, |life| own.life(life))?;
        Ok(own)
    }

    /// Adds up everything that the segments still tell, with the group that `group` gives to its kind.
    pub fn tally_segments<T: TallyParts>(
        &self,
        needed: &[Column],
        group: impl FnMut(&Kind) -> Option<u32>,
        make: impl Fn() -> T,
    ) -> Result<T, Error> {
        let all = Reckoning {
            by: Reckoned::ByCreation,
            since: i64::MIN,
            until: i64::MAX,
        };
        let (segments, loose) = (self.segments()?, self.loose_keys()?);
        self.tally_parts(&segments, &loose, all, needed, group, make(), make())
    }

    /// One thread reads segments and the other counts; where that is still busy, so does the first.
    #[expect(
        clippy::too_many_arguments,
        reason = "two callers, which have them all"
    )]
    fn tally_parts<T: TallyParts>(
        &self,
        segments: &[Segment],
        loose: &[i64],
        reckoning: Reckoning,
        needed: &[Column],
        mut group: impl FnMut(&Kind) -> Option<u32>,
        mut own: T,
        mut other: T,
    ) -> Result<T, Error> {
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel::<Raw>(QUEUE);
            let other = scope.spawn(move || {
                let mut columns = Unpacked::default();
                for raw in receive {
                    columns = count(&mut other, raw, columns, reckoning)?;
                }
                Ok::<T, Error>(other)
            });
            let mut columns = Unpacked::default();
            for segment in segments {
                let raw = self.raw(segment, needed, loose, reckoning, &mut group)?;
                if raw.groups.iter().all(Option::is_none) {
                    continue;
                }
                // Where the other has given up, its error is met below.
                if let Err(TrySendError::Full(raw)) = send.try_send(raw) {
                    columns = count(&mut own, raw, columns, reckoning)?;
                }
            }
            drop(send);
            let other = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            own.merge(other);
            Ok(own)
        })
    }

    fn segments(&self) -> Result<Vec<Segment>, Error> {
        self.db
            .prepare_cached(
                "SELECT first_key, last_key, processes, created_first_ms, created_last_ms,
                        ended_first_ms, ended_last_ms
                 FROM segment WHERE processes > 0 ORDER BY last_key",
            )
            .and_then(|mut statement| {
                let read = |row: &SqlRow<'_>| {
                    Ok(Segment {
                        first_key: row.get(0)?,
                        last_key: row.get(1)?,
                        processes: row.get(2)?,
                        created: (row.get(3)?, row.get(4)?),
                        ended: (row.get(5)?, row.get(6)?),
                    })
                };
                statement.query_map([], read)?.collect()
            })
            .doing("read segments")
    }

    pub(super) fn loose_keys(&self) -> Result<Vec<i64>, Error> {
        self.db
            .prepare_cached("SELECT process_key FROM loose ORDER BY process_key")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .doing("read which processes are loose")
    }

    fn raw(
        &self,
        segment: &Segment,
        needed: &[Column],
        loose: &[i64],
        reckoning: Reckoning,
        group: impl FnMut(&Kind) -> Option<u32>,
    ) -> Result<Raw, Error> {
        let (present, kinds): (_, Vec<u8>) = self
            .db
            .prepare_cached("SELECT present, kinds FROM segment WHERE last_key = :last")
            .and_then(|mut statement| {
                statement.query_row(named_params! { ":last": segment.last_key }, |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
            })
            .doing("read a segment")?;
        let groups = unpack_kinds(&kinds)?.iter().map(group).collect();
        // Where only some of it belongs to the window, its times tell which.
        let of_window = match reckoning.of_segment(segment) {
            None => &[Column::Created, Column::Ended][..],
            Some(_) => &[],
        };
        let more = of_window.iter().filter(|column| !needed.contains(column));
        let mut columns = Vec::with_capacity(Column::ALL.len());
        for column in needed.iter().chain(more) {
            let data = self
                .db
                .prepare_cached(
                    "SELECT data FROM segment_column WHERE name = :name AND last_key = :last",
                )
                .and_then(|mut statement| {
                    let params =
                        named_params! { ":name": column.name(), ":last": segment.last_key };
                    statement.query_row(params, |row| row.get(0))
                })
                .doing("read a segment")?;
            columns.push((*column, data));
        }
        let from = loose.partition_point(|key| *key < segment.first_key);
        let until = loose.partition_point(|key| *key <= segment.last_key);
        Ok(Raw {
            keys: [segment.first_key, segment.last_key],
            processes: segment.processes,
            present,
            kinds,
            groups,
            columns,
            loose: loose[from..until].to_vec(),
            created: segment.created,
            ended: segment.ended,
        })
    }

    /// Calls `each` for the lives of the window that no segment tells of.
    fn each_row_beside(
        &self,
        sealed: i64,
        reckoning: Reckoning,
        places: &mut Places<'_>,
        mut each: impl FnMut(&RowLife) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (those, params) in [
            ("process_key IN (SELECT process_key FROM loose)", &[][..]),
            (
                "process_key > :sealed",
                &[(":sealed", &sealed as &dyn ToSql)],
            ),
        ] {
            self.each_row(those, params, places, &mut |life: &RowLife| match reckoning
                .has_life(life)
            {
                true => each(life),
                false => Ok(()),
            })?;
        }
        Ok(())
    }

    /// Calls `each` for all lives of the window, by searches in the rows.
    fn each_row_of_window(
        &self,
        reckoning: Reckoning,
        places: &mut Places<'_>,
        mut each: impl FnMut(&RowLife) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let window: [(&str, &dyn ToSql); 2] =
            [(":since", &reckoning.since), (":until", &reckoning.until)];
        for condition in reckoning.by.conditions_of_rows() {
            // Not all of them name both ends.
            let condition = format!("{condition} AND :since < :until");
            self.each_row(&condition, &window, places, &mut each)?;
        }
        Ok(())
    }

    fn each_row(
        &self,
        which: &str,
        params: &[(&str, &dyn ToSql)],
        places: &mut Places<'_>,
        each: &mut impl FnMut(&RowLife) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT app, region, deployment, outcome, created_ms, started_ms, stopping_ms,
                        terminated_ms, seen_until_ms, ended_ms
                 FROM process_seen WHERE {which}"
            ))
            .doing("read processes")?;
        let mut rows = statement.query(params).doing("read processes")?;
        while let Some(row) = rows.next().doing("read processes")? {
            let (app, region): (i64, i64) = (
                row.get(0).doing("read processes")?,
                row.get(1).doing("read processes")?,
            );
            let deployment: Deployment = deployment(row, 2)?;
            let Some(group) = places.group(app, region, &deployment) else {
                continue;
            };
            each(&RowLife {
                group,
                app,
                times: Lifecycle {
                    outcome: outcome(row, 3)?,
                    created_at: time(row, 4)?,
                    started_at: optional_time(row, 5)?,
                    stopping_at: optional_time(row, 6)?,
                    terminated_at: optional_time(row, 7)?,
                    last_seen_at: time(row, 8)?,
                },
                ended_at: optional_time(row, 9)?,
            })?;
        }
        Ok(())
    }
}

/// So many segments wait for the other thread at the most.
const QUEUE: usize = 4;
