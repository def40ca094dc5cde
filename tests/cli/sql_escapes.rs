//! Ways out of `sql` that are known of SQLite: each is refused with one clear line, and the database,
//! what lies beside it and the folder are as they were, byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::fleet::recorded;
use crate::place::Place;

/// A statement, and why it would be an escape.
const ESCAPES: &[(&str, &str)] = &[
    // Other files.
    ("ATTACH 'other.db' AS other", "makes a file"),
    ("ATTACH ':memory:' AS other", "room to write in"),
    (
        "ATTACH 'file:history.db?mode=rw' AS again",
        "the record, open to be written",
    ),
    ("DETACH main", "takes the record away"),
    ("VACUUM", "writes the file anew"),
    ("VACUUM INTO 'copy.db'", "writes a file"),
    // Writing.
    ("INSERT INTO word (text) VALUES ('x')", "writes"),
    (
        "INSERT INTO word (text) VALUES ('x') RETURNING text",
        "writes and gives rows",
    ),
    (
        "REPLACE INTO word (text) VALUES ('x') RETURNING 1",
        "writes and gives rows",
    ),
    (
        "UPDATE process SET outcome = 'open' RETURNING 1",
        "writes and gives rows",
    ),
    ("DELETE FROM process RETURNING 1", "writes and gives rows"),
    (
        "WITH x AS (SELECT 1) DELETE FROM process RETURNING 1",
        "begins like a question",
    ),
    ("EXPLAIN DELETE FROM process", "compiles what writes"),
    ("DROP TABLE process", "writes"),
    ("DROP VIEW processes", "writes"),
    ("DROP TRIGGER process_created", "writes"),
    ("ALTER TABLE process RENAME TO gone", "writes"),
    ("CREATE TABLE x (y)", "writes"),
    ("CREATE TABLE x AS SELECT * FROM process", "writes"),
    ("CREATE INDEX x ON process (outcome)", "writes"),
    (
        "CREATE VIRTUAL TABLE x USING fts5(y)",
        "writes, and loads a module",
    ),
    (
        "CREATE VIRTUAL TABLE temp.x USING fts3(y, tokenize=simple)",
        "loads a module",
    ),
    ("REINDEX", "writes"),
    ("ANALYZE", "writes statistics"),
    ("UPDATE sqlite_schema SET sql = ''", "writes the schema"),
    // Temporary things stand in front of those of the record.
    ("CREATE TEMP TABLE x (y)", "room to write in"),
    ("CREATE TEMP TABLE process AS SELECT 1", "hides the record"),
    ("CREATE TEMP VIEW processes AS SELECT 1", "hides the record"),
    (
        "CREATE TEMP TRIGGER x INSTEAD OF DELETE ON processes BEGIN SELECT 1; END",
        "code that others run",
    ),
    // Locks that others wait for.
    ("BEGIN", "a transaction that goes on"),
    ("BEGIN IMMEDIATE", "keeps the recorder out"),
    ("BEGIN EXCLUSIVE", "keeps everybody out"),
    ("COMMIT", "ends a transaction"),
    ("ROLLBACK", "ends a transaction"),
    ("SAVEPOINT x", "a transaction that goes on"),
    ("RELEASE x", "ends a transaction"),
    // Pragmas that change something, or act.
    ("PRAGMA application_id = 5", "changes what the file is"),
    ("PRAGMA user_version = 7", "writes"),
    (
        "PRAGMA schema_version = 7",
        "damages other connections' plans",
    ),
    ("PRAGMA encoding = 'UTF-16'", "a value for what only tells"),
    ("PRAGMA page_size = 512", "a value for what only tells"),
    ("PRAGMA writable_schema = ON", "opens the schema"),
    ("PRAGMA WRITABLE_SCHEMA(RESET)", "opens the schema"),
    ("PRAGMA query_only = 0", "takes a wall down"),
    ("PRAGMA trusted_schema = ON", "takes a wall down"),
    ("PRAGMA journal_mode = DELETE", "takes the WAL away"),
    ("PRAGMA journal_mode = OFF", "takes rolling back away"),
    ("PRAGMA locking_mode = EXCLUSIVE", "keeps everybody out"),
    ("PRAGMA wal_checkpoint(TRUNCATE)", "writes the file"),
    ("PRAGMA wal_autocheckpoint = 1", "changes"),
    ("PRAGMA incremental_vacuum(1)", "writes the file"),
    ("PRAGMA incremental_vacuum", "writes the file"),
    ("PRAGMA auto_vacuum = 0", "changes"),
    ("PRAGMA optimize", "may write statistics"),
    ("PRAGMA optimize(-1)", "may write statistics"),
    (
        "PRAGMA temp_store = FILE",
        "lets temporary files fill the disk",
    ),
    (
        "PRAGMA temp_store_directory = '/etc'",
        "chooses where files are made",
    ),
    ("PRAGMA hard_heap_limit = 0", "lifts the limit of memory"),
    ("PRAGMA soft_heap_limit = 1", "changes"),
    ("PRAGMA mmap_size = 1", "changes"),
    ("PRAGMA threads = 8", "changes"),
    ("PRAGMA case_sensitive_like = ON", "changes what LIKE means"),
    ("PRAGMA busy_timeout = 0", "changes"),
    ("PRAGMA shrink_memory", "acts"),
    ("PRAGMA database_list", "tells where files are"),
    ("PRAGMA no_such_pragma", "what is not known is not allowed"),
    ("SELECT * FROM pragma_database_list", "the same as a table"),
    ("SELECT * FROM Pragma_Wal_Checkpoint", "the same as a table"),
    (
        "SELECT * FROM pragma_user_version(7)",
        "a value, by way of a table",
    ),
    (
        "SELECT count(*) FROM pragma_journal_mode('delete')",
        "a value, by way of a table",
    ),
    ("SELECT * FROM pragma_optimize", "the same as a table"),
    // Code, files and addresses.
    ("SELECT load_extension('x')", "loads code"),
    ("SELECT LOAD_EXTENSION('x', 'y')", "loads code"),
    ("SELECT readfile('/etc/passwd')", "reads a file"),
    ("SELECT writefile('x', 'y')", "writes a file"),
    ("SELECT edit('x')", "starts a program"),
    ("SELECT sqlite_log(1, 'x')", "writes the log"),
    (
        "SELECT fts3_tokenizer('simple')",
        "gives an address in memory",
    ),
    (
        "SELECT hex(fts3_tokenizer(:x))",
        "gives an address, for a bound name",
    ),
    (
        "SELECT fts3_tokenizer('simple', :x)",
        "takes an address of code, as a bound value",
    ),
    (
        "SELECT Fts3_Tokenizer('simple', :x), (SELECT token FROM fts3tokenize WHERE input = 'a b')",
        "calls it",
    ),
    ("SELECT rtreecheck('x')", "runs SQL made of its arguments"),
    ("SELECT * FROM zipfile('x.zip')", "reads a file"),
    ("SELECT * FROM fsdir('/')", "lists folders"),
    (
        "SELECT token FROM fts3tokenize WHERE input = 'a b'",
        "runs a tokenizer",
    ),
    ("SELECT * FROM dbstat", "tells of pages, not of the record"),
    ("SELECT count(*) FROM DbStat", "the same, without a column"),
    ("SELECT data FROM sqlite_dbpage", "raw pages"),
    ("SELECT * FROM sqlite_stmt", "the statements of the program"),
    // More than one.
    ("SELECT 1; DELETE FROM process", "a second statement"),
    ("SELECT 1; ; DELETE FROM process", "a second statement"),
    ("SELECT 1 /* */ ; ATTACH 'x' AS x", "a second statement"),
];

/// Each file of the folder and what is in it.
fn bytes_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// A record that somebody is writing: there is a WAL with something in it, and shared memory.
fn being_written() -> (Place, Connection) {
    let place = recorded();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let writer = Connection::open_with_flags(place.database(), flags).unwrap();
    writer
        .execute_batch("CREATE TABLE noise (x); DROP TABLE noise")
        .unwrap();
    assert!(place.path("history.db-wal").metadata().unwrap().len() > 0);
    (place, writer)
}

#[test]
fn every_known_escape_is_refused_and_leaves_no_trace() {
    let (place, _writer) = being_written();
    place.run(&["sql", "SELECT 1"]).ok();
    let before = bytes_in(place.folder());
    for (statement, why) in ESCAPES {
        let mut args = vec!["sql", *statement];
        if statement.contains(":x") {
            args.extend(["--param", "x=AAAAAAAA"]);
        }
        let ran = place.run(&args);
        assert_eq!(ran.code, Some(1), "{statement}: {why}: {ran:?}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{statement}: {ran:?}");
        assert!(lines[0].starts_with("error: "), "{statement}: {ran:?}");
        assert!(lines[1].starts_with("hint: "), "{statement}: {ran:?}");
        assert_eq!(ran.stdout, "", "{statement}");
        // The shared memory tells who reads, and is nobody's record.
        let mut after = bytes_in(place.folder());
        after.insert(
            "history.db-shm".to_owned(),
            before["history.db-shm"].clone(),
        );
        assert!(after == before, "{statement}: {why}");
    }
}

/// A wall that also keeps out what is meant to come in would soon be taken down.
#[test]
fn what_only_tells_is_allowed() {
    let place = recorded();
    for statement in [
        "PRAGMA application_id",
        "PRAGMA Table_Info(processes)",
        "PRAGMA table_xinfo = process",
        "PRAGMA main.index_list('process')",
        "PRAGMA table_list",
        "SELECT name FROM pragma_table_info('processes')",
        "SELECT count(*) FROM pragma_function_list",
        "SELECT name FROM sqlite_schema",
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT count(*) FROM json_tree('{\"a\": [1]}')",
        "EXPLAIN QUERY PLAN SELECT * FROM processes",
        "VALUES (1), (2)",
        "WITH n(i) AS (SELECT 1) SELECT count(*) FROM n",
        "SELECT 1; -- and no more",
    ] {
        let ran = place.run(&["sql", statement, "--format", "csv"]).ok();
        assert!(ran.stdout.lines().count() > 1, "{statement}: {ran:?}");
    }
}

/// What asks for too much is an error with a reason, or is cut; nothing of it waits for hours, fills a disk
/// or takes all memory.
#[test]
fn what_asks_for_too_much_is_refused() {
    let place = recorded();
    place.run(&["sql", "SELECT 1"]).ok(); // whatever a first reader leaves behind is there now
    let before = bytes_in(place.folder());
    let sum_of_many = format!("SELECT 1{}", " + 1".repeat(600));
    let deep = format!("SELECT {}1{}", "(".repeat(2000), ")".repeat(2000));
    let union = format!("SELECT 1{}", " UNION SELECT 1".repeat(300));
    let wide = format!("SELECT 1{}", ", 1".repeat(1200));
    let args = format!("SELECT max(1{})", ", 1".repeat(200));
    let long = format!("SELECT '{}'", "x".repeat(1024 * 1024));
    let pattern = format!("SELECT 'a' LIKE '{}'", "%".repeat(1001));
    let in_memory = |select: &str| {
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) {select}")
    };
    for (statement, said) in [
        (sum_of_many.as_str(), "Expression tree is too large"),
        (&deep, "Recursion limit"),
        (&union, "too many terms in compound SELECT"),
        (&wide, "too many columns in result set"),
        (&args, "too many arguments on function max"),
        (&long, "statement too long"),
        (&pattern, "LIKE or GLOB pattern too complex"),
        ("SELECT ?5000", "variable number must be between"),
        ("SELECT zeroblob(100000000)", "string or blob too big"),
        ("SELECT printf('%*c', 2000000000, 'x')", "string or blob too big"),
        ("SELECT hex(zeroblob(60000000))", "string or blob too big"),
        (
            "SELECT zeroblob(30000000), zeroblob(30000000), zeroblob(30000000)",
            "row 1 is larger than 67108864 bytes",
        ),
        (
            &in_memory("SELECT randomblob(10000) AS x FROM n ORDER BY x"),
            "out of memory",
        ),
        (
            "WITH RECURSIVE n(i) AS (SELECT randomblob(10000) UNION SELECT randomblob(10000) FROM n)
             SELECT count(*) FROM n",
            "out of memory",
        ),
        (
            &in_memory("SELECT group_concat(zeroblob(999)) FROM (SELECT 1 FROM n LIMIT 70000)"),
            "string or blob too big",
        ),
    ] {
        let args = ["--max-memory", "160", "--timeout", "1m", "--format", "csv"];
        // By standard input: a statement may be longer than an argument.
        let ran = place.run_with_input(&[&["sql", "-"], &args[..]].concat(), statement.as_bytes());
        let begin: String = statement.chars().take(60).collect();
        assert_eq!(ran.code, Some(1), "{begin}: {ran:?}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{begin}: {ran:?}");
        assert!(
            lines[0].starts_with("error: SQL: ") && lines[0].contains(said),
            "{begin}: {ran:?}"
        );
        assert!(lines[1].starts_with("hint: "), "{begin}: {ran:?}");
    }
    assert!(bytes_in(place.folder()) == before);
}

/// One call of a function that would take hours: SQLite looks at no clock meanwhile.
#[test]
fn a_single_slow_function_is_left_behind() {
    let place = recorded();
    let slow = "SELECT 1, instr(a, substr(a, 1, 30000000) || 'b')
                FROM (SELECT printf('%.*c', 60000000, 'a') AS a)";
    for (format, shown) in [("csv", ""), ("ndjson", ""), ("json", "\"rows\": []")] {
        let args = ["sql", slow, "--timeout", "10ms", "--format", format];
        let ran = place.run(&args).ended(3);
        assert!(ran.stderr.starts_with("warning: cut after 10ms"), "{ran:?}");
        assert!(ran.stdout.contains(shown), "{ran:?}");
        if format == "json" {
            assert_eq!(ran.json()["cut"], "time", "{ran:?}");
        }
    }
}

/// A table keeps a page of rows, which may be long; and no column is as wide as such a value.
#[test]
fn a_table_of_enormous_values_is_drawn_all_the_same() {
    let place = recorded();
    let heading = "h".repeat(70_000);
    let query = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 12)
         SELECT i, printf('%.*c', 1000000, 'x') AS \"{heading}\" FROM n"
    );
    let ran = place.run(&["sql", &query]).ok();
    assert_eq!(ran.stdout.lines().count(), 13);
    let last = ran.stdout.lines().last().unwrap();
    assert!(last.ends_with("x… (1000000 characters)"), "{}", last.len());
    assert!(ran.stdout.lines().all(|line| line.chars().count() < 10_100));
    // What is for a program is whole.
    let csv = place.run(&["sql", &query, "--format", "csv"]).ok().stdout;
    assert!(csv.lines().skip(1).all(|line| line.len() > 1_000_000));
}
