//! What an answer says of the period that it rests on, a second time.

use serde_json::{Value, json};

use crate::answered::ask;
use crate::known::{Record, Span, minute, records, time};
use crate::truth::HOUR_MS;

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
        Span::new(minute(470), minute(520)), // after it, by less than an hour
        Span::new(minute(470), minute(540)), // by an hour, and by more
        Span::new(minute(470), minute(540) + 1),
        Span::new(minute(600), minute(700)),
    ]);
    spans
}

fn expected(record: &Record, span: Span) -> Value {
    let (first, last) = (record.looks[0].at, record.last_look());
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    // Before the record, from the beginning of the window, if it has one.
    stretches.extend(
        span.since
            .filter(|since| *since < first)
            .map(|since| (since, first)),
    );
    stretches.extend(record.pauses());
    match (span.since, span.until) {
        (_, Some(until)) if until - last > HOUR_MS => stretches.push((last, until)),
        // It is asked long after.
        (Some(_), None) => stretches.push((last, i64::MAX)),
        _ => {}
    }
    let since = span.since.unwrap_or(i64::MIN);
    let until = span.until.unwrap_or(i64::MAX);
    stretches.retain(|(from, to)| *from < until && *to > since);
    let looks = record.looks.iter().filter(|look| span.has(look.at)).count();
    let covers = |(from, to): &(i64, i64)| *from <= since && *to >= until;
    let all = looks == 0 && stretches.iter().any(covers);
    json!({
        "from": time(first), "to": time(last), "runs": u64::from(looks > 0), "gaps": [],
        "watched": match stretches.is_empty() {
            true => "all",
            false if all => "none",
            false => "part",
        },
        "unwatched": stretches
            .iter()
            .map(|(from, to)| {
                let until = (*to < i64::MAX).then(|| time(*to));
                json!({"since": time(*from), "until": until})
            })
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
