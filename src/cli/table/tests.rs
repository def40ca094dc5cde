use serde_json::json;

use super::*;

#[test]
fn values_carry_their_units() {
    for (field, value, text) in [
        ("p50_ms", json!(8_040_000), "2h 14m"),
        ("p50_ms", json!(8_039_999.7), "2h 14m"),
        ("created_at_ms", json!(8_040_000), "8040000"),
        ("survival_until_ms", json!(8_040_000), "2h 14m"),
        ("rate_low", json!(0.0312), "3.1%"),
        (
            "changed",
            json!(["status", "started_at"]),
            "status, started_at",
        ),
        ("extra", Value::Null, "–"),
        (
            "deployment_ids",
            json!([42, "42", "dep-1"]),
            "42, \"42\", dep-1",
        ),
        (
            "exposed_port",
            json!({"host": "a", "port": 72941, "name": "n", "transportType": "tls"}),
            "a:72941/tls",
        ),
        (
            "region",
            json!("a\u{1b}[2J\u{202e}b"),
            "a\\u{1b}[2J\\u{202e}b",
        ),
    ] {
        assert_eq!(shown(field, &value), text, "{field}");
    }
}

#[test]
fn a_pipe_gets_plain_aligned_text() {
    let rows = [
        vec![json!("a"), json!(5), Value::Null],
        vec![json!("bcd"), json!(123_456), json!(1_500)],
    ];
    assert_eq!(
        draw(&["host", "holds", "min_gap_ms"], &rows, Look::Plain),
        " host   holds  min gap\n a          5        –\n bcd   123456     1.5s\n"
    );
    assert_eq!(
        markdown(&["host", "gap_ms"], &[vec![json!("a|b"), json!(5)]]),
        "| host | gap |\n| --- | --- |\n| a\\|b | 5ms |\n"
    );
}

/// What a column of that name holds, as long as it gets.
fn sample(field: &str, row: usize) -> Value {
    let time = format!("2024-05-01T23:59:5{row}.999Z");
    let id = format!("cbfcddd2-0006-43ae-996c-995fff7bed2{row}");
    match field {
        "" => json!("████████████"),
        "share of new" => json!("▁▂▃▄▅▆▇█▁▂▃▄▅▆▇█▁▂▃ ▅▆▇█"),
        _ if field.starts_with("spread from") => json!(" ▁▂ ▄▅▆▇█"),
        "app_id" => json!("app-bb343ad3-31b9-43b6-885f-26a39b9f7e63"),
        "process_id" | "previous_process_id" | "other_process_id" => json!(id),
        "day" => json!("2024-05-01"),
        "hour" | "at" | "since" | "until" | "held_from" | "held_until" => json!(time),
        _ if is_duration(field) => json!(i64::try_from(row).unwrap_or(0) * 1000 + 3_540_000),
        _ if field.ends_with("_at") || field.contains("held_") => json!(time),
        _ if field.contains("deployment_id") => json!(4400 + row),
        _ if is_share(field) || field.starts_with("difference") => json!(0.289_109),
        "host" => json!(format!("39075{row}.los_angeles.sim.example")),
        "region" => json!(["Los_Angeles", "Washington_DC"][row % 2]),
        "transport" => json!("tcp"),
        "outcome" | "status" | "state" | "phase" | "result" | "kind" | "of" => {
            json!("provisioning")
        }
        "changed" => json!(["exposed_port", "rooms_allocated", "started_at"]),
        "filter" => json!("app=app-bb343ad3-31b9-43b6-885f-26a39b9f7e63 region=Tokyo"),
        "error" => json!("timed out: no answer from https://api.example/v2/processes/list/latest"),
        _ => json!(123_456 + row),
    }
}

/// The columns that people are shown, command by command, at the widths of terminals: everything is
/// there, no line is longer than the terminal, and nothing is broken but between words.
#[test]
fn nothing_is_broken_on_any_terminal() {
    use prochist::history::*;
    let grouped = |groups: &[&'static str], fields: &[&'static str], drawn: &'static str| {
        let mut all = groups.to_vec();
        all.extend(fields);
        if drawn != "-" {
            all.push(drawn);
        }
        all
    };
    let every_group = ["app_id", "region", "deployment_id", "day", "hour"];
    let spread = "spread from 896ms to 5h 15m";
    let mut sets: Vec<Vec<&str>> = Vec::new();
    for groups in [&[][..], &every_group[1..3], &every_group[..]] {
        sets.push(grouped(groups, LifetimeRow::FIELDS, spread));
        sets.push(grouped(groups, FailureRow::FIELDS, "-"));
        sets.push(grouped(groups, ConcurrencyRow::FIELDS, ""));
        sets.push(grouped(groups, UsageRow::FIELDS, ""));
        sets.push(grouped(groups, RoomRow::FIELDS, ""));
        sets.push(grouped(groups, BurstRow::FIELDS, "-"));
        sets.push(grouped(groups, AtCountRow::FIELDS, "-"));
        sets.push(grouped(groups, ShareRow::FIELDS, ""));
        sets.push(grouped(groups, RolloutRow::FIELDS, "share of new"));
    }
    let plain = [
        PortRow::FIELDS,
        TooSoonRow::FIELDS,
        ConflictRow::FIELDS,
        HolderRow::FIELDS,
        LongLivedRow::FIELDS,
        ZombieRow::FIELDS,
        AtRow::FIELDS,
        VersionRow::FIELDS,
        CoverageGap::FIELDS,
        RunRow::FIELDS,
        ComparisonRow::FIELDS,
    ];
    sets.extend(plain.map(<[_]>::to_vec));
    for fields in &sets {
        for n in [0, 1, 3] {
            let rows: Vec<Vec<Value>> = (0..n)
                .map(|row| fields.iter().map(|field| sample(field, row)).collect())
                .collect();
            for room in [80, 100, 120, 200] {
                is_whole_in(fields, &rows, room);
            }
        }
    }
}

fn is_whole_in(fields: &[&str], rows: &[Vec<Value>], room: usize) {
    let text = draw_in(fields, rows, Look::Lines, Some(room));
    for line in text.lines() {
        // A word that is longer than the terminal is left as it is.
        assert!(
            fit::width(line) <= room || line.contains("https://"),
            "{room}:\n{text}"
        );
    }
    let (mut headings, mut values) = (Vec::new(), Vec::new());
    for (i, field) in fields.iter().enumerate() {
        headings.push(heading(field));
        for row in rows {
            let value = shown(field, &row[i]);
            match is_whole(field, &row[i]) {
                true => assert!(
                    text.contains(value.trim_end()),
                    "{field} in {room}:\n{text}"
                ),
                false => values.push(value),
            }
        }
    }
    let bare = |word: &str| word.trim_end_matches([':', ',']).to_owned();
    let parts: Vec<String> = text.split([' ', '\n', '│', '┆']).map(bare).collect();
    for words in headings.iter().chain(&values) {
        for word in words.split(' ').map(bare) {
            assert!(parts.contains(&word), "{word:?} in {room}:\n{text}");
        }
    }
}

#[test]
fn what_does_not_fit_is_drawn_without_what_is_alike_and_then_as_records() {
    let fields = ["process_id", "app_id", "held_from", "gap_ms"];
    let row = |i: usize, app: &str| {
        let mut row: Vec<Value> = fields.iter().map(|field| sample(field, i)).collect();
        row[1] = json!(app);
        row
    };
    let begin = |rows: &[Vec<Value>], room| {
        let text = draw_in(&fields, rows, Look::Lines, Some(room));
        text.lines().take(3).map(str::to_owned).collect::<Vec<_>>()
    };
    let demo = [row(1, "demo app"), row(2, "demo app")];
    let wide = begin(&demo, 100);
    assert!(wide[1].starts_with("│ process id  "), "{wide:#?}");
    assert!(wide[1].contains("┆ app id "), "{wide:#?}");
    let narrow = begin(&demo, 80);
    assert_eq!(narrow[..2], ["app id: demo app", ""], "{narrow:#?}");
    assert!(narrow[2].starts_with('┌'), "{narrow:#?}");
    let narrower = begin(&demo, 76);
    assert!(narrower[2].starts_with(" process id  "), "{narrower:#?}");
    assert_eq!(
        begin(&demo, 60),
        [
            "app id: demo app",
            "",
            "process id       cbfcddd2-0006-43ae-996c-995fff7bed21"
        ]
    );
    // One row has nothing in common with others.
    assert_eq!(
        begin(&demo[..1], 60)[..2],
        [
            "process id       cbfcddd2-0006-43ae-996c-995fff7bed21",
            "app id           demo app"
        ]
    );
    // Where nothing tells them apart, there are still as many of them.
    let twice = draw_in(&fields, &[row(1, "a"), row(1, "a")], Look::Lines, Some(60));
    assert_eq!(twice.matches("process id").count(), 2, "{twice}");
    // A pipe has no width.
    let piped = draw(&fields, &demo, Look::Plain);
    assert_eq!(piped.lines().count(), 3, "{piped}");
    assert_eq!(piped.matches("demo app").count(), 2, "{piped}");
}

#[test]
fn long_texts_are_broken_between_words() {
    let rows = [vec![
        json!(7),
        json!("to be, or not to be, that is the question"),
    ]];
    assert_eq!(
        draw_in(&["n", "says"], &rows, Look::Lines, Some(30)),
        "┌───┬────────────────────────┐\n\
         │ n ┆ says                   │\n\
         ╞═══╪════════════════════════╡\n\
         │ 7 ┆ to be, or not to be,   │\n\
         │   ┆ that is the question   │\n\
         └───┴────────────────────────┘\n"
    );
    assert_eq!(
        prose("one two three\n\nfour\n", Some(8)),
        "one two\nthree\n\nfour\n"
    );
    assert_eq!(prose("one two three\n", None), "one two three\n");
}
