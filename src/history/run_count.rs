//! How many runs looked in a window? Told by counts that are kept, but for the edges of the window and
//! for the few runs that are in no count.

use std::collections::HashSet;

use rusqlite::named_params;

use super::Window;
use super::looks::{ARCHIVES, Looks};
use crate::Error;
use crate::error::Doing;

/// Runs are counted by stretches of two lengths, each a power of two: a window is mostly the long ones,
/// and short ones on either side.
pub(super) const SHORT: u32 = 24;
pub(super) const LONG: u32 = 31;

/// From when, until when: milliseconds, or stretches of them.
type Part = (i64, i64);

/// A stretch of time as the whole stretches in it and what is left on either side.
pub(super) struct Cut {
    /// Whole long stretches.
    pub long: Part,
    /// Whole short ones before and after those.
    pub short: [Part; 2],
    /// What lies in no whole one, in milliseconds.
    pub edges: [Part; 2],
}

impl Cut {
    pub fn of(from_ms: i64, until_ms: i64) -> Self {
        let (short, edges) = whole((from_ms, until_ms), SHORT);
        let (long, [before, after]) = whole(short, LONG - SHORT);
        Self {
            long,
            short: [before, after],
            edges,
        }
    }

    /// The whole stretches, each with its size.
    pub fn wholes(&self) -> [(u32, Part); 3] {
        [
            (LONG, self.long),
            (SHORT, self.short[0]),
            (SHORT, self.short[1]),
        ]
    }
}

/// The stretches of so many powers of two that lie wholly in a part, and what is left before and after;
/// all before where there is none.
fn whole((from, until): Part, size: u32) -> (Part, [Part; 2]) {
    let first = from.saturating_add((1 << size) - 1) >> size;
    let end = until >> size;
    if first >= end {
        return ((0, 0), [(from, until), (until, until)]);
    }
    ((first, end), [(from, first << size), (end << size, until)])
}

/// A run that is in no count.
struct Loose {
    run_id: i64,
    /// What it looked at, its first and its last look; nothing of one that has not ended.
    looked: Option<(i64, i64, i64)>,
}

impl Looks<'_> {
    /// How many runs had one in a window.
    pub fn runs(&self, window: Window) -> Result<u64, Error> {
        let part = (
            window.since_ms(),
            window.until_ms().min(self.then_ms.saturating_add(1)),
        );
        let cut = Cut::of(part.0, part.1);
        let groups = self.groups()?;
        let mut runs = 0;
        for group in &groups {
            for (size, part) in cut.wholes() {
                runs += self.counted(*group, size, part)?;
            }
        }
        let loose = self.loose()?;
        let is_loose: HashSet<i64> = loose.iter().map(|run| run.run_id).collect();
        let mut at_edges = HashSet::new();
        let mut last = None;
        for edge in cut.edges {
            self.each_run(edge, |run| {
                // A run's looks mostly stand side by side.
                if last.replace(run) != Some(run) && !is_loose.contains(&run) {
                    at_edges.insert(run);
                }
            })?;
        }
        for run in &loose {
            runs += i64::from(self.is_in(run, part, &groups)?);
        }
        Ok(runs.cast_unsigned() + at_edges.len() as u64)
    }

    /// The groups of apps in which one of these is.
    fn groups(&self) -> Result<HashSet<i64>, Error> {
        let mut statement = self
            .reading
            .db
            .prepare_cached("SELECT group_id, apps FROM look_group")
            .doing("count runs")?;
        let mut rows = statement.query([]).doing("count runs")?;
        let mut groups = HashSet::new();
        while let Some(row) = rows.next().doing("count runs")? {
            let apps = row.get_ref(1).doing("count runs")?;
            let apps = apps.as_str().map_err(rusqlite::Error::from);
            let mut apps = apps.doing("count runs")?.split(',');
            let is_asked = |app: &str| app.parse().is_ok_and(|app| self.apps.contains(&app));
            if self.all || apps.any(is_asked) {
                groups.insert(row.get(0).doing("count runs")?);
            }
        }
        Ok(groups)
    }

    /// Those of a group that are counted in some whole stretches.
    fn counted(&self, group: i64, size: u32, (from, until): Part) -> Result<i64, Error> {
        if from >= until {
            return Ok(0);
        }
        self.reading
            .db
            .prepare_cached(
                "SELECT coalesce(sum(runs), 0) FROM look_count
                 WHERE group_id = :group AND size = :size
                   AND stretch >= :from AND stretch < :until",
            )
            .and_then(|mut statement| {
                let params = named_params! {
                    ":group": group, ":size": size, ":from": from, ":until": until,
                };
                statement.query_row(params, |row| row.get(0))
            })
            .doing("count runs")
    }

    fn loose(&self) -> Result<Vec<Loose>, Error> {
        self.reading
            .db
            .prepare_cached("SELECT run_id, group_id, first_ms, last_ms FROM loose_run")
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| {
                    let group: Option<i64> = row.get(1)?;
                    Ok(Loose {
                        run_id: row.get(0)?,
                        looked: match group {
                            Some(group) => Some((group, row.get(2)?, row.get(3)?)),
                            None => None,
                        },
                    })
                };
                statement.query_map([], read)?.collect()
            })
            .doing("count runs")
    }

    /// Whether a run that is in no count has a look at these apps in a stretch of time.
    fn is_in(
        &self,
        run: &Loose,
        (from, until): Part,
        groups: &HashSet<i64>,
    ) -> Result<bool, Error> {
        if let Some((group, first, last)) = run.looked {
            let is_wholly = first >= from && last < until;
            let is_apart = last < from || first >= until;
            if is_apart || is_wholly || !groups.contains(&group) {
                return Ok(is_wholly && groups.contains(&group));
            }
        }
        // The first and the last look in a stream need no search; between them, most streams have looks of
        // no other run.
        self.reading
            .db
            .prepare_cached(
                "SELECT EXISTS (
                     SELECT 1 FROM loose_look l JOIN stream t USING (stream_id)
                     WHERE l.run_id = :run AND l.first_ms < :until AND l.last_ms >= :from
                       AND (:apps IS NULL
                            OR coalesce(t.app, :archives) IN (SELECT value FROM json_each(:apps)))
                       AND (l.first_ms >= :from OR l.last_ms < :until
                            OR EXISTS (SELECT 1 FROM snapshot n
                                       WHERE n.stream_id = l.stream_id AND n.run_id = l.run_id
                                         AND n.observed_at_ms >= :from
                                         AND n.observed_at_ms < :until)))",
            )
            .and_then(|mut statement| {
                let params = named_params! {
                    ":run": run.run_id, ":from": from, ":until": until,
                    ":archives": ARCHIVES, ":apps": self.apps_asked(),
                };
                statement.query_row(params, |row| row.get(0))
            })
            .doing("count runs")
    }

    /// The apps as JSON; none where they are all.
    fn apps_asked(&self) -> Option<String> {
        (!self.all).then(|| serde_json::Value::from(self.apps.clone()).to_string())
    }

    /// The run of each look at these apps in a stretch of time.
    fn each_run(&self, (from, until): Part, mut each: impl FnMut(i64)) -> Result<(), Error> {
        if from >= until {
            return Ok(());
        }
        // One app has few streams of many, and all have all.
        let of_these = match self.all {
            true => ":apps IS NULL",
            false => {
                "stream_id IN (SELECT t.stream_id FROM json_each(:apps) a
                               JOIN stream t ON t.app IS nullif(a.value, -1))"
            }
        };
        let mut statement = self
            .reading
            .db
            .prepare_cached(&format!(
                "SELECT run_id FROM snapshot
                 WHERE observed_at_ms >= :from AND observed_at_ms < :until AND {of_these}"
            ))
            .doing("count runs")?;
        let params = named_params! {
            ":from": from, ":until": until, ":apps": self.apps_asked(),
        };
        let mut rows = statement.query(params).doing("count runs")?;
        while let Some(row) = rows.next().doing("count runs")? {
            each(row.get(0).doing("count runs")?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_time_is_cut_into_whole_ones_and_edges() {
        let (short, long) = (1_i64 << SHORT, 1_i64 << LONG);
        for (from, until) in [
            (0, 1),
            (5, short),
            (0, short),
            (1, short + 1),
            (-1, short + 1),
            (-short, short),
            (-short - 1, 2 * short + 5),
            (-long - 7, 3 * long + 9),
            (0, long),
            (short, long + short),
            (-62_167_219_200_000, 253_402_300_800_000),
        ] {
            let cut = Cut::of(from, until);
            let mut parts: Vec<Part> = cut
                .wholes()
                .map(|(size, (first, end))| (first << size, end << size))
                .into_iter()
                .chain(cut.edges)
                .filter(|(from, until)| from < until)
                .collect();
            parts.sort_unstable();
            // Together they are the stretch, and nothing twice.
            assert_eq!(parts.first().map(|part| part.0), Some(from), "{parts:?}");
            assert_eq!(parts.last().map(|part| part.1), Some(until), "{parts:?}");
            assert!(
                parts.windows(2).all(|two| two[0].1 == two[1].0),
                "{parts:?}"
            );
            for (from, until) in cut.edges {
                assert!(until - from < 2 * short, "{parts:?}");
            }
        }
    }
}
