//! Who held which port when, and how soon it was taken again, a second time. The simulator gives no
//! port to two at once, so some stories are made to share.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::answered::{ask, assert_rows, quantile, reasons, row};
use crate::known::{
    Known, Record, Span, Stands, broken, config, minute, odd, stories, time, windows,
};

/// Host, port and transport.
type Endpoint = (String, i64, String);

struct Hold<'a> {
    from: i64,
    until: Option<i64>,
    process: &'a Known,
}

impl Hold<'_> {
    /// Why its end is not known, of one that does not go on.
    fn end_unknown(&self) -> Option<&'static str> {
        match self.process.stands {
            Stands::Lost if self.until.is_none() => Some("lost"),
            Stands::Open => None,
            _ => self.until.is_none().then_some("no_end_time"),
        }
    }

    fn has_length(&self) -> bool {
        self.until != Some(self.from)
    }

    fn is_backward(&self) -> bool {
        self.until.is_some_and(|until| until < self.from)
    }

    fn of(&self, fields: &[&str]) -> Value {
        let latest = self.process.latest();
        let all = json!({
            "process_id": self.process.id(), "held_from": time(self.from),
            "held_until": self.until.map(time), "app_id": latest.app_id,
            "region": latest.region, "deployment_id": latest.deployment_id,
            "outcome": format!("{:?}", self.process.stands).to_lowercase(),
        });
        let mut some = json!({});
        for field in fields {
            some[*field] = all[*field].clone();
        }
        some
    }
}

/// What came before a hold.
enum Gap {
    First,
    Unknown,
    Overlap,
    Reuse(i64),
}

/// The last hold before one of an endpoint that lasted for any time.
fn before<'a, 'k>(holds: &'a [Hold<'k>], n: usize) -> Option<&'a Hold<'k>> {
    holds[..n].iter().rev().find(|hold| hold.has_length())
}

fn gap(hold: &Hold, before: Option<&Hold>) -> Gap {
    let Some(before) = before else {
        return Gap::First;
    };
    if !hold.has_length() && before.until.is_none_or(|until| hold.from < until) {
        return Gap::First;
    }
    if before.end_unknown().is_some() || before.is_backward() {
        return Gap::Unknown;
    }
    match before.until {
        Some(until) if until <= hold.from => Gap::Reuse(hold.from - until),
        _ => Gap::Overlap,
    }
}

/// Endpoint by endpoint, in order of the beginning, then of the process id.
fn holds(known: &[Known]) -> BTreeMap<Endpoint, Vec<Hold<'_>>> {
    let mut holds: BTreeMap<Endpoint, Vec<Hold>> = BTreeMap::new();
    for process in known {
        let mut first_shown: BTreeMap<Endpoint, i64> = BTreeMap::new();
        for (at, state) in &process.seen {
            for port in state
                .exposed_port
                .iter()
                .chain(&state.additional_exposed_ports)
            {
                let transport = match port.transport_type.as_str() {
                    "tls" => "tcp",
                    other => other,
                };
                let endpoint = (port.host.clone(), port.port, transport.to_owned());
                first_shown.entry(endpoint).or_insert(*at);
            }
        }
        for (endpoint, shown) in first_shown {
            holds.entry(endpoint).or_default().push(Hold {
                from: process
                    .started()
                    .unwrap_or_else(|| shown.min(process.end().unwrap_or(shown))),
                until: process.end(),
                process,
            });
        }
    }
    for holds in holds.values_mut() {
        holds.sort_by_key(|hold| (hold.from, hold.process.id().to_owned()));
    }
    holds
}

/// A fleet in which every ninth process says that it has the port of the one before, and every
/// fifteenth the first port of its host.
fn sharing() -> Record {
    let mut stories = stories(config(), 5);
    for n in 1..stories.len() {
        if n % 9 == 0 {
            let other = stories[n - 1].exposed_port.clone();
            stories[n].exposed_port = other;
        }
        if n % 15 == 1 {
            stories[n].exposed_port.port = 30_000;
            stories[n].exposed_port.transport_type = "tls".to_owned();
        }
    }
    let looks = (0..=300).filter(|n| !(100..110).contains(n) && !(200..262).contains(n));
    Record {
        complete: true,
        ..Record::of(&stories, looks.map(minute))
    }
}

fn all() -> [Record; 3] {
    [broken(), sharing(), odd()]
}

/// The numbers of the holds of one endpoint, or of all of a host.
fn numbers(endpoints: &[&Vec<Hold>], span: Span) -> (Value, Vec<&'static str>) {
    let (mut count, mut overlaps, mut gaps, mut excluded) = (0, 0, Vec::new(), Vec::new());
    for holds in endpoints {
        for (n, hold) in holds.iter().enumerate() {
            if !span.has(hold.from) {
                continue;
            }
            if hold.is_backward() {
                excluded.push("times_out_of_order");
                continue;
            }
            count += 1;
            match gap(hold, before(holds, n)) {
                Gap::First => {}
                Gap::Unknown => excluded.push("previous_end_unknown"),
                Gap::Overlap => overlaps += 1,
                Gap::Reuse(gap) => gaps.push(gap),
            }
        }
    }
    let numbers = json!({
        "holds": count, "reuses": gaps.len(), "overlaps": overlaps,
        "min_gap_ms": gaps.iter().min(), "p10_gap_ms": quantile(&gaps, 10),
        "median_gap_ms": quantile(&gaps, 50), "p90_gap_ms": quantile(&gaps, 90),
        "max_gap_ms": gaps.iter().max(),
    });
    (numbers, excluded)
}

#[test]
fn how_soon_ports_are_taken_again() {
    let (mut reuses, mut overlaps, mut left_out) = (0, 0, 0);
    for record in all() {
        let place = record.imported();
        let known = record.known();
        let holds = holds(&known);
        for span in windows() {
            let (mut rows, mut excluded) = (Vec::new(), Vec::new());
            for ((host, port, transport), holds) in &holds {
                let (numbers, more) = numbers(&[holds], span);
                excluded.extend(more);
                if numbers["holds"] != 0 {
                    let key = json!({"host": host, "port": port, "transport": transport});
                    rows.push(row(&key, numbers));
                }
            }
            let answer = ask(&place, &["ports"], "", span);
            assert_rows(&answer["rows"], &rows, &format!("{span:?}"));
            assert_eq!(answer["excluded"], reasons(excluded.clone()), "{span:?}");

            let hosts: BTreeSet<&String> = holds.keys().map(|endpoint| &endpoint.0).collect();
            let rows: Vec<Value> = hosts
                .into_iter()
                .map(|host| {
                    let of_host = holds.iter().filter(|(endpoint, _)| endpoint.0 == *host);
                    let of_host: Vec<&Vec<Hold>> = of_host.map(|(_, holds)| holds).collect();
                    row(&json!({"host": host}), numbers(&of_host, span).0)
                })
                .filter(|row| row["holds"] != 0)
                .collect();
            let answer = ask(&place, &["ports"], "host", span);
            assert_rows(&answer["rows"], &rows, &format!("by host in {span:?}"));
            assert_eq!(answer["excluded"], reasons(excluded.clone()), "{span:?}");
            let sum = |field: &str| rows.iter().map(|r| r[field].as_u64().unwrap()).sum::<u64>();
            reuses += sum("reuses");
            overlaps += sum("overlaps");
            left_out += excluded.len();
        }
    }
    assert!(
        reuses > 200 && overlaps > 10 && left_out > 5,
        "{reuses} {overlaps} {left_out}"
    );
}

#[test]
fn taken_again_too_soon() {
    for record in all() {
        let place = record.imported();
        let known = record.known();
        for span in windows() {
            for (within, said) in [(20_000, "20s"), (600_000, "10m"), (86_400_000, "1d")] {
                let mut rows = Vec::new();
                for ((host, port, transport), holds) in &holds(&known) {
                    for (n, hold) in holds.iter().enumerate() {
                        let before = before(holds, n);
                        let (Gap::Reuse(gap), Some(before)) = (gap(hold, before), before) else {
                            continue;
                        };
                        if gap > within || hold.is_backward() || !span.has(hold.from) {
                            continue;
                        }
                        let key = json!({
                            "host": host, "port": port, "transport": transport, "gap_ms": gap,
                            "previous_process_id": before.process.id(),
                            "previous_held_until": before.until.map(time),
                        });
                        let of = [
                            "process_id",
                            "held_from",
                            "app_id",
                            "region",
                            "deployment_id",
                        ];
                        rows.push(row(&key, hold.of(&of)));
                    }
                }
                let answer = ask(&place, &["ports", "--within", said], "", span);
                assert_rows(&answer["rows"], &rows, &format!("{said} in {span:?}"));
                let found = answer["rows"].as_array().unwrap();
                assert!(
                    found.is_sorted_by_key(|row| row["gap_ms"].as_i64()),
                    "soonest first"
                );
            }
        }
    }
}

/// Until when a hold is known to have lasted; none where it goes on.
fn lasted(hold: &Hold) -> Option<i64> {
    match hold.end_unknown() {
        Some(_) => Some(hold.process.last_seen()),
        None => hold.until,
    }
}

#[test]
fn held_by_two_at_once() {
    let mut most = 0;
    for record in all() {
        let place = record.imported();
        let known = record.known();
        let holds = holds(&known);
        for span in windows() {
            for region in [None, Some("London")] {
                let passes = |hold: &Hold| region.is_none_or(|r| hold.process.latest().region == r);
                let mut rows = Vec::new();
                for ((host, port, transport), holds) in &holds {
                    for (n, earlier) in holds.iter().enumerate() {
                        for later in &holds[n + 1..] {
                            if !passes(earlier) && !passes(later) {
                                continue;
                            }
                            let ends = [earlier, later].map(|h| lasted(h).unwrap_or(i64::MAX));
                            let over = ends[0].min(ends[1]);
                            if span.clip(later.from, over).is_none() {
                                continue;
                            }
                            // The earlier end, if it is one that is known.
                            let known_end = |h: &Hold| h.until.filter(|until| *until == over);
                            let until = known_end(earlier).or(known_end(later));
                            let ids = [earlier, later]
                                .map(|h| h.of(&["process_id", "held_from", "held_until"]));
                            rows.push(json!({
                                "host": host, "port": port, "transport": transport,
                                "since": time(later.from), "until": until.map(time),
                                "shared_ms": until.map(|until| until - later.from),
                                "process_id": ids[0]["process_id"],
                                "held_from": ids[0]["held_from"],
                                "held_until": ids[0]["held_until"],
                                "other_process_id": ids[1]["process_id"],
                                "other_held_from": ids[1]["held_from"],
                                "other_held_until": ids[1]["held_until"],
                            }));
                        }
                    }
                }
                most = most.max(rows.len());
                let mut words = vec!["ports", "--conflicts"];
                words.extend(region.iter().flat_map(|region| ["--region", region]));
                let answer = ask(&place, &words, "", span);
                let what = format!("{words:?} in {span:?}");
                assert_rows(&answer["rows"], &rows, &what);
                let found = answer["rows"].as_array().unwrap();
                assert!(
                    found.is_sorted_by_key(|row| row["since"].as_str()),
                    "{what}"
                );
                if span.since.is_none() && span.until.is_none() && region.is_none() {
                    let of_all = holds.values().flatten();
                    let unknown = of_all.filter_map(Hold::end_unknown);
                    assert_eq!(answer["excluded"], reasons(unknown), "{what}");
                }
            }
        }
    }
    assert!(most > 40, "{most}");
}

#[test]
fn who_held_an_endpoint() {
    for record in all() {
        let place = record.imported();
        let known = record.known();
        let holds = holds(&known);
        let mut busiest: Vec<_> = holds.keys().collect();
        busiest.sort_by_key(|endpoint| std::cmp::Reverse(holds[endpoint].len()));
        for (host, port, _) in busiest.into_iter().take(2) {
            let name = format!("{host}:{port}");
            let of_both = holds.iter().filter(|(e, _)| e.0 == *host && e.1 == *port);
            let with_gaps: Vec<(&Hold, Value)> = of_both
                .flat_map(|((_, _, transport), holds)| {
                    holds.iter().enumerate().map(move |(n, hold)| {
                        let before = before(holds, n);
                        let length = before
                            .filter(|before| {
                                before.end_unknown().is_none() && !before.is_backward()
                            })
                            .and_then(|before| Some(hold.from - before.until?));
                        let of = [
                            "process_id",
                            "held_from",
                            "held_until",
                            "outcome",
                            "app_id",
                            "region",
                            "deployment_id",
                        ];
                        let key = json!({"gap_ms": length, "transport": transport});
                        (hold, row(&key, hold.of(&of)))
                    })
                })
                .collect();
            for span in windows() {
                let touches = |hold: &Hold| {
                    span.until.is_none_or(|until| hold.from < until)
                        && span
                            .since
                            .is_none_or(|since| hold.until.is_none_or(|until| since < until))
                };
                let rows: Vec<Value> = with_gaps
                    .iter()
                    .filter(|(hold, _)| touches(hold))
                    .map(|(_, row)| row.clone())
                    .collect();
                let answer = ask(&place, &["ports", "--endpoint", &name], "", span);
                assert_rows(&answer["rows"], &rows, &format!("{name} in {span:?}"));
            }
            // At every edge of some holds, and a millisecond before and after.
            let edges: BTreeSet<i64> = with_gaps
                .iter()
                .flat_map(|(hold, _)| [Some(hold.from), hold.until, Some(hold.process.last_seen())])
                .flatten()
                .collect();
            let moments = edges
                .iter()
                .step_by(9)
                .flat_map(|edge| [edge - 1, *edge, edge + 1]);
            for moment in moments {
                let (mut rows, mut excluded) = (Vec::new(), Vec::new());
                for (hold, row) in &with_gaps {
                    if hold.from > moment || hold.until.is_some_and(|until| until <= moment) {
                        continue;
                    }
                    match hold.end_unknown() {
                        Some(why) if hold.process.last_seen() < moment => excluded.push(why),
                        _ => rows.push(row.clone()),
                    }
                }
                let moment = time(moment);
                let words = ["ports", "--endpoint", &name, "--at", &moment];
                let answer = ask(&place, &words, "", Span::default());
                assert_rows(&answer["rows"], &rows, &format!("{words:?}"));
                assert_eq!(answer["excluded"], reasons(excluded), "{words:?}");
            }
        }
    }
}
