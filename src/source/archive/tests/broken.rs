//! Every way to be broken, and that it costs only itself.

use super::*;

#[test]
fn broken_input_costs_only_itself() {
    let (a, b) = (process("a"), process("b"));
    let n = a.len();
    let s1 = snapshot(1, &["a"]);
    let twice = a.replacen('{', r#"{"status":"failed","#, 1);
    let bad_time = a.replace("2024-10-24T07:25:32.141Z", "later");
    let torn = &a[..60];
    let cases: Vec<(String, Vec<String>)> = vec![
        ("".into(), vec!["- | 1: empty file <0>".into()]),
        ("\n \r\n".into(), vec!["- | 3: empty file <0>".into()]),
        (
            format!("{a}\nnot json at all\n{b}\n"),
            vec!["*9 a b | 2: not JSON <15>".into()],
        ),
        (
            format!("oops\n{a}\n"),
            vec!["*9 a | 1: not JSON <4>".into()],
        ),
        (
            format!("oops\n{s1}\nnull\n"),
            vec![
                "- | 1: not JSON <4>".into(),
                "1 a".into(),
                "- | 3: neither a process nor a snapshot <4>".into(),
            ],
        ),
        (
            r#"{"message":"Not found"}"#.into(),
            vec!["- | 1: neither a process nor a snapshot <23>".into()],
        ),
        (
            "<html>\n</html>\n".into(),
            vec!["- | 1: not JSON <6>; 2: not JSON <7>".into()],
        ),
        (
            format!("{a}\n{torn}\n{b}\n"),
            vec!["*9 a b | 2: cut off <60>".into()],
        ),
        (
            format!("{torn}\n{b}\n"),
            vec!["*9 b | 1: cut off <60>".into()],
        ),
        (
            format!("{a}\n{torn}"),
            vec!["*9 a | 2: cut off <60>".into()],
        ),
        (
            format!("[{a},\n{b},\n{torn}"),
            vec!["*9 a b | 3: cut off after 2 records <60>".into()],
        ),
        (
            format!("[{a},\n{b}"),
            vec!["*9 a b | 2: cut off after 2 records <0>".into()],
        ),
        (
            format!("[{a}\n{b}]\n{b}"),
            vec![
                "*9 a b b | 1: cut off after 1 records <0>; 2: not JSON <1>".into(),
            ],
        ),
        (
            format!("[{a} {b}]\n{b}"),
            vec![format!(
                "*9 a b | 1: not JSON after 1 records <{}>",
                n + 1
            )],
        ),
        (
            format!("[{a}, 17, {{\"processId\": tru}}, {b}]"),
            vec![
                "*9 a b | 1: record 2: invalid type: integer `17`, expected a ProcessV2 object at line 1 column 2 <2>; 1: record 3: not JSON: processId: expected ident at line 1 column 18 <18>".into(),
            ],
        ),
        (
            format!("{twice}\n{a}"),
            vec![format!(
                "*9 a | 1: duplicate field `status` at line 1 column X <{}>",
                twice.len()
            )],
        ),
        (
            format!("[\n{a},\n{bad_time}\n]"),
            vec![format!(
                "*9 a | 3: record 2: createdAt: \"later\" is not an RFC 3339 time at line 1 column X <{}>",
                bad_time.len()
            )],
        ),
        (
            format!("{}\n{s1}", snapshot(2, &["a", "b"]).replacen("\"region\"", "\"r\"", 1)),
            vec![
                format!("2 b | 1: record 1: missing field `region` at line 1 column X <{}>", n - 5),
                "1 a".into(),
            ],
        ),
        (
            s1[..s1.len() - 2].into(),
            vec!["1 a | 1: cut off after 1 records <0>".into()],
        ),
        (
            format!("{}\n{s1}", &s1[..s1.len() - 12]),
            vec![
                format!("1 | 1: cut off after 0 records <{}>", n - 10),
                "1 a".into(),
            ],
        ),
        (
            format!("{}\n{s1}", s1.replace("observedAt", "seenAt")),
            vec![
                format!("- | 1: a snapshot without observedAt <{}>", s1.len() - 4),
                "1 a".into(),
            ],
        ),
        (
            s1.replace("2024-05-01T", ""),
            vec![format!(
                "- | 1: observedAt: \"00:00:01.000Z\" is not an RFC 3339 time at line 1 column 28 <{}>",
                s1.len() - 11
            )],
        ),
        (
            format!("{s1} trailing"),
            vec!["1 a".into(), "- | 1: not JSON <8>".into()],
        ),
        (
            "\0\0\0\0\n".repeat(2) + &a,
            vec!["*9 a | 1: not JSON <4>; 2: not JSON <4>".into()],
        ),
        (
            "SQLite format 3\0\u{10}\0\nrest\n".into(),
            vec!["- | 1: binary data; only its beginning is kept <18>".into()],
        ),
    ];
    for (text, expected) in cases {
        let found: Vec<String> = read(text.as_str()).iter().map(|t| blur(t)).collect();
        let expected: Vec<String> = expected.iter().map(|t| blur(t)).collect();
        assert_eq!(found, expected, "{text}");
    }
}

/// Columns say where in a record of no interest here.
fn blur(text: &str) -> String {
    let mut parts = text.split(" column ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += " column _";
        out += part.split_once(' ').map_or("", |(_, rest)| rest);
    }
    out
}

#[test]
fn invalid_utf8_costs_one_record() {
    let (a, b) = (process("a"), process("b"));
    let mut spoilt = process("c").into_bytes();
    let place = spoilt.windows(7).position(|w| w == b"Seattle");
    spoilt[place.expect("there")] = 0xff;
    for text in [
        [a.as_bytes(), b"\n", &spoilt, b"\n", b.as_bytes()].concat(),
        [
            b"[",
            a.as_bytes(),
            b",\n",
            &spoilt,
            b",",
            b.as_bytes(),
            b"]",
        ]
        .concat(),
    ] {
        let found = read(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("*9 a b | 2: "), "{found:?}");
        assert!(found[0].contains("invalid unicode"), "{found:?}");
    }
}

#[test]
fn a_compressed_file_that_was_cut_keeps_what_came_before() {
    let count = 2000;
    let lines: Vec<String> = (0..count).map(|i| snapshot(i, &["a", "b"])).collect();
    let text = lines.join("\n");
    for whole in [gzip(text.as_bytes()), zstd(text.as_bytes())] {
        for (cut, least) in [(whole.len() / 2, 500), (whole.len() - 1, 1500)] {
            let found = read(&whole[..cut]);
            let (last, before) = found.split_last().expect("at least what was set aside");
            assert!(last.contains("cut off"), "{last}");
            let good = before.iter().filter(|t| t.ends_with("a b")).count();
            assert_eq!(good, before.len());
            assert!(good > least, "{good}");
        }
        let found = read(&whole[..5]);
        assert!(
            found[0].starts_with("- | ?: could not be read: "),
            "{found:?}"
        );
    }
    let trailing = [gzip(snapshot(1, &["a"]).as_bytes()), b"rubbish".to_vec()].concat();
    let found = read(trailing);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], "1 a");
    assert!(found[1].starts_with("- | 2: cut off: "), "{found:?}");
    assert!(read(b"\x1f\x8b\x08rubbish".to_vec())[0].starts_with("- | ?: could not be read: "));
    assert!(read(b"\x28\xb5\x2f\xfdrubbish".to_vec())[0].starts_with("- | ?: could not be read: "));
}

#[test]
fn every_cut_of_a_file_is_read_without_panic_and_loses_no_whole_record() {
    let text = format!(
        "[{},\n{}]\n{}\n",
        process("a"),
        process("b"),
        snapshot(1, &["c"])
    );
    for end in 0..text.len() {
        let found = read(&text.as_bytes()[..end]);
        let ids = found
            .iter()
            .map(|t| t.split(" | ").next().unwrap_or_default());
        let ids: Vec<&str> = ids.flat_map(|t| t.split(' ').skip(1)).collect();
        let whole = usize::from(end > process("a").len())
            + usize::from(end > 2 * process("a").len() + 2)
            + usize::from(end > text.len() - 4);
        assert_eq!(
            ids.iter().filter(|i| !i.is_empty()).count(),
            whole,
            "{end}: {found:?}"
        );
    }
}

#[test]
fn what_is_too_long_is_passed_over_without_being_held() {
    let limits = Limits {
        value: 3000,
        raw: 100,
        kept: 3000,
    };
    let long = snapshot(1, &["a"; 20]);
    let spread = long.replace(',', ",\n");
    for long in [
        long.clone(),
        spread,
        format!("\"{}\"", "x".repeat(5000)),
        format!("[{long}]"),
    ] {
        let text = format!("{}\n{long}\n{}\n", snapshot(0, &["a"]), snapshot(2, &["b"]));
        let input = Input::Stdin(Box::new(Cursor::new(text.into_bytes())));
        let archive = Archive::open_limited(vec![input], Options::default(), limits);
        let found: Vec<Piece> = archive.expect("readable").collect();
        let told = told(found.clone());
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!((&*told[0], &*told[2]), ("0 a", "2 b"));
        assert!(told[1].starts_with("- | 2: "), "{told:?}");
        assert!(told[1].contains("only its beginning is kept"), "{told:?}");
        assert_eq!(found[1].set_aside[0].raw, long.as_bytes()[..100]);
    }
}

#[test]
fn of_what_is_long_and_not_understood_the_beginning_is_kept() {
    let limits = Limits {
        value: 3000,
        raw: 100,
        kept: 500,
    };
    for (length, kept) in [(490, 490), (510, 100)] {
        let bad = format!("{{\"x\":\"{}\"}}", "y".repeat(length - 8));
        let text = format!("{}\n{bad}\n{}\n", snapshot(0, &["a"]), snapshot(2, &["b"]));
        let input = Input::Stdin(Box::new(Cursor::new(text.into_bytes())));
        let archive = Archive::open_limited(vec![input], Options::default(), limits);
        let found: Vec<Piece> = archive.expect("readable").collect();
        let aside = &found[1].set_aside[0];
        assert_eq!(aside.raw, bad.as_bytes()[..kept]);
        let is_cut = aside.reason.ends_with("; only its beginning is kept");
        assert_eq!(is_cut, kept < length, "{aside}");
        assert_eq!(told(found).len(), 3);
    }
}

proptest::proptest! {
    /// Whatever is cut out of good input or put into it, reading ends, and every line that was not
    /// touched is read.
    #[test]
    fn no_damage_spreads(
        place in 0..4000usize,
        cut in 0..200usize,
        put in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
    ) {
        let lines: Vec<String> = (0..4).map(|i| snapshot(i, &["a"])).collect();
        let mut text = (lines.join("\n") + "\n").into_bytes();
        let place = place.min(text.len());
        let end = (place + cut).min(text.len());
        text.splice(place..end, put);
        let found = read(text);
        let length = lines[0].len() + 1;
        for (i, _) in lines.iter().enumerate() {
            // A cut right before a line end may leave its neighbours on one line, or as one value.
            let is_touched = place < (i + 2) * length && end + length >= i * length;
            let is_there = found.iter().any(|t| t.starts_with(&format!("{i} a")));
            proptest::prop_assert!(is_touched || is_there, "{i}: {found:?}");
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        read(bytes);
    }

    #[test]
    fn no_brackets_panic(text in "[\\[\\]{}\",:\n\\\\a1 ]{0,60}") {
        read(text);
    }
}
