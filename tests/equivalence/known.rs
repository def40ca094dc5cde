//! What an archive shows of a simulated fleet, and what follows from that by the definitions: the
//! ground on which every question is answered a second time. Plain and slow; no database.

use std::collections::BTreeMap;

use prochist::model::{Process, UtcMillis};
use prochist::simulator::{Fleet, FleetConfig, Story};

use crate::place::Place;
use crate::truth::{Archived, HOUR_MS, MINUTE_MS, start};

/// One look: when, and whom it showed.
#[derive(Clone)]
pub struct Look {
    pub at: i64,
    pub shown: Vec<Process>,
}

/// Everything that was imported.
#[derive(Clone)]
pub struct Record {
    pub looks: Vec<Look>,
    /// Whether each look lists every live process.
    pub complete: bool,
}

/// How a process stands by the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Open,
    Lost,
    Stopped,
    Failed,
}

/// What is known of one process.
#[derive(Clone)]
pub struct Known {
    /// Each look that showed it, in order of time.
    pub seen: Vec<(i64, Process)>,
    pub stands: Stands,
}

/// How one phase of a process went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// From, until.
    Ended(i64, i64),
    /// From, last seen.
    Censored(i64, i64),
    Excluded(&'static str),
    NotReached,
}

pub const PHASES: [&str; 4] = ["provisioning", "serving", "stopping", "lifetime"];

/// Minutes after the start, in milliseconds since 1970.
pub fn minute(n: i64) -> i64 {
    start().millis() + n * MINUTE_MS
}

pub fn time(millis: i64) -> String {
    UtcMillis::from_millis(millis).unwrap().to_string()
}

fn ms(time: Option<UtcMillis>) -> Option<i64> {
    time.map(UtcMillis::millis)
}

/// What is no pause yet.
pub const PAUSE_MS: i64 = HOUR_MS + MINUTE_MS;

impl Record {
    /// What looks at these moments show: whoever is open, or ended in the minute before.
    pub fn of(stories: &[Story], looks: impl IntoIterator<Item = i64>) -> Self {
        let looks = looks.into_iter().map(|at| {
            let now = UtcMillis::from_millis(at).unwrap();
            let before = now.plus_millis(-MINUTE_MS);
            let shown = stories.iter().filter(|story| story.terminated_at > before);
            Look {
                at,
                shown: shown.filter_map(|story| story.at(now)).collect(),
            }
        });
        Self {
            looks: looks.collect(),
            complete: false,
        }
    }

    /// The archive, line by line, as the simulator writes it.
    pub fn lines(&self) -> Vec<String> {
        let line = |look: &Look| {
            let shown: Vec<String> = look
                .shown
                .iter()
                .map(|p| serde_json::to_string(p).unwrap())
                .collect();
            let at = time(look.at);
            format!(
                "{{\"observedAt\":\"{at}\",\"processes\":[{}]}}\n",
                shown.join(",")
            )
        };
        self.looks.iter().map(line).collect()
    }

    /// A folder with a history of it.
    pub fn imported(&self) -> Place {
        let place = Place::new();
        place.write("archive.ndjson", self.lines().concat());
        let complete: &[&str] = if self.complete { &["--complete"] } else { &[] };
        place
            .run(&[&["import", "archive.ndjson"], complete].concat())
            .ok();
        place
    }

    /// What had been seen by then.
    pub fn by(&self, then: i64) -> Self {
        Self {
            looks: self
                .looks
                .iter()
                .filter(|l| l.at <= then)
                .cloned()
                .collect(),
            complete: self.complete,
        }
    }

    pub fn last_look(&self) -> i64 {
        self.looks.last().unwrap().at
    }

    /// The processes by their ids. All are of one app here, which every look names.
    pub fn known(&self) -> Vec<Known> {
        let mut seen: BTreeMap<&str, Vec<(i64, Process)>> = BTreeMap::new();
        for look in &self.looks {
            for process in &look.shown {
                seen.entry(&process.process_id)
                    .or_default()
                    .push((look.at, process.clone()));
            }
        }
        seen.into_values()
            .map(|seen| {
                let (last_seen, latest) = seen.last().unwrap();
                let stands = match latest.status.as_str() {
                    "failed" => Stands::Failed,
                    "stopped" => Stands::Stopped,
                    _ if latest.terminated_at.is_some() => Stands::Stopped,
                    _ if self.complete && self.last_look() > *last_seen => Stands::Lost,
                    _ => Stands::Open,
                };
                Known { seen, stands }
            })
            .collect()
    }

    /// Pauses of more than an hour between two looks, and a minute for those that come late.
    pub fn pauses(&self) -> Vec<(i64, i64)> {
        self.looks
            .windows(2)
            .map(|pair| (pair[0].at, pair[1].at))
            .filter(|(from, to)| to - from > PAUSE_MS)
            .collect()
    }

    /// When the app was not watched: before the look that first showed any process, and in the pauses.
    pub fn unwatched(&self) -> Vec<(i64, i64)> {
        let begin = self.looks.iter().find(|l| !l.shown.is_empty()).unwrap().at;
        let mut all = vec![(i64::MIN, begin)];
        all.extend(self.pauses());
        all
    }

    /// Whether what happened then to one that lived would be known: not in a pause, nor at its end, for that
    /// look shows it as something of the past.
    pub fn sees(&self, moment: i64) -> bool {
        let mut unwatched = self.unwatched().into_iter();
        !unwatched.any(|(from, to)| from < moment && moment <= to)
    }

    /// Whether one that came then was watched from its beginning: the look after a pause shows it.
    pub fn sees_beginning(&self, moment: i64) -> bool {
        let mut unwatched = self.unwatched().into_iter();
        !unwatched.any(|(from, to)| from < moment && moment < to)
    }
}

impl Known {
    pub fn latest(&self) -> &Process {
        &self.seen.last().unwrap().1
    }

    pub fn id(&self) -> &str {
        &self.latest().process_id
    }

    pub fn last_seen(&self) -> i64 {
        self.seen.last().unwrap().0
    }

    pub fn created(&self) -> i64 {
        self.latest().created_at.millis()
    }

    pub fn started(&self) -> Option<i64> {
        ms(self.latest().started_at)
    }

    pub fn stopping(&self) -> Option<i64> {
        ms(self.latest().stopping_at)
    }

    pub fn terminated(&self) -> Option<i64> {
        ms(self.latest().terminated_at)
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.stands, Stands::Stopped | Stands::Failed)
    }

    /// When it ended, as its times have it.
    pub fn end(&self) -> Option<i64> {
        let stopping = self.stopping().filter(|_| self.has_ended());
        self.terminated().or(stopping)
    }

    /// When it ended, by its times or else when it was first seen ended for good.
    pub fn ended_at(&self) -> Option<i64> {
        let is_over = |p: &Process| {
            matches!(p.status.as_str(), "stopped" | "failed") || p.terminated_at.is_some()
        };
        let over = self.seen.iter().rev().take_while(|(_, p)| is_over(p));
        self.end().or(over.last().map(|(at, _)| *at))
    }

    /// Whether none of the times that are known lies before one that comes earlier in a life.
    pub fn is_in_order(&self) -> bool {
        let times = [
            Some(self.created()),
            self.started(),
            self.stopping(),
            self.terminated(),
        ];
        times.into_iter().flatten().is_sorted()
    }

    pub fn phase(&self, phase: &str) -> Went {
        let (from, to) = match phase {
            "provisioning" => (Some(self.created()), self.started()),
            "serving" => (self.started(), self.stopping().or(self.terminated())),
            "stopping" => (self.stopping(), self.terminated()),
            _ => (Some(self.created()), self.terminated()),
        };
        match (from, to, self.has_ended()) {
            (Some(from), Some(to), _) if from <= to => Went::Ended(from, to),
            (Some(_), Some(_), _) => Went::Excluded("times_out_of_order"),
            (Some(from), None, false) if from <= self.last_seen() => {
                Went::Censored(from, self.last_seen())
            }
            (Some(_), None, false) => Went::Excluded("times_out_of_order"),
            (Some(_), None, true) if phase == "provisioning" => Went::Excluded("never_started"),
            (Some(_), None, true) => Went::Excluded("no_end_time"),
            (None, _, false) => Went::NotReached,
            (None, _, true) if phase == "serving" => Went::Excluded("never_started"),
            (None, _, true) => Went::Excluded("never_told_to_stop"),
        }
    }

    /// From when until when it ran; the end is missing where it goes on. A lost one ran until it
    /// was last seen, that moment included.
    pub fn ran(&self) -> Result<Option<(i64, Option<i64>)>, &'static str> {
        let until = match self.stands {
            _ if !self.is_in_order() => return Err("times_out_of_order"),
            Stands::Lost => Some(self.last_seen() + 1),
            _ => self.end(),
        };
        match self.started() {
            Some(_) if self.has_ended() && until.is_none() => Err("no_end_time"),
            started => Ok(started.map(|started| (started, until))),
        }
    }
}

/// A window, either side of which may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    pub since: Option<i64>,
    pub until: Option<i64>,
}

impl Span {
    pub fn new(since: i64, until: i64) -> Self {
        Self {
            since: Some(since),
            until: Some(until),
        }
    }

    pub fn has(&self, time: i64) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// What of a stretch lies inside; what has no length does not.
    pub fn clip(&self, from: i64, until: i64) -> Option<(i64, i64)> {
        let from = from.max(self.since.unwrap_or(i64::MIN));
        let until = until.min(self.until.unwrap_or(i64::MAX));
        (from < until).then_some((from, until))
    }

    pub fn args(&self) -> Vec<String> {
        let mut args = Vec::new();
        for (name, side) in [("--since", self.since), ("--until", self.until)] {
            if let Some(side) = side {
                args.extend([name.to_owned(), time(side)]);
            }
        }
        args
    }
}

/// All, and windows that cut: within the record, with an end that nothing else has, and over the
/// pause of [`broken`].
pub fn windows() -> [Span; 3] {
    [
        Span::default(),
        Span::new(minute(47), minute(219) + 1),
        Span {
            since: Some(minute(200) + 7),
            until: None,
        },
    ]
}

/// Few ports, so that they are used again, and a bad deployment within the hours.
pub fn config() -> FleetConfig {
    FleetConfig {
        regions: vec!["Tokyo".into(), "London".into()],
        ports_per_host: 40,
        deployment_every_ms: 2 * HOUR_MS,
        bad_rollout: 2,
        ..FleetConfig::new(21, 30, start())
    }
}

pub fn stories(config: FleetConfig, hours: i64) -> Vec<Story> {
    let end = config.start.plus_millis(hours * HOUR_MS);
    let mut fleet = Fleet::new(FleetConfig {
        keep_history: true,
        ..config
    });
    fleet.advance(end);
    fleet.truth().iter().map(|s| (**s).clone()).collect()
}

/// A look a minute for five hours.
pub fn whole() -> Record {
    Record::of(&stories(config(), 5), (0..=300).map(minute))
}

/// Eight hours of which more than two are missing, and forty minutes elsewhere; whoever is absent
/// from a look is lost. The looks begin, after two that show nobody, in the midst of the first hour.
pub fn broken() -> Record {
    let looks = (0..=480).filter(|n| !matches!(n, 1..25 | 120..=159 | 236..375));
    let mut record = Record::of(&stories(config(), 8), looks.map(minute));
    record.looks[0].shown.clear();
    record.looks[1].shown.clear();
    record.complete = true;
    record
}

/// The broken one as an archive that does not claim to list everybody. Some processes in it do not say
/// when they ended, or only when they were told to stop, and some started before they were created.
pub fn odd() -> Record {
    let mut record = broken();
    record.complete = false;
    for process in record.looks.iter_mut().flat_map(|look| &mut look.shown) {
        let before = process.created_at.plus_millis(-1_000);
        match process.process_id.as_bytes()[0] {
            b'0' if process.terminated_at.is_some() => {
                (process.stopping_at, process.terminated_at) = (None, None);
            }
            b'1' => process.started_at = process.started_at.and(Some(before)),
            b'2' => process.terminated_at = None,
            _ => {}
        }
    }
    record
}

/// Five hours with a pause of which some see both sides. The look after it shows whoever ended in the
/// hour before, as platforms do.
pub fn paused() -> Record {
    let stories = stories(config(), 5);
    let looks = (0..=300).filter(|n| !(100..165).contains(n));
    let mut record = Record::of(&stories, looks.map(minute));
    let look = record.looks.iter_mut().find(|look| look.at == minute(165));
    let now = UtcMillis::from_millis(minute(165)).unwrap();
    let since = now.plus_millis(-HOUR_MS);
    let shown = stories.iter().filter(|story| story.terminated_at > since);
    look.unwrap().shown = shown.filter_map(|story| story.at(now)).collect();
    record
}

pub fn records() -> [Record; 3] {
    [whole(), broken(), odd()]
}

#[test]
fn lines_are_those_that_the_simulator_writes() {
    let archived = Archived::new(config(), 1, MINUTE_MS);
    let lines = Record::of(&stories(config(), 1), (0..=60).map(minute)).lines();
    assert_eq!(lines.concat(), archived.lines.concat());
}
