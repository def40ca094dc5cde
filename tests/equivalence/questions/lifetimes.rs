//! How long processes lived, a second time: each survival by its definition, length by length.

use serde_json::{Value, json};

use crate::answered::{ask, assert_rows, group, grouped, quantile, reasons, row};
use crate::known::{
    Known, PHASES, Record, Span, Stands, Went, paused, records, time, whole, windows,
};

/// A process in one phase.
struct Lasted<'a> {
    record: &'a Record,
    /// When the phase began, and from when on it could be seen.
    begin: i64,
    from: i64,
    length: i64,
    ended: bool,
    lost: bool,
}

impl Lasted<'_> {
    fn is_delayed(&self) -> bool {
        !self.record.sees_beginning(self.from)
    }

    fn is_at_risk(&self, at: i64) -> bool {
        let moment = self.begin + at;
        let is_seen = match moment <= self.from {
            true => self.record.sees_beginning(self.from),
            false => self.record.sees(moment),
        };
        self.length >= at && is_seen
    }

    /// The lengths at which it leaves those at risk: for good, or for a pause.
    fn leaves(&self) -> Vec<i64> {
        let pauses = self.record.pauses().into_iter();
        let into_pause = pauses.map(|(since, _)| since - self.begin);
        let leaves = into_pause.filter(|at| (0..self.length).contains(at));
        leaves
            .chain([self.length, self.from - self.begin])
            .collect()
    }
}

/// The last length for which the product-limit estimate is known, −1 where it is for none: just before
/// the first at which nobody is watched who goes on, though somebody is later; else the greatest at
/// which anybody is.
fn known_until(lasted: &[Lasted]) -> i64 {
    let watched = lasted.iter().flat_map(|l| {
        let last = l.leaves().into_iter().filter(|at| l.is_at_risk(*at));
        last.max()
    });
    let Some(last) = watched.max() else {
        return -1;
    };
    let goes_on = |at: i64| {
        let mut at_risk = lasted.iter().filter(|l| l.is_at_risk(at));
        at_risk.any(|l| l.length > at || !l.ended)
    };
    // Nobody leaves but at a length, and is missing from the one after.
    let leaves = lasted
        .iter()
        .flat_map(Lasted::leaves)
        .flat_map(|at| [at, at + 1]);
    let undetermined = leaves.chain([0]).filter(|at| *at < last && !goes_on(*at));
    undetermined.min().map_or(last, |at| at - 1)
}

/// The product-limit estimate: the earliest length by which so many hundredths have ended.
fn survival(lasted: &[Lasted], num: u32) -> Option<i64> {
    let until = known_until(lasted);
    let mut ends: Vec<i64> = lasted
        .iter()
        .filter(|l| l.ended && l.length <= until)
        .map(|l| l.length)
        .collect();
    ends.sort_unstable();
    ends.dedup();
    let left = 1.0 - f64::from(num) / 100.0;
    let mut survival = 1.0;
    for at in ends {
        let at_risk: Vec<&Lasted> = lasted.iter().filter(|l| l.is_at_risk(at)).collect();
        let ended = at_risk.iter().filter(|l| l.ended && l.length == at).count();
        if ended == 0 {
            continue;
        }
        survival *= 1.0 - ended as f64 / at_risk.len() as f64;
        // Where the truth is exactly at the mark, a product of fractions may end a bit above it.
        if survival <= left + 1e-12 {
            return Some(at);
        }
    }
    None
}

fn expected(record: &Record, by: &str, span: Span) -> (Vec<Value>, Value) {
    let known = record.known();
    let inside: Vec<&Known> = known.iter().filter(|p| span.has(p.created())).collect();
    let mut lasted = Vec::new();
    let mut excluded = Vec::new();
    for process in inside {
        for phase in PHASES {
            let went = match process.phase(phase) {
                Went::Ended(from, to) => Some((from, to, true)),
                Went::Censored(from, seen) => Some((from, seen, false)),
                Went::Excluded(why) => {
                    excluded.push(format!("{phase}.{why}"));
                    None
                }
                Went::NotReached => None,
            };
            let mut key = group(by, process.latest(), process.created());
            key["phase"] = json!(phase);
            // A group has a row for each phase, though nobody may have reached it.
            let went = went.map(|(begin, to, ended)| Lasted {
                record,
                begin,
                // A phase that is said to begin before its process was not missed till then.
                from: begin.max(process.created()).min(to),
                length: to - begin,
                ended,
                lost: process.stands == Stands::Lost,
            });
            lasted.push((key, went));
        }
    }
    let rows = grouped(lasted)
        .into_iter()
        .map(|(key, lasted)| {
            let lasted: Vec<Lasted> = lasted.into_iter().flatten().collect();
            let ended: Vec<i64> = lasted
                .iter()
                .filter(|l| l.ended)
                .map(|l| l.length)
                .collect();
            let n = ended.len() as i64;
            let mean = (n > 0).then(|| (2 * ended.iter().sum::<i64>() + n).div_euclid(2 * n));
            let numbers = json!({
                "n": n,
                "censored": lasted.len() as i64 - n,
                "lost": lasted.iter().filter(|l| !l.ended && l.lost).count(),
                "delayed": lasted.iter().filter(|l| l.is_delayed()).count(),
                "mean_ms": mean,
                "p50_ms": quantile(&ended, 50),
                "p90_ms": quantile(&ended, 90),
                "p99_ms": quantile(&ended, 99),
                "max_ms": ended.iter().max(),
                "survival_p50_ms": survival(&lasted, 50),
                "survival_p90_ms": survival(&lasted, 90),
                "survival_until_ms": (!lasted.is_empty()).then(|| known_until(&lasted).max(0)),
            });
            row(&key, numbers)
        })
        .collect();
    (rows, reasons(excluded))
}

#[test]
fn every_phase_of_every_group() {
    for record in records().into_iter().chain([paused()]) {
        let place = record.imported();
        for by in ["", "region,deployment", "region,deployment,hour"] {
            for span in windows() {
                let answer = ask(&place, &["lifetimes"], by, span);
                let (rows, excluded) = expected(&record, by, span);
                let what = format!("by {by} in {span:?}");
                assert_rows(&answer["rows"], &rows, &what);
                assert_eq!(answer["excluded"], excluded, "{what}");
            }
        }
    }
}

/// The cases that the test above is for do come up.
#[test]
fn the_fleets_show_what_there_is_to_count() {
    let of = |record: &Record, by: &str| expected(record, by, Span::default()).0;
    let [whole, broken, _] = records();
    let sum = |rows: &[Value], field: &str| -> i64 {
        rows.iter().map(|row| row[field].as_i64().unwrap()).sum()
    };
    for record in [&whole, &broken] {
        let rows = of(record, "");
        assert!(
            sum(&rows, "delayed") > 30 && sum(&rows, "censored") > 20,
            "{rows:#?}"
        );
        assert!(
            rows.iter()
                .all(|row| row["survival_p90_ms"] != row["p90_ms"])
        );
    }
    // Groups of which nobody was watched while young, and such of which somebody was, but not all along.
    let rows = records().map(|record| of(&record, "region,deployment"));
    let known = rows
        .iter()
        .flatten()
        .filter_map(|row| Some((row["survival_until_ms"].as_i64()?, row["max_ms"].as_i64()?)));
    let until: Vec<(i64, i64)> = known.collect();
    assert!(until.iter().filter(|(until, _)| *until == 0).count() > 3);
    assert!(
        until
            .iter()
            .filter(|(until, max)| (1..*max).contains(until))
            .count()
            > 3
    );
    let known = broken.known();
    let [(pause, look)] = broken.pauses()[..] else {
        panic!("one pause");
    };
    let came = |p: &&Known| (pause + 1..look).contains(&p.created());
    assert!(
        known.iter().filter(came).count() > 5,
        "delayed by the pause"
    );
    let (known, pauses) = (paused().known(), paused().pauses());
    let lived_on = |p: &&Known| p.created() < pauses[0].0 && p.last_seen() > pauses[0].1;
    assert!(known.iter().filter(lived_on).count() > 2, "out of sight");
    let known = broken.known();
    let lost = known.iter().filter(|p| p.stands == Stands::Lost);
    assert!(lost.count() > 10);
}

#[test]
fn whoever_lived_longer() {
    for record in records() {
        let place = record.imported();
        for span in windows() {
            for (length, said) in [(1, "1ms"), (1_200_000, "20m")] {
                let mut expected: Vec<Value> = Vec::new();
                for process in record.known() {
                    let terminated = process.terminated();
                    let lifetime = terminated.map(|end| end - process.created());
                    let age =
                        (!process.has_ended()).then(|| process.last_seen() - process.created());
                    if !span.has(process.created())
                        || lifetime.or(age).is_none_or(|lasted| lasted <= length)
                    {
                        continue;
                    }
                    let latest = process.latest();
                    expected.push(json!({
                        "process_id": process.id(), "app_id": latest.app_id,
                        "region": latest.region, "deployment_id": latest.deployment_id,
                        "outcome": format!("{:?}", process.stands).to_lowercase(),
                        "created_at": time(process.created()),
                        "last_seen_at": time(process.last_seen()),
                        "lifetime_ms": lifetime, "age_so_far_ms": age,
                    }));
                }
                let answer = ask(&place, &["lifetimes", "--longer-than", said], "", span);
                assert_rows(&answer["rows"], &expected, &format!("{said} in {span:?}"));
                let rows = answer["rows"].as_array().unwrap();
                let lengths: Vec<i64> = rows
                    .iter()
                    .map(|row| {
                        row["lifetime_ms"]
                            .as_i64()
                            .or(row["age_so_far_ms"].as_i64())
                            .unwrap()
                    })
                    .collect();
                assert!(lengths.is_sorted_by(|a, b| a >= b), "the longest first");
            }
        }
    }
    // One that lived just so long is not among those who lived longer.
    let record = whole();
    let place = record.imported();
    let mut lengths: Vec<i64> = record
        .known()
        .iter()
        .filter_map(|p| Some(p.terminated()? - p.created()))
        .collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    let rows = place.rows(&["lifetimes", "--longer-than", &format!("{median}ms")]);
    let listed = rows
        .iter()
        .filter(|row| row["lifetime_ms"].is_i64())
        .count();
    let longer = lengths.iter().filter(|length| **length > median).count();
    assert_eq!(listed, longer);
}
