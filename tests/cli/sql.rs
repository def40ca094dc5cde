//! `sql`: whatever is asked, and nothing that writes.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::fleet::recorded;
use crate::place::{Place, Ran};

/// Counts up, and never ends.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

#[test]
fn a_query_comes_from_an_argument_or_from_standard_input() {
    let place = recorded();
    let query = "SELECT outcome, count(*) AS n FROM processes GROUP BY outcome ORDER BY outcome";
    let expected = "outcome,n\nfailed,4\nlost,1\nopen,3\nstopped,4\n";
    let ran = place.run(&["sql", query, "--format", "csv"]).ok();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (expected, ""));
    for args in [
        &["sql", "-", "--format", "csv"][..],
        &["sql", "--format", "csv"],
    ] {
        let ran = place
            .run_with_input(args, format!("{query};\n").as_bytes())
            .ok();
        assert_eq!(ran.stdout, expected);
    }
}

#[test]
fn values_keep_their_types() {
    let rows = recorded().rows(&[
        "sql",
        "SELECT NULL AS a, 9007199254740993 AS b, 0.5 AS c, 'é' AS d, x'00ff' AS e",
    ]);
    assert_eq!(
        json!(rows),
        json!([{"a": null, "b": 9_007_199_254_740_993_i64, "c": 0.5, "d": "é", "e": "00ff"}])
    );
}

#[test]
fn every_view_can_be_read_and_their_sums_agree() {
    let place = recorded();
    let count = |view: &str| {
        place.rows(&["sql", &format!("SELECT count(*) AS n FROM {view}")])[0]["n"].clone()
    };
    for (view, n) in [
        ("processes", 12),
        ("process_versions", 15),
        // One each for p01 p03 p04 p05 p06 p07 p08 p09 p10, two for p12.
        ("port_holds", 11),
        ("lifetimes", 12),
        ("sync_runs", 2),
        ("snapshots", 4),
        ("gaps", 0),
        ("watermarks", 0),
        ("set_aside", 0),
    ] {
        assert_eq!(count(view), n, "{view}");
    }
    // Milliseconds and text are the same moments.
    let rows = place.rows(&[
        "sql",
        "SELECT process_id, started_at, started_at_ms, lost_at FROM processes
         WHERE process_id IN ('p06', 'p08') ORDER BY 1",
    ]);
    assert_eq!(
        json!(rows),
        json!([
            {"process_id": "p06", "started_at": "2024-04-30T23:55:05.000Z",
             "started_at_ms": 1_714_521_305_000_i64, "lost_at": null},
            {"process_id": "p08", "started_at": "2024-05-01T11:15:10.000Z",
             "started_at_ms": 1_714_562_110_000_i64, "lost_at": "2024-05-01T12:45:00.000Z"},
        ])
    );
    // The next hold of an endpoint says how long it had been free.
    let rows = place.rows(&[
        "sql",
        "SELECT process_id, gap_ms FROM port_holds WHERE gap_ms IS NOT NULL ORDER BY 1",
    ]);
    assert_eq!(
        json!(rows),
        json!([
            {"process_id": "p03", "gap_ms": 315_000},
            {"process_id": "p04", "gap_ms": 30_000},
            {"process_id": "p10", "gap_ms": -30_000},
        ])
    );
}

#[test]
fn limits_say_when_they_cut() {
    let place = recorded();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5)
                   SELECT i FROM n";
    let sql = |max: &str| place.run(&["sql", numbers, "--max-rows", max, "--format", "ndjson"]);
    let ran = sql("3").ended(3);
    assert_eq!(ran.stdout.lines().count(), 3);
    assert_eq!(
        ran.stderr,
        "warning: cut after 3 rows; --max-rows 0 gives all\n"
    );
    for all in ["5", "0"] {
        let ran = sql(all).ok();
        assert_eq!(
            (ran.stdout.lines().count(), ran.stderr.as_str()),
            (5, ""),
            "{all}"
        );
    }
    // A limit that is met exactly cuts nothing, and JSON says what did.
    for (max, cut) in [("3", json!("rows")), ("5", Value::Null)] {
        let ran = place.run(&["sql", numbers, "--max-rows", max, "--format", "json"]);
        let whole = ran.json();
        assert_eq!(whole["cut"], cut, "{whole}");
        assert_eq!(
            json!(whole["rows"].as_array().unwrap().len()).to_string(),
            max
        );
    }
    // Never ends by itself; what had come by then is shown.
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                   SELECT max(i) AS m FROM n";
    let ran = place
        .run(&["sql", endless, "--timeout", "50ms", "--format", "csv"])
        .ended(3);
    assert_eq!(ran.stdout, "m\n");
    assert_eq!(
        ran.stderr,
        "warning: cut after 50ms; --timeout gives more time\n"
    );
}

/// An object has room for one field of a name; no column may be lost to that.
#[test]
fn columns_of_one_name_are_told_apart_in_json() {
    let place = recorded();
    let query = "SELECT 1 AS x, 2 AS x, 3 AS \"x:1\", 4 AS x";
    let expected = json!({"x": 1, "x:1": 2, "x:1:1": 3, "x:2": 4});
    assert_eq!(json!(place.rows(&["sql", query])), json!([expected]));
    let csv = place.run(&["sql", query, "--format", "csv"]).ok().stdout;
    assert_eq!(csv, "x,x,x:1,x\n1,2,3,4\n");
    let average = "SELECT avg(lifetime_ms) AS lifetime_ms FROM lifetimes";
    let table = place.run(&["sql", average]).ok().stdout;
    assert_eq!(table, " lifetime\n  22m 53s\n"); // 8239 s of 6
}

/// What came before it went wrong is not taken back.
#[test]
fn rows_are_shown_as_far_as_a_query_came() {
    let place = recorded();
    // The fourth row is an error: there is no such number.
    let failing = format!(
        "{ENDLESS} SELECT i, CASE i WHEN 4 THEN abs(-9223372036854775807 - 1) ELSE i * i END AS square
         FROM n LIMIT 9"
    );
    let slow = format!("{ENDLESS} SELECT i, i * i AS square FROM n WHERE i < 4");
    let shown = |format: &str| match format {
        "ndjson" => "{\"i\":1,\"square\":1}\n{\"i\":2,\"square\":4}\n{\"i\":3,\"square\":9}\n",
        "csv" => "i,square\n1,1\n2,4\n3,9\n",
        "markdown" => "| i | square |\n| --- | --- |\n| 1 | 1 |\n| 2 | 4 |\n| 3 | 9 |\n",
        _ => " i  square\n 1       1\n 2       4\n 3       9\n",
    };
    for format in ["ndjson", "csv", "markdown", "table"] {
        let ran = place.run(&["sql", &failing, "--format", format]).ended(1);
        assert_eq!(ran.stdout, shown(format));
        let said: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(said[0], "error: SQL: integer overflow", "{said:?}");
        assert!(said.len() == 2 && said[1].starts_with("hint: "), "{said:?}");

        let limit = ["--timeout", "100ms", "--format", format];
        let ran = place.run(&[&["sql", &slow], &limit[..]].concat()).ended(3);
        assert_eq!(ran.stdout, shown(format));
    }
    let ran = place.run(&["sql", &failing, "--format", "json"]).ended(1);
    assert!(
        ran.stdout.ends_with("    {\"i\":3,\"square\":9}\n"),
        "{ran:?}"
    );
    let limit = ["--timeout", "100ms", "--format", "json"];
    let ran = place.run(&[&["sql", &slow], &limit[..]].concat()).ended(3);
    let whole = ran.json();
    assert_eq!(whole["cut"], "time");
    assert_eq!(whole["rows"][2], json!({"i": 3, "square": 9}));
    assert_eq!(whole["rows"].as_array().unwrap().len(), 3);
}

/// An error in the statement itself is told before anything is written.
#[test]
fn a_refused_statement_writes_nothing() {
    let place = recorded();
    for format in ["json", "ndjson", "csv", "markdown", "table"] {
        let ran = place.run(&["sql", "SELECT x FROM gaps", "--format", format]);
        let ran = ran.ended(1);
        assert_eq!(ran.stdout, "");
        assert_eq!(
            ran.stderr,
            "error: SQL: no such column: x (at character 8)\n\
             hint: `prochist sql --schema` shows the views and their columns\n"
        );
    }
}

/// Rows come while the query goes on; else this would not end within the hour.
#[test]
fn an_endless_answer_ends_with_its_reader() {
    let place = recorded();
    let query = format!("{ENDLESS} SELECT i FROM n");
    for (format, head) in [
        ("ndjson", 0),
        ("csv", 1),
        ("markdown", 2),
        ("table", 1),
        ("json", 16),
    ] {
        let args = ["--max-rows", "0", "--timeout", "1h", "--format", format];
        let mut child = place
            .command(&[&["sql", &query], &args[..]].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // More than is kept of a table.
        let line = lines.nth(head + 2000).unwrap().unwrap();
        assert!(line.contains("2001"), "{format}: {line}");
        drop(lines);
        let ran = Ran::from(child.wait_with_output().unwrap()).ok();
        assert_eq!(ran.stderr, "", "{format}");
    }
}

#[test]
fn a_long_table_keeps_the_columns_of_its_first_page() {
    let place = recorded();
    let query = format!(
        "{ENDLESS} SELECT i, CASE i WHEN 7 THEN 'seven' WHEN 1234 THEN 'a long text' END AS text, i AS j
         FROM n LIMIT 1502"
    );
    let text = place.run(&["sql", &query]).ok().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1503);
    assert_eq!(lines[0], "   i  text     j");
    assert_eq!(lines[7], "   7  seven    7");
    assert_eq!(lines[500], " 500  –      500");
    // Wider on the page that needs it, and only there.
    assert_eq!(lines[501], "  501  –       501");
    assert_eq!(lines[1234], " 1234  a long text  1234");
    assert_eq!(lines[1502], " 1502  –      1502");
}

#[test]
fn parameters_are_bound_by_name_and_by_number() {
    let place = recorded();
    let query = "SELECT process_id FROM processes WHERE region = :region AND outcome = @outcome
                 AND version >= $least ORDER BY 1";
    let ran = place.run(&[
        "sql",
        query,
        "--format",
        "csv",
        "--param",
        "region=Tokyo",
        "--param",
        ":outcome=stopped",
        "--param",
        "least=2",
    ]);
    assert_eq!(ran.ok().stdout, "process_id\np01\np10\n");
    let rows = place.rows(&[
        "sql",
        "SELECT ?1 AS one, ?2 AS two, ?1 AS one_again",
        "--param",
        "2=b=c",
        "--param",
        "1=a",
    ]);
    assert_eq!(
        json!(rows),
        json!([{"one": "a", "two": "b=c", "one_again": "a"}])
    );
    // Nothing in a value is SQL.
    let rows = place.rows(&["sql", "SELECT :x AS x", "--param", "x=1; DROP TABLE word"]);
    assert_eq!(json!(rows), json!([{"x": "1; DROP TABLE word"}]));
}

#[test]
fn a_value_is_of_the_type_that_it_is_written_in() {
    let place = recorded();
    for (value, kind, read) in [
        ("42", "integer", json!(42)),
        ("-7", "integer", json!(-7)),
        ("0.5", "real", json!(0.5)),
        ("'42'", "text", json!("42")),
        ("null", "null", Value::Null),
        ("'null'", "text", json!("null")),
        ("dep-blue", "text", json!("dep-blue")),
        ("2024-05-01", "text", json!("2024-05-01")),
        ("", "text", json!("")),
    ] {
        let param = format!("x={value}");
        let rows = place.rows(&[
            "sql",
            "SELECT typeof(:x) AS kind, :x AS x",
            "--param",
            &param,
        ]);
        assert_eq!(json!(rows), json!([{"kind": kind, "x": read}]), "{value}");
    }
    // A deployment is an integer or a text, and the two are not the same.
    let count = |value: &str| {
        let query = "SELECT count(*) AS n FROM processes WHERE deployment_id = :d";
        let param = format!("d={value}");
        place.rows(&["sql", query, "--param", &param])[0]["n"].clone()
    };
    assert_eq!([count("8"), count("'8'"), count("dep-blue")], [4, 0, 3]);
}

#[test]
fn parameters_and_values_must_match() {
    let place = recorded();
    for (query, params, said) in [
        (
            "SELECT :a",
            &[][..],
            "parameter :a of the statement has no value",
        ),
        (
            "SELECT ?1",
            &[],
            "parameter ?1 of the statement has no value",
        ),
        (
            "SELECT :a, :b",
            &["a=1"],
            "parameter :b of the statement has no value",
        ),
        (
            "SELECT :a, $b",
            &["a=1", "b=1", "c=2"],
            "has no parameter \"c\"; it has :a, $b",
        ),
        (
            "SELECT 1",
            &["a=1"],
            "the statement has no parameter \"a\", nor any other",
        ),
        (
            "SELECT :a",
            &["a=1", "a=2"],
            "parameter \"a\" is given twice",
        ),
        (
            "SELECT :a",
            &["a=1", ":a=1"],
            "parameter \"a\" is given twice",
        ),
        ("SELECT ?", &["1=1"], "has no parameter \"1\""),
        (
            "SELECT :a, ?",
            &["a=1"],
            "parameter 2 of the statement has no name: it is a bare ?",
        ),
    ] {
        let params: Vec<&str> = params.iter().flat_map(|p| ["--param", p]).collect();
        let ran = place.run(&[&["sql", query], &params[..]].concat()).ended(2);
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{ran:?}");
        assert!(
            lines[0].starts_with("error: ") && lines[0].contains(said),
            "{ran:?}"
        );
        assert!(
            lines[1].starts_with("hint: ") && lines[1].contains("--param"),
            "{ran:?}"
        );
        assert_eq!(ran.stdout, "");
    }
    for param in ["a", "=1"] {
        let ran = place.run(&["sql", "SELECT :a", "--param", param]).ended(2);
        assert!(ran.stderr.contains("such as region=Tokyo"), "{ran:?}");
    }
}

#[test]
fn the_schema_is_shown_without_a_database() {
    let place = Place::new();
    let all = place.json(&["sql", "--schema"]);
    assert_eq!(all["question"], "schema");
    let views = all["views"].as_array().unwrap();
    assert!(views.len() >= 9, "{all}");
    for row in all["rows"].as_array().unwrap() {
        let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["view", "column", "type", "meaning"]);
        assert!(!row.to_string().contains('`'), "{row}");
        assert!(
            views.iter().any(|view| view["view"] == row["view"]),
            "{row}"
        );
    }
    let some = place.json(&["sql", "--schema", "gaps", "Snapshots"]);
    assert_eq!(some["views"][0]["view"], "gaps");
    assert_eq!(some["views"][1]["view"], "snapshots");
    assert_eq!(
        some["rows"][0],
        json!({"view": "gaps", "column": "gap_id", "type": "integer", "meaning": "counts up"})
    );
    let csv = place
        .run(&["sql", "--schema", "--format", "csv"])
        .ok()
        .stdout;
    assert!(
        csv.starts_with("view,column,type,meaning\nprocesses,process_id,text,"),
        "{csv}"
    );
    assert_eq!(
        csv.lines().count(),
        all["rows"].as_array().unwrap().len() + 1
    );
    let ndjson = place
        .run(&["--format", "ndjson", "sql", "--schema", "gaps"])
        .ok()
        .stdout;
    assert_eq!(ndjson.lines().count(), 12);
    let markdown = place
        .run(&["sql", "--schema", "gaps", "--format", "markdown"])
        .ok()
        .stdout;
    assert!(
        markdown.starts_with("| view | column | type | meaning |\n"),
        "{markdown}"
    );
    let text = place
        .run(&["sql", "--schema", "snapshots", "set_aside"])
        .ok()
        .stdout;
    let mut lines = text.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("snapshots: One row a snapshot"),
        "{text}"
    );
    assert_eq!(lines.next(), Some(""));
    assert!(
        lines.next().unwrap().starts_with(" column          type"),
        "{text}"
    );
    assert!(
        text.contains("\n\nset_aside: One row for each stretch"),
        "{text}"
    );
    assert!(!place.database().exists());
}

#[test]
fn a_misspelt_view_is_told_which_there_are() {
    let place = Place::new();
    let ran = place.run(&["sql", "--schema", "gaps", "proceses"]).ended(2);
    assert_eq!(ran.stdout, "");
    let (error, hint) = ran.stderr.trim_end().split_once('\n').unwrap();
    assert_eq!(error, "error: there is no view \"proceses\"");
    assert!(
        hint.starts_with("hint: the views are processes, process_versions, "),
        "{hint}"
    );
    for with in [&["SELECT 1"][..], &["--param", "a=1"]] {
        let args = [&["sql"], with, &["--schema"]].concat();
        let ran = place.run(&args).ended(2);
        assert!(ran.stderr.contains("cannot be used with"), "{ran:?}");
    }
}
