//! Every hold of every endpoint in order of time, millions of them: gathered from segments and rows, dealt
//! out by endpoint, counted.
//!
//! Two threads share the endpoints, half of the holds each. A hold is three numbers here; whose it is
//! matters only where two of an endpoint begin at once.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{OptionalExtension, named_params};

use super::holds::{Gap, Tenure};
use super::lives::outcome;
use super::parts::Part;
use super::places::Places;
use super::spread::{Sorted, Spread};
use super::tally::TallyParts;
use super::two::in_two;
use super::{Question, Reading, Window};
use crate::Error;
use crate::error::Doing;
use crate::model::{Excluded, Outcome, UtcMillis};
use crate::store::{Column, deployment, optional_time, sealed_until, time};

/// How often endpoints were taken again.
#[derive(Default)]
pub(super) struct Reuse {
    pub by_place: Vec<(Place, PlaceReuse<Sorted>)>,
    pub excluded: HashMap<Excluded, u64>,
}

/// An endpoint, or all of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub host: String,
    pub port: Option<i64>,
    pub transport: Option<String>,
}

/// How often one place was taken again.
#[derive(Debug, Default)]
pub(super) struct PlaceReuse<Gaps> {
    pub holds: u64,
    pub overlaps: u64,
    pub gaps: Gaps,
}

/// A hold, as small as may be.
#[derive(Clone, Copy, Debug, Default)]
struct SmallHold {
    from_ms: i64,
    /// Or one of the two below.
    until_ms: i64,
    /// Twice the key of its process, and one more where that passes the filter.
    who: i64,
}

/// It goes on.
const HELD: i64 = i64::MAX;
/// It is over, or may be, and nobody knows when.
const UNKNOWN: i64 = i64::MAX - 1;

impl SmallHold {
    fn new(from_ms: i64, until_ms: Option<i64>, outcome: Outcome, key: i64, passes: bool) -> Self {
        Self {
            from_ms,
            until_ms: until_ms.unwrap_or(match outcome {
                Outcome::Open => HELD,
                Outcome::Lost | Outcome::Stopped | Outcome::Failed => UNKNOWN,
            }),
            who: 2 * key + i64::from(passes),
        }
    }

    fn process_key(self) -> i64 {
        self.who / 2
    }

    fn passes(self) -> bool {
        self.who % 2 == 1
    }

    fn tenure(self) -> Tenure {
        let time = |millis: i64| UtcMillis::from_millis(millis).unwrap_or(UtcMillis::MIN);
        let (until, outcome) = match self.until_ms {
            HELD => (None, Outcome::Open),
            UNKNOWN => (None, Outcome::Stopped),
            until => (Some(time(until)), Outcome::Stopped),
        };
        Tenure {
            from: time(self.from_ms),
            until,
            outcome,
        }
    }
}

/// Holds in no order, with their endpoints.
#[derive(Default)]
struct Gathered {
    endpoints: Vec<u32>,
    holds: Vec<SmallHold>,
}

impl Gathered {
    fn add(&mut self, endpoint: i64, hold: SmallHold) -> Result<(), Error> {
        let endpoint = u32::try_from(endpoint).map_err(|_| Error::Damaged {
            what: format!("an endpoint of the number {endpoint}"),
        })?;
        self.endpoints.push(endpoint);
        self.holds.push(hold);
        Ok(())
    }
}

impl TallyParts for Gathered {
    fn part(&mut self, part: &Part) -> Result<(), Error> {
        let columns = &part.columns;
        let kinds = part.kinds();
        // The holds of one process follow those of another, whether it counts or not.
        let (mut hold, mut unstarted) = (0, 0);
        let mut next = 0;
        let mut skip = |until: usize| {
            for kind in &columns.kind[next..until] {
                let kind = &kinds[*kind as usize];
                hold += kind.holds as usize;
                unstarted += if kind.has_started {
                    0
                } else {
                    kind.holds as usize
                };
            }
            next = until;
            (hold, unstarted)
        };
        let mut result = Ok(());
        part.each(|i, kind| {
            let (hold, unstarted) = skip(i);
            let passes = part.group(kind) == Some(PASSES);
            let kind = &kinds[kind];
            let (key, ended) = (columns.key(i), columns.ended_ms[i]);
            let started = || columns.created_ms[i] + columns.started_after_ms[i];
            for n in 0..kind.holds as usize {
                let from = match kind.has_started {
                    true => started(),
                    false => columns.held_from_ms[unstarted + n],
                };
                let until = kind.has_end().then_some(ended);
                let small = SmallHold::new(from, until, kind.outcome(), key, passes);
                if let Err(error) = self.add(columns.endpoints[hold + n], small) {
                    result = Err(error);
                }
            }
        });
        result
    }

    fn merge(&mut self, other: Self) {
        self.endpoints.extend(other.endpoints);
        self.holds.extend(other.holds);
    }
}

/// Groups of kinds here: who passes the filter, and who only held an endpoint before.
const PASSES: u32 = 1;
const ONLY_HELD: u32 = 0;

impl Reading<'_> {
    /// Counts the holds that began in the window and pass the filter, each with the one before it that
    /// lasted for any time, as [`Reading::each_hold`] has them.
    pub fn reuse(&self, question: &Question, by_host: bool) -> Result<Reuse, Error> {
        let filter = Places::new(*self, question)?;
        let gathered = self.gather_holds(&filter)?;
        let (place_of, places) = self.numbered_places(by_host)?;
        let dealt = in_two(halves(&gathered.endpoints), |half| {
            Dealt::new(&gathered, half)
        });
        let mut ids = HashMap::new();
        for key in dealt.iter().flat_map(|dealt| &dealt.tied) {
            ids.insert(*key, self.process_id(*key)?);
        }
        let counted = in_two(dealt, |dealt| {
            dealt.count(&ids, &question.window, |endpoint| {
                place_of.get(endpoint).copied().flatten()
            })
        });
        let mut by_place: Vec<PlaceReuse<Spread>> = Vec::new();
        by_place.resize_with(places.len(), PlaceReuse::default);
        let mut excluded = HashMap::new();
        for counts in counted {
            for (place, more) in counts.by_place {
                let own = &mut by_place[place];
                own.holds += more.holds;
                own.overlaps += more.overlaps;
                own.gaps.extend(more.gaps);
            }
            for (reason, n) in counts.excluded {
                *excluded.entry(reason).or_default() += n;
            }
        }
        let counted = places
            .into_iter()
            .zip(by_place)
            .filter(|(_, reuse)| reuse.holds > 0);
        let by_place = in_two(counted.collect(), |(place, reuse)| {
            let reuse = PlaceReuse {
                holds: reuse.holds,
                overlaps: reuse.overlaps,
                gaps: reuse.gaps.sorted(),
            };
            (place, reuse)
        });
        Ok(Reuse { by_place, excluded })
    }

    fn gather_holds(&self, filter: &Places<'_>) -> Result<Gathered, Error> {
        let needed = [
            Column::Kind,
            Column::Created,
            Column::Started,
            Column::Ended,
            Column::Endpoint,
            Column::HeldFrom,
        ];
        let mut gathered = self.tally_segments(
            &needed,
            |kind| match filter.passes(kind.app, kind.region, &kind.deployment) {
                true => Some(PASSES),
                false => Some(ONLY_HELD),
            },
            Gathered::default,
        )?;
        let sealed = sealed_until(self.db)?;
        // Without segments all are read as they lie; else those of few processes are looked up.
        let of_rows: &[&str] = match sealed {
            0 => &["hold h JOIN process p USING (process_key) WHERE p.process_key > :sealed"],
            _ => &[
                "loose l CROSS JOIN process p USING (process_key)
                 CROSS JOIN hold h USING (process_key) WHERE :sealed IS NOT NULL",
                "process p CROSS JOIN hold h USING (process_key) WHERE p.process_key > :sealed",
            ],
        };
        for those in of_rows {
            let mut statement = self
                .db
                .prepare_cached(&format!(
                    "SELECT h.endpoint_id, h.held_from_ms, h.held_until_ms, p.outcome,
                            p.process_key, p.app, p.region, p.deployment
                     FROM {those}"
                ))
                .doing("read holds")?;
            let params = named_params! { ":sealed": sealed };
            let mut rows = statement.query(params).doing("read holds")?;
            while let Some(row) = rows.next().doing("read holds")? {
                let number = |i| row.get::<_, i64>(i).doing("read holds");
                let passes = filter.passes(number(5)?, number(6)?, &deployment(row, 7)?);
                let until = optional_time(row, 2)?.map(UtcMillis::millis);
                let (from, outcome) = (time(row, 1)?.millis(), outcome(row, 3)?);
                let hold = SmallHold::new(from, until, outcome, number(4)?, passes);
                gathered.add(number(0)?, hold)?;
            }
        }
        Ok(gathered)
    }

    /// The number of each endpoint's place, and these places.
    fn numbered_places(&self, by_host: bool) -> Result<(Vec<Option<u32>>, Vec<Place>), Error> {
        let mut statement = self
            .db
            .prepare_cached("SELECT endpoint_id, host, port, transport FROM endpoint")
            .doing("read endpoints")?;
        let mut rows = statement.query([]).doing("read endpoints")?;
        let mut numbers = BTreeMap::new();
        let mut place_of = Vec::new();
        while let Some(row) = rows.next().doing("read endpoints")? {
            let number = |i| row.get::<_, i64>(i).doing("read endpoints");
            let (host, port, transport) = (number(1)?, number(2)?, number(3)?);
            let next = numbers.len() as u32;
            let place = (host, (!by_host).then_some((port, transport)));
            let place = *numbers.entry(place).or_insert(next);
            let endpoint = number(0)?.cast_unsigned() as usize;
            if endpoint >= place_of.len() {
                place_of.resize(endpoint + 1, None);
            }
            place_of[endpoint] = Some(place);
        }
        let mut in_order: Vec<_> = numbers.into_iter().collect();
        in_order.sort_unstable_by_key(|(_, number)| *number);
        let mut places = Vec::with_capacity(in_order.len());
        let mut names: HashMap<i64, String> = HashMap::new();
        let mut name = |word| match names.get(&word) {
            Some(name) => Ok::<_, Error>(name.clone()),
            None => {
                let name = self.word(word)?;
                Ok(names.entry(word).or_insert(name).clone())
            }
        };
        for ((host, rest), _) in in_order {
            places.push(Place {
                host: name(host)?,
                port: rest.map(|(port, _)| port),
                transport: rest.map(|(_, transport)| name(transport)).transpose()?,
            });
        }
        Ok((place_of, places))
    }

    fn process_id(&self, key: i64) -> Result<String, Error> {
        self.db
            .prepare_cached("SELECT process_id FROM process WHERE process_key = :key")
            .and_then(|mut statement| {
                statement
                    .query_row(named_params! { ":key": key }, |row| row.get(0))
                    .optional()
            })
            .doing("look up a process")?
            .ok_or_else(|| Error::Damaged {
                what: format!("no process {key}"),
            })
    }
}

/// A range of endpoints, and where the holds of each begin when they are dealt out.
struct Half {
    first: usize,
    begins: Vec<usize>,
}

/// Cuts the endpoints in two ranges with about as many holds.
fn halves(endpoints: &[u32]) -> Vec<Half> {
    let count = endpoints.iter().max().map_or(0, |last| *last as usize + 1);
    let mut counts = vec![0_usize; count];
    for endpoint in endpoints {
        counts[*endpoint as usize] += 1;
    }
    let mut so_far = 0;
    let reaches_half = |count: &usize| {
        so_far += count;
        2 * so_far >= endpoints.len()
    };
    let middle = counts
        .iter()
        .position(reaches_half)
        .map_or(count, |last| last + 1);
    let half = |first: usize, until: usize| {
        let mut next = 0;
        let mut begins: Vec<usize> = Vec::with_capacity(until - first + 1);
        for count in &counts[first..until] {
            begins.push(next);
            next += count;
        }
        begins.push(next);
        Half { first, begins }
    };
    vec![half(0, middle), half(middle, count)]
}

/// The holds of some endpoints, one endpoint after another, each in order of time.
struct Dealt {
    half: Half,
    holds: Vec<SmallHold>,
    /// Processes that began to hold an endpoint at the same moment as another.
    tied: Vec<i64>,
}

impl Dealt {
    fn new(gathered: &Gathered, half: Half) -> Self {
        let count = half.begins.len() - 1;
        let mut places = half.begins.clone();
        let all = half.begins[count];
        let mut holds = vec![SmallHold::default(); all];
        for (endpoint, hold) in gathered.endpoints.iter().zip(&gathered.holds) {
            let at = (*endpoint as usize).wrapping_sub(half.first);
            if at < count {
                holds[places[at]] = *hold;
                places[at] += 1;
            }
        }
        let mut tied = Vec::new();
        for of_one in half.begins.windows(2) {
            let holds = &mut holds[of_one[0]..of_one[1]];
            holds.sort_unstable_by_key(|hold| hold.from_ms);
            for at_once in holds
                .chunk_by(|a, b| a.from_ms == b.from_ms)
                .filter(|c| c.len() > 1)
            {
                tied.extend(at_once.iter().map(|hold| hold.process_key()));
            }
        }
        Self { half, holds, tied }
    }

    fn count(
        mut self,
        ids: &HashMap<i64, String>,
        window: &Window,
        place_of: impl Fn(usize) -> Option<u32>,
    ) -> Counts {
        let mut counts = Counts::default();
        for (endpoint, of_one) in (self.half.first..).zip(self.half.begins.windows(2)) {
            let holds = &mut self.holds[of_one[0]..of_one[1]];
            if !self.tied.is_empty() {
                for at_once in holds.chunk_by_mut(|a, b| a.from_ms == b.from_ms) {
                    at_once.sort_by_key(|hold| ids.get(&hold.process_key()));
                }
            }
            let Some(place) = place_of(endpoint) else {
                continue;
            };
            let reuse = counts.by_place.entry(place as usize).or_default();
            let mut last: Option<Tenure> = None;
            for hold in &*holds {
                let tenure = hold.tenure();
                if hold.passes() && window.contains(tenure.from) {
                    match tenure.is_backward() {
                        true => {
                            *counts
                                .excluded
                                .entry(Excluded::TimesOutOfOrder)
                                .or_default() += 1
                        }
                        false => {
                            reuse.holds += 1;
                            match tenure.gap_after(last.as_ref()) {
                                Gap::None => {}
                                Gap::Millis(gap) if gap >= 0 => reuse.gaps.push(gap),
                                Gap::Millis(_) | Gap::Held => reuse.overlaps += 1,
                                Gap::Unknown(reason) => {
                                    *counts.excluded.entry(reason).or_default() += 1;
                                }
                            }
                        }
                    }
                }
                if !tenure.is_of_no_length() {
                    last = Some(tenure);
                }
            }
        }
        counts
    }
}

/// What the holds of some endpoints come to, by number of place.
#[derive(Default)]
struct Counts {
    by_place: HashMap<usize, PlaceReuse<Spread>>,
    excluded: HashMap<Excluded, u64>,
}
