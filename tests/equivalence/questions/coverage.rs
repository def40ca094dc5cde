//! What an answer says of the period that it rests on, a second time.

use serde_json::{Value, json};

use crate::answered::ask;
use crate::known::{PAUSE_MS, Record, Span, minute, records, time};

/// Each window with what it is about.
fn spans() -> Vec<Span> {
    let mut spans = crate::known::windows().to_vec();
    spans.extend([
        Span::new(minute(240), minute(370)), // in the pause
        Span::new(minute(235), minute(375)), // the pause
        Span::new(minute(235) - 1, minute(375) + 1),
        Span::new(minute(370), minute(380)),
        Span::new(minute(375), minute(400)),
        Span::new(minute(200), minute(235)),
        Span::new(minute(-90), minute(-30)), // before the record
        Span::new(minute(-90), minute(0)),
        Span::new(minute(-90), minute(1)),
        Span::new(minute(-61), minute(1)),
        Span::new(minute(-61) - 1, minute(1)),
        Span::new(minute(-20), minute(-10)),
        Span::new(minute(470), minute(520)), // after it, by less than a pause
        Span::new(minute(470), minute(541)), // by as much, and by more
        Span::new(minute(470), minute(541) + 1),
        Span::new(minute(600), minute(700)),
    ]);
    spans
}

fn expected(record: &Record, span: Span) -> Value {
    let (first, last) = (record.looks[0].at, record.last_look());
    let (since, until) = (
        span.since.unwrap_or(i64::MIN),
        span.until.unwrap_or(i64::MAX),
    );
    // Before the record, from the beginning of the window, where that is too early for the first look to
    // show what ended since, or there is no look at all; it is asked long after.
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    if until <= first || span.since.is_some_and(|since| first - since > PAUSE_MS) {
        stretches.push((since, first));
    }
    stretches.extend(record.pauses());
    let is_open = span.since.is_some() && span.until.is_none();
    if is_open || span.until.is_some_and(|until| until - last > PAUSE_MS) {
        stretches.push((last, until));
    }
    stretches.retain(|(from, to)| from.saturating_add(1) < until && *to > since);
    let looks = record.looks.iter().filter(|look| span.has(look.at)).count();
    let covers = |(from, to): &(i64, i64)| *from <= since && *to >= until;
    let all = looks == 0 && stretches.iter().any(covers);
    let end = |at: i64, none: i64| (at != none).then(|| time(at));
    json!({
        "from": time(first), "to": time(last), "runs": u64::from(looks > 0), "gaps": [],
        "watched": match stretches.is_empty() {
            true => "all",
            false if all => "none",
            false => "part",
        },
        "unwatched": stretches
            .iter()
            .map(|(from, to)| json!({"since": end(*from, i64::MIN), "until": end(*to, i64::MAX)}))
            .collect::<Vec<_>>(),
    })
}

#[test]
fn every_answer_says_what_was_watched() {
    for record in records() {
        let place = record.imported();
        for span in spans() {
            for question in ["lifetimes", "ports"] {
                let answer = ask(&place, &[question], "", span);
                assert_eq!(
                    answer["coverage"],
                    expected(&record, span),
                    "{question} in {span:?}"
                );
            }
        }
    }
    let said = |span| expected(&records()[1], span)["watched"].clone();
    let all: Vec<Value> = spans().into_iter().map(said).collect();
    for watched in ["all", "part", "none"] {
        assert!(all.iter().filter(|w| *w == watched).count() > 1, "{all:?}");
    }
}
