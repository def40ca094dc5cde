//! `import`: the same processes in every shape that an archive comes in.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::fleet::{looks, ndjson, recorded};
use crate::place::Place;

/// Where it is, and what is in it.
type File = (String, Vec<u8>);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// What three questions say, without what tells one import from another.
fn answers(place: &Place) -> Vec<Value> {
    [
        &["lifetimes", "--by", "deployment"][..],
        &["ports"],
        &["at", "2024-05-01T11:40:00Z"],
        &["history", "p01"],
        &["history", "p04"],
    ]
    .iter()
    .flat_map(|question| place.rows(question))
    .collect()
}

#[test]
fn snapshots_in_any_wrapping_are_the_same_snapshots() {
    let text = ndjson(&looks());
    let expected = {
        let place = Place::new();
        place.write("looks", &text);
        place.run(&["import", "looks"]).ok();
        answers(&place)
    };
    assert!(expected.len() > 10);
    let one_each: Vec<File> = looks()
        .iter()
        .enumerate()
        .map(|(i, look)| (format!("day/{i}/look.json"), look.to_string().into_bytes()))
        .collect();
    let wrappings: [(&str, Vec<File>); 7] = [
        ("gzip", vec![("a".into(), gzip(text.as_bytes()))]),
        ("zstd", vec![("a".into(), zstd(text.as_bytes()))]),
        // As `cat` makes of two compressed files.
        ("two members", {
            let (one, rest) = text.split_at(text.find('\n').unwrap() + 1);
            let both = [gzip(one.as_bytes()), gzip(rest.as_bytes())].concat();
            vec![("a".into(), both)]
        }),
        (
            "array",
            vec![("a".into(), json!(looks()).to_string().into_bytes())],
        ),
        (
            "pretty array",
            vec![("a".into(), serde_json::to_vec_pretty(&looks()).unwrap())],
        ),
        ("folder", one_each.clone()),
        (
            "folder, last first and compressed",
            one_each
                .iter()
                .rev()
                .zip(["1", "2", "3"])
                .map(|((_, bytes), n)| (format!("day/{n}"), gzip(bytes)))
                .collect(),
        ),
    ];
    for (name, files) in wrappings {
        let place = Place::new();
        for (path, bytes) in &files {
            place.write(path, bytes);
        }
        let path = if files.len() == 1 { "a" } else { "day" };
        let report = place.run(&["import", path, "--format", "json"]).ok();
        assert_eq!(report.json()["files"], files.len(), "{name}");
        assert_eq!(answers(&place), expected, "{name}");
    }
    let place = Place::new();
    let report = place.run_with_input(&["import", "-", "--format", "json"], &gzip(text.as_bytes()));
    assert_eq!(
        report.ok().json(),
        // Three looks of 3, 8 and 5 rows; 12 processes, of which p01, p04 and p10 changed.
        json!({"files": 1, "snapshots": 3, "processes_seen": 16, "processes_new": 12,
               "processes_changed": 3, "processes_lost": 0, "set_aside": 0})
    );
    assert_eq!(answers(&place), expected, "standard input");
}

/// Bare processes, as the API answers them, carry no time of their own.
#[test]
fn bare_processes_are_dated_by_hand_or_by_their_file() {
    let rows = looks()[1]["processes"].clone();
    let array = rows.to_string();
    let lines = ndjson(rows.as_array().unwrap());
    let one = rows[0].to_string();
    for (name, text, n) in [
        ("array", &array, 8),
        ("lines", &lines, 8),
        ("object", &one, 1),
    ] {
        let place = Place::new();
        place.write("answer.json", text);
        let given = [
            "import",
            "answer.json",
            "--observed-at",
            "2024-05-01T11:30:00Z",
        ];
        let ran = place
            .run(&[&given[..], &["--format", "json"]].concat())
            .ok();
        assert_eq!(ran.json()["processes_new"], n, "{name}");
        assert_eq!(ran.stderr, "", "{name}");
        let seen = place.rows(&["history", "p01"])[0]["first_seen_at"].clone();
        assert_eq!(seen, "2024-05-01T11:30:00.000Z", "{name}");
    }

    let place = Place::new();
    let path = place.write("answer.json", &array);
    let modified = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_714_563_000_000);
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(modified).unwrap();
    let ran = place.run(&["import", "answer.json"]).ok();
    assert!(
        ran.stderr.starts_with("note: answer.json did not say when"),
        "{ran:?}"
    );
    let seen = place.rows(&["history", "p01"])[0]["first_seen_at"].clone();
    assert_eq!(seen, "2024-05-01T11:30:00.000Z");

    let ran = place
        .run_with_input(&["import", "-"], array.as_bytes())
        .ended(1);
    assert!(
        ran.stderr.contains("without an observation time"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("--observed-at"), "{ran:?}");
}

#[test]
fn the_same_archive_again_changes_nothing_but_the_ledger() {
    let place = recorded();
    let before = answers(&place);
    let ran = place
        .run(&["import", "looks.ndjson", "--format", "json"])
        .ok();
    for count in ["processes_new", "processes_changed", "processes_lost"] {
        assert_eq!(ran.json()[count], 0, "{count}");
    }
    assert_eq!(answers(&place), before);
    let runs = place.json(&["coverage"])["run_results"]["complete"].clone();
    assert_eq!(runs, 3);
}

/// Absence means nothing until the archive is said to be complete.
#[test]
fn only_a_complete_archive_loses_a_process() {
    let outcome = |complete: &[&str]| {
        let place = Place::new();
        place.write("looks", ndjson(&looks()));
        place.write("more", ndjson(&[crate::fleet::complete_look()]));
        place.run(&["import", "looks"]).ok();
        place.run(&[&["import", "more"], complete].concat()).ok();
        let of = |id| place.json(&["history", id])["outcome"].clone();
        // p08 is of app b, which the archive names; p04 is of app a, which it does not.
        json!([of("p04"), of("p07"), of("p08")])
    };
    assert_eq!(outcome(&[]), json!(["open", "open", "open"]));
    assert_eq!(outcome(&["--complete"]), json!(["open", "open", "lost"]));
    assert_eq!(
        outcome(&["--complete", "--app-id", "a"]),
        json!(["lost", "open", "open"])
    );
}

/// What cannot be understood is kept, byte for byte, and everything around it is read.
#[test]
fn broken_records_are_set_aside_and_counted() {
    let place = Place::new();
    let [first, second, third] = looks().try_into().unwrap();
    let text =
        format!("{first}\n{{\"observedAt\": \"2024-05-01T11:00:00Z\", oops\n{second}\n{third}\n");
    place.write("looks.ndjson", text);
    let ran = place
        .run(&["import", "looks.ndjson", "--format", "json"])
        .ended(3);
    assert_eq!(ran.json()["processes_new"], 12);
    assert_eq!(ran.json()["set_aside"], 1);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(
        lines[0].starts_with("set aside: looks.ndjson:2: "),
        "{ran:?}"
    );
    assert!(
        lines[1].starts_with("warning: 1 record could not be understood"),
        "{ran:?}"
    );
    let rows = place.rows(&["sql", "SELECT source, line, raw FROM set_aside"]);
    assert_eq!(
        json!(rows),
        json!([{"source": "looks.ndjson", "line": 2,
                "raw": "{\"observedAt\": \"2024-05-01T11:00:00Z\", oops"}])
    );
    assert_eq!(place.rows(&["status"])[0]["last_run"]["result"], "partial");
}

#[test]
fn a_folder_without_files_is_remarked() {
    let place = Place::new();
    std::fs::create_dir(place.path("day")).unwrap();
    place.write("day/.hidden", "not an archive");
    let ran = place.run(&["import", "day", "--format", "json"]).ok();
    assert_eq!(ran.json()["files"], 0);
    assert_eq!(ran.stderr, "warning: there are no files to import there\n");
}

#[test]
fn the_database_is_where_it_was_asked_for_and_private() {
    let place = Place::new();
    place.write("looks", ndjson(&looks()));
    place.run(&["import", "looks"]).ok();
    assert!(place.database().exists(), "PROCHIST_DB");
    std::fs::create_dir(place.path("a")).unwrap();
    place.run(&["import", "looks", "--db", "a/c.db"]).ok();
    assert!(place.path("a/c.db").exists(), "--db");
    let ran = place.run(&["import", "looks", "--db", "b/c.db"]).ended(1);
    assert_eq!(
        ran.stderr.lines().next(),
        Some("error: the folder of history database \"b/c.db\" does not exist")
    );
    assert!(!place.path("b").exists());
    let status = place
        .command(&["import", "looks"])
        .env_remove("PROCHIST_DB")
        .output()
        .unwrap();
    assert!(status.status.success());
    let default = directories::ProjectDirs::from("", "", "prochist").unwrap();
    let name = default.data_dir().file_name().unwrap();
    if cfg!(target_os = "linux") {
        assert!(
            place
                .folder()
                .join(Path::new(name))
                .join("history.db")
                .exists()
        );
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(place.database())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
