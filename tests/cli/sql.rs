//! `sql`: whatever is asked, and nothing that writes.

use serde_json::json;

use crate::fleet::recorded;

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
        ("gaps", 0),
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
